"""A content group that is too large is cut, so that a corpus of reposts can still be evaluated.

Where a few pictures go around with a few sayings, everything hangs together: one group, all of it train, nothing to
ask. Such a group is cut into pieces that have a side each, by a hash of their id as whole groups have; a post that is
bound to pieces on two sides is excluded, and so nothing crosses.

- Items (`pipeline.split.bonds`) join by descending strength of what ties them: the share of the posts of the smaller
  that both hold, 1 for linked ones. A piece takes no more than a quarter of what a group may hold, as large pieces
  make shares that swing.
- What more posts hold than a group may trains whole, as a group of that size does; an item with most of its posts there
  goes along, which costs held-out posts, not excluded ones.
- Of a link between two pieces one end is chosen beforehand, so that few posts hold it: its posts stay where the other
  end stands on the same side.

Which posts go was measured on generated graphs beside other ways (docs/split.md).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.common.groups import components
from pipeline.split.bonds import Bonds

PIECES = 4
"""A piece holds at most this part of what a group may hold."""
ALONG = 0.5
"""The share of an item's posts that are bound to what trains whole above which it goes along."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of the groups that were cut.

    `piece` (n,): that of each post, as the row of its smallest member, -1 for posts outside. `trains`: the pieces that
    train whole. `post`, `other` (b,): a post, and another piece that it is bound to, and has to share the side of; n
    where that trains and has no post of its own.
    """

    piece: np.ndarray
    trains: np.ndarray
    post: np.ndarray
    other: np.ndarray


def cut(bonds: Bonds, inside: np.ndarray, group: np.ndarray, names: np.ndarray, most: float) -> Pieces:
    """Cut the groups of the posts `inside` (n,), each of more than `most` posts.

    `group` (n,) keeps groups apart; `names` (n,) are numbers in [0, 1) that stand for the posts whatever else there
    is, and break ties.
    """
    bonds = bonds.among(inside)
    lead = np.concatenate([[True], np.diff(bonds.post) > 0]) if len(bonds.post) else np.empty(0, bool)
    holder, leading = bonds.post[lead], bonds.item[lead]
    first = np.repeat(leading, np.diff(np.append(np.flatnonzero(lead), len(bonds.post))))
    held = np.bincount(bonds.item, minlength=bonds.k)
    owned = np.bincount(leading, minlength=bonds.k)
    root = _join(bonds, first, held, owned, names, most)

    whole = root == bonds.k  # one node stood for all that trains; each group has its own again
    label = np.where(whole[leading], bonds.k + group[holder], root[leading])
    smallest = np.full(bonds.k + bonds.n, bonds.n)
    np.minimum.at(smallest, label, holder)
    piece = np.full(bonds.n, -1)
    piece[holder] = smallest[label]
    of_item = np.full(bonds.k, -1)
    of_item[bonds.item] = np.where(whole[bonds.item], smallest[bonds.k + group[bonds.post]], smallest[root[bonds.item]])

    post, other = [bonds.post], [of_item[bonds.item]]
    apart = of_item[bonds.one] != of_item[bonds.other]
    ends = np.sort(np.column_stack([bonds.one[apart], bonds.other[apart]]), axis=1)
    one, across = np.unique(ends, axis=0).T
    first_goes = _cover(one, across, held.astype(np.float64))
    goes, stays = np.where(first_goes, one, across), np.where(first_goes, across, one)
    order = np.argsort(bonds.item, kind="stable")
    starts = np.searchsorted(bonds.item[order], np.arange(bonds.k + 1))
    times = held[goes]
    place = np.repeat(starts[goes] - (np.cumsum(times) - times), times) + np.arange(times.sum())
    post.append(bonds.post[order[place]])
    other.append(np.repeat(of_item[stays], times))
    pairs = np.unique(np.column_stack([np.concatenate(post), np.concatenate(other)]), axis=0)
    pairs = pairs[piece[pairs[:, 0]] != pairs[:, 1]]
    trains = np.unique(smallest[bonds.k :][smallest[bonds.k :] < bonds.n])
    return Pieces(piece, trains, pairs[:, 0], pairs[:, 1])


def _join(
    bonds: Bonds, first: np.ndarray, held: np.ndarray, owned: np.ndarray, names: np.ndarray, most: float
) -> np.ndarray:
    """For each item its piece, as an item of it; k: it trains whole. `first` (m,): the first item of the post."""
    k = bonds.k
    train = np.append(held > most, True)
    one = np.concatenate([first, bonds.one, bonds.other])
    other = np.concatenate([bonds.item, bonds.other, bonds.one])
    weight = np.ones(len(one), np.int64)
    weight[len(first) :] = np.minimum(held[one[len(first) :]], held[other[len(first) :]])
    one, other = np.where(train[one], k, one), np.where(train[other], k, other)
    key = np.minimum(one, other) * (k + 1) + np.maximum(one, other)
    tie, back = np.unique(key, return_inverse=True)
    one, other = np.divmod(tie, k + 1)
    weight = np.bincount(back, weights=weight, minlength=len(tie))
    size = np.append(held, np.iinfo(np.int64).max)
    strength = np.minimum(1.0, weight / np.minimum(size[one], size[other]))

    name = np.full(k + 1, 1.0)
    np.minimum.at(name, bonds.item, names[bonds.post])
    order = np.lexsort((np.maximum(name[one], name[other]), np.minimum(name[one], name[other]), -strength))
    order = order[one[order] != other[order]]
    root = np.arange(k + 1)
    root[train] = k
    connected = components(k, np.append(first, bonds.one), np.append(bonds.item, bonds.other))
    small = np.bincount(connected, owned, minlength=k)[connected] <= most  # without the posts that are not kept
    room = np.append(np.where(small, most, most / PIECES), 0)
    along = strength[order] > ALONG
    return _merge(root, np.append(owned, 0), room, one[order], other[order], along)[:k]


@njit(cache=True)
def _merge(
    root: np.ndarray, posts: np.ndarray, room: np.ndarray, one: np.ndarray, other: np.ndarray, along: np.ndarray
) -> np.ndarray:
    """Join the ends of each tie, in order, while a piece has room; the last node takes what goes along with it."""
    last = len(root) - 1
    for tie in range(len(one)):
        a, b = _root(root, one[tie]), _root(root, other[tie])
        if a == b:
            continue
        if a == last or b == last:
            if along[tie]:
                root[min(a, b)] = last
        elif posts[a] + posts[b] <= room[a] or posts[a] == 0 or posts[b] == 0:
            root[b] = a
            posts[a] += posts[b]
    for node in range(len(root)):
        root[node] = _root(root, node)
    return root


@njit(cache=True)
def _root(root: np.ndarray, node: int) -> int:
    while root[node] != node:
        root[node] = root[root[node]]
        node = root[node]
    return node


@njit(cache=True)
def _cover(one: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """For each link whether its first end is the one that goes, so that those that go weigh little.

    Local ratio (Bar-Yehuda and Even, 1985): each link takes from both ends what the lighter has left, and who has
    nothing left is in the cover, at most twice as heavy as the lightest; where both are, one that goes anyway goes.
    """
    left = weight.copy()
    for link in range(len(one)):
        taken = min(left[one[link]], left[other[link]])
        left[one[link]] -= taken
        left[other[link]] -= taken
    first = np.empty(len(one), np.bool_)
    taken_out = np.zeros(len(weight), np.bool_)
    for both in (False, True):  # links with one end in the cover decide first
        for link in range(len(one)):
            a, b = one[link], other[link]
            if (left[a] <= 0 and left[b] <= 0) == both:
                lighter = taken_out[a] or (not taken_out[b] and weight[a] <= weight[b])
                first[link] = lighter if both else left[a] <= 0
                taken_out[a if first[link] else b] = True
    return first
