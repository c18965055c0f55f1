"""Ranks of ground truths among all candidates by cosine: exact, in bounded memory, without sorting or sampling.

rank = 1 + (candidates that score better) + (other candidates that score the same) / 2

A tie counts half, so that a model that gives everything one score ranks as chance, (m + 1) / 2, and not as perfect.

The score of a pair is the float64 inner product of its two unit vectors, held in float32; ties are ties of that score.
Blocks of scores come from a fast product, in float32 or, where the processor has it, in bfloat16, and with it a bound
on how far it can be off. A candidate whose fast score is further than that from the ground truth's score is better or
worse for certain; the few others are settled by their own score. So a rank depends neither on the block, nor on the
threads, nor on which product was used.

Shapes: n queries, m candidates, d numbers per vector.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.ranking.vectors import unit
from pipeline.running.engines import spread
from pipeline.running.machine import cores

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 2048
_CACHED = 128
_WORTH_TORCH = 10**12
"""Multiplications from which on bfloat16 saves more time than it takes to load torch."""


def ranks(
    queries: Array,
    candidates: Array,
    truth: Array,
    product: Literal["float32", "bfloat16"] | None = None,
    rows: Array | None = None,
) -> Array:
    """Rank of each query's ground truth, `candidates[truth]`; 1 is best.

    queries (n, d), candidates (m, d): any float type; truth (n,): rows of candidates. Returns float64 (n,).
    A vector of zeros scores 0 with everything. `product` says how to multiply, by default the fastest there is; ranks
    are the same. With `rows` (n,), the queries are `queries[rows]`, without a copy of them all.
    Raises ValueError for numbers that are not finite.
    """
    truth = np.ascontiguousarray(truth, np.int64)
    asking = np.arange(len(queries)) if rows is None else rows
    if len(truth) != len(asking) or (len(truth) and not 0 <= truth.min() <= truth.max() < len(candidates)):
        raise ValueError(f"truth has to hold a row of {len(candidates)} candidates for each of {len(asking)} queries")
    if product is None:
        worth = len(asking) * candidates.size > _WORTH_TORCH and has_fast_bfloat16()
        product = "bfloat16" if worth else "float32"
    rivals = unit(candidates)
    multiply = (_Bfloat16 if product == "bfloat16" else _Float32)(rivals)
    rounds = -(-len(asking) // (_BLOCK * cores()))
    size = max(1, -(-len(asking) // max(1, rounds * cores())))  # at most _BLOCK, and as many for each thread
    blocks = [slice(start, start + size) for start in range(0, len(asking), size)]
    asked = ((queries[asking[here]], truth[here]) for here in blocks)
    # Each thread, or machine, multiplies and counts a block of queries of its own.
    with multiply.on_one_thread():
        found = list(spread(_ranks, asked, (rivals, multiply), threads=True))
    return np.concatenate([np.empty(0), *found])


def _ranks(asked: tuple[Array, Array], rivals: Array, multiply: "_Float32 | _Bfloat16") -> Array:
    """The ranks of some queries, (vectors, truth), among the unit vectors `rivals`, which `multiply` holds too."""
    queries, truth = unit(asked[0]), asked[1]
    exact = _scores(queries, rivals, truth)
    score, off = multiply.prepare(queries)
    low, high = multiply.keys(exact - off) - 1, multiply.keys(exact + off) + 1
    better, equal = np.zeros(len(queries), np.int64), np.zeros(len(queries), np.int64)
    for first in range(0, len(rivals), _BLOCK):
        block = slice(first, first + _BLOCK)
        _count(score(block), low, high, queries, rivals[block], truth - first, exact, better, equal)
    found: Array = 1 + better + equal / 2
    return found


@cache
def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by instructions of its own (AVX512-BF16, AMX)."""
    import torch

    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


class _Float32:
    """Scores as float32 products. In any order of summation one is off by at most gamma(d) |x| |y|, with
    gamma(d) = d u / (1 - d u), u = 2**-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    """

    def __init__(self, candidates: Array) -> None:
        self._candidates = candidates

    def prepare(self, queries: Array) -> tuple[Callable[[slice], Array], float | Array]:
        """A function from a block of candidates to scores (n, block), as bits, and how far these can be off."""
        room = np.empty(len(queries) * _BLOCK, np.float32)

        def score(block: slice) -> Array:
            rivals = self._candidates[block]
            out = room[: len(queries) * len(rivals)].reshape(len(queries), len(rivals))
            found: Array = np.matmul(queries, rivals.T, out=out).view(np.int32)
            return found

        return score, _gamma(queries.shape[1])

    @staticmethod
    def keys(scores: Array) -> Array:
        """What `_count` compares with: integers in the order of the scores, rounded as the product rounds."""
        found: Array = _ordered(scores.astype(np.float32).view(np.int32).astype(np.int64), 31)
        return found

    @staticmethod
    @contextmanager
    def on_one_thread() -> Iterator[None]:
        """While this is entered, a product runs on the thread that asks for it."""
        with threadpool_limits(1, "blas"):
            yield


class _Bfloat16:
    """Scores as products of vectors rounded to bfloat16, summed in float32 and rounded again: 8 significant bits.

    Let x' be x rounded. x y - x' y' = (x - x') y + x' (y - y'), so by Cauchy and Schwarz a score is off by at most
    |x - x'| |y| + |x'| |y - y'|, whose lengths are measured, and by gamma(2 d) of the sum. That the score is rounded at
    the end does not matter: rounding keeps order, and what it is compared with is rounded too.
    """

    def __init__(self, candidates: Array) -> None:
        self._candidates, lost = _rounded(candidates)
        self._lost = float(lost.max(initial=0))

    def prepare(self, queries: Array) -> tuple[Callable[[slice], Array], float | Array]:
        """As _Float32."""
        import torch

        rounded, lost = _rounded(queries)
        asked, rivals = (torch.from_numpy(x).view(torch.bfloat16) for x in (rounded, self._candidates))
        room = torch.empty(len(queries) * _BLOCK, dtype=torch.bfloat16)

        def score(block: slice) -> Array:
            part = rivals[block]
            out = room[: len(asked) * len(part)].view(len(asked), len(part))
            found: Array = torch.matmul(asked, part.T, out=out).view(torch.int16).numpy()
            return found

        return score, 1.001 * (lost + (1 + lost) * self._lost) + _gamma(2 * queries.shape[1])

    @staticmethod
    def keys(scores: Array) -> Array:
        """As _Float32."""
        found: Array = _ordered(_rounded(scores.astype(np.float32)[None])[0][0].astype(np.int64), 15)
        return found

    @staticmethod
    @contextmanager
    def on_one_thread() -> Iterator[None]:
        """As _Float32."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _gamma(terms: int) -> float:
    # The last factor covers that unit vectors in float32 are longer than 1 by a rounding, and the float64 score's own.
    return terms * 2.0**-24 / (1 - terms * 2.0**-24) * (1 + 2.0**-10)


@numba.njit(cache=True, nogil=True)
def _ordered(bits: Any, sign: int) -> Any:
    # The bits of a float, as a signed integer, are in order but for the negative ones, whose order is reversed.
    return bits ^ ((bits >> sign) & ((1 << sign) - 1))


@numba.njit(cache=True, nogil=True)
def _rounded(values: Array) -> tuple[Array, Array]:
    # The upper 16 bits of a float32, rounded to nearest even, and the length of what was lost, per row.
    bits = values.view(np.uint32)
    result, lost = np.empty(values.shape, np.int16), np.empty(len(values))
    one = np.empty(1, np.uint32)
    for i in range(values.shape[0]):
        total = 0.0
        for j in range(values.shape[1]):
            upper = (np.int64(bits[i, j]) + 0x7FFF + ((bits[i, j] >> 16) & 1)) >> 16
            one[0] = upper << 16
            total += (np.float64(values[i, j]) - np.float64(one.view(np.float32)[0])) ** 2
            result[i, j] = upper
        lost[i] = np.sqrt(total)
    return result, lost


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
    sign = 31 if scores.itemsize == 4 else 15
    for first in range(0, scores.shape[1], _CACHED):  # so that candidates to settle are still in the cache
        for i in range(scores.shape[0]):
            least, most, last = low[i], high[i], min(first + _CACHED, scores.shape[1])
            above = within = 0
            for j in range(first, last):
                key = _ordered(np.int64(scores[i, j]), sign)
                above += key > most
                within += key >= least
            better[i] += above
            if within > above:
                for j in range(first, last):
                    key = _ordered(np.int64(scores[i, j]), sign)
                    if least <= key <= most and j != truth[i]:
                        settled = _score(queries, i, candidates, j)
                        better[i] += settled > exact[i]
                        equal[i] += settled == exact[i]
