"""Candidates as queries are ranked among them: at unit length and, where few axes tell nearly all of them, along these.

The vectors of a model's users span fewer dimensions than they have numbers: x^U = W_U U_e is of 300 in the paper's
1024. With axes A (r, d), orthonormal, the score of a query q with a candidate y is

    q . y  =  (A q) . (A y)  +  q . (y - A' A y)

and the last product is no more than the length of y - A' A y, which is measured. So a product of r numbers a pair tells
what one of d would, within a bound that is known, and ranks stay exact (`ranks`).

Shapes: n queries, m candidates, d numbers per vector, r axes.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pipeline.ranking.vectors import unit

Array = np.ndarray[Any, np.dtype[Any]]

WORTH = 256
"""Pairs to score, as multiples of d x d, from which axes are looked for: they cost some of the work that they save."""
_LEFT, _OFF = 2.0**-12, 2.0**-10
"""How much of a unit vector may be off the axes, of a typical candidate among those that they are found by, and how far
a score along them may be off, of any. Numbers of two bytes are let through; of more, too many scores would be settled
one by one."""
_BLOCK = 4096


@dataclass(frozen=True)
class Rivals:
    """Candidates: `vectors` (m, d) of unit length, and `along` (m, r), by which a fast product scores them.

    A product with `along` of what `asking` makes of a query is within `off` of the score. Without `axes` (r, d) both
    are the vectors as they are.
    """

    vectors: Array
    along: Array
    axes: Array | None
    off: float

    @classmethod
    def of(cls, candidates: Array, queries: int) -> Self:
        """`candidates` (m, d), any float type, as `queries` of them will be asked for. Raises ValueError for numbers
        that are not finite.
        """
        vectors = unit(candidates)
        size = vectors.shape[1]
        whole = cls(vectors, vectors, None, gamma(size))
        if queries * len(vectors) < WORTH * size**2:
            return whole
        axes = _axes(vectors)
        if axes is None:
            return whole
        along, rest = np.empty((len(vectors), len(axes)), np.float32), 0.0
        for start in range(0, len(vectors), _BLOCK):
            rows, here = vectors[start : start + _BLOCK].astype(np.float64), along[start : start + _BLOCK]
            here[:] = rows @ axes.T
            rest = max(rest, float(_lengths(rows - here @ axes).max()))
        # The other two: the product's own error, and that of a query along the axes, rounded to float32.
        off = rest * (1 + 2.0**-10) + gamma(len(axes)) + gamma(1)
        return cls(vectors, along, axes, off) if off <= _OFF else whole

    def asking(self, queries: Array) -> Array:
        """Queries (n, d) of unit length, as the candidates' `along` are multiplied with: float32 (n, r)."""
        return queries if self.axes is None else (queries.astype(np.float64) @ self.axes.T).astype(np.float32)


def gamma(terms: int) -> float:
    """How far a float32 product of two unit vectors of so many numbers can be off their float64 score."""
    # In any order of summation it is off by at most gamma(d) |x| |y|, gamma(d) = d u / (1 - d u), u = 2**-24 (Higham,
    # Accuracy and Stability of Numerical Algorithms, section 3.1). The last factor covers that unit vectors in float32
    # are longer than 1 by a rounding, and the float64 score's own.
    return terms * 2.0**-24 / (1 - terms * 2.0**-24) * (1 + 2.0**-10)


def _axes(vectors: Array) -> Array | None:
    """The fewest orthonormal axes (r, d) off which there is, of a sample of the `vectors` (m, d), no more than _LEFT.

    That is the root of the mean square. None where it takes more than half as many axes as the vectors have numbers.
    """
    count, size = vectors.shape
    sample = vectors[np.linspace(0, count - 1, min(count, size // 2 + 1)).astype(np.int64)].astype(np.float64)
    _, lengths, axes = np.linalg.svd(sample, full_matrices=False)
    beyond = np.append(np.cumsum(lengths[::-1] ** 2)[::-1], 0)  # of the sample, with 0, 1, … axes
    fewest = max(1, int(np.argmax(beyond <= _LEFT**2 * len(sample))))
    return axes[:fewest] if 2 * fewest <= size else None


def _lengths(rows: Array) -> Array:
    found: Array = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return found
