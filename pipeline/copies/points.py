"""Local features of pictures, and how one picture lies on another by them.

Points are found and described by SIFT (Lowe, 2004; OpenCV's), their numbers the roots of its histograms (Arandjelović
and Zisserman, 2012). Two pictures share something where points of the one match points of the other and one similarity
transform (turned, scaled, moved, perhaps mirrored) takes them there. A mirrored picture has the same points, each with
its histograms in another order, so nothing is described twice.

Shapes: p points, m matches; places are x and y in units of the picture's longer side.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 256
"""Points are looked for in a picture of SIDE × SIDE pixels, or as many of another shape,"""
ENLARGED = 4
"""and enlarged no more than so."""
SCALES = 2
"""In an octave, at which points are looked for: two thirds of the time of Lowe's three."""
POINTS = 400
"""Points kept of a picture: of the LOOKED_AT of the strongest contrast, those that are spread over it."""
LOOKED_AT, GRID, AT_ONCE = 800, 4, 12
"""Seeds, letters or leaves would have all points of a collage: of each of GRID × GRID cells AT_ONCE come in turn."""
CONTRAST = 0.02
"""What a point has to stand out by; half of OpenCV's default, for flat and for faded pictures."""
RATIO = 0.8
"""A match has to be nearer than this share of the distance to the second nearest (Lowe, 2004)."""
NEAR = 0.012
"""How far from its place a matched point may lie."""
LEAST = 5
"""Points that lay one picture on another to be compared at all."""
TRIES = 500
LENGTH = 512
"""Length of a point's numbers, as stored."""
MIRROR = np.arange(128).reshape(4, 4, 8)[::-1, :, (-np.arange(8)) % 8].ravel()
"""Where the numbers of a mirrored point stand: rows turned over about the point's direction, and the directions too."""

cv2.setNumThreads(1)  # threads of ours look at pictures side by side; and results may not hang on their number

Places = NDArray[np.float32]
Numbers = NDArray[np.uint8]
Move = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """`place` (p, 2), `numbers` (p, 128), the strongest first; `width` of the picture in units of its longer side."""

    place: Places
    numbers: Numbers
    width: float

    @cached_property
    def floats(self) -> NDArray[np.float32]:
        """The numbers, for products of them."""
        return self.numbers.astype(np.float32)

    @cached_property
    def mirrored(self) -> "Points":
        """The points of the mirror image."""
        place = self.place * np.array([-1, 1], np.float32) + np.array([self.width, 0], np.float32)
        return Points(place, self.numbers[:, MIRROR], self.width)


def points_of(image: Image.Image, side: int = SIDE) -> Points:
    """The points of a picture, in as many pixels as a square of `side` has."""
    scale = min(ENLARGED, side / (image.width * image.height) ** 0.5)
    width, height = (max(8, round(length * scale)) for length in image.size)
    longer = max(width, height)
    filtered = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    grey = np.asarray(image.convert("L").resize((width, height), filtered))
    sift: Any = cv2
    found, numbers = sift.SIFT_create(LOOKED_AT, SCALES, CONTRAST).detectAndCompute(grey, None)
    if numbers is None:
        return Points(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8), width / longer)
    place: Places = np.array([point.pt for point in found], np.float32) / np.float32(longer)
    strength = np.array([(point.response, point.angle) for point in found])
    order = np.lexsort((strength[:, 1], place[:, 1], place[:, 0], -strength[:, 0]))
    order = order[_spread(place[order])][:POINTS]
    numbers = numbers[order]
    roots = np.sqrt(numbers / np.maximum(numbers.sum(axis=1, keepdims=True), 1))
    return Points(place[order], np.minimum(np.rint(roots * LENGTH), 255).astype(np.uint8), width / longer)


def _spread(places: Places) -> NDArray[np.int64]:
    """The order (p,) in which cells of GRID × GRID take turns, AT_ONCE places (p, 2) each; the strongest come first."""
    cell = np.minimum((places * GRID).astype(np.int64), GRID - 1) @ [GRID, 1]
    by_cell = np.argsort(cell, kind="stable")
    rank = np.empty(len(cell), np.int64)
    rank[by_cell] = np.arange(len(cell)) - np.searchsorted(cell[by_cell], cell[by_cell])
    return np.argsort(rank // AT_ONCE, kind="stable")


@dataclass(frozen=True)
class Lie:
    """How one picture lies on another: `move` (2, 3) takes its places there, `points` of them, apart, say so.

    `here` and `there` (m, 2): the places of the points that do, in the one and in the other.
    """

    move: Move
    points: int
    here: Places
    there: Places


def lie(one: Points, other: Points) -> Lie | None:
    """How `one` lies on `other`, if LEAST points say so."""
    i, j = matches(one, other)
    if len(i) < LEAST:
        return None
    here, there = one.place[i], other.place[j]
    move, inside = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=NEAR, maxIters=TRIES, confidence=0.99
    )
    if move is None:
        return None
    kept = inside.ravel().astype(bool)
    if kept.sum() < LEAST:
        return None
    points = min(_apart(here[kept]), _apart(there[kept]))
    return Lie(move, points, here[kept], there[kept])


def matches(one: Points, other: Points) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of `one` and of `other` (m,) that are each other's nearest, nearer by RATIO than any other of `other`."""
    if min(len(one.numbers), len(other.numbers)) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    likeness = one.floats @ other.floats.T  # whole numbers below 2²⁴, so exact
    rows, nearest = np.arange(len(likeness)), likeness.argmax(axis=1)
    best = likeness[rows, nearest]
    likeness[rows, nearest] = -1
    second = likeness.max(axis=1)
    near = np.flatnonzero(LENGTH**2 - best < RATIO**2 * (LENGTH**2 - second) + 1e-6 * LENGTH**2)
    likeness[rows, nearest] = best
    near = near[likeness[:, nearest[near]].argmax(axis=0) == near]
    return near, nearest[near]


def _apart(places: Places) -> int:
    """How many of the places (m, 2) lie apart: those in one cell of a hundredth count once."""
    cells = np.sort(np.floor(places * 100).astype(np.int64) @ [1000, 1])
    return int((cells[1:] != cells[:-1]).sum()) + 1 if len(cells) else 0
