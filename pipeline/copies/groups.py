"""Groups of near-copies of images: pairs are proposed, by features and by points, and judged; copies make groups.

Features alone join different drawings of one style: at cosine 0.95 most pairs of openclipart are road signs with
another sign in the same triangle, flags, or star patterns. So they propose alone: for each image its nearest, up to a
number, so that the pairs grow as the images. What vectors of whole pictures cannot see, collages and screenshots, is
proposed by votes of points (`pipeline.copies.votes`). Pictures are then laid on each other (`pipeline.copies.aligned`).
Groups are the connected components over copies.

At the paper's size the features are all that fits in memory. So they stay as stored, float16 or float32 and of any
length; unit vectors in float32 are made of the few rows at hand. Neighbours are searched cell by cell of a k-means, as
products of matrices: no index holds a second copy.

Shapes: n images, d numbers per vector, p pairs of rows, left < right.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.common.groups import components
from pipeline.copies.aligned import Verdict
from pipeline.running.checkpoints import Keep, made
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.tables.images import COPY

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

FLAT_BELOW = 10_000
"""Fewer images are all compared with all; from here on those of neighbouring cells."""
PROBES = 16
"""Cells that each image is compared with; the recall audit of every run tells whether they suffice."""
UNBOUNDED = 2**31
BLOCK = 1024
CELLS = 128
"""Cells whose pairs are kept at a time: what a killed run may have to search again."""
MEMBERS = 8192
"""Most images of a cell that are held as unit vectors at once."""
PIECE = 4096
"""Vectors whose nearest centres a thread finds at a time."""
CHUNK = 4096
"""Pairs after which it is asked anew which images share a group by now, at least."""
SLACK = 1e-4
"""What rounding may take from a cosine in a product of matrices; the exact cosine decides."""


@dataclass(frozen=True)
class Pairs:
    """Rows `left` < `right` (p,) with the exact `cosine` (p,), by descending cosine.

    `proposed` by the index; `cut` (n,): images that had more near ones than a bound left.
    """

    left: Rows
    right: Rows
    cosine: NDArray[np.float32]
    proposed: int
    cut: NDArray[np.bool_]


def unit(vectors: NDArray[Any]) -> Vectors:
    """The vectors (n, d) as float32 of length 1; a zero vector stays zero, and is nobody's copy."""
    values = np.array(vectors, np.float32)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return values


def near_pairs(
    vectors: NDArray[Any],
    min_cosine: float,
    seed: int,
    most: int = UNBOUNDED,
    flat: bool | None = None,
    keep: Keep = made,
) -> Pairs:
    """Pairs of vectors (n, d), of any length, whose exact cosine is at least `min_cosine`: of each the `most` nearest.

    `flat`: compare all with all (default: below FLAT_BELOW images). Else each image with those whose nearest cell, of
    4 sqrt(n) by k-means, is among its own PROBES nearest; a pair is proposed if either of its images finds the other.
    """
    n, floor = len(vectors), min_cosine - SLACK
    flat = n < FLAT_BELOW if flat is None else flat
    found = [_keys(n, _flat(vectors, floor, most))] if flat else _by_cells(vectors, floor, most, seed, keep)
    key = distinct(np.concatenate(found))
    pairs = ranked(vectors, *np.divmod(key, max(n, 1)))
    near = pairs.cosine >= min_cosine
    left, right, cosine = pairs.left[near], pairs.right[near], pairs.cosine[near]
    kept, cut = _nearest(n, left, right, most)
    return Pairs(left[kept], right[kept], cosine[kept], len(key), cut)


def ranked(vectors: NDArray[Any], left: Rows, right: Rows) -> Pairs:
    """The pairs of rows `left` and `right` (p,) of vectors (n, d) by descending cosine; none is cut."""
    cosine = exact_cosine(vectors, left, right)
    order = np.argsort(-cosine, kind="stable")
    return Pairs(left[order], right[order], cosine[order], len(left), np.zeros(len(vectors), bool))


def _nearest(n: int, left: Rows, right: Rows, most: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of pairs (p,), nearest first, those that are among the `most` of either end; and the images (n,) with more."""
    ends = np.column_stack([left, right]).ravel()
    order = np.argsort(ends, kind="stable")
    place = np.empty(len(ends), np.int64)
    place[order] = np.arange(len(ends)) - np.searchsorted(ends[order], ends[order])
    within = (place < most).reshape(-1, 2)
    kept = np.asarray(within.any(axis=1), bool)
    return kept, np.bincount(ends, minlength=n) >= most


def _keys(n: int, pairs: Iterable[tuple[Rows, Rows]]) -> Rows:
    """Pairs of rows, whichever comes first, as numbers left n + right."""
    return np.concatenate([np.empty(0, np.int64), *(np.minimum(i, j) * n + np.maximum(i, j) for i, j in pairs)])


def distinct(keys: Rows) -> Rows:
    """The distinct keys, ascending. np.unique hashes integers since numpy 2.3, which is slower by far than to sort."""
    keys = np.sort(keys)
    return keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys


def exact_cosine(vectors: NDArray[Any], left: Rows, right: Rows) -> NDArray[np.float32]:
    """The cosine (p,) of each pair of rows of vectors (n, d), summed in float64."""
    cosine = np.empty(len(left), np.float32)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        one, other = unit(vectors[left[part]]), unit(vectors[right[part]])
        cosine[part] = np.einsum("pd,pd->p", one, other, dtype=np.float64)
    return cosine


def _flat(vectors: NDArray[Any], floor: float, most: int) -> Iterator[tuple[Rows, Rows]]:
    vectors = unit(vectors)
    for start in range(0, len(vectors), BLOCK):
        row, column = _of_each(vectors[start : start + BLOCK] @ vectors.T, floor, most + 1)  # one is itself
        apart = column != row + start
        yield row[apart] + start, column[apart]


def _of_each(products: Vectors, floor: float, most: int) -> tuple[Rows, Rows]:
    """Rows and columns of what is at least `floor` in each row of `products`, and among its `most` highest."""
    near = products >= floor
    for row in np.flatnonzero(near.sum(axis=1) > most):
        near[row] &= products[row] >= np.partition(products[row], -most)[-most]
    rows: Rows
    rows, columns = np.divmod(np.flatnonzero(near), max(1, products.shape[1]))
    return rows, columns


def _by_cells(vectors: NDArray[Any], floor: float, most: int, seed: int, keep: Keep) -> list[Rows]:
    """The keys of the proposed pairs, by pieces of CELLS cells."""
    cells = int(4 * np.sqrt(len(vectors)))
    (near,) = keep("cells", lambda: (_nearest_cells(vectors, cells, seed),))
    members, first = _by_value(near[:, 0], cells)
    visits, first_visit = _by_value(near.ravel(), cells)

    def pairs(begin: int, end: int) -> Iterator[tuple[Rows, Rows]]:
        for cell in range(begin, end):
            asking = visits[first_visit[cell] : first_visit[cell + 1]] // near.shape[1]
            yield from _within(vectors, floor, most, asking, members[first[cell] : first[cell + 1]])

    found: list[Rows] = []
    with bar("neighbours", "images", total=len(vectors)) as shown:
        for begin in range(0, cells, CELLS):
            end = min(begin + CELLS, cells)
            found += keep(f"pairs-{begin:06}", lambda b=begin, e=end: (_keys(len(vectors), pairs(b, e)),))  # type: ignore[misc]
            shown.update(int(first[end] - first[begin]))
    return found


def _within(vectors: NDArray[Any], floor: float, most: int, asking: Rows, inside: Rows) -> Iterator[tuple[Rows, Rows]]:
    """The pairs of `asking` and other images `inside` a cell with a cosine of at least `floor`."""
    for begin in range(0, len(inside), MEMBERS):
        asked = inside[begin : begin + MEMBERS]
        targets = unit(vectors[asked])
        for start in range(0, len(asking), BLOCK):
            rows = asking[start : start + BLOCK]
            query, other = _of_each(unit(vectors[rows]) @ targets.T, floor, most + 1)
            query, other = rows[query], asked[other]
            apart = query != other
            yield query[apart], other[apart]


def _nearest_cells(vectors: NDArray[Any], cells: int, seed: int) -> NDArray[np.int32]:
    """The PROBES cells (n, PROBES) whose centres, by k-means of a sample, are nearest to each vector, nearest first."""
    n, d = vectors.shape
    faiss.omp_set_num_threads(1)  # as `nearest_centres` says
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[: 40 * cells])
    kmeans = faiss.Kmeans(d, cells, niter=5, seed=seed % 2**31, spherical=True)
    kmeans.train(unit(vectors[chosen]))
    near = np.empty((n, min(PROBES, cells)), np.int32)
    with bar("cells", "images", total=n) as shown:
        for start in range(0, n, MEMBERS):
            block = unit(vectors[start : start + MEMBERS])
            near[start : start + MEMBERS] = nearest_centres(kmeans.index, block, near.shape[1])
            shown.update(len(block))
    return near


def nearest_centres(centres: Any, vectors: NDArray[np.float32], k: int) -> Rows:
    """The k nearest (n, k) of the `centres` in an index to vectors (n, d), by a thread for each PIECE of these.

    FAISS would give a product to all threads, and its OpenBLAS rounds by how many these are.
    """

    def found(begin: int) -> Rows:
        faiss.omp_set_num_threads(1)  # of this thread
        near: Rows = centres.search(vectors[begin : begin + PIECE], k)[1]
        return near

    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(found, range(0, max(1, len(vectors)), PIECE))))


def _by_value(values: NDArray[np.int32], size: int) -> tuple[Rows, Rows]:
    """Places sorted by value, 0 ≤ value < size, and where those of each begin (size + 1,)."""
    return np.argsort(values, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(values, minlength=size))])


def recall(
    vectors: NDArray[Any], pairs: Pairs, min_cosine: float, most: int, sample: int, seed: int
) -> dict[str, int | float]:
    """The recall audit: the `most` nearest of `sample` images searched exactly, and which share is among `pairs`.

    vectors (n, d), of any length, which `pairs` are of.
    """
    n = len(vectors)
    asked = np.sort(np.random.default_rng(seed).permutation(n)[:sample])
    asking = unit(vectors[asked])
    known = np.sort(pairs.left * n + pairs.right)
    true: list[tuple[Rows, Rows]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, n, BLOCK):
        query, other = _of_each(asking @ unit(vectors[start : start + BLOCK]).T, min_cosine - SLACK, most + 1)
        query, other = asked[query], other + start
        true.append((query[query != other], other[query != other]))
    query, other = (np.concatenate(column) for column in zip(*true, strict=True))
    cosine = exact_cosine(vectors, query, other)
    order = np.lexsort((other, -cosine, query))
    query, other, cosine = query[order], other[order], cosine[order]
    near = (np.arange(len(query)) - np.searchsorted(query, query) < most) & (cosine >= min_cosine)
    truth = distinct(np.minimum(query, other)[near] * n + np.maximum(query, other)[near])
    found = int(np.isin(truth, known).sum())
    return {"images": len(asked), "pairs": len(truth), "found": found, "recall": found / max(1, len(truth))}


@dataclass(frozen=True)
class Groups:
    """For each of n images: `group` (n,), its group's smallest row; `similarity` (n,), the highest cosine to a member.

    `edges` (e, 2): the pairs that were confirmed, with a `verdict` each (e); `refused` (r, 2): those that were not.
    `joined`: pairs not looked at, as their images were in one group already.
    """

    group: Rows
    similarity: NDArray[np.float32]
    edges: Rows
    verdicts: tuple[Verdict, ...]
    refused: Rows
    joined: int


def group_images(
    n: int,
    pairs: Pairs,
    judge: Callable[[Rows, Rows], list[Verdict | None]],
    chunk: int | None = None,
    keep: Keep = made,
) -> Groups:
    """Groups of n images: connected components over those `pairs` that `judge(left, right)` calls copies.

    Pairs are looked at by descending cosine, `chunk` at a time (default: a sixty-fourth of them, at least CHUNK); one
    whose images share a group by then cannot change it and is not looked at.
    """
    chunk = chunk or max(CHUNK, -(-len(pairs.left) // 64))
    group = np.arange(n)
    edges, refused = [np.empty((0, 2), np.int64)], [np.empty((0, 2), np.int64)]
    verdicts: list[Verdict] = []
    joined = 0
    with bar("pairs", "pairs", total=len(pairs.left)) as shown:
        for start in range(0, len(pairs.left), chunk):
            ends = np.column_stack([pairs.left[start : start + chunk], pairs.right[start : start + chunk]])
            apart = ends[group[ends[:, 0]] != group[ends[:, 1]]]
            joined += len(ends) - len(apart)
            told = keep(f"judged-{start:012}", lambda pairs=apart: _told(judge(pairs[:, 0], pairs[:, 1])))  # type: ignore[misc]
            kinds, evidence, scores = (column.tolist() for column in told)
            bound = np.array([kind != "" for kind in kinds], bool)
            here = [Verdict(*row) for row in zip(kinds, evidence, scores, strict=True) if row[0]]
            edges.append(apart[bound])
            refused.append(apart[~bound])
            verdicts += here
            same = apart[bound][[verdict.kind == COPY for verdict in here]]
            if len(same):
                group = components(n, *group_edges(group, same))
            shown.update(len(ends))
    similarity = np.zeros(n, np.float32)
    inside = group[pairs.left] == group[pairs.right]
    for rows in (pairs.left, pairs.right):
        np.maximum.at(similarity, rows[inside], pairs.cosine[inside])
    similarity[np.bincount(group, minlength=n)[group] == 1] = 1.0
    return Groups(group, similarity, np.concatenate(edges), tuple(verdicts), np.concatenate(refused), joined)


def _told(verdicts: list[Verdict | None]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Verdicts as arrays to be kept: kind ("": none), evidence, score."""
    told = [verdict or Verdict("", "", 0.0) for verdict in verdicts]
    columns = [v.kind for v in told], [v.evidence for v in told]
    return np.array(columns[0], "U8"), np.array(columns[1], "U8"), np.array([v.score for v in told], np.float64)


def group_edges(group: Rows, edges: Rows) -> tuple[Rows, Rows]:
    """Both ends of the edges that make `group` (n,), and of `edges` (e, 2): what the next components are found over."""
    own = np.flatnonzero(group != np.arange(len(group)))
    return np.concatenate([own, edges[:, 0]]), np.concatenate([group[own], edges[:, 1]])


def representatives(group: Rows, pixels: Rows) -> NDArray[np.bool_]:
    """The largest picture of each group (n,), by `pixels` (n,); of equals the first row."""
    order = np.lexsort((np.arange(len(group)), -pixels, group))
    first = np.concatenate([[True], group[order][1:] != group[order][:-1]]) if len(group) else np.empty(0, bool)
    chosen = np.zeros(len(group), bool)
    chosen[order[first]] = True
    return chosen


SIZES = (1, 2, 3, 5, 10, 30, 100, 1000)


def size_histogram(group: Rows) -> dict[str, int]:
    """The number of groups of `group` (n,) by size: "1", "2", "3-4", …

    Sizes in between belong to the bin that begins below them.
    """
    sizes = np.unique(group, return_counts=True)[1]
    ends = [*SIZES[1:], np.inf]
    names = [
        str(a) if b == a + 1 else f"{a}-{b - 1}" if np.isfinite(b) else f"{a}+"
        for a, b in zip(SIZES, ends, strict=True)
    ]
    return {name: int(((sizes >= a) & (sizes < b)).sum()) for name, a, b in zip(names, SIZES, ends, strict=True)}
