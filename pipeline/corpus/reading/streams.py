r"""CSV as each program writes it.

Of a file (`pipeline.corpus.reading.packing`) are found out: its separator, from which header makes most sense; whether
quotes within quotes are doubled, as is the rule, or stand behind a backslash, as Spark and MySQL write them; whether
rows end in a line feed, so that a carriage return alone is part of a text. What is handed on is CSV by the rule, so
that one reader reads all.
"""

import codecs
import contextlib
import csv
import io
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.common.separated import (
    AROUND,
    LOOKED_AT,
    NO_NAME,
    SEPARATORS,
    TOLD,
    Fit,
    fit,
    quotes_are_letters,
    quoting,
    widened,
)
from pipeline.corpus.reading import packing
from pipeline.corpus.reading.packing import Told
from pipeline.running.errors import UserError

MUCH_BROKEN, LEAST_LINES = 0.1, 20
"""The share of lines that are not UTF-8, of how many, from which on a file is in another code page."""
_ESCAPES = re.compile(rb"\\[nt]")
_NO_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\(?![\\ntrN0bfv\"'])")
"""A backslash that no database would leave alone."""

log = logging.getLogger("import_corpus")


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written. `written` are the names of its columns, `header` the same without blanks around."""

    written: list[str]
    separator: str
    backslashes: bool
    skipped: int
    """Bytes before the header: the line `sep=;` that tells Excel the separator, a title, comments."""
    top: int = 1
    """The number of the header's row."""
    widened: bool = False
    """Whether rows have one cell more than the header, which `written` has a name for."""
    quotes: bool = True
    """Whether cells may stand in quotes; else a quote is a letter."""
    of_r: bool = False
    """Whether names of columns stand in quotes, as R writes them: NA without quotes is then none."""
    blanks: bool = False
    """Whether blanks stand between a separator and the quote that opens a cell."""
    escapes: bool = False
    r"""Whether `\n` and `\t` stand for a line feed and a tab, and `\\` for a backslash."""

    @property
    def header(self) -> list[str]:  # noqa: D102
        return [name.strip(AROUND) for name in self.written]

    def opened(self, path: Path) -> "Csv":
        """The file at `path`, which is written so."""
        return Csv(path, self.backslashes, self.skipped, self.separator if self.blanks else "")

    @property
    def surplus(self) -> bool:
        """Whether a separator stands behind each row, so that the last column has to be empty."""
        return self.widened and self.written[-1] == NO_NAME


class Csv(io.RawIOBase):
    """A CSV by the rule: quotes doubled, carriage returns before line feeds alone; `tail` is what came last."""

    _ESCAPED, _LONE = re.compile(rb'\\(["\\])'), re.compile(rb"\r(?!\n)")

    def __init__(self, path: Path, backslashes: bool = False, skipped: int = 0, blanks: str = "") -> None:
        self._stream = Told(path)
        self._backslashes, self._skip, self._held = backslashes, skipped, b""
        self._blanks = re.compile(_blanks(blanks).encode()) if blanks else None
        self._lone: bytes | None = None
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        """Some bytes, at most `size`; none at the end."""
        data = b""
        while not data:
            taken = self._stream.read(max(1, (size if size and size > 0 else packing.BLOCK) - len(self._held)))
            data = self._held + taken
            if not data:
                return b""
            if self._lone is None:  # rows of old Macs end in carriage returns, and there is no line feed at all
                self._lone = b"\n" if b"\r" in data and b"\n" not in data else b" "
            begins = data.endswith(b"\r") or (len(data) - len(data.rstrip(b"\\"))) % 2  # what the next bytes end
            kept = len(data) - begins
            if self._blanks:  # a separator before blanks and two bytes behind them tell what they are
                kept = min(kept, len(data.rstrip(b'"').rstrip(b" ")) - 1)
            self._held = data[max(kept, 0) :] if taken else b""
            data = data[: len(data) - len(self._held)]
            if self._skip:
                data, self._skip = data[self._skip :], max(0, self._skip - len(data))
            if not taken:
                break
        if b"\r" in data:
            data = self._LONE.sub(self._lone or b" ", data)
        if self._backslashes and b"\\" in data:
            data = self._ESCAPED.sub(lambda found: b'""' if found[1] == b'"' else b"\\", data)
        if self._blanks:
            data = self._blanks.sub(b"", data)
        self.tail = (self.tail + data)[-1024:]
        return data

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        raise NotImplementedError

    def readable(self) -> bool:  # noqa: D102
        return True

    def close(self) -> None:  # noqa: D102
        self._stream.close()
        super().close()


def dialect_of(path: Path, needed: Sequence[str]) -> Dialect:
    """How the CSV at `path` is written, whose columns should be `needed`. Raises UserError where it has no header, or
    is in another code page than UTF-8.
    """
    with Csv(path) as stream:
        marked = stream.read(1 << 16)
        first = marked.removeprefix(codecs.BOM_UTF8)
    skipped, told = 0, TOLD.match(first.decode("latin-1"))
    separators = SEPARATORS
    if told and told[1] in SEPARATORS:
        skipped, separators = told.end() + len(marked) - len(first), told[1]
    about = _facts(path)
    # Bytes that are not UTF-8 may stand in rows, which are checked one by one, but not here.
    text = first[told.end() if skipped and told else 0 :].decode("utf-8", "surrogateescape")
    begin = skipped or len(marked) - len(first)
    found = [_headed(text, separator, needed, begin) for separator in separators]
    plain = max(found, key=lambda one: sum(name in needed for name in one.header))
    try:
        "".join(found[0].written).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{path} has no header of a CSV in UTF-8: save it as CSV UTF-8, or convert it (iconv -f WINDOWS-1252 "
            "-t UTF-8)."
        ) from None
    if not plain.skipped or plain.skipped == len(marked) - len(first):  # a mark alone is known to the reader
        plain = replace(plain, skipped=skipped)
    return _quoted(path, plain, about, needed, text, begin)


def _without_blanks(text: str, separator: str) -> str:
    """`text` without the blanks between separators and the quotes that open cells, where most lines with a quote have
    some, as people write lists by hand: then they are part of no cell.
    """
    opens = re.compile(rf'{re.escape(separator)} +"(?!["\r\n{re.escape(separator)}])')
    lines = text.split("\n")
    if 2 * sum(bool(opens.search(line)) for line in lines) <= sum('"' in line for line in lines):
        return text
    return re.sub(_blanks(separator), "", text)


def _blanks(separator: str) -> str:
    """Blanks between a separator and the quote that opens a cell: not one that is doubled, within a cell."""
    mark = re.escape(separator)
    return rf'(?<={mark}) +(?="(?!"[^"\r\n{mark}]))'


def _quoted(path: Path, plain: Dialect, about: "_Facts", needed: Sequence[str], text: str, begin: int) -> Dialect:
    """`plain`, or what fits better of how programs write quotes."""
    if about.escaped_quotes:
        escaped = replace(plain, backslashes=True)
        wrong = _fit(path, plain).wrong
        if wrong and _fit(path, escaped).wrong < wrong:
            log.info("%s: quotes within quotes stand behind a backslash, as Spark and MySQL write them", path)
            return escaped
    if plain.separator == "\t":
        bare = _headed(text, "\t", needed, begin, quotes=False)
        bare = replace(bare, skipped=plain.skipped if bare.skipped <= begin else bare.skipped, escapes=about.escapes)
        if not about.quotes or (
            set(needed) <= {*bare.header} and quotes_are_letters(_fit(path, plain), _fit(path, bare))
        ):
            if about.quotes or about.escapes:
                what = "quotes are letters" if about.quotes else "\\n and \\t are line ends and tabs"
                log.info("%s: %s, as databases write them", path, what)
            return bare
    return plain


def _headed(text: str, separator: str, needed: Sequence[str], begin: int, quotes: bool = True) -> Dialect:
    """The dialect of a CSV that begins with `text`, `begin` bytes after its own beginning, were this its separator.

    The header is the first row that has all columns `needed`, below titles and comments; else the first row.
    """
    tight = _without_blanks(text, separator) if quotes else text
    lines, tight_lines = (io.StringIO(one, newline="").readlines() for one in (text, tight))
    reader = csv.reader(tight_lines, delimiter=separator, quoting=quoting(quotes))
    rows: list[tuple[int, list[str]]] = []  # of each what lies before it, in lines
    with contextlib.suppress(csv.Error):
        before = 0
        for row in reader:
            if row:
                rows.append((before, row))
            before = reader.line_num
            if len(rows) == LOOKED_AT:
                break
    if not rows:
        return Dialect([], separator, False, 0)
    names = [[name.strip(AROUND) for name in row] for _, row in rows]
    top = next((at for at, row in enumerate(names) if set(needed) <= set(row)), 0)
    before, header = rows[top]
    skipped = begin + len("".join(lines[:before]).encode("utf-8", "surrogateescape")) if top else 0
    below = [row for _, row in rows[top + 1 :]]
    below = below[:-1] if len(below) > 1 and len(rows) < LOOKED_AT else below  # the last may be cut
    of_r = quotes and lines[before].startswith('"')
    written = widened(header, of_r, below)
    return Dialect(written, separator, False, skipped, top + 1, len(written) > len(header), quotes, of_r, tight != text)


@dataclass
class _Facts:
    """What bytes a text holds, whatever its dialect."""

    quotes: bool = False
    escaped_quotes: bool = False
    escapes: bool = False


def _facts(path: Path) -> _Facts:
    """Look at all of a text once. Raises UserError where it is in no UTF-8."""
    about, odd, rest = _Facts(), False, b""
    lines = other = broken = 0
    sample = b""
    with Told(path) as stream:
        while data := stream.read(packing.BLOCK):
            about.quotes |= b'"' in data
            if b"\\" in (seam := rest[-1:] + data):
                about.escaped_quotes |= b'\\"' in seam
                about.escapes |= bool(_ESCAPES.search(seam))
                odd = odd or bool(_NO_ESCAPE.search(seam))
            data = rest + data
            end = data.rfind(b"\n") + 1
            data, rest = data[:end], data[end:]
            lines += data.count(b"\n")
            if data.isascii():
                continue
            try:
                data.decode()
                other += 1
            except UnicodeDecodeError:
                for line in data.split(b"\n"):
                    if not line.isascii():
                        whole = _is_utf8(line)
                        other, broken = other + whole, broken + (not whole)
                        sample = sample or (b"" if whole else line)
    about.escapes &= not odd
    if broken > other:
        if lines >= LEAST_LINES and broken > MUCH_BROKEN * lines:
            shown = re.sub(r"\s+", " ", sample.decode("cp1252", "replace"))[:80]
            raise UserError(
                f"{path} is not UTF-8 in {broken} of {lines} lines. Save it as CSV UTF-8, or convert it: `iconv -f "
                f"WINDOWS-1252 -t UTF-8` if this reads well: {shown!r}; else with your system's code page."
            )
        log.warning("%s is not UTF-8 in %d of %d lines, which are left out: save it as CSV UTF-8", path, broken, lines)
    return about


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fit(path: Path, dialect: Dialect) -> Fit:
    """How all of a CSV fits a dialect."""
    with dialect.opened(path) as stream:
        return fit(_lines(stream), dialect.separator, len(dialect.written), dialect.quotes)


def _lines(stream: Csv) -> Iterator[str]:
    rest = b""
    while data := stream.read(packing.BLOCK):
        *lines, rest = (rest + data).split(b"\n")
        yield from (f"{line.decode('utf-8', 'replace')}\n" for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
