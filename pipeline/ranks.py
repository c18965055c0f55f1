"""Ranks of ground truths among all candidates by cosine, exact and in bounded memory: no sorting, no sampling.

rank = 1 + (candidates that score better) + (other candidates that score the same) / 2

A tie counts half, so that a model that gives everything one score ranks as chance, (m + 1) / 2, and not as perfect.

The score of a pair is the float64 inner product of its two unit vectors, held in float32. A block of scores is
one float32 matrix product; in any order of summation such a score is off by at most d * 2**-24 (Higham, Accuracy and
Stability of Numerical Algorithms, section 3.1). A candidate further than that from the ground truth is settled by
the comparison alone, the few others by their float64 score. So a rank depends neither on the size of a block, nor on
the threads, nor on the library that multiplies.

Shapes: n queries, m candidates, d numbers per vector.
"""

from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_QUERIES, _CANDIDATES = 1024, 4096


def ranks(queries: Array, candidates: Array, truth: Array) -> Array:
    """Rank of each query's ground truth, `candidates[truth]`; 1 is best.

    queries (n, d), candidates (m, d): any float type; truth (n,): rows of candidates. Returns float64 (n,).
    A vector of zeros has the score 0 with everything. Raises ValueError for numbers that are not finite.
    """
    units, rivals = unit(queries), unit(candidates)
    truth = np.ascontiguousarray(truth, np.int64)
    if len(truth) != len(units) or (len(truth) and not 0 <= truth.min() <= truth.max() < len(rivals)):
        raise ValueError(f"truth has to hold one row of the {len(rivals)} candidates for each of {len(units)} queries")
    dim = units.shape[1]
    bound = dim * 2.0**-24 / (1 - dim * 2.0**-24) * (1 + 2.0**-20)

    exact = np.empty(len(units))
    _exact_scores(units, rivals, truth, exact)
    above = np.nextafter((exact + bound).astype(np.float32), np.float32(np.inf))
    below = np.nextafter((exact - bound).astype(np.float32), np.float32(-np.inf))
    better, equal = np.zeros(len(units), np.int64), np.zeros(len(units), np.int64)
    room = np.empty((min(_QUERIES, len(units)), min(_CANDIDATES, len(rivals))), np.float32)
    for start in range(0, len(rivals), _CANDIDATES):
        block = rivals[start : start + _CANDIDATES]
        for first in range(0, len(units), _QUERIES):
            here = slice(first, first + _QUERIES)
            asked = units[here]
            scores = np.matmul(asked, block.T, out=room[: len(asked), : len(block)])
            _count(
                scores,
                asked,
                block,
                truth[here] - start,
                exact[here],
                above[here],
                below[here],
                better[here],
                equal[here],
            )
    result: Array = 1 + better + equal / 2
    return result


def unit(values: Array) -> Array:
    """Rows scaled to unit length, float32 (n, d); a row of zeros stays. Raises ValueError for a number not finite."""
    result = np.empty(values.shape, np.float32)
    for start in range(0, len(values), _CANDIDATES):
        rows = values[start : start + _CANDIDATES].astype(np.float64)
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        if not np.isfinite(lengths).all():
            raise ValueError(f"row {start + int(np.argmin(np.isfinite(lengths)))} holds a number that is not finite")
        result[start : start + len(rows)] = rows / np.where(lengths == 0, 1, lengths)[:, None]
    return result


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot(a: Array, b: Array) -> float:
    # Products of float32 are exact in float64, and equal vectors give equal sums: they are added in one order.
    total = 0.0
    for i in range(a.shape[0]):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@numba.njit(cache=True, nogil=True, parallel=True)
def _exact_scores(queries: Array, candidates: Array, truth: Array, out: Array) -> None:
    for i in numba.prange(queries.shape[0]):
        out[i] = _dot(queries[i], candidates[truth[i]])


@numba.njit(cache=True, nogil=True, parallel=True)
def _count(
    scores: Array,
    queries: Array,
    candidates: Array,
    truth: Array,
    exact: Array,
    above: Array,
    below: Array,
    better: Array,
    equal: Array,
) -> None:
    for i in numba.prange(scores.shape[0]):
        high, low, own = above[i], below[i], truth[i]
        wins, ties = 0, 0
        for j in range(scores.shape[1]):
            score = scores[i, j]
            if score > high:
                wins += 1
            elif score >= low and j != own:
                settled = _dot(queries[i], candidates[j])
                wins += settled > exact[i]
                ties += settled == exact[i]
        better[i] += wins
        equal[i] += ties
