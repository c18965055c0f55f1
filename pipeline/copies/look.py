"""The look of a picture: what is kept of it to be laid on others."""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.copies.covered import MANY
from pipeline.copies.detail import Grey, kept, unpacked
from pipeline.copies.letters import without_letters
from pipeline.copies.parts import block_of, parts_of
from pipeline.copies.points import SIDE as WHOLE
from pipeline.copies.points import Points, points_of

SIDE = 96
"""Pixels a side of what is compared where pictures are laid on each other whole."""
THUMB = 112
"""Longer side, in pixels, of what is kept of a picture without its border."""
PART = 181
"""Points of a part are looked for in as many pixels as a square of so many a side has: half as many as of a whole."""
SPARSE = 200
"""Of a picture with fewer points the largest block is looked at as well; by more of them it is found anyway."""
PLAIN = 32
"""A border is plain where no channel differs by more than this from its colour: JPEG leaves noise."""

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """What is kept of a picture without its plain borders: points, RGB (h, w, 3), longer side THUMB, detail.

    `further`: the same of what lies under bright letters, and of the parts that it is cut into, where there are such.
    `part`: this is one of a part.
    """

    points: Points
    content: NDArray[np.uint8]
    packed: bytes
    further: "tuple[Look, ...]" = ()
    part: bool = False

    @cached_property
    def detail(self) -> Grey:
        """The content, finer and in grey."""
        return unpacked(self.packed)

    @cached_property
    def square(self) -> Pixels:
        """The content squeezed to (SIDE, SIDE, 3)."""
        return square(self.content)

    @cached_property
    def centred(self) -> Pixels:
        """The square as differences from its mean, (SIDE · SIDE · 3,)."""
        return np.ravel(self.square - self.square.mean())

    @cached_property
    def mirrored(self) -> Pixels:
        """The same of the mirror image."""
        return np.ravel(self.centred.reshape(SIDE, SIDE, 3)[:, ::-1])

    @cached_property
    def spread(self) -> float:
        """The variance of the square."""
        return mean_product(self.centred, self.centred)


def look_of(image: Image.Image) -> Look:
    """The look of an RGB picture."""
    pixels = np.asarray(image)
    content = _within(pixels)
    under = without_letters(content)
    bare = [] if under is None else [_look(under)]
    # With fewer points than that, there is next to nothing behind the letters.
    bare = [look for look in bare if len(look.points.place) >= MANY]
    whole = _look(content)
    cut = parts_of(pixels) or (block_of(pixels) if len(whole.points.place) < SPARSE else [])
    parts = [replace(_look(_within(part), PART), part=True) for part in cut]
    return replace(whole, further=(*bare, *parts))


def _look(content: NDArray[np.uint8], side: int = WHOLE) -> Look:
    image = Image.fromarray(content)
    zoom = THUMB / max(image.size)
    width, height = (max(2, round(length * zoom)) for length in image.size)
    filtered = Image.Resampling.BOX if zoom < 1 else Image.Resampling.BILINEAR
    grey = image.convert("L")
    return Look(points_of(grey, side), np.asarray(image.resize((width, height), filtered)), kept(grey))


def _within(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is in a plain border, or in a second one inside (a frame around a drawing on white), of (h, w, 3)."""
    left, top, right, bottom = 0, 0, pixels.shape[1], pixels.shape[0]
    before = None
    for _ in range(2):
        inside = pixels[top:bottom, left:right]
        edges = np.concatenate([inside[:, 0], inside[0], inside[:, -1], inside[-1]])
        colour = np.median(edges, axis=0)
        if before is not None and np.abs(colour - before).max() <= PLAIN:
            break
        before = colour
        low, high = ((*(np.trunc(colour) + by).tolist(), 0.0) for by in (-PLAIN, PLAIN))
        x, y, width, height = cv2.boundingRect(cv2.bitwise_not(cv2.inRange(inside, low, high)))
        if not width:
            break
        left, top, right, bottom = left + x, top + y, left + x + width, top + y + height
    return pixels[top:bottom, left:right]


def square(pixels: NDArray[np.uint8]) -> Pixels:
    """(h, w, 3) squeezed to (SIDE, SIDE, 3)."""
    filtered = cv2.INTER_AREA if min(pixels.shape[:2]) > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=filtered), np.float32)


def mean_product(one: Pixels, other: Pixels) -> float:
    """The mean product of two of one size; of one with itself, centred, its variance."""
    return float(np.dot(one, other)) / one.size
