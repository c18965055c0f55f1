"""The queries of one side of the split, asked of a model: how training is validated, and baselines are tested."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.embedding.batches import Array, Posts, chunks
from pipeline.embedding.model import JointModel
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.ranking.retrieval import TASKS, Left, rank_task, rank_texts, summarize
from pipeline.ranking.vectors import Vectors

TEXTS = 1 << 16
"""Texts that are embedded and ranked at a time: 0.25 GB."""


@dataclass(frozen=True)
class Queries:
    """What one split asks, and the posts that it asks with.

    `tasks` has the rows of CONTENT of each task's queries; `posts` and `image_ids` (m,) say where their content is.
    """

    tasks: Mapping[str, pa.Table]
    posts: Posts
    image_ids: pa.Array
    features: Array

    def texts(self, model: JointModel) -> Iterator[Vectors]:
        """The texts that can be told, in the joint space, in pieces in order of the posts."""
        posts = self.posts
        texts = np.flatnonzero(posts.has_text)
        for part in chunks(max(1, len(texts)), TEXTS):
            rows = texts[part]
            names = posts.ids.take(pa.array(rows)).combine_chunks()
            yield Vectors(names, embed_texts(model, posts.tokens[rows], posts.said(rows)))

    def images(self, model: JointModel) -> Vectors:
        """The images of the posts, in the joint space."""
        images = np.unique(self.posts.image)
        return Vectors(self.image_ids.take(pa.array(images)), embed_images(model, self.features[images]))

    def shares(self, model: JointModel, users: pa.Array) -> dict[str, float]:
        """mean_median_rank / candidates of each task that has a query: what training chooses its epoch by."""
        found = rank_queries(self, model, users)
        blocks = {task: summarize(rows, candidates) for task, (rows, _, candidates) in found.items()}
        return {
            task: block["mean_median_rank"] / block["candidates"] for task, block in blocks.items() if block["queries"]
        }


Ranked = dict[str, tuple[pa.Table, Left, int]]
"""By task: rows of RANKS, numbers of queries by `Left`, number of candidates."""


def rank_queries(queries: Queries, model: JointModel, users: pa.Array) -> Ranked:
    """The ranks of all of `queries`, task by task."""
    people, images = Vectors(users, embed_users(model)), queries.images(model)
    wanted = queries.tasks["image_to_text"]["post_id"]
    kept: list[Vectors] = []

    def pieces() -> Iterator[Vectors]:
        for piece in queries.texts(model):
            kept.append(piece.among(wanted))
            yield piece

    asked_with_texts = rank_texts(queries.tasks["text_to_user"], people, pieces())
    texts = Vectors(
        pa.chunked_array([piece.ids for piece in kept], pa.string()), np.concatenate([piece.values for piece in kept])
    )
    found = {task: rank_task(task, queries.tasks[task], people, images, texts) for task in TASKS[1:]}
    return {TASKS[0]: asked_with_texts, **found}
