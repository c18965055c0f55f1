"""The fabricated run of tests/made/run.py with a space: a model whose words, pictures and users lie by topic."""

from contextlib import chdir
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from pipeline.embedding.batches import tokens
from pipeline.embedding.losses import Objective
from pipeline.embedding.means import mean_by_user
from pipeline.embedding.model import JointModel, Trained, save
from pipeline.embedding.shape import Shape
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.encoding.encoders import load_encoder
from pipeline.encoding.sentences import load_sentence_encoder
from pipeline.tables.corpus import IMAGES, POSTS, USERS
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.images import FEATURES
from pipeline.tables.split import ASSIGNED, CONTENT
from pipeline.tables.table import positions, strings, vectors
from pipeline.tables.text import TEXT_EDGES, TEXT_VECTORS, WORDS
from pipeline.text.cleaning import prose
from stages import chance
from tests.made.corpus import COUNT, TOPICS
from tests.made.run import fabricate

WORD, DIM = 8, 16
MODELS = Path(__file__).parents[2] / "models"
SIDES = ("train", "val", "test")


@cache
def sentence_encoder():
    return load_sentence_encoder(MODELS / "minilm")


@cache
def picture_encoder():
    return load_encoder("efficientnet_lite0")


@cache
def features_of(pictures):
    """The pictures of all fabricated runs are the same: a process encodes them once."""
    encoder = picture_encoder()
    return encoder.encode([encoder.prepare(stored) for stored in pictures])


def topic_of_user(name):
    """The topic of a user's posts, by its number in TOPICS."""
    return int(name.removeprefix("user-")) % len(TOPICS)


def fabricate_space(root, text=None, user=None, seed=11, sentences=False):
    """`fabricate`, models, data/{model,embeddings,words,split,images/features,chance}: texts of all posts have vectors.

    With `sentences` the model reads sentence vectors beside the words, and data/text/vectors has them.
    """
    fabricate(root, text=text, user=user)
    (root / "models").symlink_to(MODELS)
    data, rng = root / "data", np.random.default_rng(seed)
    vocabulary = sorted(word for topic in TOPICS for word in topic.split())
    topic_of = {word: t for t, topic in enumerate(TOPICS) for word in topic.split()}
    words = (4 * np.eye(WORD)[[topic_of[w] for w in vocabulary]] + rng.normal(size=(len(vocabulary), WORD))).astype(
        "f4"
    )
    VOCABULARY.write(
        pa.table({"word": strings(vocabulary), "count": np.full(len(words), 9), "vector": vectors(words)}),
        data / "words/vocabulary",
    )
    posts = POSTS.read(data / "corpus/posts")
    said = WORDS.read(data / "text/words")
    users = USERS.read(data / "corpus/users")["user_id"].combine_chunks()
    author = positions(posts["user_id"], users)
    own = [set() for _ in users]
    for post, row in zip(said["post_id"].to_pylist(), said["words"].to_pylist(), strict=True):
        own[author[posts["post_id"].to_pylist().index(post)]] |= set(row)
    means = np.stack([words[[vocabulary.index(w) for w in sorted(held)]].mean(axis=0) for held in own])
    means = (means + rng.normal(size=means.shape) / 5).astype("f4")
    EMBEDDINGS.write(pa.table({"id": users, "vector": vectors(means)}), data / "words/users")

    images = IMAGES.read(data / "corpus/images")
    features = features_of(tuple(images["bytes"].to_pylist()))
    FEATURES.write(
        pa.table({"image_id": images["image_id"], "vector": vectors(features.astype("f2"))}), data / "images/features"
    )
    for beside in ("said", "style"):
        FEATURES.write(FEATURES.empty(), data / "images" / beside)
    said_in = np.empty((len(posts), 0), np.float16)
    if sentences:
        said_in = sentence_encoder().encode([prose(text) for text in posts["text"].to_pylist()]).astype("f2")
        TEXT_VECTORS.write(pa.table({"post_id": posts["post_id"], "vector": vectors(said_in)}), data / "text/vectors")
    dim = DIM + said_in.shape[1]
    shape = Shape(dim=dim, image=features.shape[1], word=WORD, text_length=8, windows=(), filters=(), dropout=0.0,
                  word_mean=True, sentence=said_in.shape[1])  # fmt: skip
    start = torch.zeros(len(means), shape.user)
    model = JointModel(shape, torch.from_numpy(words), start, seed=1, aligned=True)
    if sentences:
        own_mean = mean_by_user(said_in, np.arange(len(author)), author, len(users), seed)
        model.center(torch.from_numpy(said_in.astype("f4").mean(0)))
        means = np.concatenate([means, model.sentences(torch.from_numpy(own_mean)).numpy()], axis=1)
    model.user_rows.copy_(torch.from_numpy(means))
    shown = positions(posts["image_id"].drop_null(), images["image_id"])
    at = np.flatnonzero(posts["image_id"].is_valid())
    wanted = means[author[at]] @ model.user_projection.detach().numpy().T
    fitted = np.linalg.lstsq(features[shown], wanted, rcond=1e-3)[0].T
    model.image_projection.data = torch.from_numpy(fitted.astype("f4"))
    trained = Trained(model.eval(), users, pa.array(vocabulary))
    save(trained, Objective((0.4, 0.2, 0.4), "hinge", 0.2), data / "model")

    token = tokens(said["words"], trained.vocabulary, 8)
    for kind, ids, values in (
        ("users", users, embed_users(model)),
        ("images", images["image_id"], embed_images(model, features.astype("f2"))),
        ("texts", said["post_id"], embed_texts(model, token, said_in if sentences else None)),
    ):
        EMBEDDINGS.write(pa.table({"id": ids, "vector": vectors(values)}), data / "embeddings" / kind)
    side = ["test" if i % 5 == 0 else "val" if i % 20 == 1 else "train" for i in range(COUNT)]
    kept = posts["post_id"].to_pylist()[: COUNT - 5]  # the last five came to no side
    assigned = {"post_id": kept, "group_id": kept, "split": side[: len(kept)], "reason": [None] * len(kept)}
    ASSIGNED.write(pa.table(assigned), data / "split/posts")
    TEXT_EDGES.write(TEXT_EDGES.empty(), data / "text/edges")
    if not sentences:  # else `chance` takes the encoder from the folder's models/
        of = posts.take(pa.array(positions(said["post_id"], posts["post_id"])))
        shown = {name: of[name] for name in ("post_id", "user_id", "image_id")} | {"words": said["words"]}
        shown["more_images"] = pa.nulls(len(of), CONTENT.schema.field("more_images").type)
        CONTENT.write(pa.table(shown), data / "split/train")
        with chdir(root):
            chance.main()
