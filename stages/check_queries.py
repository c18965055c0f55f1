"""Stage `check_queries`: refuse report.queries that ask with nobody of the corpus, before what takes long has begun.

Reads   data/corpus/{posts,images}   the ids that there are
Writes  data/checked_queries   a constant, so that what waits for it does not rerun
"""

from pathlib import Path

import pyarrow.compute as pc

from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.space.questions.named import check_named
from pipeline.space.search import parse
from pipeline.tables.corpus import IMAGES, POSTS
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
IMAGES_PATH = Path("data/corpus/images")
CHECKED = Path("data/checked_queries")


def main() -> None:
    params = load("report.queries")
    queries = parse(params.report.queries or [])
    if any(query.kind != "text" for query in queries):
        users = pc.unique(POSTS.read(POSTS_PATH, ["user_id"])["user_id"])
        images = IMAGES.read(IMAGES_PATH, ["image_id"])["image_id"]
        check_named(queries, sorted(users.to_pylist()), images.to_pylist())
    write_text("report.queries ask with what there is\n", CHECKED)


if __name__ == "__main__":
    run("check_queries", main)
