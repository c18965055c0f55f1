"""Pairs of pictures by votes of their points: a collage, a screenshot and a crop share points, whatever else they show.

Each picture's VOTERS strongest points are searched for among those of all pictures: FAISS, an inverted file over their
DIMENSIONS principal numbers. A point and its mirror image are taken for one, whichever of them faces right. A point
votes for the pictures of its NEIGHBOURS nearest points, once for each; a picture's pairs are the `most` pictures with
most votes, of at least MIN_VOTES and SHARE. So the pairs grow as the pictures, whatever they show. A picture's further
looks vote, and are voted for, as pictures of their own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from faiss.contrib.ivf_tools import add_preassigned
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.copies.groups import distinct, nearest_centres
from pipeline.copies.look import Look
from pipeline.copies.looks import Looks
from pipeline.copies.points import MIRROR, Numbers
from pipeline.running.checkpoints import Keep, made
from pipeline.running.machine import cores
from pipeline.running.progress import bar

VOTERS = 200
DIMENSIONS = 32
NEIGHBOURS = 6
MIN_VOTES, SHARE = 5, 0.05
"""Votes that make a pair: so many, and such a share of the points that a picture asks with.

The more they are, the more are near something by chance.
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
PIVOTS = 256
"""Centres in whose order cells lie in memory and points are asked for: beyond MANY most time goes into waiting for what
is not in the processor's cache, and points that are near to each other need the same of it.
"""

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Pieces = Callable[[], Iterable[tuple[Rows, Numbers]]]


def voted_pairs(looks: Looks, most: int, seed: int, keep: Keep) -> tuple[Rows, Rows, int]:
    """Rows left < right of the pairs (p,), each once, and how many pairs with enough votes `most` cut off."""
    total = sum(len(rows) for rows, _ in looks.numbers(VOTERS))
    if total < NEIGHBOURS + 1:
        return np.empty(0, np.int64), np.empty(0, np.int64), 0
    index = Index.of(lambda: looks.numbers(VOTERS), total, seed, keep)
    owner = looks.owners()
    n, found, beyond = len(owner), [], 0
    with bar("votes", "points", total=total) as shown:
        for piece, (rows, numbers) in enumerate(looks.numbers(VOTERS)):
            left, right, cut = keep(
                f"votes-{piece:06}",
                lambda r=rows, x=numbers, p=piece: index.pairs(n, r, x, most, keep, p),  # type: ignore[misc]
            )
            found.append((owner[left], owner[right]))
            beyond += int(cut[0])
            shown.update(len(rows))
    left, right = map(np.concatenate, zip(*found, strict=True))
    return *_of_two(left, right, len(looks)), beyond


def voted_for(asking: Sequence[Look], among: Sequence[Look], most: int, seed: int) -> tuple[Rows, Rows]:
    """Of the looks `asking`, each by itself, the pairs (p,) with those of `among` that its points vote for."""
    (asked, asks), (held, owner) = _shown(asking), _shown(among)
    rows = np.repeat(np.arange(len(held)), [len(one) for one in held])
    if len(rows) < NEIGHBOURS + 1 or not asked:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    index = Index.of(lambda: iter([(rows, np.concatenate(held))]), len(rows), seed, made)
    n = len(held) + len(asked)
    voting = np.repeat(np.arange(len(held), n), [len(one) for one in asked])
    other, one, _ = index.pairs(n, voting, np.concatenate(asked), most)
    owner = np.concatenate([owner, len(among) + asks])
    other, one = _of_two(owner[other], owner[one], len(among) + len(asking))
    return one - len(among), other


def _shown(looks: Sequence[Look]) -> tuple[list[Numbers], Rows]:
    """The numbers of what votes, and whose look of `looks` it is: each, and its further ones."""
    shown = [(one, row) for row, look in enumerate(looks) for one in (look, *look.further)]
    return [one.points.numbers[:VOTERS] for one, _ in shown], np.array([row for _, row in shown], np.int64)


def _of_two(one: Rows, other: Rows, n: int) -> tuple[Rows, Rows]:
    """Rows left < right of the pairs of two of n pictures, each once; two looks of one picture are no pair."""
    apart = one != other
    left, right = np.divmod(distinct((np.minimum(one, other) * n + np.maximum(one, other))[apart]), n)
    return left, right


@dataclass(frozen=True)
class Index:
    """The points of all pictures, in cells: `held` by FAISS along `axes` (128, DIMENSIONS), with the `picture` of each.

    `right` (128,): where points face, or their mirror images do. `pivots`: centres of cells, for an order in which
    points that are near to each other are asked for together.
    """

    held: Any
    right: Vectors
    axes: Vectors
    pivots: Any
    picture: NDArray[np.int32]

    @classmethod
    def of(cls, pieces: Pieces, total: int, seed: int, keep: Keep) -> "Index":
        """The index of `total` points; the cells of each piece of them are kept, to be asked for anew."""
        right, axes = _axes(_drawn(pieces, FOR_AXES / total, seed))
        cells = int(max(1, min(2 * np.sqrt(total), total / 39), total / LIST))
        learnt = _along(_drawn(pieces, max(LEARNT, TO_A_CELL * cells) / total, seed), right, axes)
        # Beyond MANY a graph finds cells, in k-means too: the time of comparing with all of them grows as their square.
        centres: Any = faiss.IndexHNSWFlat(DIMENSIONS, 32) if cells > MANY else faiss.IndexFlatL2(DIMENSIONS)
        held: Any = faiss.IndexIVFScalarQuantizer(centres, DIMENSIONS, cells, faiss.ScalarQuantizer.QT_8bit)
        if cells > MANY:
            centres.hnsw.efSearch = 12  # which finds .99 of what 4 probes of all would
        held.cp.seed, held.cp.niter, held.cp.max_points_per_centroid = seed % 2**31, 4, 64
        faiss.omp_set_num_threads(cores() if cells > MANY else 1)  # as `nearest_centres` says; a graph makes no product
        held.train(learnt)
        faiss.omp_set_num_threads(cores())
        held.nprobe = PROBES
        pivots: Any = faiss.IndexFlatL2(DIMENSIONS)
        pivots.add(centres.reconstruct_n(0, min(cells, PIVOTS)))
        if cells > MANY:
            centres.permute_entries(_order(pivots, centres.reconstruct_n(0, cells)))
        index = cls(held, right, axes, pivots, np.empty(total, np.int32))
        begin = 0
        for piece, (rows, numbers) in enumerate(pieces()):
            if len(rows):
                along = index.along(numbers)
                cell = index.cells(along, keep, piece)[:, 0].astype(np.int64)
                add_preassigned(held, along, cell)  # type: ignore[no-untyped-call]
            index.picture[begin : begin + len(rows)] = rows
            begin += len(rows)
        return index

    def along(self, numbers: Numbers) -> Vectors:
        """Numbers (p, 128) of points or of their mirror images, (p, DIMENSIONS): the same."""
        return _along(numbers, self.right, self.axes)

    def cells(self, along: Vectors, keep: Keep = made, piece: int = 0) -> NDArray[np.int32]:
        """The PROBES cells (p, PROBES) that are nearest to points, nearest first; kept for a `piece` of the index."""

        def found() -> tuple[NDArray[np.int32]]:
            order = _order(self.pivots, along)
            near = np.empty((len(along), PROBES), np.int32)
            near[order] = nearest_centres(self.held.quantizer, along[order], PROBES)
            return (near,)

        return keep(f"cells-{piece:06}", found)[0]

    def nearest(self, along: Vectors, cells: NDArray[np.int32]) -> Rows:
        """The nearest points (p, NEIGHBOURS + 1) in `cells` (p, PROBES), itself too; -1 where they hold fewer."""
        order = np.argsort(cells[:, 0], kind="stable")
        near = np.empty((len(along), NEIGHBOURS + 1), np.int64)
        near[order] = self.held.search_preassigned(along[order], NEIGHBOURS + 1, cells[order], None)[1]
        return near

    def pairs(
        self, n: int, rows: Rows, numbers: Numbers, most: int, keep: Keep = made, piece: int = 0
    ) -> tuple[Rows, Rows, Rows]:
        """What points of the pictures `rows` (p,) of n vote for, as `tallied` says; of a `piece` cells are kept."""
        along = self.along(numbers)
        return tallied(self.nearest(along, self.cells(along, keep, piece)), self.picture, n, rows, most)


def tallied(near: Rows, picture: NDArray[np.int32], n: int, rows: Rows, most: int) -> tuple[Rows, Rows, Rows]:
    """The pairs, left < right, that the points of the pictures `rows` (p,) of n vote for; how many were cut off, (1,).

    near: the points, of whose `picture` they are told, that are nearest to each (p, NEIGHBOURS + 1), -1 none.
    """
    voters = np.bincount(rows - rows[0]) if len(rows) else np.empty(0, np.int64)
    voted = np.where(near >= 0, picture[near], rows[:, None])
    point, voted = np.divmod(distinct((np.arange(len(rows))[:, None] * n + voted).ravel()), n)
    key = np.sort(rows[point] * n + voted)
    first = np.flatnonzero(np.diff(key, prepend=-1))
    count = np.diff(first, append=len(key))
    key = key[first]
    least = np.maximum(MIN_VOTES, SHARE * voters[key // n - rows[:1]])
    kept = (count >= least) & (key // n != key % n)
    key, count = key[kept], count[kept]
    order = np.lexsort((key, -count, key // n))
    asking = key[order] // n
    place = np.arange(len(order)) - np.searchsorted(asking, asking)
    one, other = np.divmod(key[order][place < most], n)
    return np.minimum(one, other), np.maximum(one, other), np.array([(place >= most).sum()])


def _order(pivots: Any, along: Vectors) -> Rows:
    """Places of points (p,) by the nearest of the `pivots`."""
    return np.argsort(nearest_centres(pivots, along, 1)[:, 0], kind="stable")


def _drawn(pieces: Pieces, share: float, seed: int) -> Numbers:
    """A `share` of the points' numbers."""
    random = np.random.default_rng(seed)
    return np.concatenate([numbers[random.random(len(numbers)) < share] for _, numbers in pieces()])


def _along(numbers: Numbers, right: Vectors, axes: Vectors) -> Vectors:
    """Numbers (p, 128), or those of the mirror image where that faces `right` (128,), along `axes` (128, d)."""
    with threadpool_limits(1):
        turned = numbers @ right < 0
        return np.asarray(np.where(turned[:, None], numbers[:, MIRROR], numbers).astype(np.float32) @ axes)


def _axes(numbers: Numbers) -> tuple[Vectors, Vectors]:
    """Of numbers (m, 128), the axis (128,) along which most points differ from their mirror images, and the principal
    axes (128, DIMENSIONS) of all that face it.
    """
    apart = numbers.astype(np.float32) - numbers[:, MIRROR]
    with threadpool_limits(1):  # here and below: OpenBLAS rounds by the number of threads
        right = np.linalg.eigh(apart.T @ apart)[1][:, -1]
        facing = _along(numbers, right, np.eye(128, dtype=np.float32))
        axes = np.linalg.eigh(facing.T @ facing)[1][:, ::-1][:, :DIMENSIONS]
    return right, np.ascontiguousarray(axes)
