"""Parts of a picture: panels of a collage, before and after, two pictures above each other; the picture in a post.

In a panel its source has a half or a quarter of the pixels that points are looked for in, which flat drawings lack
first. So the parts of a picture that is cut at its halves are looked at as well. It is cut where next to nothing goes
on across the line through its middle: colours step there and beside it they do not, or it is a gap beside a picture
that fills its place, not one between words and a logo. The middle is that of the whole picture, with its plain borders:
only so are drawings on white divided there.

Of one that is not, and has few points, the largest block is: what a screenshot of a post shows among words and
buttons. It is found along the gaps of the ground, by rows and then by columns (XY-cut; Nagy and Seth, 1984).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.copies.letters import most_frequent

STEP = 24
"""Levels of a channel by which pixels differ."""
STEPS, GOES_ON = 0.05, 8.0
"""Of the line so much steps, and so many times as much as goes on: is drawn on either side, and the same."""
ASIDE, BESIDE = (-16, -11, 11, 16), 1.5
"""Pixels from the line to those beside it; it steps so many times as much as they do: not as a mesh, all over."""
GAP, FILLED = 0.98, 0.7
"""Where less than STEPS steps so much of the line has one colour, at least, and the farthest of those beside it, on one
side or the other, so much that has not."""
SHOWN, AGAIN = 0.05, 0.01
"""Of either side so much differs from the colour of the line, at least; and where a half is cut again."""
COARSE = 4
"""What differs is counted in each fourth pixel of each fourth row."""
LEAST = 64
"""Pixels of the sides of what is cut, at least, and of a block."""
GROUND = 0.15
"""Of the picture a ground has so much, at least."""
BETWEEN = 0.015
"""Of the longer side, a gap between blocks."""
BLOCK = 0.1, 0.75
"""Of the box around all that stands on the ground, a block's share."""

Pixels = NDArray[np.uint8]


def parts_of(pixels: Pixels) -> list[Pixels]:
    """The two to four parts of an RGB picture (h, w, 3) that is cut across its width, its height or both, else none."""
    for axis in (1, 0):
        halves = _halves(pixels, axis, SHOWN)
        if halves:
            return [part for half in halves for part in _halves(half, 1 - axis, AGAIN) or [half]]
    return []


def block_of(pixels: Pixels) -> list[Pixels]:
    """The largest block of an RGB picture (h, w, 3), if it stands on a ground with others, else none."""
    colour = np.trunc(most_frequent(pixels[::COARSE, ::COARSE].reshape(-1, 3)))
    low, high = ((*(colour + by).tolist(), 0.0) for by in (-STEP, STEP))
    drawn = cv2.bitwise_not(cv2.inRange(pixels, low, high))
    if not 0 < np.count_nonzero(drawn) <= (1 - GROUND) * drawn.size:
        return []
    *_, width, height = cv2.boundingRect(drawn)
    gap = BETWEEN * max(drawn.shape)
    rows = _longest(drawn.max(axis=1), gap)
    block = pixels[rows, _longest(drawn[rows].max(axis=0), gap)]
    share = block.shape[0] * block.shape[1] / (width * height)
    return [block] if min(block.shape[:2]) >= LEAST and BLOCK[0] <= share <= BLOCK[1] else []


def _longest(drawn: NDArray[Any], gap: float) -> slice:
    """The longest stretch of a line in which no more than a `gap` on end is not drawn, which is 0."""
    places = np.flatnonzero(drawn)
    last = np.flatnonzero(np.diff(places, append=np.inf) > gap)
    first = np.concatenate([[0], last[:-1] + 1])
    longest = int((places[last] - places[first]).argmax())
    return slice(int(places[first[longest]]), int(places[last[longest]]) + 1)


def _halves(pixels: Pixels, axis: int, shown: float) -> list[Pixels]:
    """The halves of (h, w, 3) along `axis`, if it is cut there and `shown` differs in either, else none."""
    rows = pixels.swapaxes(0, 1) if axis else pixels
    middle = len(rows) // 2
    if min(rows.shape[:2]) < LEAST or not _cut(rows, middle, shown):
        return []
    return [half.swapaxes(0, 1) if axis else half for half in (rows[:middle], rows[middle:])]


def _cut(rows: Pixels, at: int, shown: float) -> bool:
    """Whether (h, w, 3) is cut above the row `at`."""
    above, below = _sides(rows, at)
    colour = np.median(np.concatenate([above, below]), axis=0).astype(np.float32)
    steps, over, under = _differ(above, below), _differ(above, colour), _differ(below, colour)
    share = float(steps.mean())
    if GOES_ON * float((over & under & ~steps).mean()) > share:
        return False
    if share >= STEPS:
        beside = [float(_differ(*_sides(rows, at + by)).mean()) for by in ASIDE]
        divided = share >= BESIDE * float(np.mean(beside))
    else:
        beyond = [float(_differ(rows[at + by], colour).mean()) for by in (ASIDE[0], ASIDE[-1])]
        divided = float((over | under).mean()) <= 1 - GAP and max(beyond) >= FILLED
    if not divided:
        return False
    sides = rows[: at - 3 : COARSE, ::COARSE], rows[at + 3 :: COARSE, ::COARSE]
    return min(float(_differ(side, colour).mean()) for side in sides) >= shown


def _sides(rows: Pixels, at: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The colours (w, 3) above and below the row `at`: of two rows each, but for those that JPEG and scaling mix."""
    above, below = (rows[begin : begin + 2].mean(axis=0, dtype=np.float32) for begin in (at - 3, at + 1))
    return above, below


def _differ(one: Pixels | NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where colours (..., 3) differ."""
    return np.asarray((np.abs(one - other) > STEP).any(axis=-1))
