"""Ids that a program rounded and wrote as plain digits: 1234567890123450000 was 1234567890123456789.

One such id is as good as any other; a whole column of them is not. A spreadsheet keeps 15 digits and writes zeros
behind; JavaScript keeps 17; a column of floats keeps 53 bits. For each of these ways it is counted how many of the
distinct ids of 16 to 19 digits look as if it had rounded them, and how likely so many are where digits fall by chance.
Below CHANCE those that look so are taken for rounded. Ids that are made of a time and of a counter, as many platforms
have them, often end in zero bits, since counters begin anew at 0. So a zero at the end has odds of 1 in 5, not in 10,
and of floats only those count whose last bit is 1.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ROUNDED = "id rounded by a spreadsheet"
CHANCE = 1e-4
"""How likely so many rounded looks may be before they are no chance: once in ten thousand tables."""
_LONG = r"^[1-9]\d{15,18}$"
_KEPT = (15, 16, 17)
_BITS = 53

Mask = NDArray[np.bool_]
Numbers = NDArray[Any]


def rounded(ids: pa.Array) -> Mask:
    """Of distinct ids, text, which were rounded."""
    found = np.zeros(len(ids), bool)
    long = pc.fill_null(pc.match_substring_regex(ids, _LONG), False).to_numpy(zero_copy_only=False).astype(bool)
    if not long.any():
        return found
    numbers = ids.filter(pa.array(long)).cast(pa.uint64()).to_numpy()
    looks = np.zeros(len(numbers), bool)
    for look, counted, odds in _ways(numbers):
        # What was rounded to fewer digits looks rounded to more as well: it tells nothing, unless all look so.
        others = ~looks | look[odds > 0].all()
        if _chance(int((counted & others).sum()), odds[others]) <= CHANCE:
            looks |= look
    found[long] = looks
    return found


def _ways(numbers: Numbers) -> Iterator[tuple[Mask, Mask, Numbers]]:
    """For each way to round: which numbers look so, which of them count, and the odds of counting for each."""
    digits = np.char.str_len(numbers.astype(str))
    for kept in _KEPT:
        lost = np.maximum(digits - kept, 0)
        look = (lost > 0) & (numbers % np.uint64(10) ** lost.astype(np.uint64) == 0)
        yield look, look, np.where(lost > 0, 5.0**-lost, 0.0)
    lost = np.frexp(numbers.astype(np.float64))[1] - _BITS  # at a power of two one more: of no consequence
    unit = np.uint64(1) << np.maximum(lost, 0).astype(np.uint64)
    look = (lost > 0) & (numbers % unit == 0)
    counted = look & (numbers // unit % np.uint64(2) == 1)
    yield look, counted, np.where(lost > 0, 0.5 / unit, 0.0)


def _chance(hits: int, odds: Numbers) -> float:
    """A bound on the chance of at least `hits` among events of these odds (Chernoff); 1 where that is expected."""
    trials = int((odds > 0).sum())
    expected = float(odds.sum())
    if hits <= expected:
        return 1.0
    if hits == trials:
        return float(np.prod(odds[odds > 0]))
    share, mean = hits / trials, expected / trials
    return float(np.exp(-trials * (share * np.log(share / mean) + (1 - share) * np.log((1 - share) / (1 - mean)))))
