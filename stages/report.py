"""Stage `report`: one HTML page that opens offline and shows what ran, what went in and what came out.

Reads   params.yaml, metrics/*.json and plots/training.csv   what earlier stages measured
        data/corpus/{posts,images}, data/text, data/images/groups, data/split   the corpus, its copies, its split
        data/evaluation/ranks, data/clusters, data/queries    ranks, clusters of users, answers to questions
Writes  report/index.html   the page: no script, no request, pictures embedded; the same run gives the same bytes
"""

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.files import write_text
from pipeline.metrics import read_metrics
from pipeline.params import validate
from pipeline.report import corpus, people, results
from pipeline.report.cards import Shelf
from pipeline.report.page import Note, Section, render
from pipeline.report.pictures import thumbnail
from pipeline.tables import (
    ANSWERS, ASKED, CLOSE, CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS, CONTENT, DUPLICATES, IMAGE_GROUPS, IMAGES,
    POSTS, RANKS, WORDS,
)  # fmt: skip
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
IMAGES_PATH = Path("data/corpus/images")
WORDS_PATH = Path("data/text/words")
DUPLICATES_PATH = Path("data/text/duplicates")
IMAGE_GROUPS_PATH = Path("data/images/groups")
TRAIN = Path("data/split/train")
CLOSE_PATH = Path("data/split/close")
RANKS_PATH = Path("data/evaluation/ranks")
CLUSTERS = Path("data/clusters")
QUERIES = Path("data/queries")
METRICS = Path("metrics")
CURVES = Path("plots/training.csv")
PAGE = Path("report/index.html")

MEASURED = ("import", "split", "audit", "words", "train", "retrieval", "baselines", "interests", "clusters")

log = logging.getLogger("report")


def main() -> None:
    params = validate()
    metrics = {name: read_metrics(METRICS / f"{name}.json") for name in MEASURED}
    duplicates, groups, close = (
        DUPLICATES.read(DUPLICATES_PATH),
        IMAGE_GROUPS.read(IMAGE_GROUPS_PATH),
        CLOSE.read(CLOSE_PATH),
    )
    cluster_images = CLUSTER_IMAGES.read(CLUSTERS / "images")
    asked, answers = ASKED.read(QUERIES / "asked"), ANSWERS.read(QUERIES / "answers")

    copied_texts, copied_images = corpus.text_copies(duplicates), corpus.image_groups(groups)
    users = _of_kind(asked, "user", "value") | _of_kind(answers, "user", "id")
    picture_of_user = _first(CONTENT.batches(TRAIN, ["user_id", "image_id"]), "user_id", "image_id", users)
    shelf = _shelf(
        posts=_column(copied_texts, "post_id") | _column(copied_texts, "duplicate_of") | _of_kind(answers, "text", "id")
        | _of_kind(close, "text", "held_out_id") | _of_kind(close, "text", "other_id"),
        images={image for group in copied_images for image in group} | _column(cluster_images, "image_id")
        | _of_kind(asked, "image", "value") | _of_kind(answers, "image", "id")
        | _of_kind(close, "image", "held_out_id") | _of_kind(close, "image", "other_id") | set(picture_of_user.values()),
    )  # fmt: skip

    read, split, audit, retrieval = (metrics[name] for name in ("import", "split", "audit", "retrieval"))
    source = params.corpus.source
    remarks = [Note(corpus.REMARKS[source])] if source in corpus.REMARKS else []
    texts = WORDS.count(WORDS_PATH) + duplicates.num_rows
    different = len(groups["group_id"].unique())
    sections = [
        Section("glance", "At a glance", "", [results.glance(retrieval, metrics["interests"], audit), *remarks]),
        Section(
            "run", "What ran", "Settings, data and versions: the same ones give this page again, byte for byte.",
            [
                corpus.flow(read, split, audit, metrics["words"], metrics["train"], groups.num_rows, different),
                *corpus.settings(params, _digest(POSTS.shards(POSTS_PATH))),
            ],
        ),
        Section("funnel", "What went in", "", [corpus.funnel(read, split, audit)]),
        Section(
            "copies", "Copies", "What is said or shown twice must not be learned on one side and asked on the other.",
            corpus.copies(duplicates.num_rows, texts, copied_texts, params.text.min_overlap, groups, copied_images, params.images.min_cosine, shelf),
        ),
        Section("split", "The split and its audit", "", corpus.split_and_audit(split, audit, close, shelf)),
        Section("training", "Training", "", results.training(pd.read_csv(CURVES), metrics["train"])),
        Section(
            "retrieval", "Retrieval", "Each query of the test side looks for one thing among all candidates; its rank says how many come before.",
            results.retrieval(retrieval, metrics["baselines"], RANKS.read(RANKS_PATH)),
        ),
        Section("interests", "Interests of users", "", results.interests(metrics["interests"], source)),
        Section(
            "clusters", "Clusters of users", "",
            people.clusters(
                metrics["clusters"], CLUSTER_USERS.read(CLUSTERS / "users"), CLUSTER_WORDS.read(CLUSTERS / "words"),
                cluster_images, params.clusters.common_words, shelf,
            ),
        ),
        Section("answers", "Any to any", "Texts, images and users lie in one space, so each can ask for each.", people.answers(asked, answers, shelf, picture_of_user)),
    ]  # fmt: skip
    lead = (
        f"{source}: {read['rows_out']:,} posts by {read['users']:,} users, learned so that a text, an image and a user "
        "that belong together lie close; after Sikka, Van Bramer and Divakaran."
    )
    write_text(render("Users, images and texts in one space", lead, sections), PAGE)
    log.info("%s, %d pictures, %.1f MB", PAGE, len(shelf.thumbnails), PAGE.stat().st_size / 1e6)


def _shelf(posts: set[str], images: set[str]) -> Shelf:
    post_of_image = _first(POSTS.batches(POSTS_PATH, ["post_id", "image_id"]), "image_id", "post_id", images)
    found = POSTS.find(POSTS_PATH, posts | set(post_of_image.values()), ["user_id", "text", "image_id"])
    images = images | {found[post]["image_id"] for post in posts & set(found)} - {None}
    thumbnails = {name: thumbnail(row["bytes"]) for name, row in IMAGES.find(IMAGES_PATH, images, ["bytes"]).items()}
    return Shelf(found, thumbnails, post_of_image)


def _first(tables: Iterable[pa.Table], key: str, value: str, wanted: set[str]) -> dict[str, str]:
    """For each wanted `key`, the first `value` that stands beside it."""
    found: dict[str, str] = {}
    ids = pa.array(sorted(wanted), pa.string())
    for table in tables:
        rows = table.filter(pc.and_(pc.is_in(table[key], ids), table[value].is_valid()))
        for name, other in zip(rows[key].to_pylist(), rows[value].to_pylist(), strict=True):
            found.setdefault(name, other)
    return found


def _column(table: pa.Table, name: str) -> set[str]:
    return set(table[name].to_pylist())


def _of_kind(table: pa.Table, kind: str, name: str) -> set[str]:
    return _column(table.filter(pc.equal(table["kind"], kind)), name)


def _digest(files: Iterable[Path]) -> str:
    """A hash of the files' content, short: image_ids stand in the posts and are hashes themselves."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    run("report", main)
