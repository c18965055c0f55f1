"""Stage `text_letters`: beyond the paper, a text's letters as numbers, which tell how somebody writes.

Reads   data/corpus/posts      a post: text
Writes  data/text/letters      a post with a text, other than links and names: vector, unit length; no row where
                               model.letters is false
        metrics/letters.json   texts, numbers per vector
"""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.running.params import load
from pipeline.tables.corpus import POSTS
from pipeline.tables.embedding import LETTERS
from pipeline.tables.table import vectors
from pipeline.tables.text import TEXT_VECTORS
from pipeline.text.cleaning import with_prose
from pipeline.words.letters import letters
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
VECTORS = Path("data/text/letters")
METRICS = Path("metrics/letters.json")

log = logging.getLogger("text_letters")


def main() -> None:
    params = by_recipe(load("recipe", "best.letters", "model.letters"))
    if not params.model.letters:
        TEXT_VECTORS.write(TEXT_VECTORS.empty(), VECTORS)
        write_metrics({"texts": 0, "dim": 0}, METRICS)
        log.info("model.letters is false: no numbers of letters")
        return
    with TEXT_VECTORS.writer(VECTORS) as written:
        for shard in POSTS.batches(POSTS_PATH, ["post_id", "text"]):
            ids, numbers = lettered(shard)
            written.write(pa.table({"post_id": ids, "vector": vectors(numbers)}))
    write_metrics({"texts": written.rows, "dim": LETTERS}, METRICS)
    log.info("%d texts, %d numbers each", written.rows, LETTERS)


def lettered(posts: pa.Table) -> tuple[pa.ChunkedArray, NDArray[np.float16]]:
    """The post_id (n,) and the letters (n, LETTERS) of those of `posts` with a text, other than links and names."""
    ids, texts = with_prose(posts)
    return ids, letters(texts)


if __name__ == "__main__":
    run("text_letters", main)
