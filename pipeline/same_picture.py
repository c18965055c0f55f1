"""The second check: do two pictures show the same, whatever their size, format, border, brightness, or mirroring?"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageChops

from pipeline.machine import cores
from pipeline.pictures import to_rgb
from pipeline.tables import IMAGES

SIDE = 64
Look = NDArray[np.uint8]


def look(stored: bytes) -> Look:
    """What the check remembers of a picture: its content without a plain border, as (SIDE, SIDE, 3)."""
    image = to_rgb(stored)
    for _ in range(2):
        plain = Image.new("RGB", image.size, image.getpixel((0, 0)))
        box = ImageChops.difference(image, plain).convert("L").point(lambda v: 255 * (v > 16)).getbbox()
        if box is not None:
            image = image.crop(box)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def same_picture(one: Look, other: Look) -> bool:
    """Whether two looks show the same picture, perhaps mirrored."""
    return max(_correlation(one, other), _correlation(one, other[:, ::-1])) > 0.95


def _correlation(one: Look, other: Look) -> float:
    a, b = one.astype(np.float32).ravel(), other.astype(np.float32).ravel()
    a -= a.mean()
    b -= b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / max(1e-6, length)


class Looks:
    """The looks of those images that were proposed as copies."""

    def __init__(self, looks: dict[int, Look | None]) -> None:
        self._looks = looks

    @classmethod
    def of(cls, images: Path, rows: NDArray[np.int64]) -> Self:
        """Read the pictures at `rows`, ascending, of the table IMAGES at `images`."""
        looks: dict[int, Look | None] = {}
        begin = 0
        with ThreadPoolExecutor(cores()) as threads:
            for shard in IMAGES.batches(images, ["bytes", "width"]):
                low, high = np.searchsorted(rows, [begin, begin + shard.num_rows])
                here = rows[low:high]
                pictures = shard.take(pa.array(here - begin)).to_pylist()
                looks.update(zip(here.tolist(), threads.map(_look_of, pictures), strict=True))
                begin += shard.num_rows
        return cls(looks)

    def agree(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the pairs of rows (p,) show the same picture; images without pixels have nothing to disagree in."""
        found = np.ones(len(left), bool)
        for k, (i, j) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            one, other = self._looks[i], self._looks[j]
            found[k] = one is None or other is None or same_picture(one, other)
        return found


def _look_of(picture: dict[str, Any]) -> Look | None:
    return look(picture["bytes"]) if picture["width"] else None
