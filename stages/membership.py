"""Stage `membership`: can one tell from the vectors alone whose post was in train?

Reads   data/model               the trained model, which gives a text of train its vector
        data/text/vectors, data/text/letters   a text's sentence vector and letters, where the model reads these
        data/split/train, data/split/test   posts: author, words, pictures
        data/embeddings/users    a user with posts in train
        data/embeddings/images   an image
Writes  metrics/membership.json  text, image and user: AUC beside chance, with 95 % intervals; posts that were asked
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.hashing import unit_hash
from pipeline.common.metrics import write_metrics
from pipeline.embedding.batches import Array, present, sentence_vectors, tokens
from pipeline.embedding.model import Trained
from pipeline.embedding.model import load as load_model
from pipeline.embedding.vectors import embed_texts
from pipeline.evaluation.membership import among_the_users, closeness, told_apart, unit_means
from pipeline.ranking.vectors import Vectors
from pipeline.running.params import load
from pipeline.tables.split import CONTENT
from pipeline.tables.table import positions
from stages.runner import run

MODEL, TRAIN, TEST = Path("data/model"), Path("data/split/train"), Path("data/split/test")
USERS, IMAGES = Path("data/embeddings/users"), Path("data/embeddings/images")
METRICS = Path("metrics/membership.json")
MOST = 20_000
"""Posts of a side that are asked: more are left out by a hash of their ids."""

log = logging.getLogger("membership")


class Side(NamedTuple):
    """Texts and images of a side as vectors (n, D), each with the number of its author."""

    texts: Array
    text_user: Array
    images: Array
    image_user: Array
    posts: int


def main() -> None:
    params = load("seed", "retrieval.bootstrap")
    trained, users = load_model(MODEL), Vectors.read(USERS)
    vectors = users.values.astype(np.float32)
    train, test = (_side(path, trained, users, params.seed) for path in (TRAIN, TEST))
    count, seed = params.retrieval.bootstrap, params.seed
    metrics: dict[str, Any] = {"posts": {"train": train.posts, "test": test.posts}}
    for kind, of_train, of_test in (
        ("text", (train.texts, train.text_user), (test.texts, test.text_user)),
        ("image", (train.images, train.image_user), (test.images, test.image_user)),
    ):
        ins, outs = closeness(*of_train, vectors), closeness(*of_test, vectors)
        metrics[kind] = {by: told_apart(ins[by], of_train[1], outs[by], of_test[1], count, seed) for by in ins}
    both = np.concatenate([test.texts, test.images]), np.concatenate([test.text_user, test.image_user])
    means, own = unit_means(*both)
    metrics["user"] = {"any": among_the_users(means, own, vectors, count, seed)}
    write_metrics(metrics, METRICS)
    log.info("whose post was in train, AUC: %s", {kind: metrics[kind] for kind in ("text", "image", "user")})


def _side(path: Path, trained: Trained, users: Vectors, seed: int) -> Side:
    """The posts of known authors on a side, at most MOST of them."""
    rows = CONTENT.read(path, ["post_id", "user_id", "image_id", "words"])
    rows = rows.filter(pc.is_in(rows["user_id"], users.ids))
    if rows.num_rows > MOST:
        place = unit_hash(rows["post_id"].to_pylist(), seed, "membership")
        rows = rows.take(pa.array(np.sort(np.argsort(place, kind="stable")[:MOST])))
    author = positions(rows["user_id"], users.ids)
    token = tokens(rows["words"], trained.vocabulary, trained.model.shape.text_length)
    sentence = sentence_vectors(trained.model.shape.text_tables(), rows["post_id"])
    said = np.flatnonzero((token[:, 0] > 0) | present(sentence))
    shown = np.flatnonzero(rows["image_id"].is_valid().to_numpy())
    asked = rows["image_id"].take(pa.array(shown))
    images = Vectors.read(IMAGES, asked)
    place = positions(asked, images.ids)
    return Side(
        embed_texts(trained.model, token[said], sentence[said]).astype(np.float32),
        author[said],
        images.values[place].astype(np.float32),
        author[shown],
        rows.num_rows,
    )


if __name__ == "__main__":
    run("membership", main)
