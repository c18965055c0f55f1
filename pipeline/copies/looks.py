"""The looks of all pictures, on disk: memory stays at the pages that are read.

Pieces of PIECE pictures stand in a folder, as arrays of RECORD that are mapped, not read; a killed run goes on after
its last piece. A look takes 92 KB, so the folder is about as large as the pictures are.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.copies.aligned import THUMB, Look, Verdict, judge, look_of
from pipeline.copies.points import POINTS, Points
from pipeline.pictures.storing import to_rgb
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import cores, keep_freed_memory
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import COPY

PIECE = 1024
MADE = Verdict(COPY, "features", 0.0)
"""Of images without pixels, made vectors (corpus.synthetic.images: features): their cosine has decided."""
RECORD = np.dtype(
    [
        ("seen", "?"),
        ("points", "<u2"),
        ("width", "<f4"),
        ("place", "<f4", (POINTS, 2)),
        ("numbers", "u1", (POINTS, 128)),
        ("shape", "u1", (2,)),
        ("content", "u1", (THUMB * THUMB * 3,)),
    ]
)


class Looks:
    """The look of each row of the table IMAGES."""

    def __init__(self, pieces: list[NDArray[Any]]) -> None:
        self._pieces = pieces

    @classmethod
    def of(cls, images: Path, folder: Path) -> "Looks":
        """Look at the pictures of the table at `images`, and keep what is seen in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        keep_freed_memory()  # SIFT's pyramids
        paths = []
        with bar("looks", "images", total=IMAGES.count(images)) as shown, ThreadPoolExecutor(cores()) as threads:
            for begin, piece in _pieces(images):
                path = folder / f"{begin:09}.npy"
                if not stands(path):
                    records = np.zeros(piece.num_rows, RECORD)
                    for row, record in enumerate(threads.map(_record, piece.to_pylist())):
                        if record is not None:
                            records[row] = record
                        shown.update()
                    with sealed_file(path) as temporary, temporary.open("wb") as stream:
                        np.save(stream, records)
                else:
                    shown.update(piece.num_rows)
                paths.append(path)
        return cls([np.load(path, mmap_mode="r") for path in paths])

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def look(self, row: int) -> Look | None:
        """The look of a row; None without pixels."""
        record = self._pieces[row // PIECE][row % PIECE]
        if not record["seen"]:
            return None
        count, (height, width) = int(record["points"]), record["shape"].tolist()
        points = Points(record["place"][:count], record["numbers"][:count], float(record["width"]))
        content = record["content"][: height * width * 3].reshape(height, width, 3)
        return Look(points, content)

    def numbers(self, count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """By pieces, the rows (p,) and the numbers (p, 128) of the `count` strongest points of each picture."""
        for number, piece in enumerate(self._pieces):
            held = np.minimum(piece["points"], count)
            there = np.arange(count)[None, :] < held[:, None]
            yield np.repeat(np.arange(len(piece)) + number * PIECE, held), piece["numbers"][:, :count][there]

    def judge(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> list[Verdict | None]:
        """What the pictures of each pair of rows (p,) are to each other."""

        def of(i: int, j: int) -> Verdict | None:
            one, other = self.look(i), self.look(j)
            return MADE if one is None or other is None else judge(one, other)

        # Products of small matrices: threads of BLAS would wait for each other inside ours.
        with threadpool_limits(1), ThreadPoolExecutor(cores()) as threads:
            return list(threads.map(of, left.tolist(), right.tolist()))


def _pieces(images: Path) -> Iterator[tuple[int, pa.Table]]:
    """The pictures of a table by PIECE, each with its first row."""
    begin, held = 0, IMAGES.empty().select(["bytes", "width"])
    for shard in IMAGES.batches(images, ["bytes", "width"]):
        held = pa.concat_tables([held, shard])
        while held.num_rows >= PIECE:
            yield begin, held.slice(0, PIECE)
            begin, held = begin + PIECE, held.slice(PIECE)
    if held.num_rows:
        yield begin, held


def _record(picture: dict[str, Any]) -> tuple[Any, ...] | None:
    if not picture["width"]:
        return None
    look = look_of(to_rgb(picture["bytes"]))
    count = len(look.points.place)
    place, numbers = np.zeros((POINTS, 2), np.float32), np.zeros((POINTS, 128), np.uint8)
    place[:count], numbers[:count] = look.points.place, look.points.numbers
    content = np.zeros(THUMB * THUMB * 3, np.uint8)
    content[: look.content.size] = look.content.ravel()
    return True, count, look.points.width, place, numbers, look.content.shape[:2], content
