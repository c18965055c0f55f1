"""Leakage-free assignment of posts to the sides train, val and test.

A content group is a connected component of posts over confirmed near-copies of texts, confirmed near-copies of images,
and the same image. It is named by its smallest post_id, and stands on one side: that of a hash of (seed, group_id), no
draw over rows. A post therefore moves only if its group gets a smaller member, merges with another, or crosses the size
limit; never because other posts arrive.

Shapes: n posts, in order of post_id. Fractions are expected shares of posts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.common.groups import components
from pipeline.common.hashing import unit_hash
from pipeline.tables.corpus import pictures_of
from pipeline.tables.table import positions

TRAIN, VAL, TEST, EXCLUDED = "train", "val", "test", "excluded"


def content_groups(posts: pa.Table, text_groups: pa.Table, image_groups: pa.Table) -> np.ndarray:
    """The content group of each post, as the row of its smallest member, (n,) int64.

    `posts` has post_id and its images, all of which bind it, sorted by post_id; `text_groups` post_id and group_id, of
    posts, removed copies included: a removed post still binds what it is a copy of. `image_groups` has image_id and
    group_id.
    Raises ValueError where an edge leads to a post or image that is not there.
    """
    n = posts.num_rows
    member = _found(positions(text_groups["post_id"], posts["post_id"]), "text group", text_groups["post_id"])
    leader = _found(positions(text_groups["group_id"], posts["post_id"]), "text group", text_groups["group_id"])

    with_image, image_ids = pictures_of(posts)
    rows = _found(positions(image_ids, image_groups["image_id"]), "image", image_ids)
    names = image_groups["group_id"].combine_chunks().dictionary_encode()
    picture = names.indices.to_numpy()[rows]
    first = np.full(len(names.dictionary), n)
    np.minimum.at(first, picture, with_image)

    return components(n, np.concatenate([member, with_image]), np.concatenate([leader, first[picture]]))


def _found(rows: np.ndarray, kind: str, ids: pa.ChunkedArray | pa.Array) -> np.ndarray:
    if len(rows) and rows.min() < 0:
        raise ValueError(f"{kind} {ids[int(rows.argmin())].as_py()} is not in the corpus")
    return rows


@dataclass(frozen=True)
class Assignment:
    """Sides of the groups: `side` (g,), with `counts` (g,) posts each; `oversized` (g,) marks those past the limit."""

    side: np.ndarray
    counts: np.ndarray
    oversized: np.ndarray
    fractions: Mapping[str, float]

    def shares(self) -> dict[str, dict[str, float]]:
        """For each side: its posts, their share, the expected share, and the standard deviation of the share.

        Groups fall independently, so the share of a side has the variance p (1 - p) Σ w², w the groups' weights.
        """
        total = max(1, int(self.counts.sum()))
        weight = self.counts / total
        bound = float(weight[self.oversized].sum())
        squares = float((weight[~self.oversized] ** 2).sum())
        told = {}
        for side, p in self.fractions.items():
            posts = int(self.counts[self.side == side].sum())
            told[side] = {
                "posts": posts,
                "share": posts / total,
                "expected": p * (1 - bound) + (bound if side == TRAIN else 0.0),
                "standard_deviation": float(np.sqrt(p * (1 - p) * squares)),
            }
        return told


def assign(
    group_ids: Sequence[str], counts: np.ndarray, fractions: Mapping[str, float], max_group_share: float, seed: int
) -> Assignment:
    """Place groups of `counts` posts. `fractions` maps each side but train to its share; train has the rest.

    A group with more than `max_group_share` of all posts trains whole: held out, it alone would be the evaluation.
    """
    position = unit_hash(group_ids, seed, "side")
    edges = np.cumsum(list(fractions.values()))
    names = np.array([*fractions, TRAIN], dtype=object)
    side = names[np.searchsorted(edges, position, side="right")]
    oversized = counts > max_group_share * counts.sum()
    side[oversized] = TRAIN
    return Assignment(side, counts, oversized, {TRAIN: 1 - float(sum(fractions.values())), **fractions})


def held_out_fractions(test: float, val: float, protocol: str) -> dict[str, float]:
    """The shares held out: of both sides, or of validation alone (protocol `interests`, whose test is the labels)."""
    return {VAL: val} if protocol == "interests" else {TEST: test, VAL: val}
