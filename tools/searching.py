"""Where names still stand: every byte of files looked through, also of what is packed in them.

Parquet is read column by column, Arrow by its buffers; zips (and npz), gzip, bzip2, xz and zstd are unpacked, one in
another too; Git's objects are read as they are unpacked. a to z of both cases count as one. A name is looked for as it
is, as JSON, HTML, URLs and YAML escape it, and in UTF-16; a hit says where and which of the names, by number, not what.
"""

import bz2
import gzip
import html
import io
import json
import lzma
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_DEEP = 4
"""Packings within one another that are opened."""
_PIECE = 64 << 20
_WINDOW, _HEAD, _GRAMS, _BITS = 1 << 18, 256, 16, 22
"""In how many bytes at once forms are sifted, by how many first bytes of theirs, by how many pieces of these, hashed to
how many bits. The smaller the window, the fewer forms have all their pieces in it by chance."""


class Hit(NamedTuple):
    """A name, by its number, and where it stands: a file, and what in it."""

    name: int
    path: str
    inside: str


class Searched(NamedTuple):
    """What was looked through, in files and in bytes as unpacked, and what was found."""

    files: int
    size: int
    hits: list[Hit]
    unread: list[str]
    """Files that could not be unpacked: their bytes as they are were searched."""


class Search:
    """A search for `names`, each in all its forms."""

    def __init__(self, names: Iterable[str]) -> None:
        self._forms: list[tuple[int, bytes]] = []
        for number, name in enumerate(names):
            cases = {name, name.lower(), name.upper()}
            written = cases | {html.escape(name) for name in cases} | {json.dumps(name)[1:-1] for name in cases}
            written |= {quote(name, safe=safe) for name in cases for safe in ("/", "")}
            forms = {form.encode("utf-8", "surrogatepass") for form in written}
            forms |= {name.encode("utf-16-le", "surrogatepass") for name in cases}
            self._forms += [(number, form.lower()) for form in forms if form]
        self._sieves = [_Sieve.of(size, [form for _, form in self._forms]) for size in (8, 4)]
        self._longest = max((len(form) for _, form in self._forms), default=1)
        self._files = self._size = 0
        self._hits: dict[Hit, None] = {}
        self._unread: list[str] = []

    def folder(self, place: Path, but: Callable[[Path], bool] = lambda path: False) -> None:
        """Search all files below `place`, and the names of these; those that `but` says are left out."""
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if but(path) or path.is_symlink() or not path.is_file():
                continue
            self.file(path)

    def file(self, path: Path) -> None:
        """Search a file and its name."""
        self._files += 1
        self._look(str(path).encode("utf-8", "surrogateescape"), str(path), "its name")
        with path.open("rb") as stream:
            held = b""
            while piece := stream.read(_PIECE):
                self._look(held + piece, str(path), "")
                held = piece[-self._longest :]
        self._unpacked(path, str(path))

    def _unpacked(self, path: Path, told: str) -> None:
        with path.open("rb") as stream:
            head = stream.read(8)
        try:
            if head[:4] == b"PAR1":
                self._parquet(path, told)
            elif _packing(head):
                self._inner(path.read_bytes(), told, 0)
        except (OSError, pa.ArrowException, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError):
            self._unread.append(told)

    def _inner(self, data: bytes, told: str, depth: int) -> None:
        """Search what is packed in `data`."""
        kind = _packing(data[:8])
        if kind is None or depth > _DEEP:
            return
        if kind == "zip":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for entry in archive.infolist():
                    self._look(entry.filename.encode("utf-8", "surrogateescape"), told, "a name in the zip")
                    content = archive.read(entry)
                    self._look(content, told, "in the zip")
                    self._inner(content, told, depth + 1)
        elif kind == "parquet":
            self._parquet(io.BytesIO(data), told)
        else:
            content = _UNPACK[kind](data)
            self._look(content, told, f"as {kind}")
            self._inner(content, told, depth + 1)

    def _parquet(self, source: Any, told: str) -> None:
        file = pq.ParquetFile(source)
        for batch in file.iter_batches(20_000):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for leaf in _leaves(column):
                    self._look(leaf, told, f"column {name}")
                    if pa.types.is_binary(column.type):
                        for value in column.drop_null().to_pylist():
                            self._inner(value, told, 1)

    def git(self, folder: Path) -> None:
        """Search all objects of a Git repository, also those that no branch leads to any more."""
        listed = subprocess.run(
            ["git", "cat-file", "--batch-all-objects", "--batch", "--unordered"],
            cwd=folder,
            capture_output=True,
            check=True,
        )
        self._look(listed.stdout, str(folder / ".git"), "objects of Git")
        refs = subprocess.run(["git", "for-each-ref"], cwd=folder, capture_output=True, check=True)
        self._look(refs.stdout, str(folder / ".git"), "names of Git")

    def text(self, text: str, told: str) -> None:
        """Search a text, such as what a command printed."""
        self._look(text.encode("utf-8", "surrogateescape"), told, "")

    def _look(self, data: bytes, told: str, inside: str) -> None:
        self._size += len(data)
        lowered = data.lower()
        left = np.ones(len(self._forms), bool)
        for begin in range(0, len(lowered), _WINDOW):
            end = begin + _WINDOW
            likely = left.copy()
            for sieve in self._sieves:
                likely[sieve.rows] &= sieve.passed(lowered[begin : end + _HEAD])
            for at in np.flatnonzero(likely):
                number, form = self._forms[at]
                if lowered.find(form, begin, end + len(form)) >= 0:
                    self._hits[Hit(number, told, inside)] = None
                    left[at] = False

    def end(self) -> Searched:
        """What was looked through and found so far."""
        return Searched(self._files, self._size, list(self._hits), list(self._unread))


class _Sieve(NamedTuple):
    """Which forms cannot begin in a window of bytes, as not all pieces of theirs are in it: one pass for any number."""

    size: int
    """Bytes of a piece: 8 or 4."""
    rows: np.ndarray
    """The forms (n,) that are long enough for such pieces, and not for longer ones."""
    pieces: np.ndarray
    """Of each, the hashes (n, _GRAMS) of pieces from all over its head; of a short one some stand there again."""

    @classmethod
    def of(cls, size: int, forms: list[bytes]) -> "_Sieve":
        """The sieve of those among `forms` that have `size` bytes; of 8 and more, where `size` is 8."""
        rows = [at for at, form in enumerate(forms) if min(len(form), 8) // 4 * 4 == size]
        pieces = np.empty((len(rows), _GRAMS), np.intp)
        for row, at in enumerate(rows):
            head = forms[at][:_HEAD]
            begins = np.linspace(0, len(head) - size, _GRAMS).astype(int)
            pieces[row] = _hashed(np.array([int.from_bytes(head[b : b + size], "little") for b in begins], np.uint64))
        return cls(size, np.array(rows, np.intp), pieces)

    def passed(self, window: bytes) -> np.ndarray:
        """Of each of the forms, whether all its pieces are, or share their hash with what is, in `window` (n,)."""
        seen = np.zeros(1 << _BITS, bool)
        for begin in range(self.size if len(self.rows) else 0):
            count = max(0, len(window) - begin) // self.size
            seen[_hashed(np.frombuffer(window, f"<u{self.size}", count, begin if count else 0))] = True
        return np.asarray(seen[self.pieces].all(axis=1))


def _hashed(codes: np.ndarray) -> np.ndarray:
    """Numbers (n,) of 32 or 64 bits in _BITS of them, by Fibonacci hashing."""
    mixed = codes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - _BITS)
    return mixed.astype(np.intp)


def _packing(head: bytes) -> str | None:
    for magic, kind in (
        (b"PK\3\4", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"), (b"PAR1", "parquet"), (b"\x78\x01", "zlib"), (b"\x78\x9c", "zlib"),
        (b"\x78\xda", "zlib"),
    ):  # fmt: skip
        if head.startswith(magic):
            return kind
    return None


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(data).read()


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
    "zlib": zlib.decompress,
    "zstd": _zstd,
}


def _leaves(column: Any) -> Iterator[bytes]:
    """The bytes of a column's texts, also within lists and structs."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _leaves(column.dictionary)
    elif pa.types.is_struct(kind):
        for at in range(kind.num_fields):
            yield from _leaves(column.field(at))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if not pa.types.is_floating(kind.value_type):
            yield from _leaves(column.flatten())
    elif pa.types.is_timestamp(kind):
        yield "\n".join(map(str, column.to_pylist())).encode()
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        buffer = column.buffers()[-1]
        if buffer is not None:
            yield buffer.to_pybytes()
