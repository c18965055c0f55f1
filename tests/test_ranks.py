import numpy as np
import pytest

from pipeline.ranks import ranks, unit


def by_sorting(queries, candidates, truth):
    """A slow second implementation: all scores in float64, one query at a time."""
    asked, rivals = unit(queries).astype(float), unit(candidates).astype(float)
    found = []
    for query, own in zip(asked, truth, strict=True):
        scores = [float(np.sum(query * rival)) for rival in rivals]
        better = sum(score > scores[own] + 1e-13 for score in scores)
        equal = sum(abs(score - scores[own]) <= 1e-13 for score in scores) - 1
        found.append(1 + better + equal / 2)
    return found


def test_a_matrix_checked_by_hand():
    candidates = np.array([[1, 0], [0, 1], [1, 1], [2, 0], [-1, 0]], np.float32)
    queries = np.array([[1, 0], [0, 1], [1, 1], [3, 4]], np.float32)
    # cosines of (1, 0): 1, 0, .71, 1, -1; of (0, 1): 0, 1, .71, 0, 0; of (1, 1): .71, .71, 1, .71, -.71
    # and of (3, 4): .6, .8, .99, .6, -.6
    assert list(ranks(queries, candidates, np.array([0, 4, 1, 3]))) == [1.5, 4, 3, 3.5]


@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (7, 40, 3), (60, 45, 17)])
def test_agrees_with_sorting_ties_included(n, m, d):
    rng = np.random.default_rng(n)
    candidates = rng.integers(-2, 3, (m, d)).astype(np.float32)
    queries = rng.integers(-2, 3, (n, d)).astype(np.float16)
    truth = rng.integers(0, m, n)
    assert list(ranks(queries, candidates, truth)) == by_sorting(queries, candidates, truth)
