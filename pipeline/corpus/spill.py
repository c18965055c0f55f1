"""Rows set aside on disk as they come, and read back in any order.

What is sorted at the end of a stream (posts by id, pictures by hash) need not fit in memory: it is appended to Arrow
files, which are memory-mapped afterwards, so that the operating system keeps in memory what there is room for.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa


class Spill:
    """An append-only table on disk; `with Spill(path, schema) as spill: spill.append(rows)`, then `column`, `take`."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._path, self._schema = path, schema

    def __enter__(self) -> Self:
        self._writer = pa.ipc.new_file(str(self._path), self._schema)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._read([self._path])

    @classmethod
    def over(cls, paths: Iterable[Path], schema: pa.Schema) -> Self:
        """The rows of several files that stand, one file after the other."""
        spill = cls(Path(), schema)
        spill._read(paths)
        return spill

    def _read(self, paths: Iterable[Path]) -> None:
        readers = [pa.ipc.open_file(pa.memory_map(str(path))) for path in paths]
        self._batches: list[pa.RecordBatch] = [r.get_batch(i) for r in readers for i in range(r.num_record_batches)]
        self._starts = np.cumsum([0] + [len(batch) for batch in self._batches])
        self.rows = int(self._starts[-1])

    def append(self, rows: pa.Table) -> None:
        """Add `rows`, which have the columns of the schema."""
        self._writer.write_table(rows.select(self._schema.names).cast(self._schema))
        self.rows += rows.num_rows

    def column(self, name: str) -> pa.ChunkedArray:
        """All of one column, in the order in which it was appended, without a copy in memory."""
        return pa.chunked_array([batch.column(name) for batch in self._batches], self._schema.field(name).type)

    def take(self, rows: "np.ndarray[Any, np.dtype[np.int64]]") -> pa.Table:
        """The rows with these numbers, in this order.

        Batch by batch, as pyarrow's own take first joins all batches, and fails where a column exceeds 2 GB.
        """
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        batch = np.searchsorted(self._starts, ordered, side="right") - 1
        parts = []
        for at in np.unique(batch).tolist():
            here = ordered[np.searchsorted(batch, at) : np.searchsorted(batch, at, side="right")] - self._starts[at]
            parts.append(pa.Table.from_batches([self._batches[at].take(pa.array(here))]))
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return pa.concat_tables(parts).combine_chunks().take(back) if parts else self._schema.empty_table()
