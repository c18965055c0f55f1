"""The join against brute force, the rule of removal against a slow walk over Python sets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.groups import components
from pipeline.join import pairs as join_pairs
from pipeline.join.keeping import keep_first
from pipeline.join.pairs import copies, edges_of_posts, near_pairs, overlaps, pairs_of_posts
from pipeline.join.sets import distinct_sets


def flat(posts):
    offsets = np.cumsum([0, *map(len, posts)])
    return offsets, np.array([word for post in posts for word in post], np.int32)


def joined(posts, threshold, workers=None):
    sets = distinct_sets(*flat(posts))
    return sets, near_pairs(sets, threshold, workers)


def groups(sets, pairs):
    """The smallest post of each post's component over the edges, itself where it has no edge."""
    edges = edges_of_posts(sets, pairs, sets)
    return components(len(sets.of), edges.post, edges.other)


def jaccard(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


def pairs_found(posts, threshold):
    """Pairs of posts with their overlap, as the join gives them."""
    sets, pairs = joined(posts, threshold)
    members = {}
    for post, number in enumerate(sets.of):
        members.setdefault(number, []).append(post)
    found = {pair: 1.0 for posts_of in members.values() for pair in combinations(posts_of, 2)}
    for left, right, overlap in zip(*pairs, strict=True):
        for pair in ((a, b) for a in members[left] for b in members[right]):
            assert tuple(sorted(pair)) not in found
            found[tuple(sorted(pair))] = overlap
    assert pairs_of_posts(sets, pairs) == len(found)
    return found


def pairs_true(posts, threshold):
    overlaps = ((pair, jaccard(posts[pair[0]], posts[pair[1]])) for pair in combinations(range(len(posts)), 2))
    return {pair: overlap for pair, overlap in overlaps if overlap >= threshold}


def crowded(n, vocabulary, longest, seed):
    """Posts of few words, so that many pairs stand at, and just below, any threshold; some repeat a word."""
    generator = np.random.default_rng(seed)
    return [list(generator.integers(0, vocabulary, generator.integers(1, longest + 1))) for _ in range(n)]


@pytest.mark.parametrize("threshold", [0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 1.0])
@pytest.mark.parametrize(("vocabulary", "longest"), [(6, 4), (9, 12), (40, 6), (30, 60)])
def test_the_pairs_and_overlaps_are_those_of_brute_force(threshold, vocabulary, longest):
    posts = crowded(300, vocabulary, longest, seed=vocabulary)
    assert pairs_found(posts, threshold) == pairs_true(posts, threshold)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=9), min_size=0, max_size=25),
    st.sampled_from([0.5, 4 / 7, 0.6, 2 / 3, 0.7, 0.75, 0.8, 5 / 6, 0.9, 1.0]),
)
def test_any_posts_give_the_pairs_of_brute_force(posts, threshold):
    assert pairs_found(posts, threshold) == pairs_true(posts, threshold)


def test_a_pair_exactly_at_the_threshold_is_one():
    for shared in range(1, 60):
        for extra in range(1, 20):
            posts = [list(range(shared)), list(range(shared + extra))]
            assert pairs_found(posts, shared / (shared + extra)) == {(0, 1): shared / (shared + extra)}


def test_a_very_long_post_beside_short_ones():
    long = list(range(20_000))
    posts = [long, long[:-3_000], long[::2], [5], [5, 6], long[:10_001]]
    assert pairs_found(posts, 0.5) == pairs_true(posts, 0.5)


def test_cores_and_blocks_change_nothing(monkeypatch):
    posts = crowded(2_000, 60, 12, seed=3)
    whole = joined(posts, 0.6, workers=1)[1]
    monkeypatch.setattr(join_pairs, "BLOCK", 37)
    for left, right in zip(whole, joined(posts, 0.6, workers=3)[1], strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_million_identical_posts_are_one_set_and_all_their_pairs_count():
    # Walked over pair by pair, they would take a day.
    n = 1_000_000
    posts = np.tile(np.array([3, 1, 2, 1], np.int32), n)
    sets = distinct_sets(np.arange(0, 4 * n + 1, 4), posts)
    pairs = near_pairs(sets, 0.8)
    order = np.arange(n)[::-1].copy()
    assert len(sets.offsets) == 2 and pairs_of_posts(sets, pairs) == n * (n - 1) // 2
    assert (groups(sets, pairs) == 0).all()
    without_image = keep_first(sets, pairs, order, np.zeros(n, int), np.full(n, -1), same_user=False)
    assert (without_image.duplicate_of == np.where(np.arange(n) == n - 1, -1, n - 1)).all()
    # Two posts an image: the later in order, which is the one before, goes.
    by_image = keep_first(sets, pairs, order, np.zeros(n, int), np.arange(n) // 2, same_user=False)
    assert (by_image.duplicate_of == np.where(np.arange(n) % 2, -1, np.arange(n) + 1)).all()


@pytest.mark.parametrize("threshold", [0.5, 0.65, 0.8])
def test_a_word_that_is_in_every_post_is_not_looked_up(threshold):
    rare = np.random.default_rng(5).integers(1, 2**30, (50_000, 6)).astype(np.int32)
    words = np.unique(rare, return_inverse=True)[1].reshape(rare.shape).astype(np.int32) + 1
    posts = np.hstack([np.zeros((50_000, 1), np.int32), words])
    sets = distinct_sets(np.arange(0, posts.size + 1, 7), posts.reshape(-1))
    *_, indexed = join_pairs._bounds(7, threshold)
    starts, entries, _ = join_pairs._index(sets.offsets, sets.tokens, indexed)
    # A post meets those alone that share one of its rare words, a handful of the 50,000.
    assert len(entries) >= 50_000 and np.diff(starts).max() < 10
    assert len(near_pairs(sets, threshold).left) == 0


def removed_slowly(posts, threshold, order, user, image, same_user):
    """The rule, as the issue words it."""
    kept, removed = [], {}
    for post in order:
        copies = [
            (-jaccard(posts[post], posts[other]), place, other)
            for place, other in enumerate(kept)
            if jaccard(posts[post], posts[other]) >= threshold
            and (image[post] == -1 or image[post] == image[other])
            and (not same_user or user[post] == user[other])
        ]
        if copies:
            overlap, _, other = min(copies)
            removed[int(post)] = (int(other), -overlap)
        else:
            kept.append(post)
    return removed


@pytest.mark.parametrize("same_user", [False, True])
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_removed_is_what_a_walk_over_the_posts_removes(same_user, threshold, seed):
    generator = np.random.default_rng(seed)
    posts = crowded(250, 7, 6, seed)
    order = generator.permutation(250)
    user, image = generator.integers(0, 4, 250), generator.integers(-3, 5, 250).clip(-1)
    sets, pairs = joined(posts, threshold)
    kept = keep_first(sets, pairs, order, user, image, same_user)
    expected = removed_slowly(posts, threshold, order, user, image, same_user)
    found = {
        post: (int(kept.duplicate_of[post]), float(kept.overlap[post]))
        for post in np.flatnonzero(kept.duplicate_of >= 0).tolist()
    }
    assert found == expected and len(found) > 20


def test_no_chain_removes_what_is_not_itself_close_to_a_kept_post():
    # Each post shares 8 of 10 words with the next, the ends hardly any: every second one stays.
    posts = [list(range(at, at + 9)) for at in range(10)]
    sets, pairs = joined(posts, 0.8)
    nobody, order = np.full(10, -1), np.arange(10)
    kept = keep_first(sets, pairs, order, np.zeros(10, int), nobody, same_user=False)
    np.testing.assert_array_equal(kept.duplicate_of, [-1, 0, -1, 2, -1, 4, -1, 6, -1, 8])
    np.testing.assert_array_equal(groups(sets, pairs), np.zeros(10))


def test_another_image_keeps_a_copy_and_the_group_binds_it():
    posts = [[1, 2, 3], [3, 2, 1], [1, 2, 3], [1, 2, 3], [7]]
    image = np.array([5, 6, 5, -1, -1])
    sets, pairs = joined(posts, 0.8)
    kept = keep_first(sets, pairs, np.arange(5), np.arange(5), image, same_user=False)
    np.testing.assert_array_equal(kept.duplicate_of, [-1, -1, 0, 0, -1])
    np.testing.assert_array_equal(groups(sets, pairs), [0, 0, 0, 0, 4])
    reposts = keep_first(sets, pairs, np.arange(5), np.arange(5), image, same_user=True)
    np.testing.assert_array_equal(reposts.duplicate_of, [-1] * 5)


def test_posts_of_the_same_words_as_written_are_bound_whatever_is_cleaned_of_them():
    cleaned, written = (distinct_sets(*flat(posts)) for posts in ([[1, 2], [2, 3], [4], [1, 2]], [[7], [7], [8], [9]]))
    edges = edges_of_posts(cleaned, near_pairs(cleaned, 0.9), written)
    found = dict(zip(zip(edges.post.tolist(), edges.other.tolist(), strict=True), edges.overlap, strict=True))
    assert found == {(1, 0): pytest.approx(1 / 3), (3, 0): 1.0}


def test_no_posts_at_all():
    sets, pairs = joined([], 0.8)
    none = np.empty(0, np.int64)
    kept = keep_first(sets, pairs, none, none, none, same_user=True)
    assert len(pairs.left) == len(kept.duplicate_of) == len(groups(sets, pairs)) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(0, 3)), max_size=20),
    st.sampled_from([0.5, 0.7, 1.0]),
)
def test_copies_are_near_by_their_cleaned_words_and_as_written(posts, min_written):
    # As written a post has some of three stopwords more, which cleaning takes out.
    cleaned = [words for words, _ in posts]
    written = [words + list(range(10, 10 + more)) for words, more in posts]
    of_cleaned, of_written = distinct_sets(*flat(cleaned)), distinct_sets(*flat(written))
    pairs = copies(of_cleaned, of_written, 0.8, min_written)
    found = {(int(a), int(b)) for a, b in zip(pairs.left, pairs.right, strict=True)}
    first = {int(number): post for post, number in reversed(list(enumerate(of_written.of)))}
    true = {
        tuple(sorted((a, b)))
        for a, b in combinations(first, 2)
        if jaccard(written[first[a]], written[first[b]]) >= min_written
        and jaccard(cleaned[first[a]], cleaned[first[b]]) >= 0.8
    }
    assert found == true
    every = np.array(list(combinations(range(len(posts)), 2)), int).reshape(-1, 2)
    expected = [jaccard(written[a], written[b]) for a, b in every]
    np.testing.assert_allclose(overlaps(of_written, every[:, 0], every[:, 1]), expected)
