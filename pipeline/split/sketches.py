"""What the audit keeps of pictures: corners with their bits, and thumbnails. Nothing of it is what binds pictures.

Corners are ORB's (Rublee et al., 2011; OpenCV's), with bits for numbers, where `pipeline.copies` has SIFT's points.
Bits do not turn with a mirror, so a held-out picture has those of its mirror image too. Letters over a picture, or the
picture that a small one is set in, would have all corners: they are spread over the picture and over its scales, and
looked for where the contrast of each part is evened out (CLAHE; Zuiderveld, 1994), so that what was darkened has some.

Pieces of PIECE pictures stand in a folder, as arrays of RECORD that are mapped, not read: memory stays at the pages
that are read, and a killed run goes on after its last piece. A sketch takes 80 KB, twice that where it is mirrored.
"""

from collections.abc import Sequence
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

CORNERS, LOOKED_AT, SIDE = 1000, 3000, 320
"""Corners of a picture, at most, of so many; and its longer side in pixels when they are looked for."""
CONTRAST, EDGE = 10, 15
"""Grey levels by which the ring around a corner differs from it: half of OpenCV's default, for flat pictures; and how
far from the picture's edge it lies, in pixels of its scale."""
EVENED, PARTS = 3.0, 4
"""How much the contrast of each of PARTS × PARTS parts is raised, at most."""
GRID, AT_ONCE = 4, 2
"""At each scale of each of GRID × GRID cells AT_ONCE corners come in turn."""
THUMB, TINY = 192, 32
"""Longer side of the grey thumbnail, and both sides of the one in colour."""
PIECE = 250
"""Pictures of a piece, all of one shard: a job takes a second."""
OPEN = 256
"""Pieces that are mapped at a time: a large corpus has more than files may be open."""
RECORD = np.dtype(
    [
        ("count", "<u2"),
        ("corners", "<f4", (CORNERS, 2)),
        ("bits", "u1", (CORNERS, 32)),
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
    evened = cv2.createCLAHE(EVENED, (PARTS, PARTS)).apply(grey)
    faces = [evened, np.ascontiguousarray(evened[:, ::-1])] if mirrored else [evened]
    corners, bits = zip(*map(_corners, faces), strict=True)
    if not mirrored:
        corners, bits = (*corners, np.empty((0, 2), np.float32)), (*bits, np.empty((0, 32), np.uint8))
    small = tuple(max(4, round(side * THUMB / SIDE)) for side in size)
    thumb = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(pixels, (TINY, TINY), interpolation=cv2.INTER_AREA)
    return Sketch(corners, bits, np.asarray(thumb, np.uint8), np.asarray(colour, np.uint8))


def _corners(grey: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    library: Any = cv2
    finder = library.ORB_create(LOOKED_AT, fastThreshold=CONTRAST, edgeThreshold=EDGE)
    found = finder.detect(grey, None)
    found, bits = finder.compute(grey, [found[at] for at in _spread(found, max(grey.shape))[:CORNERS]])
    if bits is None:
        return np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8)
    order = _spread(found, max(grey.shape))  # they come back scale by scale
    return np.asarray(cv2.KeyPoint.convert(found), np.float32)[order] * np.float32(THUMB / SIDE), bits[order]


def _spread(found: Sequence[cv2.KeyPoint], side: int) -> Rows:
    """The order (c,) in which cells of GRID × GRID, at each scale, take turns; the strongest corners of each first."""
    places = np.asarray(cv2.KeyPoint.convert(found), np.float32).reshape(-1, 2)
    column, row = np.minimum((places / side * GRID).astype(np.int64), GRID - 1).T
    cell = (np.array([corner.octave for corner in found], np.int64) * GRID + row) * GRID + column
    weakness = -np.array([corner.response for corner in found], np.float32)
    by_cell = np.lexsort((weakness, cell))
    rank = np.empty(len(cell), np.int64)
    rank[by_cell] = np.arange(len(cell)) - np.searchsorted(cell[by_cell], cell[by_cell])
    return np.lexsort((weakness, rank // AT_ONCE))


class Sketches:
    """The sketch of each row of the table IMAGES that has pixels."""

    def __init__(self, files: list[Path], place: Rows) -> None:
        """`files`: arrays of RECORD as np.save writes them; place (2, n): of each row, and of its mirror image, among
        their records, or -1.
        """
        self._pieces = [(str(file), file.stat().st_mtime_ns) for file in files]
        self._first = np.concatenate([[0], np.cumsum([len(_mapped(piece)) for piece in self._pieces])]).astype(np.int64)
        self._place = place

    @classmethod
    def of(cls, images: Path, held_out: NDArray[np.bool_], folder: Path) -> "Sketches":
        """Sketch the pictures of the table at `images`, mirrored too where `held_out` (n,); keep them in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        jobs, begin, written = [], 0, 0
        place = np.full((2, len(held_out)), -1, np.int64)
        for shard in IMAGES.shards(images):
            width = IMAGES.read(shard, ["width"])["width"].to_numpy()
            rows = np.flatnonzero(width > 0)
            for at in range(0, len(rows), PIECE):
                those = rows[at : at + PIECE]
                mirrored = those[held_out[those + begin]]
                jobs.append((shard, those, held_out[those + begin], folder / f"{shard.stem}-{at:06}.npy"))
                for face, of in enumerate((those, mirrored)):
                    place[face, of + begin] = written + np.arange(len(of))
                    written += len(of)
            begin += len(width)
        with bar("image audit, sketches", "images", total=int((place[0] >= 0).sum())) as shown:
            for made in spread(_sketch_piece, jobs, threads=True):
                shown.update(made)
        return cls([job[-1] for job in jobs], place)

    def sketch(self, row: int) -> Sketch | None:
        """The sketch of a row; None without pixels."""
        place, mirrored = self._place[:, row].tolist()
        if place < 0:
            return None
        faces = [self._record(at) for at in (place, mirrored) if at >= 0]
        corners, bits = ([face[of][: int(face["count"])] for face in faces] for of in ("corners", "bits"))
        if mirrored < 0:
            corners, bits = [*corners, corners[0][:0]], [*bits, bits[0][:0]]
        height, width = faces[0]["shape"].tolist()
        grey = faces[0]["grey"][: height * width].reshape(height, width)
        return Sketch((corners[0], corners[1]), (bits[0], bits[1]), grey, faces[0]["colour"])

    def _record(self, place: int) -> Any:
        piece = int(np.searchsorted(self._first, place, side="right")) - 1
        return _mapped(self._pieces[piece])[place - self._first[piece]]

    def bits(self, rows: Rows, face: int, most: int) -> tuple[Rows, NDArray[np.uint8]]:
        """The bits (c, 32) of the first `most` corners of each of `rows`, and the place (c,) in `rows` of each."""
        places, bits = [np.empty(0, np.int64)], [np.empty((0, 32), np.uint8)]
        for at, row in enumerate(rows.tolist()):
            found = self.sketch(row)
            if found is not None:
                bits.append(found.bits[face][:most].copy())  # a part would hold the whole record, ten times as large
                places.append(np.full(len(bits[-1]), at))
        return np.concatenate(places), np.concatenate(bits)


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
        records = np.zeros(len(rows) + held_out.sum(), RECORD)
        behind = len(rows)
        for record, (mirrored, stored) in zip(records, pictures, strict=False):
            found = sketch(stored, mirrored)
            faces = [record, records[behind]] if mirrored else [record]
            behind += mirrored
            for held, corners, bits in zip(faces, found.corners, found.bits, strict=False):
                held["count"], held["corners"][: len(bits)], held["bits"][: len(bits)] = len(bits), corners, bits
            record["shape"], record["colour"] = found.grey.shape, found.colour
            record["grey"][: found.grey.size] = found.grey.ravel()
        with sealed_file(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, records)
    return len(rows)
