"""Clusters of users by k-means on their unit vectors, and what tells them apart (the paper's section 4.4.3).

Shapes: n users, k clusters, d numbers per vector. Clusters are numbered by size, 0 the largest.
"""

import math
from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import silhouette_score

from pipeline.common.groups import image_groups
from pipeline.evaluation.log_odds import log_odds
from pipeline.ranking.vectors import Vectors, unit
from pipeline.space.search import nearest
from pipeline.tables.evaluation import CLUSTER_IMAGES, CLUSTER_WORDS
from pipeline.tables.table import positions

Array = np.ndarray[Any, np.dtype[Any]]

_ITERATIONS, _STARTS = 50, 5
_SILHOUETTE_USERS, _SHUFFLES = 10_000, 100


def clusters_of(users: int) -> int:
    """How many clusters so many users make, where nobody says: 3.5 times their fourth root, at least 2.

    49 for the paper's 39,808, which it puts into 50; 11 for a hundred.
    """
    return max(2, min(round(3.5 * math.sqrt(math.sqrt(users))), users // 2))


def common_of(words: int) -> int:
    """How many frequent words say nothing of so many different ones: 0.6 %, at most the paper's 200."""
    return min(200, round(0.006 * words))


def cluster(values: Array, k: int, seed: int) -> tuple[Array, Array, Array]:
    """k-means on the unit vectors of `values` (n, d), n >= k: the best of five starts.

    Returns the cluster of each user (n,), the centroids (k, d), each the mean of its users' unit vectors at unit
    length, and the cosine of each user to its own (n,). A cluster that ends empty is left out: there may be fewer than
    k.
    """
    users = unit(values)
    faiss.omp_set_num_threads(1)  # its products round by how many there are
    means = faiss.Kmeans(
        users.shape[1],
        k,
        niter=_ITERATIONS,
        nredo=_STARTS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(users),
    )
    means.train(users)
    found = means.index.search(users, 1)[1][:, 0]
    sizes = np.bincount(found, minlength=k)
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    number = np.full(k, -1)
    number[order] = np.arange(len(order))
    clusters: Array = number[found]
    centroids = unit(np.stack([users[clusters == i].mean(axis=0, dtype=np.float64) for i in range(len(order))]))
    return clusters, centroids, np.einsum("nd,nd->n", users, centroids[clusters])


def top_words(posts: pa.Table, users: pa.Array, clusters: Array, common: int, top: int) -> pa.Table:
    """The `top` words of each cluster, by two measures, as rows of CLUSTER_WORDS.

    posts: user_id and words; clusters (n,): that of each of `users`. `frequency` counts a word's occurrences, leaving
    out the `common` most frequent words of all posts, as in the paper. `log_odds` is the z-score of the function of
    that name; only words with a positive one are listed.
    """
    words = pc.list_flatten(posts["words"]).combine_chunks().dictionary_encode()
    names, codes = words.dictionary.to_numpy(zero_copy_only=False), words.indices.to_numpy()
    at = positions(posts["user_id"], users)
    of_word = np.repeat(np.where(at >= 0, clusters[at], -1), pc.list_value_length(posts["words"]).to_numpy())
    inside = of_word >= 0
    shape = (int(clusters.max()) + 1, len(names))
    flat = np.ravel_multi_index((of_word[inside], codes[inside]), shape)
    counts = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    by_name = np.argsort(names)  # so that equal weights come in order of the alphabet
    names, counts = names[by_name], counts[:, by_name]

    uncommon = np.ones(len(names), bool)
    uncommon[np.argsort(-counts.sum(axis=0), kind="stable")[:common]] = False
    weights = {"frequency": np.where(uncommon, counts, 0).astype(float), "log_odds": log_odds(counts)}
    rows = [
        (i, measure, place, names[at], weight[i, at], counts[i, at])
        for i in range(shape[0])
        for measure, weight in weights.items()
        for place, at in enumerate(np.argsort(-weight[i], kind="stable")[:top])
        if weight[i, at] > 0
    ]
    return CLUSTER_WORDS.of(rows)


def nearest_images(centroids: Array, images: Vectors, groups: pa.Table, top: int) -> pa.Table:
    """The `top` images nearest to each of `centroids` (k, d), one of each group of copies, as rows of CLUSTER_IMAGES.

    groups: rows of IMAGE_GROUPS; an image that is in none is a group of its own.
    """
    found = nearest(centroids, images, top, image_groups(images.ids, groups))
    rows = [
        (i, place, name, cosine)
        for i, (names, cosines) in enumerate(found)
        for place, (name, cosine) in enumerate(zip(names, cosines, strict=True))
    ]
    return CLUSTER_IMAGES.of(rows)


def silhouette(values: Array, clusters: Array, seed: int) -> float | None:
    """Mean silhouette by cosine, in [-1, 1], of all users or a sample of 10,000; None for fewer than two clusters.

    values (n, d), clusters (n,).
    """
    users = unit(values)
    if len(users) > _SILHOUETTE_USERS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(users), _SILHOUETTE_USERS, replace=False))
        users, clusters = users[chosen], clusters[chosen]
    if not 1 < len(np.unique(clusters)) < len(clusters):
        return None
    return float(silhouette_score(users, clusters, metric="cosine"))


def purity(clusters: Array, interests: Sequence[Sequence[str]]) -> float:
    """The share of users that have the interest which is most common in their cluster; of users with any interest.

    clusters (n,), interests (n lists). Raises ValueError where nobody has an interest.
    """
    return _purity(clusters, *_held(interests))


def _held(interests: Sequence[Sequence[str]]) -> tuple[Array, Array]:
    """The user, and the number of the label, of each interest that is held, both (h,)."""
    user = np.repeat(np.arange(len(interests)), [len(names) for names in interests])
    if not len(user):
        raise ValueError("nobody has an interest, so there is no purity")
    return user, np.unique([name for names in interests for name in names], return_inverse=True)[1]


def _purity(clusters: Array, user: Array, label: Array) -> float:
    counts = np.zeros((clusters.max() + 1, label.max() + 1), np.int64)
    np.add.at(counts, (clusters[user], label), 1)
    return float(counts.max(axis=1).sum() / len(np.unique(user)))


def purity_by_chance(clusters: Array, interests: Sequence[Sequence[str]], seed: int) -> float:
    """Mean purity when users change `clusters` (n,) at random: small ones are pure by chance, so compare with this."""
    rng, held = np.random.default_rng(seed), _held(interests)
    return float(np.mean([_purity(rng.permutation(clusters), *held) for _ in range(_SHUFFLES)]))


def coherence(values: Array, clusters: Array, interests: Sequence[Sequence[str]], seed: int) -> dict[str, float]:
    """Sizes, silhouette, and purity beside chance, as far as they are defined, of the `clusters` (n,) of users."""
    sizes = np.bincount(clusters)
    found: dict[str, float] = {"clusters": len(sizes), "largest": int(sizes[0]), "smallest": int(sizes[-1])}
    width = silhouette(values, clusters, seed)
    if width is not None:
        found["silhouette"] = width
    if any(interests):
        found["purity"] = purity(clusters, interests)
        found["purity_by_chance"] = purity_by_chance(clusters, interests, seed)
        found["users_with_interests"] = sum(map(bool, interests))
    return found
