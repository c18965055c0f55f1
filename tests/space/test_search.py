import numpy as np
import pyarrow as pa
import pytest

from pipeline.ranking.vectors import Vectors
from pipeline.running.errors import UserError
from pipeline.space import search
from pipeline.space.search import Query, answer, nearest, parse, row_of
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.table import vectors as column


def vectors(rows):
    return Vectors(pa.array(list(rows)), np.array(list(rows.values()), np.float32))


@pytest.fixture
def space():
    return {
        "image": vectors({"i1": [1, 0], "i2": [0.9, 0.1], "i3": [0, 1]}),
        "user": vectors({"ann": [2, 0], "bob": [0, 3]}),
        "text": vectors({"p1": [1, 0.2], "p2": [0.2, 1]}),
    }


def test_queries_are_texts_unless_they_name_a_user_or_an_image():
    assert parse([["red flower", "user:ann"], ["image:i1", "time: noon"]]) == [
        Query(0, "text", "red flower"),
        Query(0, "user", "ann"),
        Query(1, "image", "i1"),
        Query(1, "text", "time: noon"),
    ]


def test_an_id_that_is_nobodys_is_named(space):
    assert row_of(Query(0, "image", "i3"), space["image"]) == 2
    with pytest.raises(UserError, match="user:eve, but there is no such user"):
        row_of(Query(0, "user", "eve"), space["user"])
    with pytest.raises(UserError, match="image:i, but 3 images begin so"):
        row_of(Query(0, "image", "i"), space["image"])
    assert row_of(Query(0, "image", "be"), vectors({"abc": [1], "bef": [1]})) == 1
    with pytest.raises(UserError, match="no such user"):
        row_of(Query(0, "user", "be"), vectors({"abc": [1], "bef": [1]}))


def test_any_of_the_three_to_any_of_the_three(space):
    queries = [Query(0, "text", "a"), Query(0, "text", "unknown"), Query(1, "image", "i1"), Query(2, "user", "bob")]
    asks = [np.array([0.0, 1.0]), None, np.array([1.0, 0.0]), np.array([0.0, 3.0])]
    rows = answer(queries, asks, space, groups=np.array([0, 0, 1]), top=5).to_pandas()
    listed = rows.sort_values("position").groupby(["query", "kind"]).id.apply(list).to_dict()
    assert listed == {
        (0, "image"): ["i3", "i2"],  # of the copies i1 and i2 the nearer
        (0, "user"): ["bob", "ann"],
        (0, "text"): ["p2", "p1"],
        (2, "image"): ["i3"],  # neither itself nor its copy
        (2, "user"): ["ann", "bob"],
        (2, "text"): ["p1", "p2"],
        (3, "image"): ["i3", "i2"],
        (3, "user"): ["ann"],  # not himself
        (3, "text"): ["p2", "p1"],
    }
    best = rows[(rows["query"] == 0) & (rows.position == 0)].set_index("kind").similarity
    assert best["image"] == 1 and best["user"] == 1
    assert best["text"] == pytest.approx(1 / np.sqrt(1.04))


def test_nothing_that_can_be_answered_gives_an_empty_table(space):
    assert answer([Query(0, "text", "unknown")], [None], space, np.arange(3), 5).num_rows == 0


def test_equal_cosines_come_in_order_of_the_rows_and_no_more_than_asked_for():
    among = vectors({name: [1, 1] for name in "abcdef"})
    assert nearest(np.ones((1, 2)), among, 3)[0][0] == ["a", "b", "c"]


def test_the_nearest_of_stored_vectors_are_those_of_vectors_in_memory(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    ids, values = pa.array([f"p{i:02}" for i in range(40)]), random.normal(size=(40, 3)).astype(np.float32)
    EMBEDDINGS.write(pa.table({"id": ids, "vector": column(values)}), tmp_path / "t")
    monkeypatch.setattr(search, "BLOCK", 16)
    asks, group = random.normal(size=(4, 3)), random.integers(0, 20, 40)
    found = nearest(asks, Vectors.stored(tmp_path / "t"), 5, group, [1, 2, -1, -1])
    assert found == nearest(asks, Vectors(ids, values), 5, group, [1, 2, -1, -1])
