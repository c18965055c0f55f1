"""Tars, packed or not, and zips within zips, as trees of files: a person's archive of older Mastodons is a tar, and
those of several people, or 4CAT's data set with its pictures, are zips in a zip.

Such cannot be looked into, so they are streamed once. Their pictures go into a zip that stays, for the import to read;
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


class Streamed(Tree):
    """The files of a tar or an inner zip, by their paths in it, but for videos; its pictures in the zip `pictures`."""

    def __init__(self, path: Path, pictures: Path) -> None:
        self.path = pictures
        others = tempfile.TemporaryFile()  # noqa: SIM115 - goes with the tree
        with zipfile.ZipFile(pictures, "w") as kept, zipfile.ZipFile(others, "w") as rest:
            for name, stream in _files(path) if path.is_file() else _within(path):
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
    """The tars at `paths`, and packed ones in them and in `images`, and the zips within zips of both, as trees whose
    pictures lie in `folder`. Tars of pictures that are not packed are read as shards (`pipeline.exports.aside`).
    """
    found: list[Path] = []
    plain = [(place, not place.is_dir()) for place in paths] + [(place, False) for place in images]
    for place, alone in plain:
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        endings = (*_PACKED, ".tar") if alone else _PACKED
        found += [path for path in inside if path.name.lower().endswith(endings) and path.is_file()]
        named = [path for path in inside if path == place or path.name.lower().endswith(".zip")]
        zips = [path for path in named if path.is_file() and zipfile.is_zipfile(path)]
        found += [path / name for path in zips for name in Tree(path).names if name.lower().endswith(".zip")]
    trees: dict[Path, Tree] = {}
    for number, path in enumerate(dict.fromkeys(found)):
        pictures = folder / f"within-{number:04}.zip"
        try:
            trees[path] = Streamed(path, pictures)
        except UserError:  # of a zip within a zip it is told where this one is read
            if path.is_file():
                raise
            pictures.unlink()
    return trees


def _within(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a zip within a zip. Raises UserError where it is damaged, or unpacks to too much."""
    outer = next(parent for parent in path.parents if parent.is_file())
    with tempfile.NamedTemporaryFile(suffix=".zip") as copy:
        with Tree(outer).open(path.relative_to(outer).as_posix()) as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)
        copy.flush()
        tree, most = Tree(Path(copy.name)), max(_MOST, _TIMES * copy.tell())
        if (total := tree.size()) > most:
            raise UserError(f"{path} unpacks to {total} bytes.")
        for name in tree.names:
            if not name.lower().endswith(_VIDEOS):
                with tree.open(name) as stream:
                    yield name, stream


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
