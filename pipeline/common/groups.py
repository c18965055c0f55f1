"""Groups = connected components over confirmed edges."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.tables.table import positions

Indices = np.ndarray[Any, np.dtype[np.int64]]


def components(n: int, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> Indices:
    """For each of `n` nodes, the smallest node of its connected component.

    left, right (m,): the ends of m edges, in any order and direction, repeats allowed. Returns (n,) int64.
    Raises ValueError for an edge that is not between nodes 0 … n - 1.
    """
    from scipy.sparse import coo_array  # here, as it takes longer to load than what else is imported
    from scipy.sparse.csgraph import connected_components

    if len(left) != len(right):
        raise ValueError(f"{len(left)} left ends and {len(right)} right ends; each edge has one of both")
    if len(left) and not (min(left.min(), right.min()) >= 0 and max(left.max(), right.max()) < n):
        raise ValueError(
            f"an edge leaves the {n} nodes: ends from {min(left.min(), right.min())} to {max(left.max(), right.max())}"
        )
    edges = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(n, n))
    count, label = connected_components(edges, directed=False)
    smallest = np.full(count, n, np.int64)
    np.minimum.at(smallest, label, np.arange(n))
    groups: Indices = smallest[label]
    return groups


def image_groups(image_ids: pa.Array | pa.ChunkedArray, groups: pa.Table) -> Indices:
    """The group of each of `image_ids` as a number (m,), from IMAGE_GROUPS; one not there is a group of its own."""
    found = positions(image_ids, groups["image_id"])
    codes = groups["group_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return np.where(found >= 0, np.append(codes, -1)[found], len(codes) + np.arange(len(image_ids)))
