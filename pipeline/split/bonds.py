"""What binds posts to one side of the split: the pictures that they show, their texts, and what is like either.

An *item* is what posts share whole: a group of copies of a picture, or a text, which for the model is its set of
words. A *link* joins two items that are not the same and still may not stand on two sides: pictures that are derived
or related, texts that are near-copies. A content group is a connected component of posts over both.

Shapes: n posts, k items; a post holds an item in m places.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.groups import components
from pipeline.tables.corpus import pictures_of
from pipeline.tables.table import positions


@dataclass(frozen=True)
class Bonds:
    """`post`, `item` (m,): who holds what, by post, pictures before the text. `one`, `other` (l,): items linked."""

    n: int
    k: int
    post: np.ndarray
    item: np.ndarray
    one: np.ndarray
    other: np.ndarray

    @classmethod
    def of(cls, posts: pa.Table, text_edges: pa.Table, image_groups: pa.Table, image_edges: pa.Table) -> "Bonds":
        """From the corpus and the tables of what is like what.

        `posts` has post_id and its images, sorted by post_id, removed copies included: such a post still binds what it
        is a copy of. Raises ValueError where an edge leads to a post or image that is not there.
        """
        with_image, image_ids = pictures_of(posts)
        group = image_groups["group_id"].combine_chunks().dictionary_encode()
        pictures, picture = len(group.dictionary), group.indices.to_numpy().astype(np.int64)
        shown = picture[_found(image_ids, image_groups["image_id"], "image")]
        image_ends = [
            picture[_found(image_edges[name], image_groups["image_id"], "image")] for name in ("image_id", "other_id")
        ]

        ends = [_found(text_edges[name], posts["post_id"], "text") for name in ("post_id", "other_id")]
        same = pc.equal(text_edges["overlap"], 1.0).to_numpy()
        bound = np.zeros(posts.num_rows, bool)
        for rows in ends:
            bound[rows] = True
        first = components(posts.num_rows, *(rows[same] for rows in ends))
        written = np.flatnonzero(bound)
        distinct, text = np.unique(first[written], return_inverse=True)
        text_ends = [pictures + np.searchsorted(distinct, first[rows[~same]]) for rows in ends]

        post, item = np.concatenate([with_image, written]), np.concatenate([shown, pictures + text])
        order = np.argsort(post, kind="stable")
        one, other = (np.concatenate(both) for both in zip(image_ends, text_ends, strict=True))
        apart = one != other
        return cls(posts.num_rows, pictures + len(distinct), post[order], item[order], one[apart], other[apart])

    def components(self) -> np.ndarray:
        """The content group of each post, as the row of its smallest member, (n,) int64."""
        left, right = np.concatenate([self.post, self.one + self.n]), np.concatenate([self.item, self.other]) + self.n
        return components(self.n + self.k, left, right)[: self.n]  # posts come first, so each smallest node is a post

    def among(self, chosen: np.ndarray) -> "Bonds":
        """The bonds of the posts `chosen` (n,) alone: items that none of them holds are out, and their links."""
        inside = chosen[self.post]
        held, item = np.unique(self.item[inside], return_inverse=True)
        number = np.full(self.k, -1)
        number[held] = np.arange(len(held))
        one, other = number[self.one], number[self.other]
        both = (one >= 0) & (other >= 0)
        return Bonds(self.n, len(held), self.post[inside], item, one[both], other[both])


def _found(ids: pa.ChunkedArray | pa.Array, among: pa.ChunkedArray, kind: str) -> np.ndarray:
    rows = positions(ids, among)
    if len(rows) and rows.min() < 0:
        raise ValueError(f"{kind} {ids[int(rows.argmin())].as_py()} is not in the corpus")
    return rows
