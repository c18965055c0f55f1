"""The audit's own look at two pictures: nothing of it is what binds pictures into groups (`pipeline.copies`).

There points are SIFT's and a similarity takes them over; here corners are ORB's (Rublee et al., 2011; OpenCV's), with
bits for numbers, a homography takes them over, and where the pictures then lie on each other they have to correlate,
block by block too wherever either shows something: two road signs in one frame correlate as a whole, and not in what
the frame holds. Pictures without corners are the same where their thumbnails are. Of pictures that this calls different
nobody knows: the audit counts them, and keeps a sample to be looked at.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.pictures.storing import to_rgb
from pipeline.running.checkpoints import Keep, made
from pipeline.running.engines import spread
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES

cv2.setNumThreads(1)  # threads of ours look at pairs side by side

CORNERS, SIDE = 500, 320
RATIO, NEAR, LEAST = 0.8, 4.0, 15
"""A match has to be nearer than this share of the second nearest, and within so many pixels; so many have to be."""
THUMB = 96
OVERLAP, CORRELATION = 0.3, 0.7
"""Of either picture this share has to lie on the other, and correlate so there."""
CELL, DRAWN, ALIKE, AGREEING = 8, 8.0, 0.6, 0.9
"""Blocks of so many pixels of the thumbnails show something where grey deviates by so much in either, and are alike
where they correlate so; of those that show something this share has to be."""
MOST_DIFFERENT = 16
"""Of thumbnails that are the same, in any pixel and channel."""
AT_ONCE = 4096
"""Pairs whose pictures are held at once."""


@dataclass(frozen=True)
class Sketch:
    """Corners (c, 2) with their bits (c, 32), of the picture and of its mirror image; grey and RGB thumbnails."""

    corners: tuple[NDArray[np.float32], ...]
    bits: tuple[NDArray[np.uint8], ...]
    grey: NDArray[np.float32]
    scale: float
    colour: NDArray[np.int16]


def sketch(stored: bytes) -> Sketch:
    """The sketch of a stored picture."""
    pixels = np.asarray(to_rgb(stored))
    factor = SIDE / max(pixels.shape)
    size = tuple(max(16, round(side * factor)) for side in pixels.shape[1::-1])
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    library: Any = cv2
    finder = library.ORB_create(CORNERS, fastThreshold=10)
    corners, bits = [], []
    for face in (grey, np.ascontiguousarray(grey[:, ::-1])):
        found, described = finder.detectAndCompute(face, None)
        corners.append(np.array([corner.pt for corner in found], np.float32).reshape(-1, 2))
        bits.append(described if described is not None else np.empty((0, 32), np.uint8))
    small = tuple(max(4, round(side * THUMB / SIDE)) for side in size)
    thumb = cv2.resize(grey, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    colour = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA).astype(np.int16)
    return Sketch(tuple(corners), tuple(bits), thumb, THUMB / SIDE, colour)


def same(one: Sketch, other: Sketch) -> bool:
    """Whether two sketches show the same picture, or one a large part of the other."""
    if np.abs(one.colour - other.colour).max() <= MOST_DIFFERENT and np.ptp(one.colour) > 2 * MOST_DIFFERENT:
        return True
    return any(_laid(one, other, face) for face in (0, 1))


def _laid(one: Sketch, other: Sketch, face: int) -> bool:
    if min(len(one.bits[face]), len(other.bits[0])) < LEAST:
        return False
    matches = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(one.bits[face], other.bits[0], k=2)
    near = [pair[0] for pair in matches if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(near) < LEAST:
        return False
    here = one.corners[face][[match.queryIdx for match in near]]
    there = other.corners[0][[match.trainIdx for match in near]]
    move, inside = cv2.findHomography(here, there, cv2.USAC_MAGSAC, NEAR, maxIters=1000, confidence=0.99)
    if move is None or min(_apart(p[inside.ravel() > 0]) for p in (here, there)) < LEAST:
        return False
    shrink = np.diag([one.scale, one.scale, 1])
    matrix = shrink @ move @ np.linalg.inv(shrink)
    thumb = np.ascontiguousarray(one.grey[:, ::-1]) if face else one.grey
    size = other.grey.shape[::-1]
    laid = cv2.warpPerspective(thumb, matrix, size, flags=cv2.INTER_LINEAR)
    over = cv2.warpPerspective(np.ones_like(thumb), matrix, size, flags=cv2.INTER_NEAREST) > 0
    share = max(over.mean(), over.sum() / max(1.0, abs(np.linalg.det(matrix[:2, :2])) * thumb.size))
    if share < OVERLAP or over.sum() < 100:
        return False
    a, b = laid[over] - laid[over].mean(), other.grey[over] - other.grey[over].mean()
    whole = bool((a * b).sum() >= CORRELATION * np.sqrt((a * a).sum() * (b * b).sum()))
    return whole and _agreeing(np.asarray(laid, np.float32), other.grey, over) >= AGREEING


def _agreeing(one: NDArray[np.float32], other: NDArray[np.float32], over: NDArray[np.bool_]) -> float:
    """Of the blocks of two thumbnails (h, w) that lie `over` each other and show something, the share that is alike."""
    height, width = (side // CELL for side in one.shape)

    def blocks(pixels: NDArray[Any]) -> NDArray[Any]:
        cut = pixels[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL)
        return cut.transpose(0, 2, 1, 3).reshape(height * width, CELL * CELL)

    a, b = (block - block.mean(axis=1, keepdims=True) for block in (blocks(one), blocks(other)))
    spreads = np.sqrt((a * a).mean(axis=1)), np.sqrt((b * b).mean(axis=1))
    shown = blocks(over).all(axis=1) & (np.maximum(*spreads) > DRAWN)
    alike = (a * b).mean(axis=1) >= ALIKE * spreads[0] * spreads[1]
    return float((alike & shown).sum() / max(1, shown.sum()))


def _apart(places: NDArray[np.float32]) -> int:
    return len(np.unique(np.floor(places / 6).astype(np.int64) @ [1000, 1]))


def confirm(images: Path, one: NDArray[np.int64], other: NDArray[np.int64], keep: Keep = made) -> NDArray[np.bool_]:
    """Which of the pairs of rows (p,) of the table IMAGES show the same; AT_ONCE pairs' pictures are held at a time.

    Images without pixels, made vectors, have nothing to disagree in: their cosine has decided.
    """
    found = [np.empty(0, bool)]
    with bar("image audit, pairs", "pairs", total=len(one)) as shown:
        jobs = ((begin, one[begin : begin + AT_ONCE], other[begin : begin + AT_ONCE])
                for begin in range(0, len(one), AT_ONCE))  # fmt: skip
        for part in spread(partial(_kept, keep, images), jobs, workers=1, cpus=cores()):
            found.append(part)
            shown.update(len(part))
    return np.concatenate(found)


def _kept(keep: Keep, images: Path, pairs: tuple[int, NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.bool_]:
    begin, one, other = pairs
    (found,) = keep(f"pairs-{begin:012}", lambda: (_confirmed(images, one, other),))
    return found


def _confirmed(images: Path, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    sketches = _sketches(images, np.union1d(one, other))

    def agree(i: int, j: int) -> bool:
        left, right = sketches[i], sketches[j]
        return left is None or right is None or same(left, right)

    with ThreadPoolExecutor(cores()) as threads:
        return np.fromiter(threads.map(agree, one.tolist(), other.tolist()), bool, len(one))


def _sketches(images: Path, rows: NDArray[np.int64]) -> dict[int, Sketch | None]:
    held: dict[int, Sketch | None] = {}
    begin = 0
    for shard in IMAGES.batches(images, ["bytes", "width"]):
        low, high = np.searchsorted(rows, [begin, begin + shard.num_rows])
        pictures: list[dict[str, Any]] = shard.take(pa.array(rows[low:high] - begin)).to_pylist()
        for row, picture in zip(rows[low:high].tolist(), pictures, strict=True):
            held[row] = sketch(picture["bytes"]) if picture["width"] else None
        begin += shard.num_rows
    return held
