"""Candidates along few axes: the bound holds, and ranks are those of whole vectors."""

import numpy as np
import pytest

from pipeline.ranking import rivals as module
from pipeline.ranking.ranks import ranks
from pipeline.ranking.rivals import Rivals, gamma
from pipeline.ranking.vectors import unit


@pytest.fixture(autouse=True)
def always_worth(monkeypatch):
    monkeypatch.setattr(module, "WORTH", 0)


def spanning(count, axes, size=64, noise=0.0, dtype=np.float32):
    """Vectors (count, size) that span so many dimensions, but for noise; every fifth is a copy of another."""
    random = np.random.default_rng(3)
    found = random.standard_normal((count, axes)) @ random.standard_normal((axes, size))
    found = found / np.linalg.norm(found, axis=1, keepdims=True) + noise * random.standard_normal((count, size))
    found[::5] = found[1::5][: len(found[::5])]
    return found.astype(dtype)


def asked(candidates, count=200):
    random = np.random.default_rng(4)
    truth = random.integers(0, len(candidates), count)
    return unit(candidates)[truth] + 0.3 * random.standard_normal((count, candidates.shape[1])), truth


CASES = {
    "of few axes": spanning(300, 10),
    "half as many as numbers": spanning(300, 32),
    "in two bytes": spanning(300, 10, dtype=np.float16),
    "fewer candidates than axes": spanning(20, 64),
    "all nearly one": 1 + 1e-4 * spanning(300, 5),
}


@pytest.mark.parametrize("name", CASES)
def test_ranks_along_axes_are_those_of_whole_vectors_ties_included(name, monkeypatch):
    candidates = CASES[name]
    queries, truth = asked(candidates)
    found = Rivals.of(candidates, len(queries))
    assert found.axes is not None and found.along.shape[1] <= candidates.shape[1] / 2
    along = ranks(queries, found, truth)
    monkeypatch.setattr(module, "WORTH", np.inf)
    assert Rivals.of(candidates, len(queries)).axes is None
    np.testing.assert_array_equal(along, ranks(queries, candidates, truth))
    assert (along % 1 == 0.5).any()


@pytest.mark.parametrize("name", CASES)
def test_no_score_along_axes_is_further_off_than_is_told(name):
    candidates = CASES[name]
    queries = unit(np.concatenate([asked(candidates)[0], np.random.default_rng(5).standard_normal((500, 64))]))
    found = Rivals.of(candidates, len(queries))
    # What a query has off the axes is what can be missed: one that is nothing else misses most.
    off = unit(found.vectors - (found.along.astype(float) @ found.axes).astype(np.float32))
    for some in (queries, off):
        scores = some.astype(float) @ found.vectors.astype(float).T
        assert abs(found.asking(some) @ found.along.T - scores).max() <= found.off


def test_candidates_of_all_dimensions_or_with_one_off_the_axes_stay_whole():
    whole, one = spanning(300, 64), spanning(300, 10)
    one[151] = np.random.default_rng(6).standard_normal(64)  # not in the sample, which is every ninth
    for candidates in (whole, one, spanning(300, 10, noise=1e-3)):
        found = Rivals.of(candidates, 200)
        assert found.axes is None and found.along is found.vectors and found.off == gamma(64)


def test_a_few_pairs_are_not_worth_axes(monkeypatch):
    monkeypatch.setattr(module, "WORTH", 4)
    candidates = spanning(300, 10)
    assert Rivals.of(candidates, 54).axes is None and Rivals.of(candidates, 55).axes is not None
