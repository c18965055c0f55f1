from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest

from pipeline.running.checkpoints import keep_in, made
from pipeline.running.errors import UserError
from pipeline.split import exact_search
from pipeline.split import word_sets as sets_of_words
from pipeline.split.as_written import written_words
from pipeline.split.audit import across, check_groups_whole, exclude, remaining, with_pairs
from pipeline.split.exact_search import Found, search_images, search_texts, unit
from pipeline.split.sides import EXCLUDED, TEST, TRAIN, VAL
from pipeline.split.word_sets import word_sets
from pipeline.tables.split import CLOSE


def lists(texts):
    return [pa.array(texts, pa.list_(pa.string()))]


def some_texts(n, seed=0):
    """Texts of 0 to 14 words by Zipf, a third of them another one with a word or two changed."""
    chance = np.random.default_rng(seed)
    texts = [[f"w{k}" for k in chance.zipf(1.4, chance.integers(0, 15)) if k < 400] for _ in range(n)]
    for row in range(n // 3):
        copy = list(texts[n - 1 - row])
        for _ in range(chance.integers(0, 3)):
            if copy:
                copy[chance.integers(len(copy))] = f"w{chance.integers(400)}"
        texts[row] = [copy[k] for k in chance.permutation(len(copy))]
    return texts


def by_hand(similarity, threshold, floor):
    """Pairs, and the grey zone, from all similarities (q, t)."""
    grey = (similarity >= floor) & (similarity < threshold)
    return (
        set(zip(*np.nonzero(similarity >= threshold), strict=True)),
        grey.sum(1),
        np.where(grey, similarity, 0).max(1),
    )


def agree(found: Found, expected, similarity):
    pairs, close, nearest = expected
    assert set(zip(found.query, found.target, strict=True)) == pairs and len(found.query) == len(pairs)
    np.testing.assert_allclose(found.similarity, similarity[found.query, found.target], atol=1e-6)
    np.testing.assert_array_equal(found.close, close)
    np.testing.assert_allclose(found.nearest_similarity, nearest, atol=1e-6)
    near = found.nearest >= 0
    np.testing.assert_array_equal(near, close > 0)
    rows = np.flatnonzero(near)
    np.testing.assert_allclose(similarity[rows, found.nearest[rows]], nearest[rows], atol=1e-6)


def test_word_sets_are_the_distinct_sets_of_words():
    texts = some_texts(500)
    sets, of_text = word_sets(lists(texts))
    expected = {frozenset(text) for text in texts if text}
    assert len(sets.offsets) - 1 == len(expected)
    assert [of_text[i] == -1 for i in range(500)] == [not text for text in texts]
    for a, b in np.random.default_rng(0).integers(0, 500, (2000, 2)):
        assert (of_text[a] == of_text[b]) == (set(texts[a]) == set(texts[b]))
    sizes = np.diff(sets.offsets)
    assert (np.diff(sizes) >= 0).all() and sizes.sum() == sum(map(len, expected))
    inside = np.ones(len(sets.words), bool)
    inside[sets.offsets[:-1]] = False
    assert (np.diff(sets.words)[inside[1:]] > 0).all()


def test_word_sets_are_the_same_however_the_texts_arrive(monkeypatch):
    texts = some_texts(500)
    whole, of_text = word_sets(lists(texts))
    monkeypatch.setattr(sets_of_words, "AT_ONCE", 7)
    parts, again = word_sets([pa.array(texts[a:b], pa.list_(pa.string())) for a, b in ((0, 0), (0, 99), (99, 500))])
    np.testing.assert_array_equal(again, of_text)
    np.testing.assert_array_equal(parts.offsets, whole.offsets)
    np.testing.assert_array_equal(parts.words, whole.words)
    assert word_sets([])[0].offsets.tolist() == [0] and not len(word_sets([])[1])


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("floor", [0.3, 0.6, 0.9])
def test_text_search_finds_what_comparing_all_finds(threshold, floor):
    texts = some_texts(900)
    sets, of_text = word_sets(lists(texts))
    queries = np.unique(of_text[of_text >= 0][::4])
    targets = np.setdiff1d(np.arange(len(sets.offsets) - 1), queries)
    members = [set(sets.words[a:b]) for a, b in zip(sets.offsets, sets.offsets[1:], strict=False)]
    similarity = np.array(
        [[len(members[q] & members[t]) / len(members[q] | members[t]) for t in targets] for q in queries]
    )
    expected = by_hand(similarity, threshold, min(floor, threshold))
    agree(search_texts(sets.take(queries), sets.take(targets), threshold, floor), expected, similarity)
    assert threshold > 0.8 or len(expected[0]) > 5


def test_a_jaccard_that_is_the_threshold_counts():
    # 4 common words of 5, and of 10 with 8 in common: 0.8 both times, whatever floating point makes of it.
    words = [f"w{k}" for k in range(20)]
    sets, of_text = word_sets(lists([words[:5], words[:4], words[5:15], words[5:13], words[5:12]]))
    found = search_texts(sets.take(np.sort(of_text[[0, 2]])), sets.take(np.sort(of_text[[1, 3, 4]])), 0.8, 0.6)
    assert sorted(found.similarity) == [0.8, 0.8] and found.close.sum() == 1


@pytest.mark.parametrize("dense", [1, 100_000])
@pytest.mark.parametrize("dimensions", [8, 256, 700])
def test_image_search_finds_what_comparing_all_finds(dimensions, dense, monkeypatch):
    monkeypatch.setattr(exact_search, "BLOCK", 100)
    monkeypatch.setattr(exact_search, "DENSE", dense)
    monkeypatch.setattr(exact_search, "HEAD", 31)
    chance = np.random.default_rng(1)
    kinds = np.abs(chance.normal(size=(40, dimensions)))
    spread = chance.choice([0.02, 0.25, 0.5], (1200, 1))
    vectors = np.maximum(kinds[chance.integers(0, 40, 1200)] + spread * chance.normal(size=(1200, dimensions)), 0)
    vectors = (vectors * chance.uniform(0.1, 20, (1200, 1))).astype(np.float16)
    queries, targets = vectors[:250], vectors[250:]
    similarity = unit(queries) @ unit(targets).T
    blocks = [targets[:333], targets[333:340], targets[340:]]
    expected = by_hand(similarity, 0.95, 0.9)
    assert len(expected[0]) > 50 and expected[1].sum() > 50
    every = search_images(unit(queries), blocks, 0.95, 0.9, len(targets), len(targets))
    agree(every, expected, similarity)
    assert every.beyond == 0

    # Of the nearest alone the grey zone is the same, and what is left out is counted, over blocks and within them.
    few = search_images(unit(queries), blocks, 0.95, 0.9, 2, len(targets))
    kept, left_out = exact_search.nearest_of_each((every.query, every.target, every.similarity), 2)
    assert few.beyond == left_out > 20
    for one, other in zip((few.query, few.target, few.similarity), kept, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("close", "nearest", "nearest_similarity"):
        np.testing.assert_array_equal(getattr(few, name), getattr(every, name))


def test_of_many_pairs_the_nearest_of_each_query_stay_and_the_others_are_counted():
    pairs = np.array([0, 0, 0, 0, 2]), np.array([1, 3, 4, 6, 5]), np.array([0.91, 0.99, 0.95, 0.95, 0.9])
    fewer, left_out = exact_search.nearest_of_each(pairs, 2)
    assert list(zip(*fewer, strict=True)) == [(0, 3, 0.99), (0, 4, 0.95), (2, 5, 0.9)]
    assert left_out == 2 and exact_search.nearest_of_each(pairs, 4)[1] == 0


def test_what_an_image_search_keeps_does_not_grow_with_pairs_of_one_style(tmp_path):
    vectors = unit(1 + 0.1 * np.random.default_rng(3).random((900, 16)))
    found = search_images(vectors[:300], [vectors[300:600], vectors[600:]], 0.9, 0.8, 5, 600, keep_in(tmp_path))
    assert len(found.query) == 300 * 5 and found.beyond == 300 * 595
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2 * 300 * 5 * 24


def test_a_search_without_queries_or_targets_finds_nothing():
    sets, _ = word_sets(lists([["a", "b"], []]))
    none, one = np.empty(0, np.int64), np.zeros(1, np.int64)
    for asking, asked in ((none, one), (one, none), (none, none)):
        assert not len(search_texts(sets.take(asking), sets.take(asked), 0.8, 0.6).query)
    vectors = np.ones((3, 5), np.float16)
    assert not len(search_images(unit(vectors[:0]), [vectors], 0.95, 0.9, 9, 3).query)
    assert not len(search_images(unit(vectors), [vectors[:0]], 0.95, 0.9, 9, 0).query)
    assert word_sets(lists([[], []]))[1].tolist() == [-1, -1]


SIMILARITY = np.array(
    [  # items 0, 1: test; 2: val; 3, 4: train; 5: both val and train
        [1, 0.7, 0.0, 0.9, 0.65, 0.0],
        [0.7, 1, 0.85, 0.0, 0.0, 0.0],
        [0.0, 0.85, 1, 0.0, 0.62, 0.0],
        [0.9, 0.0, 0.0, 1, 0.0, 0.0],
        [0.65, 0.0, 0.62, 0.0, 1, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1],
    ]
)
SIDE = np.array([TEST, TEST, VAL, TRAIN, TRAIN, TRAIN, VAL, TRAIN, TRAIN], object)
ITEM = np.array([0, 1, 2, 3, 4, 3, 5, 5, -1])
IDS = pa.chunked_array([[f"p{i}" for i in range(9)]])


def search(asking, asked):
    similarity = SIMILARITY[np.ix_(asking, asked)]
    query, target = np.nonzero(similarity >= 0.8)
    grey = np.where(similarity < 0.8, similarity, 0) * (similarity >= 0.6)
    nearest = np.where(grey.any(1), grey.argmax(1), -1)
    return Found(query, target, similarity[query, target], (grey > 0).sum(1), nearest, grey.max(1))


def test_every_copy_on_a_later_side_is_excluded_and_the_grey_zone_told():
    found = across("text", SIDE, ITEM, IDS, search)
    # item 0 (test) has its copy 3 in train, twice; 1 (test) has 2 in val; 5 stands in val and in train itself.
    assert np.flatnonzero(found.excluded).tolist() == [2, 3, 5, 7]
    assert found.copies.tolist() == [[0, 3], [1, 2], [5, 5]]
    assert found.example == ("p0 of test", "p3")
    assert found.counts[TEST] == {
        "nothing_to_compare": 0,
        "searched": 2,
        "among": 4,
        "copies": 2,
        "judged_different": 0,
        "grey": 1,
        "grey_pairs": 1,
    }
    assert found.counts[VAL] == {
        "nothing_to_compare": 0,
        "searched": 2,
        "among": 3,
        "copies": 1,
        "judged_different": 0,
        "grey": 1,
        "grey_pairs": 1,
    }
    close = found.close.select(["held_out_id", "other_id", "verdict"]).to_pylist()
    told = [tuple(row.values()) for row in close]
    assert told[:2] == [("p0", "p4", "below"), ("p2", "p4", "below")]
    assert [row[2] for row in told[2:]] == ["taken"] * 3 and ("p0", "p3", "taken") in told
    assert remaining(found, SIDE, ITEM) == 3
    final = exclude(SIDE, found.excluded, 1.0, "")
    assert final.tolist() == [TEST, TEST, EXCLUDED, EXCLUDED, TRAIN, EXCLUDED, VAL, EXCLUDED, TRAIN]
    assert remaining(found, final, ITEM) == 0


def test_pairs_that_the_second_check_tells_apart_stay_and_are_counted_apart():
    found = across("image", SIDE, ITEM, IDS, search, confirm=lambda held, other: (held == 0) & (other == 3))
    assert found.copies.tolist() == [[0, 3]] and np.flatnonzero(found.excluded).tolist() == [3, 5]
    assert (found.counts[TEST]["judged_different"], found.counts[VAL]["judged_different"]) == (1, 1)
    different = found.close.filter(pa.compute.equal(found.close["verdict"], "different"))
    assert set(different["held_out_id"].to_pylist()) == {"p1", "p6"}


def test_a_pair_that_is_below_the_threshold_and_was_looked_at_is_told_once(tmp_path):
    def with_corners(asking, asked):
        found = search(asking, asked)
        below = np.flatnonzero(found.nearest >= 0)  # corners propose what the features call close, and no more
        return with_pairs(found, below, found.nearest[below], found.nearest_similarity[below])[0]

    close = across("image", SIDE, ITEM, IDS, with_corners, lambda held, other: held == other).close
    told = close.select(["held_out_id", "other_id", "verdict"]).to_pylist()
    assert {"p0", "p4", "different"} in [set(row.values()) for row in told]
    assert len({(row["held_out_id"], row["other_id"]) for row in told}) == len(told)
    assert sorted(row["verdict"] for row in told).count("taken") == 1 and len(told) == 5
    CLOSE.write(close, tmp_path / "close")  # which takes a key once


def test_of_what_is_judged_different_a_random_sample_is_kept_of_both_sides():
    side = np.repeat(np.array([TEST, VAL, TRAIN], object), [300, 100, 400])
    ids = pa.chunked_array([[f"p{i:03}" for i in range(800)]])

    def near(asking, asked):
        query, target = np.divmod(np.arange(2 * len(asking)), 2)
        none, nothing = np.zeros(len(asking), int), np.zeros(len(asking))
        return Found(query, target, np.linspace(0.8, 1, len(query)), none, none - 1, nothing)

    close = across("image", side, np.arange(800), ids, near, lambda held, other: np.zeros(len(held), bool)).close
    assert len(close) == 60 and set(close["verdict"].to_pylist()) == {"different"}
    assert 5 <= sum(name >= "p300" for name in close["held_out_id"].to_pylist()) <= 27  # a quarter are of val
    assert 0.87 < np.mean(close["similarity"].to_numpy()) < 0.93  # not the nearest


def test_a_pair_that_corners_propose_is_told_once_and_by_what_was_seen():
    def near(asking, asked):
        """Each query with its nearest, below the threshold, which corners propose too."""
        rows, cosines = np.arange(len(asking)), np.full(len(asking), 0.78)
        return Found(rows, rows, cosines, np.ones(len(asking), int), rows, cosines)

    side = np.repeat(np.array([TEST, VAL, TRAIN], object), [4, 4, 8])
    ids = pa.chunked_array([[f"p{i:02}" for i in range(16)]])
    found = across("image", side, np.arange(16), ids, near, lambda held, other: held % 2 == 0)
    told = {row["held_out_id"]: row["verdict"] for row in found.close.to_pylist()}
    assert told == {f"p{i:02}": ("taken", "different")[i % 2] for i in range(8)}
    assert found.counts[TEST]["grey"] == found.counts[VAL]["grey"] == 4


def test_texts_as_written_know_nothing_of_the_cleaning():
    texts = pa.chunked_array([["That's WHAT she said! https://a.example/b #so_true", None], ["猫が好き", "unasked"]])
    words = pa.chunked_array(written_words(texts, pa.array([True, True, True, False])))
    assert words.to_pylist() == [["that", "s", "what", "she", "said", "so", "true"], [], ["猫", "が", "好", "き"], []]


def test_too_many_exclusions_fail_with_an_example():
    excluded = np.arange(2000) < 2
    side = np.full(2000, TRAIN, object)
    assert (exclude(side, excluded, 0.001, "") == EXCLUDED).sum() == 2
    with pytest.raises(UserError, match=r"3 of 2000 train posts .* as p1 and p2"):
        exclude(side, np.arange(2000) < 3, 0.001, "p1 and p2")


def test_a_divided_group_is_caught():
    groups = pa.chunked_array([["g1", "g1", "g2", "g2"]])
    check_groups_whole(groups, np.array([TRAIN, TRAIN, TEST, TEST], object))
    with pytest.raises(UserError, match="g2 between test, train"):
        check_groups_whole(groups, np.array([TRAIN, TRAIN, TEST, TRAIN], object))


def test_searches_that_stand_are_not_made_again(tmp_path, monkeypatch):
    random = np.random.default_rng(2)
    sets, _ = word_sets(lists([[f"w{k}" for k in random.integers(0, 40, random.integers(1, 9))] for _ in range(300)]))
    half = np.arange(len(sets.offsets) - 1)
    monkeypatch.setattr(exact_search, "TEXTS", 1)  # a job, so that there are more of them than the cores ask for
    vectors = random.random((400, 12)).astype(np.float32)

    def search(keep):
        return (
            search_texts(sets.take(half[::2]), sets.take(half[1::2]), 0.8, 0.5, keep),
            search_images(unit(vectors[:100]), [vectors[100:250], vectors[250:]], 0.95, 0.9, 9, 300, keep),
        )

    whole, first = search(made), search(keep_in(tmp_path))
    assert len(list(tmp_path.glob("texts-*"))) == len(half[::2])
    monkeypatch.setattr(exact_search, "_search", None)
    monkeypatch.setattr(exact_search, "_among", None)
    again = search(keep_in(tmp_path))
    for one, other, kept in zip(whole, first, again, strict=True):
        for field in fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
            np.testing.assert_array_equal(getattr(one, field.name), getattr(kept, field.name))
    assert len(whole[1].query) and whole[0].close.any()
