import numpy as np
import pyarrow as pa
import pytest

from pipeline.evaluation.clusters import (
    cluster,
    clusters_of,
    coherence,
    common_of,
    nearest_images,
    purity,
    purity_by_chance,
    silhouette,
    top_words,
)
from pipeline.evaluation.log_odds import log_odds
from pipeline.ranking.vectors import Vectors


@pytest.fixture(scope="module")
def planted():
    """60 users around three directions, 30, 20 and 10 of them, at lengths that say nothing."""
    rng = np.random.default_rng(0)
    own = rng.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    values = (rng.standard_normal((3, 16))[own] + 0.2 * rng.standard_normal((60, 16))) * rng.uniform(0.1, 9, (60, 1))
    return own, values.astype(np.float32)


def test_planted_clusters_are_found_largest_first(planted):
    own, values = planted
    clusters, centroids, similarity = cluster(values, 3, seed=7)
    np.testing.assert_array_equal(clusters, own)
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    for i in range(3):
        mean = units[own == i].mean(axis=0)
        np.testing.assert_allclose(centroids[i], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(similarity, (units * centroids[own]).sum(axis=1), atol=1e-6)


def test_clusters_are_the_same_each_time_and_never_empty(planted):
    _, values = planted
    first, again = cluster(values, 10, seed=1), cluster(values, 10, seed=1)
    np.testing.assert_array_equal(first[0], again[0])
    sizes = np.bincount(first[0])
    assert (sizes > 0).all() and (np.diff(sizes) <= 0).all() and len(sizes) == len(first[1])
    same = cluster(np.ones((12, 4)), 3, seed=1)
    assert len(np.bincount(same[0])) == len(same[1])


def test_as_many_clusters_as_users():
    clusters, _, similarity = cluster(np.eye(5), 5, seed=1)
    assert sorted(clusters) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(similarity, 1)


def test_words_by_frequency_leave_out_the_common_ones_and_by_log_odds_find_those_that_tell_apart():
    posts = pa.table(
        {
            "user_id": ["ann", "ann", "bob", "eve"],
            "words": [["the", "the", "cat", "rare"], ["the", "cat", "cat"], ["the", "the", "dog"], ["the"] * 9],
        }
    )
    rows = top_words(posts, pa.array(["ann", "bob"]), np.array([0, 1]), common=1, top=2).to_pandas()
    listed = rows.groupby(["cluster", "measure"]).word.apply(list).to_dict()
    assert listed[0, "frequency"] == ["cat", "rare"]  # without `the`
    assert listed[1, "frequency"] == ["dog"]
    assert listed[0, "log_odds"][0] == "cat"
    assert listed[1, "log_odds"][0] == "dog"
    assert rows[(rows.cluster == 0) & (rows.word == "cat")]["count"].tolist() == [3, 3]
    assert not ((rows.word == "the") & (rows.cluster == 0) & (rows.measure == "log_odds")).any()


def test_log_odds_agree_with_the_formula_word_by_word():
    counts = np.array([[5, 1, 0], [1, 3, 4], [2, 2, 2]])
    prior = counts.sum(0) / counts.sum() * 3
    found = log_odds(counts)
    for i in range(3):
        for w in range(3):
            rest = counts.sum(0) - counts[i]
            n, m, a = counts[i].sum() + prior.sum(), rest.sum() + prior.sum(), prior[w]
            x, y = counts[i, w] + a, rest[w] + a
            z = (np.log(x / (n - x)) - np.log(y / (m - y))) / np.sqrt(1 / x + 1 / y)
            assert found[i, w] == pytest.approx(z)


def test_images_nearest_to_a_centroid_one_of_each_group():
    images = Vectors(pa.array(["a", "b", "c", "d"]), np.array([[1, 0], [0.9, 0.1], [0.5, 0.5], [0, 1]], np.float32))
    groups = pa.table({"image_id": ["a", "b", "c"], "group_id": ["a", "a", "c"]})
    rows = nearest_images(np.array([[1.0, 0.0], [0.0, 2.0]], np.float32), images, groups, top=2).to_pylist()
    assert [(r["cluster"], r["position"], r["image_id"]) for r in rows] == [
        (0, 0, "a"),
        (0, 1, "c"),
        (1, 0, "d"),
        (1, 1, "c"),
    ]
    assert rows[3]["similarity"] == pytest.approx(np.sqrt(0.5))


def test_purity_by_hand_and_beside_chance(planted):
    clusters = np.array([0, 0, 0, 1, 1, 1])
    interests = [["x"], ["x", "y"], ["y"], ["z"], [], ["z"]]
    assert purity(clusters, interests) == 4 / 5  # 2 of x (or y) in cluster 0, 2 of z in 1; of 5 users with interests
    own, _ = planted
    labels = [[str(i)] for i in own]
    assert purity(own, labels) == 1.0
    assert purity_by_chance(own, labels, seed=1) == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="no purity"):
        purity(clusters, [[]] * 6)


def test_coherence_says_what_is_defined_and_no_more(planted):
    own, values = planted
    full = coherence(values, own, [[str(i)] for i in own], seed=1)
    assert full["silhouette"] > 0.8
    assert (full["clusters"], full["largest"], full["smallest"], full["users_with_interests"]) == (3, 30, 10, 60)
    bare = coherence(values, np.zeros(60, int), [[]] * 60, seed=1)
    assert bare == {"clusters": 1, "largest": 60, "smallest": 60}


def test_silhouette_of_wrong_clusters_is_lower(planted):
    own, values = planted
    assert silhouette(values, np.random.default_rng(0).permutation(own), 1) < 0.1 < silhouette(values, own, 1)


def test_what_is_derived_grows_with_the_corpus_and_meets_the_papers():
    assert [clusters_of(n) for n in (2, 5, 24, 91, 39_808)] == [2, 2, 8, 11, 49]
    assert [common_of(n) for n in (0, 3_206, 10**6)] == [0, 19, 200]
