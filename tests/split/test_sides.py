from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.common.hashing import unit_hash
from pipeline.split.bonds import Bonds
from pipeline.split.sides import EXCLUDED, TEST, TRAIN, VAL, Groups, assign, content_groups, held_out_fractions
from pipeline.tables.images import IMAGE_EDGES
from pipeline.tables.text import TEXT_EDGES

FRACTIONS = {TEST: 0.2, VAL: 0.05}


def posts_of(images):
    ids = [f"p{i:05d}" for i in range(len(images))]
    return pa.table({"post_id": ids, "image_id": pa.array(images, pa.string())})


def image_groups(ids, of):
    return pa.table({"image_id": pa.array(ids, pa.string()), "group_id": pa.array(of, pa.string())})


def text_edges(*pairs):
    return TEXT_EDGES.of([(f"p{a:05d}", f"p{b:05d}", "copy", overlap) for a, b, overlap in pairs])


def image_edges(*pairs):
    return IMAGE_EDGES.of([(one, other, "derived", "points", 20.0) for one, other in pairs])


def placed(names, counts, max_share, seed):
    """Groups of `counts` posts, named by a post each, as posts with sides: their number of group, the assignment."""
    of = np.repeat(np.arange(len(names)), counts)
    first = np.searchsorted(of, np.arange(len(names)))
    ids = pa.chunked_array([[names[g] if first[g] == i else f"x{i}" for i, g in enumerate(of)]])
    limit = max_share * len(of)
    trains = np.asarray(counts)[of] > limit
    groups = Groups(first[of], trains, np.empty(0, int), np.empty(0, int), first[of], limit)
    return of, assign(ids, groups, FRACTIONS, seed)


@pytest.fixture
def random_corpus():
    """3,000 posts with pictures and texts in groups, two pictures in a hundred derived from another; and the components
    as a slow search finds them.
    """
    chance = np.random.default_rng(0)
    n = 3000
    images = [f"i{k:04d}" if k < 1500 else None for k in chance.integers(0, 3000, n)]
    posts = posts_of(images)
    known = sorted({i for i in images if i})
    image_leader = {name: known[k // 2 * 2] for k, name in enumerate(known)}
    derived = [(known[a], known[b]) for a, b in chance.integers(0, len(known), (20, 2)) if a != b]
    bound = np.unique(chance.permutation(n)[:800])
    near = [(int(i), int(i) // 40 * 40, chance.choice([1.0, 0.9])) for i in bound if i % 40]
    links = [(one, other) for one, other, _ in near]
    links += [(i, j) for j in range(n) for i in range(j) if images[i] and images[i] == images[j]]
    shown = {}
    for row, name in enumerate(images):
        if name:
            shown.setdefault(image_leader[name], row)
            links.append((row, shown[image_leader[name]]))
    links += [(shown[image_leader[one]], shown[image_leader[other]]) for one, other in derived]

    neighbours = [set() for _ in range(n)]
    for one, other in links:
        neighbours[one].add(other)
        neighbours[other].add(one)
    smallest = np.full(n, -1)
    for start in range(n):
        waiting = [start] if smallest[start] < 0 else []
        while waiting:
            row = waiting.pop()
            if smallest[row] < 0:
                smallest[row] = start
                waiting += neighbours[row]
    groups = image_groups(known, [image_leader[k] for k in known])
    return posts, text_edges(*near), groups, image_edges(*derived), smallest


def test_groups_are_the_components_over_text_and_image_edges_and_the_same_image(random_corpus):
    *tables, smallest = random_corpus
    np.testing.assert_array_equal(Bonds.of(*tables).components(), smallest)
    assert 100 < len(np.unique(smallest)) < 3000


def test_a_post_that_is_a_copy_of_two_others_binds_them():
    # p1's text is near p0's and its image is p2's: p0 and p2 share nothing, and still may not meet across sides.
    posts = posts_of([None, "i1", "i1", None])
    bonds = Bonds.of(posts, text_edges((1, 0, 0.8)), image_groups(["i1"], ["i1"]), image_edges())
    assert bonds.components().tolist() == [0, 0, 0, 3]


def test_a_removed_post_binds_and_has_no_side():
    posts = posts_of([None, "i1", "i1", None])
    bonds = Bonds.of(posts, text_edges((1, 0, 0.8)), image_groups(["i1"], ["i1"]), image_edges())
    groups = content_groups(bonds, posts["post_id"], np.array([True, False, True, True]), 1, 7)
    assert groups.of.tolist() == [0, -1, 0, 3]
    assert assign(posts["post_id"], groups, FRACTIONS, 7).side[1] is None


def test_texts_of_the_same_words_are_one_item_and_near_ones_two_that_are_linked():
    bonds = Bonds.of(posts_of([None] * 4), text_edges((0, 1, 1.0), (1, 2, 0.95)), image_groups([], []), image_edges())
    assert (bonds.k, bonds.post.tolist(), bonds.item.tolist()) == (2, [0, 1, 2], [0, 0, 1])
    assert (bonds.one.tolist(), bonds.other.tolist()) == ([0], [1])


def test_an_edge_to_what_is_not_in_the_corpus_is_an_error():
    posts = posts_of(["i1"])
    with pytest.raises(ValueError, match="p00009"):
        Bonds.of(posts, text_edges((9, 0, 1.0)), image_groups(["i1"], ["i1"]), image_edges())
    with pytest.raises(ValueError, match="i1"):
        Bonds.of(posts, text_edges(), image_groups([], []), image_edges())
    with pytest.raises(ValueError, match="i2"):
        Bonds.of(posts, text_edges(), image_groups(["i1"], ["i1"]), image_edges(("i1", "i2")))


def test_a_group_keeps_its_side_whatever_else_there_is():
    names = [f"p{i}" for i in range(20_000)]
    ones = np.ones(20_000, int)
    few = placed(names[:5000], ones[:5000], 1, 7)[1].side
    many = placed(names[::-1], ones, 1, 7)[1].side[::-1]
    np.testing.assert_array_equal(many[:5000], few)
    other = placed(names[:5000], ones[:5000], 1, 8)[1].side
    assert 0.5 < np.mean(other == few) < 0.75  # two independent draws agree at 0.75² + 0.2² + 0.05²


def test_posts_move_only_with_their_group(random_corpus):
    posts, text, image, derived, _ = random_corpus
    first = 2000

    def sides(rows):
        part = posts.slice(0, rows)
        kept = pa.compute.is_in(text["post_id"], part["post_id"])
        bonds = Bonds.of(part, text.filter(kept), image, derived)
        groups = content_groups(bonds, part["post_id"], np.ones(rows, bool), 1, 7)
        return groups.of, assign(part["post_id"], groups, FRACTIONS, seed=7).side

    group_before, before = sides(first)
    group_after, after = sides(posts.num_rows)
    same = group_before == group_after[:first]
    assert 0.5 < same.mean() < 1
    np.testing.assert_array_equal(before[same], after[:first][same])


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_the_expected_ones_within_three_standard_deviations(seed):
    counts = np.random.default_rng(seed).zipf(1.8, 30_000).clip(max=300)
    shares = placed([f"p{i}" for i in range(len(counts))], counts, 1, seed)[1].shares
    assert sum(told["posts"] for told in shares.values()) == counts.sum()
    for told, share in zip([shares[TRAIN], shares[TEST], shares[VAL]], [0.75, 0.2, 0.05], strict=True):
        assert told["expected"] == pytest.approx(share)
        assert abs(told["share"] - share) < 3 * told["standard_deviation"] < 0.04


@pytest.mark.parametrize("bound", [False, True])
def test_the_stated_expectation_and_deviation_are_those_of_the_shares_over_seeds(bound):
    counts = np.array([50] * 4 + [1] * 200)
    names = [f"p{i}" for i in range(len(counts))]
    of, _ = placed(names, counts, 1, 0)
    ids = pa.chunked_array([[f"p{i}" for i in range(len(of))]])
    first = np.searchsorted(of, of)
    none = np.empty(0, int)
    groups = Groups(first, np.zeros(len(of), bool), none, none, first, len(of))
    if bound:  # half of the second large group is bound to the third as well, a tenth of all to one that trains whole
        post = np.concatenate([np.arange(50, 75), np.arange(0, 40)])
        other = np.concatenate([np.full(25, 100), np.full(40, len(of))])
        groups = replace(groups, post=post, other=other)
    made = [assign(ids, groups, FRACTIONS, seed).shares for seed in range(600)]
    if bound:
        for side, p in ((TRAIN, 0.75), (TEST, 0.2), (VAL, 0.05)):
            expected = 335 * p + 25 * p * p + 40 * p * (side == TRAIN)
            assert made[0][side]["expected"] == pytest.approx(expected / len(of))
    for side in (TRAIN, TEST, VAL):
        shares = np.array([told[side]["share"] for told in made])
        deviation = made[0][side]["standard_deviation"]
        assert np.std(shares) == pytest.approx(deviation, rel=0.15)
        assert abs(shares.mean() - made[0][side]["expected"]) < 4 * deviation / np.sqrt(600)


def test_a_post_bound_to_two_sides_is_excluded_and_to_one_it_stays():
    ids = pa.chunked_array([[f"p{i}" for i in range(400)]])
    each = np.arange(400)
    other = (each + 1) % 400
    groups = Groups(each, np.zeros(400, bool), each, other, each, 400)
    free = assign(ids, replace(groups, post=each[:0], other=each[:0]), FRACTIONS, 7).side
    side = assign(ids, groups, FRACTIONS, 7).side
    np.testing.assert_array_equal(side == EXCLUDED, free != free[other])
    np.testing.assert_array_equal(side[side != EXCLUDED], free[side != EXCLUDED])
    assert 0.3 < (side == EXCLUDED).mean() < 0.5


def test_a_group_past_the_limit_trains_whole_and_is_counted():
    counts = np.array([30, *[1] * 970])
    for seed in range(20):
        of, made = placed([f"p{i}" for i in range(len(counts))], counts, 0.02, seed)
        assert set(made.side[of == 0]) == {TRAIN}
        assert made.shares[TEST]["expected"] == pytest.approx(0.2 * 0.97)
        assert sum(told["expected"] for told in made.shares.values()) == pytest.approx(1)
    assert any(placed(["p0"], np.array([1]), 1, seed)[1].side[0] != TRAIN for seed in range(20))


def test_protocol_interests_holds_out_validation_alone():
    fractions = held_out_fractions(0.2, 0.05, "interests")
    each = np.arange(2000)
    groups = Groups(each, np.zeros(2000, bool), each[:0], each[:0], each, 2000)
    side = assign(pa.chunked_array([[f"p{i}" for i in each]]), groups, fractions, 7).side
    assert set(side) == {TRAIN, VAL}
    assert list(held_out_fractions(0.2, 0.05, "retrieval")) == [TEST, VAL]


def test_hashes_are_uniform_and_independent_between_purposes():
    names = [f"p{i}" for i in range(20_000)]
    side, other = unit_hash(names, 7, "side"), unit_hash(names, 7, "image_to_text")
    assert side.min() >= 0 and side.max() < 1
    assert np.abs(np.histogram(side, 20, (0, 1))[0] - 1000).max() < 4 * np.sqrt(1000)
    assert abs(np.corrcoef(side, other)[0, 1]) < 0.03
    assert unit_hash([], 7, "side").shape == (0,)
