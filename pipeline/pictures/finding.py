r"""Where a picture's file is found: the name that a post gives, looked for in a folder or a zip of pictures.

The one place that knows how names differ between a table and a disk. A name is tried as it is, then

- with `/` for `\`, without `./`, `//` and the URL quoting (`%20`) of names that were addresses;
- without what repeats the path of the folder, or with the one folder that a zip or folder wraps all its files in;
- by the bytes that other systems make of it: decomposed letters, code pages of old zips and unzippers;
- without regard to case and composition, where that fits one file alone;
- as the end of a path: in whatever folder below this one the file lies, where that fits one file alone.

Only what is asked for is touched: what else lies in the folder or zip (pipes, dangling links, broken entries) does not
matter. Whatever is wrong with a file comes back as `Rejected`. A file is read only where it lies inside the folder, or
where links lead into `store`, a folder that its owner named.
"""

import contextlib
import errno
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from pipeline.pictures import spelling
from pipeline.pictures.below import Below, files_below, in_archive
from pipeline.pictures.odd_zips import TolerantFile
from pipeline.pictures.reading import MAX_BYTES, MISSING, Rejected
from pipeline.running.errors import UserError

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_ZIP_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, LookupError, TypeError),
)
"""What zipfile raises on damaged, encrypted and odd archives and entries."""
_MACHINE = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""The machine's fault, not the file's."""


class Pictures(Protocol):
    """A folder or zip of pictures."""

    def read(self, name: str) -> bytes | Rejected:
        """The bytes of the picture that a post calls `name`, at most MAX_BYTES."""

    def facts(self, name: str) -> tuple[int, ...] | Rejected:
        """Numbers that change when the file does, without reading it."""


@contextlib.contextmanager
def opened(path: Path | None, store: Path | None = None) -> Iterator[Pictures]:
    """The pictures in `path`, a folder or a zip; None: there are none. Raises UserError where it is neither."""
    if path is None:
        yield Nowhere()
        return
    if path.is_dir():
        yield Folder(path, store)
        return
    with Archive(path) as archive:
        yield archive


class Nowhere:
    """No pictures: each name leads nowhere."""

    def read(self, name: str) -> Rejected:
        """Why there is no such picture."""
        return Rejected(MISSING, name)

    facts = read


class Folder:
    """Files inside a folder, or in `store` where links lead there."""

    def __init__(self, path: Path, store: Path | None = None) -> None:
        self._path = os.fsencode(path)
        self._roots = [os.path.realpath(root) for root in (self._path, os.fsencode(store) if store else None) if root]
        self._own = spelling.steps(str(path.absolute()))
        self._listed: dict[bytes, dict[str, list[bytes]]] = {}
        self._wrapper: list[bytes] | None = None
        with contextlib.suppress(PermissionError), os.scandir(path) as entries:
            if inner := _archives_alone(entry.name + "/" * entry.is_dir() for entry in entries):
                raise UserError(f"{path} holds archives alone, such as {inner}: unpack them there.")

    def read(self, name: str) -> bytes | Rejected:
        """The bytes of a plain file; a fifo is not waited on."""
        found = self._found(name)
        if isinstance(found, Rejected):
            return found
        path, _ = found
        try:
            # Should the file be exchanged just now: no link is followed, no fifo waited on, no more read than allowed.
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                return stream.read(MAX_BYTES)
        except OSError as error:
            return _unread(name, error)

    def facts(self, name: str) -> tuple[int, ...] | Rejected:
        """Size, and time of the last change in ns."""
        found = self._found(name)
        return found if isinstance(found, Rejected) else (found[1].st_size, found[1].st_mtime_ns)

    def _found(self, name: str) -> tuple[bytes, os.stat_result] | Rejected:
        """The path of the file, free of links, and its facts."""
        outside = False
        for parts in self._places(name):
            if ".." in parts or "\0" in name:
                outside = True
                continue
            found = self._stat(name, parts)
            if found is not None:
                return found
        if outside:
            return Rejected("outside the folder", name)
        below = self._below.found(name)
        return below if isinstance(below, Rejected) else self._stat(name, below.split("/")) or Rejected(MISSING, name)

    @cached_property
    def _below(self) -> Below:
        return Below(files_below(self._path))

    def _places(self, name: str) -> Iterator[list[str]]:
        for form in spelling.spellings(name):
            parts = spelling.steps(form)
            if spelling.is_from_elsewhere(form):  # on this machine or another: what stands behind the folder's name
                yield spelling.behind_last(parts, self._own[-1]) or [".."]
            else:
                yield parts
                if inner := spelling.behind(parts, self._own):
                    yield inner

    def _stat(self, name: str, parts: list[str]) -> tuple[bytes, os.stat_result] | Rejected | None:
        """The file at `parts`; why it may not be read; None where there is none."""
        try:
            path = self._walked(self._path, parts)
            if path is None and (wrapper := self._wrapped()):
                path = self._walked(wrapper[0], parts)
            if path is None:
                return None
            real = os.path.realpath(path, strict=True)
            if not any(real == root or real.startswith(root.rstrip(b"/") + b"/") for root in self._roots):
                return Rejected("outside the folder", f"{name} is a link to {os.fsdecode(real)}")
            facts = os.stat(real)  # noqa: PTH116
        except FileNotFoundError:
            return Rejected(MISSING, f"{name} is a link to nothing")
        except OSError as error:
            return _unread(name, error)
        if not stat.S_ISREG(facts.st_mode):
            return Rejected("not a file", name)
        if facts.st_size > MAX_BYTES:
            return Rejected("too large a file", f"{name}: {facts.st_size} bytes, limit {MAX_BYTES}")
        return real, facts

    def _walked(self, folder: bytes, parts: list[str]) -> bytes | None:
        """The path of `parts` below `folder`, each as some file there is called; None where there is none."""
        path = os.path.join(folder, *map(spelling.utf8, parts))  # noqa: PTH118
        if os.path.lexists(path):
            return path
        path = folder
        for part in parts:
            step = next((p for f in spelling.forms(part) if os.path.lexists(p := os.path.join(path, f))), None)  # noqa: PTH118
            if step is None:
                alike = self._names(path).get(spelling.alike(part), [])
                step = os.path.join(path, alike[0]) if len(alike) == 1 else None  # noqa: PTH118
            if step is None:
                return None
            path = step
        return path

    def _names(self, folder: bytes) -> dict[str, list[bytes]]:
        """The names in a folder, by what they are alike in."""
        if folder not in self._listed:
            names: dict[str, list[bytes]] = {}
            with contextlib.suppress(NotADirectoryError, FileNotFoundError):
                for entry in os.listdir(folder):  # noqa: PTH208
                    names.setdefault(spelling.alike(os.fsdecode(entry)), []).append(entry)
            self._listed[folder] = names
        return self._listed[folder]

    def _wrapped(self) -> list[bytes]:
        """The one folder in this folder, where there is nothing else."""
        if self._wrapper is None:
            entries = [
                e for names in self._names(self._path).values() for e in names if not spelling.junk(os.fsdecode(e))
            ]
            inner = [os.path.join(self._path, entry) for entry in entries]  # noqa: PTH118
            self._wrapper = inner if len(inner) == 1 and os.path.isdir(inner[0]) else []  # noqa: PTH112
        return self._wrapper


class Archive:
    """Files inside a zip. Entries are known by the bytes of their names, whatever these are marked as."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = spelling.steps(str(path.absolute().with_suffix("")))
        try:
            self._file = TolerantFile(path.open("rb"))
            self._zip = zipfile.ZipFile(self._file, metadata_encoding="latin-1")  # type: ignore[call-overload]
        except _ZIP_DAMAGE as error:
            if isinstance(error, OSError) and error.errno in _MACHINE:
                raise
            raise UserError(
                f"{path} is neither a folder nor a whole zip of images: {error}. Unpack other archives into a folder."
            ) from None
        self._file.opening = False
        if inner := _archives_alone(name for name in self._zip.namelist() if not name.endswith("/")):
            raise UserError(f"{path} holds archives alone, such as {inner}: unpack it, and them, into a folder.")
        self._entries: dict[bytes, zipfile.ZipInfo] = {}
        for entry in self._zip.infolist():
            if not entry.filename.endswith("/"):
                self._entries[_clean(_marked(entry))] = entry
        alike: dict[str, list[zipfile.ZipInfo]] = {}
        for raw, entry in self._entries.items():
            alike.setdefault(spelling.alike(os.fsdecode(raw)), []).append(entry)
        self._alike = {name: found[0] for name, found in alike.items() if len(found) == 1}
        tops = {raw.partition(b"/")[0] for raw in self._entries if not spelling.junk(os.fsdecode(raw))}
        self._top = tops.pop() if len(tops) == 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str) -> bytes | Rejected:
        """The bytes of an entry."""
        entry = self._found(name)
        if isinstance(entry, Rejected):
            return entry
        if entry.file_size > MAX_BYTES:
            return Rejected("too large a file", f"{name}: {entry.file_size} bytes, limit {MAX_BYTES}")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return Rejected("unreadable", f"{name}: compressed by another method than deflate; unpack the zip")
        if entry.flag_bits & 1:
            return Rejected("unreadable", f"{name}: encrypted; unpack the zip")
        try:
            with self._zip.open(entry) as stream:
                return stream.read(entry.file_size + 1)  # no more than file_size, whatever the data unpacks to
        except _ZIP_DAMAGE as error:
            if isinstance(error, OSError) and error.errno in _MACHINE:
                raise
            return Rejected("unreadable", f"{name}: {error or type(error).__name__}")

    def facts(self, name: str) -> tuple[int, ...] | Rejected:
        """Size and checksum of the entry."""
        entry = self._found(name)
        return entry if isinstance(entry, Rejected) else (entry.file_size, entry.CRC)

    def _found(self, name: str) -> zipfile.ZipInfo | Rejected:
        for form in spelling.spellings(name):
            parts = spelling.steps(form)
            inner = spelling.behind(parts, self._own)
            if spelling.is_from_elsewhere(form):
                inner = spelling.behind_last(parts, self._own[-1])
            for tried in (parts, inner, [os.fsdecode(self._top), *parts] if self._top else None):
                if tried and (entry := self._entry("/".join(tried))):
                    return entry
        below = self._below.found(name)
        return below if isinstance(below, Rejected) else self._entry(below) or Rejected(MISSING, name)

    @cached_property
    def _below(self) -> Below:
        return Below(in_archive(self._entries))

    def _entry(self, path: str) -> zipfile.ZipInfo | None:
        """The entry at `path`, by the bytes that it may have, else the one that is alike."""
        for raw in map(_clean, spelling.forms(path)):
            if raw in self._entries:
                return self._entries[raw]
        return self._alike.get(spelling.alike(path))


def _archives_alone(names: Iterable[str]) -> str | None:
    """One of the `names` in a zip or folder, where all are of archives; None where some are not, or there are none."""
    first = None
    for name in names:
        if spelling.junk(name.rpartition("/")[2]):
            continue
        if not name.lower().endswith(_ARCHIVES):
            return None
        first = first or name
    return first


def _marked(entry: zipfile.ZipInfo) -> bytes:
    """The bytes of an entry's name."""
    return entry.orig_filename.encode("latin-1")


def _clean(raw: bytes) -> bytes:
    """The bytes of a name in a zip as one path: no backslashes, no empty steps, no `.`."""
    return b"/".join(part for part in raw.replace(b"\\", b"/").split(b"/") if part not in (b"", b"."))


def _unread(name: str, error: OSError) -> Rejected:
    if error.errno in _MACHINE:
        raise error
    return Rejected("unreadable", f"{name}: {error.strerror}")
