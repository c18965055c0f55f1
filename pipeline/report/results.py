"""Sections on what came out: training curves, ranks beside random and the baselines, interests, the paper's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.charts import Axis, Dot, Line, Rule, dots, lines
from pipeline.report.page import Facts, Figure, Grid, Note, Panel, Part, Table
from pipeline.report.wording import count, listing, number, percent, plural

Metrics = Mapping[str, Any]

TASKS = {"text_to_user": "Text to user", "image_to_text": "Image to text", "image_to_user": "Image to user"}
ASKS = {
    "text_to_user": "whose text is this?",
    "image_to_text": "which text goes with this image?",
    "image_to_user": "whose image is this?",
}
METHODS = {
    "avg_text": "Avg-Text",
    "avg_image": "Avg-Image",
    "bridging": "Bridging",
    "merged": "Merged",
    "model": "This model",
}
PAIRS = {"text_user": "text and user", "image_text": "image and text", "image_user": "image and user"}
STYLE = dict(zip(TASKS, ("one", "two", "three"), strict=True)) | dict(zip(PAIRS, ("one", "two", "three"), strict=True))


def glance(retrieval: Metrics, interests: Metrics, audit: Metrics) -> Facts:
    """The few figures that matter most."""
    facts = []
    for task, name in TASKS.items():
        block = retrieval[task]
        if block["queries"]:
            low, high = block["interval_95"]["mean_median_rank"]
            facts.append(
                (
                    f"{name}, mean median rank",
                    number(block["mean_median_rank"]),
                    f"of {count(block['candidates'])}; random {number(block['random'])}; 95 % interval {number(low)} to {number(high)}",
                )
            )
    if measured := [task for task in TASKS if retrieval[task]["queries"]]:
        chance = sum(retrieval[task]["random"] / retrieval[task]["candidates"] for task in measured)
        facts.append(
            (
                "Joint performance",
                number(retrieval["joint_performance"]),
                f"sum of rank / candidates over {plural(len(measured), 'task')}, lower is better; random {number(chance)}",
            )
        )
    if "macro" in interests:
        macro = interests["macro"]
        low, high = macro["interval_95"]["model"]
        facts.append(
            (
                "Interests, macro F1",
                number(macro["model"]),
                f"over {plural(len(interests['labels']), 'label')}; 95 % interval {number(low)} to {number(high)}; calling everyone positive {number(macro['always_yes'])}",
            )
        )
    crossings = audit["crossings"]
    facts.append(
        (
            "Near-copies across the split",
            count(crossings["left"]),
            f"left after an exact second search, which found {count(crossings['found'])}",
        )
    )
    return Facts([(value, name, remark) for name, value, remark in facts])


def training(curves: pd.DataFrame, train: Metrics, val_candidates: Mapping[str, int] | None = None) -> list[Part]:
    """Losses and validation by epoch; `curves` as plots/training.csv has them, empty columns where not measured."""
    losses = {kind: f"loss_{kind}" for kind in PAIRS if curves[f"loss_{kind}"].notna().any()}
    ranks = {task: f"val_{task}" for task in TASKS if curves[f"val_{task}"].notna().any()}
    best, epochs = train["best_epoch"], len(curves)
    x = Axis("epoch", 1, max(2, epochs), ticks=_epochs(epochs))
    panels = [
        Panel(
            lines(
                [_curve(curves, losses[k], PAIRS[k], STYLE[k]) for k in losses],
                x,
                _from_zero(curves, losses.values()),
                f"Training loss by epoch, {epochs} epochs",
            ),
            "Training loss, by pair",
        )
    ]
    key = [(STYLE[k], PAIRS[k]) for k in losses]
    for task, column in ranks.items():
        reached = curves[column].iloc[best - 1]
        panels.append(
            Panel(
                lines(
                    [_curve(curves, column, TASKS[task], "one", best - 1)],
                    x,
                    _from_zero(curves, [column]),
                    f"Validation, {TASKS[task]}: {number(reached)} at epoch {best}",
                ),
                f"Validation, {TASKS[task].lower()}",
            )
        )
    if ranks:
        total = curves["val_cumulative"]
        after = epochs - best
        title = f"The sum over tasks is least after epoch {best} of {epochs}, {number(float(total.iloc[best - 1]))}"
        title += (
            "; it was still falling when training stopped"
            if not after
            else f"; {plural(after, 'more epoch')} did not improve on it"
        )
    else:
        title = f"Nothing was validated: the last of {plural(epochs, 'epoch')} is kept"
    columns = ["epoch", *losses.values(), *ranks.values(), *(["val_cumulative"] if ranks else [])]
    header = [
        "Epoch",
        *(f"Loss, {PAIRS[k]}" for k in losses),
        *(f"Validation, {TASKS[t].lower()}" for t in ranks),
        *(["Sum"] if ranks else []),
    ]
    rows = [[count(row[0]), *(number(v) for v in row[1:])] for row in curves[columns].itertuples(index=False)]
    return [
        Figure(
            title,
            panels,
            Grid(header, rows, strong=[best - 1]),
            key,
            "Validation is the mean median rank divided by the number of candidates: 0.5 is chance. A ring marks the epoch that is kept.",
        ),
    ]


def retrieval(model: Metrics, baselines: Metrics, ranks: pa.Table) -> list[Part]:
    """Mean median ranks of the model and the baselines, the distribution of ranks, ranks by activity."""
    asked = [task for task in TASKS if model[task]["queries"]]
    if not asked:
        return [Note("Nothing was asked: the test side holds no query.")]
    methods = {**{name: baselines[name] for name in METHODS if name in baselines}, "model": model}
    return [
        _compared(methods, asked),
        _distribution(ranks, model, asked),
        *_by_activity(model, asked),
        _every_measure(methods, asked),
    ]


def _compared(methods: Mapping[str, Metrics], asked: Sequence[str]) -> Figure:
    panels, rows = [], []
    for task in asked:
        block = methods["model"][task]
        shown = [
            _dot(name, found[task], "mean_median_rank")
            for name, found in methods.items()
            if found.get(task, {}).get("queries")
        ]
        axis = Axis("mean median rank, log scale", 1, block["candidates"], log=True)
        chart = dots(
            shown,
            axis,
            f"{TASKS[task]}: "
            + listing([f"{dot.name} {dot.shown}" for dot in shown])
            + f"; random {number(block['random'])}",
            [Rule(block["random"], f"random {number(block['random'])}")],
        )
        panels.append(Panel(chart, f"{TASKS[task]}: {ASKS[task]}"))
    joint = {
        name: found for name, found in methods.items() if all(found.get(task, {}).get("queries") for task in asked)
    }
    chance = sum(methods["model"][task]["random"] / methods["model"][task]["candidates"] for task in asked)
    shown = [_dot(name, found, "joint_performance") for name, found in joint.items()]
    if len(asked) > 1:
        panels.append(
            Panel(
                dots(
                    shown,
                    Axis("sum of rank / candidates", 0, 1.1 * chance),
                    "Joint performance: " + listing([f"{dot.name} {dot.shown}" for dot in shown]),
                    [Rule(chance, f"random {number(chance)}")],
                ),
                "Joint performance",
            )
        )
    for name, found in methods.items():
        cells = [
            _with_interval(found[task], "mean_median_rank") if found.get(task, {}).get("queries") else "–"
            for task in asked
        ]
        rows.append([METHODS[name], *cells, _with_interval(found, "joint_performance") if name in joint else "–"])
    rows.append(["Random", *(number(methods["model"][task]["random"]) for task in asked), number(chance)])
    rows.append(["Candidates", *(count(methods["model"][task]["candidates"]) for task in asked), "–"])
    rows.append(["Queries", *(count(methods["model"][task]["queries"]) for task in asked), "–"])
    model = list(methods).index("model")
    return Figure(
        _headline(joint, methods["model"], asked),
        panels,
        Grid(["Method", *(TASKS[task] for task in asked), "Joint"], rows, strong=[model]),
        note="Left is better; 1 is perfect. Bars are 95 % intervals by bootstrap over users. Avg-Text and Avg-Image know one direction each. The mean median rank: the median over the queries that look for the same thing, averaged over these things; in image to text each text is looked for once, so it is the mean rank.",
    )


def _headline(joint: Mapping[str, Metrics], model: Metrics, asked: Sequence[str]) -> str:
    times = [
        f"{TASKS[task].lower()} {number(model[task]['random'] / model[task]['mean_median_rank'], 2)} times"
        for task in asked
    ]
    title = (
        f"Better than random: {listing(times)}"
        if all(_beats(model[t]["interval_95"]["mean_median_rank"][1], model[t]["random"]) for t in asked)
        else "Not better than random in every task: "
        + listing(
            [
                f"{TASKS[t].lower()} {number(model[t]['mean_median_rank'])}, random {number(model[t]['random'])}"
                for t in asked
            ]
        )
    )
    others = {name: found["joint_performance"] for name, found in joint.items() if name != "model"}
    if others:
        rival = min(others, key=lambda name: others[name])
        ours = model["joint_performance"]
        word = "ahead of" if ours < others[rival] else "behind"
        title += f". Joint performance {number(ours)}, {word} {METHODS[rival]}, {number(others[rival])}"
    return title


def _beats(rank: float, random: float) -> bool:
    return rank < random


def _dot(name: str, block: Metrics, measure: str) -> Dot:
    low, high = block["interval_95"][measure]
    return Dot(METHODS[name], block[measure], low, high, number(block[measure]), name == "model")


def _with_interval(block: Metrics, measure: str) -> str:
    low, high = block["interval_95"][measure]
    return f"{number(block[measure])} ({number(low)} to {number(high)})"


def _distribution(ranks: pa.Table, model: Metrics, asked: Sequence[str]) -> Figure:
    """The share of queries whose ground truth ranks r or better, by r, beside chance."""
    panels, rows = [], []
    for task in asked:
        found = np.sort(ranks.filter(pc.equal(ranks["task"], task))["rank"].to_numpy())
        candidates = model[task]["candidates"]
        at = np.unique(np.round(np.geomspace(1, candidates, 60)))
        share = np.searchsorted(found, at + 1e-9, side="right") / len(found)
        curves = [Line("random", at, at / candidates, "chance"), Line(TASKS[task], at, share, "one")]
        chart = lines(
            curves,
            Axis("rank, log scale", 1, candidates, log=True),
            Axis("", 0, 1, ticks=(0, 0.25, 0.5, 0.75, 1)),
            f"{TASKS[task]}: {percent(share[0])} of queries rank first",
        )
        panels.append(Panel(chart, TASKS[task]))
        firsts = [float((found <= k).mean()) for k in (1, 5, 10)]
        tenth = float((found <= 0.1 * candidates).mean())
        rows.append([TASKS[task], *(percent(s) for s in (*firsts, tenth)), number(float(np.median(found)))])
    first = listing([f"{row[1]} of the time ({row[0].lower()})" for row in rows])
    return Figure(
        f"The right one comes first {first}",
        panels,
        Grid(["Task", "First", "Among 5", "Among 10", "In the best tenth", "Median rank"], rows),
        [("one", "share of queries at this rank or better"), ("chance", "random")],
    )


def _by_activity(model: Metrics, asked: Sequence[str]) -> list[Part]:
    panels, rows = [], []
    for task in asked:
        levels = {name: block for name, block in model[task]["by_activity"].items() if "mean_median_rank" in block}
        shown = [
            Dot(
                f"{name} posts ({plural(block['users'], 'user')})",
                block["mean_median_rank"],
                *block["interval_95"]["mean_median_rank"],
                number(block["mean_median_rank"]),
                True,
            )
            for name, block in levels.items()
        ]
        candidates, random = model[task]["candidates"], model[task]["random"]
        panels.append(
            Panel(
                dots(
                    shown,
                    Axis("mean median rank, log scale", 1, candidates, log=True),
                    f"{TASKS[task]} by activity",
                    [Rule(random, f"random {number(random)}")],
                ),
                TASKS[task],
            )
        )
        rows += [
            [
                f"{TASKS[task]}, {name} posts",
                count(b["users"]),
                count(b["queries"]),
                _with_interval(b, "mean_median_rank"),
            ]
            for name, b in levels.items()
        ]
    if not rows:
        return []
    return [
        Figure(
            "Ranks by how much the author posted in train",
            panels,
            Grid(["Task, author's posts", "Users", "Queries", "Mean median rank"], rows),
        )
    ]


def _every_measure(methods: Mapping[str, Metrics], asked: Sequence[str]) -> Table:
    measures = {
        "median_rank": "Median rank",
        "mean_rank": "Mean rank",
        "mean_reciprocal_rank": "Mean reciprocal rank",
        "recall_at_1": "Recall at 1",
        "recall_at_5": "Recall at 5",
        "recall_at_10": "Recall at 10",
    }
    model = methods["model"]
    rows = [[name, *(_with_interval(model[task], key) for task in asked)] for key, name in measures.items()]
    reasons = [
        [
            "Not asked",
            *(
                ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in model["not_asked"][task].items() if n)
                or "–"
                for task in asked
            ),
        ]
    ]
    return Table(
        "Every measure of this model, with 95 % intervals",
        Grid(["Measure", *(TASKS[task] for task in asked)], rows + reasons),
    )


def interests(found: Metrics, source: str) -> list[Part]:
    """F1 of users' interests, per method and label."""
    parts: list[Part] = []
    if "not_measured" in found:
        return [Note(f"Not measured: {found['not_measured']}.")]
    if source == "openclipart":
        parts.append(
            Note(
                "On openclipart a person's interests are the categories that many of their own drawings are in, so this asks whether a vector recovers what somebody posted. It does not predict an interest that was found out in another way."
            )
        )
    panels, rows = [], []
    blocks = {"macro": found["macro"], **found["labels"]}
    for label, block in blocks.items():
        shown = [
            Dot(METHODS[m], block[m], *ends, number(block[m], 2), m == "model")
            for m, ends in sorted(block["interval_95"].items(), key=lambda item: list(METHODS).index(item[0]))
        ]
        name = "Macro average" if label == "macro" else f"{label} ({block['positives']} of {found['users']})"
        panels.append(
            Panel(
                dots(
                    shown,
                    Axis("F1", 0, 1, ticks=(0, 0.25, 0.5, 0.75, 1)),
                    f"{name}: " + listing([f"{d.name} {d.shown}" for d in shown]),
                    [Rule(block["always_yes"], f"everyone positive {number(block['always_yes'], 2)}")],
                ),
                name,
            )
        )
        rows.append(
            [
                name,
                *(
                    f"{number(block[m], 2)} ({number(ends[0], 2)} to {number(ends[1], 2)})"
                    for m, ends in ((m, block["interval_95"][m]) for m in METHODS if m in block["interval_95"])
                ),
                number(block["always_yes"], 2),
            ]
        )
    header = ["Interest", *(METHODS[m] for m in METHODS if m in found["macro"]["interval_95"]), "Everyone positive"]
    note = f"F1 of a linear SVM per label, {found['folds']} folds, {found['repeats']} times; bars are 95 % intervals over users."
    if test := found.get("significance"):
        note += f" This model against {METHODS[test['against']]}: difference {number(test['difference'], 2)}, p = {number(test['p'], 2)} ({test['test']})."
    if left := found["labels_left_out"]:
        note += (
            " Left out, too few users for or against: "
            + ", ".join(f"{name} ({n})" for name, n in sorted(left.items(), key=lambda item: (-item[1], item[0])))
            + "."
        )
    return [*parts, Figure(_interest_title(found), panels, Grid(header, rows, strong=[0]), note=note)]


def _interest_title(found: Metrics) -> str:
    macro = found["macro"]
    title = f"Macro F1 {number(macro['model'], 2)}"
    if test := found.get("significance"):
        title += f"; the best baseline, {METHODS[test['against']]}, has {number(macro[test['against']], 2)}"
        title += (
            ", and the difference is significant" if test["p"] < 0.05 else ", and the difference is not significant"
        )
    return title


def _curve(curves: pd.DataFrame, column: str, name: str, style: str, mark: int | None = None) -> Line:
    return Line(name, curves["epoch"].tolist(), curves[column].tolist(), style, mark)


def _from_zero(curves: pd.DataFrame, columns: Any) -> Axis:
    top = max((float(curves[c].max()) for c in columns), default=1.0)
    return Axis("", 0, 1.05 * top or 1.0)


def _epochs(epochs: int) -> list[float]:
    step = max(1, round(epochs / 5))
    return [1, *range(step, epochs + 1, step)] if step > 1 else list(range(1, max(2, epochs) + 1))
