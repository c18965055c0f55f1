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
from pipeline.copies.points import Points, points_of

SIDE = 96
"""Pixels a side of what is compared where pictures are laid on each other whole."""
THUMB = 112
"""Longer side, in pixels, of what is kept of a picture without its border."""
PLAIN = 32
"""A border is plain where no channel differs by more than this from its colour: JPEG leaves noise."""

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """What is kept of a picture without its plain borders: points, RGB (h, w, 3), longer side THUMB, detail.

    `bare`: the same of what lies under bright letters, where there are some.
    """

    points: Points
    content: NDArray[np.uint8]
    packed: bytes
    bare: "Look | None" = None

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
        return product(self.centred, self.centred)


def look_of(image: Image.Image) -> Look:
    """The look of an RGB picture."""
    image = image.crop(_content(image))
    look, under = _look(image), without_letters(image)
    bare = None if under is None else _look(under)
    # With fewer points than that, there is next to nothing behind the letters.
    return replace(look, bare=bare) if bare and len(bare.points.place) >= MANY else look


def _look(image: Image.Image) -> Look:
    zoom = THUMB / max(image.size)
    width, height = (max(2, round(side * zoom)) for side in image.size)
    filtered = Image.Resampling.BOX if zoom < 1 else Image.Resampling.BILINEAR
    return Look(points_of(image), np.asarray(image.resize((width, height), filtered)), kept(image))


def _content(image: Image.Image) -> tuple[int, int, int, int]:
    """The box of what is in a plain border, or in a second one inside (a frame around a drawing on white)."""
    pixels = np.asarray(image)
    left, top, right, bottom = 0, 0, *image.size
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
    return left, top, right, bottom


def square(pixels: NDArray[np.uint8]) -> Pixels:
    """(h, w, 3) squeezed to (SIDE, SIDE, 3)."""
    filtered = cv2.INTER_AREA if min(pixels.shape[:2]) > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=filtered), np.float32)


def product(one: Pixels, other: Pixels) -> float:
    """The mean product of two of one size; of one with itself, centred, its variance."""
    return float(np.dot(one, other)) / one.size
