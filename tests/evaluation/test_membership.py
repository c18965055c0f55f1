"""Membership: AUC against counting all pairs by hand, what is planted found, and chance where there is nothing."""

import json
import shutil

import numpy as np
import pytest

from pipeline.evaluation.membership import LEAST, among_the_users, closeness, told_apart, unit_means
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.split import CONTENT
from stages import membership


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_the_auc_is_the_share_of_pairs_of_one_user_won_ties_half():
    rng = np.random.default_rng(0)
    train_user, held_user = rng.integers(0, 15, 300), rng.integers(3, 18, 90)
    train, held = rng.integers(0, 6, 300).astype(float), rng.integers(0, 5, 90).astype(float)  # many ties
    won = pairs = 0.0
    for score, user in zip(train, train_user, strict=True):
        for other, other_user in zip(held, held_user, strict=True):
            if user == other_user:
                won += float(score > other) + 0.5 * float(score == other)
                pairs += 1
    found = told_apart(train, train_user, held, held_user, 400, 1)
    assert abs(found["auc"] - won / pairs) < 0.01 and found["low"] < won / pairs < found["high"]
    assert found["users"] == 12


def test_who_posts_alike_does_not_count_for_having_been_in_train():
    """Users differ in closeness, and the ones that are close have most of train: within a user there is nothing."""
    rng = np.random.default_rng(1)
    level = np.linspace(0, 5, 40)
    train_user = np.repeat(np.arange(40), np.linspace(2, 60, 40).astype(int))
    held_user = np.repeat(np.arange(40), 10)
    train, held = (level[user] + rng.normal(size=len(user)) for user in (train_user, held_user))
    found = told_apart(train, train_user, held, held_user, 400, 1)
    assert found["low"] < 0.5 < found["high"] and found["chance"] == 0.5


def test_posts_that_were_drawn_to_their_author_are_told():
    rng = np.random.default_rng(2)
    users = unit(rng.normal(size=(30, 16)))
    author = rng.integers(0, 30, 600)
    near, far = (unit(users[author] + spread * rng.normal(size=(600, 16))) for spread in (0.2, 0.4))
    ins, outs = closeness(near, author, users), closeness(far, author, users)
    np.testing.assert_allclose(ins["own"], (near * users[author]).sum(axis=1), rtol=1e-5)
    assert (ins["any"] >= ins["own"]).all()
    assert told_apart(ins["own"], author, outs["own"], author, 400, 1)["low"] > 0.8


def test_a_person_is_told_among_vectors_where_theirs_alone_is_close():
    rng = np.random.default_rng(3)
    users = unit(rng.normal(size=(50, 32)))
    author = np.repeat(np.arange(50), 4)
    means, own = unit_means(unit(users[author] + 0.3 * rng.normal(size=(200, 32))), author)
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1, rtol=1e-5)
    assert among_the_users(means, own, users, 400, 1)["low"] > 0.9
    others = unit(rng.normal(size=(50, 32)))
    found = among_the_users(others, own, users, 400, 1)
    assert found["auc"] < 0.56  # the closest of fifty and of forty-nine: a little above chance, by one more


@pytest.mark.parametrize("people", [0, LEAST - 1])
def test_of_few_people_nothing_is_told(people):
    user = np.arange(people)
    found = told_apart(np.ones(people), user, np.ones(people), user, 100, 1)
    assert found == {"not_measured": f"{people} people have posts on both sides, of {LEAST} needed"}


def test_the_stage_asks_every_post_of_a_known_author(fabricated_space, tmp_path, monkeypatch):
    shutil.copytree(fabricated_space, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.chdir(tmp_path)
    CONTENT.write(CONTENT.read(tmp_path / "data/split/train").slice(3, 30), tmp_path / "data/split/test")
    membership.main()
    found = json.loads((tmp_path / "metrics/membership.json").read_text())
    users = EMBEDDINGS.read(tmp_path / "data/embeddings/users")["id"].to_pylist()
    for side in ("train", "test"):
        authors = CONTENT.read(tmp_path / "data/split" / side)["user_id"].to_pylist()
        assert found["posts"][side] == sum(author in users for author in authors) > 0
    assert found["text"].keys() == found["image"].keys() == {"own", "any"}
    assert 0 <= found["user"]["any"].get("auc", 0.5) <= 1
