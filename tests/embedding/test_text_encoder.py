"""Sentence vectors in phi_T and in users' rows: what an untrained model then knows, and what training keeps of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional as F

from pipeline.embedding.batches import cut, sentence_vectors
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import load as load_model
from pipeline.embedding.model import save
from pipeline.embedding.vectors import embed_texts
from pipeline.evaluation.encoder_means import METHODS
from pipeline.ranking.queries import rank_queries
from pipeline.ranking.retrieval import rank_task
from pipeline.ranking.vectors import Vectors
from pipeline.running.errors import UserError
from pipeline.running.params import validate
from pipeline.running.schema import Model, Params
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix, vectors
from pipeline.tables.text import TEXT_VECTORS
from tests.made.topics import read

pytestmark = pytest.mark.usefixtures("one_thread")

PARAMS = validate(Path(__file__).parents[2] / "params.yaml")
SIZE, WORD = 20, 16


def model_params(**changed) -> Model:
    return Model(**{**dict(PARAMS.model), "dim": 64, "filters": [8, 8, 8], **changed})


@pytest.fixture
def tables(tables):
    """Planted topics; of the texts in train one is of unknown words alone."""
    train = CONTENT.read(Path("data/split/train"))
    words = train["words"].to_pylist()
    words[next(row for row, text in enumerate(words) if text)] = ["unknown"]
    at = train.column_names.index("words")
    CONTENT.write(train.set_column(at, "words", pa.array(words)), Path("data/split/train"))
    return tables


def centred_means(posts):
    """By hand, from the tables: the mean of all train texts, and each user's, less it."""
    train, held = CONTENT.read(Path("data/split/train")), TEXT_VECTORS.read(Path("data/text/vectors"))
    vector = dict(zip(held["post_id"].to_pylist(), matrix(held["vector"]).astype(float), strict=True))
    rows = [(u, vector[p]) for p, u in zip(*(train[c].to_pylist() for c in ("post_id", "user_id")), strict=True)
            if p in vector]  # fmt: skip
    common = np.mean([v for _, v in rows], axis=0)
    users = sorted({u for u, _ in rows})
    return vector, common, users, np.stack([np.mean([v for w, v in rows if w == u], axis=0) for u in users]) - common


def test_untrained_and_aligned_on_sentences_alone_the_ranks_are_those_of_centred_encoder_means(tables):
    inputs, test, trained = read(tables, model_params(text_encoder="sentence", aligned=True))
    assert trained.model.shape.user == SIZE and not trained.model.shape.words
    vector, common, users, means = centred_means(inputs.posts)
    assert METHODS[1] == "encoder_mean_centred" and trained.users.to_pylist() == users
    asking = Vectors(pa.array(list(vector)), np.stack(list(vector.values())).astype(np.float32) - common)
    wanted, _, count = rank_task(
        "text_to_user", test.tasks["text_to_user"], Vectors(trained.users, means.astype(np.float32)), asking, asking
    )
    found, _, candidates = rank_queries(test, trained.model, trained.users)["text_to_user"]
    assert found.equals(wanted) and count == candidates == 12
    assert found["rank"].to_numpy().mean() < 2.5  # and they are worth something: chance is 6.5


def test_untrained_and_aligned_on_both_the_cosine_is_that_of_both_means_side_by_side(tables):
    inputs, _, trained = read(tables, model_params(text_encoder="both", aligned=True, word_mean=True, windows=[],
                                                   filters=[]))  # fmt: skip
    posts, model = inputs.posts, trained.model
    rows = np.flatnonzero(posts.has_text)
    assert not posts.has_words[rows].all() and posts.has_sentence[rows].all()  # "unknown" alone is a text
    found = embed_texts(model, posts.tokens[rows], posts.said(rows)) @ F.normalize(
        model.user(model.user_rows)).detach().numpy().T  # fmt: skip
    weight, word = model.word_weights.numpy(), model.word_rows.numpy()
    mean = np.stack([(weight[t, None] * word[t]).sum(0) / max(weight[t].sum(), 1e-6) for t in posts.tokens[rows]])
    said = posts.said(rows).astype(float) - centred_means(posts)[1]
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    whole, users = np.concatenate([mean, said], axis=1), model.user_rows.numpy()
    cosine = (whole @ users.T) / np.linalg.norm(whole, axis=1)[:, None] / np.linalg.norm(users, axis=1)
    np.testing.assert_allclose(found, cosine, atol=1e-4)


@pytest.mark.parametrize("changed", [{}, {"word_mean": True, "aligned": True}, {"windows": [], "filters": [],
                                                                               "word_mean": True}])  # fmt: skip
def test_words_alone_are_drawn_as_they_were_and_sentences_stand_behind_them(tables, changed):
    (_, _, words), (_, _, both) = (
        read(tables, model_params(text_encoder=name, **changed)) for name in ("words", "both")
    )
    assert words.model.shape.user == WORD and both.model.shape.user == WORD + SIZE
    torch.testing.assert_close(words.model.user_rows, both.model.user_rows[:, :WORD], rtol=0, atol=0)
    for name in ("image_projection", "kernels", "bias"):
        torch.testing.assert_close(getattr(words.model, name), getattr(both.model, name), rtol=0, atol=0)
    if changed.get("aligned"):
        own = both.model.user_projection.shape[1]
        torch.testing.assert_close(both.model.text_projection[:, -own:], both.model.user_projection)


def test_training_moves_it_and_it_is_loaded_as_it_was_saved(tables):
    params = model_params(text_encoder="both", aligned=True, word_mean=True)
    inputs, test, trained = read(tables, params)
    objective = Objective((0.4, 0.2, 0.4), "infonce", 0.2)
    settings = PARAMS.train.model_copy(update={"epochs": 4, "batch_size": 50})
    whole = Params.model_construct(**{**dict(PARAMS), "model": params, "train": settings, "seed": 1})
    start = trained.model.user_rows.clone()
    run = inputs.trainer(trained, objective, whole, inputs.queries("val", tables / "arrays"), tables).run()
    assert run.history[-1]["loss_text_user"] < run.history[0]["loss_text_user"]
    assert (trained.model.user_rows != start)[:, WORD:].any()
    save(trained, objective, tables / "model")
    loaded = load_model(tables / "model")
    for task, (rows, _, _) in rank_queries(test, trained.model, trained.users).items():
        assert rows.equals(rank_queries(test, loaded.model, loaded.users)[task][0])


def test_a_batch_has_the_sentences_of_its_texts_and_posts_without_either_have_none(tables):
    inputs, _, _ = read(tables, model_params(text_encoder="both"))
    posts = inputs.posts
    batch = cut(posts, inputs.features, np.arange(40))
    said = posts.said(np.arange(40))
    np.testing.assert_array_equal(batch.sentence.numpy(), said[batch.text_rows])
    texts = CONTENT.read(Path("data/split/train"))["words"].to_pylist()
    assert posts.has_text.tolist() == [bool(text) for text in texts]
    taken = posts.take(np.array([5, 2]))
    np.testing.assert_array_equal(taken.sentence, posts.sentence[[5, 2]])


def test_vectors_are_found_whatever_the_order_and_shards_and_none_at_all_is_told(tables):
    held = TEXT_VECTORS.read(Path("data/text/vectors"))
    value = dict(zip(held["post_id"].to_pylist(), matrix(held["vector"]), strict=True))
    ids = pa.chunked_array([["p00599", "none", "p00000"], held["post_id"].to_pylist()[7:9]])
    found = sentence_vectors([Path("data/text/vectors")], ids)
    wanted = [value.get(name, np.zeros(SIZE)) for name in ids.to_pylist()]
    np.testing.assert_array_equal(found, wanted)
    few = pa.table({"post_id": ["p00000"], "vector": vectors(np.float16([[1, 2]]))})
    TEXT_VECTORS.write(few, Path("data/text/letters"))
    both = sentence_vectors([Path("data/text/vectors"), Path("data/text/letters")], ids)
    behind = [[1, 2] if name == "p00000" else [0, 0] for name in ids.to_pylist()]
    np.testing.assert_array_equal(both, np.hstack([wanted, behind]))
    TEXT_VECTORS.write(TEXT_VECTORS.empty(), Path("data/none"))
    with pytest.raises(UserError, match=r"sentences\.encoder"):
        sentence_vectors([Path("data/none")], ids)
