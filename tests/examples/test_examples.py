"""The examples run, and what they say comes out."""

import json
from pathlib import Path

import pandas as pd
import pytest

from examples import new_user, own_posts, question
from pipeline.corpus.importing import import_corpus
from pipeline.corpus.sources.table import TableCorpus
from pipeline.space.space import Space
from tests.made.corpus import TOPICS
from tests.made.space import topic_of_user


def test_own_posts_are_what_the_import_takes_whole(tmp_path):
    own_posts.write_posts(tmp_path / "mine")
    mine = tmp_path / "mine"
    source = TableCorpus(mine / "posts.csv", mine / "images", mine / "users.csv")
    (tmp_path / "scratch").mkdir()
    metrics = import_corpus(source, tmp_path / "corpus", tmp_path / "scratch", 21, None, 10**6, 512)
    assert metrics["rows_in"] == metrics["rows_out"] == own_posts.PEOPLE * own_posts.POSTS
    assert metrics["interests"] == {"different": len(own_posts.TOPICS), "users_with_some": own_posts.PEOPLE}
    assert metrics["images"] == metrics["rows_in"] // 2


@pytest.fixture(scope="module")
def space(fabricated_space):
    """A space in which each word lies at its topic."""
    return Space.open(fabricated_space / "data")


def test_a_question_is_answered_by_each_kind(space):
    lines = question.ask(space, "tulip petal", top=2)
    kinds = [line.split()[1] for line in lines]
    assert kinds == ["user", "user", "image", "image", "text", "text"]
    assert {topic_of_user(line.split()[2]) for line in lines[:2]} == {2}
    assert all(set(line.lower().split()[3:]) <= set(TOPICS[2].split()) for line in lines[4:])


def test_a_question_that_is_not_understood_is_told(space):
    said = question.ask(space, "tulib")
    assert any("no word that the model knows" in line for line in said)
    assert any("tulip" in line for line in said)


def test_somebody_new_is_near_those_who_post_alike(space):
    found = new_user.like(space, ["A rose in the garden", "tulip petal", "garden rose petal"], top=3)
    assert {topic_of_user(user_id) for user_id, _ in found} == {2}
    assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_own_posts_end_to_end(tmp_path):
    own_posts.write_posts(tmp_path / "mine")
    report = own_posts.run(tmp_path)
    assert "rose and tulip" in report.read_text()
    found = json.loads((tmp_path / "metrics/retrieval.json").read_text())
    assert found["text_to_user"]["mean_median_rank"] < found["text_to_user"]["random"]
    rejected = pd.read_parquet(tmp_path / "data/corpus/rejected")
    assert rejected.empty
    clusters = pd.read_parquet(tmp_path / "data/clusters/users")
    topic = clusters.user_id.str.removeprefix("person-").astype(int) % 3
    assert (topic.groupby(clusters.cluster).nunique() == 1).all()
    assert not list(Path(tmp_path).glob("**/*.pkl"))
