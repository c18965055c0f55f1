"""The corpus by row: posts, who wrote them, what they show, on which side they stand. All columns are read here.

Tables that a run has not made yet are taken as empty, but for posts. Rows of posts are those of data/corpus/posts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS, pictures_of
from pipeline.tables.details import DETAILS
from pipeline.tables.evaluation import ASKED, CLUSTER_USERS, CLUSTER_WORDS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.layout import POINTS
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import Table, positions
from pipeline.tables.text import DUPLICATES, TEXT_EDGES, WORDS

Array = np.ndarray[Any, np.dtype[Any]]
HELD_OUT = ("val", "test")
KEPT_SHARDS = 8
"""Shards of pictures in memory, some 40 MB each."""


@dataclass(frozen=True)
class Post:
    """A post; `side` is train, val, test, excluded, or empty for one that was left out before the split."""

    post_id: str
    user_id: str
    text: str
    images: tuple[str, ...]
    created_at: datetime | None
    side: str


class Grouped:
    """Rows by a code (n,) that each has."""

    def __init__(self, codes: Array) -> None:
        self._order = np.argsort(codes, kind="stable")
        self._codes = codes[self._order]

    def rows(self, code: int) -> Array:
        """Rows of `code`, ascending."""
        begin, end = np.searchsorted(self._codes, (code, code + 1))
        return self._order[begin:end]


class Library:
    """The tables of a run under `data`, read when first asked for."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._told: dict[str, pa.Array] = {}

    def _read(self, table: Table, path: str, columns: Sequence[str] | None = None) -> pa.Table:
        folder = self.data / path
        if not any(folder.glob("part-*.parquet")):
            return table.empty().select(columns) if columns else table.empty()
        return table.read(folder, columns)

    # ------------------------------------------------------------ posts
    @cached_property
    def posts(self) -> pa.Table:
        """All posts; raises UserError where there are none."""
        return POSTS.read(self.data / "corpus/posts")

    @cached_property
    def post_ids(self) -> pa.Array:
        """The ids of posts, ascending."""
        return _one(self.posts["post_id"])

    @cached_property
    def users(self) -> pa.Array:
        """Everybody who posted, sorted."""
        found = _one(self.posts["user_id"].unique())
        return found.take(pc.array_sort_indices(found))

    @cached_property
    def author(self) -> Array:
        """The row in `users` of each post's author."""
        return positions(self.posts["user_id"], self.users)

    @cached_property
    def by_user(self) -> Grouped:
        """Posts of each of `users`."""
        return Grouped(self.author)

    @cached_property
    def shown(self) -> tuple[Array, Array]:
        """Pairs of a post and an image that it shows, as rows of posts and of `images`."""
        rows, ids = pictures_of(self.posts)
        return rows, positions(ids, self.images)

    @cached_property
    def _images_by_post(self) -> Grouped:
        return Grouped(self.shown[0])

    @cached_property
    def _posts_by_image(self) -> Grouped:
        return Grouped(self.shown[1])

    def images_of_post(self, row: int) -> Array:
        """Rows of the images that a post shows."""
        return self.shown[1][self._images_by_post.rows(row)]

    def posts_of_image(self, image: int) -> Array:
        """Rows of the posts that show an image."""
        return self.shown[0][self._posts_by_image.rows(image)]

    @cached_property
    def side(self) -> Array:
        """The side of each post, as a string; empty for those that came to no side."""
        table = self._read(ASSIGNED, "split/posts", ["post_id", "split"])
        at = positions(self.post_ids, table["post_id"])
        split = _one(_one(table["split"]).dictionary_encode())
        names = np.array([*split.dictionary.to_pylist(), ""], "U8")
        codes = np.append(split.indices.to_numpy(zero_copy_only=False), len(names) - 1)
        return np.asarray(names[codes[at]])

    @cached_property
    def times(self) -> Array:
        """When each post was made, as datetime64[us]; NaT where that is not known."""
        found: Array = self.posts["created_at"].to_numpy()
        return found.astype("datetime64[us]")

    def by_time(self, rows: Array) -> Array:
        """Rows of posts, the earliest first, then as they stand; last those of which the time is not known."""
        times = self.times[rows]
        return rows[np.lexsort((rows, times, np.isnat(times)))]

    @cached_property
    def language(self) -> pa.Array:
        """The language of each post: as the cleaning found, else as its source told, by the first letters of its code;
        `und` where neither knows.
        """
        at = positions(self.post_ids, self._words["post_id"])
        found = _one(self._words["language"]).take(pa.array(at, mask=at < 0))
        known = pc.if_else(pc.equal(found, "und"), None, found)
        return pc.fill_null(pc.coalesce(known, self.told_language), "und")

    @cached_property
    def told_language(self) -> pa.Array:
        """What the source of each post told, as `pt` for `pt-BR`; null where it told nothing."""
        return pc.replace_substring_regex(pc.utf8_lower(self.detail("language")), "[-_].*", "")

    @cached_property
    def languages(self) -> dict[str, int]:
        """Posts by language, the commonest first."""
        counted = self.language.value_counts().to_pylist()
        return {row["values"]: row["counts"] for row in sorted(counted, key=lambda r: (-r["counts"], r["values"]))}

    @cached_property
    def _words(self) -> pa.Table:
        return self._read(WORDS, "text/words")

    @cached_property
    def words(self) -> tuple[pa.Array, Array, Array]:
        """Distinct words (v,), sorted, and every occurrence of one: its post's row and its word's."""
        return self._listed("words")

    @cached_property
    def hashtags(self) -> tuple[pa.Array, Array, Array]:
        """As `words`, of hashtags in lower case."""
        return self._listed("hashtags")

    def _listed(self, column: str) -> tuple[pa.Array, Array, Array]:
        lists = self._words[column]
        spelled = pc.utf8_lower(pc.list_flatten(lists))
        distinct = _one(spelled.unique())
        distinct = distinct.take(pc.array_sort_indices(distinct))
        post = positions(self._words["post_id"], self.post_ids)
        counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
        return distinct, np.repeat(post, counts), positions(spelled, distinct)

    @cached_property
    def text_group(self) -> Array:
        """The group of near-copies of each post's text, as a number."""
        from pipeline.common.groups import components

        edges = self._read(TEXT_EDGES, "text/edges", ["post_id", "other_id"])
        group = components(len(self.post_ids), *(positions(edges[name], self.post_ids) for name in edges.column_names))
        copied = self._read(DUPLICATES, "text/duplicates", ["post_id", "duplicate_of"])
        later, first = (positions(copied[name], self.post_ids) for name in ("post_id", "duplicate_of"))
        group[later] = group[first]
        # The same words are one text, whatever a stage thought of them.
        text = pc.fill_null(self.posts["text"], "")
        same = _one(text.dictionary_encode()).indices.to_numpy(zero_copy_only=False)
        _, first_of = np.unique(same, return_index=True)
        spoken = pc.greater(pc.utf8_length(text), 0).to_numpy(zero_copy_only=False)
        return np.where(spoken, group[first_of[same]], group)

    @cached_property
    def copied_from(self) -> Array:
        """The row of the post of which each is a removed near-copy; -1 for those that are none."""
        copied = self._read(DUPLICATES, "text/duplicates", ["post_id", "duplicate_of"])
        found = np.full(len(self.post_ids), -1, np.int64)
        found[positions(copied["post_id"], self.post_ids)] = positions(copied["duplicate_of"], self.post_ids)
        return found

    @cached_property
    def rejected(self) -> pa.Table:
        """What the import left out: rows of REJECTED."""
        return self._read(REJECTED, "corpus/rejected")

    # ------------------------------------------------------------ images
    @cached_property
    def images(self) -> pa.Array:
        """The ids of images, sorted."""
        return _one(self._read(IMAGES, "corpus/images", ["image_id"])["image_id"])

    @cached_property
    def image_group(self) -> Array:
        """The group of copies of each image, as a number."""
        from pipeline.common.groups import image_groups

        return image_groups(self.images, self._read(IMAGE_GROUPS, "images/groups"))

    @cached_property
    def _by_image_group(self) -> Grouped:
        return Grouped(self.image_group)

    def copies_of_image(self, image: int) -> Array:
        """Rows of the images of one group with `image`, itself among them."""
        return self._by_image_group.rows(int(self.image_group[image]))

    @cached_property
    def _by_text_group(self) -> Grouped:
        return Grouped(self.text_group)

    def copies_of_text(self, post: int) -> Array:
        """Rows of the posts whose text is a near-copy of that of `post`, itself among them."""
        return self._by_text_group.rows(int(self.text_group[post]))

    def picture(self, image_id: str) -> bytes | None:
        """A stored picture; None where there is none, or a made vector in its place."""
        row = _row(self.images, image_id)
        if row < 0:
            return None
        shard = int(np.searchsorted(self._shard_ends, row, side="right"))
        held = self._shard(shard).slice(row - int(np.append(0, self._shard_ends)[shard]), 1).to_pylist()[0]
        return held["bytes"] if held["width"] else None

    @cached_property
    def _shard_ends(self) -> Array:
        """The row of images behind the last of each shard."""
        return np.cumsum([IMAGES.count(shard) for shard in IMAGES.shards(self.data / "corpus/images")])

    @cached_property
    def _shard(self) -> Callable[[int], pa.Table]:
        """The pictures of a shard, the last few kept: those of one page are often asked for together."""
        shards = IMAGES.shards(self.data / "corpus/images")
        return lru_cache(KEPT_SHARDS)(lambda number: IMAGES.read(shards[number], ["bytes", "width"]))

    # ------------------------------------------------------------ people
    @cached_property
    def cluster(self) -> Array:
        """The cluster of each of `users`; -1 for those in none."""
        table = self._read(CLUSTER_USERS, "clusters/users")
        return np.asarray(np.append(table["cluster"].to_numpy(), -1)[positions(self.users, table["user_id"])])

    @cached_property
    def cluster_similarity(self) -> Array:
        """The cosine of each of `users` to the centre of their cluster; NaN for those in none."""
        table = self._read(CLUSTER_USERS, "clusters/users")
        return np.asarray(np.append(table["similarity"].to_numpy(), np.nan)[positions(self.users, table["user_id"])])

    @cached_property
    def cluster_words(self) -> dict[int, list[str]]:
        """The words that tell each cluster from the others, the strongest first."""
        table = self._read(CLUSTER_WORDS, "clusters/words")
        table = table.filter(pc.equal(table["measure"], "log_odds")).sort_by(
            [("cluster", "ascending"), ("position", "ascending")]
        )
        found: dict[int, list[str]] = {}
        for cluster, word in zip(table["cluster"].to_pylist(), table["word"].to_pylist(), strict=True):
            found.setdefault(cluster, []).append(word)
        return found

    def examples(self) -> list[str]:
        """The texts that the report asks with and that have an answer."""
        table = self._read(ASKED, "queries/asked", ["kind", "value", "known_words"])
        return [row["value"] for row in table.to_pylist() if row["kind"] == "text" and row["known_words"]]

    def points(self, kind: str) -> pa.Table:
        """Where users, or images, lie in the plane; no rows where the run has no map."""
        table = self._read(POINTS, "map/points")
        return table.filter(pc.equal(table["kind"], kind))

    @cached_property
    def interests(self) -> dict[str, list[str]]:
        """The interests that the corpus names, by user."""
        table = self._read(USERS, "corpus/users", ["user_id", "interests"])
        return dict(zip(table["user_id"].to_pylist(), table["interests"].to_pylist(), strict=True))

    def post(self, row: int) -> Post:
        """The post at `row`."""
        held = self.posts.slice(row, 1).to_pylist()[0]
        images = tuple(self.images[int(i)].as_py() for i in self.images_of_post(row) if i >= 0)
        return Post(
            held["post_id"], held["user_id"], held["text"] or "", images, held["created_at"], str(self.side[row])
        )

    def told(self, row: int) -> dict[str, Any]:
        """What a source told of the post at `row` beside its content: a row of DETAILS; empty where it told nothing."""
        at = self._details["post_id"].index(self.post_ids[row]).as_py()
        return dict(self._details.slice(at, 1).to_pylist()[0]) if at >= 0 else {}

    @cached_property
    def _details(self) -> pa.Table:
        return self._read(DETAILS, "corpus/details")

    def detail(self, column: str) -> pa.Array:
        """What a source told of each post in a column of DETAILS; null where it told nothing."""
        if column not in self._told:
            at = positions(self.post_ids, self._details["post_id"])
            self._told[column] = _one(self._details[column]).take(pa.array(at, mask=at < 0))
        return self._told[column]

    @cached_property
    def parents(self) -> Array:
        """The row of the post that each post answers; -1 where it answers none, or one that is not here."""
        found = np.full(len(self.post_ids), -1, np.int64)
        found[positions(self._details["post_id"], self.post_ids)] = positions(self._details["answers"], self.post_ids)
        return found

    @cached_property
    def _answering(self) -> Grouped:
        return Grouped(self.parents)

    def answers_to(self, row: int) -> Array:
        """Rows of the posts that answer the post at `row`."""
        return self._answering.rows(row)

    def ids(self, kind: str) -> pa.Array:
        """The ids of all users, images or posts (of kind `post`, or `text`), sorted."""
        return self.users if kind == "user" else self.images if kind == "image" else self.post_ids

    def row_of(self, kind: str, name: str) -> int:
        """The row of the user, image or post that is called so, or of the image that begins so as no other does; -1
        where there is none.
        """
        row = _row(self.ids(kind), name)
        if row < 0 and kind == "image" and name:
            begun = np.flatnonzero(pc.starts_with(self.images, name).to_numpy(zero_copy_only=False))
            return int(begun[0]) if len(begun) == 1 else -1
        return row


def _one(column: pa.ChunkedArray | pa.Array) -> Any:
    found = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    # combine_chunks of an empty column is a column.
    return pa.array([], found.type) if isinstance(found, pa.ChunkedArray) else found


def _row(ids: pa.Array, name: str) -> int:
    """The row of `name` among sorted ids; -1 where it is none of them."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ids[middle].as_py() < name else (low, middle)
    return low if low < len(ids) and ids[low].as_py() == name else -1
