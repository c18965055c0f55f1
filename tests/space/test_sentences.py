"""A space whose model reads sentence vectors beside the words: what is asked in words that nobody posted."""

import numpy as np
import pytest

from pipeline.running.errors import UserError
from pipeline.space.newcomers import Newcomers
from pipeline.space.space import Asked, Space
from pipeline.tables.corpus import POSTS
from tests.made.space import fabricate_space, topic_of_user

STRANGE = {"leopard and lion": 0, "an automobile on the highway": 1, "flowers blossoming": 2, "computer monitor": 3}
"""Texts of no word of the vocabulary, and the topic of each."""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentences")
    fabricate_space(folder, sentences=True)
    return Space.open(folder / "data")


def test_any_word_finds_something_and_what_it_means(space):
    for asked, topic in STRANGE.items():
        found = space.ask(asked)
        assert found.vector is not None and not found.notes and found.unknown
        assert topic_of_user(space.nearest(found, "user", 1)[0].id) == topic
    assert space.ask("https://example.org/a").vector is None  # no text but a link


def test_texts_have_the_vectors_of_the_table(space):
    posts = POSTS.read(space.data / "corpus/posts").slice(0, 20).to_pylist()
    posts = [post for post in posts if "rose" not in post["text"].lower()]  # the lemma of which is rise
    for post, vector in zip(posts, space.embed(texts=[post["text"] for post in posts]), strict=True):
        np.testing.assert_allclose(vector, space.vector("text", post["post_id"]), atol=1e-5)


def test_somebody_new_lies_among_those_who_mean_alike(space):
    posts = [{"user_id": "new", "text": text} for text in ("tiger cubs", "a lion roars", "https://example.org")]
    found, left_out = Newcomers(space.reader, space.data).vectors(posts)
    nearest = space.nearest(Asked((), found["new"], "user"), "user", 3)
    assert {topic_of_user(answer.id) for answer in nearest} == {0}
    assert [row for row, _, _ in left_out] == [2]


def test_another_encoder_than_that_of_training_is_refused(space, monkeypatch):
    encoder = space.reader._sentence_encoder
    other = encoder._replace(dim=5, encode=lambda _: np.ones(5))
    monkeypatch.setitem(space.reader.__dict__, "_sentence_encoder", other)
    with pytest.raises(UserError, match="not what it was then"):
        space.ask("lion")
