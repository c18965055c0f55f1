"""Where exports lie: files, folders and zips, compressed or not, as streams of rows.

A zip or folder is a `Tree`: names, and what each holds. JSON is read a line at a time where it is JSON lines, and whole
where it is one document; a line that is no JSON is told by its number, and the others are read.
"""

import contextlib
import io
import json
import re
import zipfile
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import orjson

from pipeline.common import json_values, packed
from pipeline.common.left_behind import LEFT_BEHIND
from pipeline.common.packed import DAMAGED
from pipeline.running.errors import UserError

LARGEST = 2 << 30
"""Bytes of one JSON document, which is held whole."""
BOM = b"\xef\xbb\xbf"
_BROKEN_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\x")


class Tree:
    """The files of a folder or zip, by their paths in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            found = (p.relative_to(path) for p in path.rglob("*") if p.is_file())
            self.names = sorted(p.as_posix() for p in found if not any(part.startswith(".git") for part in p.parts))
        else:
            try:
                self._zip = zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError) as error:
                raise UserError(f"{path} is not a zip that can be read: {error}.") from None
            self._called = {i.filename.replace("\\", "/"): i.filename for i in self._zip.infolist() if not i.is_dir()}
            self.names = sorted(self._called)
        self.names = [name for name in self.names if not LEFT_BEHIND.search(name)]
        self.held = set(self.names)

    def open(self, name: str) -> IO[bytes]:
        """The bytes of a file. Raises UserError where it has a password, or is packed in an unusual way."""
        if self._zip is None:
            return (self.path / name).open("rb")
        try:
            return self._zip.open(self._called[name])
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.path}: {name} cannot be unpacked ({error}): unpack all into a folder.") from None

    def size(self) -> int:
        """Bytes of all files of a zip, unpacked."""
        return sum(entry.file_size for entry in self._zip.infolist()) if self._zip else 0

    def json(self, name: str) -> Any:
        """A file of JSON."""
        with self.open(name) as stream:
            return document(stream.read(LARGEST), f"{self.path}: {name}")

    def matching(self, pattern: str) -> list[str]:
        """The names that end in what `pattern`, a regular expression, matches, from a `/` or the beginning on."""
        return [name for name in self.names if re.search(rf"(^|/){pattern}$", name)]

    def beginning(self, begin: str) -> Iterator[str]:
        """The names that begin so, in order."""
        for at in range(bisect_left(self.names, begin), len(self.names)):
            if not self.names[at].startswith(begin):
                return
            yield self.names[at]

    def picture(self, name: str) -> str:
        """How the import finds a file of this tree; `.` and a leading `/` do not count."""
        return f"{self.path}!/{name.lstrip('./')}"


class Part(Tree):
    """The files of one folder of a tree, by their paths in it."""

    def __init__(self, whole: Tree, folder: str) -> None:
        self.path, self._whole, self._begin = whole.path / folder, whole, f"{folder}/"
        self.names = [name.removeprefix(self._begin) for name in whole.beginning(self._begin)]
        self.held = set(self.names)

    def open(self, name: str) -> IO[bytes]:
        """The bytes of a file."""
        return self._whole.open(self._begin + name)

    def picture(self, name: str) -> str:
        """How the import finds a file, which is by the whole."""
        return self._whole.picture(self._begin + name)


def unpacked(stream: IO[bytes]) -> io.BufferedReader:
    """A stream without its packing, and as UTF-8 where it is UTF-16, as PowerShell writes with >. It can be peeked."""
    found = packed.unpacked(stream)
    magic = found.peek(4)[:4]
    if magic[:2] in (b"\xff\xfe", b"\xfe\xff") and magic != b"\xff\xff\xff\xff":
        return io.BufferedReader(io.BytesIO(found.read().decode("utf-16", "replace").encode()))
    return found


class Packed(io.RawIOBase):
    """A file, packed or not, as far as it can be read; `cut` says why it ended where it was cut off or damaged."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.cut: Exception | None = None
        self._stream: Any = stream

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end and where no more can be read."""
        try:
            data = self._stream.read1(len(buffer))
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno:  # of the disk, not of what lies on it
                raise
            self.cut, data = error, b""
        buffer[: len(data)] = data
        return len(data)


def document(data: bytes, path: str) -> Any:
    """One JSON document; also the archives' `window.YTD… = [`, and the escapes of Telegram that JSON does not know.

    Raises UserError for what is none.
    """
    data = data.removeprefix(BOM)
    try:
        return _loaded(data)
    except orjson.JSONDecodeError:
        begin = data.find(b"=") + 1 if data[:64].lstrip().startswith((b"window.", b"var ", b"Grailbird.")) else 0
        try:
            return json.loads(_BROKEN_ESCAPE.sub(rb"\1\\u00", data[begin:]), **_LENIENT)
        except json_values.BROKEN as error:
            raise UserError(f"{path} is not JSON: {error}.") from None


def _loaded(data: bytes) -> Any:
    """A value of JSON. Raises orjson.JSONDecodeError where it is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        with contextlib.suppress(*json_values.BROKEN):
            return json.loads(data, **_LENIENT)
        raise
    return json_values.without_kinds(value) if b'"$' in data and json_values.MONGO.search(data) else value


_LENIENT: dict[str, Any] = {"parse_constant": lambda _: None, "object_hook": json_values.mended}
"""How Python decodes what orjson refuses: NaN, as Python writes it, is none, and half of an emoji nothing."""
_DECODER = json.JSONDecoder(**_LENIENT)


def records(stream: IO[bytes], path: str) -> Iterator[tuple[int, Any]]:
    """The values of JSON lines, or of documents, lists' one by one, with their numbers from 1; what is broken is its
    error.
    """
    first = stream.readline().removeprefix(BOM)
    while first and not first.strip():
        first = stream.readline()
    if first.lstrip()[:1] == b"[":
        yield from enumerate(_whole(first + stream.read(LARGEST), path), start=1)
        return
    try:
        yield 1, _loaded(first)
    except orjson.JSONDecodeError as error:
        rest = stream.read(LARGEST)
        by_lines = first.lstrip()[:1] == b"{" and json_values.by_lines(first + rest[: 1 << 16])
        if not by_lines and not _is_json(rest.split(b"\n", 1)[0]):
            yield from enumerate(_whole(first + rest, path), start=1)
            return
        yield from ((1, value) for value in _of_line(first, error))
        stream = io.BytesIO(rest)
    for number, line in enumerate(stream, start=2):
        if line.strip():
            try:
                yield number, _loaded(line)
            except orjson.JSONDecodeError as error:
                yield from ((number, value) for value in _of_line(line, error))


def _whole(data: bytes, path: str) -> Iterator[Any]:
    """The values of a document, or of several, one of which may have been cut off. Raises UserError where none is."""
    try:
        found = document(data, path)
    except UserError:
        held = list(json_values.values(data.decode("utf-8-sig", "replace"), _DECODER))
        if not any(isinstance(one, Mapping) for one in held):
            raise
        yield from held
        return
    yield from found if isinstance(found, list) else [found]


def _of_line(line: bytes, error: ValueError) -> list[Any]:
    """The values of a line that is not one: several, or one with a comma behind it; else its error."""
    try:
        return json_values.of_line(line.decode(), _DECODER) or [error]
    except json_values.BROKEN:
        return [error]


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
