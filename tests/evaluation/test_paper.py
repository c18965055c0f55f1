"""The paper's tables: estimates, claims and their verdicts, on ranks made up for the purpose."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.evaluation import paper
from pipeline.evaluation.interests import Predictions
from pipeline.evaluation.paper_page import markdown
from pipeline.ranking.estimates import Estimate, estimates
from pipeline.ranking.retrieval import TASKS, Ranked, evaluate
from pipeline.running.errors import UserError
from pipeline.running.params import PAPER, paper_rows
from pipeline.running.schema import Retrieval
from pipeline.tables.ranking import RANKS
from pipeline.tables.table import strings
from stages.runner import declared

ROOT = Path(__file__).parents[2]
CANDIDATES = {"text_to_user": 100, "image_to_text": 50, "image_to_user": 100}
USERS, EACH = 60, 4


def made(means, seed):
    """RANKS of 60 users with 4 queries a task, about `means` by task."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(USERS), EACH)
    parts = []
    for task, mean in zip(TASKS, means, strict=True):
        query = [f"{task}-{i}" for i in range(len(user))]
        names = [f"u{u:02}" for u in user]
        rank = np.clip(np.round(random.normal(mean, mean / 4, len(user))), 1, CANDIDATES[task]).astype(float)
        columns = [strings([task] * len(user)), strings(query), strings(query if task == "image_to_text" else names),
                   strings(names), pa.array(rank)]  # fmt: skip
        parts.append(pa.table(columns, schema=RANKS.schema))
    return pa.concat_tables(parts)


# As the paper has them, in shares of the candidates.
PAPERS_SHAPE = {
    (1.0, 0.0, 0.0): (5, 25, 50), (0.0, 1.0, 0.0): (50, 5, 50), (0.0, 0.0, 1.0): (50, 25, 14),
    (0.5, 0.5, 0.0): (6, 6, 20), (0.5, 0.0, 0.5): (6, 12, 12), (0.0, 0.5, 0.5): (20, 6, 12),
    (0.1, 0.45, 0.45): (6, 2, 6), (0.333, 0.333, 0.334): (7, 3, 7),
}  # fmt: skip


def trained(shape, validation=lambda lambdas: sum(abs(x - 0.4) for x in lambdas)):
    found = estimates({str(key): made(means, i) for i, (key, means) in enumerate(shape.items())}, 300, seed=1)
    return {str(key): paper.Trained(key, found[str(key)], validation(key)) for key in shape}


def verdicts(claims):
    return [claim["verdict"] for claim in claims]


def test_estimates_are_those_of_the_evaluation_and_share_its_resamples():
    rows = made((9, 4, 12), 0)
    rows = rows.filter(pa.array(np.random.default_rng(1).random(rows.num_rows) < 0.6))  # of some users more are asked
    by_task = {task: rows.filter(pc.equal(rows["task"], task)) for task in TASKS}
    ranked = {task: Ranked(found, {}, CANDIDATES[task]) for task, found in by_task.items()}
    wanted = evaluate(ranked, {}, Retrieval(bootstrap=500, activity=[2, 5]), seed=3)
    found = estimates({"row": rows}, 500, seed=3)["row"]
    for task in TASKS:
        assert found[task].shown()["value"] == wanted[task]["mean_median_rank"]
        assert found[task].shown()["interval_95"] == wanted[task]["interval_95"]["mean_median_rank"]
    joint = paper.joint(found, CANDIDATES).shown()
    assert joint["value"] == wanted["joint_performance"]
    assert joint["interval_95"] == wanted["interval_95"]["joint_performance"]


def test_a_row_differs_from_itself_by_nothing_and_pairing_narrows_the_interval():
    rows = made((20, 5, 20), 0)
    better = rows.set_column(4, "rank", pa.array(np.maximum(1, rows["rank"].to_numpy() - 2)))
    found = estimates({"one": rows, "same": rows, "better": better}, 300, seed=1)
    assert np.all((found["one"]["text_to_user"] - found["same"]["text_to_user"]).drawn == 0)
    gap = found["better"]["text_to_user"] - found["one"]["text_to_user"]
    assert np.ptp(gap.drawn) < np.ptp(found["one"]["text_to_user"].drawn) / 5


@pytest.mark.parametrize(("low", "high", "wanted"), [(-2, -1, "holds"), (-1, 1, "undecided"), (1, 2, "does not hold")])
def test_a_verdict_is_where_the_interval_lies(low, high, wanted):
    gap = Estimate((low + high) / 2, np.linspace(low, high, 101))
    sure = Estimate(-5, np.linspace(-6, -4, 101))
    assert paper.verdict([paper.Comparison("", gap), paper.Comparison("", sure)]) == wanted
    assert paper.verdict([]) == "not tested"


def test_the_claims_hold_on_ranks_shaped_like_the_papers():
    assert verdicts(paper.claims_2(trained(PAPERS_SHAPE), CANDIDATES)) == ["holds"] * 6


@pytest.mark.parametrize(
    ("changed", "means", "fails"),
    [
        ((1.0, 0.0, 0.0), (60, 25, 50), 0),  # no better than random on its own task
        ((0.0, 1.0, 0.0), (10, 5, 50), 1),  # good at what it was not trained for
        ((0.5, 0.5, 0.0), (6, 6, 70), 2),  # no zero-shot
        ((0.5, 0.0, 0.5), (1, 1, 1), 3),  # two pairs best of all
        ((0.0, 0.0, 1.0), (50, 25, 2), 4),  # image-to-user alone better
        ((0.0, 1.0, 0.0), (50, 1, 50), 5),  # image-to-text alone better
    ],
)
def test_each_claim_fails_where_ranks_speak_against_it(changed, means, fails):
    found = verdicts(paper.claims_2(trained({**PAPERS_SHAPE, changed: means}), CANDIDATES))
    assert found[fails] == "does not hold"


def test_table_4_compares_the_row_that_validation_chose():
    rows = trained(PAPERS_SHAPE)
    methods = {"avg_text": (20, 25, 50), "avg_image": (50, 25, 30), "bridging": (3, 9, 20), "merged": (4, 15, 25)}
    found = estimates({name: made(means, 9) for name, means in methods.items()}, 300, seed=1)
    found["avg_text"] = {"text_to_user": found["avg_text"]["text_to_user"]}
    found["avg_image"] = {"image_to_user": found["avg_image"]["image_to_user"]}
    table = paper.table_4(rows, found, CANDIDATES)
    assert verdicts(table["claims"]) == ["holds"] * 3
    assert table["rows"][-1]["lambdas"] == [0.333, 0.333, 0.334]  # the least by `validation` above
    assert "joint_performance" not in table["rows"][1]  # Avg-Text has one task


def test_what_needs_no_training_stands_under_a_heading_of_its_own_with_its_differences():
    rows = trained(PAPERS_SHAPE)
    means = estimates({"encoder_mean": made((30, 25, 60), 9)}, 300, seed=1)
    del means["encoder_mean"]["image_to_text"]
    found = paper.untrained(rows, means, CANDIDATES)
    assert [set(row) for row in found["rows"]] == [{"method", "text_to_user", "image_to_user"}]
    assert len(found["differences"]) == 2 and all(
        ": \u2212" in line for line in found["differences"]
    )  # below 0: better
    table = paper.table_4(rows, {}, CANDIDATES) | {"untrained": found}
    text = markdown({"about": {"corpus": "made", "candidates": CANDIDATES, "queries": dict.fromkeys(TASKS, 240)},
                           "table_2": paper.table_2(rows, CANDIDATES),
                           "table_3": {"title": "F1", "not_measured": "no labels", "claims": []},
                           "table_4": table})  # fmt: skip
    below = text.partition("### Without training")[2]
    assert "means of pretrained vectors" in below and found["differences"][0] in below
    assert paper.untrained({}, means, CANDIDATES)["differences"] == []


def test_a_run_without_pretrained_vectors_has_no_heading_for_them():
    rows = trained(PAPERS_SHAPE)
    table = paper.table_4(rows, {}, CANDIDATES) | {"untrained": paper.untrained(rows, {}, CANDIDATES)}
    assert "Without training" not in markdown(
        {"about": {"corpus": "made", "candidates": CANDIDATES, "queries": dict.fromkeys(TASKS, 240)},
         "table_2": paper.table_2(rows, CANDIDATES),
         "table_3": {"title": "F1", "not_measured": "no labels", "claims": []}, "table_4": table}
    )  # fmt: skip


def test_the_papers_own_figures_stand_beside_its_rows_with_joint_performance_by_its_definition():
    table = paper.table_2(trained(PAPERS_SHAPE), CANDIDATES)
    best = next(row for row in table["rows"] if row.get("lambdas") == [0.1, 0.45, 0.45])
    assert best["image_to_text"]["paper"] == {"value": 127, "share": 127 / 5000}
    assert best["joint_performance"]["paper"]["value"] == pytest.approx(0.059, abs=5e-4)  # PAPER.md
    assert table["rows"][0]["text_to_user"]["value"] == 50.5
    text = markdown({"about": {"corpus": "made", "candidates": CANDIDATES, "queries": dict.fromkeys(TASKS, 240)},
                           "table_2": table, "table_3": {"title": "F1", "not_measured": "no labels", "claims": []},
                           "table_4": table})  # fmt: skip
    assert "(0.1, 0.45, 0.45)" in text and "[127 · 2.5 %]" in text and "**holds**: All pairs" in text
    assert "Not measured: no labels." in text


def test_claims_on_interests_follow_the_f1():
    truth = np.random.default_rng(0).random((2, 300)) < 0.4
    share = {"random": 0.5, "avg_text": 0.6, "avg_image": 0.7, "text_user": 0.8, "image_user": 0.9, "all_pairs": 1.0}
    draw = np.random.default_rng(1).random((2, 1, 300))
    said = np.stack([np.where(draw < right, truth[:, None], ~truth[:, None]) for right in share.values()])
    fold = np.zeros((2, 1, 300), int)
    table = paper.table_3(Predictions(list(share), ["a", "b"], truth, fold, said, 0), 300, seed=1)
    assert verdicts(table["claims"]) == ["holds"] * 3
    assert [row["f1"]["value"] for row in table["rows"]] == sorted(row["f1"]["value"] for row in table["rows"])
    assert table["rows"][-1]["f1"]["value"] == 1.0


def test_rows_that_were_taken_out_leave_claims_untested():
    estimate = Estimate(0.5, np.full(9, 0.5))
    assert verdicts(paper.claims_3({"avg_text": estimate, "text_user": estimate})) == ["undecided"] + ["not tested"] * 2
    assert set(verdicts(paper.claims_2({}, CANDIDATES))) == {"not tested"}
    assert set(verdicts(paper.claims_4({}, CANDIDATES))) == {"not tested"}


def test_rows_of_params_are_checked(tmp_path):
    assert len(paper_rows(ROOT / PAPER)) == len(paper.PAPER_TABLE_2)
    assert {(r.lambda1, r.lambda2) for r in paper_rows(ROOT / PAPER).values()} == set(paper.PAPER_TABLE_2)
    bad = tmp_path / "params.yaml"
    bad.write_text("rows:\n  a: {lambda1: 0.7, lambda2: 0.7}\n")
    with pytest.raises(UserError, match=r"rows.a: lambda1 \+ lambda2 is 1.4"):
        paper_rows(bad)


def test_a_row_is_resumed_by_its_own_weights_alone(monkeypatch):
    monkeypatch.chdir(ROOT)
    inputs, facts = declared("paper_row@text-user", Path("paper"))
    assert facts["rows.text-user"] == {"lambda1": 1.0, "lambda2": 0.0} and "rows.all-even" not in facts
    assert {"seed", "model", "train"} < facts.keys() and Path("data/split/train") in inputs
