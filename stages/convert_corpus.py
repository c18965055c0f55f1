"""Stage `convert_corpus`: read people's own exports as they are into the table that the import takes.

Reads   as data/listing saw them, corpus.posts, corpus.images, corpus.edges and corpus.brands, where corpus.source is
        export
Writes  data/converted        posts.parquet, users.parquet, rejected.parquet (id, reason, detail), and the pictures that
                              are no files of their own, in zips; for another source, a note, and so where the import
                              converts by itself, as people have pseudonyms or were erased
        metrics/convert.json  what was recognised; rows in, out, and rejected by reason; pictures found and not; users
                              and edges
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.common.metrics import write_metrics
from pipeline.corpus.listing import places
from pipeline.corpus.telling import MUCH_OF_PICTURES
from pipeline.exports.columns import Mapped
from pipeline.exports.converting import Settings, convert
from pipeline.exports.posts import PRIVATE, ROUNDED, UNKNOWN, UNREADABLE
from pipeline.privacy.erased import Tombstones
from pipeline.running.errors import UserError
from pipeline.running.files import atomic_folder
from pipeline.running.params import load
from pipeline.running.schema import Corpus
from stages.runner import run

MUCH_UNREAD = 0.1
"""The share of rows that cannot be read from which on it is told why."""
TO_DO = {
    UNKNOWN: "these are of accounts that are gone, or were collected without their authors (X tells them if asked for "
    "tweet.fields=author_id; of 4CAT's data sets take the pseudonymised one, as the anonymous one has REDACTED)",
    PRIVATE: "what was said in private, or shown to some alone, is always left out",
    ROUNDED: "save the export again with ids as text, or take the file that the tool wrote",
}
CONVERTED = Path("data/converted")
METRICS = Path("metrics/convert.json")

log = logging.getLogger("convert_corpus")


def main() -> None:
    # fmt: off
    params = load(
        "corpus.source", "corpus.posts", "corpus.images", "corpus.columns", "corpus.reposts", "corpus.video_covers",
        "corpus.missing_images", "corpus.edges", "corpus.brands", "corpus.pseudonyms",
    )
    # fmt: on
    corpus = params.corpus
    metrics: dict[str, object] = {"source": corpus.source}
    with atomic_folder(CONVERTED) as folder:
        if corpus.source != "export":
            (folder / "README").write_text("Only exports (corpus.source: export) are converted.\n")
        elif at_the_import(corpus):
            metrics["converted"] = "at the import: see converted in metrics/import.json"
            (folder / "README").write_text("The import converts, and keeps no name: see corpus.pseudonyms.\n")
        else:
            metrics |= converted(corpus, folder, CONVERTED)
    write_metrics(metrics, METRICS)


def at_the_import(corpus: Corpus) -> bool:
    """Whether what is converted may not be kept as it is: people have pseudonyms, or somebody was erased."""
    return corpus.source == "export" and (corpus.pseudonyms == "keyed" or bool(Tombstones.held()))


def converted(corpus: Corpus, folder: Path, name: Path) -> dict[str, Any]:
    """Convert into `folder`, which will be called `name`; returns the metrics.

    Raises UserError where nothing is found, and where no row is a post.
    """
    settings = Settings(
        columns=_mapped(corpus.columns),
        reposts=corpus.reposts == "keep",
        video_covers=corpus.video_covers,
        missing_images_reject=corpus.missing_images == "reject",
        brands=Path(corpus.brands) if corpus.brands else None,
        edges=Path(corpus.edges) if corpus.edges else None,
        private=corpus.pseudonyms == "keyed",
    )
    images = [path for path in places(corpus.images) if path.exists()] if corpus.images else []
    posts = places(corpus.posts)
    if not posts:
        raise UserError(f"params.yaml: corpus.posts is {corpus.posts!r}, where there is nothing.")
    metrics = convert(posts, images, folder, name, settings)
    why = ", ".join(f"{reason} {count}" for reason, count in metrics["rejected"].items())
    kinds = ", ".join(f"{kind} ({files})" for kind, files in metrics["recognised"].items())
    log.info("%s: %d of %d rows are posts; left out: %s", kinds, metrics["rows_out"], metrics["rows_in"], why or "none")
    unread = metrics["rejected"].get(UNREADABLE, 0)
    odd = _first_unread(folder) if unread > MUCH_UNREAD * metrics["rows_in"] else ""
    lost, found = (metrics["pictures"].get(kind, 0) for kind in ("listed_and_not_on_disk", "found"))
    if lost > MUCH_OF_PICTURES * (lost + found):
        log.warning(
            "%d of %d pictures that posts list are not on disk: is corpus.images (%s) the folder or zip of them?",
            lost,
            lost + found,
            corpus.images or "null",
        )
    if not metrics["rows_out"]:
        rows = f"none of the {metrics['rows_in']} rows of {kinds} is a post ({why or 'there are none'})"
        raise UserError(f"params.yaml: corpus.posts: {rows}. {odd}{_to_do(metrics['rejected'])}".rstrip())
    if odd:
        log.warning("%d of %d rows cannot be read. %s", unread, metrics["rows_in"], "" if settings.private else odd)
    if told := _to_do({why: n for why, n in metrics["rejected"].items() if n > MUCH_UNREAD * metrics["rows_in"]}):
        log.warning("%s", told)
    return metrics


def _to_do(rejected: Mapping[str, int]) -> str:
    """What to do about each of the reasons, as far as there is anything."""
    return " ".join(f"{reason}: {TO_DO[reason]}." for reason in rejected if reason in TO_DO)


def _first_unread(folder: Path) -> str:
    rejected = pq.read_table(folder / "rejected.parquet", filters=[("reason", "=", UNREADABLE)])
    return f"The first: {rejected['detail'][0].as_py()}."


def _mapped(columns: dict[str, object] | None) -> Mapped | None:
    try:
        return Mapped.model_validate(columns) if columns else None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"params.yaml: corpus.columns: {where}: {first['msg']}; see docs/exports/columns.md.") from None


if __name__ == "__main__":
    run("convert_corpus", main)
