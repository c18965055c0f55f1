"""Tables of separated text: where the header stands, what separates, how quotes are written.

A title, comments, or what was searched for may stand above the header, so the first of some rows is taken that holds
the columns of a known table.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, NamedTuple

from pipeline.common.separated import AROUND, LOOKED_AT, NO_NAME, SEPARATORS

HEAD = 1 << 16
"""Bytes in which the header is looked for."""
_SEP = re.compile(r'"?sep=(.)"?\r?\n')
_ESCAPED = re.compile(r'\\(["\\])')


class Layout(NamedTuple):
    """How a table is written: its columns, what separates them, and how much of it ends with its header.

    `lines` as a file has them, `rows` as a spreadsheet counts. `backslashes`: quotes within quotes stand behind one.
    `returns`: a carriage return alone ends a row, as the Macintosh once had it.
    """

    header: list[str]
    mark: str = ","
    lines: int = 1
    rows: int = 1
    quotes: bool = True
    backslashes: bool = False
    returns: bool = False


def layout(head: bytes, fits: Callable[[list[str]], bool]) -> Layout:
    """The layout of a table that begins with `head`: its header is the first row that `fits`, else the first row."""
    lines = io.StringIO(head[:HEAD].decode("utf-8-sig", "replace"), newline="").readlines()
    told = _SEP.fullmatch(lines[0]) if lines else None
    backslashes = b'\\"' in head and _wrong(lines, True) < _wrong(lines, False)
    marks = told[1] if told and told[1] in SEPARATORS else SEPARATORS
    found = [one for mark in marks if (one := _headed(lines, mark, backslashes, fits))]
    if found:
        return min(found, key=lambda one: one.rows)
    top = lines[0] if lines else ""
    mark = delimiter(top)
    return Layout(header_of(top, mark), mark, backslashes=backslashes, returns=top.endswith("\r"))


def _headed(lines: list[str], mark: str, backslashes: bool, fits: Callable[[list[str]], bool]) -> Layout | None:
    """The layout by the first of some rows that `fits`, were this what separates; None where none does."""
    reader = csv.reader(_unescaped(lines) if backslashes else lines, delimiter=mark)
    for number, row in enumerate(islice(reader, LOOKED_AT), start=1):
        header = [name.strip(AROUND) for name in row]
        if fits(header):
            end = reader.line_num
            quotes = mark != "\t" or not _loose(lines[end:], len(row) - 1)
            header = _apart(_widened(header, lines[end - 1], list(islice(reader, LOOKED_AT))))
            return Layout(header, mark, end, number, quotes, backslashes, lines[end - 1].endswith("\r"))
    return None


def headless(head: bytes, header: list[str], quotes: bool) -> Layout:
    """The layout of a table without a header, whose columns are told: its first row has as many by what separates."""
    first = head.decode("utf-8-sig", "replace").split("\n", 1)[0].rstrip("\r")
    mark = next((mark for mark in SEPARATORS if len(header_of(first, mark)) == len(header)), "\t")
    return Layout(header, mark, lines=0, rows=0, quotes=quotes)


def _apart(header: list[str]) -> list[str]:
    """The columns, of which a later one of the same name has its number behind it."""
    return [name if name not in header[:at] else f"{name}.{at + 1}" for at, name in enumerate(header)]


def _loose(lines: list[str], tabs: int) -> bool:
    """Whether quotes are letters, as databases write them: each line is a row, which by quotes would hang together."""
    whole = lines[:-1] or lines  # the last may be cut
    if any(line.count("\t") != tabs for line in whole):
        return False
    try:
        return sum(1 for _ in csv.reader(whole, delimiter="\t")) < len(whole)
    except csv.Error:
        return True


def _widened(header: list[str], line: str, below: list[list[str]]) -> list[str]:
    """The header with a column more, where all rows below have one more; but for the last, which may be cut."""
    rows = [row for row in below[:-1] or below if row]
    if not rows or any(len(row) != len(header) + 1 for row in rows):
        return header
    if line.startswith('"') and all(row[0].isdigit() for row in rows):
        return [NO_NAME, *header]
    return header if any(row[-1].strip() for row in rows) else [*header, NO_NAME]


def _wrong(lines: list[str], backslashes: bool) -> int:
    """Rows that have not as many cells as the first, the last aside, which may be cut."""
    try:
        rows = list(csv.reader(_unescaped(lines) if backslashes else lines, delimiter=delimiter(lines[0]), strict=True))
    except csv.Error:
        return len(lines)
    return sum(len(row) != len(rows[0]) for row in rows[:-1] if row)


def _unescaped(lines: Iterable[str]) -> Iterator[str]:
    """Lines whose quotes within quotes are doubled, as is the rule, and no longer behind backslashes."""
    for line in lines:
        yield _ESCAPED.sub(lambda found: '""' if found[1] == '"' else "\\", line) if "\\" in line else line


def delimiter(line: str) -> str:
    """What separates the columns of a header."""
    return max(SEPARATORS, key=lambda mark: (line.count(mark), mark == ","))


def header_of(line: str, mark: str) -> list[str]:
    """The columns that the first line of separated text names."""
    return next(csv.reader(line.splitlines()[:1], delimiter=mark), [])


def table(stream: IO[bytes], how: Layout | None = None) -> Iterator[tuple[int, Any]]:
    """Rows of separated text as dicts by column, numbered as a spreadsheet does.

    Without a layout the first row is the header. A row of another length, that is not UTF-8, or that is the header
    again is its error.
    """
    csv.field_size_limit(1 << 27)
    if how is None:
        buffered = io.BufferedReader(stream, HEAD)  # type: ignore[type-var]
        how, stream = layout(buffered.peek(HEAD), bool), buffered
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    for _ in range(how.lines):
        text.readline()
    if how.quotes:
        # Zeeschuimer leaves a carriage return in unquoted text.
        lines = text if how.returns else _joined(text)
        rows = csv.reader(_unescaped(lines) if how.backslashes else lines, delimiter=how.mark)
    else:
        rows = csv.reader((line.rstrip("\r\n") for line in text), delimiter=how.mark, quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows, start=how.rows + 1):
        if row and not is_text("".join(row)):
            yield number, ValueError("not UTF-8; save the file as UTF-8")
        elif len(row) == len(how.header) and not (how.header[-1] == NO_NAME and row[-1].strip()):
            again = row[-1] == how.header[-1] and [cell.lstrip("\ufeff") for cell in row] == how.header
            yield number, ValueError("the header again") if again else dict(zip(how.header, row, strict=True))
        elif row:
            ends = sum(cell.count("\n") for cell in row)
            over = f", over {ends + 1} lines: is a quote never closed?" if ends else ""
            yield number, ValueError(f"{len(row)} columns, expected {len(how.header) - (NO_NAME in how.header)}{over}")


def is_text(read: str) -> bool:
    """Whether no byte of what was read was other than UTF-8 (Python keeps such as half a surrogate pair)."""
    try:
        read.encode()
    except UnicodeEncodeError:
        return False
    return True


def _joined(lines: Iterator[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        if line.endswith("\r"):
            held += line[:-1] + " "
        else:
            yield held + line
            held = ""
    if held:
        yield held
