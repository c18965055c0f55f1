"""Pairs of pictures by votes of their points: a collage, a screenshot and a crop share points, whatever else they show.

Each picture's VOTERS strongest points are searched for among those of all pictures, as they are and mirrored: FAISS, an
inverted file over their DIMENSIONS principal numbers. A point votes for the pictures of its NEIGHBOURS nearest points,
once for each; a picture's pairs are the `most` pictures with most votes, of at least MIN_VOTES. So the pairs grow as
the pictures, whatever they show.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.copies.groups import distinct
from pipeline.copies.looks import Looks
from pipeline.copies.points import MIRROR, Numbers, Points
from pipeline.running.checkpoints import Keep
from pipeline.running.machine import cores
from pipeline.running.progress import bar

VOTERS = 200
DIMENSIONS = 32
NEIGHBOURS = 6
MIN_VOTES = 5
PROBES = 4
LEARNT = 200_000
"""Points that principal axes and cells are learnt from."""
LARGE = 3_000_000
"""Points from which on the cells themselves are found by a graph."""

Rows = NDArray[np.int64]


def voted_pairs(looks: Looks, most: int, seed: int, keep: Keep) -> tuple[Rows, Rows, int]:
    """Rows left < right of the pairs (p,), each once, and how many pairs with enough votes `most` cut off."""
    counts = [len(rows) for rows, _ in looks.numbers(VOTERS)]
    total = sum(counts)
    if total < NEIGHBOURS + 1:
        return np.empty(0, np.int64), np.empty(0, np.int64), 0
    faiss.omp_set_num_threads(cores())
    index, axes, picture = _index(lambda: looks.numbers(VOTERS), total, seed)
    n = len(looks)
    found, beyond = [], 0
    with bar("votes", "points", total=total) as shown:
        for piece, (rows, numbers) in enumerate(looks.numbers(VOTERS)):
            left, right, cut = keep(
                f"votes-{piece:06}",
                lambda r=rows, x=numbers: _piece(index, axes, picture, n, r, x, most),  # type: ignore[misc]
            )
            found.append(left * n + right)
            beyond += int(cut[0])
            shown.update(len(rows))
    left, right = np.divmod(distinct(np.concatenate(found)), n)
    return left, right, beyond


def voted_for(asking: Sequence[Points], among: Sequence[Points], most: int, seed: int) -> tuple[Rows, Rows]:
    """Of the pictures `asking`, each by itself, the pairs (p,) with those of `among` that its points vote for."""
    held, asked = ([one.numbers[:VOTERS] for one in side] for side in (among, asking))
    rows = np.repeat(np.arange(len(held)), [len(one) for one in held])
    if len(rows) < NEIGHBOURS + 1 or not asked:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    index, axes, picture = _index(lambda: iter([(rows, np.concatenate(held))]), len(rows), seed)
    n = len(among) + len(asking)
    voting = np.repeat(np.arange(len(among), n), [len(one) for one in asked])
    other, one, _ = _piece(index, axes, picture, n, voting, np.concatenate(asked), most)
    return one - len(among), other


def _index(
    pieces: Callable[[], Iterable[tuple[Rows, Numbers]]], total: int, seed: int
) -> tuple[Any, NDArray[np.float32], NDArray[np.int32]]:
    """The points of all pictures as an index, the axes that its numbers lie along, and each point's picture."""
    random = np.random.default_rng(seed)
    share = min(1.0, LEARNT / total)
    sample = np.concatenate([x[random.random(len(x)) < share] for _, x in pieces()]).astype(np.float32)
    both = np.concatenate([sample, sample[:, MIRROR]])
    axes = np.ascontiguousarray(np.linalg.eigh(both.T @ both)[1][:, ::-1][:, :DIMENSIONS]).astype(np.float32)
    cells = int(np.clip(2 * np.sqrt(total), 1, max(1, len(sample) // 39)))
    graph = "_HNSW32" if total > LARGE else ""
    index: Any = faiss.index_factory(DIMENSIONS, f"IVF{cells}{graph},SQ8")
    index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = seed % 2**31, 8, 64
    index.train(sample @ axes)
    index.nprobe = PROBES
    picture = np.empty(total, np.int32)
    begin = 0
    for rows, numbers in pieces():
        if len(rows):
            index.add(numbers.astype(np.float32) @ axes)
        picture[begin : begin + len(rows)] = rows
        begin += len(rows)
    return index, axes, picture


def _piece(
    index: Any, axes: NDArray[np.float32], picture: NDArray[np.int32], n: int, rows: Rows, numbers: Any, most: int
) -> tuple[Rows, Rows, Rows]:
    """The pairs, left < right, that the points of the pictures `rows` of n vote for; how many were cut off, (1,)."""
    none = np.empty(0, np.int64)
    tallies = [(none, none)]
    for face in (numbers, numbers[:, MIRROR]) if len(rows) else ():
        near = index.search(face.astype(np.float32) @ axes, NEIGHBOURS + 1)[1]
        voted = np.where(near >= 0, picture[near], rows[:, None])
        point, voted = np.divmod(distinct((np.arange(len(rows))[:, None] * n + voted).ravel()), n)
        key = np.sort(rows[point] * n + voted)
        first = np.flatnonzero(np.diff(key, prepend=-1))
        count = np.diff(first, append=len(key))
        key = key[first]
        kept = (count >= MIN_VOTES) & (key // n != key % n)
        tallies.append((key[kept], count[kept]))
    key, count = (np.concatenate(column) for column in zip(*tallies, strict=True))
    order = np.lexsort((key, -count, key // n))
    asking = key[order] // n
    place = np.arange(len(order)) - np.searchsorted(asking, asking)
    one, other = np.divmod(key[order][place < most], n)
    return np.minimum(one, other), np.maximum(one, other), np.array([(place >= most).sum()])
