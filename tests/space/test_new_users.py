"""New users: one row optimised against the very loss of training, all else as it was."""

import copy
import dataclasses
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional as F

from pipeline.embedding.batches import Posts, cut
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import JointModel, Trained
from pipeline.embedding.shape import Shape
from pipeline.embedding.step import encode
from pipeline.running.schema import Loss
from pipeline.space.new_users import NewUsers
from tests.embedding.plain_adam import PlainAdam

DIM, WORD, IMAGE, LENGTH, USERS, WORDS = 16, 8, 12, 5, 6, 20
LOSSES = get_args(Loss)


def some_posts(count, users, seed, images):
    random = np.random.default_rng(seed)
    tokens = random.integers(1, WORDS + 1, (count, LENGTH))
    tokens[random.random(count) < 0.3] = 0
    image = np.where(random.random(count) < 0.5, np.arange(count) % images, -1)
    image[(tokens[:, 0] == 0) & (image < 0)] = 0
    ids = pa.chunked_array([pa.array([f"p{seed}-{i}" for i in range(count)])])
    return Posts.of_one(ids, random.integers(0, users, count), image, image, tokens.astype(np.int32))


@pytest.fixture
def trained():
    random = torch.Generator().manual_seed(0)
    shape = Shape(DIM, IMAGE, WORD, LENGTH, (2, 3), (6, 4), 0.0)
    words, users = torch.randn(WORDS, WORD, generator=random), torch.randn(USERS, WORD, generator=random)
    names = pa.array([f"u{i}" for i in range(USERS)]), pa.array([f"w{i:02}" for i in range(WORDS)])
    return Trained(JointModel(shape, words, users, seed=1).eval(), *names)


@pytest.fixture
def features():
    return np.random.default_rng(5).normal(size=(10, IMAGE)).astype(np.float32)


def slowly(trained, objective, train, features, own, start, steps, rate):
    """The definition: Adam on the mean, over own posts, of the loss of the batch of this post and all of train."""
    model = copy.deepcopy(trained.model)
    spread = float(model.user_rows.std())
    row = start.clone().requires_grad_()
    adam = PlainAdam(row)
    joined = {n: np.concatenate([getattr(train, n), getattr(own, n)]) for n in ("user", "image", "group", "tokens")}
    begin = np.append(train.begin, train.begin[-1] + own.begin[1:])
    both = Posts(ids=pa.chunked_array([*train.ids.chunks, *own.ids.chunks]), begin=begin, **joined)
    both.user[len(train) :] = USERS
    objective = copy.deepcopy(objective)
    objective.weights = {kind: weight for kind, weight in objective.weights.items() if kind.endswith("_user")}
    for step in range(steps):
        row.grad = None
        total = 0.0
        for i in range(len(own)):
            batch = cut(both, features, np.append(np.arange(len(train)), len(train) + i))
            rows = torch.cat([trained.model.user_rows, row[None]])[batch.users]
            total = total + objective(encode(model, batch, ("text", "image", "user"), rows), batch)[0]
        (total / len(own)).backward()
        adam.step(rate * spread * (1 + np.cos(np.pi * step / steps)) / 2)
    return row.detach().numpy()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_row_is_what_plain_descent_on_the_loss_of_training_gives(trained, features, loss):
    objective = Objective((0.3, 0.2, 0.5), loss, 0.2)
    train, own = some_posts(30, USERS, 1, 10), some_posts(4, 1, 2, 10)
    start = torch.randn(WORD, generator=torch.Generator().manual_seed(3))
    newcomers = NewUsers(trained, objective, train, features, background=1000, seed=0)
    found = newcomers.fit(own, features, start[None].numpy(), steps=12, rate=0.1)[0]
    wanted = slowly(trained, objective, train, features, own, start, 12, 0.1)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.abs(found - start.numpy()).max() > 0.1  # it did move


def test_everything_else_stays_as_it_was_and_users_do_not_touch_each_other(trained, features):
    objective = Objective((0.5, 0.0, 0.5), "hinge", 0.2)
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    newcomers = NewUsers(trained, objective, some_posts(30, USERS, 1, 10), features, background=20, seed=0)
    posts = some_posts(12, 3, 2, 10)
    starts = np.random.default_rng(0).normal(size=(4, WORD)).astype(np.float32)
    rows = newcomers.fit(posts, features, starts, steps=5)
    assert all(torch.equal(value, before[name]) for name, value in trained.model.state_dict().items())
    np.testing.assert_array_equal(rows[3], starts[3])  # without a post
    for user in range(3):
        at = posts.user == user
        alone = dataclasses.replace(posts.take(np.flatnonzero(at)), user=np.zeros(at.sum(), int))
        np.testing.assert_allclose(newcomers.fit(alone, features, starts[[user]], steps=5)[0], rows[user], atol=1e-6)


def test_vectors_are_the_models_own_of_unit_length(trained, features):
    newcomers = NewUsers(trained, Objective((1, 0, 0), "hinge", 0.2), some_posts(9, USERS, 1, 10), features, 9, seed=0)
    rows = trained.model.user_rows.numpy()
    wanted = F.normalize(trained.model.user(trained.model.user_rows)).detach().numpy()
    np.testing.assert_allclose(newcomers.embed(rows), wanted, atol=1e-6)


def test_a_model_without_a_pair_with_users_is_refused(trained, features):
    with pytest.raises(ValueError, match="no pair with users"):
        NewUsers(trained, Objective((0, 1, 0), "hinge", 0.2), some_posts(9, USERS, 1, 10), features, 9, seed=0)
