"""Stage `fetch_corpus`: fetch the default corpus, openclipart, as Debian packages it; nothing for another source.

Reads   the cache of earlier fetches, else the Debian archive, through apt
Writes  data/fetched   openclipart-svg.deb and openclipart-png.deb (156 MB); for another source, a note
"""

import os
import shutil
from pathlib import Path

from pipeline.corpus.sources.debian import fetch_packages
from pipeline.running.errors import UserError
from pipeline.running.files import atomic_folder
from pipeline.running.machine import cache_folder
from pipeline.running.params import load
from stages.runner import run

FETCHED = Path("data/fetched")

VERSION = "1:0.18+dfsg-19"
PACKAGES = {
    "openclipart-svg": "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5",
    "openclipart-png": "f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
}
"""The SHA-256 of each package file."""

INSTEAD = (
    "without it, try a generated corpus, `dvc exp run -S corpus.source=synthetic`, or your own posts, "
    "`-S corpus.source=table -S corpus.posts=FILE -S corpus.images=FOLDER`."
)


def main() -> None:
    params = load("corpus.source")
    with atomic_folder(FETCHED) as folder:
        if params.corpus.source == "openclipart":
            _fetch(folder)
        else:
            (folder / "README").write_text("Only the corpus openclipart is fetched.\n")


def _fetch(folder: Path) -> None:
    try:
        files = fetch_packages(PACKAGES, VERSION, cache_folder("openclipart"))
    except UserError as error:
        raise UserError(f"{error}; {INSTEAD}") from None
    for file in files.values():
        try:
            os.link(file, folder / file.name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(file, folder / file.name)


if __name__ == "__main__":
    run("fetch_corpus", main)
