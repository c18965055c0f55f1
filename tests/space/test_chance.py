"""Chance, on truth that is planted: groups of any size, hubs, questions about something and about nothing."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.ranking.vectors import unit
from pipeline.space.chance import DRAWN, SHARE, Nothing, drawn, nothing
from pipeline.space.nearest import Things, Wanted

DIM = 64


def things(values):
    return Things(pa.array([str(i) for i in range(len(values))]), unit(values.astype(np.float32)))


def planted(largest, seed=0):
    """Things that ask and things that answer, in 40 groups, the first of a share of `largest`; all lean one way."""
    rng = np.random.default_rng(seed)
    centres, lean = rng.normal(size=(40, DIM)), rng.normal(size=DIM)
    share = np.r_[largest, np.full(39, (1 - largest) / 39)]
    asking, answering = (rng.choice(40, n, p=share) for n in (1200, 3000))
    vectors = [centres[of] + lean / 2 + rng.normal(size=(len(of), DIM)) / 2 for of in (asking, answering)]
    return things(vectors[0]), things(vectors[1]), asking, answering


def best(null, among, questions):
    """The chance of what lies nearest to each question, and its row."""
    found = []
    for question in questions:
        rows, cosines = among.nearest(question, Wanted(1, np.arange(len(among.values)), np.empty(0)))
        found.append((null.chance(cosines - among.at(rows) @ null.mean)[0], rows[0]))
    return map(np.array, zip(*found, strict=True))


@pytest.mark.parametrize("largest", [0.025, 0.1, 0.2])
def test_of_questions_about_nothing_one_in_twenty_is_called_more_and_of_the_planted_ones_nearly_none_less(largest):
    asking, among, topic, of = planted(largest)
    null = nothing(asking, lambda vectors, own: among.highest(vectors, None))
    others, _ = drawn(asking, seed=99)
    chances, _ = best(null, among, others)
    assert (chances <= SHARE).mean() <= 0.08  # 0.05 expected of 400, three deviations above is 0.083
    chances, rows = best(null, among, asking.values[:400])
    right = of[rows] == topic[:400]
    assert right.mean() > 0.95 and (chances <= SHARE)[right].mean() > 0.95
    flags = topic[:400] == 0  # the largest group is no harder to find
    assert (chances <= SHARE)[flags].mean() > 0.95


def test_what_is_near_to_all_is_no_finding():
    asking, among, *_ = planted(0.1)
    hub = Things(among.ids, np.r_[unit(asking.values.mean(axis=0)[None]), among.values[1:]].astype(np.float32))
    null = nothing(asking, lambda vectors, own: hub.highest(vectors, None))
    (question,), _ = (part[:1] for part in drawn(asking, seed=5))
    chance = null.chance(hub.values[:1] @ (question - null.mean))[0]
    assert hub.values[0] @ question == (hub.values @ question).max() and chance > SHARE


def test_things_do_not_answer_questions_made_of_them():
    asking, *_ = planted(0.1)
    with_own = nothing(asking, lambda vectors, own: asking.highest(vectors, None))
    without = nothing(asking, lambda vectors, own: asking.highest(vectors, own))
    assert np.median(with_own.highest) > np.median(without.highest)
    vectors, own = drawn(asking)
    products = vectors @ asking.values.T
    for row, out in enumerate(own):
        products[row, out] = -np.inf
    np.testing.assert_allclose(asking.highest(vectors, own), products.max(axis=1), atol=1e-6)


def test_the_share_counts_the_question_itself_and_the_threshold_is_where_it_begins():
    null = Nothing(np.zeros(2), np.arange(99) / 100)
    np.testing.assert_allclose(null.chance(np.array([2, 0.98, 0.975, -1])), [0.01, 0.02, 0.02, 1])
    above = np.nextafter(null.surplus(), 1)
    assert null.chance(np.array([above]))[0] <= SHARE < null.chance(np.array([null.surplus()]))[0]


def test_few_things_tell_nothing_of_chance():
    few = things(np.random.default_rng(0).normal(size=(9, DIM)))
    null = nothing(few, lambda vectors, own: few.highest(vectors, own))
    assert null.chance(np.array([0.9])).tolist() == [1.0] and null.surplus() == np.inf
    assert len(drawn(things(np.eye(DIM)))[0]) == DRAWN
