"""Late fusion: what stands beside the trained vectors, how much it counts, and that training goes on without it."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional as F

from pipeline.embedding.losses import Objective
from pipeline.embedding.model import load, save
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.evaluation.encoder_means import Kind, by_method
from pipeline.ranking.queries import rank_queries
from pipeline.running.params import validate
from pipeline.running.schema import Model, Params
from pipeline.space.new_users import NewUsers
from pipeline.space.newcomers import Newcomers
from pipeline.tables.embedding import LETTERS
from pipeline.tables.images import FEATURES
from pipeline.tables.split import CONTENT
from pipeline.tables.table import vectors as stored
from pipeline.tables.text import TEXT_VECTORS
from stages.inputs import Inputs

pytestmark = pytest.mark.usefixtures("one_thread")

PARAMS = validate(Path(__file__).parents[2] / "params.yaml")
WHOLE = {"dim": 64, "windows": [], "filters": [], "word_mean": True, "aligned": True, "text_encoder": "both"}


@pytest.fixture
def tables(tables):
    _write_letters(tables)
    return tables


def _write_letters(folder):
    """Of each post with a sentence, LETTERS numbers that tell its user, beside noise and what all have in common."""
    parts = [CONTENT.read(folder / "data/split" / side, ["post_id", "user_id"]) for side in ("train", "val", "test")]
    of = {row["post_id"]: row["user_id"] for part in parts for row in part.to_pylist()}
    ids, random = TEXT_VECTORS.read(folder / "data/text/vectors")["post_id"], np.random.default_rng(3)
    users = {user: random.normal(size=LETTERS) for user in sorted(set(of.values()))}
    value = np.stack([users[of[post]] for post in ids.to_pylist()])
    value = value + 2 * random.normal(size=value.shape) + 3 * random.normal(size=LETTERS)
    value /= np.linalg.norm(value, axis=1, keepdims=True)
    table = pa.table({"post_id": ids, "vector": stored(value.astype(np.float16))})
    TEXT_VECTORS.write(table, folder / "data/text/letters")


def of(folder, epochs=2, **changed):
    """What there is to train on, an untrained model, and its trainer."""
    model = Model(**{**dict(PARAMS.model), **WHOLE, "late_fusion": True, **changed})
    settings = PARAMS.train.model_copy(update={"loss": "infonce", "epochs": epochs, "batch_size": 50})
    params = Params.model_construct(**{**dict(PARAMS), "model": model, "train": settings, "seed": 1})
    inputs = Inputs.read(folder / "arrays", model)
    trained = inputs.new_model(model, seed=1)
    run = folder / f"run-{model.late_fusion}"
    run.mkdir()
    objective = Objective((0.4, 0.2, 0.4), "infonce", 0.2)
    return inputs, trained, inputs.trainer(trained, objective, params, inputs.queries("val", folder / "arrays"), run)


def vectors(inputs, model):
    posts = inputs.posts
    return {
        "user": embed_users(model),
        "image": embed_images(model, np.asarray(inputs.features)),
        "text": embed_texts(model, posts.tokens, posts.said(np.arange(len(posts)))),
    }


def test_cosines_are_weighted_means_of_those_of_the_trained_vectors_and_of_discriminants(tables):
    inputs, trained, _ = of(tables)
    model, shape = trained.model.eval(), trained.model.shape
    alone = vectors(inputs, model)
    assert model.length == shape.dim == alone["user"].shape[1]
    model.fusion.copy_(torch.tensor([0.25, 0.5]))
    assert model.length == shape.dim + shape.sentence + shape.fused
    fused = vectors(inputs, model)
    said, shown = (F.normalize(part).numpy() for part in (
        model.sentences(torch.from_numpy(inputs.posts.sentence.astype(np.float32))) @ model.sentence_basis.T,
        model.images(torch.from_numpy(np.asarray(inputs.features, np.float32)), centred=True) @ model.image_basis.T,
    ))  # fmt: skip
    means = model.user_rows[:, -shape.beside :].numpy()
    has = inputs.posts.has_sentence
    found = fused["text"][has] @ fused["user"].T
    own = alone["text"][has] @ alone["user"].T + 0.25 * said[has] @ means[:, : shape.sentence].T
    np.testing.assert_allclose(found, own / np.sqrt(1.25 * 1.75), atol=1e-5)
    found = fused["image"] @ fused["user"].T
    own = alone["image"] @ alone["user"].T + 0.5 * shown @ means[:, shape.sentence :].T
    told = F.normalize(model.images(torch.from_numpy(np.asarray(inputs.features, np.float32)), True) @ model.bridge.T)
    own += 0.25 * 0.3 * told.numpy() @ means[:, : shape.sentence].T
    np.testing.assert_allclose(found, own / np.sqrt((1 + 0.25 * 0.09 + 0.5) * 1.75), atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "read"),
    [({"text_encoder": "words"}, []), ({}, ["text/vectors"]), ({"letters": True}, ["text/vectors", "text/letters"])],
)
def test_a_model_reads_the_tables_of_texts_that_it_was_trained_on(tables, changed, read):
    inputs, trained, _ = of(tables, **changed)
    assert trained.model.shape.text_tables() == inputs.sentences == tuple(Path("data", name) for name in read)
    width = 0 if inputs.posts.sentence is None else inputs.posts.sentence.shape[1]
    assert trained.model.shape.sentence + trained.model.shape.letters == width


def test_untrained_letters_are_compared_as_those_beside_the_trained_model_are(tables):
    inputs, trained, _ = of(tables, letters=True)
    model, shape, posts = trained.model.eval(), trained.model.shape, inputs.posts
    rows = np.flatnonzero(posts.has_sentence)
    kind = Kind(posts.sentence[:, shape.sentence :], rows, posts.user[rows])
    means, values = dict(by_method({"letters": kind}, len(trained.users), seed=1))["letters_mean"]["text"]
    found = values[rows] / np.linalg.norm(values[rows], axis=1)[:, None]
    beside = model.letters(torch.from_numpy(kind.values[rows].astype(np.float32))) @ model.letters_basis.T
    np.testing.assert_allclose(found, F.normalize(beside).numpy(), atol=1e-4)
    own = F.normalize(torch.from_numpy(means)).numpy()
    np.testing.assert_allclose(own, model.user_rows[:, -shape.written :].numpy(), atol=1e-4)


def test_letters_count_for_texts_and_users_and_say_nothing_of_images(tables):
    inputs, trained, _ = of(tables, letters=True)
    model, shape = trained.model.eval(), trained.model.shape
    users = len(trained.users)
    assert (shape.letters, shape.written) == (LETTERS, users) and len(model.fusion) == 3
    model.fusion.copy_(torch.tensor([0.25, 0.5, 0.0]))
    before = vectors(inputs, model)
    model.fusion.copy_(torch.tensor([0.25, 0.5, 1.0]))
    after = vectors(inputs, model)
    assert after["user"].shape[1] == model.length == shape.dim + shape.sentence + shape.fused + users
    for ours, theirs, scale in (("image", "user", 2.75 / 1.75), ("image", "text", 2.25 / 1.25)):
        found, was = after[ours] @ after[theirs].T, before[ours] @ before[theirs].T
        np.testing.assert_allclose(found * np.sqrt(scale), was, atol=1e-5)
    has, written = inputs.posts.has_sentence, torch.from_numpy(inputs.posts.sentence[:, shape.sentence :].astype("f4"))
    mean = written[has].mean(0)
    seen = F.normalize(F.normalize(written - mean) @ model.letters_basis.T).numpy()
    gained = after["text"] @ after["user"].T * np.sqrt(2.25 * 2.75) - before["text"] @ before["user"].T * np.sqrt(
        1.25 * 1.75
    )
    np.testing.assert_allclose(gained[has], (seen @ model.user_rows[:, -users:].numpy().T)[has], atol=1e-4)
    assert np.mean(gained[has].argmax(1) == inputs.posts.user[has]) > 0.9


def test_the_weight_of_letters_is_chosen_after_the_others(tables):
    _, trained, trainer = of(tables, letters=True)
    seen = []

    def validate(model, best=(0.5, 0.25, 1.0)):
        seen.append(tuple(model.fusion.tolist()))
        return {"text_to_user": 0.1 + 0.1 * sum(abs(one - other) for one, other in zip(seen[-1], best, strict=True))}

    trainer.validate = validate
    trainer._weigh()
    assert trained.model.fusion.tolist() == [0.5, 0.25, 1] and len(seen) == 16 + 4
    assert trainer.result.fusion == {"sentences": 0.5, "images": 0.25, "letters": 1}
    trainer.validate = lambda model: {"text_to_user": 0.2 + 0.1 * model.fusion[2].item()}
    trainer._weigh()
    assert trained.model.fusion.tolist() == [0, 0, 0]


def test_the_weights_are_those_that_validate_best_and_none_where_nothing_is_gained(tables):
    _, trained, trainer = of(tables)
    seen = []

    def validate(model, best=(0.5, 0.25)):
        seen.append(tuple(model.fusion.tolist()))
        return {"text_to_user": 0.1 + sum(abs(one - other) for one, other in zip(seen[-1], best, strict=True))}

    trainer.validate = validate
    run = trainer.run()
    assert set(seen[:3]) == {(0, 0)} and len(seen) == 3 + 16  # the start, two epochs, and what is chosen from
    assert trained.model.fusion.tolist() == [0.5, 0.25]
    assert run.metrics()["late_fusion"] == {"sentences": 0.5, "images": 0.25}
    trainer.validate = lambda model: {"text_to_user": 0.3 - 0.1 * (model.fusion[0] == 0.5).item()}
    trainer._weigh()
    assert trained.model.fusion.tolist() == [0.5, 0]
    trainer.validate = lambda model: {}
    trainer._weigh()
    assert trained.model.fusion.tolist() == [0, 0]


def test_what_is_trained_is_what_is_trained_without_it(tables):
    _, alone, trainer = of(tables, late_fusion=False)
    trainer.validate = lambda model: {}
    trainer.run()
    assert not alone.model.shape.fused and not {"bridge", "fusion"} & alone.model.state_dict().keys()
    _, beside, trainer = of(tables)
    seen = []
    trainer.validate = lambda model: seen.append(model.length) or {}
    rows = beside.model.user_rows.clone()
    beside.model.fusion.fill_(0.5)  # of a training before
    trainer.run()
    assert set(seen[:3]) == {beside.model.shape.dim}
    own = alone.model.shape.user
    torch.testing.assert_close(beside.model.user_rows[:, own:], rows[:, own:], rtol=0, atol=0)
    assert not torch.equal(beside.model.user_rows[:, :own], rows[:, :own])
    for name in ("text_projection", "image_projection", "user_projection", "word_rows"):
        torch.testing.assert_close(beside.model.state_dict()[name], alone.model.state_dict()[name])
    # Products of rows that lie apart round otherwise.
    torch.testing.assert_close(beside.model.user_rows[:, :own], alone.model.user_rows)


@pytest.mark.parametrize("letters", [False, True])
def test_it_is_loaded_as_it_was_saved_and_newcomers_have_it_too(tables, letters):
    inputs, trained, trainer = of(tables, letters=letters)
    trainer.run()
    trained.model.fusion.copy_(torch.tensor([1.0, 0.25, 0.5][: 2 + letters]))
    save(trained, trainer.objective, tables / "model")
    loaded, test = load(tables / "model"), inputs.queries("test", tables / "arrays")
    for task, (rows, _, _) in rank_queries(test, trained.model, trained.users).items():
        assert rows.equals(rank_queries(test, loaded.model, loaded.users)[task][0])
    assert json.loads((tables / "model/config.json").read_text())["fused"] == trained.model.shape.fused

    newcomers, posts, model = object.__new__(Newcomers), inputs.posts, loaded.model
    newcomers._reader = SimpleNamespace(trained=loaded)
    found = np.concatenate(newcomers._discriminants(posts, inputs.features, len(loaded.users)), axis=1)
    users = np.unique(posts.user[posts.post])
    np.testing.assert_allclose(found[users], model.user_rows[users, -model.shape.beside :], atol=1e-5)
    fitting = NewUsers(loaded, trainer.objective, posts, inputs.features, background=100, seed=1)
    rows = fitting.fit(posts, inputs.features, model.user_rows.numpy(), steps=3)
    own = model.shape.user - model.shape.beside
    np.testing.assert_array_equal(rows[:, own:], model.user_rows[:, own:])
    assert (rows[:, :own] != model.user_rows[:, :own].numpy()).any()
    assert fitting.embed(rows).shape == (len(loaded.users), model.length)


@pytest.mark.parametrize("changed", [{"text_encoder": "words"}, {"text_encoder": "sentence"}])
def test_it_stands_beside_words_or_sentences_alone_too(tables, changed):
    inputs, trained, trainer = of(tables, epochs=1, **changed)
    trainer.run()
    shape = trained.model.shape
    assert shape.beside == shape.sentence + shape.fused and bool(shape.sentence) == (changed["text_encoder"] != "words")
    trained.model.fusion.fill_(0.5)
    assert all(np.isfinite(found).all() for found in vectors(inputs, trained.model).values())


def test_without_a_picture_sentences_stand_beside_and_are_worth_their_weight(tables):
    for side in ("train", "val"):
        content = CONTENT.read(tables / "data/split" / side)
        at = content.column_names.index("image_id")
        nothing = pa.nulls(content.num_rows, pa.string())
        CONTENT.write(content.set_column(at, content.schema.field("image_id"), nothing), tables / "data/split" / side)
    features = FEATURES.read(tables / "data/images/features")
    FEATURES.write(features.slice(0, 0), tables / "data/images/features")
    inputs, trained, trainer = of(tables, epochs=1)
    run = trainer.run()
    assert not len(inputs.features) and not trained.model.user_rows[:, -trained.model.shape.fused :].any()
    assert run.fusion["sentences"] > 0 and run.fusion["images"] == 0


def test_discriminants_start_a_model_or_stand_beside_it():
    with pytest.raises(ValueError, match="either start the model"):
        Model(**{**dict(PARAMS.model), **WHOLE, "discriminant": True, "late_fusion": True})
    with pytest.raises(ValueError, match="letters needs late_fusion"):
        Model(**{**dict(PARAMS.model), **WHOLE, "letters": True})
