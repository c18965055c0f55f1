"""Ranks of ground truths among all candidates by cosine: exact, in bounded memory, without sorting or sampling.

rank = 1 + (candidates that score better) + (other candidates that score the same) / 2

A tie counts half, so that a model that gives everything one score ranks as chance, (m + 1) / 2, and not as perfect.

The score of a pair is the float64 inner product of its two unit vectors, held in float32; ties are ties of that score.
Blocks of scores come from a float32 product, for which there is a bound on how far it can be off (`rivals`). A
candidate whose fast score is further than that from the ground truth's score is better or worse for certain; the few
others are settled by their own score. So a rank depends neither on the block, nor on the threads, nor on the order of a
product's sums.

Shapes: n queries, m candidates, d numbers per vector.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.ranking.rivals import Rivals
from pipeline.ranking.vectors import unit
from pipeline.running.engines import spread
from pipeline.running.machine import cores

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 2048
_CACHED = 128


def ranks(queries: Array, candidates: Array | Rivals, truth: Array, rows: Array | None = None) -> Array:
    """Rank of each query's ground truth, `candidates[truth]`; 1 is best.

    queries (n, d), candidates (m, d): any float type; truth (n,): rows of candidates. Returns float64 (n,).
    A vector of zeros scores 0 with everything. With `rows` (n,), the queries are `queries[rows]`, without a copy of
    them all. Candidates of several calls are given as `Rivals`. Raises ValueError for numbers that are not finite.
    """
    rivals = candidates if isinstance(candidates, Rivals) else Rivals.of(candidates, len(truth))
    return rank_pieces([(queries, np.arange(len(queries)) if rows is None else rows, truth)], rivals)


def rank_pieces(pieces: Iterable[tuple[Array, Array, Array]], rivals: Rivals) -> Array:
    """The ranks of all queries of `pieces`, (vectors, rows of these that ask, truth) each, in their order.

    A piece is taken when most of those before it are ranked, so that few are in memory, and yet a thread, or machine of
    a cluster, finds work while others end a piece.
    """
    asked = (block for piece in pieces for block in _blocks(*piece, len(rivals.vectors)))
    # Each thread, or machine, multiplies and counts a block of queries of its own.
    with threadpool_limits(1, "blas"):
        found = list(spread(_ranks, asked, (rivals,), threads=True))
    return np.concatenate([np.empty(0), *found])


def _blocks(queries: Array, asking: Array, truth: Array, count: int) -> Iterator[tuple[Array, Array]]:
    truth = np.ascontiguousarray(truth, np.int64)
    if len(truth) != len(asking) or (len(truth) and not 0 <= truth.min() <= truth.max() < count):
        raise ValueError(f"truth has to hold a row of {count} candidates for each of {len(asking)} queries")
    rounds = -(-len(asking) // (_BLOCK * cores()))
    size = max(1, -(-len(asking) // max(1, rounds * cores())))  # at most _BLOCK, and as many for each thread
    for start in range(0, len(asking), size):
        here = slice(start, start + size)
        yield queries[asking[here]], truth[here]


def _ranks(asked: tuple[Array, Array], rivals: Rivals) -> Array:
    """The ranks of some queries, (vectors, truth), among `rivals`."""
    queries, truth = unit(asked[0]), asked[1]
    asking, count = rivals.asking(queries), len(rivals.vectors)
    exact = _scores(queries, rivals.vectors, truth)
    low, high = _keys(exact - rivals.off) - 1, _keys(exact + rivals.off) + 1
    better, equal = np.zeros(len(queries), np.int64), np.zeros(len(queries), np.int64)
    room = np.empty(len(queries) * min(_BLOCK, count), np.float32)
    for first in range(0, count, _BLOCK):
        block = rivals.vectors[first : first + _BLOCK]
        scores = room[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(asking, rivals.along[first : first + _BLOCK].T, out=scores)
        _count(scores.view(np.int32), low, high, queries, block, truth - first, exact, better, equal)
    found: Array = 1 + better + equal / 2
    return found


def _keys(scores: Array) -> Array:
    """What `_count` compares with: integers in the order of the scores, rounded as the product rounds."""
    found: Array = _ordered(scores.astype(np.float32).view(np.int32).astype(np.int64))
    return found


@numba.njit(cache=True, nogil=True)
def _ordered(bits: Any) -> Any:
    # The bits of a float, as a signed integer, are in order but for the negative ones, whose order is reversed.
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _score(x: Array, i: int, y: Array, j: int) -> float:
    # Products of float32 are exact in float64. Equal vectors get equal scores: they are summed in one order.
    total = 0.0
    for k in range(x.shape[1]):
        total += np.float64(x[i, k]) * np.float64(y[j, k])
    return total


@numba.njit(cache=True, nogil=True)
def _scores(queries: Array, candidates: Array, rows: Array) -> Array:
    result = np.empty(len(queries))
    for i in range(len(queries)):
        result[i] = _score(queries, i, candidates, rows[i])
    return result


@numba.njit(cache=True, nogil=True)
def _count(
    scores: Array,
    low: Array,
    high: Array,
    queries: Array,
    candidates: Array,
    truth: Array,
    exact: Array,
    better: Array,
    equal: Array,
) -> None:
    for first in range(0, scores.shape[1], _CACHED):  # so that candidates to settle are still in the cache
        for i in range(scores.shape[0]):
            least, most, last = low[i], high[i], min(first + _CACHED, scores.shape[1])
            above = within = 0
            for j in range(first, last):
                key = _ordered(np.int64(scores[i, j]))
                above += key > most
                within += key >= least
            better[i] += above
            if within > above:
                for j in range(first, last):
                    key = _ordered(np.int64(scores[i, j]))
                    if least <= key <= most and j != truth[i]:
                        settled = _score(queries, i, candidates, j)
                        better[i] += settled > exact[i]
                        equal[i] += settled == exact[i]
