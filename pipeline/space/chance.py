"""How near is no nearer than chance: a null that the corpus itself gives, and a share of it for each answer.

Everything is near to something. A *question about nothing* is the mean of eight things of the kind that asks, drawn at
random, but no two that belong together: of no two is the cosine above the APART quantile of all pairs, else a large
group would ask about itself. Of such a question too something lies nearest; how near, over many of them, is the null.
An answer is measured by its *surplus*, its cosine less its mean cosine to questions about nothing (what is near to all
is no finding), and its `chance` is the share of questions about nothing of which the nearest has as much, the question
itself counted among them:

    (1 + questions about nothing whose highest surplus is no less) / (1 + questions about nothing)

A further question of this kind has a place among them like any other, so that of such questions at most SHARE has an
answer of which chance is at most SHARE, whatever the spread of the cosines is. A group of up to a fifth of a corpus is
as easily found as a small one; of a larger one more pairs lie near than APART leaves out, and it asks about itself.
Where things ask for their own kind, those that a question is made of do not answer: nor does a thing that asks.

Shapes: n things that ask, m candidates, D numbers per vector, b questions about nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.ranking.vectors import unit
from pipeline.space.nearest import Things

Array = np.ndarray[Any, np.dtype[Any]]

SHARE = 0.05
MIXED = 8
APART = 0.95
DRAWN = 400
_AMONG = 96
"""Things among which those of one question are looked for."""


@dataclass(frozen=True)
class Nothing:
    """Questions about nothing, by their mean vector (D,), and their highest surplus (b,), ascending."""

    mean: Array
    highest: Array

    def chance(self, surplus: Array) -> Array:
        """The share of questions about nothing of which the nearest has as much surplus, of each (k,)."""
        as_much = len(self.highest) - np.searchsorted(self.highest, surplus)
        return np.asarray((1 + as_much) / (1 + len(self.highest)))

    def surplus(self) -> float:
        """What an answer has to exceed so that its chance is at most SHARE; infinite where too few were drawn."""
        rank = int(np.floor(SHARE * (1 + len(self.highest)))) - 1
        return float(self.highest[len(self.highest) - 1 - rank]) if rank >= 0 else float("inf")


def drawn(asking: Things, seed: int = 0) -> tuple[Array, Array]:
    """Questions about nothing (b, D), at unit length, and the rows (b, MIXED) of `asking` that each is made of.

    Fewer than DRAWN, or none, where not so many things can be found that lie apart.
    """
    rng = np.random.default_rng(seed)
    n, dim = asking.values.shape
    rows, vectors = [], []
    for _ in range(DRAWN if n >= 2 * MIXED else 0):
        among = rng.choice(n, min(n, _AMONG), replace=False)
        held = asking.at(among)
        chosen = _apart(held @ held.T)
        if len(chosen) == MIXED:
            rows.append(among[chosen])
            vectors.append(held[chosen].mean(axis=0))
    if not rows:
        return np.empty((0, dim), np.float32), np.empty((0, MIXED), np.int64)
    return unit(np.stack(vectors)), np.stack(rows)


def _apart(cosines: Array) -> list[int]:
    """The first MIXED rows that lie apart from all those before, by their `cosines` (k, k)."""
    limit = np.quantile(cosines[np.triu_indices(len(cosines), 1)], APART)
    chosen: list[int] = []
    free = np.ones(len(cosines), bool)
    while free.any() and len(chosen) < MIXED:
        chosen.append(int(np.argmax(free)))
        free &= cosines[chosen[-1]] <= limit
        free[chosen[-1]] = False
    return chosen


def nothing(asking: Things, highest: Callable[[Array, Array], Array], seed: int = 0) -> Nothing:
    """The null of questions by things like `asking`.

    `highest` is given vectors (b, D) and, row by row, what must not answer (b, MIXED), and tells the highest inner
    product of each with a candidate. The mean is of other questions than those that are searched with.
    """
    centre, _ = drawn(asking, seed + 1)
    questions, rows = drawn(asking, seed)
    mean = centre.mean(axis=0) if len(centre) else np.zeros(asking.values.shape[1], np.float32)
    found = highest(questions - mean, rows) if len(questions) else np.empty(0)
    return Nothing(mean, np.sort(found[np.isfinite(found)]))
