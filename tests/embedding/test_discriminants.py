"""Discriminants as a start: what they are by hand, what an untrained model then finds, and when it is kept."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.embedding import model as models
from pipeline.embedding.losses import Objective
from pipeline.embedding.means import bridge, discriminant
from pipeline.embedding.model import load, save
from pipeline.embedding.vectors import embed_images, embed_texts
from pipeline.ranking.queries import rank_queries
from pipeline.running.params import validate
from pipeline.running.schema import Model, Params
from pipeline.space.newcomers import Newcomers
from tests.made.topics import read

pytestmark = pytest.mark.usefixtures("one_thread")

PARAMS = validate(Path(__file__).parents[2] / "params.yaml")


def model_params(**changed):
    return Model(**{**dict(PARAMS.model), "dim": 64, "filters": [8, 8, 8], "aligned": True, "discriminant": True,
                    **changed})  # fmt: skip


def unit(values):
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def planted(seed=0, users=6, posts=40, size=8):
    """Users differ in number 0 by little, and posts of a user in number 1 by much."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), posts)
    values = 0.1 * random.normal(size=(users * posts, size))
    values[:, 0] += user
    values[:, 1] += 5 * random.normal(size=len(values))
    return values.astype(np.float32), user


def test_it_is_the_inverse_of_what_varies_within_users_with_its_mean_added():
    values, user = planted()
    basis = discriminant(values, user, 6).astype(float)
    within = np.mean([np.cov(values[user == u].T.astype(float), bias=True) for u in range(6)], axis=0)
    wanted = np.linalg.inv(within + np.trace(within) / 8 * np.eye(8))
    found = basis.T @ basis
    np.testing.assert_allclose(found / np.trace(found), wanted / np.trace(wanted), atol=1e-4)
    assert np.isclose(np.mean(np.sum((values @ basis.T) ** 2, axis=1)), 1, atol=1e-3)


def test_few_directions_tell_users_apart_as_all_do_and_what_fewer_users_do_not_span_is_empty():
    values, user = planted()
    whole, few = discriminant(values, user, 6), discriminant(values, user, 6, 7)
    means = np.stack([values[user == u].mean(0) for u in range(6)])
    inner = [(means @ basis.T) @ (values @ basis.T).T for basis in (whole, few)]
    np.testing.assert_allclose(*(x / np.linalg.norm(x) for x in inner), atol=1e-4)
    assert few.shape == (7, 8) and not few[6].any() and few[:5].any(1).all()
    assert not discriminant(values[:0], user[:0], 6, 3).any()


def test_the_bridge_tells_texts_from_images():
    random = np.random.default_rng(1)
    images, truth = random.normal(size=(500, 6)), random.normal(size=(4, 6))
    found = bridge(images.astype(np.float32), images @ truth.T)
    np.testing.assert_allclose(unit(found), unit(truth), atol=0.05)


def test_untrained_it_ranks_as_means_of_whitened_vectors_do(tables, monkeypatch):
    monkeypatch.setattr(models, "BRIDGE", 0.0)
    inputs, _, trained = read(tables, model_params(text_encoder="sentence"))
    model, posts = trained.model, inputs.posts
    assert model.shape.user == model.shape.sentence + model.shape.discriminant <= model.shape.dim
    author = posts.user[posts.post]
    shown = np.asarray(inputs.features, float)
    kinds = {
        "image": (shown, posts.image, author, np.unique(posts.image), lambda rows: embed_images(model, shown[rows])),
        "text": (posts.sentence.astype(float), np.arange(len(posts)), posts.user, np.flatnonzero(posts.has_sentence),
                 lambda rows: embed_texts(model, posts.tokens[rows], posts.said(rows))),
    }  # fmt: skip
    kinds["text"] = (kinds["text"][0], *(x[posts.has_sentence] for x in kinds["text"][1:3]), *kinds["text"][3:])
    users = unit(model.user(model.user_rows).detach().numpy())
    for values, rows, user, asked, embed in kinds.values():
        centred = unit(values - values[rows].mean(0))
        means = np.stack([centred[rows][user == u].mean(0) for u in range(len(users))])
        rest = centred[rows] - means[user]
        within = rest.T @ rest / len(rest)
        wanted = np.linalg.inv(within + np.trace(within) / len(within) * np.eye(len(within)))
        length = np.sqrt(np.einsum("ij,jk,ik->i", means, wanted, means))
        expected = centred[asked] @ wanted @ (means / length[:, None]).T
        np.testing.assert_array_equal(np.argmax(embed(asked) @ users.T, axis=1), np.argmax(expected, axis=1))


@pytest.mark.parametrize("discriminant", [True, False])
def test_the_start_is_kept_where_no_epoch_is_better_and_is_loaded_as_it_was_saved(tables, discriminant):
    params = model_params(text_encoder="both", word_mean=True, discriminant=discriminant)
    inputs, test, trained = read(tables, params)
    start = {name: value.clone() for name, value in trained.model.state_dict().items()}
    objective = Objective((0.4, 0.2, 0.4), "infonce", 0.2)
    settings = PARAMS.train.model_copy(update={"epochs": 2, "batch_size": 50})
    whole = Params.model_construct(**{**dict(PARAMS), "model": params, "train": settings, "seed": 1})
    trainer = inputs.trainer(trained, objective, whole, inputs.queries("val", tables / "arrays"), tables)
    said = iter([0.1, 0.2, 0.3])
    trainer.validate = lambda _model: {"text_to_user": next(said)}
    run = trainer.run()
    assert run.best_epoch == 0 and len(run.history) == 2 and run.metrics()["validation"]["cumulative"] == 0.1
    for name, value in trained.model.state_dict().items():
        torch.testing.assert_close(value, start[name], rtol=0, atol=0)
    save(trained, objective, tables / "model")
    loaded = load(tables / "model")
    for task, (rows, _, count) in rank_queries(test, trained.model, trained.users).items():
        assert rows.equals(rank_queries(test, loaded.model, loaded.users)[task][0])
        if discriminant or task == "text_to_user":
            assert rows["rank"].to_numpy().mean() < count / 3  # and it is worth something


def test_rows_are_of_unit_length_by_kind(tables):
    _, _, trained = read(tables, model_params(text_encoder="both"))
    shape, rows = trained.model.shape, trained.model.user_rows
    parts = rows[:, -shape.sentence - shape.discriminant :].split([shape.sentence, shape.discriminant], 1)
    for part in parts:
        torch.testing.assert_close(F.normalize(part), part)


def test_a_newcomer_with_a_users_posts_starts_where_that_user_does(tables):
    inputs, _, trained = read(tables, model_params(text_encoder="both", word_mean=True))
    newcomers, posts, shape = object.__new__(Newcomers), inputs.posts, trained.model.shape
    newcomers._reader = SimpleNamespace(trained=trained)
    found = np.concatenate(newcomers._discriminants(posts, inputs.features, len(trained.users)), axis=1)
    users = np.unique(posts.user[posts.post])
    wanted = trained.model.user_rows[:, -shape.sentence - shape.discriminant :].numpy()
    np.testing.assert_allclose(found[users], wanted[users], atol=1e-5)
