"""The baselines: averages by hand, and the stage on planted topics."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ruamel.yaml import YAML

from pipeline.embedding import means
from pipeline.embedding.batches import Posts
from pipeline.embedding.losses import Objective
from pipeline.embedding.means import mean_by_user
from pipeline.evaluation.baselines import mean_images, mean_words
from pipeline.running.params import validate
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT, SETS
from pipeline.tables.table import matrix
from stages import baselines
from stages.inputs import Inputs
from tests.made.topics import write_tables

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_text_is_the_mean_of_its_words():
    words = np.array([[1, 0], [0, 2], [4, 4]], np.float32)
    token = np.array([[1, 2, 0], [3, 3, 3], [0, 0, 0], [2, 0, 0]], np.int32)
    np.testing.assert_allclose(mean_words(token, words), [[0.5, 1], [4, 4], [0, 0], [0, 2]])


def test_a_user_is_the_mean_of_the_images_and_random_without_one():
    image = np.array([0, 1, -1, 2, 0])
    posts = Posts.of_one(
        pa.chunked_array([list("abcde")]), np.array([0, 0, 1, 3, 3]), image, image, np.zeros((5, 1), np.int32)
    )
    features = np.array([[1, 1], [3, 5], [7, 9]], np.float16)
    found = mean_images(posts, features, users=4, seed=1)
    np.testing.assert_allclose(found[[0, 3]], [[2, 3], [4, 5]])
    np.testing.assert_array_equal(found, mean_images(posts, features, users=4, seed=1))
    other = mean_images(posts, features, users=4, seed=2)
    assert (found[[1, 2]] != other[[1, 2]]).all() and (found[1] != found[2]).all()


@pytest.mark.parametrize("known", [5, 0])
def test_means_are_the_same_in_pieces_of_any_size(known, monkeypatch):
    random = np.random.default_rng(0)
    features, rows = random.random((40, 6)).astype(np.float16), random.integers(0, 40, 300 if known else 0)
    user = random.integers(0, 5, len(rows))
    plain = np.array([features[rows[user == u]].astype(float).mean(0) for u in range(known)]).reshape(known, 6)
    found = []
    for numbers in (1 << 23, 7):
        monkeypatch.setattr(means, "_NUMBERS", numbers)
        found.append(mean_by_user(features, rows, user, users=2000, seed=1))
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0][:known], plain, rtol=1e-6)
    # Users without a picture are drawn around the others, number by number; around 0 where there are none.
    center, spread = (plain.mean(0), plain.std(0)) if known else (np.zeros(6), np.ones(6))
    np.testing.assert_allclose((found[0][known:].mean(0) - center) / spread, 0, atol=0.1)
    np.testing.assert_allclose(found[0][known:].std(0) / spread, 1, atol=0.1)


def test_averages_are_of_features_whether_there_is_style_or_not(tmp_path, monkeypatch):
    root, found = Path(__file__).parents[2], []
    for style in (False, True):
        folder = tmp_path / str(style)
        write_tables(folder, style=style)
        monkeypatch.chdir(folder)
        inputs = Inputs.read(folder, validate(root / "params.yaml").model)
        users, ranks, _ = baselines.avg_image(inputs, inputs.queries("test", folder), seed=1)
        found.append((users.values, ranks["image_to_user"][0]["rank"].to_numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_no_post_can_train_stays_as_it_starts_and_the_stage_goes_on(tmp_path):
    none, ids = np.full(3, -1), pa.chunked_array([list("abc")])
    texts = Posts.of_one(ids, np.arange(3), none, none, np.ones((3, 1), np.int32))
    trained = []
    inputs = SimpleNamespace(
        posts=texts, trainer=lambda model, objective, *_, **__: trained.append(objective) or Once()
    )
    training = baselines.Training(None, inputs, None, tmp_path)
    text_user, image_text = (Objective(lambdas, "triplet", 0.1) for lambdas in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    assert [training._train("one", None, one) for one in (text_user, image_text)] == [5, 0]
    assert trained == [text_user]


class Once:
    """A training that keeps its fifth epoch."""

    def run(self):
        return SimpleNamespace(best_epoch=5)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to run the stage in, on planted topics; a function that sets the epochs and runs it."""
    root = Path(__file__).parents[2]
    write_tables(tmp_path)
    (tmp_path / "data/checked").write_text("")
    for name in ("stages", "pipeline", "dvc.yaml"):
        (tmp_path / name).symlink_to(root / name)
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(root / "params.yaml")
    params["model"] |= {"dim": 32, "filters": [16, 16, 16]}
    params["retrieval"]["bootstrap"] = 100
    monkeypatch.chdir(tmp_path)

    def run(epochs):
        params["train"] |= {"batch_size": 50, "epochs": epochs, "learning_rate": 5.0e-3}
        yaml.dump(params, tmp_path / "params.yaml")
        baselines.main()
        return json.loads(baselines.METRICS.read_text())

    return run


@pytest.fixture
def found(project):
    """The metrics of the stage."""
    return project(epochs=8)


def test_every_method_is_asked_texts_without_a_known_word_and_ranks_them_at_chance(project):
    place = Path("data/split/test")
    test = CONTENT.read(place)
    said = test["words"].to_pylist()
    first, second = [at for at, words in enumerate(said) if words][:2]
    said[first], said[second] = ["unheard", "of"], []  # the second: a text of links alone
    at = test.column_names.index("words")
    CONTENT.write(test.set_column(at, "words", pa.array(said, pa.list_(pa.string()))), place)
    wordless = set(test["post_id"].take(pa.array([first, second])).to_pylist())
    asked = [row["post_id"] for row in SETS.read(Path("data/split/sets")).to_pylist()
             if (row["split"], row["task"]) == ("test", "text_to_user")]  # fmt: skip
    assert wordless < set(asked)
    found = project(epochs=1)
    for method in ("avg_text", "bridging", "merged"):
        assert found[method]["text_to_user"]["queries"] == len(asked)
        assert found[method]["at_chance"]["text_to_user"] == {"text_without_known_word": 2}
        ranks = [row["rank"] for row in RANKS.read(baselines.BASELINES / method / "ranks").to_pylist()
                 if row["task"] == "text_to_user" and row["query_id"] in wordless]  # fmt: skip
        assert ranks == [6.5, 6.5]  # of twelve users


def test_of_a_corpus_without_pictures_avg_image_knows_nobody(project):
    for side in ("train", "val", "test"):
        place = Path("data/split") / side
        content = CONTENT.read(place)
        nothing = pa.nulls(content.num_rows, pa.string())
        CONTENT.write(content.set_column(content.column_names.index("image_id"), "image_id", nothing), place)
    asked = SETS.read(Path("data/split/sets"))
    SETS.write(asked.filter(pc.equal(asked["task"], "text_to_user")), Path("data/split/sets"))
    assert project(epochs=1)["avg_text"]["text_to_user"]["queries"]
    assert {found.parent.name for found in baselines.BASELINES.glob("*/users")} == {"avg_text", "bridging", "merged"}


def test_the_four_methods_are_asked_what_they_can_answer_and_find_planted_topics(found):
    asked = {name: list(metrics["not_asked"]) for name, metrics in found.items()}
    three = ["text_to_user", "image_to_text", "image_to_user"]
    assert asked == {"avg_text": three[:1], "avg_image": three[2:], "bridging": three, "merged": three}
    # 3 of 12 users post on each topic: 2 is perfect, 6.5 is chance. Words have no meaning here, so their means have
    # little: the planted vectors are random.
    assert found["avg_image"]["image_to_user"]["mean_rank"] < 2.4
    for method in ("bridging", "merged"):
        assert found[method]["text_to_user"]["mean_rank"] < 2.5
    assert found["merged"]["image_to_user"]["mean_rank"] < 2.5
    # Bridging has never seen an image with a user, but a text with each.
    assert found["bridging"]["image_to_user"]["mean_rank"] < 3

    for method, size in (("avg_text", 16), ("avg_image", 24), ("bridging", 32), ("merged", 32)):
        users = EMBEDDINGS.read(baselines.BASELINES / method / "users")
        assert matrix(users["vector"]).shape == (12, size)
        ranks = RANKS.read(baselines.BASELINES / method / "ranks")
        asked_of = sum(
            block["queries"] for block in found[method].values() if isinstance(block, dict) and "queries" in block
        )
        assert ranks.num_rows == asked_of
