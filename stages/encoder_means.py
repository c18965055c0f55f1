"""Stage `encoder_means`: is training worth it here? What pretrained vectors, and letters, find without it.

Reads   data/split/{train,test,sets}   posts of both sides, and the queries
        data/text/vectors              a post's text as a pretrained sentence encoder has it
        data/corpus/posts              a post's text, whose letters tell how it is written
        data/images/features           an image as the frozen network has it
        data/evaluation/ranks          the model's ranks
Writes  data/encoder_means/METHOD/{text,image}   a user: the mean of the vectors of the train posts; not of images
                                                 where no train post has one
        data/encoder_means/METHOD/ranks          a query: the rank of its ground truth
        metrics/encoder_means.json     per method what metrics/retrieval.json has, and the model's mean median rank less
                                       the method's, with paired 95 % intervals

Methods: METHODS of pipeline.evaluation.encoder_means, on the queries of the model. Image to text is asked where one
network encodes both. Letters take seconds, so that they are asked whether the model reads them (model.letters) or not.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.embedding.means import Array
from pipeline.evaluation.encoder_means import Kind, by_method, one_space
from pipeline.ranking.estimates import estimates
from pipeline.ranking.retrieval import evaluate, rank_task
from pipeline.ranking.vectors import Vectors
from pipeline.running.files import atomic_folder
from pipeline.running.params import load
from pipeline.tables.corpus import POSTS, pictures_of
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.images import FEATURES
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT
from pipeline.tables.table import Table, matrix, positions, vectors
from pipeline.tables.text import TEXT_VECTORS
from stages.asking import SPLIT, active, asked, authors
from stages.runner import run
from stages.text_letters import lettered

TEXTS, IMAGES = Path("data/text/vectors"), Path("data/images/features")
POSTS_PATH = Path("data/corpus/posts")
MODEL_RANKS = Path("data/evaluation/ranks")
MEANS = Path("data/encoder_means")
METRICS = Path("metrics/encoder_means.json")

log = logging.getLogger("encoder_means")

KINDS: dict[str, tuple[str, Table, Path]] = {
    "text": ("text_to_user", TEXT_VECTORS, TEXTS),
    "image": ("image_to_user", FEATURES, IMAGES),
}
"""By kind of vector: the task that it can ask, its table and its place."""


def main() -> None:
    params = load(
        "seed", "images.encoder", "images.weights_sha256", "sentences.encoder", "sentences.weights_sha256", "retrieval"
    )
    content = {
        side: CONTENT.read(SPLIT / side, ["post_id", "user_id", "image_id", "more_images"])
        for side in ("train", "test")
    }
    queries = asked("test", CONTENT.read(SPLIT / "test"))
    users = authors(SPLIT / "train")
    posts = active(SPLIT / "train")
    together = one_space(
        (params.images.encoder, params.images.weights_sha256),
        (params.sentences.encoder, params.sentences.weights_sha256),
    )
    metrics: dict[str, Any] = {}
    ranked = {"model": RANKS.read(MODEL_RANKS)}
    both = pa.concat_tables(content.values())
    known = {kind: _vectors(kind, both) for kind in KINDS if kind != "text" or params.sentences.encoder != "none"}
    known["letters"] = _letters(both["post_id"])
    if "text" in known:  # a row of letters is its text's
        known["letters"] = _in_order(*known["letters"], known["text"][0])
    author = positions(content["train"]["user_id"], users)
    kinds = {}
    for kind, (ids, values) in known.items():
        post, shown = _shown(kind, content["train"])
        rows = positions(shown, ids)
        if kind != "letters" or (rows >= 0).any():
            kinds[kind] = Kind(values, rows[rows >= 0], author[post[rows >= 0]])
    with atomic_folder(MEANS) as target:
        for method, compared in by_method(kinds, len(users), params.seed):
            found, posted = {}, {}
            for kind, (means, values) in compared.items():
                task, people = KINDS[kind][0], Vectors(users, means)
                posted[kind] = Vectors(known[kind if kind in known else "letters"][0], values)
                found[task] = rank_task(task, queries[task], people, posted[kind], posted[kind])
                if kind != "image" or len(kinds[kind].rows):  # else all are drawn by chance
                    EMBEDDINGS.write(pa.table({"id": users, "vector": vectors(means)}), target / method / kind)
            if together and len(posted) > 1:
                task = "image_to_text"
                found[task] = rank_task(task, queries[task], people, posted["image"], posted["text"])
            ranked[method] = pa.concat_tables(part.rows for part in found.values())
            RANKS.write(ranked[method], target / method / "ranks")
            metrics[method] = evaluate(found, posts, params.retrieval, params.seed)
            log.info("%s: %s", method, {task: metrics[method][task].get("mean_median_rank") for task in found})
    figures = estimates(ranked, params.retrieval.bootstrap, params.seed)
    metrics["model_less"] = {
        method: {task: (figures["model"][task] - figures[method][task]).shown() for task in figures[method]}
        for method in metrics
    }
    write_metrics(metrics, METRICS)


def _shown(kind: str, posts: pa.Table) -> tuple[Array, pa.Array]:
    """Rows of `posts` (n,) and the ids (n,) of their vectors: the post's own for its text, its pictures' for these."""
    return pictures_of(posts) if kind == "image" else (np.arange(posts.num_rows), posts["post_id"].combine_chunks())


def _vectors(kind: str, posts: pa.Table) -> tuple[pa.Array, Array]:
    """The ids (n,) and vectors (n, d) of what `posts` show."""
    _, table, place = KINDS[kind]
    wanted = pc.unique(_shown(kind, posts)[1])
    ids, values = [], []
    for shard in table.batches(place):
        held = shard.filter(pc.is_in(shard[table.key[0]], wanted))
        ids += held[table.key[0]].chunks
        values.append(matrix(held["vector"]).astype(np.float32))
    return pa.chunked_array(ids, pa.string()).combine_chunks(), np.concatenate(values)


def _letters(wanted: pa.ChunkedArray) -> tuple[pa.Array, Array]:
    """The ids (n,) of those of the posts `wanted` that have a text, and its letters (n, LETTERS)."""
    ids, values = [], []
    for shard in POSTS.batches(POSTS_PATH, ["post_id", "text"]):
        said, numbers = lettered(shard.filter(pc.is_in(shard["post_id"], wanted)))
        ids += said.chunks
        values.append(numbers)
    return pa.chunked_array(ids, pa.string()).combine_chunks(), np.concatenate(values)


def _in_order(ids: pa.Array, values: Array, wanted: pa.Array) -> tuple[pa.Array, Array]:
    """`wanted` (n,) and their `values` (n, d); zeros for who is not among `ids`."""
    rows = positions(wanted, ids)
    found = values[rows]
    found[rows < 0] = 0
    return wanted, found


if __name__ == "__main__":
    run("encoder_means", main)
