"""The stages evaluate_retrieval, evaluate_interests and clusters on a small made corpus, whole and lacking things."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.tables.corpus import USERS
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.evaluation import ANSWERS, ASKED, CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS, INTERESTS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT, SETS
from pipeline.tables.table import vectors
from pipeline.tables.text import WORDS
from stages import clusters, evaluate_interests, evaluate_retrieval

ROOT = Path(__file__).parents[2]
N, POSTS = 24, 96


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """24 users of two topics, 4 posts each with text and image, every fourth post in test."""
    monkeypatch.chdir(tmp_path)
    params = (ROOT / "params.yaml").read_text()
    for asked, enough in (("  bootstrap: 1000\n", "  bootstrap: 100\n"), ("  repeats: 10\n", "  repeats: 2\n")):
        assert asked in params
        params = params.replace(asked, enough)
    Path("params.yaml").write_text(params)
    rng = np.random.default_rng(0)
    users = [f"u{i:02}" for i in range(N)]
    at = rng.standard_normal((2, 8))[np.arange(N) % 2] + 0.3 * rng.standard_normal((N, 8))
    author = np.arange(POSTS) % N
    posts, images = [f"p{i:03}" for i in range(POSTS)], [f"i{i:03}" for i in range(POSTS)]
    near = (at[author] + 0.05 * rng.standard_normal((POSTS, 8))).astype(np.float32)

    def embed(ids, values, path):
        EMBEDDINGS.write(pa.table({"id": ids, "vector": vectors(values.astype(np.float32))}), Path(path))

    embed(users, at, "data/embeddings/users")
    embed(images, near, "data/embeddings/images")
    embed(posts, near, "data/embeddings/texts")
    for method in evaluate_interests.METHODS:
        embed(users, rng.standard_normal((N, 8)), f"data/baselines/{method}/users")
    words = [["odd" if i % 2 else "even", f"w{i}"] for i in range(POSTS)]
    content = pd.DataFrame(
        {"post_id": posts, "user_id": [users[i] for i in author], "image_id": images, "words": words}
    )
    held_out = np.arange(POSTS) >= 72
    CONTENT.write(content[~held_out], Path("data/split/train"))
    CONTENT.write(content[held_out], Path("data/split/test"))
    tasks = ("text_to_user", "image_to_text", "image_to_user")
    rows = [("test", task, post) for task in tasks for post in content.post_id[held_out]]
    SETS.write(pd.DataFrame(rows, columns=["split", "task", "post_id"]), Path("data/split/sets"))
    IMAGE_GROUPS.write(
        pd.DataFrame({"image_id": images, "group_id": images, "representative": True, "similarity": np.float32(1)}),
        Path("data/images/groups"),
    )
    write_users([["odd"] if i % 2 else ["even"] for i in range(N)])


def write_users(interests):
    users = [f"u{i:02}" for i in range(N)]
    rows = pa.table({"user_id": users, "interests": pa.array(interests, pa.list_(pa.string())), "brand": [False] * N})
    USERS.write(rows, Path("data/corpus/users"))


def metrics(name):
    return json.loads(Path(f"metrics/{name}.json").read_text())


def test_retrieval(corpus):
    evaluate_retrieval.main()
    found = metrics("retrieval")
    assert found["text_to_user"]["queries"] == found["text_to_user"]["candidates"] == N
    assert found["text_to_user"]["mean_median_rank"] < 3 < found["text_to_user"]["random"] == 12.5
    assert found["text_to_user"]["by_activity"].keys() == {"few"}
    assert RANKS.read(evaluate_retrieval.FOUND).num_rows == 3 * N
    assert list(pd.read_csv("plots/ranks.csv").columns) == [
        "share_of_candidates",
        "text_to_user",
        "image_to_text",
        "image_to_user",
        "random",
    ]


def test_retrieval_of_a_corpus_without_a_test_side(corpus):
    SETS.write(SETS.empty(), Path("data/split/sets"))
    evaluate_retrieval.main()
    assert metrics("retrieval")["text_to_user"]["queries"] == 0
    assert RANKS.read(evaluate_retrieval.FOUND).num_rows == 0
    assert list(pd.read_csv("plots/ranks.csv").columns) == ["share_of_candidates", "random"]


def test_interests(corpus):
    evaluate_interests.main()
    found = metrics("interests")
    assert found["macro"]["model"] > 0.95 > found["macro"]["avg_text"]
    assert found["labels"].keys() == {"even", "odd"}
    assert set(pd.read_csv("plots/interests.csv").method) == {"model", *evaluate_interests.METHODS}


def test_interests_by_means_of_pretrained_vectors_stand_beside_the_baselines(corpus):
    users = EMBEDDINGS.read(Path("data/embeddings/users"))
    nothing = np.random.default_rng(2).standard_normal((N, 3)).astype(np.float32)
    EMBEDDINGS.write(pa.table({"id": users["id"], "vector": vectors(nothing)}), evaluate_interests.MEANS / "text")
    EMBEDDINGS.write(users, evaluate_interests.MEANS / "image")
    means = evaluate_interests.encoder_means()
    assert list(means) == ["encoder_mean_text", "encoder_mean"]
    assert means["encoder_mean"].values.shape == (N, 3 + 8)
    np.testing.assert_array_equal(means["encoder_mean"].values[:, :3], nothing)
    evaluate_interests.main()
    macro = metrics("interests")["macro"]
    assert macro["encoder_mean"] > 0.9 > macro["encoder_mean_text"]
    for found in (evaluate_interests.MEANS / "image", evaluate_interests.BASELINES / "avg_image/users"):
        shutil.rmtree(found)  # as of a corpus without pictures
    evaluate_interests.main()
    assert set(metrics("interests")["macro"]) & {"avg_image", "encoder_mean", "encoder_mean_text"} == {
        "encoder_mean_text"
    }


@pytest.mark.parametrize(
    ("interests", "reason", "left_out"),
    [
        ([[]] * N, "no user has interests", {}),
        ([["rare"]] * 2 + [[]] * (N - 2), "no interest has enough positive and negative users", {"few_have_it": 1}),
    ],
)
def test_interests_that_cannot_be_measured_say_why(corpus, interests, reason, left_out):
    write_users(interests)
    evaluate_interests.main()
    found = metrics("interests")
    assert found["not_measured"] == reason
    assert found["labels_left_out"] == {"few_have_it": 0, "nearly_all_have_it": 0} | left_out
    assert "rare" not in evaluate_interests.METRICS.read_text()
    assert found["users"] == N
    assert INTERESTS.read(evaluate_interests.FOUND).num_rows == 0
    assert list(pd.read_csv("plots/interests.csv").columns) == ["of", "method", "f1", "low", "high"]


def test_clusters(corpus):
    clusters.main()
    found = metrics("clusters")
    assert found["users"] == N
    assert found["purity"] == 1.0
    assert CLUSTER_USERS.read(clusters.FOUND / "users").num_rows == N
    assert CLUSTER_WORDS.read(clusters.FOUND / "words").num_rows
    assert CLUSTER_IMAGES.read(clusters.FOUND / "images").num_rows == found["clusters"] * 12


def test_too_few_users_for_the_clusters_asked_for(corpus):
    text = Path("params.yaml").read_text()
    assert "\n  k: null\n" in text
    Path("params.yaml").write_text(text.replace("\n  k: null\n", "\n  k: 25\n"))
    clusters.main()
    assert metrics("clusters") == {
        "not_measured": "24 users are too few for 25 clusters",
        "users": N,
        "users_without_train_posts": 0,
    }
    assert CLUSTER_USERS.read(clusters.FOUND / "users").num_rows == 0


def test_queries_by_text_image_and_user(corpus, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from pipeline.embedding.losses import Objective
    from pipeline.embedding.model import JointModel, Trained, save
    from pipeline.embedding.shape import Shape
    from stages import queries

    monkeypatch.setenv("DU2MCE_CACHE", str(tmp_path / "cache"))
    Path("models").symlink_to(ROOT / "models")
    vocabulary = ["bird", "flower", "red"]
    shape = Shape(dim=8, image=4, word=6, text_length=5, windows=(2,), filters=(7,), dropout=0.0)
    model = JointModel(shape, torch.randn(3, 6), torch.randn(N, 6), seed=0)
    users = pa.array([f"u{i:02}" for i in range(N)])
    save(Trained(model, users, pa.array(vocabulary)), Objective((0.1, 0.45, 0.45), "hinge", 0.2), Path("data/model"))
    text = Path("params.yaml").read_text()
    asked = "  queries: [[Red FLOWERS!, unheard words], ['user:u03', 'image:i095'], ['user:nobody']]\n"
    assert "  queries: null\n" in text
    Path("params.yaml").write_text(text.replace("  queries: null\n", asked))

    WORDS.write(WORDS.empty(), queries.WORDS_PATH)
    queries.main()

    rows = ASKED.read(queries.FOUND / "asked").to_pylist()
    assert [(r["pair"], r["kind"], r["value"]) for r in rows[:4]] == [
        (0, "text", "Red FLOWERS!"),
        (0, "text", "unheard words"),
        (1, "user", "u03"),
        (1, "image", "i095"),
    ]
    assert rows[0]["known_words"] == ["red", "flower"]
    assert rows[1]["known_words"] == [] and len(rows[1]["unknown_words"]) == 2
    assert [r["kind"] for r in rows[4:]] == ["image"] * 3 + ["user"] * 3
    assert all(r["value"] >= "i072" for r in rows[4:7])  # images of the test side
    answers = ANSWERS.read(queries.FOUND / "answers").to_pandas()
    assert set(answers["query"]) == set(range(len(rows))) - {1}
    assert (answers.groupby(["query", "kind"]).size() == 8).all()
    assert not ((answers["query"] == 2) & (answers.id == "u03")).any()
    assert metrics("queries") == {
        "asked": {"text": 2, "user": 4, "image": 4},
        "texts_without_known_word": ["unheard words"],
        "users_without_a_post_in_train": 1,
    }
