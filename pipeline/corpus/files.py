"""Files of rows, read in pieces: Parquet, CSV and JSON, packed or not (`pipeline.corpus.streams`).

A row that cannot be read is rejected, with its place; a file that cannot, or that lacks a column, is a UserError. Rows
are counted as a spreadsheet counts them, a CSV's header being row 1; blank lines do not count, save in JSON, where a
row is a line (of a list, an element).
"""

import io
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.common import json_values
from pipeline.corpus import streams
from pipeline.corpus.cells import LISTS
from pipeline.corpus.streams import Csv, Told, dialect_of
from pipeline.running.errors import OF_WORKBOOK, WORKBOOKS, UserError
from pipeline.tables.corpus import REJECTED
from pipeline.tables.details import TOLD
from pipeline.tables.table import content_bytes

BATCH = 1 << 16
PIECE_BYTES = 64 << 20
"""Bytes of text of a piece, or of one row: what checks a piece holds it some times over."""
UNREADABLE = "unreadable row"

Pieces = Iterator[tuple[pa.Table, pa.Table]]
"""Rows with their number in the column `row`, and what is rejected among them."""


def read(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    """The rows of a table, with the columns `row`, `needed` and `optional` (null where the file has none)."""
    readers: dict[str, Callable[[Path, Sequence[str], Sequence[str]], Pieces]] = {
        ".parquet": _read_parquet,
        **dict.fromkeys((".csv", ".tsv", ".tab"), _read_csv),
        **dict.fromkeys((".jsonl", ".ndjson", ".json"), _read_json),
    }
    kind = streams.kind_of(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; expected one file. Join its parts, or name one of them.")
    if kind in WORKBOOKS:
        raise UserError(f"{path} is a spreadsheet's own file: {OF_WORKBOOK}.")
    if kind not in readers or (kind == ".parquet" and path.suffix.lower() in streams.PACKED):
        packed = ", ".join(streams.PACKED)
        raise UserError(f"{path}: expected a file that ends in {', '.join(readers)} (all but .parquet also {packed}).")
    for rows, refused in readers[kind](path, needed, optional):
        for name in optional:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        yield rows, refused


def _check_columns(path: Path, needed: Sequence[str], optional: Sequence[str], found: Sequence[str]) -> None:
    for name in (*needed, *optional):
        if found.count(name) > 1 or (name in needed and name not in found):
            what = f"no column {name}" if name not in found else f"several columns {name}"
            told = ", ".join(found)[:300] or "none"
            raise UserError(f"{path}: {what}; columns found: {told}.")


def _unread(path: Path, rows: Sequence[tuple[int, str]]) -> pa.Table:
    """Rejected rows, of which no more is known than their number and what is wrong."""
    ids = [f"row {row} of {path.name}" for row, _ in rows]
    details = [f"{place}: {why}" for place, (_, why) in zip(ids, rows, strict=True)]
    return pa.table({"id": ids, "reason": [UNREADABLE] * len(ids), "detail": details}, schema=REJECTED.schema)


def _read_parquet(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    begin = 1
    try:
        file = pq.ParquetFile(path)
        _check_columns(path, needed, optional, file.schema_arrow.names)
        columns = [*needed, *(name for name in optional if name in file.schema_arrow.names)]
        rows, repeated = _packed(file.metadata, columns)
        file = pq.ParquetFile(path, read_dictionary=repeated)
        for batch in file.iter_batches(rows, columns=columns):
            for part in _light(batch):
                numbers = pa.array(np.arange(begin, begin + len(part)))
                begin += len(part)
                yield _plain_lists(pa.Table.from_batches([part])).append_column("row", numbers), REJECTED.empty()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from None


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
    """`rows` with lists of values in the place of lists of places in a dictionary."""
    for at, field in enumerate(rows.schema):
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
    written = [dialect.written[header.index(name)] for name in columns]
    last = dialect.written[-1]  # read too, to see whether the last quote is closed
    unread: list[tuple[int, str]] = []
    unclosed: int | None = None

    def skip(row: Any) -> str:
        nonlocal unclosed
        lines = row.text.count("\n") + 1
        if lines > 1 and row.text.count('"') % 2:
            unclosed = row.number
        over = f", over {lines} lines" if lines > 1 else ""
        unread.append((row.number, f"{row.actual_columns} columns, expected {row.expected_columns}{over}"))
        return "skip"

    begin, told, ending = 2, 0, b""
    with Csv(path, dialect.backslashes, dialect.skipped) as stream:
        try:
            reader = pyarrow.csv.open_csv(
                stream,
                # Rows are numbered only where one thread reads.
                read_options=pyarrow.csv.ReadOptions(block_size=streams.BLOCK, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=dialect.separator, newlines_in_values=True, invalid_row_handler=skip
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(dialect.written, pa.binary()),
                    include_columns=list(dict.fromkeys([*written, last])),
                    strings_can_be_null=True,
                    null_values=["", "\\N"],  # as MySQL and Postgres write it
                ),
            )
            for batch in reader:
                gaps = [row for row, _ in unread[bisect_left(unread, (begin, "")) :]]
                numbers = np.setdiff1d(np.arange(begin, begin + len(batch) + len(gaps)), gaps)[: len(batch)]
                if len(numbers):
                    begin, ending = int(numbers[-1]) + 1, batch.column(last)[-1].as_py() or b""
                table = pa.Table.from_batches([batch]).select(written).rename_columns(columns)
                table = table.append_column("row", pa.array(numbers))
                new = unread[told:]  # the reader is ahead of us, and may add more at any time
                told += len(new)
                yield table, _unread(path, new)
        except pa.ArrowInvalid as error:
            if "straddling object" in str(error):
                raise UserError(
                    f"{path}: a row after row {begin - 1} is longer than {streams.BLOCK >> 20} MB; is a quote not "
                    "closed there?"
                ) from None
            if "Empty CSV file" not in str(error):
                raise UserError(f"{path} cannot be read as CSV: {error}") from None
    yield _no_rows(columns), _unread(path, unread[told:])
    # A quote that is never closed makes one row of all that follows, which then is the last row.
    if unread and unread[-1][0] >= begin:
        swallowed = unclosed == unread[-1][0]
    else:
        swallowed = b"\n" in ending and not stream.tail.rstrip(b"\r\n").endswith(b'"')
    if swallowed:
        row = max(begin - 1, unread[-1][0] if unread else 0)
        raise UserError(f"{path}: a quote is opened in row {row} and never closed.")


def _read_json(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    columns = [*needed, *optional]
    keys: dict[str, None] = {}
    why = ""
    with Told(path) as stream:
        for part in _pieces(_objects(path, stream)):
            unread, numbers = [], []
            values: dict[str, list[str | None]] = {name: [] for name in columns}
            for number, found in _each_object(part, needed):
                try:
                    if not isinstance(found, dict):
                        raise found if isinstance(found, Exception) else ValueError("not a JSON object")
                    keys.update(dict.fromkeys(found))
                    cells = [_cell(name, found.get(name)) for name in columns]
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
    _check_columns(path, needed, (), list(keys))


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


def _objects(path: Path, stream: Told) -> Iterator[object]:
    """The lines of a file of JSON, not yet read; or the values of what is one document, or several over many lines."""
    lines = io.BufferedReader(stream, 1 << 20)
    head = lines.peek(1 << 12).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[" or not json_values.by_lines(head):
        text = lines.read()
        try:
            whole = _loaded(text)
            yield from whole if isinstance(whole, list) else [whole]
        except (ValueError, RecursionError) as error:
            if head[:1] == b"[" and streams.kind_of(path) != ".json":
                yield from text.split(b"\n")
                return
            try:
                yield from json_values.values(text.decode("utf-8-sig"), _DECODER)
            except UnicodeDecodeError:
                raise UserError(f"{path} cannot be read as JSON: {error}") from None
        return
    while line := lines.readline(streams.BLOCK):
        if len(line) < streams.BLOCK or line.endswith(b"\n"):
            yield line
            continue
        yield ValueError(f"longer than {streams.BLOCK >> 20} MB")
        while (line := lines.readline(streams.BLOCK)) and not line.endswith(b"\n"):
            pass


def _each_object(part: list[tuple[int, object]], needed: Sequence[str]) -> Iterator[tuple[int, object]]:
    """What stands in each of the numbered rows, which should be objects; of a line that cannot be read, the error."""
    for number, row in part:
        found = [row]
        if isinstance(row, bytes):
            if not row.strip():
                continue
            try:
                found = json_values.of_line(row.decode(), _DECODER)
            except (ValueError, RecursionError) as error:
                found = [error]
        for one in found:
            inner = _within(one, needed) if isinstance(one, dict) and number == 1 else None
            yield from ((number, one),) if inner is None else enumerate(inner, start=1)


def _within(whole: dict[str, Any], needed: Sequence[str]) -> list[Any] | None:
    """The rows in an object that holds them all: a list within it, or columns, as pandas writes a table by default."""
    columns = [whole.get(name) for name in needed]
    if all(isinstance(column, dict) for column in columns):
        held = {name: column for name, column in whole.items() if isinstance(column, dict)}
        return [{name: column.get(key) for name, column in held.items()} for key in held[needed[0]]]
    if (
        isinstance(names := whole.get("columns"), list)
        and set(needed) <= set(names)
        and isinstance(whole.get("data"), list)
    ):
        return [dict(zip(names, row, strict=False)) for row in whole["data"]]
    if any(column is not None for column in columns):
        return None
    lists = (value for value in whole.values() if isinstance(value, list) and value and isinstance(value[0], dict))
    return next((value for value in lists if set(needed) <= set(value[0])), None)


def _loaded(text: bytes) -> Any:
    return _DECODER.decode(text.decode("utf-8-sig").strip())


class _Written(str):
    """A number of JSON as it is written."""


_DECODER = json.JSONDecoder(parse_float=_Written, parse_constant=lambda _: None)
"""Numbers with a point or exponent stay as they are written: an id must not be rounded here."""


def _cell(name: str, value: object) -> str | None:
    """A value of JSON as text; a list as JSON. Raises ValueError where that is not what the column holds."""
    if value is None:
        return None
    if name in TOLD:  # decides nothing: what is no text and no number is none
        return json.dumps(value) if name == "alt" and isinstance(value, list) else _told(value)
    if isinstance(value, list) and name in (*LISTS, "image") and all(isinstance(label, str | None) for label in value):
        held = [label for label in value if label]
        return json.dumps(held) if held or name in LISTS else None
    if isinstance(value, int) and isinstance(value, bool) == (name == "brand"):
        value = str(value)
    if not isinstance(value, str) or (isinstance(value, _Written) and name in ("text", "image", *LISTS)):
        raise ValueError(f"{name} is of the kind {'float' if isinstance(value, _Written) else type(value).__name__}")
    if name == "text":  # half of an emoji, where a program cut the text, has no UTF-8
        return value.encode("utf-8", "ignore").decode()
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half of a letter: {value!a}") from None
    return str(value)


def _told(value: object) -> str | None:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    return str(value).encode("utf-8", "replace").decode()


def _no_rows(columns: Sequence[str]) -> pa.Table:
    return pa.table({"row": pa.array([], pa.int64()), **{name: pa.array([], pa.string()) for name in columns}})
