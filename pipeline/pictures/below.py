"""Files by their names, in whatever folder below another they lie: for tables that name them without their folders."""

import os
from collections.abc import Iterable, Iterator, Sequence

from pipeline.pictures import spelling
from pipeline.pictures.reading import MISSING, Rejected

SEVERAL = "several files of that name"
"""The reason of a name that fits files of more than one folder."""


class Below:
    """The files of all folders, (folder, name) each; of a file, the name and the number of its folder are held."""

    def __init__(self, files: Iterable[tuple[str, str]]) -> None:
        self._folders: list[str] = []
        self._held: dict[str, int | list[int]] = {}
        for folder, name in files:
            if not self._folders or self._folders[-1] != folder:
                self._folders.append(folder)
            self._put(spelling.alike(name), len(self._folders) - 1)

    def _put(self, name: str, folder: int) -> None:
        there = self._held.setdefault(name, folder)
        if isinstance(there, list):
            there.append(folder)
        elif there != folder:
            self._held[name] = [there, folder]

    def folders(self, steps: Sequence[str]) -> list[str]:
        """The folders that hold a file of the name `steps[-1]`, and whose paths end in the steps before it."""
        held = self._held.get(spelling.alike(steps[-1]), [])
        named = {self._folders[at] for at in ([held] if isinstance(held, int) else held)}
        wanted = [spelling.alike(step) for step in steps[:-1]]
        return sorted(one for one in named if not wanted or spelling.alike(one).split("/")[-len(wanted) :] == wanted)

    def found(self, name: str) -> str | Rejected:
        """The path of the one file that `name` may mean; why there is none."""
        for form in spelling.spellings(name):
            steps = spelling.steps(form)
            if not steps or ".." in steps or spelling.is_from_elsewhere(form):
                continue
            folders = self.folders(steps)
            if len(folders) > 1:
                told = " and in ".join(folder or "the folder itself" for folder in folders[:2])
                return Rejected(SEVERAL, f"{name} lies in {told}")
            if folders:
                return "/".join(filter(None, (folders[0], steps[-1])))
        return Rejected(MISSING, name)


def files_below(folder: bytes) -> Iterator[tuple[str, str]]:
    """The files below a folder, (path of their folder in it, name) each; links to folders are not followed."""
    for path, _, names in os.walk(folder):
        inner = os.fsdecode(os.path.relpath(path, folder))
        yield from (("" if inner == "." else inner, os.fsdecode(name)) for name in names)


def in_archive(paths: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """The same of the entries of a zip."""
    for folder, _, name in sorted(os.fsdecode(path).rpartition("/") for path in paths):
        yield folder, name
