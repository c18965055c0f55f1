"""User to user: do a user's nearest others share what the user is known for?

The paper speaks of affiliations and shows clusters; here the nearest users are measured against a truth that no vector
was made of: users' interests, or the mixtures of topics that a generated corpus was drawn from. How much two users have
in common is the cosine of their rows of that truth (for interests, of 0s and 1s: the shared ones over the geometric
mean of what each has). Beside a method's figure stand `chance`, the others on average, and `best`, the nearest by the
truth itself.

Shapes: n users, d numbers per vector, t numbers of truth.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.ranking.bootstrap import interval, resamples, rounded
from pipeline.ranking.vectors import unit

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 1024
"""Users whose cosines to all others are held at once."""


def nearest_others(vectors: Array, top: int) -> Array:
    """For each of `vectors` (n, d) the rows (n, top) of the others with the highest cosine, in no order."""
    rows = unit(vectors.astype(np.float32))
    found = np.empty((len(rows), top), np.int64)
    for begin in range(0, len(rows), _BLOCK):
        scores = rows[begin : begin + _BLOCK] @ rows.T
        at = np.arange(len(scores))
        scores[at, begin + at] = -np.inf
        found[begin : begin + _BLOCK] = np.argpartition(-scores, top - 1, axis=1)[:, :top]
    return found


def in_common(truth: Array, others: Array) -> Array:
    """What each user (n,) has in common with `others` (n, k) on average; `truth` (n, t) at unit length."""
    shared: Array = np.einsum("nt,nkt->n", truth, truth[others]) / others.shape[1]
    return shared


def by_chance(truth: Array) -> Array:
    """What each user (n,) has in common with all others on average; `truth` (n, t) at unit length."""
    total = truth.sum(0)
    shared: Array = (truth @ total - (truth * truth).sum(1)) / (len(truth) - 1)
    return shared


def interests_of(interests: Sequence[Sequence[str]]) -> Array:
    """Interests as 0s and 1s (n, t), a column for each that two users share: another could not be found."""
    counts: dict[str, int] = {}
    for names in interests:
        for name in set(names):
            counts[name] = counts.get(name, 0) + 1
    column = {name: i for i, name in enumerate(sorted(name for name, users in counts.items() if users > 1))}
    found = np.zeros((len(interests), len(column)), np.float32)
    for row, names in enumerate(interests):
        found[row, [column[name] for name in names if name in column]] = 1
    return found


def evaluate(methods: Mapping[str, Array], truth: Array, top: int, count: int, seed: int) -> dict[str, Any]:
    """What users have in common with their `top` nearest, by method, with 95 % intervals by `count` resamples of users.

    Resampled is who asks; who may answer stays. `methods` are vectors (n, d) of the same users, "model" among them;
    `truth` (n, t). Users without any truth have to be left out before. `model_less` are the model's figure less each
    method's, paired. Raises ValueError for fewer than top + 2 users.
    """
    if len(truth) < top + 2:
        raise ValueError(f"{len(truth)} users are too few to ask for the {top} nearest of each")
    truth = unit(truth.astype(np.float32))
    each = {name: in_common(truth, nearest_others(vectors, top)) for name, vectors in methods.items()}
    each |= {"chance": by_chance(truth), "best": in_common(truth, nearest_others(truth, top))}
    names = list(each)
    values = np.stack([each[name] for name in names], axis=1).astype(np.float64)
    drawn = np.concatenate([weights @ values / len(values) for weights in resamples(len(values), count, seed)])
    found: dict[str, Any] = {"users": len(values), "top": top, "interval_95": {}, "model_less": {}}
    for column, name in enumerate(names):
        found[name], *found["interval_95"][name] = rounded(values[:, column].mean(), *interval(drawn[:, column]))
    model = names.index("model")
    for column, name in enumerate(names):
        if name != "model":
            gap = values[:, model].mean() - values[:, column].mean()
            value, *ends = rounded(gap, *interval(drawn[:, model] - drawn[:, column]))
            found["model_less"][name] = {"value": value, "interval_95": ends}
    return found
