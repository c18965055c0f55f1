"""Leakage-free assignment of posts to the sides train, val and test.

A content group is a connected component of posts over what they share and what is like it (`pipeline.split.bonds`). It
is named by its smallest post_id, and stands on one side: that of a hash of (seed, group_id), no draw over rows. A post
therefore moves only if its group gets a smaller member, merges with another, or crosses the size limit; never because
other posts arrive. A group past the limit is cut into pieces (`pipeline.split.cut`) that are placed in the same way: a
post moves only if its piece changes, which it may when the group that was cut gains posts.

Shapes: n posts, in order of post_id. Fractions are expected shares of posts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.common.hashing import unit_hash
from pipeline.split.bonds import Bonds
from pipeline.split.cut import cut

TRAIN, VAL, TEST, EXCLUDED = "train", "val", "test", "excluded"


@dataclass(frozen=True)
class Groups:
    """The groups of n posts, those of which have a side that are kept.

    `of` (n,): a post's group, as the row of its smallest member; of a group that was cut, its piece; -1: not kept.
    `trains` (n,): whether it trains whole. `post`, `other` (b,): a post and another piece that it is bound to, n where
    that trains and has no post of its own.
    `uncut` (n,): the content group as it was. `limit`: the posts that a group may hold.
    """

    of: np.ndarray
    trains: np.ndarray
    post: np.ndarray
    other: np.ndarray
    uncut: np.ndarray
    limit: float


def content_groups(
    bonds: Bonds, post_ids: pa.ChunkedArray, kept: np.ndarray, max_group_share: float, seed: int
) -> Groups:
    """The groups of the posts `kept` (n,); one that holds more than `max_group_share` of them is cut.

    Posts that are not kept bind others as long as their group is whole; where it is cut, only what is kept can cross.
    """
    group = bonds.components()
    limit = max_group_share * int(kept.sum())
    large = np.bincount(group[kept], minlength=bonds.n) > limit
    of = np.where(kept, group, -1)
    inside = kept & large[group]
    ties = np.zeros(bonds.n)
    ties[inside] = unit_hash(post_ids.filter(pa.array(inside)).to_pylist(), seed, "cut")
    pieces = cut(bonds, inside, group, ties, limit)
    of[inside] = np.where(pieces.piece[inside] < 0, group[inside], pieces.piece[inside])
    trains = np.isin(of, pieces.trains) | (np.bincount(of[kept], minlength=bonds.n) > limit)[of] & kept
    return Groups(of, trains, pieces.post, pieces.other, group, limit)


@dataclass(frozen=True)
class Assignment:
    """Sides of n posts: `side` (n,), of groups that are whole or cut; EXCLUDED where a post is bound to two sides.

    `shares`: for each side its posts, their share, the expected share, and the standard deviation of the share.
    """

    side: np.ndarray
    shares: dict[str, dict[str, float]]


def assign(post_ids: pa.ChunkedArray, groups: Groups, fractions: Mapping[str, float], seed: int) -> Assignment:
    """Place the posts. `fractions` maps each side but train to its share; train has the rest.

    A group that trains whole does so whatever its hash: held out, it alone would be the evaluation. None of the others
    sees what else there is.
    """
    kept = groups.of >= 0
    leaders, of_kept = np.unique(groups.of[kept], return_inverse=True)
    position = unit_hash(post_ids.take(pa.array(leaders)).to_pylist(), seed, "side")
    names = np.array([*fractions, TRAIN], dtype=object)
    chosen = names[np.searchsorted(np.cumsum(list(fractions.values())), position, side="right")]
    trains = np.zeros(len(leaders) + 1, bool)  # the last: what trains without a post of its own
    trains[of_kept[groups.trains[kept]]] = True
    trains[-1] = True
    chosen = np.where(trains, TRAIN, np.append(chosen, TRAIN))

    side = np.full(len(kept), None, object)
    side[kept] = chosen[of_kept]
    other = np.searchsorted(leaders, groups.other)
    side[groups.post[side[groups.post] != chosen[other]]] = EXCLUDED
    number = np.full(len(kept), -1)
    number[kept] = of_kept
    whole = {TRAIN: 1 - float(sum(fractions.values())), **fractions}
    return Assignment(side, _shares(side, number, trains, groups.post, other, whole))


def _shares(
    side: np.ndarray, group: np.ndarray, trains: np.ndarray, post: np.ndarray, other: np.ndarray,
    fractions: Mapping[str, float],
) -> dict[str, dict[str, float]]:  # fmt: skip
    """What `Assignment.shares` tells; `group` (n,) and `other` (b,) are numbers, `trains` is by number.

    Groups fall independently: a post is on a side where all groups that it is bound to are, and the share of the side
    has the variance p (1 - p) Σ L² + p² (1 - p)² Σ M², L the share that hangs on a group while the others fall as they
    may, M that on two groups together (exact, but for posts bound to more than two).
    """
    kept = np.flatnonzero(group >= 0)
    total = max(1, len(kept))
    free = ~trains[group[post]] & ~trains[other]
    low, high = np.minimum(group[post], other)[free], np.maximum(group[post], other)[free]
    together = np.unique(low * len(trains) + high, return_counts=True)[1] / total
    told = {}
    for name, p in fractions.items():
        chance = np.where(trains, float(name == TRAIN), p)
        lives = np.where(group >= 0, chance[group], 0.0)
        np.multiply.at(lives, post, chance[other])
        hangs = np.bincount(group[kept], lives[kept], minlength=len(trains)).astype(np.float64)
        hangs += np.bincount(other, lives[post], minlength=len(trains))
        hangs, v = np.where(trains, 0.0, hangs / p) / total, p * (1 - p)
        posts = int((side == name).sum())
        told[name] = {
            "posts": posts,
            "share": posts / total,
            "expected": float(lives.sum()) / total,
            "standard_deviation": float(np.sqrt(v * (hangs**2).sum() + v**2 * (together**2).sum())),
        }
    return told


def held_out_fractions(test: float, val: float, protocol: str) -> dict[str, float]:
    """The shares held out: of both sides, or of validation alone (protocol `interests`, whose test is the labels)."""
    return {VAL: val} if protocol == "interests" else {TEST: test, VAL: val}
