r"""How files of rows are opened: packed or not, in UTF-8 or UTF-16, and CSV as each program writes it.

Names end in what they hold, then in how it is packed: `posts.csv.gz`. Whether and how a file is packed its first bytes
tell, since browsers unpack on the way and leave the name. UTF-16 and UTF-32 are known by their mark, or by the zero
bytes that every letter of a header has there. Of a CSV are found out: its separator, from which
header makes most sense; whether quotes within quotes are doubled, as is the rule, or stand behind a backslash, as Spark
and MySQL write them; whether rows end in a line feed, so that a carriage return alone is part of a text. What is handed
on is CSV by the rule, so that one reader reads all.
"""

import bz2
import codecs
import csv
import gzip
import io
import logging
import lzma
import re
import string
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from pipeline.running.errors import UserError

PACKED = (".gz", ".bz2", ".xz", ".zst")
SEPARATORS = ",;\t|"
BLOCK = 16 << 20
"""Bytes of a CSV read at once, and the length of the longest row."""
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_PACKERS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
_ENCODINGS = (
    *((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
    *((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
)
_ZEROS = {
    (1, 3, 5, 7): "utf-16-le",
    (0, 2, 4, 6): "utf-16-be",
    (1, 2, 3, 5, 6, 7): "utf-32-le",
    (0, 1, 2, 4, 5, 6): "utf-32-be",
}
"""Where zero bytes stand in the first eight of letters of English."""
_OTHERS = {b"PAR1": "Parquet: let its name end in .parquet", b"PK\3\4": "a zip, or a spreadsheet: save it as CSV UTF-8"}
"""What begins so is no text."""

_AROUND = f"{string.whitespace}\u00a0\u200b\u2060\ufeff"
"""What stands unseen around the names of columns."""

log = logging.getLogger("import_corpus")


def kind_of(path: Path) -> str:
    """What `path` ends in, without how it is packed, in small letters: `.csv` of Posts.CSV.gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in PACKED), "")


def unpacked(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked as it is read. What is wrong with them shows on the way, as `Told` tells."""
    with path.open("rb") as stream:
        first = stream.read(8)
    packed = next((kind for magic, kind in _PACKERS.items() if first.startswith(magic)), "")
    if other := next((what for magic, what in _OTHERS.items() if first.startswith(magic)), None):
        raise UserError(f"{path} is {other}.")
    if packed == ".gz":
        return gzip.open(path)  # type: ignore[return-value]
    if packed == ".bz2":
        return bz2.open(path)
    if packed == ".xz":
        return lzma.open(path)
    stream = path.open("rb")
    if packed == ".zst":  # of any window: dumps of forums have the largest
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(
            stream, read_across_frames=True, closefd=True
        )
        return io.BufferedReader(reader)  # type: ignore[arg-type]
    return stream


class Told(io.RawIOBase):
    """The bytes of a file, unpacked, as UTF-8; a damaged file is a UserError that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = unpacked(path)
        first = self._taken(8)
        mark, encoding = _encoding(first)
        self._decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
        self._waiting = self._decoder.decode(first[len(mark) :]).encode() if self._decoder else first

    def _taken(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise UserError(f"{self._path} cannot be unpacked: {error}") from None

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, as many where there are; BLOCK by default."""
        size = size if size and size > 0 else BLOCK
        while len(self._waiting) < size and (taken := self._taken(size - len(self._waiting))):
            self._waiting += self._decoder.decode(taken).encode() if self._decoder else taken
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:  # noqa: D102
        return True

    def close(self) -> None:  # noqa: D102
        self._stream.close()
        super().close()


def _encoding(first: bytes) -> tuple[bytes, str | None]:
    """The mark that text of 16 or 32 bits a letter begins with, if any, and its encoding; None for UTF-8."""
    for mark, encoding in _ENCODINGS:
        if first.startswith(mark):
            return mark, encoding
    zeros = [at for at, byte in enumerate(first) if not byte]
    return b"", _ZEROS.get(tuple(zeros))


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written. `written` are the names of its columns, `header` the same without blanks around."""

    written: list[str]
    separator: str
    backslashes: bool
    skipped: int
    """Bytes before the header: the line `sep=;` that tells Excel the separator."""

    @property
    def header(self) -> list[str]:  # noqa: D102
        return [name.strip(_AROUND) for name in self.written]


class Csv(io.RawIOBase):
    """A CSV by the rule: quotes doubled, carriage returns before line feeds alone; `tail` is what came last."""

    _ESCAPED, _LONE = re.compile(rb'\\(["\\])'), re.compile(rb"\r(?!\n)")

    def __init__(self, path: Path, backslashes: bool, skipped: int) -> None:
        self._stream = Told(path)
        self._backslashes, self._skip, self._held = backslashes, skipped, b""
        self._lone: bytes | None = None
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        """Some bytes, at most `size`; none at the end."""
        data = b""
        while not data:
            taken = self._stream.read(max(1, (size if size and size > 0 else BLOCK) - len(self._held)))
            data = self._held + taken
            if not data:
                return b""
            if self._lone is None:  # rows of old Macs end in carriage returns, and there is no line feed at all
                self._lone = b"\n" if b"\r" in data and b"\n" not in data else b" "
            begins = data.endswith(b"\r") or (len(data) - len(data.rstrip(b"\\"))) % 2  # what the next bytes end
            self._held = data[-1:] if taken and begins else b""
            data = data[: len(data) - len(self._held)]
            if self._skip:
                data, self._skip = data[self._skip :], max(0, self._skip - len(data))
            if not taken:
                break
        if b"\r" in data:
            data = self._LONE.sub(self._lone or b" ", data)
        if self._backslashes and b"\\" in data:
            data = self._ESCAPED.sub(lambda found: b'""' if found[1] == b'"' else b"\\", data)
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
    """How the CSV at `path` is written, whose columns should be `needed`. Raises UserError where it has no header."""
    with Csv(path, False, 0) as stream:
        marked = stream.read(1 << 16)
        first = marked.removeprefix(codecs.BOM_UTF8)
    skipped, told = 0, re.match(rb'"?sep=(.)"?\r?\n', first)
    separators = SEPARATORS
    if told and told[1].decode("latin-1") in SEPARATORS:
        skipped, separators = told.end() + len(marked) - len(first), told[1].decode()
    # Bytes that are not UTF-8 may stand in rows, which are checked one by one, but not here.
    text = first[told.end() if skipped and told else 0 :].decode("utf-8", "surrogateescape")
    found: list[tuple[list[str], str]] = []
    try:
        for separator in separators:
            lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            found.append((next((line for line in lines if line), []), separator))
        "".join(found[0][0]).encode()
    except (UnicodeEncodeError, csv.Error) as error:
        raise UserError(f"{path} has no header of a CSV in UTF-8 (save it as CSV UTF-8): {error}.") from None
    header, separator = max(found, key=lambda one: sum(name.strip() in needed for name in one[0]))
    plain = Dialect(header, separator, False, skipped)
    if not _holds(path, b'\\"'):
        return plain
    escaped = Dialect(header, separator, True, skipped)
    if (wrong := _wrong_rows(path, plain)) and _wrong_rows(path, escaped) < wrong:
        log.info("%s: quotes within quotes stand behind a backslash, as Spark and MySQL write them", path)
        return escaped
    return plain


def _holds(path: Path, wanted: bytes) -> bool:
    with Told(path) as stream:
        last = b""
        while data := stream.read(BLOCK):
            if wanted in last + data:
                return True
            last = data[-len(wanted) + 1 :]
    return False


def _wrong_rows(path: Path, dialect: Dialect) -> int:
    """Rows that are not of this dialect: another number of cells, or letters between a quote and a separator."""
    csv.field_size_limit(2**31 - 1)
    wrong = 0
    with Csv(path, dialect.backslashes, dialect.skipped) as stream:
        rows = csv.reader(_lines(stream), delimiter=dialect.separator, strict=True)
        while True:
            try:
                wrong += len(next(rows)) not in (0, len(dialect.header))
            except csv.Error:
                wrong += 1
            except StopIteration:
                return wrong


def _lines(stream: Csv) -> Iterator[str]:
    rest = b""
    while data := stream.read(BLOCK):
        *lines, rest = (rest + data).split(b"\n")
        yield from (f"{line.decode('utf-8', 'replace')}\n" for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
