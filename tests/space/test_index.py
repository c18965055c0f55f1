"""What an index finds, against every cosine; and its bytes."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.ranking.vectors import unit
from pipeline.space import index
from pipeline.space.nearest import Things, Wanted
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.table import vectors

COUNT, DIM = 6000, 64


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table of vectors in 50 groups, the things in memory, and those of an index."""
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(50, DIM))[rng.choice(50, COUNT)] + rng.normal(size=(COUNT, DIM))).astype("f4")
    folder, ids = tmp_path_factory.mktemp("index"), pa.array([f"{i:06d}" for i in range(COUNT)])
    EMBEDDINGS.write(pa.table({"id": ids, "vector": vectors(values)}), folder / "texts")
    return folder, Things(ids, unit(values)), index.Indexed.of(folder / "texts", folder / "explore/texts")


def recall(exact, indexed, questions, wanted):
    found = [(exact.nearest(q, wanted), indexed.nearest(q, wanted)) for q in questions]
    for (_, true), (_, cosines) in found:
        np.testing.assert_allclose(cosines[:1], true[:1], atol=2e-3)
    return np.mean([np.isin(true, rows).mean() for (true, _), (rows, _) in found])


def test_it_finds_what_every_cosine_finds_filtered_folded_and_without_what_asks(made, monkeypatch):
    _, exact, indexed = made
    monkeypatch.setattr(index, "RANKED", 400)
    monkeypatch.setattr(index, "FEW", 500)
    rng = np.random.default_rng(1)
    questions = unit(exact.values[:40] + rng.normal(size=(40, DIM)).astype("f4") / 10)
    group, nobody = np.arange(COUNT) // 3, np.empty(0)
    for taken in (None, rng.random(COUNT) < 0.5, rng.random(COUNT) < 0.02):
        assert recall(exact, indexed, questions, Wanted(12, group, nobody, taken)) >= 0.99
        rows, cosines = indexed.nearest(questions[0], Wanted(12, group, group[:9], taken, 0.1))
        assert taken is None or taken[rows].all()
        assert not np.isin(group[rows], group[:9]).any() and len(set(group[rows])) == len(rows)
        assert (cosines >= 0.1).all() and (np.diff(cosines) <= 0).all()
    rows, _ = indexed.nearest(questions[0], Wanted(COUNT, group, nobody))
    assert len(rows) == len(set(group))  # as many as there are, however many are wanted


def test_equal_vectors_are_equal_bytes_and_another_table_another_index(made, tmp_path):
    folder, exact, _ = made
    index.make(folder / "texts", tmp_path / "again")
    for name in (index.VALUES, index.INDEX, index.MADE_OF):
        assert (tmp_path / "again" / name).read_bytes() == (folder / "explore/texts" / name).read_bytes()
    table = pa.table({"id": exact.ids[:99], "vector": vectors(exact.values[:99])})
    EMBEDDINGS.write(table, tmp_path / "texts")
    assert len(index.Indexed.of(tmp_path / "texts", tmp_path / "again").values) == 99
