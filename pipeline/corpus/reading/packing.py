"""The bytes of a file of rows: unpacked, and as UTF-8.

Names end in what they hold, then in how it is packed: `posts.csv.gz`. Whether and how a file is packed its first bytes
tell, since browsers unpack on the way and leave the name. A zip is read where one table lies in it. UTF-16 and UTF-32
are known by their mark, or by the zero bytes that every letter of a header has there.
"""

import codecs
import io
import zipfile
from pathlib import Path
from typing import IO, Any

from pipeline.common import packed
from pipeline.common.left_behind import LEFT_BEHIND
from pipeline.common.packed import DAMAGED
from pipeline.running.errors import GIT_LFS, OF_GIT_LFS, OF_WORKBOOK, UserError

PACKED = (".gz", ".bz2", ".xz", ".zst")
TEXTS = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json")
"""What tables of text end in."""
BLOCK = 16 << 20
"""Bytes read at once; of a CSV also the length of the longest row."""
_ZIP = b"PK\3\4"
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
_PAGE = "a web page or XML, perhaps one that asks to log in: download the table itself"
_OTHERS = {
    b"PAR1": "Parquet: let its name end in .parquet",
    b"ARROW1": "Arrow: let its name end in .arrow",
    **dict.fromkeys((b"<!DOCTYP", b"<!doctyp", b"<html", b"<HTML", b"<?xml"), _PAGE),
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"a workbook of Excel: {OF_WORKBOOK}",
    b"SQLite format 3\0": "a database of SQLite: write its table as CSV or Parquet",
    b"FEA1": "Feather of the first version: read it with pandas, and write it as Parquet",
    GIT_LFS: OF_GIT_LFS,
}
"""What begins so is no text."""


def kind_of(path: Path) -> str:
    """What `path` ends in, without how it is packed, in small letters: `.csv` of Posts.CSV.gz, and of a zip of one."""
    if path.suffix.lower() == ".zip":
        with _opened_zip(path) as packed:
            return _ending(_table_in(packed, path).filename)
    return _ending(path.name)


def _ending(name: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in PACKED), "")


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path} is a zip that cannot be read ({error}): get it again; of a spreadsheet, save it as CSV UTF-8."
        ) from None


def _table_in(packed: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """The one table of text in a zip. Raises UserError where there is none or several, or none that can be read."""
    names = [name for name in packed.namelist() if Path(name).suffix.lower() in TEXTS and not LEFT_BEHIND.search(name)]
    if not names:
        raise UserError(
            f"{path} is a zip without a table in it ({', '.join(TEXTS)}), or a spreadsheet: unpack it, or save it as "
            "CSV UTF-8."
        )
    if len(names) > 1:
        raise UserError(f"{path} holds several tables, {', '.join(names[:5])}: unpack it, and name one of them.")
    entry = packed.getinfo(names[0])
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{path} has a password, or is packed in an unusual way: unpack it.")
    return entry


def other(path: Path) -> str | None:
    """What a file is that should be a table and is none, by its first bytes."""
    with path.open("rb") as stream:
        first = stream.read(24)
    return next((what for magic, what in _OTHERS.items() if first.startswith(magic)), None)


def unpacked(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked as it is read. What is wrong with them shows on the way, as `Told` tells.

    Raises UserError for a file of which only another program knows what it holds.
    """
    with path.open("rb") as stream:
        first = stream.read(8)
    if what := other(path):
        raise UserError(f"{path} is {what}.")
    if first.startswith(_ZIP):
        zipped = _opened_zip(path)
        return zipped.open(_table_in(zipped, path))
    return packed.unpacked(path.open("rb"))


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
        except DAMAGED as error:
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
