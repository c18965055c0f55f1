"""The tables that pass between stages: one declared schema, key and order each, checked when written and when read.

A table is a folder of Parquet shards, `part-00000.parquet` and on, sorted by its key over all shards. A shard holds a
fixed number of rows, or as many as bring their text to SHARD_BYTES, so equal content gives equal bytes however it was
produced, and DVC sees no false change.

Each page of a shard carries its checksum, which is verified on reading, and rows are counted: a shard that was cut off,
overwritten or had a bit flipped is a `Damaged` that names it, never other data.

Vectors are fixed-size lists of float16 or float32; `matrix` shows such a column as an (n, d) array without copying.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.running.errors import Damaged, UserError
from pipeline.running.files import atomic_file, atomic_folder

if TYPE_CHECKING:
    import pandas as pd  # which takes half a second

SHARD_BYTES = 512 << 20
"""Bytes of text and pictures with which a shard ends, however few its rows: that bounds what a writer holds."""
VECTOR = pa.list_(pa.float32())
"""Declares a vector column: in the file a fixed-size list of float16 or float32, of any length but one per table."""
Array = np.ndarray[Any, Any]
_OF_BYTES = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


@dataclass(frozen=True)
class Table:
    """One kind of table: `schema`, the `key` columns by which it is sorted (no row twice), and its rows per shard."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    shard_rows: int = 1_000_000
    optional: tuple[str, ...] = ()
    """Columns that a writer may lack: they are null then."""

    def write(self, rows: "pa.Table | pd.DataFrame", path: Path) -> int:
        """Sort `rows` by the key, check them, write them in the place of `path`. Returns the number of rows."""
        table = self._conform(rows)
        if not self._ascending(table, strict=False):
            table = table.sort_by([(name, "ascending") for name in self.key])
        with self.writer(path) as writer:
            writer.write(table)
        return int(table.num_rows)

    @contextmanager
    def writer(self, path: Path) -> Iterator["ShardWriter"]:
        """A writer for rows that arrive in key order, in pieces of any size; `path` appears when the block ends."""
        with atomic_folder(path) as folder, ShardWriter(self, folder, path) as writer:
            yield writer

    def write_shard(self, rows: "pa.Table | pd.DataFrame", path: Path) -> int:
        """Write one shard file, atomically: for work that is spread over shards (`pipeline.running.shards`)."""
        table = self._conform(rows)
        self._check_order(table, path)
        with atomic_file(path) as temporary:
            write_parquet(table, temporary)
        return int(table.num_rows)

    def shards(self, path: Path) -> list[Path]:
        """The shard files of `path`, in order. Raises UserError where there is no such table."""
        found = sorted(path.glob("part-*.parquet"))
        if not found:
            raise UserError(f"{path}: no table {self.name} there; `dvc repro` makes it, `dvc checkout` restores it.")
        return found

    def read(self, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole table, or the named columns of it. Reads a folder of shards, or one shard file."""
        parts = list(self.batches(path, columns))
        return pa.concat_tables(parts) if len(parts) > 1 else parts[0]

    def batches(self, path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """One pa.Table per shard, in key order: memory stays at one shard."""
        last: tuple[Any, ...] | None = None
        for shard in [path] if path.is_file() else self.shards(path):
            table = read_parquet(shard, columns)
            self._check_schema(table.schema, shard, partial=columns is not None)
            if set(self.key) <= set(table.column_names) and table.num_rows:
                self._check_order(table, shard, last)
                last = self._key_at(table, -1)
            yield table

    def find(self, path: Path, ids: Collection[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """`columns` of the rows whose id, the key's first column, is one of `ids`, by id; those not there are left out.

        Only the shards that hold some are read beyond their ids: for a few rows of a table of any size.
        """
        wanted = pa.array(sorted(ids), self.schema.field(self.key[0]).type)
        found: dict[str, dict[str, Any]] = {}
        for shard in self.shards(path):
            held = read_parquet(shard, [self.key[0]])[0]
            here = pc.is_in(held, wanted)
            if pc.any(here).as_py():
                rows = self.read(shard, columns).filter(here).to_pylist()
                found |= dict(zip(held.filter(here).to_pylist(), rows, strict=True))
        return found

    def at(self, path: Path, rows: Array, columns: Sequence[str]) -> Iterator[tuple[pa.Table, Array]]:
        """`columns` of each shard that holds some of `rows`, ascending, and their rows there; no other shard is read.

        The first is told where no row is asked for, so that there is always one.
        """
        begin = 0
        for shard in self.shards(path):
            end = begin + _rows(shard)
            low, high = np.searchsorted(rows, [begin, end])
            if low < high or not (begin or len(rows)):
                yield self.read(shard, columns), rows[low:high] - begin
            begin = end

    def count(self, path: Path) -> int:
        """The number of rows, from the files' footers alone."""
        return sum(_rows(shard) for shard in ([path] if path.is_file() else self.shards(path)))

    def empty(self) -> pa.Table:
        """The table without a row."""
        return self.schema.empty_table()

    def of(self, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        """The table of `rows`, their values in the order of the schema's columns."""
        columns = list(zip(*rows, strict=True)) or [()] * len(self.schema)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)], schema=self.schema)

    def _conform(self, rows: "pa.Table | pd.DataFrame") -> pa.Table:
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        for name in set(self.optional) - set(table.column_names):
            table = table.append_column(name, pa.nulls(table.num_rows, self.schema.field(name).type))
        missing = set(self.schema.names) - set(table.column_names)
        extra = set(table.column_names) - set(self.schema.names)
        if missing or extra:
            raise ValueError(f"{self.name}: missing columns {sorted(missing)}, unexpected columns {sorted(extra)}")
        table = table.select(self.schema.names)
        for field in self.schema:
            if not field.nullable and table[field.name].null_count:
                raise ValueError(f"{self.name}.{field.name} allows no nulls; found {table[field.name].null_count}")
        schema = pa.schema(
            [
                table.field(f.name) if f.type == VECTOR and _is_vector(table.field(f.name).type) else f
                for f in self.schema
            ]
        )
        table = table.cast(schema.remove_metadata())
        self._check_schema(table.schema, Path(self.name), partial=False)
        return table

    def _check_schema(self, schema: pa.Schema, path: Path, partial: bool) -> None:
        for field in self.schema:
            if partial and field.name not in schema.names:
                continue
            found = schema.field(field.name).type if field.name in schema.names else None
            if found != field.type and not (field.type == VECTOR and found is not None and _is_vector(found)):
                raise UserError(
                    f"{path}: column {field.name} of {self.name} is {found}; expected {field.type}. "
                    "`dvc repro` makes it anew."
                )

    def _check_order(self, table: pa.Table, path: Path, last: tuple[Any, ...] | None = None) -> None:
        if not self._ascending(table, strict=True):
            raise ValueError(f"{path}: {self.name} has to be sorted by {', '.join(self.key)}, without a repeated key")
        if last is not None and table.num_rows and not last < self._key_at(table, 0):
            raise ValueError(
                f"{path}: {self.name} is not in order of {', '.join(self.key)}: {self._key_at(table, 0)} follows {last}"
            )

    def _key_at(self, table: pa.Table, row: int) -> tuple[Any, ...]:
        return tuple(table[name][row].as_py() for name in self.key)

    def _ascending(self, table: pa.Table, strict: bool) -> bool:
        """Whether rows are in key order; `strict` also asks that no key is repeated."""
        if table.num_rows < 2:
            return True
        equal: Any = np.ones(table.num_rows - 1, bool)
        for name in self.key:
            column = table[name].combine_chunks()
            before, after = column.slice(0, len(column) - 1), column.slice(1)
            if np.any(equal & pc.greater(before, after).to_numpy(zero_copy_only=False)):
                return False
            equal &= pc.equal(before, after).to_numpy(zero_copy_only=False)
        return not (strict and equal.any())


class ShardWriter:
    """Cuts rows that arrive in key order into shards of `table.shard_rows` rows, or of SHARD_BYTES; an empty table is
    one empty shard.
    """

    def __init__(self, table: Table, folder: Path, path: Path) -> None:
        self.rows = 0
        self._table, self._folder, self._path = table, folder, path
        self._waiting: list[pa.Table] = []
        self._held, self._bytes = 0, 0
        self._shards = 0
        self._last: tuple[Any, ...] | None = None

    def write(self, rows: "pa.Table | pd.DataFrame") -> None:
        """Add rows whose keys are above all those before."""
        table = self._table._conform(rows)
        if not table.num_rows:
            self._waiting = self._waiting or [table]
            return
        self._table._check_order(table, self._path, self._last)
        self._last = self._table._key_at(table, -1)
        held, begin = np.append(0, np.cumsum(content_bytes(table))), 0
        while begin < table.num_rows:
            full = int(np.searchsorted(held, held[begin] + SHARD_BYTES - self._bytes))
            end = min(begin + self._table.shard_rows - self._held, full, table.num_rows)
            self._waiting.append(table.slice(begin, end - begin))
            self._held += end - begin
            self._bytes += int(held[end] - held[begin])
            begin = end
            if self._held == self._table.shard_rows or self._bytes >= SHARD_BYTES:
                self._flush()
        self.rows += table.num_rows

    def _flush(self) -> None:
        whole = pa.concat_tables(
            [part for part in self._waiting if part.num_rows] or self._waiting or [self._table.empty()]
        )
        write_parquet(whole, self._folder / f"part-{self._shards:05d}.parquet")
        self._shards += 1
        self._waiting, self._held, self._bytes = [], 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and (self._held or not self._shards):
            self._flush()


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write one Parquet file with page checksums, by which `read_parquet` knows that it is still what was written."""
    table = table.combine_chunks().replace_schema_metadata(None)
    heavy = [f.name for f in table.schema if pa.types.is_binary(f.type) or _is_vector(f.type)]
    light = [f.name for f in table.schema if f.name not in heavy]
    # Picture bytes and vectors do not compress, and a dictionary of them is waste.
    compression = {name: "none" if name in heavy else "zstd" for name in table.column_names}
    pq.write_table(
        table, path, compression=compression, use_dictionary=light, row_group_size=1 << 17, write_statistics=light,
        write_page_checksum=True,
    )  # fmt: skip


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The file that `write_parquet` wrote, or some of its columns. Raises Damaged where it is not what was written."""
    with _told(path), pq.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
        missing = set(columns or ()) - set(file.schema_arrow.names)
        if missing:
            raise UserError(
                f"{path}: no column {', '.join(sorted(missing))}; it has {', '.join(file.schema_arrow.names)}. "
                "`dvc repro` makes it anew."
            )
        table = file.read(list(columns) if columns is not None else None)
        if table.num_rows != _counted(file.metadata):
            raise ValueError(f"{table.num_rows} rows of {file.metadata.num_rows}")
    return table


def _rows(path: Path) -> int:
    """The number of rows of a file, from its footer alone."""
    with _told(path):
        return _counted(pq.read_metadata(path))


def _counted(about: pq.FileMetaData) -> int:
    groups = sum(about.row_group(i).num_rows for i in range(about.num_row_groups))
    if groups != about.num_rows:
        raise ValueError(f"{groups} rows in its groups and {about.num_rows} in all")
    return int(about.num_rows)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What pyarrow raises over damaged bytes, as Damaged. A file that cannot be opened at all is another thing."""
    try:
        yield
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise Damaged(path, error) from error
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise Damaged(path, error) from error


def _is_vector(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind) and kind.value_type in (pa.float16(), pa.float32())


def matrix(column: pa.ChunkedArray | pa.Array) -> Array:
    """A vector column as an (n, d) array of float16 or float32, without a copy where it is one chunk."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # combine_chunks of an empty column
        return np.empty((0, column.type.list_size), column.type.value_type.to_pandas_dtype())
    flat: Array = array.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(array), array.type.list_size)


def stacked(pieces: Iterable[Array], count: int) -> Array:
    """The `count` rows of all `pieces` (., d), of which there is one at least: in memory once, and a piece."""
    found, begin = np.empty(0), 0
    for piece in pieces:
        if not begin:
            found = np.empty((count, piece.shape[1]), piece.dtype)
        found[begin : begin + len(piece)] = piece
        begin += len(piece)
    return found


def vectors(values: Array) -> pa.FixedSizeListArray:
    """An (n, d) array of float16 or float32 as a vector column."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.from_numpy_dtype(flat.dtype)), values.shape[1])


def content_bytes(rows: pa.Table | pa.RecordBatch) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The bytes (n,) that each row has of text and pictures, in lists and dictionaries too."""
    found = np.zeros(rows.num_rows, np.int64)
    for column in rows.columns:
        begin = 0
        for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            found[begin : begin + len(chunk)] += _lengths(chunk)
            begin += len(chunk)
    return found


def _lengths(values: pa.Array) -> "np.ndarray[Any, np.dtype[np.int64]]":
    kind, found = values.type, np.zeros(len(values), np.int64)
    if pa.types.is_dictionary(kind):
        # A null is the last one, and of no length.
        at = pc.fill_null(values.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        found += np.append(_lengths(values.dictionary), 0)[at]
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        ends = np.cumsum(pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False))
        found += np.diff(np.append(0, np.cumsum(_lengths(values.flatten())))[np.append(0, ends)])
    elif any(is_kind(kind) for is_kind in _OF_BYTES):
        found += pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    return found


def positions(
    ids: pa.ChunkedArray | pa.Array, among: pa.ChunkedArray | pa.Array
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each of `ids`, its row in `among` (each id there once); -1 where it is null or not there."""
    among = among.combine_chunks() if isinstance(among, pa.ChunkedArray) else among
    found: Array = pc.fill_null(pc.index_in(ids, value_set=among), -1).to_numpy()
    return found.astype(np.int64)


def strings(values: Iterable[str | None]) -> pa.Array:
    """A string column."""
    return pa.array(values, pa.string())


def schema(*fields: tuple[str, pa.DataType] | tuple[str, pa.DataType, bool]) -> pa.Schema:
    """Fields as (name, type) for columns without nulls, (name, type, True) for columns that may hold them."""
    return pa.schema([pa.field(f[0], f[1], nullable=len(f) == 3) for f in fields])


TEXT, WORD_LIST = pa.string(), pa.list_(pa.string())
"""Types of columns."""
