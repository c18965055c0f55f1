"""Pack what may be shown to others, and refuse while it has a name: `make share`; `make share VECTORS=1`.

share/share.zip holds the report, metrics and plots, the datasheet and the model card, this with what the run took, and,
by choice, the vectors of users, images and texts. Every byte is first searched for the ids of users and posts and, as
the source has them, names of files, and for e-mail addresses and telephone numbers. What a name is, is decided by
your own files, which have to be where params.yaml says. It says in which file how many were found, and never which.
"""

import argparse
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

from pipeline.privacy import texts
from pipeline.report.card import ENERGY
from pipeline.report.paper import of_this_run
from pipeline.running.errors import UserError
from pipeline.running.files import atomic_file
from pipeline.running.params import load
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import POSTS
from pipeline.tables.embedding import VOCABULARY
from tools.searching import Search
from tools.took import took

PACK = Path("share/share.zip")
ALWAYS = ("report/index.html", "metrics/*.json", "plots/*.csv", "data/card/*.md", "sbom.cdx.json")
TABLES = Path("paper/tables.md")
VECTORS = ("data/embeddings/*/*.parquet",)
CARD = Path("data/card/model-card.md")
NEEDED = ("report/index.html", str(CARD), "data/card/datasheet.md")
SHORTEST, DIGITS = 5, 8
"""Letters of an id from which on it is searched for, and of one of digits alone, which may be any number."""


def main(words: list[str] | None = None) -> int:
    """Search and pack; exit status 1 where something has a name."""
    parser = argparse.ArgumentParser(description="Pack report, metrics and cards, and refuse while a name is in them.")
    parser.add_argument("--vectors", action="store_true", help="the vectors too")
    parser.add_argument(
        "--names", action="store_true", help="names of users may be in it: they agreed, or are credited"
    )
    asked = parser.parse_args(words)
    try:
        files = _files(asked.vectors)
        names, skipped = _names(asked.names)
        _refuse(files, names)
    except UserError as error:
        sys.exit(f"share: {error}")
    spent = took()
    with atomic_file(PACK) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as pack:
        for path in files:
            if path == CARD:
                pack.writestr(str(path), path.read_text(encoding="utf-8").replace(ENERGY, spent.sentence()))
            else:
                pack.write(path, str(path))
        pack.writestr("data/card/run.md", spent.table())
    sys.stdout.write(
        f"{PACK}: {len(files) + 1} files, {PACK.stat().st_size / 1e6:.1f} MB, searched for {len(names)} names"
        + (f"; {skipped} that are words of the corpus too, or short, were not looked for" if skipped else "")
        + ". Texts and pictures in it are as people posted them. Answer what stands in brackets in the cards.\n"
    )
    return 0


def _files(vectors: bool) -> list[Path]:
    if missing := [name for name in NEEDED if not Path(name).exists()]:
        raise UserError(f"{missing[0]} is not there; `dvc repro` makes it.")
    patterns = (*ALWAYS, *((str(TABLES),) if _of_this_run() else ()), *(VECTORS if vectors else ()))
    return [path for pattern in patterns for path in sorted(Path().glob(pattern))]


def _of_this_run() -> bool:
    """Whether the paper's tables are of this corpus: those in Git are of the default one."""
    made, ranks = TABLES.with_suffix(".json"), Path("metrics/retrieval.json")
    return made.exists() and ranks.exists() and of_this_run(*(json.loads(path.read_text()) for path in (made, ranks)))


def _names(agreed: bool) -> tuple[list[str], int]:
    """Ids to search for, of the corpus and of the source behind pseudonyms; how many are too like a word to tell."""
    corpus = load("corpus").corpus
    found: set[str] = set()
    if corpus.source == "synthetic":
        return [], 0
    if corpus.pseudonyms == "keyed":
        found |= _of_source()
    else:
        held = POSTS.read(Path("data/corpus/posts"), ["post_id", "user_id"])
        found |= set(held["post_id"].to_pylist()) | (set() if agreed else set(held["user_id"].to_pylist()))
    words = {word.lower() for part in _vocabulary() for word in part}
    names = [
        name for name in sorted(found)
        if len(name) >= (DIGITS if name.isdigit() else SHORTEST) and name.lower() not in words
    ]  # fmt: skip
    return names, len(found) - len(names)


def _vocabulary() -> Iterable[list[str]]:
    path = Path("data/words/vocabulary")
    return (part["word"].to_pylist() for part in VOCABULARY.batches(path, ["word"])) if path.is_dir() else ()


def _of_source() -> set[str]:
    """Ids and names of pictures' files, as the source has them."""
    from stages.import_corpus import named_by_source

    return named_by_source()


class _Said(HTMLParser):
    """The text of a page, without its pictures and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._style = tag in ("style", "svg")

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text.append(data)


def _refuse(files: list[Path], names: list[str]) -> None:
    """Raise UserError, with counts by file, where a name, an address or a telephone number is found."""
    found: Counter[tuple[str, str]] = Counter()
    search = Search(names)
    for path in files:
        search.file(path)
        if path.suffix in (".html", ".md"):
            page = _Said()
            page.feed(path.read_text(encoding="utf-8"))
            counts: Counter[str] = Counter()
            for said in page.text:
                texts.without(said, str, counts)
            for kind in (texts.EMAILS, texts.PHONES):
                found[str(path), kind.replace("_", " ")] += counts[kind]
    for hit in search.end().hits:
        if _is_whole(Path(hit.path), names[hit.name]):
            found[hit.path, "ids or names of files"] += 1
    told = [f"{path}: {count} {kind}" for (path, kind), count in sorted(found.items()) if count]
    if told:
        of_vectors = any(count and path.endswith(".parquet") for (path, _), count in found.items())
        raise UserError(
            f"nothing is packed, as it would tell who people are: {'; '.join(told)}. "
            + (
                "Vectors stand beside ids: share them after a run with corpus.pseudonyms: keyed, or leave them out. "
                if of_vectors
                else "Set report.people: hidden, or corpus.pseudonyms: keyed, and run `dvc repro`. "
            )
            + "Where people agreed or are to be credited, --names (make share NAMES=1) lets names of users stand, not "
            "ids of posts."
        )


def _is_whole(path: Path, name: str) -> bool:
    """Whether a name stands by itself, not within a longer word; of what is no text it is taken to."""
    if path.suffix not in (".html", ".md", ".json", ".csv"):
        return True
    text = path.read_text(encoding="utf-8", errors="replace")
    return bool(re.search(rf"(?<![\w/+-]){re.escape(name)}(?![\w/+-])", text, re.IGNORECASE)) or not name.isascii()


if __name__ == "__main__":
    entry(main)
