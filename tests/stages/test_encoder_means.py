"""Stage encoder_means: means by hand, a planted truth found, centring, and the paired difference to the model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ruamel.yaml import YAML

from benchmarks.model import carry_over
from pipeline.embedding.means import mean_by_user
from pipeline.evaluation.encoder_means import METHODS, Kind, by_method
from pipeline.tables.corpus import POSTS
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.images import FEATURES, IMAGE_GROUPS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT, SETS
from pipeline.tables.table import matrix, vectors
from pipeline.tables.text import TEXT_VECTORS
from stages import encoder_means

ROOT = Path(__file__).parents[2]
USERS, EACH, DIM = 12, 10, 16


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """12 users, texts and images around a direction of their own beside one that all share; 3 of 10 posts are test.

    All write of the same things, and each ends words in a manner of their own.
    """
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    own, shared = rng.normal(size=(USERS, DIM)), 20 * rng.normal(size=DIM)
    users = [f"u{i:02}" for i in range(USERS) for _ in range(EACH)]
    posts, images = ([f"{kind}{i:03}" for i in range(len(users))] for kind in "pi")
    values = shared + np.repeat(own, EACH, 0) + 0.3 * rng.normal(size=(len(users), DIM))
    test = np.arange(len(users)) % EACH < 3
    column = vectors(values.astype(np.float32))
    TEXT_VECTORS.write(pa.table({"post_id": posts, "vector": column}), Path("data/text/vectors"))
    FEATURES.write(pa.table({"image_id": images, "vector": column}), Path("data/images/features"))
    words, ends = ["sun", "sea", "hill", "road", "tree", "bird", "rain", "wind"], "!?.:;-+*/=~^"
    texts = [" ".join(word + ends[int(user[1:])] for word in rng.permutation(words)[:4]) for user in users]
    rows = zip(posts, users, texts, images, [None] * len(posts), [None] * len(posts), strict=True)
    POSTS.write(POSTS.of(list(rows)), Path("data/corpus/posts"))
    content = pa.table({"post_id": posts, "user_id": users, "image_id": images, "words": [["w"]] * len(users)})
    for side, rows in (("train", ~test), ("test", test)):
        CONTENT.write(content.filter(pa.array(rows)), Path("data/split") / side)
    asked = [("test", task, post) for task in ("text_to_user", "image_to_text", "image_to_user")
             for post, is_test in zip(posts, test, strict=True) if is_test]  # fmt: skip
    SETS.write(SETS.of(sorted(asked)), Path("data/split/sets"))
    author = dict(zip(posts, users, strict=True))
    model = [(task, post, post if task == "image_to_text" else author[post], author[post], 6.0)
             for _, task, post in sorted(asked)]  # fmt: skip
    RANKS.write(RANKS.of(sorted(model)), Path("data/evaluation/ranks"))
    return values, np.array(users), test


def test_centred_means_find_what_is_planted_and_the_model_at_rank_6_is_behind(planted):
    encoder_means.main()
    metrics = json.loads(Path("metrics/encoder_means.json").read_text())
    for task in ("text_to_user", "image_to_user"):
        assert metrics["encoder_mean_centred"][task]["mean_median_rank"] < 1.2
        assert metrics["encoder_mean_centred"][task]["queries"] == 36
        gap = metrics["model_less"]["encoder_mean_centred"][task]
        assert gap["value"] > 4 and gap["interval_95"][0] > 4


def test_whitened_means_do_not_mind_what_varies_within_users(planted):
    values, _, _ = planted
    mood = np.random.default_rng(5).normal(size=(len(values), 1)) * np.eye(DIM)[0] * 30
    held = TEXT_VECTORS.read(Path("data/text/vectors"))
    column = vectors((values + mood).astype(np.float32))
    TEXT_VECTORS.write(held.set_column(1, "vector", column), Path("data/text/vectors"))
    encoder_means.main()
    metrics = json.loads(Path("metrics/encoder_means.json").read_text())
    centred, whitened = (
        metrics[f"encoder_mean_{how}"]["text_to_user"]["mean_median_rank"] for how in ("centred", "whitened")
    )
    assert centred > 3 and whitened - 1 < (centred - 1) / 2


def test_a_benchmark_that_compares_recipes_ranks_means_as_the_stage_does(planted):
    values, _, _ = planted
    encoder_means.main()
    for name in ("posts", "val"):
        shutil.copytree("data/split/test", f"data/split/{name}")
    images = [f"i{i:03}" for i in range(len(values))]
    IMAGE_GROUPS.write(IMAGE_GROUPS.of([(i, i, True, 1.0) for i in images]), Path("data/images/groups"))
    word = {"word": ["w"], "count": [9], "vector": vectors(np.ones((1, 2), np.float32))}
    VOCABULARY.write(pa.table(word), Path("data/words/vocabulary"))
    found = carry_over.Corpus(Path.cwd(), {"text_encoder": "sentence", "letters": True}).means()
    assert tuple(found) == METHODS
    for method, ranks in found.items():
        own = RANKS.read(encoder_means.MEANS / method / "ranks").select(ranks.column_names)
        own = own.filter(pc.not_equal(own["task"], "image_to_text"))
        assert ranks.sort_by([("task", "ascending"), ("query_id", "ascending")]).equals(own)


def test_users_are_means_of_train_posts_alone(planted):
    values, users, test = planted
    encoder_means.main()
    table = EMBEDDINGS.read(Path("data/encoder_means/encoder_mean/text"))
    for name, vector in zip(table["id"].to_pylist(), matrix(table["vector"]), strict=True):
        np.testing.assert_allclose(vector, values[(users == name) & ~test].mean(0), rtol=1e-4)


def test_letters_find_who_wrote_a_text_by_how_it_is_written_and_add_to_what_it_says(planted):
    values, _, _ = planted
    blurred = values + 3 * np.random.default_rng(6).normal(size=values.shape)
    held = TEXT_VECTORS.read(Path("data/text/vectors"))
    held = held.set_column(1, "vector", vectors(blurred.astype(np.float32)))
    few = np.arange(len(values)) % EACH < np.repeat([6, EACH], len(values) // 2)  # posts without a sentence vector
    TEXT_VECTORS.write(held.filter(pa.array(few)), Path("data/text/vectors"))
    encoder_means.main()
    metrics = json.loads(Path("metrics/encoder_means.json").read_text())
    said, letters, both = (
        metrics[name]["text_to_user"]["mean_median_rank"]
        for name in ("encoder_mean_whitened", "letters_mean", "encoder_mean_letters")
    )
    assert letters == 1 and 1 <= both < said - 0.5
    assert set(metrics["letters_mean"]) & {"image_to_user", "image_to_text"} == set()
    gap = metrics["model_less"]["letters_mean"]["text_to_user"]
    assert gap["value"] == 5 and gap["interval_95"][0] > 4  # the model's ranks are 6


def test_both_is_the_sum_of_the_cosines_of_sentences_and_letters():
    random = np.random.default_rng(2)
    kinds = {name: Kind(random.normal(size=(40, d)), np.arange(30), np.arange(30) % 5) for name, d in
             (("text", 6), ("letters", 9))}  # fmt: skip
    found = dict(by_method(kinds, 5, seed=1))
    assert list(found) == list(METHODS)

    def cosines(method):
        means, values = found[method]["text"]
        return (values / np.linalg.norm(values, axis=1)[:, None]) @ (means / np.linalg.norm(means, axis=1)[:, None]).T

    alone = cosines("encoder_mean_whitened") + cosines("letters_mean")
    np.testing.assert_allclose(2 * cosines("encoder_mean_letters"), alone, atol=1e-5)


def test_of_a_corpus_without_pictures_no_means_of_pictures_are_compared(planted):
    """They would be drawn by chance, and stand among the methods by which users are compared."""
    for side in ("train", "test"):
        content = CONTENT.read(Path("data/split") / side)
        nothing = pa.nulls(content.num_rows, pa.string())
        CONTENT.write(
            content.set_column(content.column_names.index("image_id"), "image_id", nothing), Path("data/split") / side
        )
    asked = SETS.read(Path("data/split/sets"))
    SETS.write(asked.filter(pc.equal(asked["task"], "text_to_user")), Path("data/split/sets"))
    FEATURES.write(FEATURES.read(Path("data/images/features")).slice(0, 0), Path("data/images/features"))
    encoder_means.main()
    kinds = {method: {found.name for found in (encoder_means.MEANS / method).iterdir()} for method in METHODS}
    assert all(found == {"text", "ranks"} for found in kinds.values())
    metrics = json.loads(Path("metrics/encoder_means.json").read_text())
    assert (
        metrics["encoder_mean"]["text_to_user"]["queries"] == 36
        and not metrics["encoder_mean"]["image_to_user"]["queries"]
    )


def test_without_sentence_vectors_images_and_letters_alone_are_asked(planted):
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("encoder: minilm", "encoder: none"))
    TEXT_VECTORS.write(TEXT_VECTORS.empty(), Path("data/text/vectors"))
    encoder_means.main()
    metrics = json.loads(Path("metrics/encoder_means.json").read_text())
    assert "text_to_user" not in metrics["encoder_mean"] and metrics["encoder_mean"]["image_to_user"]["queries"]
    assert metrics["letters_mean"]["text_to_user"]["queries"] == 36 and "encoder_mean_letters" not in metrics
    POSTS.write(POSTS.read(Path("data/corpus/posts")).set_column(2, "text", pa.nulls(len(planted[0]), pa.string())),
                Path("data/corpus/posts"))  # fmt: skip
    encoder_means.main()
    assert "letters_mean" not in json.loads(Path("metrics/encoder_means.json").read_text())


@pytest.mark.parametrize("same", [True, False])
def test_image_to_text_is_asked_where_one_network_of_the_same_weights_made_both(planted, same):
    """Images and texts lie apart by what all images share; centred, each text is its image's nearest again."""
    values, _, _ = planted
    held = FEATURES.read(Path("data/images/features"))
    apart = values + 20 * np.random.default_rng(4).normal(size=DIM)
    FEATURES.write(held.set_column(1, "vector", vectors(apart.astype(np.float32))), Path("data/images/features"))
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    tower = {"encoder": "open_clip:ViT-B-32", "weights": "w.safetensors"}
    params["images"].update(tower, weights_sha256="0" * 64)
    params["sentences"].update(tower, weights_sha256=("0" if same else "1") * 64)
    yaml.dump(params, Path("params.yaml"))
    encoder_means.main()
    metrics = json.loads(Path("metrics/encoder_means.json").read_text())
    if same:
        assert metrics["encoder_mean_centred"]["image_to_text"]["mean_median_rank"] == 1
        assert metrics["encoder_mean"]["image_to_text"]["mean_median_rank"] > 1
    else:
        assert "image_to_text" not in metrics["encoder_mean_centred"]


def test_who_has_no_vector_gets_a_random_one_among_the_others():
    vectors_of = np.array([[1.0, 10.0], [3.0, 10.0]], np.float32)
    means = mean_by_user(vectors_of, np.array([0, 1]), np.array([0, 0]), 3, seed=1)
    np.testing.assert_allclose(means[0], [2, 10])
    again = mean_by_user(vectors_of, np.array([0, 1]), np.array([0, 0]), 3, seed=1)
    np.testing.assert_array_equal(means, again)
    assert np.isfinite(means).all()
