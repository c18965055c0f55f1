"""Which posts go as near-copies of one that stays, given the pairs of sets that overlap.

Shapes: n posts, m distinct sets.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from pipeline.join.pairs import Pairs, not_below
from pipeline.join.sets import Sets

Array = np.ndarray[Any, Any]


class Kept(NamedTuple):
    """For each post the post that it is removed as a copy of, -1 where it is kept, and the overlap of the two, or 0."""

    duplicate_of: Array
    overlap: Array


def keep_first(sets: Sets, pairs: Pairs, order: Array, user: Array, image: Array, same_user: bool) -> Kept:
    """Walk the posts in `order`; one is removed if an earlier kept post reaches the threshold and its image allows.

    user (n,): the author, as a number from 0; image (n,): the image, as a number from 0, -1 for none. A post without
    an image may be a copy of any; one with an image only of a post with the same image. With `same_user`, only of a
    post by the same author. It is recorded with the kept post of the highest overlap, of several the first, so no
    chain removes what is not itself close to a kept post.
    """
    m, n = len(sets.offsets) - 1, len(order)
    author = user.astype(np.int64) if same_user else np.zeros(n, np.int64)
    picture = image.astype(np.int64)
    if same_user and n:
        _, pictured = np.unique(author * (int(picture.max()) + 2) + picture + 1, return_inverse=True)
        picture = np.where(picture >= 0, pictured, -1)
    # A cell is a set with an author (posts without an image are looked up there), or a set with an image.
    author_cells = _cells(sets.of, author)
    picture_cells = _cells(sets.of, np.where(picture >= 0, picture, int(picture.max(initial=-1)) + 1))
    with_picture = np.bincount(picture[picture >= 0], minlength=1)
    neighbours = _neighbours(m, pairs)
    turn = np.empty(n, np.int64)
    turn[order] = np.arange(n)
    duplicate_of, overlap = _keep_first(
        order, turn, sets.of, author, picture, with_picture, *author_cells, *picture_cells, *neighbours
    )
    return Kept(duplicate_of, overlap)


def _neighbours(m: int, pairs: Pairs) -> tuple[Array, Array, Array]:
    """Pairs as lists: the neighbours of set s, and the overlaps with them, from starts[s] to starts[s + 1]."""
    ends = np.concatenate([pairs.left, pairs.right])
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(m + 1))
    others = np.concatenate([pairs.right, pairs.left])[order]
    return starts, others, np.concatenate([pairs.overlap, pairs.overlap])[order]


def _cells(of: Array, who: Array) -> tuple[Array, int, Array]:
    """The distinct (set, who) as sorted numbers set * width + who; the width; each post's row among them."""
    width = int(who.max(initial=0)) + 1
    cells, rows = np.unique(of.astype(np.int64) * width + who, return_inverse=True)
    return cells, width, rows


@numba.njit(cache=True)
def _keep_first(
    order: Array, turn: Array, of: Array, author: Array, picture: Array, with_picture: Array,
    author_cells: Array, author_width: int, author_rows: Array,
    picture_cells: Array, picture_width: int, picture_rows: Array,
    starts: Array, others: Array, overlaps: Array,
) -> tuple[Array, Array]:  # fmt: skip
    n = len(order)
    duplicate_of = np.full(n, -1, np.int64)
    overlap = np.zeros(n)
    # The first kept post of each cell.
    by_author = np.full(len(author_cells), -1, np.int64)
    by_picture = np.full(len(picture_cells), -1, np.int64)
    for p in order:
        pictured = picture[p] >= 0
        first = by_picture[picture_rows[p]] if pictured else by_author[author_rows[p]]
        best = 1.0
        if first < 0 and not (pictured and with_picture[picture[p]] == 1):
            best = 0.0
            for at in range(starts[of[p]], starts[of[p] + 1]):
                if overlaps[at] < best:
                    continue
                if pictured:
                    other = _first_kept(by_picture, picture_cells, others[at] * picture_width + picture[p])
                else:
                    other = _first_kept(by_author, author_cells, others[at] * author_width + author[p])
                if other >= 0 and (overlaps[at] > best or turn[other] < turn[first]):
                    first, best = other, overlaps[at]
        if first >= 0:
            duplicate_of[p], overlap[p] = first, best
        else:
            if by_author[author_rows[p]] < 0:
                by_author[author_rows[p]] = p
            if pictured:
                by_picture[picture_rows[p]] = p
    return duplicate_of, overlap


@numba.njit(cache=True)
def _first_kept(kept: Array, cells: Array, cell: int) -> int:
    at = not_below(cell, cells, 0, len(cells))
    return int(kept[at]) if at < len(cells) and cells[at] == cell else -1
