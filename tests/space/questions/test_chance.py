"""Chance, on truth that is planted: groups of any size, hubs, questions about something and about nothing."""

import numpy as np
import pytest

from pipeline.ranking.vectors import unit
from pipeline.space.questions.chance import (
    DRAWN,
    LENGTHS,
    MIXED,
    SHARE,
    Nothing,
    Questions,
    by_things,
    coherence,
    nulls,
    things_drawn,
    words_drawn,
)  # fmt: skip
from pipeline.tables.layout import CHANCE

DIM, TOPICS = 64, 40


def planted(largest, seed=0):
    """Things that ask and things that answer, in 40 groups, the first of a share of `largest`; all lean one way."""
    rng = np.random.default_rng(seed)
    centres, lean = rng.normal(size=(TOPICS, DIM)), rng.normal(size=DIM)
    share = np.r_[largest, np.full(TOPICS - 1, (1 - largest) / (TOPICS - 1))]
    asking, answering = (rng.choice(TOPICS, n, p=share) for n in (1200, 3000))
    values = [
        unit((centres[of] + lean / 2 + rng.normal(size=(len(of), DIM)) / 2).astype("f4")) for of in (asking, answering)
    ]
    return values[0], values[1], asking, answering


def found(questions, among):
    """The null of questions among things of another kind."""
    return nulls({("text", 1): questions}, "user", [among[:1000], among[1000:]])["text", 1]


def best(null, among, asked, weight=1.0):
    """The chance of what lies nearest to each question, and its row."""
    surplus = (asked - null.mean) @ among.T
    return null.chance(weight * surplus.max(axis=1)), (asked @ among.T).argmax(axis=1)


@pytest.mark.parametrize("largest", [0.025, 0.1, 0.2])
def test_of_questions_about_nothing_one_in_twenty_is_called_more_and_of_the_planted_ones_nearly_none_less(largest):
    asking, among, topic, of = planted(largest)
    null = found(by_things(asking, np.arange(len(asking)), 0), among)
    others = by_things(asking, np.arange(len(asking)), 9).vectors
    chances, _ = best(null, among, others)
    assert (chances <= SHARE).mean() <= 0.1  # .05 expected; both are of 400: three deviations are .046
    chances, rows = best(null, among, asking[:400])
    right = of[rows] == topic[:400]
    assert right.mean() > 0.95 and (chances <= SHARE)[right].mean() > 0.95
    flags = topic[:400] == 0  # the largest group is no harder to find
    assert (chances <= SHARE)[flags].mean() > 0.95


@pytest.fixture(scope="module")
def words():
    """Words of 40 topics, and users of these, and how often each word is used; a text is the mean of its words."""
    rng = np.random.default_rng(3)
    centres, lean = rng.normal(size=(TOPICS, DIM)), rng.normal(size=DIM)
    topic = np.arange(800) % TOPICS
    values = unit((centres[topic] + lean + rng.normal(size=(800, DIM))).astype("f4"))
    people = unit((centres[np.arange(300) % TOPICS] + lean + rng.normal(size=(300, DIM))).astype("f4"))
    counts = rng.zipf(1.5, 800).clip(max=500)
    return values, topic, counts, people


def in_words(values, rows):
    return unit(values[rows].mean(axis=1)), np.array([coherence(values[row]) for row in rows])


def asked_with(words, length, seed):
    values, _, counts, _ = words
    drawn = words_drawn(counts, length, 2 * DRAWN, np.random.default_rng(seed))
    vectors, weight = in_words(values, drawn)
    return Questions(vectors[:DRAWN], weight[:DRAWN], vectors[DRAWN:].mean(axis=0))


@pytest.mark.parametrize("length", LENGTHS[:5])
def test_words_that_nobody_said_together_are_nothing_and_words_of_one_topic_are_not(words, length):
    values, topic, _, people = words
    null = found(asked_with(words, length, 0), people)
    again = asked_with(words, length, 1)
    assert (best(null, people, again.vectors, again.weight)[0] <= SHARE).mean() <= 0.1
    rng = np.random.default_rng(2)
    said = np.stack([rng.choice(np.flatnonzero(topic == t), length, replace=False) for t in range(TOPICS)])
    vectors, weight = in_words(values, said)
    chances, rows = best(null, people, vectors, weight)
    assert (rows % TOPICS == np.arange(TOPICS)).mean() > 0.8
    assert (chances <= SHARE).mean() > (0.9 if length > 2 else 0.5)
    # Without the weight, what tells them apart is left lying.
    plain = found(Questions(again.vectors, np.ones(DRAWN), again.vectors.mean(axis=0)), people)
    assert (best(plain, people, vectors)[0] <= SHARE).mean() <= (chances <= SHARE).mean()


def test_words_are_drawn_as_often_as_they_are_used_and_none_twice():
    counts = np.array([600, 300, 50, 50, 0, *[25] * 8])
    drawn = words_drawn(counts, 2, 4000, np.random.default_rng(0))
    assert (drawn[:, 0] != drawn[:, 1]).all() and not (drawn == 4).any()
    share = np.bincount(drawn[:, 0], minlength=len(counts)) / 4000
    np.testing.assert_allclose(share, counts / counts.sum(), atol=0.03)
    assert len(words_drawn(counts, 7, 5, np.random.default_rng(0))) == 0  # 12 words are too few for 7 at a time
    assert (words_drawn(counts, 2, 9, np.random.default_rng(0)) == drawn[:9]).all()


def test_coherence_is_1_of_one_thing_and_a_square_root_of_things_without_anything_in_common():
    assert coherence(np.eye(4)[[2, 2, 2]]) == pytest.approx(1) and coherence(np.eye(4)) == pytest.approx(0.5)
    assert coherence(np.empty((0, 4))) == 0


def test_what_is_near_to_all_is_no_finding():
    asking, among, *_ = planted(0.1)
    hub = np.r_[unit(asking.mean(axis=0)[None]), among[1:]]
    null = found(by_things(asking, np.arange(len(asking)), 0), hub)
    questions = by_things(asking, np.arange(len(asking)), 5).vectors
    first = (questions @ hub.T).argmax(axis=1) == 0
    chances = null.chance((questions[first] - null.mean) @ hub[0])
    assert first.mean() > 0.3 and (chances <= SHARE).mean() <= 0.02


def test_things_do_not_answer_questions_made_of_them_whatever_pieces_they_come_in():
    asking, *_ = planted(0.1)
    asked = by_things(asking, np.arange(len(asking)), 0)
    rest = asked.vectors @ asking.T - (asking @ asked.mean)[None]
    for row, out in enumerate(asked.own):
        rest[row, out] = -np.inf
    for pieces in ([asking], [asking[:7], asking[7:900], asking[900:]]):
        null = nulls({("user", 1): asked}, "user", pieces)["user", 1]
        np.testing.assert_allclose(null.highest, np.sort(rest.max(axis=1)), atol=1e-5)
    with_own = nulls({("image", 1): asked}, "user", [asking])["image", 1]
    assert np.median(with_own.highest) > np.median(null.highest)


def test_the_share_counts_the_question_itself_and_the_threshold_is_where_it_begins():
    null = Nothing(np.zeros(2), np.arange(99) / 100)
    np.testing.assert_allclose(null.chance(np.array([2, 0.98, 0.975, -1])), [0.01, 0.02, 0.02, 1])
    above = np.nextafter(null.surplus(), 1)
    assert null.chance(np.array([above]))[0] <= SHARE < null.chance(np.array([null.surplus()]))[0]


def test_few_things_tell_nothing_of_chance():
    few = unit(np.random.default_rng(0).normal(size=(9, DIM)).astype("f4"))
    null = found(by_things(few, np.arange(9), 0), few)
    assert null.chance(np.array([0.9])).tolist() == [1.0] and null.surplus() == np.inf
    apart = unit(np.eye(DIM, dtype="f4"))
    assert things_drawn(apart, np.random.default_rng(0))[1].shape == (DRAWN, MIXED)


def test_the_table_says_of_each_question_as_asked_and_no_chance_of_one_word_or_without_it(fabricated_space, tmp_path):
    from pipeline.space.space import Space

    space = Space.open(fabricated_space / "data")
    rows = CHANCE.read(fabricated_space / "data/chance").to_pylist()
    assert {row["words"] for row in rows if row["asking"] == "text"} == {2, 3, 4, 6, 8}  # of 16 words
    for question, length, told in (("tiger", 1, None), ("tiger zebra", 2, 2), ("tiger zebra paw jungle tulip", 5, 4)):
        asked = space.ask(question)
        null = space.nothing("text", "user", asked.words)
        (answer, *_) = space.nearest(asked, "user", 3)
        assert asked.words == length and (answer.chance is None) == (null is None) == (told is None)
        assert asked.coherence == pytest.approx(1) if length == 1 else 0 < asked.coherence < 1
        held = [row for row in rows if (row["asking"], row["words"], row["kind"]) == ("text", told, "user")]
        assert null is None or null.highest.tolist() == held[0]["highest"]
        assert answer.above_chance == (null is None or answer.chance <= SHARE)
    assert space.ask("tiger jungle").coherence > space.ask("tiger mouse").coherence
    assert space.ask("tiger + user:user-03").words == 2 and space.ask("user:user-03 + user:user-04").kind == "user"
    assert all(answer.chance is not None for answer in space.search("user:user-03"))
    assert all(answer.chance is None and answer.above_chance for answer in space.search("post:post-003"))
    for path in fabricated_space.joinpath("data").iterdir():
        if path.name != "chance":
            (tmp_path / path.name).symlink_to(path)
    bare = Space(tmp_path, fabricated_space / "params.yaml", fabricated_space / "models")
    assert all(answer.chance is None for answer in bare.search("user:user-03"))
