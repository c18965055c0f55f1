"""What the audit keeps of pictures: corners with their bits, and thumbnails. Nothing of it is what binds pictures.

Corners are ORB's (Rublee et al., 2011; OpenCV's), with bits for numbers, where `pipeline.copies` has SIFT's points.
Bits do not turn with a mirror, so a held-out picture has those of its mirror image too.

Pieces of PIECE pictures stand in a folder, as arrays of RECORD that are mapped, not read: memory stays at the pages
that are read, and a killed run goes on after its last piece. A sketch takes 53 KB.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.running.engines import spread
from pipeline.running.files import sealed_file, stands
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES
from pipeline.tables.stretch import rows_of

cv2.setNumThreads(1)  # threads of ours look at pictures side by side

CORNERS, SIDE = 500, 320
"""Corners of a picture, at most, and its longer side in pixels when they are looked for."""
CONTRAST = 10
"""Grey levels by which the ring around a corner differs from it: half of OpenCV's default, for flat pictures."""
GRID, AT_ONCE = 4, 6
"""A caption's letters would be first of all: of each of GRID × GRID cells AT_ONCE corners come in turn."""
THUMB, TINY = 96, 32
"""Longer side of the grey thumbnail, and both sides of the one in colour."""
PIECE = 250
"""Pictures of a piece, all of one shard: a job takes a second."""
OPEN = 256
"""Pieces that are mapped at a time: a large corpus has more than files may be open."""
RECORD = np.dtype(
    [
        ("count", "<u2", (2,)),
        ("corners", "<f4", (2, CORNERS, 2)),
        ("bits", "u1", (2, CORNERS, 32)),
        ("shape", "u1", (2,)),
        ("grey", "u1", (THUMB * THUMB,)),
        ("colour", "u1", (TINY, TINY, 3)),
    ]
)
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Sketch:
    """Corners (c, 2) in pixels of the thumbnail with their bits (c, 32), those that are spread widest and strongest
    first, of the picture and of its mirror image (none, unless it is held out); thumbnails, grey (h, w) and RGB.
    """

    corners: tuple[NDArray[np.float32], NDArray[np.float32]]
    bits: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    grey: NDArray[np.uint8]
    colour: NDArray[np.uint8]


def sketch(stored: bytes, mirrored: bool = True) -> Sketch:
    """The sketch of a stored picture, RGB or grey, and of its mirror image."""
    library: Any = cv2
    pixels = library.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR_RGB)  # two thirds of Pillow's time
    factor = SIDE / max(pixels.shape)
    size = tuple(max(16, round(side * factor)) for side in pixels.shape[1::-1])
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    faces = [grey, np.ascontiguousarray(grey[:, ::-1])] if mirrored else [grey]
    corners, bits = zip(*map(_corners, faces), strict=True)
    if not mirrored:
        corners, bits = (*corners, np.empty((0, 2), np.float32)), (*bits, np.empty((0, 32), np.uint8))
    small = tuple(max(4, round(side * THUMB / SIDE)) for side in size)
    thumb = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(pixels, (TINY, TINY), interpolation=cv2.INTER_AREA)
    return Sketch(corners, bits, np.asarray(thumb, np.uint8), np.asarray(colour, np.uint8))


def _corners(grey: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    library: Any = cv2
    finder = library.ORB_create(CORNERS, fastThreshold=CONTRAST)
    found, bits = finder.detectAndCompute(grey, None)
    if bits is None:
        return np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8)
    places = np.asarray(cv2.KeyPoint.convert(found), np.float32)[:CORNERS]
    strength = np.array([corner.response for corner in found], np.float32)[:CORNERS]
    order = np.argsort(-strength, kind="stable")
    order = order[_spread(places[order] / max(grey.shape))]
    return places[order] * np.float32(THUMB / SIDE), bits[order]


def _spread(places: NDArray[np.float32]) -> Rows:
    """The order (c,) in which cells of GRID × GRID take turns, AT_ONCE of the places (c, 2) each."""
    cell = np.minimum((places * GRID).astype(np.int64), GRID - 1) @ [GRID, 1]
    by_cell = np.argsort(cell, kind="stable")
    rank = np.empty(len(cell), np.int64)
    rank[by_cell] = np.arange(len(cell)) - np.searchsorted(cell[by_cell], cell[by_cell])
    return np.argsort(rank // AT_ONCE, kind="stable")


class Sketches:
    """The sketch of each row of the table IMAGES that has pixels."""

    def __init__(self, files: list[Path], place: Rows) -> None:
        """`files`: arrays of RECORD as np.save writes them; place (n,): of each row among their records, or -1."""
        self._pieces = [(str(file), file.stat().st_mtime_ns) for file in files]
        self._first = np.concatenate([[0], np.cumsum([len(_mapped(piece)) for piece in self._pieces])]).astype(np.int64)
        self._place = place

    @classmethod
    def of(cls, images: Path, held_out: NDArray[np.bool_], folder: Path) -> "Sketches":
        """Sketch the pictures of the table at `images`, mirrored too where `held_out` (n,); keep them in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        jobs, seen, begin = [], [np.empty(0, np.int64)], 0
        for shard in IMAGES.shards(images):
            width = IMAGES.read(shard, ["width"])["width"].to_numpy()
            rows = np.flatnonzero(width > 0)
            for at in range(0, len(rows), PIECE):
                those = rows[at : at + PIECE]
                jobs.append((shard, those, held_out[those + begin], folder / f"{shard.stem}-{at:06}.npy"))
            seen.append(rows + begin)
            begin += len(width)
        found = np.concatenate(seen)
        place = np.full(begin, -1, np.int64)
        place[found] = np.arange(len(found))
        with bar("image audit, sketches", "images", total=len(found)) as shown:
            for made in spread(_sketch_piece, jobs, threads=True):
                shown.update(made)
        return cls([job[-1] for job in jobs], place)

    def sketch(self, row: int) -> Sketch | None:
        """The sketch of a row; None without pixels."""
        place = int(self._place[row])
        if place < 0:
            return None
        piece = int(np.searchsorted(self._first, place, side="right")) - 1
        record = _mapped(self._pieces[piece])[place - self._first[piece]]
        (count, other), (height, width) = record["count"].tolist(), record["shape"].tolist()
        return Sketch(
            (record["corners"][0, :count], record["corners"][1, :other]),
            (record["bits"][0, :count], record["bits"][1, :other]),
            record["grey"][: height * width].reshape(height, width),
            record["colour"],
        )

    def bits(self, rows: Rows, face: int, most: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Of those of `rows` that have pixels the place in `rows` and the bits (c, 32) of the first `most` corners."""
        for at, row in enumerate(rows.tolist()):
            found = self.sketch(row)
            if found is not None:
                yield at, found.bits[face][:most]


@lru_cache(OPEN)
def _mapped(piece: tuple[str, int]) -> Any:
    return np.load(piece[0], mmap_mode="r")


def _sketch_piece(job: tuple[Path, Rows, NDArray[np.bool_], Path]) -> int:
    """Make the piece of these rows of a shard, unless it stands; returns how many."""
    shard, rows, held_out, file = job
    if not stands(file):
        begin, wanted = int(rows[0]), dict(zip(rows.tolist(), held_out.tolist(), strict=True))
        stretch = enumerate(rows_of(shard, ["bytes"], begin, int(rows[-1]) - begin + 1), begin)
        pictures = ((wanted[row], picture["bytes"]) for row, picture in stretch if row in wanted)
        records = np.zeros(len(rows), RECORD)
        for record, (mirrored, stored) in zip(records, pictures, strict=True):
            found = sketch(stored, mirrored)
            for face in (0, 1):
                count = len(found.bits[face])
                record["count"][face] = count
                record["corners"][face, :count], record["bits"][face, :count] = found.corners[face], found.bits[face]
            record["shape"], record["colour"] = found.grey.shape, found.colour
            record["grey"][: found.grey.size] = found.grey.ravel()
        with sealed_file(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, records)
    return len(rows)
