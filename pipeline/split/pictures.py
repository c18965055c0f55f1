"""The audit's own look at two pictures: nothing of it is what binds pictures into groups (`pipeline.copies`).

There points are SIFT's, and a similarity takes them over; here corners are ORB's (`pipeline.split.sketches`), with bits
for numbers, and a homography takes them over. Where the pictures then lie on each other blocks of their thumbnails
correlate or do not: they show the same where there is a rectangle in which the blocks do, all but a few, and which
holds a large part of what either shows. A copy is all rectangle; a captioned picture is one without its words, a panel
of a collage or a post on a screenshot the panel, and around it nothing is alike. Of two road signs in one frame, two
playing cards, two figures of one series what lies around the rectangle is half alike. Where stickers, letters or a
small picture lie over another one it is too, but there corners agree all over it, and of signs along the rim alone.
Pictures without corners are the same where their thumbnails are. Of pictures that this calls different nobody knows:
the audit counts them, and keeps a sample to be looked at.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.running.checkpoints import Keep, made
from pipeline.running.engines import spread
from pipeline.running.progress import bar
from pipeline.split.sketches import Rows, Sketch, Sketches

RATIO, NEAR, LEAST = 0.8, 2.4, 12
"""A match has to be nearer than this share of the second nearest, and within so many pixels; so many have to be,"""
APART = 3.6
"""and those in one square of so many pixels count once."""
LIES = 2
"""In how many ways the one may lie on the other: each by the corners that the ways before left."""
CELL, DRAWN, ALIKE = 8, 8.0, 0.6
"""Blocks of so many pixels of the thumbnails show something where grey deviates by so much in either, and are alike
where they correlate so."""
AGREEING, AGAINST = 0.9, 4.0
"""Of the rectangle's blocks that show something the share that is alike; and how many alike make up for one that is
not, when the rectangle is chosen."""
AROUND, ALIKE_AROUND = 0.25, 0.4
"""Where so many of the blocks that show something lie around the rectangle, no more than this share is alike there."""
COVERED, WIDE, FULL, PART = 30, 0.3, 0.7, 16
"""Something may lie over what is alike where so many corners agree, which enclose so much of what lies on each other,
and of whose squares of PART pixels so many have one;"""
UNCOVERED = 0.4
"""and of the blocks that show something so many are alike."""
BLOCKS, SHARED, SHARED_LEAST = 8, 0.45, 0.06
"""Blocks alike in the rectangle: so many, and of those that show something in the one and in the other picture."""
EXTENT, OVERLAP, CORRELATION = 0.4, 0.2, 0.8
"""Of the box around what either picture shows, and of either whole, the rectangle is this share, and correlates so."""
TURNED = 0.18
"""Tangent of the angle by which a picture may be turned: an arrow to another side is another sign."""
MOST_DIFFERENT = 16
"""Of thumbnails that are the same, in any pixel and channel."""
AT_ONCE = 256
"""Pairs that are looked at in a job."""

Places = NDArray[np.float32]


def same(one: Sketch, other: Sketch) -> bool:
    """Whether two sketches show the same, or one a large part of the other; `one` has its mirror image."""
    here, there = (picture.colour.astype(np.int16) for picture in (one, other))
    if np.abs(here - there).max() <= MOST_DIFFERENT and np.ptp(here) > 2 * MOST_DIFFERENT:
        return True
    return any(_laid(one, other, face, *found) for face in (0, 1) for found in _moves(one, other, face))


def _laid(one: Sketch, other: Sketch, face: int, move: NDArray[Any], here: Places, there: Places) -> bool:
    finer, under = (one.grey[:, ::-1] if face else one.grey).astype(np.float32), other.grey.astype(np.float32)
    area, marks = abs(float(np.linalg.det(move[:2, :2]))), there
    if not 1 / 400 < area < 400:
        return False
    if area > 1:  # the finer one is laid on the coarser
        finer, under, move, area, marks = under, finer, np.linalg.inv(move), 1 / area, here
    scale = area**0.5
    finer = np.asarray(cv2.GaussianBlur(finer, (0, 0), 0.5 / scale) if scale < 0.8 else finer, np.float32)
    size = under.shape[1], under.shape[0]
    laid = np.asarray(cv2.warpPerspective(finer, move, size, flags=cv2.INTER_LINEAR), np.float32)
    over = cv2.warpPerspective(np.ones_like(finer), move, size, flags=cv2.INTER_NEAREST) > 0
    small = tuple(max(CELL, round(side * scale)) for side in finer.shape[::-1])
    own = _deviation(_blocks(np.asarray(cv2.resize(finer, small, interpolation=cv2.INTER_AREA)))) > DRAWN
    return _share(laid, under, over, own, area * finer.size, marks)


def _moves(one: Sketch, other: Sketch, face: int) -> Iterator[tuple[NDArray[np.float64], Places, Places]]:
    """The homographies (3, 3) that take corners of `one`, perhaps mirrored, to those of `other`, where enough say so;
    and the places (m, 2) of these, here and there.
    """
    if min(len(one.bits[face]), len(other.bits[0])) < LEAST:
        return
    library: Any = faiss
    apart, nearest = library.knn_hamming(*map(np.ascontiguousarray, (one.bits[face], other.bits[0])), 2)
    near = np.flatnonzero(apart[:, 0] < RATIO * apart[:, 1])
    here, there = one.corners[face][near], other.corners[0][nearest[near, 0]]
    for _ in range(LIES):
        if len(here) < LEAST:
            return
        move, inside = cv2.findHomography(here, there, cv2.USAC_MAGSAC, NEAR, maxIters=1000, confidence=0.99)
        if move is None:
            return
        agree = inside.ravel() > 0
        if min(_apart(places[agree]) for places in (here, there)) < LEAST:
            return
        if abs(move[1, 0]) <= TURNED * move[0, 0]:
            yield np.asarray(move, np.float64), here[agree], there[agree]
        here, there = here[~agree], there[~agree]


def _share(
    laid: NDArray[np.float32],
    under: NDArray[np.float32],
    over: NDArray[np.bool_],
    own: NDArray[np.bool_],
    area: float,
    marks: Places,
) -> bool:
    """Whether the two (h, w), which lie on each other where `over`, share a large part of either.

    own: which blocks of the finer picture show something, at this size; area: its pixels, at this size; marks (m, 2):
    the corners that agree.
    """
    blocks = _blocks(laid), _blocks(under)
    spreads = [_deviation(block) for block in blocks]
    a, b = (block - block.mean(axis=2, keepdims=True) for block in blocks)
    shown = _blocks(over).all(axis=2) & (np.maximum(*spreads) > DRAWN)
    alike = shown & ((a * b).mean(axis=2) > ALIKE * spreads[0] * spreads[1] + 1e-3)  # of one colour: like nothing
    theirs = spreads[1] > DRAWN
    drawn = max(1, int(own.sum())), max(1, int(theirs.sum()))
    if alike.sum() < BLOCKS or not _large(int(alike.sum()), drawn):
        return False
    if alike.sum() >= UNCOVERED * shown.sum() and _all_over(marks, over):
        return True
    rows, columns = _rectangle(np.where(alike, 1.0, np.where(shown, -AGAINST, 0.0)))
    held, inside = (int(those[rows, columns].sum()) for those in (alike, shown))
    around = int(shown.sum()) - inside
    if around >= AROUND * shown.sum() and int(alike.sum()) - held > ALIKE_AROUND * around:
        return False
    if held < max(BLOCKS, AGREEING * inside) or not _large(held, drawn):
        return False
    if _extent(alike[rows, columns]) < EXTENT * min(_extent(own), _extent(theirs)):
        return False
    box = slice(rows.start * CELL, rows.stop * CELL), slice(columns.start * CELL, columns.stop * CELL)
    there = over[box]
    if there.sum() < OVERLAP * min(area, over.size):
        return False
    one, other = (pixels[box][there] - pixels[box][there].mean() for pixels in (laid, under))
    return bool((one * other).sum() >= CORRELATION * np.sqrt((one * one).sum() * (other * other).sum()))


def _large(held: int, drawn: tuple[int, int]) -> bool:
    """Whether blocks that are `held` by both are enough of those that the one and the other have `drawn`."""
    return held >= SHARED * min(drawn) and held >= SHARED_LEAST * max(drawn)


def _all_over(marks: Places, over: NDArray[np.bool_]) -> bool:
    """Whether the corners `marks` (m, 2) are many, and lie all over a large part of where two lie `over` (h, w)."""
    if _apart(marks) < COVERED:
        return False
    between = cv2.contourArea(cv2.convexHull(marks))
    squares = len(np.unique(np.floor(marks / PART), axis=0)) * PART**2
    return bool(between >= WIDE * over.sum() and squares >= FULL * between)


def _extent(blocks: NDArray[np.bool_]) -> int:
    """The size, in blocks, of the box around those that are true (h, w)."""
    rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    return int((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)) if len(rows) else 0


def _blocks(pixels: NDArray[Any]) -> NDArray[Any]:
    """The whole blocks (rows, columns, CELL²) of a picture (h, w)."""
    height, width = (side // CELL for side in pixels.shape)
    cut = pixels[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL)
    return cut.transpose(0, 2, 1, 3).reshape(height, width, CELL * CELL)


def _deviation(blocks: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(blocks.std(axis=2), np.float32)


def _rectangle(scores: NDArray[np.float64]) -> tuple[slice, slice]:
    """The rows and columns of `scores` (h, w) that have the largest sum (Kadane, over all pairs of rows)."""
    height, width = scores.shape
    above = np.concatenate([np.zeros((1, width)), np.cumsum(scores, axis=0)])
    top, bottom = np.triu_indices(height + 1, 1)
    left_of = np.cumsum(np.pad(above[bottom] - above[top], ((0, 0), (1, 0))), axis=1)
    gain = left_of - np.minimum.accumulate(left_of, axis=1)
    rows, right = divmod(int(gain.argmax()), width + 1)
    left = int(left_of[rows, : right + 1].argmin())
    return slice(int(top[rows]), int(bottom[rows])), slice(left, right)


def _apart(places: Places) -> int:
    return len(np.unique(np.floor(places / APART).astype(np.int64) @ [1000, 1]))


def confirm(sketches: Sketches, one: Rows, other: Rows, keep: Keep = made) -> NDArray[np.bool_]:
    """Which of the pairs of rows (p,), of a held-out picture and another, show the same.

    Images without pixels, made vectors, have nothing to disagree in: their cosine has decided.
    """
    found = [np.empty(0, bool)]
    with bar("image audit, pairs", "pairs", total=len(one)) as shown:
        jobs = ((begin, one[begin : begin + AT_ONCE], other[begin : begin + AT_ONCE])
                for begin in range(0, len(one), AT_ONCE))  # fmt: skip
        for part in spread(partial(_kept, keep), jobs, (sketches,), threads=True):
            found.append(part)
            shown.update(len(part))
    return np.concatenate(found)


def _kept(keep: Keep, pairs: tuple[int, Rows, Rows], sketches: Sketches) -> NDArray[np.bool_]:
    begin, one, other = pairs
    (found,) = keep(f"pairs-{begin:012}", lambda: (_confirmed(sketches, one, other),))
    return found


def _confirmed(sketches: Sketches, one: Rows, other: Rows) -> NDArray[np.bool_]:
    faiss.omp_set_num_threads(1)  # of this thread

    def agree(i: int, j: int) -> bool:
        left, right = sketches.sketch(i), sketches.sketch(j)
        return left is None or right is None or same(left, right)

    return np.fromiter(map(agree, one.tolist(), other.tolist()), bool, len(one))
