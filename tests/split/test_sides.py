import numpy as np
import pyarrow as pa
import pytest

from pipeline.common.hashing import unit_hash
from pipeline.split.sides import TEST, TRAIN, VAL, assign, content_groups, held_out_fractions

FRACTIONS = {TEST: 0.2, VAL: 0.05}


def posts_of(images):
    ids = [f"p{i:05d}" for i in range(len(images))]
    return pa.table({"post_id": ids, "image_id": pa.array(images, pa.string())})


def groups(ids, of, key):
    return pa.table({key: pa.array(ids, pa.string()), "group_id": pa.array(of, pa.string())})


@pytest.fixture
def random_corpus():
    """3,000 posts with images in groups and texts in groups, and the components as a slow search finds them."""
    chance = np.random.default_rng(0)
    n = 3000
    images = [f"i{k:04d}" if k < 1500 else None for k in chance.integers(0, 3000, n)]
    posts = posts_of(images)
    known = sorted({i for i in images if i})
    image_leader = {name: known[k // 2 * 2] for k, name in enumerate(known)}
    bound = np.sort(chance.permutation(n)[:800])
    leaders = bound // 40 * 40
    bound = np.unique(np.concatenate([bound, leaders]))
    text = groups([f"p{i:05d}" for i in bound], [f"p{i // 40 * 40:05d}" for i in bound], "post_id")
    image = groups(known, [image_leader[k] for k in known], "image_id")

    neighbours = [set() for _ in range(n)]
    shown = {}
    for row, name in enumerate(images):
        if name:
            shown.setdefault(image_leader[name], []).append(row)
    for rows in [*shown.values(), *([int(i), int(i) // 40 * 40] for i in bound)]:
        for row in rows:
            neighbours[row].add(rows[0])
            neighbours[rows[0]].add(row)
    smallest = np.full(n, -1)
    for start in range(n):
        waiting = [start] if smallest[start] < 0 else []
        while waiting:
            row = waiting.pop()
            if smallest[row] < 0:
                smallest[row] = start
                waiting += neighbours[row]
    return posts, text, image, smallest


def test_groups_are_the_components_over_text_and_image_edges_and_the_same_image(random_corpus):
    posts, text, image, smallest = random_corpus
    np.testing.assert_array_equal(content_groups(posts, text, image), smallest)
    assert 100 < len(np.unique(smallest)) < 3000


def test_a_post_that_is_a_copy_of_two_others_binds_them():
    # p1's text is near p0's and its image is p2's: p0 and p2 share nothing, and still may not meet across sides.
    posts = posts_of([None, "i1", "i1", None])
    text = groups(["p00000", "p00001"], ["p00000", "p00000"], "post_id")
    assert content_groups(posts, text, groups(["i1"], ["i1"], "image_id")).tolist() == [0, 0, 0, 3]


def test_an_edge_to_what_is_not_in_the_corpus_is_an_error():
    posts = posts_of(["i1"])
    with pytest.raises(ValueError, match="p9"):
        content_groups(posts, groups(["p9"], ["p9"], "post_id"), groups(["i1"], ["i1"], "image_id"))
    with pytest.raises(ValueError, match="i1"):
        content_groups(posts, groups([], [], "post_id"), groups([], [], "image_id"))


def test_a_group_keeps_its_side_whatever_else_there_is():
    names = [f"p{i}" for i in range(20_000)]
    few = assign(names[:5000], np.ones(5000, int), FRACTIONS, 1, seed=7).side
    many = assign(names[::-1], np.ones(20_000, int), FRACTIONS, 1, seed=7).side[::-1]
    np.testing.assert_array_equal(many[:5000], few)
    other = assign(names[:5000], np.ones(5000, int), FRACTIONS, 1, seed=8).side
    assert 0.5 < np.mean(other == few) < 0.75  # two independent draws agree at 0.75² + 0.2² + 0.05²


def test_posts_move_only_with_their_group(random_corpus):
    posts, text, image, _ = random_corpus
    cut = 2000

    def sides(rows):
        part = posts.slice(0, rows)
        kept = pa.compute.is_in(text["post_id"], part["post_id"])
        group = content_groups(part, text.filter(kept), image)
        leaders, back, counts = np.unique(group, return_inverse=True, return_counts=True)
        names = [f"p{leader:05d}" for leader in leaders]
        return group, assign(names, counts, FRACTIONS, 1, seed=7).side[back]

    group_before, before = sides(cut)
    group_after, after = sides(posts.num_rows)
    same = group_before == group_after[:cut]
    assert 0.5 < same.mean() < 1
    np.testing.assert_array_equal(before[same], after[:cut][same])


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_the_expected_ones_within_three_standard_deviations(seed):
    counts = np.random.default_rng(seed).zipf(1.8, 30_000).clip(max=300)
    made = assign([f"p{i}" for i in range(len(counts))], counts, FRACTIONS, 1, seed)
    shares = made.shares()
    assert sum(told["posts"] for told in shares.values()) == counts.sum()
    for told, share in zip([shares[TRAIN], shares[TEST], shares[VAL]], [0.75, 0.2, 0.05], strict=True):
        assert told["expected"] == pytest.approx(share)
        assert abs(told["share"] - share) < 3 * told["standard_deviation"] < 0.04


def test_the_stated_deviation_is_that_of_the_shares_over_seeds():
    counts = np.array([50] * 4 + [1] * 800)
    names = [f"p{i}" for i in range(len(counts))]
    made = [assign(names, counts, FRACTIONS, 1, seed).shares()[TEST] for seed in range(400)]
    assert np.std([told["share"] for told in made]) == pytest.approx(made[0]["standard_deviation"], rel=0.15)


def test_a_group_past_the_limit_trains_whole_and_is_counted():
    counts = np.array([30, *[1] * 970])
    for seed in range(20):
        made = assign([f"p{i}" for i in range(len(counts))], counts, FRACTIONS, 0.02, seed)
        assert made.side[0] == TRAIN
        assert np.flatnonzero(made.oversized).tolist() == [0]
        assert made.shares()[TEST]["expected"] == pytest.approx(0.2 * 0.97)
        assert sum(told["expected"] for told in made.shares().values()) == pytest.approx(1)
    assert any(assign(["p0"], np.array([1]), FRACTIONS, 1, seed).side[0] != TRAIN for seed in range(20))


def test_protocol_interests_holds_out_validation_alone():
    fractions = held_out_fractions(0.2, 0.05, "interests")
    side = assign([f"p{i}" for i in range(2000)], np.ones(2000, int), fractions, 1, seed=7).side
    assert set(side) == {TRAIN, VAL}
    assert list(held_out_fractions(0.2, 0.05, "retrieval")) == [TEST, VAL]


def test_hashes_are_uniform_and_independent_between_purposes():
    names = [f"p{i}" for i in range(20_000)]
    side, other = unit_hash(names, 7, "side"), unit_hash(names, 7, "image_to_text")
    assert side.min() >= 0 and side.max() < 1
    assert np.abs(np.histogram(side, 20, (0, 1))[0] - 1000).max() < 4 * np.sqrt(1000)
    assert abs(np.corrcoef(side, other)[0, 1]) < 0.03
    assert unit_hash([], 7, "side").shape == (0,)
