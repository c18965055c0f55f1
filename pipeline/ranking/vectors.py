"""Vectors by id, and their unit length: what ranks, searches and clusters take. It loads fast."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.running.errors import UserError
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.table import matrix, stacked

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 2048


def unit(values: Array) -> Array:
    """Rows scaled to unit length, float32 (n, d); a row of zeros stays. Raises ValueError for a number not finite."""
    result = np.empty(values.shape, np.float32)
    for start in range(0, len(values), _BLOCK):
        rows = values[start : start + _BLOCK].astype(np.float64)
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        if not np.isfinite(lengths).all():
            raise ValueError("a vector holds a number that is not finite")
        result[start : start + len(rows)] = rows / np.where(lengths == 0, 1, lengths)[:, None]
    return result


class Stored:
    """The vectors (n, d) of a table of EMBEDDINGS, read from its shards when they are asked for: one shard is held."""

    def __init__(self, path: Path) -> None:
        self._shards = EMBEDDINGS.shards(path)
        self._begin = np.append(0, np.cumsum([EMBEDDINGS.count(shard) for shard in self._shards]))
        self._held: tuple[int, Array] | None = None

    def __len__(self) -> int:
        return int(self._begin[-1])

    def __getitem__(self, rows: int | slice) -> Array:
        """One vector (d,), or those of a slice (r, d)."""
        if not isinstance(rows, slice):
            one: Array = self[rows : rows + 1][0]
            return one
        begin, end, _ = rows.indices(len(self))
        parts = [
            self._shard(at)[max(begin - low, 0) : end - low]
            for at, (low, high) in enumerate(pairwise(self._begin))
            if low < end and begin < high
        ]
        return np.concatenate(parts or [self._shard(0)[:0]])

    def _shard(self, at: int) -> Array:
        if self._held is None or self._held[0] != at:
            table = EMBEDDINGS.read(self._shards[at])
            self._held = at, Vectors(table["id"], matrix(table["vector"])).values
        return self._held[1]


@dataclass(frozen=True)
class Vectors:
    """Embedded things: ids (n,), each once, and float values (n, d). A number that is not finite is a UserError."""

    ids: pa.Array | pa.ChunkedArray
    values: Array

    def __post_init__(self) -> None:
        if isinstance(self.values, Stored):  # which makes Vectors of each shard
            return
        if self.values.size and not np.isfinite([self.values.min(), self.values.max()]).all():
            row = int(np.argmin(np.isfinite(self.values).all(axis=1)))
            raise UserError(
                f"the vector of {self.ids[row]} holds numbers that are not finite: training diverged; "
                "a lower train.learning_rate may help."
            )

    @classmethod
    def stored(cls, path: Path) -> Self:
        """The table of EMBEDDINGS at `path`, of which the ids alone are in memory: the values are `Stored`."""
        return cls(EMBEDDINGS.read(path, ["id"])["id"].combine_chunks(), cast(Array, Stored(path)))

    @classmethod
    def pieces(cls, path: Path, among: pa.Array | pa.ChunkedArray) -> Iterator[Self]:
        """What `read` reads, shard by shard."""
        for shard in EMBEDDINGS.batches(path):
            yield cls(shard["id"], matrix(shard["vector"])).among(among)

    def among(self, ids: pa.Array | pa.ChunkedArray) -> Self:
        """Those whose id is one of `ids`."""
        rows = _rows_among(self.ids, ids)
        return type(self)(self.ids.take(pa.array(rows)), self.values[rows])

    @classmethod
    def read(cls, path: Path, among: pa.Array | pa.ChunkedArray | None = None) -> Self:
        """The table of EMBEDDINGS at `path`, or its rows whose id is `among` these, in memory once and a shard."""
        ids = EMBEDDINGS.read(path, ["id"])["id"]
        rows = _rows_among(ids, among)
        pieces = (matrix(shard["vector"])[here] for shard, here in EMBEDDINGS.at(path, rows, ["vector"]))
        return cls(ids.take(pa.array(rows)).combine_chunks(), stacked(pieces, len(rows)))


def _rows_among(ids: pa.ChunkedArray, among: pa.Array | pa.ChunkedArray | None) -> Array:
    return np.arange(len(ids)) if among is None else np.flatnonzero(np.asarray(pc.is_in(ids, value_set=among)))
