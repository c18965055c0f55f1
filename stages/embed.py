"""Stage `embed`: vectors in the joint space, of unit length.

Reads   data/model                               the trained model
        data/images/features, data/images/said, data/images/style  an image's numbers
        data/split/train, data/split/val, data/split/test   a post of the side: words
        data/split/sets                          a query
        data/text/vectors, data/text/letters     a text's sentence vector and letters, where the model reads these
Writes  data/embeddings/users    a user with posts in train
        data/embeddings/images   an image
        data/embeddings/texts    a post with a text of known words, or with a sentence vector that the model reads;
                                 those of the evaluation sets, or all (embed.texts)
        metrics/embed.json       how many of each; posts without such a text
"""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.embedding.batches import Array, present, sentence_vectors, tokens
from pipeline.embedding.images import ImageShard, image_shards, shard_numbers
from pipeline.embedding.means import chunks
from pipeline.embedding.model import Trained
from pipeline.embedding.model import load as load_model
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.running.engines import Anew, spread
from pipeline.running.machine import cores
from pipeline.running.params import load
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.split import CONTENT, SETS
from pipeline.tables.table import vectors
from stages.runner import run

MODEL = Path("data/model")
IMAGES_PATH = Path("data/images")
SETS_PATH = Path("data/split/sets")
TRAIN, VAL, TEST = Path("data/split/train"), Path("data/split/val"), Path("data/split/test")
USERS, IMAGES, TEXTS = Path("data/embeddings/users"), Path("data/embeddings/images"), Path("data/embeddings/texts")
METRICS = Path("metrics/embed.json")

log = logging.getLogger("embed")


def main() -> None:
    params = load("embed")
    load_it = Anew(partial(load_model, MODEL))
    trained = load_it()
    everything = params.embed.texts == "all"
    asked = None if everything else SETS.read(SETS_PATH, ["post_id"])["post_id"]
    ids, token, said = texts(trained, [TRAIN, VAL, TEST] if everything else [VAL, TEST], asked)
    known = np.flatnonzero((token[:, 0] > 0) | present(said))
    order = known[pc.array_sort_indices(ids.take(pa.array(known))).to_numpy()]

    # Here one piece after the other, by a network that uses all cores; on a cluster a piece is a job of as many.
    over = partial(spread, workers=1, cpus=cores(), gpu=True)
    dtype = params.embed.dtype
    users = embed_users(trained.model).astype(dtype)
    EMBEDDINGS.write(pa.table({"id": trained.users, "vector": vectors(users)}), USERS)
    with EMBEDDINGS.writer(IMAGES) as images:
        for found, values in over(partial(embed_shard, load_it, dtype), image_shards(IMAGES_PATH)):
            images.write(pa.table({"id": found, "vector": vectors(values)}))
    with EMBEDDINGS.writer(TEXTS) as written:
        pieces = [order[rows] for rows in chunks(max(1, len(order)), EMBEDDINGS.shard_rows)]
        embedded = over(partial(embed_piece, load_it, dtype), ((token[rows], said[rows]) for rows in pieces))
        for rows, values in zip(pieces, embedded, strict=True):
            written.write(pa.table({"id": ids.take(pa.array(rows)), "vector": vectors(values)}))

    counts = {"users": len(users), "images": images.rows, "texts": len(order)}
    write_metrics({**counts, "posts_without_known_word": len(token) - len(order)}, METRICS)
    log.info("%(users)d users, %(images)d images, %(texts)d texts", counts)


def embed_shard(load_it: Anew[Trained], dtype: str, files: ImageShard) -> tuple[pa.ChunkedArray, Array]:
    """The ids of the images in `files` and their vectors (n, D)."""
    ids, numbers, _ = shard_numbers(files)
    return ids, embed_images(load_it().model, numbers).astype(dtype)


def embed_piece(load_it: Anew[Trained], dtype: str, asked: tuple[Array, Array]) -> Array:
    """The vectors (n, D) of some texts, by their tokens and sentence vectors."""
    return embed_texts(load_it().model, *asked).astype(dtype)


def texts(trained: Trained, sides: list[Path], asked: pa.ChunkedArray | None) -> tuple[pa.Array, Array, Array]:
    """The ids (n,), tokens (n, L) and sentence vectors (n, S) of the posts of `sides`, of `asked` alone where given."""
    ids, token = [], []
    for side in sides:
        for part in CONTENT.batches(side, ["post_id", "words"]):
            chosen = part if asked is None else part.filter(pc.is_in(part["post_id"], asked))
            ids += chosen["post_id"].chunks
            token.append(tokens(chosen["words"], trained.vocabulary, trained.model.shape.text_length))
    names = pa.chunked_array(ids, pa.string())
    said = sentence_vectors(trained.model.shape.text_tables(), names)
    return names.combine_chunks(), np.concatenate(token), said


if __name__ == "__main__":
    run("embed", main)
