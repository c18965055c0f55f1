"""The queries of one side of the split, asked of a model: how training is validated, and baselines are tested."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.embedding.batches import Array, Posts
from pipeline.embedding.means import chunks
from pipeline.embedding.model import JointModel
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.ranking.retrieval import TASKS, Ranked, rank_task, rank_users, summarize
from pipeline.ranking.vectors import Vectors
from pipeline.tables.corpus import pictures_of

AT_ONCE = 1 << 16
"""Texts, or images, that are embedded and ranked at a time: 0.25 GB."""


@dataclass(frozen=True)
class Queries:
    """What one split asks, and the posts that it asks with.

    `tasks` has the rows of CONTENT of each task's queries; `posts` and `image_ids` (m,) say where their content is.
    """

    tasks: Mapping[str, pa.Table]
    posts: Posts
    image_ids: pa.Array
    features: Array

    def texts(self, model: JointModel, among: pa.Array | pa.ChunkedArray) -> Iterator[Vectors]:
        """The texts that can be told of posts `among` these, in the joint space, in pieces in order of the posts."""
        posts = self.posts
        texts = np.flatnonzero(posts.has_text & np.asarray(pc.is_in(posts.ids, among)))
        for part in chunks(max(1, len(texts)), AT_ONCE):
            rows = texts[part]
            names = posts.ids.take(pa.array(rows)).combine_chunks()
            yield Vectors(names, embed_texts(model, posts.tokens[rows], posts.said(rows)))

    def images(self, model: JointModel, among: pa.Array | pa.ChunkedArray) -> Iterator[Vectors]:
        """The images `among` these of the posts, in the joint space, in pieces."""
        for ids, rows in self.pictures(among):
            yield Vectors(ids, embed_images(model, self.features[rows]))

    def pictures(self, among: pa.Array | pa.ChunkedArray | None = None) -> Iterator[tuple[pa.Array, Array]]:
        """The ids (p,) of the posts' images, of those `among` these, and their rows among the features, in pieces."""
        images = np.unique(self.posts.image)
        if among is not None:
            images = images[np.asarray(pc.is_in(self.image_ids.take(pa.array(images)), among))]
        for part in chunks(max(1, len(images)), AT_ONCE):
            yield self.image_ids.take(pa.array(images[part])), images[part]

    def shares(self, model: JointModel, users: pa.Array, tasks: Collection[str] = TASKS) -> dict[str, float]:
        """mean_median_rank / candidates of each of `tasks` that has a query: what training chooses its epoch by."""
        found = rank_queries(self, model, users, tasks)
        blocks = {task: summarize(rows, candidates) for task, (rows, _, candidates) in found.items()}
        return {
            task: block["mean_median_rank"] / block["candidates"] for task, block in blocks.items() if block["queries"]
        }

    def chance(self, users: pa.Array) -> dict[str, float]:
        """What mean_median_rank / candidates of each task stays above by chance, 39 times of 40.

        By chance the median ranks of n ground truths are spread over the candidates, evenly at most: as the queries of
        a user may be alike, more of these need not narrow it.
        """
        asked = {
            task: rows["post_id"]
            if task == "image_to_text"
            else rows["user_id"].filter(pc.is_in(rows["user_id"], users))
            for task, rows in self.tasks.items()
        }
        counts = {task: pc.count_distinct(truths).as_py() for task, truths in asked.items()}
        return {task: 0.5 - 1.96 / math.sqrt(12 * max(1, count)) for task, count in counts.items()}


def rank_queries(
    queries: Queries, model: JointModel, users: pa.Array, tasks: Collection[str] = TASKS
) -> dict[str, Ranked]:
    """The ranks of all of `queries`, task by task of `tasks`. What none of these asks for is not embedded."""
    asked = {task: rows if task in tasks else rows.slice(0, 0) for task, rows in queries.tasks.items()}
    pairs = asked["image_to_text"]
    said = pa.concat_tables([pairs, asked["text_to_user"]])["post_id"]
    seen = pictures_of(pa.concat_tables([pairs, asked["image_to_user"]]))[1]
    people = Vectors(users, embed_users(model))
    texts = _Kept(queries.texts(model, said), pairs["post_id"])
    images = _Kept(queries.images(model, seen), pictures_of(pairs)[1])
    found = {
        task: rank_users(task, asked[task], people, kept.passing())
        for task, kept in (("text_to_user", texts), ("image_to_user", images))
        if task in tasks
    }
    if "image_to_text" in tasks:
        found["image_to_text"] = rank_task("image_to_text", pairs, people, images.whole(), texts.whole())
    return {task: found[task] for task in TASKS if task in tasks}


class _Kept:
    """Of `pieces` that pass by, the vectors of `wanted` ids."""

    def __init__(self, pieces: Iterator[Vectors], wanted: pa.Array | pa.ChunkedArray) -> None:
        self._pieces, self._wanted = pieces, wanted
        self._held: list[Vectors] = []

    def passing(self) -> Iterator[Vectors]:
        """The pieces that have not passed by yet."""
        for piece in self._pieces:
            self._held.append(piece.among(self._wanted))
            yield piece

    def whole(self) -> Vectors:
        """The wanted ones of all pieces."""
        for _ in self.passing():
            pass
        ids = [chunk for piece in self._held for chunk in pa.chunked_array(piece.ids).chunks]
        return Vectors(pa.chunked_array(ids, pa.string()), np.concatenate([piece.values for piece in self._held]))
