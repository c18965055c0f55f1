"""The rectangle that two pictures share: a panel of a collage, what a crop left, what stands above a caption.

Where one picture is laid on another, a panel cut out of it lies alike as far as the panel goes, and beyond its edges
nothing does. The alike share of all that lies there is then small, as it is for two flags with another emblem; but
there what is alike goes around what is not, or goes on beyond any rectangle.
"""

import numpy as np
from numpy.typing import NDArray

CELL = 4
"""Pixels of a cell's side, by which rectangles are told apart."""
AGREEING, AGAINST = 0.9, 4.0
"""Of what is drawn in the rectangle the share that lies alike; and how much alike makes up for what is not, when it is
chosen."""
AROUND, ALIKE_AROUND = 0.25, 0.4
"""Where so much of what is drawn lies around the rectangle, no more than this share is alike there."""
EXTENT = 0.4
"""Of the box around what the one or the other picture draws the rectangle takes up so much."""

Mask = NDArray[np.bool_]


def panel(alike: Mask, drawn: Mask, own: Mask, theirs: Mask) -> int:
    """How many pixels lie alike in the rectangle that two pictures share; 0 where they share none.

    alike, drawn (h, w): what lies alike, of what is drawn in either where the two lie on each other; own, theirs: what
    is drawn in the one, at this size, and in the other.
    """
    cells = _cells(alike), _cells(drawn)
    rows, columns = _largest(cells[0] - AGAINST * (cells[1] - cells[0]))
    held, inside = (int(one[rows, columns].sum()) for one in cells)
    every, around = int(cells[0].sum()), int(cells[1].sum()) - inside
    if not held or held < AGREEING * inside:
        return 0
    if around >= AROUND * (inside + around) and every - held > ALIKE_AROUND * around:
        return 0
    box = slice(rows.start * CELL, rows.stop * CELL), slice(columns.start * CELL, columns.stop * CELL)
    return held if _extent(alike[box]) >= EXTENT * min(_extent(own), _extent(theirs)) else 0


def _cells(mask: Mask) -> NDArray[np.float64]:
    """How many of the pixels (h, w) are true in each whole cell."""
    height, width = (side // CELL for side in mask.shape)
    cut = mask[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL)
    return np.asarray(cut.sum(axis=(1, 3)), np.float64)


def _largest(scores: NDArray[np.float64]) -> tuple[slice, slice]:
    """The rows and columns of `scores` (h, w) that have the largest sum: for all pairs of rows, Kadane's way."""
    height, width = scores.shape
    above = np.pad(np.cumsum(scores, axis=0), ((1, 0), (0, 0)))
    top, bottom = np.triu_indices(height + 1, 1)
    left_of = np.pad(np.cumsum(above[bottom] - above[top], axis=1), ((0, 0), (1, 0)))
    gain = left_of - np.minimum.accumulate(left_of, axis=1)
    pair, right = divmod(int(gain.argmax()), width + 1)
    left = int(left_of[pair, : right + 1].argmin())
    return slice(int(top[pair]), int(bottom[pair])), slice(left, right)


def _extent(mask: Mask) -> int:
    """Pixels of the box around those that are true (h, w)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)) if len(rows) else 0
