"""Which words tell a group of people from the rest."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def log_odds(counts: Array) -> Array:
    """z-scores (k, v) of the log-odds ratio of words, each cluster against the rest, of their `counts` (k, v).

    With a prior of one occurrence per word on average, spread as in the corpus (Monroe, Colaresi and Quinn, "Fightin'
    Words", 2008, Eqs. 16 and 22), so that neither rare words nor common ones crowd out those that tell clusters apart.
    """
    total = counts.sum(axis=0)
    prior = total / max(1, total.sum()) * counts.shape[1]
    inside, outside = counts + prior, total - counts + prior
    size, rest, mass = counts.sum(axis=1, keepdims=True), total.sum() - counts.sum(axis=1, keepdims=True), prior.sum()
    difference = np.log(inside / (size + mass - inside)) - np.log(outside / (rest + mass - outside))
    result: Array = difference / np.sqrt(1 / inside + 1 / outside)
    return result
