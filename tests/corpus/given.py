"""A source whose rows are given, and its import, of which nothing may be lost."""

import shutil
from collections import Counter

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.corpus.importing import import_corpus
from pipeline.corpus.rows import CANDIDATES
from pipeline.pictures.reading import Rejected
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS
from tests.made.pictures import encoded


def png(colour, side=8):
    return encoded(Image.new("RGB", (side, side), colour))


class Given:
    """A source whose rows, (post_id, user_id, text, image, further images…) each, and files are given."""

    name = "posts.csv"

    def __init__(self, rows, files=None, pieces=3):
        self._rows, self._files, self._pieces = rows, files or {}, pieces
        self.read = []

    def rows(self):
        numbered = [(number, *row[:4], None, list(row[4:]) or None) for number, row in enumerate(self._rows, start=1)]
        for part in np.array_split(np.arange(len(numbered)), self._pieces):
            columns = zip(*(numbered[i] for i in part), strict=True) if len(part) else [()] * len(CANDIDATES)
            yield pa.table(dict(zip(CANDIDATES.names, columns, strict=True)), schema=CANDIDATES), REJECTED.empty()

    def pictures(self, names):
        for name in names:
            self.read.append(name)
            yield name, self._files.get(name, Rejected("missing", name))

    def users(self, posts):
        ids = sorted(set(posts["user_id"].to_pylist()))
        columns = {"user_id": ids, "interests": [["art"]] * len(ids), "brand": [False] * len(ids)}
        return pa.table(columns, schema=USERS.schema), REJECTED.empty()


def scratch(folder):
    """An empty folder for what waits."""
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    return folder / "scratch"


def run(source, folder, min_posts=1, max_posts=None):
    metrics = import_corpus(
        source, folder, scratch(folder), min_posts, max_posts, max_pixels=1000, max_side=64, workers=1
    )
    read = {t: table.read(folder / t).to_pylist() for t, table in TABLES.items()}
    # Nothing is lost: every row in is a row out, or a row of `rejected`.
    assert metrics["rows_in"] == metrics["rows_out"] + sum(metrics["rejected"].values())
    assert metrics["rows_out"] == len(read["posts"])
    apart = metrics["users_rejected"] | metrics["pictures_left_out_of_posts_that_stay"]
    assert Counter(row["reason"] for row in read["rejected"]) == metrics["rejected"] | apart
    return metrics, read


TABLES = {"posts": POSTS, "users": USERS, "images": IMAGES, "rejected": REJECTED}
SHARD = "part-00000.parquet"
ENOUGH = [(f"z{i:02}", f"user{i % 2}", "some text", None) for i in range(20)]


def rejected(read, reason):
    return {row["id"]: row["detail"] for row in read["rejected"] if row["reason"] == reason}
