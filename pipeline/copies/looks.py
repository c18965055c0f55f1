"""The looks of all pictures, on disk: memory stays at the few that are read.

Pieces of PIECE pictures stand in a folder, as files of RECORD, and beside them the further looks, of the pictures that
have such; a killed run goes on after its last piece. A look takes 108 KB, so the folder is about as large as the
pictures are. Pieces, and stretches of pairs to look at, are jobs (`pipeline.running.engines.spread`).

A look is read, not mapped: pages of mapped files count as a process's own, and joblib ends workers that have taken
300 MB more than at their first job, as ones that leak.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.copies.aligned import Verdict, bond
from pipeline.copies.detail import PACKED
from pipeline.copies.look import THUMB, Look, look_of
from pipeline.copies.points import POINTS, Points
from pipeline.pictures.storing import to_rgb
from pipeline.running.engines import spread
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import keep_freed_memory
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import COPY
from pipeline.tables.stretch import rows_of

PIECE = 250
"""Pictures of a piece, all of one shard: a job takes a few seconds, and its array 27 MB."""
PAIRS = 512
"""Pairs that are looked at in a job."""
MADE = Verdict(COPY, "features", 0.0)
"""Of images without pixels, made vectors (corpus.synthetic.images: features): their cosine has decided."""
RECORD = np.dtype(
    [
        ("row", "<u2"),
        ("seen", "?"),
        ("part", "?"),
        ("points", "<u2"),
        ("width", "<f4"),
        ("place", "<f4", (POINTS, 2)),
        ("numbers", "u1", (POINTS, 128)),
        ("shape", "u1", (2,)),
        ("content", "u1", (THUMB * THUMB * 3,)),
        ("detail", "u1", (PACKED,)),
    ]
)
"""Of a look; `row`: which of its piece."""
FURTHER = ".further"
"""Suffix of a piece's further looks."""


class Records:
    """Looks in files, one after the other."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        held = [file.stat().st_size // RECORD.itemsize for file in files]
        self._first = np.concatenate([[0], np.cumsum(held)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._first[-1])

    def by_file(self) -> Iterator[tuple[int, Path]]:
        """The place of each file's first look, and the file."""
        return zip(self._first.tolist(), self._files, strict=False)

    def all(self) -> NDArray[Any]:
        """All of them, (n,) of RECORD, in memory."""
        return np.concatenate([np.empty(0, RECORD), *(np.fromfile(file, RECORD) for file in self._files)])

    def look(self, place: int) -> Look | None:
        """The look at a place; None where nothing is seen."""
        piece = int(np.searchsorted(self._first, place, side="right")) - 1
        before = int(place - self._first[piece]) * RECORD.itemsize
        with self._files[piece].open("rb", buffering=0) as stream:
            stream.seek(before)
            record = np.frombuffer(stream.read(RECORD.itemsize), RECORD)[0]
        if not record["seen"]:
            return None
        count, (height, width) = int(record["points"]), record["shape"].tolist()
        points = Points(record["place"][:count], record["numbers"][:count], float(record["width"]))
        content = record["content"][: height * width * 3].reshape(height, width, 3)
        return Look(points, content, record["detail"].tobytes(), part=bool(record["part"]))

    def numbers(self, count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """By files, the places (p,) and the numbers (p, 128) of the `count` strongest points of each look."""
        for first, file in self.by_file():
            mapped = np.memmap(file, RECORD, "r")  # a third of its bytes at most are asked for
            held = np.minimum(mapped["points"], count)
            there = np.arange(count)[None, :] < held[:, None]
            yield np.repeat(np.arange(len(mapped)) + first, held), mapped["numbers"][:, :count][there]


class Looks:
    """The look of each row of the table IMAGES. It can be sent to another process that sees its files."""

    def __init__(self, files: list[Path]) -> None:
        """`files`: of RECORD, in order of the rows."""
        self._pieces = Records(files)
        beside = [(first, file.with_suffix(FURTHER)) for first, file in self._pieces.by_file()]
        beside = [(first, file) for first, file in beside if file.exists() and file.stat().st_size]
        self._further = Records([file for _, file in beside])
        rows = [first + np.memmap(file, RECORD, "r")["row"].astype(np.int64) for first, file in beside]
        self._seen_again = np.concatenate([np.empty(0, np.int64), *rows])  # rows of the further looks, ascending

    @classmethod
    def of(cls, images: Path, folder: Path) -> "Looks":
        """Look at the pictures of the table at `images`, and keep what is seen in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [
            (shard, begin, min(PIECE, held - begin), folder / f"{shard.stem}-{begin:06}.looks")
            for shard in IMAGES.shards(images)
            for held in [IMAGES.count(shard)]
            for begin in range(0, held, PIECE)
        ]
        with bar("looks", "images", total=IMAGES.count(images)) as shown:
            for held in spread(_look_at, jobs):
                shown.update(held)
        return cls([file for *_, file in jobs])

    def __len__(self) -> int:
        return len(self._pieces)

    def taken(self, rows: NDArray[np.int64], file: Path) -> "Looks":
        """The looks of these rows (r,), ascending and at most a piece can tell, alone: copied to `file`."""
        again = np.isin(self._seen_again, rows)
        further = self._further.all()[again]
        further["row"] = np.searchsorted(rows, self._seen_again[again])
        further.tofile(file.with_suffix(FURTHER))
        self._pieces.all()[rows].tofile(file)
        return Looks([file])

    def look(self, row: int) -> Look | None:
        """The look of a row; None without pixels."""
        look = self._pieces.look(row)
        begin, end = np.searchsorted(self._seen_again, [row, row + 1]).tolist()
        further = (self._further.look(place) for place in range(begin, end))
        return replace(look, further=tuple(one for one in further if one)) if look and end > begin else look

    def owners(self) -> NDArray[np.int64]:
        """The row of each look: of pictures, and behind them of further looks."""
        return np.concatenate([np.arange(len(self)), self._seen_again])

    def numbers(self, count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """By pieces, the looks (p,) and the numbers (p, 128) of the `count` strongest points of each of `owners`."""
        yield from self._pieces.numbers(count)
        for looks, numbers in self._further.numbers(count):
            yield looks + len(self), numbers

    def judge(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> list[Verdict | None]:
        """What the pictures of each pair of rows (p,) are to each other, the related among them."""
        order = np.lexsort((right, left))  # one picture's pairs are looked at together
        jobs = (order[begin : begin + PAIRS] for begin in range(0, len(order), PAIRS))
        told: list[Verdict | None] = [None] * len(order)
        found = spread(_judged, ((left[rows], right[rows]) for rows in jobs), (self,))
        for begin, part in zip(range(0, len(order), PAIRS), found, strict=True):
            for place, verdict in zip(order[begin : begin + PAIRS].tolist(), part, strict=True):
                told[place] = verdict
        return told


def _judged(pairs: tuple[NDArray[np.int64], NDArray[np.int64]], looks: Looks) -> list[Verdict | None]:
    held = lru_cache(2)(looks.look)

    def of(i: int, j: int) -> Verdict | None:
        one, other = held(i), held(j)
        return MADE if one is None or other is None else bond(one, other)

    with threadpool_limits(1):  # products of small matrices
        return [of(i, j) for i, j in zip(*(rows.tolist() for rows in pairs), strict=True)]


def _look_at(job: tuple[Path, int, int, Path]) -> int:
    """Make the piece of `count` of a shard's pictures from a row on, unless it stands; returns how many."""
    shard, begin, count, file = job
    beside = file.with_suffix(FURTHER)
    if not (stands(file) and stands(beside)):
        keep_freed_memory()  # SIFT's pyramids
        records, further = np.zeros(count, RECORD), []
        for row, picture in enumerate(rows_of(shard, ["bytes", "width"], begin, count)):
            if picture["width"]:
                look = look_of(to_rgb(picture["bytes"]))
                records[row] = _record(row, look)
                further += [_record(row, one) for one in look.further]
        with sealed_file(beside) as temporary:
            np.array(further, RECORD).tofile(temporary)
        with sealed_file(file) as temporary, temporary.open("wb") as stream:
            _save(records, stream)
    return count


def _save(records: NDArray[Any], stream: BinaryIO) -> None:
    """Records of nothing are left as holes, which take no disk."""
    for record in records:
        if record["seen"]:
            stream.write(record.tobytes())
        else:
            stream.seek(RECORD.itemsize, 1)
    stream.truncate()


def _record(row: int, look: Look) -> tuple[Any, ...]:
    count = len(look.points.place)
    place, numbers = np.zeros((POINTS, 2), np.float32), np.zeros((POINTS, 128), np.uint8)
    place[:count], numbers[:count] = look.points.place, look.points.numbers
    content = np.zeros(THUMB * THUMB * 3, np.uint8)
    content[: look.content.size] = look.content.ravel()
    detail = np.frombuffer(look.packed.ljust(PACKED, b"\0"), np.uint8)
    return row, True, look.part, count, look.points.width, place, numbers, look.content.shape[:2], content, detail
