import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import UserError
from pipeline.retrieval import Vectors, joint_performance, rank_task, summarize
from pipeline.tables import RANKS


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


def test_text_to_user(corpus):
    found, missing, candidates = rank_task("text_to_user", *corpus)
    assert found.to_pylist() == [
        {"task": "text_to_user", "query_id": "p1", "truth_id": "ann", "user_id": "ann", "rank": 1.0},
        {"task": "text_to_user", "query_id": "p2", "truth_id": "ann", "user_id": "ann", "rank": 2.0},
    ]
    assert (missing, candidates) == ({"text_without_known_word": 1, "author_not_in_train": 1}, 2)


def test_image_to_user_counts_a_missing_image_once(corpus):
    found, missing, candidates = rank_task("image_to_user", *corpus)
    assert found["rank"].to_pylist() == [1, 2, 1.5]
    assert (missing, candidates) == ({"image_without_vector": 1, "author_not_in_train": 0}, 2)


def test_image_to_text_ranks_among_the_texts_of_the_set_alone(corpus):
    found, missing, candidates = rank_task("image_to_text", *corpus)
    assert found["truth_id"].to_pylist() == ["p1", "p2"]
    # Of p1, p2 and p4, but not p9: i2 is nearest to p4, then p2.
    assert found["rank"].to_pylist() == [1, 2]
    assert (missing, candidates) == ({"image_without_vector": 1, "text_without_known_word": 1}, 3)


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
