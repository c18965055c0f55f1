"""Files of rows, read in pieces: Parquet, Arrow, CSV and JSON, packed or not (`packing` and `streams`, beside this).

A row that cannot be read is rejected, with its place; a file that cannot, or that lacks a column, is a UserError. Rows
are counted as a spreadsheet counts them, a CSV's header being row 1; blank lines do not count, save in JSON, where a
row is a line (of a list, an element).
"""

import logging
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.common.separated import AROUND
from pipeline.corpus.reading import packing
from pipeline.corpus.reading.json_rows import as_text, each_object, objects
from pipeline.corpus.reading.packing import Told
from pipeline.corpus.reading.streams import Csv, Dialect, dialect_of
from pipeline.running.errors import UserError, of_program
from pipeline.tables.corpus import REJECTED
from pipeline.tables.table import content_bytes

BATCH = 1 << 16
PIECE_BYTES = 64 << 20
"""Bytes of text of a piece, or of one row: what checks a piece holds it some times over."""
UNREADABLE = "unreadable row"
log = logging.getLogger("import_corpus")
_ARCHIVES = (".tar", *(f".tar{packed}" for packed in packing.PACKED), ".tgz", ".7z", ".rar")

OTHER_NAMES = {
    "created_at": ("date", "datetime", "time", "timestamp", "created", "createdutc", "createdtime", "published",
                   "publishedat", "posted", "postedat"),
    "language": ("lang",),
    "url": ("link", "permalink"),
    "likes": ("likecount", "likescount", "favoritecount", "numlikes"),
    "replies": ("replycount", "repliescount", "commentcount", "numcomments"),
    "more_images": ("images",),
    "alt": ("alttext",),
}  # fmt: skip
"""What programs call optional columns, in small letters and without signs."""

Pieces = Iterator[tuple[pa.Table, pa.Table]]
"""Rows with their number in the column `row`, and what is rejected among them."""


def read(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    """The rows of a table, with the columns `row`, `needed` and `optional` (null where the file has none).

    Raises UserError for what is no table, and for one without a column that is needed.
    """
    readers: dict[str, Callable[[Path, Sequence[str], Sequence[str]], Pieces]] = {
        ".parquet": _read_parquet,
        **dict.fromkeys((".arrow", ".feather"), _read_arrow),
        **dict.fromkeys(packing.TEXTS[:4], _read_csv),
        **dict.fromkeys(packing.TEXTS[4:], _read_json),
    }
    if path.is_dir():
        raise UserError(
            f"{path} is a folder; expected one file. Name one of its parts; or set corpus.source to export, which "
            "reads all that lie in a folder."
        )
    if path.name.lower().endswith(_ARCHIVES):
        raise UserError(f"{path} is an archive of files: unpack it, and name the table in it.")
    kind = packing.kind_of(path)
    if what := of_program(kind):
        raise UserError(f"{path} is {what}.")
    if kind not in readers or (kind not in packing.TEXTS and path.suffix.lower() in packing.PACKED):
        packed = ", ".join((*packing.PACKED, ".zip"))
        raise UserError(
            f"{path}: expected a file that ends in {', '.join(readers)} (those of text also in {packed} behind it)."
        )
    for rows, refused in readers[kind](path, needed, optional):
        for name in optional:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        yield rows, refused


def _check_columns(path: Path, needed: Sequence[str], optional: Sequence[str], found: Sequence[str]) -> None:
    for name in (*needed, *optional):
        if found.count(name) > 1 or (name in needed and name not in found):
            what = f"no column {name}" if name not in found else f"several columns {name}"
            plain = {one: one == one.strip(AROUND) and one.isprintable() for one in found}
            told = ", ".join(one if plain[one] else repr(one) for one in found)[:300] or "none"
            raise UserError(f"{path}: {what}; columns found: {told}.{_to_do(name, found)}")
        usual = (_letters(name), *OTHER_NAMES.get(name, ()))
        if name not in found and (alike := [one for one in found if _letters(one) in usual]):
            log.warning("%s: the column %s is not read: if it is %s, call it so", path, alike[0], name)
        if again := [one for one in found if re.fullmatch(rf"{name}[._ ]?\d+", one)]:  # pandas' or people's
            told = f"column {again[0]} is" if len(again) == 1 else f"columns {', '.join(again)} are"
            log.warning("%s: the %s not read, as there is a column %s", path, told, name)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _to_do(name: str, found: Sequence[str]) -> str:
    """What to do where a column is missing."""
    if not found:
        return " The file is empty."
    if len(found) == 1 and len(re.findall(r"[,;\t|，；]", found[0])) > 1:
        return (
            " Each row stands in a single cell, as where a CSV was pasted into a spreadsheet: part it into columns "
            "there, and save it again."
        )
    if len(found) == 1 and (parted := re.search(rf"{name}['\"]?([^\w'\"]+)", found[0])):
        return f" What parts them seems to be {parted[1]!r}; it has to be a comma, a semicolon, | or a tab."
    if name == "text" and {"post_id", "user_id"} <= set(found):
        return " Words are what users start from: titles, descriptions or alt texts may stand there."
    if name == "interests":
        return (
            " It holds all interests of a person, as a list: make one of what stands in rows or columns of their own."
        )
    if name in found or name == "brand":
        return ""
    return (
        " Rename them as docs/own-corpus.md has them; or set corpus.source to export, which knows the tables of many "
        "tools, and takes any other by corpus.columns (docs/exports/columns.md)."
    )


def _unread(path: Path, rows: Sequence[tuple[int, str]]) -> pa.Table:
    """Rejected rows, of which no more is known than their number and what is wrong."""
    ids = [f"row {row} of {path.name}" for row, _ in rows]
    details = [f"{place}: {why}" for place, (_, why) in zip(ids, rows, strict=True)]
    return pa.table({"id": ids, "reason": [UNREADABLE] * len(ids), "detail": details}, schema=REJECTED.schema)


def _read_parquet(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    with _read_as("Parquet", path):
        file = pq.ParquetFile(path)
        _check_columns(path, needed, optional, file.schema_arrow.names)
        columns = [*needed, *(name for name in optional if name in file.schema_arrow.names)]
        rows, repeated = _packed(file.metadata, columns)
        file = pq.ParquetFile(path, read_dictionary=repeated)
        yield from _numbered(file.iter_batches(rows, columns=columns))


def _read_arrow(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    """Arrow's file, which Feather is, or a stream of its batches."""
    with _read_as("Arrow", path), pa.memory_map(str(path)) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        _check_columns(path, needed, optional, reader.schema.names)
        columns = [*needed, *(name for name in optional if name in reader.schema.names)]
        batches = (reader.get_batch(at) for at in range(reader.num_record_batches)) if is_file else reader
        yield from _numbered(batch.select(columns) for batch in batches)


@contextmanager
def _read_as(kind: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        what = packing.other(path) or kind
        told = f"{path} cannot be read as {kind}: {error}" if what.startswith(kind) else f"{path} is {what}."
        raise UserError(told) from None


def _numbered(batches: Iterable[pa.RecordBatch]) -> Pieces:
    begin = 1
    for batch in batches:
        for part in _light(batch):
            numbers = pa.array(np.arange(begin, begin + len(part)))
            begin += len(part)
            yield _plain_lists(pa.Table.from_batches([part])).append_column("row", numbers), REJECTED.empty()


def _packed(about: pq.FileMetaData, columns: Sequence[str]) -> tuple[int, list[str]]:
    """How many rows to read at once, by what they unpack to; the columns of text that repeat values of a dictionary.

    A small file may hold one long text for many rows: it is not to be laid out for each of them before the rows are
    cut into pieces.
    """
    rows, repeated = BATCH, set()
    for i in range(about.num_row_groups):
        group = about.row_group(i)
        found = [group.column(j) for j in range(group.num_columns)]
        found = [one for one in found if one.path_in_schema.partition(".")[0] in columns]
        unpacked = sum(one.total_uncompressed_size for one in found)
        rows = min(rows, max(1, PIECE_BYTES * group.num_rows // max(1, unpacked)))
        repeated |= {
            one.path_in_schema
            for one in found
            if one.physical_type == "BYTE_ARRAY" and one.has_dictionary_page and _is_plain_or_listed(one.path_in_schema)
        }
    return rows, sorted(repeated)


def _is_plain_or_listed(path: str) -> bool:
    return "." not in path or re.fullmatch(r"[^.]+\.list\.(element|item)", path) is not None


def _plain_lists(rows: pa.Table) -> pa.Table:
    """`rows` with plain lists of values: not of places in a dictionary, large, or of one length."""
    for at, field in enumerate(rows.schema):
        if pa.types.is_fixed_size_list(field.type) or pa.types.is_large_list(field.type):
            values = rows[field.name].to_pylist()
            rows = rows.set_column(at, field.name, pa.chunked_array([pa.array(values)]))
            continue
        if pa.types.is_list(field.type) and pa.types.is_dictionary(field.type.value_type):
            places = rows[field.name].take(
                pa.array(np.arange(rows.num_rows))
            )  # of these rows; a slice has those of all
            rows = rows.set_column(at, field.name, places.cast(pa.list_(field.type.value_type.value_type)))
    return rows


def _light(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """`batch` in parts of at most PIECE_BYTES, or of one row."""
    begin = 0
    ends = np.cumsum(content_bytes(batch))
    while begin < len(batch):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + PIECE_BYTES, side="right")))
        yield batch.slice(begin, end - begin)
        begin = end


def _read_csv(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    dialect = dialect_of(path, needed)
    header = dialect.header
    _check_columns(path, needed, optional, header)
    columns = [*needed, *(name for name in optional if name in header)]
    above = dialect.top - 1  # rows before the header
    written = [dialect.written[header.index(name)] for name in columns]
    last = dialect.written[-1]  # read too, to see whether the last quote is closed
    unread: list[tuple[int, str]] = []
    unclosed: int | None = None

    def skip(row: Any) -> str:
        nonlocal unclosed
        lines = row.text.count("\n") + 1
        if lines > 1 and row.text.count('"') % 2:
            unclosed = row.number + above
        over = f", over {lines} lines" if lines > 1 else ""
        unread.append((row.number + above, f"{row.actual_columns} columns, expected {row.expected_columns}{over}"))
        return "skip"

    begin, told, ending = above + 2, 0, b""
    with dialect.opened(path) as stream:
        try:
            for batch in _batches(stream, dialect, [*written, last], skip):
                gaps = [row for row, _ in unread[bisect_left(unread, (begin, "")) :]]
                numbers = np.setdiff1d(np.arange(begin, begin + len(batch) + len(gaps)), gaps)[: len(batch)]
                if len(numbers):
                    begin, ending = int(numbers[-1]) + 1, batch.column(last)[-1].as_py() or b""
                table = pa.Table.from_batches([batch]).select(written).rename_columns(columns)
                table = _not_blank(_cells_of(table, dialect.escapes).append_column("row", pa.array(numbers)), columns)
                new = unread[told:]  # the reader is ahead of us, and may add more at any time
                told += len(new)
                if dialect.surplus:
                    full = np.array([bool((cell or b"").strip()) for cell in batch.column(last).to_pylist()], bool)
                    wide = f"{len(header)} columns, expected {len(header) - 1}"
                    table, new = table.filter(pa.array(~full)), sorted([*new, *((int(n), wide) for n in numbers[full])])
                yield table, _unread(path, new)
        except pa.ArrowInvalid as error:
            _tell(path, begin - 1, str(error))
    yield _no_rows(columns), _unread(path, unread[told:])
    # A quote that is never closed makes one row of all that follows, which then is the last row.
    swallowed = False
    if unread and unread[-1][0] >= begin:
        swallowed = unclosed == unread[-1][0]
    elif dialect.quotes:
        swallowed = b"\n" in ending and not stream.tail.rstrip(b"\r\n").endswith(b'"')
    if swallowed:
        row = max(begin - 1, unread[-1][0] if unread else 0)
        raise UserError(f"{path}: a quote is opened in row {row} and never closed.")


def _tell(path: Path, row: int, error: str) -> None:
    """Raise UserError on what the reader of CSV says after `row`, unless it is that there are no rows."""
    if "straddling object" in error:
        longest = f"{packing.BLOCK >> 20} MB"
        raise UserError(
            f"{path}: a row after row {row} is longer than {longest}; is a quote not closed there?"
        ) from None
    if "Empty CSV file" not in error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from None


def _batches(
    stream: Csv, dialect: Dialect, columns: Sequence[str], skip: Callable[[Any], str]
) -> Iterator[pa.RecordBatch]:
    """These columns of a CSV as bytes, in pieces; `skip` is told of each row of another length."""
    yield from pyarrow.csv.open_csv(
        stream,
        # Rows are numbered only where one thread reads.
        read_options=pyarrow.csv.ReadOptions(
            block_size=packing.BLOCK,
            use_threads=False,
            column_names=dialect.written if dialect.widened else None,
            skip_rows=int(dialect.widened),
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=dialect.separator,
            quote_char=dialect.quotes and '"',
            newlines_in_values=dialect.quotes,
            invalid_row_handler=skip,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(dialect.written, pa.binary()),
            include_columns=list(dict.fromkeys(columns)),
            strings_can_be_null=True,
            # As MySQL and Postgres write it, and R. In quotes NA is somebody's name.
            null_values=["", "\\N", *(["NA"] if dialect.of_r else [])],
            quoted_strings_can_be_null=False,
        ),
    )


def _not_blank(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Without rows that have nothing in any column: separators alone, as spreadsheets leave below a table."""
    held = [pc.is_valid(table[name]) for name in columns]
    return table.filter(reduce(pc.or_, held))


def _cells_of(table: pa.Table, escapes: bool) -> pa.Table:
    """Cells of a CSV: an empty one in quotes is none; with `escapes` backslashes and what follows are what is meant."""
    for at, name in enumerate(table.column_names):
        column = pc.if_else(pc.equal(pc.binary_length(table[name]), 0), None, table[name])
        if escapes:
            values = [
                None if v is None else _ESCAPED.sub(lambda m: _MEANT.get(m[1], m[1]), v) for v in column.to_pylist()
            ]
            column = pa.chunked_array([pa.array(values, pa.binary())])
        table = table.set_column(at, name, column)
    return table


_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANT = {b"n": b"\n", b"t": b"\t", b"r": b" ", b"0": b"", b"b": b"", b"f": b"", b"v": b""}


def _read_json(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    columns = [*needed, *optional]
    keys: dict[str, None] = {}
    why = ""
    with Told(path) as stream:
        for part in _pieces(objects(path, stream)):
            unread, numbers = [], []
            values: dict[str, list[str | None]] = {name: [] for name in columns}
            for number, found in each_object(part, needed):
                try:
                    if not isinstance(found, dict):
                        raise found if isinstance(found, Exception) else ValueError("not a JSON object")
                    keys.update(dict.fromkeys(found))
                    cells = [as_text(name, found.get(name)) for name in columns]
                except (ValueError, RecursionError) as error:
                    unread.append((number, str(error)))
                    why = why or f"row {number}: {error}"
                    continue
                numbers.append(number)
                for name, cell in zip(columns, cells, strict=True):
                    values[name].append(cell)
            table = pa.table(
                {"row": pa.array(numbers, pa.int64()), **{n: pa.array(v, pa.string()) for n, v in values.items()}}
            )
            yield table, _unread(path, unread)
    if why and not keys:
        raise UserError(
            f"{path}: no row is an object of JSON, one a line, as `jq -c` writes them, or in one list; {why}."
        )
    _check_columns(path, needed, optional, list(keys))


def _pieces(rows: Iterator[object]) -> Iterator[list[tuple[int, object]]]:
    """`rows`, numbered, in lists of at most BATCH, and of not much more than PIECE_BYTES."""
    part: list[tuple[int, object]] = []
    size = 0
    for numbered in enumerate(rows, start=1):
        part.append(numbered)
        size += len(numbered[1]) if isinstance(numbered[1], bytes) else 0
        if len(part) == BATCH or size >= PIECE_BYTES:
            yield part
            part, size = [], 0
    yield part


def _no_rows(columns: Sequence[str]) -> pa.Table:
    return pa.table({"row": pa.array([], pa.int64()), **{name: pa.array([], pa.string()) for name in columns}})
