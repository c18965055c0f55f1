"""95 % intervals by resampling users: posts of one user are alike, so resampling posts would make intervals too narrow.

A resample draws as many users as there are, with replacement, and takes all that belongs to each as often as it was
drawn. The interval is from the 2.5th to the 97.5th percentile of the statistic over the resamples.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_AT_ONCE = 1 << 24


def resamples(users: int, count: int, seed: int) -> Iterator[Array]:
    """Blocks (b, users) of integers, `count` rows in all: how often each user was drawn. Memory stays at one block."""
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // max(1, users))
    for start in range(0, count, rows):
        drawn = (np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(min(rows, count - start)))
        yield np.stack(list(drawn))


def interval(values: Array) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of `values` (b,); NaN, a resample without a case, is left out."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def rounded(value: float, low: float, high: float) -> tuple[float, float, float]:
    """The three numbers with the digits that the interval supports: its width keeps two significant ones."""
    if not high > low:
        return value, low, high
    digits = 1 - math.floor(math.log10(high - low))
    return round(value, digits), round(low, digits), round(high, digits)
