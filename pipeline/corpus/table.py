"""One's own posts: a table (Parquet, CSV or JSONL), a folder or zip of images, and a table of users.

Posts have the columns post_id, user_id, text, image (a path inside the folder or zip) and, if known, created_at: ISO
8601, in UTC where no zone is given; and more_images, the paths of a post's further images, a list. Users have user_id,
interests (a list) and brand. A list may be text separated by `;`.
Other columns are not read. Ids may be whole numbers. An empty value is none, and so is a blank one.

Every table is read in pieces. A row that cannot be read is rejected, with its place; a file that cannot, or that lacks
a column, is a UserError. Rows are counted as a spreadsheet counts them, a CSV's header being row 1; blank lines do not
count, save in JSONL, where a row is a line.
"""

import csv
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.corpus.importing import CANDIDATES, joined, rejected_rows
from pipeline.pictures.finding import Pictures, opened
from pipeline.pictures.reading import Rejected
from pipeline.running.errors import UserError
from pipeline.running.params import Corpus
from pipeline.tables.corpus import REJECTED, USERS

POST = ("post_id", "user_id", "text", "image")
USER = ("user_id", "interests", "brand")
LISTS = ("interests", "more_images")
BATCH = 1 << 16
BLOCK = 16 << 20
"""Bytes of a CSV read at once, and the length of the longest row."""

UNREADABLE, UNREADABLE_USER = "unreadable row", "unreadable row of users"

_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$"
_DATE, _ZONE = r"^\d{4}-\d\d-\d\d$", r":.*(Z|[+-]\d\d(:?\d\d)?)$"
_UTC = pa.timestamp("us", "UTC")
_TEXT_KINDS = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary),
)
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}

Pieces = Iterator[tuple[pa.Table, pa.Table]]
"""Rows with their number in the column `row`, and what is rejected among them."""


class TableCorpus:
    """The files as a source of posts (`pipeline.corpus.importing.Source`)."""

    def __init__(self, posts: Path, images: Path, users: Path, links_into: Path | None = None) -> None:
        self.name = posts.name
        self.tables = (posts, users)
        self._posts, self._images, self._users, self._links_into = posts, images, users, links_into

    @classmethod
    def of(cls, params: Corpus) -> Self:
        """The corpus that params.yaml names."""
        into = params.links_into
        return cls(Path(params.posts), Path(params.images), Path(params.users), Path(into) if into else None)

    def rows(self) -> Pieces:
        """The rows of the table of posts."""
        for rows, refused in _read(self._posts, POST, ("created_at", "more_images")):
            columns = {"row": rows["row"]}
            damaged = pa.repeat(False, rows.num_rows)
            for name in POST:
                columns[name], wrong = _text(rows[name], self._posts, name)
                damaged = pc.or_(damaged, wrong)
            columns["created_at"], undated = _instants(rows["created_at"], self._posts)
            columns["more_images"], wrong = _lists(rows["more_images"], self._posts, "more_images")
            damaged = pc.or_(damaged, wrong)
            checked = pa.table(columns).cast(CANDIDATES)
            bad = pc.or_(damaged, undated)
            reasons = pc.if_else(damaged, UNREADABLE, "created_at is not ISO 8601").filter(bad)
            yield (
                checked.filter(pc.invert(bad)),
                pa.concat_tables([refused, self._refuse(checked.filter(bad), reasons)]),
            )

    def _refuse(self, rows: pa.Table, reasons: pa.Array) -> pa.Table:
        place = joined("row ", rows["row"], f" of {self.name}")
        ids = pc.coalesce(rows["post_id"], place)
        return pa.table({"id": ids, "reason": reasons, "detail": place}).cast(REJECTED.schema)

    def opened_pictures(self) -> AbstractContextManager[Pictures]:
        """The folder or zip of pictures."""
        return opened(self._images, self._links_into)

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Rejected]]:
        """The files of these names in the folder or zip."""
        with self.opened_pictures() as pictures:
            yield from ((name, pictures.read(name)) for name in names)

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """All users of `posts`, as far as known from the table of users; what else that table holds is rejected."""
        known = dict.fromkeys(pc.unique(posts["user_id"]).to_pylist())
        found: dict[str, dict[str, Any]] = {}
        refused: list[pa.Table] = []
        others: list[tuple[str, str, str]] = []
        for rows, unread in _read(self._users, USER, ()):
            refused.append(rejected_rows(unread["id"], UNREADABLE_USER, unread["detail"]))
            for row in _described(rows, self._users):
                place = f"row {row['row']} of {self._users.name}"
                user_id = (row["user_id"] or "").strip()
                brand = _brand(row["brand"])
                if row["damaged"]:
                    others.append((user_id or place, UNREADABLE_USER, place))
                elif not user_id:
                    others.append((place, "missing user_id", place))
                elif user_id in found:
                    others.append((user_id, "duplicate user_id", f"{place}; the first row of this user_id is kept"))
                elif brand is None:
                    others.append((user_id, "brand is not true or false", place))
                elif user_id not in known:
                    others.append((user_id, "user without a post that is kept", place))
                else:
                    found[user_id] = {"user_id": user_id, "interests": _labels(row["interests"]), "brand": brand}
        nothing = {"interests": [], "brand": False}
        users = [found.get(user_id) or {"user_id": user_id, **nothing} for user_id in sorted(known)]
        columns = zip(*others, strict=True) if others else [()] * len(REJECTED.schema)
        refused.append(pa.table(dict(zip(REJECTED.schema.names, columns, strict=True)), schema=REJECTED.schema))
        return pa.Table.from_pylist(users, schema=USERS.schema), pa.concat_tables(refused)


def _described(rows: pa.Table, path: Path) -> list[dict[str, Any]]:
    """Rows of a table of users: lists of names and truth values as they are, else text; `damaged` where not UTF-8."""
    columns = {"row": rows["row"]}
    damaged = pa.repeat(False, rows.num_rows)
    for name in USER:
        kind = rows[name].type
        if (name == "brand" and pa.types.is_boolean(kind)) or (name == "interests" and _is_names(kind)):
            columns[name] = rows[name]
        else:
            columns[name], wrong = _text(rows[name], path, name)
            damaged = pc.or_(damaged, wrong)
    described: list[dict[str, Any]] = pa.table(columns | {"damaged": damaged}).to_pylist()
    return described


def _is_names(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list)
    return any(is_list(kind) for is_list in lists) and any(is_text(kind.value_type) for is_text in _TEXT_KINDS[:3])


def _brand(value: str | bool | None) -> bool | None:
    """True or false; None for anything else."""
    return _TRUTH.get(str("" if value is None else value).strip().lower())


def _labels(value: str | list[str | None] | None) -> list[str]:
    """The names of a list, or of text separated by `;`, without blanks and repetitions, sorted."""
    names = value.split(";") if isinstance(value, str) else value or []
    return sorted({name.strip() for name in names if name and name.strip()})


def _read(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    """The rows of a table, with the columns `row`, `needed` and `optional` (null where the file has none)."""
    reader: dict[str, Callable[[Path, Sequence[str], Sequence[str]], Pieces]] = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
    }
    if path.suffix not in reader:
        raise UserError(f"{path}: expected a file that ends in {', '.join(reader)}.")
    for rows, refused in reader[path.suffix](path, needed, optional):
        for name in optional:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        yield rows, refused


def _check_columns(path: Path, needed: Sequence[str], found: Sequence[str]) -> None:
    for name in needed:
        if found.count(name) != 1:
            what = f"no column {name}" if name not in found else f"several columns {name}"
            raise UserError(f"{path}: {what}; columns found: {', '.join(found) or 'none'}.")


def _unread(path: Path, rows: Sequence[tuple[int, str]]) -> pa.Table:
    """Rejected rows, of which no more is known than their number and what is wrong."""
    ids = [f"row {row} of {path.name}" for row, _ in rows]
    details = [f"{place}: {why}" for place, (_, why) in zip(ids, rows, strict=True)]
    return pa.table({"id": ids, "reason": [UNREADABLE] * len(ids), "detail": details}, schema=REJECTED.schema)


def _read_parquet(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    begin = 1
    try:
        file = pq.ParquetFile(path)
        _check_columns(path, needed, file.schema_arrow.names)
        columns = [*needed, *(name for name in optional if name in file.schema_arrow.names)]
        for batch in file.iter_batches(BATCH, columns=columns):
            numbers = pa.array(np.arange(begin, begin + len(batch)))
            begin += len(batch)
            yield pa.Table.from_batches([batch]).append_column("row", numbers), REJECTED.empty()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from None


def _read_csv(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    header = _header(path)
    _check_columns(path, needed, header)
    columns = [*needed, *(name for name in optional if name in header)]
    last = header[-1]  # read too, to see whether the last quote is closed
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
    try:
        reader = pyarrow.csv.open_csv(
            path,
            # Rows are numbered only where one thread reads.
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.binary()),
                include_columns=list(dict.fromkeys([*columns, last])),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        for batch in reader:
            gaps = [row for row, _ in unread[bisect_left(unread, (begin, "")) :]]
            numbers = np.setdiff1d(np.arange(begin, begin + len(batch) + len(gaps)), gaps)[: len(batch)]
            if len(numbers):
                begin, ending = int(numbers[-1]) + 1, batch.column(last)[-1].as_py() or b""
            table = pa.Table.from_batches([batch]).select(columns).append_column("row", pa.array(numbers))
            new = unread[told:]  # the reader is ahead of us, and may add more at any time
            told += len(new)
            yield table, _unread(path, new)
    except pa.ArrowInvalid as error:
        if "straddling object" in str(error):
            raise UserError(
                f"{path}: a row after row {begin - 1} is longer than {BLOCK >> 20} MB; is a quote not closed there?"
            ) from None
        if "Empty CSV file" not in str(error):
            raise UserError(f"{path} cannot be read as CSV: {error}") from None
    yield _no_rows(columns), _unread(path, unread[told:])
    # A quote that is never closed makes one row of all that follows, which then is the last row.
    if unread and unread[-1][0] >= begin:
        swallowed = unclosed == unread[-1][0]
    else:
        swallowed = b"\n" in ending and not _ends_in_quote(path)
    if swallowed:
        row = max(begin - 1, unread[-1][0] if unread else 0)
        raise UserError(f"{path}: a quote is opened in row {row} and never closed.")


def _header(path: Path) -> list[str]:
    try:
        # Bytes that are not UTF-8 may stand in rows, which are checked one by one, but not here.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            header = next(csv.reader(stream), [])
        "".join(header).encode()
    except (UnicodeEncodeError, csv.Error) as error:
        raise UserError(f"{path} has no header of a CSV in UTF-8: {error}.") from None
    return header


def _ends_in_quote(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 1024))
        return stream.read().rstrip(b"\r\n").endswith(b'"')


def _read_jsonl(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Pieces:
    columns = [*needed, *optional]
    keys: dict[str, None] = {}
    with path.open("rb") as stream:
        lines = enumerate(stream, start=1)
        while part := list(islice(lines, BATCH)):
            unread, numbers = [], []
            values: dict[str, list[str | None]] = {name: [] for name in columns}
            for number, line in part:
                if not line.strip():
                    continue
                try:
                    found = _object(line)
                    cells = [_cell(name, found.get(name)) for name in columns]
                except (ValueError, RecursionError) as error:
                    unread.append((number, str(error)))
                    continue
                keys.update(dict.fromkeys(found))
                numbers.append(number)
                for name, cell in zip(columns, cells, strict=True):
                    values[name].append(cell)
            table = pa.table(
                {"row": pa.array(numbers, pa.int64()), **{n: pa.array(v, pa.string()) for n, v in values.items()}}
            )
            yield table, _unread(path, unread)
    _check_columns(path, [name for name in needed if name not in keys], list(keys))


def _object(line: bytes) -> dict[str, Any]:
    found = json.loads(line.decode("utf-8-sig"))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _cell(name: str, value: object) -> str | None:
    """A value of JSON as text. Raises ValueError where that is not what the column holds."""
    if value is None:
        return None
    if isinstance(value, list) and name in LISTS and all(isinstance(label, str) for label in value):
        value = ";".join(value)
    elif isinstance(value, int) and isinstance(value, bool) == (name == "brand"):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{name} is of the kind {type(value).__name__}")
    value.encode()  # half of a surrogate pair has no UTF-8: UnicodeEncodeError is a ValueError
    return value


def _no_rows(columns: Sequence[str]) -> pa.Table:
    return pa.table({"row": pa.array([], pa.int64()), **{name: pa.array([], pa.string()) for name in columns}})


def _text(column: pa.ChunkedArray, path: Path, name: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """A column as text, and where it is not UTF-8 (null there). Raises UserError for another kind of column."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    column = column.cast(kind)
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return column.cast(pa.string()), pc.and_(False, pc.is_null(column))
    if not any(is_kind(kind) for is_kind in _TEXT_KINDS):
        raise UserError(f"{path}: column {name} is of the type {kind}; expected text or whole numbers.")
    data = column.cast(pa.binary())
    try:
        return data.cast(pa.string()), pc.and_(False, pc.is_null(column))
    except pa.ArrowInvalid:
        decoded = [None if value is None else _decoded(value) for value in data.to_pylist()]
        text = pa.chunked_array([pa.array(decoded, pa.string())])
        return text, pc.and_(pc.is_null(text), pc.is_valid(data))


def _lists(column: pa.ChunkedArray, path: Path, name: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """A column of lists of text, or of text separated by `;`; and where it is not UTF-8 (null there)."""
    if _is_names(column.type):
        kept = [None if value is None else [part for part in value if part] for value in column.to_pylist()]
        return pa.chunked_array([pa.array(kept, CANDIDATES.field(name).type)]), pc.and_(False, pc.is_null(column))
    text, wrong = _text(column, path, name)
    split = [None if not value else [p for p in map(str.strip, value.split(";")) if p] for value in text.to_pylist()]
    return pa.chunked_array([pa.array(split, CANDIDATES.field(name).type)]), wrong


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _instants(column: pa.ChunkedArray, path: Path) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """A column as instants in UTC, and where it is not ISO 8601 (null there)."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False), pc.and_(False, pc.is_null(column))
    text, damaged = _text(column, path, "created_at")
    text = pc.utf8_trim_whitespace(text)
    given = pc.and_(pc.is_valid(text), pc.not_equal(text, ""))
    given = pc.fill_null(given, False)
    shaped = pc.fill_null(pc.match_substring_regex(text, _ISO), False)
    text = pc.if_else(shaped, text, pa.scalar(None, pa.string()))
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    text = pc.if_else(pc.match_substring_regex(text, _DATE), joined(text, "T00:00"), text)
    text = pc.if_else(pc.match_substring_regex(text, _ZONE), text, joined(text, "Z"))
    try:
        found = text.cast(_UTC)
    except pa.ArrowInvalid:
        found = pa.chunked_array([pa.array([_instant(value) for value in text.to_pylist()], _UTC)])
    return found.cast(pa.timestamp("us")), pc.or_(damaged, pc.and_(given, pc.is_null(found)))


def _instant(text: str | None) -> pa.Scalar | None:
    try:
        return pa.scalar(text, pa.string()).cast(_UTC)
    except pa.ArrowInvalid:  # a date that no calendar has
        return None
