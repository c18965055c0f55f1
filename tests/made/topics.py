"""A corpus with planted topics, as the tables that training reads: what a sound model has to find again."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import write_params
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.images import FEATURES, IMAGE_GROUPS
from pipeline.tables.split import CONTENT, SETS
from pipeline.tables.table import matrix, strings, vectors
from pipeline.tables.text import TEXT_VECTORS
from stages.inputs import Inputs

ROOT = Path(__file__).parents[2]


def write_tables(root, posts=600, users=12, topics=4, words=40, size=16, features=24, style=False, said=False, seed=0):
    """Tables under `root`/data. Users post on one topic; a third of the posts lacks the text, a third the image.

    With `style`, of which there is none else, images tell their user there; with `said` every other image holds words,
    whose vector is that of its post's text.
    """
    random = np.random.default_rng(seed)
    user, kind = np.arange(posts) % users, random.integers(0, 3, posts)
    topic = user % topics
    vocabulary = np.array([f"w{i:03d}" for i in range(words)])
    of_topic = [np.arange(words)[np.arange(words) % topics == t] for t in range(topics)]
    texts = [
        [] if kind[i] == 1 else [*vocabulary[random.choice(of_topic[topic[i]], random.integers(1, 9))], "unknown"]
        for i in range(posts)
    ]
    image_id = [None if kind[i] == 2 else f"i{i:05d}" for i in range(posts)]
    centers = random.normal(size=(topics, features))
    pictured = np.array([i for i in range(posts) if kind[i] != 2])
    content = pa.table(
        {
            "post_id": strings(f"p{i:05d}" for i in range(posts)),
            "user_id": strings(f"u{u:03d}" for u in user),
            "image_id": strings(image_id),
            "words": pa.array(texts, pa.list_(pa.string())),
        }
    )
    side = np.arange(posts) // users % 10  # every user is on every side
    data = root / "data"
    for name, chosen in (("train", side > 2), ("val", side == 0), ("test", (side == 1) | (side == 2))):
        CONTENT.write(content.filter(pa.array(chosen)), data / "split" / name)
    asked = [
        (split, task, f"p{i:05d}")
        for i in range(posts)
        if side[i] <= 2
        for split in ["val" if side[i] == 0 else "test"]
        for task, held in (
            ("text_to_user", kind[i] != 1), ("image_to_text", kind[i] == 0), ("image_to_user", kind[i] != 2)
        )
        if held
    ]  # fmt: skip
    columns = [strings(column) for column in zip(*asked, strict=True)]
    SETS.write(pa.table(columns, names=["split", "task", "post_id"]), data / "split" / "sets")
    _write_sentences(texts, user, topic, data / "text" / "vectors", seed)
    vector = random.normal(size=(words, size)).astype(np.float32)
    VOCABULARY.write(
        pa.table({"word": strings(vocabulary), "count": np.full(words, 9), "vector": vectors(vector)}),
        data / "words" / "vocabulary",
    )
    known = users - 2  # two users have no known word
    EMBEDDINGS.write(
        pa.table({"id": strings(f"u{u:03d}" for u in range(known)), "vector": vectors(vector[:known])}),
        data / "words" / "users",
    )
    value = centers[topic[pictured]] + random.normal(size=(len(pictured), features)) / 2
    ids = strings(image_id[i] for i in pictured)
    FEATURES.write(
        pa.table({"image_id": ids, "vector": vectors(value.astype(np.float16))}), data / "images" / "features"
    )
    manner = np.eye(users)[user[pictured]] + random.normal(size=(len(pictured), users)) / 10
    styles = pa.table({"image_id": ids, "vector": vectors(manner.astype(np.float16))})
    FEATURES.write(styles if style else FEATURES.empty(), data / "images" / "style")
    _write_said(image_id, data, said)
    IMAGE_GROUPS.write(
        pa.table(
            {"image_id": ids, "group_id": ids, "representative": [True] * len(ids),
             "similarity": pa.array([1.0] * len(ids), pa.float32())}
        ),
        data / "images" / "groups",
    )  # fmt: skip


def read(folder, params):
    """What there is to train on, what test asks, and an untrained model."""
    inputs = Inputs.read(folder / "arrays", params)
    return inputs, inputs.queries("test", folder / "arrays"), inputs.new_model(params, seed=1)


def _write_said(image_id, data, said):
    """Of every other image whose post has a text that text's vector, else zeros."""
    table = TEXT_VECTORS.read(data / "text/vectors")
    of_post = dict(zip(table["post_id"].to_pylist(), matrix(table["vector"]), strict=True))
    pictured = [i for i, image in enumerate(image_id) if image]
    none = np.zeros(len(next(iter(of_post.values()))), np.float16)
    values = np.stack([of_post.get(f"p{i:05d}", none) if i % 2 else none for i in pictured])
    rows = pa.table({"image_id": strings(image_id[i] for i in pictured), "vector": vectors(values)})
    FEATURES.write(rows if said else FEATURES.empty(), data / "images" / "said")


def _write_sentences(texts, user, topic, folder, seed, size=20):
    """Vectors of unit length that tell the topic and a little of the user, beside a direction that all share."""
    random = np.random.default_rng([seed, 1])
    of_topic, of_user = (random.normal(size=(1 + of.max(), size)) for of in (topic, user))
    noise = random.normal(size=(len(user), size)) / 2
    value = 3 * random.normal(size=size) + of_topic[topic] + of_user[user] / 2 + noise
    value /= np.linalg.norm(value, axis=1, keepdims=True)
    said = [i for i, text in enumerate(texts) if text]
    TEXT_VECTORS.write(
        pa.table({"post_id": strings(f"p{i:05d}" for i in said), "vector": vectors(value[said].astype(np.float16))}),
        folder,
    )


def small(folder, style=False, said=False, epochs=10):
    """A folder in which the stages can run: planted tables, small parameters, the code."""
    write_tables(folder, style=style, said=said)
    for name in ("stages", "pipeline"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    (folder / "data/checked").write_text("params.yaml is valid\n")
    model = {"dim": 32, "filters": [16, 16, 16]}
    write_params(
        folder,
        {"model": model, "train": {"batch_size": 50, "epochs": epochs, "patience": epochs, "learning_rate": 5.0e-3}},
    )
