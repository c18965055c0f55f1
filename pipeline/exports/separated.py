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

from pipeline.common.separated import (
    AROUND,
    LOOKED_AT,
    NO_NAME,
    SEPARATORS,
    TOLD,
    fit,
    quotes_are_letters,
    quoting,
    widened,
)

HEAD = 1 << 16
"""Bytes in which the header is looked for."""
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
    told = TOLD.fullmatch(lines[0]) if lines else None
    marks = told[1] if told and told[1] in SEPARATORS else SEPARATORS
    found = [one for mark in marks if (one := _headed(lines, mark, len(head) >= HEAD, fits))]
    if found:
        return min(found, key=lambda one: one.rows)
    top = lines[0] if lines else ""
    mark = delimiter(top)
    return Layout(header_of(top, mark), mark, returns=top.endswith("\r"))


def _headed(lines: list[str], mark: str, cut: bool, fits: Callable[[list[str]], bool]) -> Layout | None:
    """The layout by the first of some rows that `fits`, were this what separates; None where none does.

    `cut`: there is more of the table than these lines.
    """
    reader = csv.reader(lines, delimiter=mark)
    for number, row in enumerate(islice(reader, LOOKED_AT), start=1):
        header = [name.strip(AROUND) for name in row]
        if fits(header):
            end = reader.line_num
            below = [one for one in islice(reader, LOOKED_AT) if one]
            header = widened(header, lines[end - 1].startswith('"'), below[:-1] or below)
            whole = lines[end:-1] if cut else lines[end:]
            plain = fit(whole, mark, len(header), cut=cut)
            backslashes = fit(_unescaped(whole), mark, len(header), cut=cut).wrong < plain.wrong
            letters = mark == "\t" and not backslashes
            letters = letters and quotes_are_letters(plain, fit(whole, mark, len(header), quotes=False))
            return Layout(_apart(header), mark, end, number, not letters, backslashes, lines[end - 1].endswith("\r"))
    return None


def headless(head: bytes, header: list[str], quotes: bool) -> Layout:
    """The layout of a table without a header, whose columns are told: its first row has as many by what separates."""
    first = head.decode("utf-8-sig", "replace").split("\n", 1)[0].rstrip("\r")
    mark = next((mark for mark in SEPARATORS if len(header_of(first, mark)) == len(header)), "\t")
    return Layout(header, mark, lines=0, rows=0, quotes=quotes)


def _apart(header: list[str]) -> list[str]:
    """The columns, of which a later one of the same name has its number behind it."""
    return [name if name not in header[:at] else f"{name}.{at + 1}" for at, name in enumerate(header)]


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
        rows = csv.reader((line.rstrip("\r\n") for line in text), delimiter=how.mark, quoting=quoting(how.quotes))
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
