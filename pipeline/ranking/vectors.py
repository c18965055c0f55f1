"""Vectors by id, and their unit length: what ranks, searches and clusters take. It loads fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.running.errors import UserError
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.table import matrix

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


@dataclass(frozen=True)
class Vectors:
    """Embedded things: ids (n,), each once, and float values (n, d). A number that is not finite is a UserError."""

    ids: pa.Array | pa.ChunkedArray
    values: Array

    def __post_init__(self) -> None:
        if self.values.size and not np.isfinite([self.values.min(), self.values.max()]).all():
            row = int(np.argmin(np.isfinite(self.values).all(axis=1)))
            raise UserError(
                f"the vector of {self.ids[row]} holds numbers that are not finite: training diverged; "
                "a lower train.learning_rate may help."
            )

    @classmethod
    def read(cls, path: Path, among: pa.Array | pa.ChunkedArray | None = None) -> Self:
        """The table of EMBEDDINGS at `path`, or its rows whose id is `among` these, in memory once and a shard."""
        chosen = [_rows_among(shard["id"], among) for shard in EMBEDDINGS.batches(path, ["id"])]
        ids: list[pa.ChunkedArray] = []
        values, begin = np.empty((0, 0), np.float32), 0
        for shard, rows in zip(EMBEDDINGS.batches(path), chosen, strict=True):
            part = matrix(shard["vector"])
            if not begin:
                values = np.empty((sum(map(len, chosen)), part.shape[1]), part.dtype)
            values[begin : begin + len(rows)] = part[rows]
            begin += len(rows)
            ids += shard["id"].take(pa.array(rows)).chunks
        return cls(pa.chunked_array(ids, pa.string()).combine_chunks(), values)


def _rows_among(ids: pa.ChunkedArray, among: pa.Array | pa.ChunkedArray | None) -> Array:
    return np.arange(len(ids)) if among is None else np.flatnonzero(pc.is_in(ids, value_set=among).to_numpy())
