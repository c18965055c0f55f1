"""Tars, packed or not, as trees of files: a person's archive of older Mastodons is one.

A tar cannot be looked into, so it is streamed once. Its pictures go into a zip that stays, for the import to read;
all else, which may hold what its author told few, into a file without a name that ends with the process.
"""

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from pipeline.common.left_behind import LEFT_BEHIND
from pipeline.common.packed import DAMAGED
from pipeline.exports.resolving import ENDINGS
from pipeline.exports.sources import LARGEST, Tree, unpacked
from pipeline.running.errors import UserError

_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_VIDEOS = (".mp4", ".mov", ".m4v", ".webm", ".mp3", ".ogg")
_BROKEN: tuple[type[Exception], ...] = (tarfile.TarError, *DAMAGED)
_MOST, _TIMES = 1 << 30, 100
"""A tar unpacks to no more than this many bytes, or times its own size: real ones take a fraction."""


class TarTree(Tree):
    """The files of a tar, by their paths in it, but for videos; its pictures in the zip `pictures`."""

    def __init__(self, path: Path, pictures: Path) -> None:
        self.path = pictures
        others = tempfile.TemporaryFile()  # noqa: SIM115 - goes with the tree
        with zipfile.ZipFile(pictures, "w") as kept, zipfile.ZipFile(others, "w") as rest:
            for name, stream in _files(path):
                shown = name.lower().endswith(ENDINGS)
                about = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                about.compress_type = zipfile.ZIP_DEFLATED  # a bomb stays small
                with (kept if shown else rest).open(about, "w", force_zip64=True) as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
        self._parts = [zipfile.ZipFile(pictures), zipfile.ZipFile(others)]
        self._part = {name: part for part in self._parts for name in part.namelist()}
        self.names = sorted(self._part)
        self.held = set(self.names)

    def open(self, name: str) -> IO[bytes]:
        """The bytes of a file."""
        return self._part[name].open(name)


def tars(paths: Iterable[Path], images: Iterable[Path], folder: Path) -> dict[Path, Tree]:
    """The tars at `paths`, and packed ones in them and in `images`, as trees whose pictures lie in `folder`.

    Tars of pictures that are not packed are read as shards (`pipeline.exports.aside`).
    """
    found: list[Path] = []
    plain = [(place, not place.is_dir()) for place in paths] + [(place, False) for place in images]
    for place, alone in plain:
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        endings = (*_PACKED, ".tar") if alone else _PACKED
        found += [path for path in inside if path.name.lower().endswith(endings) and path.is_file()]
    return {path: TarTree(path, folder / f"tar-{n:04}.zip") for n, path in enumerate(dict.fromkeys(found))}


def _files(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Plain files by cleaned name, each once. Raises UserError where the tar is damaged, or unpacks to too much."""
    most, total, seen = max(_MOST, _TIMES * path.stat().st_size), 0, set()
    try:
        with path.open("rb") as packed, tarfile.open(fileobj=unpacked(packed), mode="r|") as tar:
            for member in tar:
                total += member.size
                if total > most or (member.isfile() and member.size > LARGEST):
                    raise UserError(f"{path}: {member.name[:80]!r} and what is before it unpack to {total} bytes.")
                name = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                name = "/".join(part for part in name.split("/") if part not in ("", "."))
                if not member.isfile() or name in seen or LEFT_BEHIND.search(name) or name.lower().endswith(_VIDEOS):
                    continue
                seen.add(name)
                if (stream := tar.extractfile(member)) is not None:
                    yield name, stream
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise UserError(f"{path} is cut off or damaged: {error}. Get it again, or unpack it into a folder.") from None
