"""Whether something is laid over what two pictures share: stickers, or a saying across the middle.

A letter spoils the surroundings of all that is near it, so that little lies alike by them; but the pixels between the
letters are still the picture's. So pixels are compared one by one, after the linear fit of those that fit best (least
trimmed squares; Rousseeuw, 1984). In a frame, or in an application, that shows something else, pixels do not agree
either. The points have to be many, and to lie all over what the pictures share.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.copies.panel import Mask
from pipeline.copies.points import Places

MANY = 40
"""Points that it takes."""
WIDE, FULL, CELL = 0.5, 0.55, 14
"""Of what lies on each other, the share that the points take up; and of its cells, of so many pixels a side, the share
that has a point."""
BETWEEN, NEAR = 0.5, 0.65
"""Of what is drawn between the points, the share that lies alike by its surroundings, and that agrees by its pixels."""
APART = 0.25, 4.0
"""Pixels agree that differ by no more than this share of the deviation of all, and by so many grey levels at least."""
ROUNDS = 6
"""Of the fit: each takes the half of the pixels that the one before fitted best."""

Grey = NDArray[np.float32]


def covered(one: Grey, other: Grey, alike: Mask, drawn: Mask, inside: Mask, marks: Places, between: Mask) -> bool:
    """Whether two grey pictures (h, w), one laid on the other `inside`, agree but for what lies over one of them.

    `alike`: what lies alike by its surroundings, of what is `drawn`; `between` those of the points'
    `marks` (m, 2) that lie alike.
    """
    column, row = np.clip(np.rint(marks).astype(int), 0, (alike.shape[1] - 1, alike.shape[0] - 1)).T
    held = np.unique(np.floor(marks[alike[row, column]] / CELL), axis=0)
    if len(held) * CELL**2 < FULL * between.sum():
        return False
    there = drawn & between
    kept = alike[there]
    if between.sum() < WIDE * inside.sum() or kept.sum() < BETWEEN * len(kept):
        return False
    a, b = one[there], other[there]  # what lies over one of them pulls the fit of the other less
    return _agree(a, b, kept) or _agree(b, a, kept)


def _agree(a: Grey, b: Grey, kept: Mask) -> bool:
    """Whether enough of the pixels `b` (p,) are as a linear fit of `a` says, which begins with those `kept`."""
    slope, apart = 0.0, np.zeros_like(a)
    for _ in range(ROUNDS):
        x, y = a[kept], b[kept]
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / max(float(x.var()), 1.0)
        apart = np.abs(slope * (a - x.mean()) + y.mean() - b)
        kept = apart <= np.median(apart)
    told = abs(slope) * float(a.std())
    return told >= APART[1] and bool((apart <= max(APART[1], APART[0] * told)).mean() >= NEAR)
