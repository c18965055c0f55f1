"""All things of a kind, and which of them lie nearest to a vector: by every cosine, exactly.

Shapes: n things, D numbers per vector.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]


class Wanted(NamedTuple):
    """What may answer: the `top` nearest, one of each `group` (n,), none of the groups `without`, all or those `taken`
    (n,), of a cosine of at least `least`.
    """

    top: int
    group: Array
    without: Array
    taken: Array | None = None
    least: float = -np.inf


class Things:
    """Things by row: `ids`, and `values` (n, D) at unit length."""

    def __init__(self, ids: pa.Array, values: Array) -> None:
        self.ids, self.values = ids, values

    def at(self, rows: Array) -> Array:
        """The vectors of some rows, float32."""
        return np.asarray(self.values[rows], np.float32)

    def nearest(self, vector: Array, wanted: Wanted) -> tuple[Array, Array]:
        """The rows of what is wanted and lies nearest to `vector` (D,), the nearest first, of equal ones the first row;
        and the cosines.
        """
        ask, most = self._asker(vector, wanted.taken), 4 * wanted.top
        while True:
            rows, cosines = ask(most)
            whole = len(rows) < most
            beyond = len(cosines) > 0 and cosines[-1] < wanted.least
            keep = ~np.isin(wanted.group[rows], wanted.without) & (cosines >= wanted.least)
            rows, cosines = rows[keep], cosines[keep]
            first = np.sort(np.unique(wanted.group[rows], return_index=True)[1])[: wanted.top]
            if len(first) == wanted.top or whole or beyond:
                return rows[first], cosines[first]
            most *= 4

    def _asker(self, vector: Array, taken: Array | None) -> Callable[[int], tuple[Array, Array]]:
        """What gives so many nearest rows among those taken, and their cosines, the nearest first; fewer if all."""
        scores = self.values @ vector
        if taken is not None:
            scores = np.where(taken, scores, -np.inf)

        def ask(most: int) -> tuple[Array, Array]:
            rows = np.argpartition(-scores, most - 1)[:most] if most < len(scores) else np.arange(len(scores))
            rows = rows[np.isfinite(scores[rows])]
            rows = rows[np.lexsort((rows, -scores[rows]))]
            return rows, scores[rows]

        return ask
