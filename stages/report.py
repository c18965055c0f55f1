"""Stage `report`: one HTML page that opens offline and shows what ran, what went in and what came out.

Reads   params.yaml, metrics/*.json, plots/{training,image_copies}.csv   what ran, and what earlier stages measured
        data/corpus/{posts,images}, data/text/{words,duplicates}, data/images/groups   the corpus and its copies
        data/split/{train,largest,close}                  posts to train on; the largest groups; close pairs
        data/evaluation/ranks, data/clusters, data/queries    ranks; clusters of users; answers to questions
        data/card/card.json                               the model card and the datasheet
        paper/tables.json, where there is one: no dep, or `dvc repro` would train the paper's rows first; `make paper`
        renders this page again
Writes  report/index.html   the page: no script, no request, pictures embedded; the same run gives the same bytes
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import read_metrics
from pipeline.report import copies, corpus, neighbours, paper, people, results, untrained
from pipeline.report.cards import Shelf
from pipeline.report.page import Grid, Note, Part, Section, Table, render
from pipeline.report.pictures import thumbnail
from pipeline.report.wording import count
from pipeline.running.files import write_text
from pipeline.running.params import load, validate
from pipeline.running.schema import Params, Report
from pipeline.tables.corpus import IMAGES, POSTS, pictures_of
from pipeline.tables.evaluation import ANSWERS, ASKED, CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CLOSE, CONTENT, LARGEST
from pipeline.tables.text import DUPLICATES, WORDS
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
IMAGES_PATH = Path("data/corpus/images")
WORDS_PATH = Path("data/text/words")
DUPLICATES_PATH = Path("data/text/duplicates")
IMAGE_GROUPS_PATH = Path("data/images/groups")
TRAIN_PATH = Path("data/split/train")
CLOSE_PATH = Path("data/split/close")
LARGEST_PATH = Path("data/split/largest")
RANKS_PATH = Path("data/evaluation/ranks")
CLUSTERS_PATH = Path("data/clusters")
QUERIES_PATH = Path("data/queries")
METRICS = Path("metrics")
CURVES = Path("plots/training.csv")
PLANTED = Path("plots/image_copies.csv")
CARD = Path("data/card/card.json")
PAPER = Path("paper/tables.json")
PAGE = Path("report/index.html")

PICTURED = ("post_id", "image_id", "more_images")
MEASURED = (
    "import",
    "text",
    "split",
    "audit",
    "words",
    "train",
    "retrieval",
    "encoder_means",
    "baselines",
    "interests",
    "neighbours",
    "clusters",
    "image_copies",
)

log = logging.getLogger("report")


def main() -> None:
    # Declared by themselves, though the whole file is a dep: `dvc params diff` tells them.
    load("report.people", "report.pictures")
    params = validate()
    measured = {name: read_metrics(METRICS / f"{name}.json") for name in MEASURED}
    tables = Tables.read()
    shelf = shelf_of(tables, params.report)
    page = parts(params, measured, tables, shelf)
    leads = {**LEADS, "Any to any": LEADS["Any to any"] + (WITH_IMAGES if tables.groups.num_rows else "")}
    sections = [Section(name, leads.get(name, ""), held) for name, held in page.items()]
    write_text(render("Users, images and texts in one space", lead(params, measured["import"]), sections), PAGE)
    log.info("%s: %d pictures, %.1f MB", PAGE, len(shelf.thumbnails), PAGE.stat().st_size / 1e6)


class Tables(NamedTuple):
    """What the page tells of: tables, and the copies among texts and images that it shows."""

    duplicates: pa.Table
    copied_texts: pa.Table
    groups: pa.Table
    copied_images: list[list[str]]
    close: pa.Table
    largest: pa.Table
    ranks: pa.Table
    cluster_users: pa.Table
    cluster_words: pa.Table
    cluster_images: pa.Table
    asked: pa.Table
    answers: pa.Table

    @classmethod
    def read(cls) -> "Tables":
        """All of them, as earlier stages left them."""
        duplicates, groups = DUPLICATES.read(DUPLICATES_PATH), IMAGE_GROUPS.read(IMAGE_GROUPS_PATH)
        return cls(
            duplicates,
            copies.text_copies(duplicates),
            groups,
            copies.image_copies(groups),
            CLOSE.read(CLOSE_PATH),
            LARGEST.read(LARGEST_PATH),
            RANKS.read(RANKS_PATH),
            CLUSTER_USERS.read(CLUSTERS_PATH / "users"),
            CLUSTER_WORDS.read(CLUSTERS_PATH / "words"),
            CLUSTER_IMAGES.read(CLUSTERS_PATH / "images"),
            ASKED.read(QUERIES_PATH / "asked"),
            ANSWERS.read(QUERIES_PATH / "answers"),
        )


def lead(params: Params, read: Mapping[str, Any]) -> str:
    """The sentence under the title."""
    return (
        f"{count(read['rows_out'])} posts by {count(read['users'])} users (source: {params.corpus.source}), placed in "
        "one space so that texts, images and users that belong together are close (after Sikka, Van Bramer and "
        "Divakaran, DU2MCE)."
    )


def parts(
    params: Params, measured: Mapping[str, dict[str, Any]], tables: Tables, shelf: Shelf
) -> dict[str, Sequence[Part]]:
    """The parts of each section, in the order of the page."""
    source, groups = params.corpus.source, tables.groups
    read, split, audit, retrieval = (measured[name] for name in ("import", "split", "audit", "retrieval"))
    texts = WORDS.count(WORDS_PATH) + tables.duplicates.num_rows
    different = len(groups["group_id"].unique())
    return {
        "At a glance": [
            results.glance(retrieval, measured["interests"], audit),
            *([Note(corpus.REMARKS[source])] if source in corpus.REMARKS else []),
        ],
        "What ran": [
            corpus.flow(read, split, audit, measured["words"], measured["train"], groups.num_rows, different),
            *corpus.settings(params, _digest(POSTS.shards(POSTS_PATH))),
        ],
        "What went in": [corpus.funnel(read, split, audit)],
        "Copies": [
            *copies.copied_texts(
                tables.copied_texts, tables.duplicates.num_rows, texts, params.text.min_overlap, measured["text"], shelf
            ),
            *copies.copied_images(groups, tables.copied_images, params.images.min_cosine, shelf),
            *copies.evidence(pd.read_csv(PLANTED), measured["image_copies"], params.images.min_cosine),
        ],
        "Split": corpus.split_and_audit(
            split, audit, tables.largest, params.split.max_group_share, tables.close, shelf
        ),
        "Training": results.training(pd.read_csv(CURVES), measured["train"]),
        "Retrieval": [
            *results.retrieval(retrieval, measured["baselines"], tables.ranks, params.retrieval.activity),
            *untrained.worth(measured["encoder_means"], retrieval),
        ],
        "Interests": [*results.interests(measured["interests"], source), *neighbours.shared(measured["neighbours"])],
        "Clusters": people.clusters(
            measured["clusters"],
            tables.cluster_users,
            tables.cluster_words,
            tables.cluster_images,
            measured["clusters"].get("common_words", 0),
            shelf,
        ),
        "Any to any": people.answers(tables.asked, tables.answers, shelf),
        "Model card and datasheet": _card(),
        "Tables of the paper": paper.tables(read_metrics(PAPER) if PAPER.exists() else None, retrieval),
    }


def shelf_of(tables: Tables, shown: Report) -> Shelf:
    """What the page shows of the posts, images and users that it names."""
    asked, answers, largest = tables.asked, tables.answers, tables.largest
    close = {
        kind: [_of(tables.close, kind, name) for name in ("held_out_id", "other_id")]
        for kind in ("text", "written", "image")
    }
    copied = tables.copied_texts["post_id"], tables.copied_texts["duplicate_of"]
    post_ids = _ids(*copied, _of(answers, "text", "id"), *close["text"], *close["written"], largest["post_id"])
    image_ids = _ids(
        *(tables.cluster_images["image_id"], _of(asked, "image", "value"), _of(answers, "image", "id")),
        *(*close["image"], largest["image_id"].drop_null(), *map(pa.array, tables.copied_images)),
    )
    user_ids = _ids(_of(asked, "user", "value"), _of(answers, "user", "id"))
    image_of_user = _first(CONTENT.batches(TRAIN_PATH, ["user_id", "image_id"]), "user_id", "image_id", user_ids)
    image_ids |= set(image_of_user.values())
    post_of_image = _first(map(_by_picture, POSTS.batches(POSTS_PATH, PICTURED)), "image_id", "post_id", image_ids)
    found = POSTS.find(POSTS_PATH, post_ids | set(post_of_image.values()), ["user_id", "text", "image_id"])
    image_ids |= {found[post]["image_id"] for post in post_ids & set(found)} - {None}
    stored = IMAGES.find(IMAGES_PATH, image_ids, ["bytes", "width"]) if shown.pictures != "hidden" else {}
    # A made vector (corpus.synthetic.images: features) is no picture: it is without a width.
    thumbnails = {i: thumbnail(row["bytes"], shown.pictures == "blurred") for i, row in stored.items() if row["width"]}
    return Shelf(found, thumbnails, post_of_image, image_of_user, shown.people)


def _ids(*columns: pa.ChunkedArray | pa.Array) -> set[str]:
    return {name for column in columns for name in column.to_pylist()}


LEADS = {
    "What ran": "On the same machine, the same settings, data and versions give exactly this page again.",
    "Copies": "A text or picture that occurs twice must not be in both training and test.",
    "Retrieval": "Each query of the test side ranks all candidates; what counts is the rank of the right answer (ties "
    "count half).",
    "Model card and datasheet": "Also as Markdown in data/card. Questions in brackets are for the person who "
    "publishes the model.",
    "Any to any": "Texts, images and users are in one space, so each can be used to search for the others.",
}
WITH_IMAGES = " A user is shown with the first image of their training posts, which is not what was matched."


def _card() -> list[Part]:
    """What `stages.card` wrote, a table a chapter."""
    held = json.loads(CARD.read_text(encoding="utf-8"))
    return [
        Table(f"{title}: {chapter}", Grid(["", ""], rows, (0, 1)))
        for title, chapters in held.items()
        for chapter, rows in chapters
    ]


def _by_picture(posts: pa.Table) -> pa.Table:
    """post_id and image_id of every picture of `posts`."""
    row, image_ids = pictures_of(posts)
    return pa.table({"post_id": posts["post_id"].take(pa.array(row)), "image_id": image_ids})


def _first(parts: Iterable[pa.Table], key: str, value: str, wanted: set[str]) -> dict[str, str]:
    """For each wanted `key`, the first `value` that stands beside it."""
    found: dict[str, str] = {}
    ids = pa.array(sorted(wanted), pa.string())
    for part in parts:
        rows = part.filter(pc.and_(pc.is_in(part[key], ids), part[value].is_valid()))
        for name, other in zip(rows[key].to_pylist(), rows[value].to_pylist(), strict=True):
            found.setdefault(name, other)
    return found


def _of(table: pa.Table, kind: str, column: str) -> pa.ChunkedArray:
    return table.filter(pc.equal(table["kind"], kind))[column]


def _digest(files: Iterable[Path]) -> str:
    """A hash of the files' content; the posts name their images by hashes of these."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    run("report", main)
