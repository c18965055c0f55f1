"""How near is no nearer than chance: a null that the corpus itself gives, and a share of it for each answer.

Everything is near to something. So the space is asked *questions about nothing*, and how near the nearest comes to
them is the null. What nothing is depends on what asks:

- **Words.** As many words as were asked, drawn one by one, as often as the train side uses them: words that nobody
  said together. Those of a question that is about something lie near each other, those of one about nothing do not.
  So what an answer is measured by is weighed with the question's *coherence*: the length of the mean of its words'
  vectors, each at unit length; 1 where all are one, 1 / sqrt(words) where they have nothing in common. A single word
  is about something, whatever it is: of it no chance is told.
- **Users and images.** The mean of eight, drawn at random, but no two that belong together: of no two is the cosine
  above the APART quantile of all pairs, else a large group would ask about itself.

An answer is measured by its *surplus*, its cosine less its mean cosine to questions about nothing (what is near to all
is no finding), times the coherence. Its `chance` is the share of questions about nothing of which the nearest has as
much, the question itself counted among them:

    (1 + questions about nothing whose highest is no less) / (1 + questions about nothing)

A further question of this kind has a place among them like any other, so that of such questions at most SHARE has an
answer of which chance is at most SHARE, whatever the spread of the cosines is. Between the numbers of words in LENGTHS
the next smaller one stands in, whose questions about nothing come nearer. Where things ask for their own kind, those
that a question is made of do not answer: nor does a thing that asks.

Shapes: n things that ask, m candidates, D numbers per vector, b questions about nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.ranking.vectors import unit

Array = np.ndarray[Any, np.dtype[Any]]

SHARE = 0.05
LENGTHS = (2, 3, 4, 6, 8, 12, 16)
"""Words of questions about nothing."""
MIXED = 8
APART = 0.95
DRAWN = 400
_AMONG = 96
"""Things among which those of one question are looked for."""
_BLOCK = 4096
"""Candidates whose inner products with all questions are held at once."""


@dataclass(frozen=True)
class Nothing:
    """Questions about nothing, by their mean vector (D,), and how much the nearest to each has (b,), ascending."""

    mean: Array
    highest: Array

    def chance(self, surplus: Array) -> Array:
        """The share of questions about nothing of which the nearest has as much, of each (k,)."""
        as_much = len(self.highest) - np.searchsorted(self.highest, surplus)
        return np.asarray((1 + as_much) / (1 + len(self.highest)))

    def surplus(self) -> float:
        """What an answer has to exceed so that its chance is at most SHARE; infinite where too few were drawn."""
        rank = int(np.floor(SHARE * (1 + len(self.highest)))) - 1
        return float(self.highest[len(self.highest) - 1 - rank]) if rank >= 0 else float("inf")


@dataclass(frozen=True)
class Questions:
    """Questions about nothing: unit vectors (b, D), what each is weighed with (b,), and the mean (D,) of others.

    own (b, MIXED): the rows of the things that a question is made of, where things of a kind ask.
    """

    vectors: Array
    weight: Array
    mean: Array
    own: Array | None = None


def coherence(parts: Array) -> float:
    """How near to each other the parts (k, D) of a question lie: the length of the mean of their unit vectors."""
    return float(np.linalg.norm(parts.mean(axis=0))) if len(parts) else 0.0


def words_drawn(counts: Array, length: int, drawn: int, rng: np.random.Generator) -> Array:
    """Rows (drawn, length) of words, none twice in a question, each as likely as its `counts` (v,) say.

    No row where there are not twice as many words.
    """
    ends = np.cumsum(counts, dtype=np.float64)
    if np.count_nonzero(counts) < 2 * length:
        return np.empty((0, length), np.int64)
    found = np.empty((drawn, length), np.int64)
    for question in found:
        told: dict[int, None] = {}
        while len(told) < length:
            told.setdefault(int(np.searchsorted(ends, rng.random() * ends[-1], side="right")))
        question[:] = list(told)
    return found


def things_drawn(asking: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Questions about nothing (b, D), at unit length, by things (n, D), and the rows (b, MIXED) that each is made of.

    Fewer than DRAWN, or none, where not so many things can be found that lie apart.
    """
    n, dim = asking.shape
    rows, vectors = [], []
    for _ in range(DRAWN if n >= 2 * MIXED else 0):
        among = np.sort(rng.choice(n, min(n, _AMONG), replace=False))
        rng.shuffle(among)
        held = np.asarray(asking[among], np.float32)
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


def by_things(asking: Array, rows: Array, seed: int) -> Questions:
    """Questions about nothing by things of a kind (n, D), which are the `rows` (n,) of its table."""
    centre, _ = things_drawn(asking, np.random.default_rng([seed, 1]))
    vectors, own = things_drawn(asking, np.random.default_rng([seed, 0]))
    mean = centre.mean(axis=0) if len(centre) else np.zeros(asking.shape[1], np.float32)
    return Questions(vectors, np.ones(len(vectors)), mean, rows[own])


def nulls(
    asked: Mapping[tuple[str, int], Questions], kind: str, candidates: Iterable[Array]
) -> dict[tuple[str, int], Nothing]:
    """What each set of questions, by what asks and with how many words, finds among candidates of `kind`.

    candidates: their unit vectors in pieces (r, D), by rows, of which one is held. Those of the kind that asks do not
    answer a question that is made of them.
    """
    best = {key: np.full(len(one.vectors), -np.inf) for key, one in asked.items()}
    begin = 0
    for piece in candidates:
        for at in range(0, len(piece), _BLOCK):
            values = piece[at : at + _BLOCK]
            for key, one in asked.items():
                products = (one.vectors - one.mean) @ values.T
                if one.own is not None and key[0] == kind:
                    inside = (one.own >= begin + at) & (one.own < begin + at + len(values))
                    products[np.nonzero(inside)[0], one.own[inside] - begin - at] = -np.inf
                best[key] = np.maximum(best[key], products.max(axis=1))
        begin += len(piece)
    found = {key: best[key] * one.weight for key, one in asked.items()}
    return {key: Nothing(one.mean, np.sort(found[key][np.isfinite(found[key])])) for key, one in asked.items()}
