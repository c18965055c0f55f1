"""Pairs of pictures by votes of their points: a collage, a screenshot and a crop share points, whatever else they show.

Each picture's VOTERS strongest points are searched for among those of all pictures, as they are and mirrored: FAISS, an
inverted file over their DIMENSIONS principal numbers. A point votes for the pictures of its NEIGHBOURS nearest points,
once for each; a picture's pairs are the `most` pictures with most votes, of at least MIN_VOTES and SHARES. So the pairs
grow as the pictures, whatever they show.
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
MIN_VOTES, SHARES = 5, (0.05, 0.075)
"""Votes that make a pair: so many, and such a share of the points that a picture asks with, as they are and mirrored.

The more they are, the more are near something by chance, and the mirrored ones mostly by chance alone.
"""
PROBES = 4
FOR_AXES = 30_000
"""Points that the principal axes are learnt from."""
LEARNT, TO_A_CELL = 200_000, 20
"""Points that cells are learnt from, at least, and for each cell."""
LIST = 400
"""Points of a cell on average, at most: a point is compared with those of PROBES cells, however many there are."""
MANY = 5_000
"""Cells from which on they are found by a graph (HNSW)."""

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
    axes = _axes(_drawn(pieces, FOR_AXES / total, seed))
    cells = int(max(1, min(2 * np.sqrt(total), total / 39), total / LIST))
    learnt = _drawn(pieces, max(LEARNT, TO_A_CELL * cells) / total, seed, axes)
    # Beyond MANY a graph finds the cells, in k-means too: the time of comparing with all of them grows as their square.
    centres: Any = faiss.IndexHNSWFlat(DIMENSIONS, 32) if cells > MANY else faiss.IndexFlatL2(DIMENSIONS)
    index: Any = faiss.IndexIVFScalarQuantizer(centres, DIMENSIONS, cells, faiss.ScalarQuantizer.QT_8bit)
    if cells > MANY:
        centres.hnsw.efSearch = 12  # which finds .99 of what 4 probes of all would
    index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = seed % 2**31, 4, 64
    index.train(learnt)
    index.nprobe = PROBES
    picture = np.empty(total, np.int32)
    begin = 0
    for rows, numbers in pieces():
        if len(rows):
            index.add(numbers.astype(np.float32) @ axes)
        picture[begin : begin + len(rows)] = rows
        begin += len(rows)
    return index, axes, picture


def _drawn(
    pieces: Callable[[], Iterable[tuple[Rows, Numbers]]], share: float, seed: int, axes: Any = None
) -> NDArray[np.float32]:
    """A `share` of the points' numbers, or of these along `axes`."""
    random = np.random.default_rng(seed)
    drawn = (numbers[random.random(len(numbers)) < share].astype(np.float32) for _, numbers in pieces())
    return np.concatenate([numbers if axes is None else numbers @ axes for numbers in drawn])


def _axes(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """The principal axes (128, DIMENSIONS) of numbers (m, 128) and of those of the mirror images."""
    products = numbers.T @ numbers
    both = products + products[np.ix_(MIRROR, MIRROR)]
    return np.ascontiguousarray(np.linalg.eigh(both)[1][:, ::-1][:, :DIMENSIONS]).astype(np.float32)


def _piece(
    index: Any, axes: NDArray[np.float32], picture: NDArray[np.int32], n: int, rows: Rows, numbers: Any, most: int
) -> tuple[Rows, Rows, Rows]:
    """The pairs, left < right, that the points of the pictures `rows` of n vote for; how many were cut off, (1,)."""
    none = np.empty(0, np.int64)
    tallies = [(none, none)]
    voters = np.bincount(rows - rows[0]) if len(rows) else none
    for face, share in zip((numbers, numbers[:, MIRROR]), SHARES, strict=True) if len(rows) else ():
        near = index.search(face.astype(np.float32) @ axes, NEIGHBOURS + 1)[1]
        voted = np.where(near >= 0, picture[near], rows[:, None])
        point, voted = np.divmod(distinct((np.arange(len(rows))[:, None] * n + voted).ravel()), n)
        key = np.sort(rows[point] * n + voted)
        first = np.flatnonzero(np.diff(key, prepend=-1))
        count = np.diff(first, append=len(key))
        key = key[first]
        least = np.maximum(MIN_VOTES, share * voters[key // n - rows[0]])
        kept = (count >= least) & (key // n != key % n)
        tallies.append((key[kept], count[kept]))
    key, count = (np.concatenate(column) for column in zip(*tallies, strict=True))
    order = np.lexsort((key, -count, key // n))
    asking = key[order] // n
    place = np.arange(len(order)) - np.searchsorted(asking, asking)
    one, other = np.divmod(key[order][place < most], n)
    return np.minimum(one, other), np.maximum(one, other), np.array([(place >= most).sum()])
