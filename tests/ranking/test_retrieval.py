from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.ranking.bootstrap import resamples
from pipeline.ranking.queries import Queries
from pipeline.ranking.retrieval import (
    TASKS,
    Ranked,
    _weighted_medians,
    cumulative,
    evaluate,
    joint_performance,
    rank_task,
    rank_users,
    summarize,
)
from pipeline.ranking.vectors import Stored, Vectors
from pipeline.running.errors import UserError
from pipeline.running.schema import Retrieval
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.ranking import RANKS
from pipeline.tables.table import vectors as vector_column


def vectors(rows):
    return Vectors(pa.array(list(rows)), np.array(list(rows.values()), np.float32))


@pytest.fixture
def corpus():
    users = vectors({"ann": [1, 0], "bob": [0, 1]})
    images = vectors({"i1": [1, 0], "i2": [0, 1], "i3": [1, 1]})
    texts = vectors({"p1": [1, 0.1], "p2": [0.1, 1], "p4": [0, 1], "p9": [1, 1]})
    queries = pa.table(
        {
            "post_id": ["p1", "p2", "p3", "p4"],
            "user_id": ["ann", "ann", "bob", "eve"],
            "image_id": ["i1", "i2", "i3", "i4"],
        }
    )
    return queries, users, images, texts


def test_text_to_user_asks_with_a_text_without_a_known_word_too_at_chance(corpus):
    found, left, candidates = rank_task("text_to_user", *corpus)
    assert found.to_pylist() == [
        {"task": "text_to_user", "query_id": "p1", "truth_id": "ann", "user_id": "ann", "rank": 1.0},
        {"task": "text_to_user", "query_id": "p2", "truth_id": "ann", "user_id": "ann", "rank": 2.0},
        {"task": "text_to_user", "query_id": "p3", "truth_id": "bob", "user_id": "bob", "rank": 1.5},
    ]
    assert left == {
        "not_asked": {"author_not_in_train": 1}, "at_chance": {"text_without_known_word": 1}, "ranked_last": {}
    }  # fmt: skip
    assert candidates == 2


def test_image_to_user_asks_what_every_method_is_asked(corpus):
    queries, users, images, texts = corpus
    found, left, candidates = rank_task("image_to_user", *corpus)
    assert found["rank"].to_pylist() == [1, 2, 1.5]
    # eve has no posts in train; her image has no vector either, which is no reason of its own.
    assert left["not_asked"] == {"author_not_in_train": 1} and left["at_chance"] == {"image_without_vector": 0}
    fewer = Vectors(images.ids.slice(0, 1), images.values[:1])
    found, left, candidates = rank_task("image_to_user", queries, users, fewer, texts)
    assert found["rank"].to_pylist() == [1, 1.5, 1.5] and candidates == 2
    assert left["at_chance"] == {"image_without_vector": 2}


def test_image_to_text_ranks_among_all_the_texts_of_the_set_and_no_others(corpus):
    found, left, candidates = rank_task("image_to_text", *corpus)
    assert found["truth_id"].to_pylist() == ["p1", "p2", "p3", "p4"]
    # Of p1 to p4, but not p9. i2 is nearest to p4, then p2. i3 looks for p3, which has no vector and stands behind the
    # others. i4, which looks for p4, has none: in the middle of three.
    assert found["rank"].to_pylist() == [1, 2, 4, 2]
    assert left == {
        "not_asked": {}, "at_chance": {"image_without_vector": 1}, "ranked_last": {"text_without_known_word": 1}
    }  # fmt: skip
    assert candidates == 4


def test_a_method_that_knows_nothing_is_at_chance(corpus):
    queries, users, *_ = corpus
    nothing = Vectors(pa.array([], pa.string()), np.empty((0, 2), np.float32))
    for task in TASKS:
        found, _, candidates = rank_task(task, queries, users, nothing, nothing)
        assert set(found["rank"].to_pylist()) == {summarize(found, candidates)["random"]}


def test_each_image_of_a_post_asks_and_a_text_counts_by_its_median(corpus):
    queries, users, images, texts = corpus
    queries = queries.append_column("more_images", pa.array([["i2", "i3"], None, ["i1"], None], pa.list_(pa.string())))
    found, left, _ = rank_task("image_to_user", queries, users, images, texts)
    assert found["query_id"].to_pylist() == ["p1", "p1 i2", "p1 i3", "p2", "p3", "p3 i1"]
    assert found["rank"].to_pylist() == [1, 2, 1.5, 2, 1.5, 2]
    assert left["not_asked"] == {"author_not_in_train": 1}
    found, _, candidates = rank_task("image_to_text", queries, users, images, texts)
    # p1 is asked for by i1, i2 and i3, at ranks 1, 3 and 1 or 2 of p1, p2, p4; p2 by i2 alone. p3 stands behind these.
    assert found["truth_id"].to_pylist() == ["p1", "p1", "p1", "p2", "p3", "p3", "p4"] and candidates == 4
    rank = found["rank"].to_pylist()
    assert rank[:2] == [1, 3] and rank[3:] == [2, 4, 4, 2]
    assert summarize(found, candidates)["mean_median_rank"] == (np.median(rank[:3]) + 2 + 4 + 2) / 4


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(number):
    with pytest.raises(UserError, match="vector of bob"):
        vectors({"ann": [1, 0], "bob": [0, number], "eve": [1, 1]})


def test_no_query_at_all(corpus):
    queries, *others = corpus
    found, _, candidates = rank_task("image_to_text", queries.slice(0, 0), *others)
    assert (found.num_rows, candidates) == (0, 0)
    assert summarize(found, candidates) == {"queries": 0, "candidates": 0}


def test_metrics_by_hand():
    found = pa.table(
        {
            "task": ["t"] * 4,
            "query_id": list("abcd"),
            "truth_id": list("xxxy"),
            "user_id": list("xxxy"),
            "rank": [1.0, 2.0, 6.0, 11.0],
        },
        schema=RANKS.schema,
    )
    assert summarize(found, 12) == pytest.approx(
        {
            "mean_median_rank": (2 + 11) / 2,
            "median_rank": 4,
            "mean_rank": 5,
            "mean_reciprocal_rank": (1 + 1 / 2 + 1 / 6 + 1 / 11) / 4,
            "recall_at_1": 1 / 4,
            "recall_at_5": 2 / 4,
            "recall_at_10": 3 / 4,
            "queries": 4,
            "candidates": 12,
            "random": 6.5,
        }
    )


def test_joint_performance_of_the_papers_table_4():
    ranks, candidates = (551, 127, 785), (39808, 5000, 39808)
    blocks = {
        str(i): {"mean_median_rank": r, "candidates": c, "queries": 1}
        for i, (r, c) in enumerate(zip(ranks, candidates, strict=True))
    }
    assert joint_performance(blocks) == pytest.approx(0.059, abs=5e-4)
    assert joint_performance({**blocks, "none": {"queries": 0, "candidates": 9}}) == joint_performance(blocks)
    with pytest.raises(ValueError, match="no task"):
        joint_performance({"none": {"queries": 0, "candidates": 9}})


SETTINGS = Retrieval(bootstrap=300, activity=[10, 50])


def asked(ranks, users, truths=None, task="t"):
    ids = [f"{i:04}" for i in range(len(ranks))]
    columns = {"task": [task] * len(ranks), "query_id": ids, "truth_id": truths or users, "user_id": users}
    return pa.table({**columns, "rank": [float(rank) for rank in ranks]}, schema=RANKS.schema)


def test_intervals_agree_with_resampling_the_rows_themselves():
    rng = np.random.default_rng(0)
    users = [f"u{i}" for i in rng.integers(0, 8, 60)]
    rows = asked(rng.integers(1, 40, 60), users)
    posts = dict.fromkeys(users, 20)
    metrics = evaluate({"t": Ranked(rows, {}, 40)}, posts, SETTINGS, seed=3)["t"]

    names = sorted(set(users))
    drawn = []
    for weights in np.concatenate(list(resamples(len(names), 300, seed=3))):
        whole = pa.concat_tables(
            [
                # A user drawn twice is two users, each a ground truth of its own.
                part.set_column(2, "truth_id", pa.array([f"{name} {copy}"] * part.num_rows))
                for name, weight in zip(names, weights, strict=True)
                for copy in range(weight)
                for part in [rows.filter(pa.array(np.array(users) == name))]
            ]
        )
        drawn.append(summarize(whole, 40))
    for name, (low, high) in metrics["interval_95"].items():
        expected = np.percentile([block[name] for block in drawn], [2.5, 97.5])
        width = expected[1] - expected[0]
        assert (low, high) == pytest.approx(expected, abs=width / 20), name
    assert set(metrics["interval_95"]) == set(summarize(rows, 40)) - {"queries", "candidates", "random"}


def test_medians_of_resamples_are_those_of_queries_taken_as_often_as_their_user():
    rank, user = np.array([1.0, 2.0, 2.5, 7.0, 9.0, 30.0]), np.array([0, 1, 2, 0, 3, 1])
    drawn = np.array([[1, 1, 1, 1], [2, 1, 0, 1], [0, 0, 0, 4], [3, 1, 0, 0], [0, 2, 1, 1], [0, 0, 0, 0]])
    wanted = [np.median(np.repeat(rank, weights[user])) if weights.any() else np.nan for weights in drawn]
    np.testing.assert_array_equal(_weighted_medians(rank, user, drawn), wanted)


def test_users_fall_into_few_some_and_many_by_their_posts_in_train():
    users = ["new", "few", "fewer", "some", "more", "most", "many", "very many"]
    rows = asked([1, 2, 3, 4, 5, 6, 7, 8], users)
    posts = {"few": 9, "fewer": 1, "some": 10, "more": 30, "most": 49, "many": 50, "very many": 900}
    found = evaluate({"t": Ranked(rows, {}, 9)}, posts, SETTINGS, seed=1)["t"]["by_activity"]
    told = [(found[name]["users"], found[name]["queries"], found[name]["mean_median_rank"]) for name in ("few", "some")]
    assert told == [(3, 3, pytest.approx(2)), (3, 3, pytest.approx(5))]
    assert found["many"] == {"users": 2}  # their rank would tell of them


def test_joint_performance_has_an_interval_and_a_task_without_queries_says_so():
    none = {"b": Ranked(asked([], [], task="b"), {}, 0)}
    tasks = {"a": Ranked(asked([1, 3, 5], ["x", "y", "z"], task="a"), {}, 10), **none}
    metrics = evaluate(tasks, {}, SETTINGS, seed=1)
    assert metrics["joint_performance"] == pytest.approx(0.3)
    low, high = metrics["interval_95"]["joint_performance"]
    assert low < 0.3 < high
    assert metrics["b"] == {"queries": 0, "candidates": 0, "interval_95": {}, "by_activity": {}}
    assert "joint_performance" not in evaluate(none, {}, SETTINGS, seed=1)


def test_the_distribution_of_ranks_rises_to_one_and_random_is_a_line():
    found = {"t": Ranked(asked([1, 2, 29, 100], list("abcd")), {}, 100), "none": Ranked(asked([], []), {}, 0)}
    curve = cumulative(found)
    at = curve.set_index("share_of_candidates")
    assert list(curve.columns) == ["share_of_candidates", "t", "random"]
    assert [at.t.loc[x] for x in (0.0, 0.009, 0.01, 0.02, 0.28, 0.29, 0.99, 1.0)] == [
        0,
        0,
        0.25,
        0.5,
        0.5,
        0.75,
        0.75,
        1,
    ]
    assert (curve.random == curve.share_of_candidates).all()
    assert len(curve) < 2000


def test_degenerate_models_score_as_random_in_every_task(corpus):
    queries, *_ = corpus
    same = {name: vectors({i: [1, 1] for i in ids}) for name, ids in IDS.items()}
    zero = {name: vectors({i: [0, 0] for i in ids}) for name, ids in IDS.items()}
    for model in (same, zero):
        for task in TASKS:
            found, _, candidates = rank_task(task, queries, model["users"], model["images"], model["texts"])
            block = summarize(found, candidates)
            assert block["mean_median_rank"] == block["random"]
            assert block["recall_at_1"] == 0


IDS = {"users": ["ann", "bob"], "images": ["i1", "i2", "i3"], "texts": ["p1", "p2", "p4"]}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_vectors_are_read_shard_by_shard_all_of_them_or_those_asked_for(tmp_path, dtype):
    ids, values = [f"p{i}" for i in range(8)], np.random.default_rng(0).normal(size=(8, 3)).astype(dtype)
    table = pa.table({"id": ids, "vector": vector_column(values)})
    replace(EMBEDDINGS, shard_rows=3).write(table, tmp_path / "t")
    whole = Vectors.read(tmp_path / "t")
    assert whole.ids.to_pylist() == ids and whole.values.dtype == dtype
    np.testing.assert_array_equal(whole.values, values)
    some = Vectors.read(tmp_path / "t", pa.array(["p7", "p1", "nobody", "p2"]))
    assert some.ids.to_pylist() == ["p1", "p2", "p7"]
    np.testing.assert_array_equal(some.values, values[[1, 2, 7]])
    assert len(Vectors.read(tmp_path / "t", pa.array([], pa.string())).ids) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_texts_in_pieces_rank_as_they_do_at_once(size):
    random = np.random.default_rng(0)
    users = Vectors(pa.array([f"u{i}" for i in range(6)]), random.normal(size=(6, 4)).astype(np.float32))
    texts = Vectors(pa.array([f"p{i:02}" for i in range(20)]), random.normal(size=(20, 4)).astype(np.float32))
    queries = pa.table({  # of some texts, some that have no vector, some by users unknown, and not in order
        "post_id": [f"p{i:02}" for i in random.permutation(26)[:15]],
        "user_id": [f"u{i}" for i in random.integers(0, 8, 15)],
        "image_id": pa.nulls(15, pa.string()),
    })  # fmt: skip
    pieces = [Vectors(texts.ids[at : at + size], texts.values[at : at + size]) for at in range(0, 20, size)]
    nothing = Vectors(pa.array([], pa.string()), np.empty((0, 4), np.float32))
    wanted = rank_task("text_to_user", queries, users, nothing, texts)
    assert sum(sum(reasons.values()) for reasons in wanted[1].values()) > 2
    assert rank_users("text_to_user", queries, users, iter(pieces)) == wanted
    for left_out in (0, 15):  # no query; no text
        some, given = queries.slice(0, left_out), pieces if not left_out else []
        assert rank_users("text_to_user", some, users, given) == rank_task(
            "text_to_user", some, users, nothing, nothing
        )


@pytest.mark.parametrize("size", [1, 3, 50])
def test_images_in_pieces_rank_as_they_do_at_once(size):
    random = np.random.default_rng(0)
    users = Vectors(pa.array([f"u{i}" for i in range(6)]), random.normal(size=(6, 4)).astype(np.float32))
    images = Vectors(pa.array([f"i{i}" for i in range(9)]), random.normal(size=(9, 4)).astype(np.float32))
    shown = [[f"i{i}" for i in random.permutation(12)[: random.integers(0, 4)]] for _ in range(20)]
    queries = pa.table({  # of one image, of several that posts share, some without a vector; some by users unknown
        "post_id": [f"p{i}" for i in random.permutation(20)],
        "user_id": [f"u{i}" for i in random.integers(0, 8, 20)],
        "image_id": pa.array([held[0] if held else None for held in shown], pa.string()),
        "more_images": pa.array([held[1:] or None for held in shown], pa.list_(pa.string())),
    })  # fmt: skip
    pieces = (Vectors(images.ids[at : at + size], images.values[at : at + size]) for at in range(0, 9, size))
    wanted = rank_task("image_to_user", queries, users, images, images)
    assert wanted[0].num_rows > 20 and wanted[1]["at_chance"]["image_without_vector"] > 2
    assert rank_users("image_to_user", queries, users, pieces) == wanted


def test_stored_vectors_are_those_read_at_once(tmp_path, monkeypatch):
    values = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32)
    ids = [f"p{i:02}" for i in range(23)]
    table = replace(EMBEDDINGS, shard_rows=5)
    table.write(pa.table({"id": ids, "vector": vector_column(values)}), tmp_path / "t")
    stored = Vectors.stored(tmp_path / "t")
    assert isinstance(stored.values, Stored) and len(stored.values) == 23 and stored.ids.to_pylist() == ids
    for begin, end in ((0, 23), (0, 5), (4, 6), (5, 20), (22, 30), (23, 23), (7, 7)):
        np.testing.assert_array_equal(stored.values[begin:end], values[begin:end])
    for row in (0, 4, 5, 22):
        np.testing.assert_array_equal(stored.values[row], values[row])
    pieces = list(Vectors.pieces(tmp_path / "t", pa.array(["p01", "p17", "zzz"])))
    assert [name for piece in pieces for name in piece.ids.to_pylist()] == ["p01", "p17"]
    broken = values.copy()
    broken[12, 1] = np.nan
    table.write(pa.table({"id": ids, "vector": vector_column(broken)}), tmp_path / "u")
    with pytest.raises(UserError, match="the vector of p12 holds numbers that are not finite"):
        Vectors.stored(tmp_path / "u").values[10:]


@pytest.mark.parametrize("each", [1, 4])
def test_chance_is_beaten_by_chance_once_in_forty_where_a_users_queries_fall_alike_and_less_often_where_not(each):
    n, users = 30, pa.array([f"u{i}" for i in range(30)])
    held = pa.table({"post_id": [f"p{i}" for i in range(n * each)], "user_id": np.repeat(users, each)})
    unknown = pa.table({"post_id": ["q"], "user_id": ["eve"]})
    tasks = {"text_to_user": pa.concat_tables([held, unknown]), "image_to_text": held.slice(0, 20)}
    found = Queries(tasks, posts=None, image_ids=None, features=None).chance(users)
    random = np.random.default_rng(0)

    def below(rank, task):
        """How often the mean over ground truths of their median rank, of (draws, truths, queries), is below it."""
        return float((np.median(rank, 2).mean(1) < found[task]).mean())

    alike = np.repeat(random.random((20_000, n, 1)), each, 2)
    assert 0.02 < below(alike, "text_to_user") < 0.03
    assert 0.02 < below(random.random((20_000, 20, 1)), "image_to_text") < 0.03
    if each > 1:
        assert below(random.random((20_000, n, each)), "text_to_user") < 0.01
