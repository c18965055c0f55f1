"""Things of a kind laid out in the plane so that neighbours stay neighbours: t-SNE (openTSNE) on exact neighbours.

The same things give the same bytes: whoever calls sorts them by id, neighbours are searched exactly (FAISS), of equal
ones the first by id is nearer, the start is the two first principal components with their signs fixed, and everything
after runs on one thread. Three methods were measured on the same neighbours (docs/experiments).

Shapes: n things, D numbers per vector, k neighbours of each.
"""

from typing import Any

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.ranking.vectors import unit

Array = np.ndarray[Any, np.dtype[Any]]

_FFT = 10_000
"""Things from which on interpolation is faster than the tree."""
_BLOCK = 4096


def neighbours(values: Array, k: int) -> tuple[Array, Array]:
    """The rows (n, k) of the k nearest others by cosine, the nearest first, and the Euclidean distances (n, k)."""
    vectors = unit(values)
    k = max(0, min(k, len(vectors) - 1))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    rows, distances = np.empty((len(vectors), k), np.int64), np.empty((len(vectors), k), np.float32)
    for begin in range(0, len(vectors), _BLOCK):
        here = np.arange(begin, min(begin + _BLOCK, len(vectors)))
        # One more, as each finds itself; several more, so that of equal ones the first rows are among them.
        cosine, found = index.search(vectors[here], min(k + 9, len(vectors)))
        cosine = np.where(found == here[:, None], -np.inf, cosine)
        order = np.lexsort((found, -cosine), axis=1)[:, :k]
        rows[here] = np.take_along_axis(found, order, 1)
        distances[here] = np.sqrt(np.maximum(0, 2 - 2 * np.take_along_axis(cosine, order, 1)))
    return rows, distances


def lay_out(values: Array, perplexity: float, seed: int) -> tuple[Array, Array, Array]:
    """Coordinates (n, 2) float32 of things with the vectors `values` (n, D), and their neighbours; see the module.

    Rows are in an order that does not depend on chance, by id.
    Fewer than four things lie on a line, and so do more where all are the same.
    """
    n = len(values)
    if n < 4 or not np.ptp(unit(values), axis=0).any():
        found, distances = (
            neighbours(values, 1) if n > 1 else (np.empty((n, 0), np.int64), np.empty((n, 0), np.float32))
        )
        return np.stack([np.arange(n), np.zeros(n)], 1).astype(np.float32), found, distances
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    perplexity = min(perplexity, (n - 1) / 3)
    with threadpool_limits(1):
        faiss.omp_set_num_threads(1)
        found, distances = neighbours(values, int(3 * perplexity))
        affinities = PerplexityBasedNN(
            perplexity=perplexity, knn_index=PrecomputedNeighbors(found, distances), n_jobs=1, random_state=seed
        )
        method = "fft" if n >= _FFT else "bh"
        tsne = TSNE(n_jobs=1, random_state=seed, negative_gradient_method=method)
        points = np.asarray(tsne.fit(affinities=affinities, initialization=_start(values)))
    points = points - points.mean(axis=0)
    return (points / np.abs(points).max()).astype(np.float32), found, distances


def _start(values: Array) -> Array:
    """The two first principal components (n, 2), as small as t-SNE wants its start; signs by the first coordinate."""
    vectors = unit(values).astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    first = centred @ axes[:, [-1, -2]]
    largest = np.abs(first).argmax(axis=0)
    first *= np.sign(first[largest, [0, 1]])
    return np.asarray(first / max(1e-12, first[:, 0].std()) * 1e-4)


def kept(values: Array, points: Array, k: int = 15) -> float:
    """The share of the `k` nearest by cosine that are among the `k` nearest in the plane, over all things.

    values (n, D), points (n, 2).
    """
    k = min(k, len(values) - 1)
    before, _ = neighbours(values, k)
    plane = faiss.IndexFlatL2(2)
    plane.add(np.ascontiguousarray(points, np.float32))
    _, found = plane.search(np.ascontiguousarray(points, np.float32), k + 1)
    shares = [
        len(set(own.tolist()) & set([x for x in near.tolist() if x != row][:k])) / k
        for row, (own, near) in enumerate(zip(before, found, strict=True))
    ]
    return float(np.mean(shares))
