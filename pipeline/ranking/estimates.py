"""Mean median ranks of several methods over the same resamples of users: their sums and differences have intervals.

The difference of two figures has an interval of its own, far narrower than those of the two suggest, since both move
together from resample to resample.

Shapes: b resamples, n users.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.ranking.bootstrap import interval, resamples, rounded

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Estimate:
    """A figure and its resamples (b,); sums and differences of two are taken resample by resample."""

    value: float
    drawn: Array

    def __add__(self, other: Self) -> Self:
        return type(self)(self.value + other.value, self.drawn + other.drawn)

    def __sub__(self, other: "Self | float") -> Self:
        if isinstance(other, Estimate):
            return type(self)(self.value - other.value, self.drawn - other.drawn)
        return type(self)(self.value - other, self.drawn - other)

    def __neg__(self) -> Self:
        return type(self)(-self.value, -self.drawn)

    def __truediv__(self, divisor: float) -> Self:
        return type(self)(self.value / divisor, self.drawn / divisor)

    def shown(self) -> dict[str, Any]:
        """The value with its 95 % interval, both with the digits that the interval supports."""
        value, *ends = rounded(self.value, *interval(self.drawn))
        return {"value": value, "interval_95": ends}


Ranks = Mapping[str, Estimate]
"""Mean median rank by task, of the tasks that have queries."""


def estimates(found: Mapping[str, pa.Table], count: int, seed: int) -> dict[str, dict[str, Estimate]]:
    """The mean median ranks of each row's RANKS, by row and task, over the same `count` resamples of users."""
    frames = {
        (row, task): part.groupby("truth_id", sort=False).agg({"rank": "median", "user_id": "first"})
        for row, table in found.items()
        for task, part in table.to_pandas().groupby("task")
    }
    users = pd.Index(sorted({user for frame in frames.values() for user in frame["user_id"].unique()}))
    sums, truths = np.zeros((2, len(users), len(frames)))
    for column, frame in enumerate(frames.values()):
        at = users.get_indexer(frame["user_id"])
        sums[:, column] = np.bincount(at, frame["rank"], minlength=len(users))
        truths[:, column] = np.bincount(at, minlength=len(users))
    with np.errstate(invalid="ignore"):
        drawn = np.concatenate([(w @ sums) / (w @ truths) for w in resamples(len(users), count, seed)])
    result: dict[str, dict[str, Estimate]] = {row: {} for row in found}
    for column, ((row, task), frame) in enumerate(frames.items()):
        result[row][task] = Estimate(float(frame["rank"].mean()), drawn[:, column])
    return result
