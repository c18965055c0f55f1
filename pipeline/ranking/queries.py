"""The queries of one side of the split, asked of a model: how training is validated, and baselines are tested."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.embedding.batches import Array, Posts
from pipeline.embedding.model import JointModel
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.ranking.retrieval import TASKS, Left, rank_task, summarize
from pipeline.ranking.vectors import Vectors


@dataclass(frozen=True)
class Queries:
    """What one split asks, and the posts that it asks with.

    `tasks` has the rows of CONTENT of each task's queries; `posts` and `image_ids` (m,) say where their content is.
    """

    tasks: Mapping[str, pa.Table]
    posts: Posts
    image_ids: pa.Array
    features: Array

    def vectors(self, model: JointModel, users: pa.Array) -> tuple[Vectors, Vectors, Vectors]:
        """Users, images and texts of the joint space, as `pipeline.ranking.retrieval.rank_task` takes them."""
        posts = self.posts
        texts, images = np.flatnonzero(posts.has_text), np.unique(posts.image)
        return (
            Vectors(users, embed_users(model)),
            Vectors(self.image_ids.take(pa.array(images)), embed_images(model, self.features[images])),
            Vectors(
                posts.ids.take(pa.array(texts)).combine_chunks(),
                embed_texts(model, posts.tokens[texts], posts.said(texts)),
            ),
        )

    def shares(self, model: JointModel, users: pa.Array) -> dict[str, float]:
        """mean_median_rank / candidates of each task that has a query: what training chooses its epoch by."""
        found = rank_queries(self, model, users)
        blocks = {task: summarize(rows, candidates) for task, (rows, _, candidates) in found.items()}
        return {
            task: block["mean_median_rank"] / block["candidates"] for task, block in blocks.items() if block["queries"]
        }


Ranked = dict[str, tuple[pa.Table, Left, int]]
"""By task: rows of RANKS, numbers of queries not asked and at chance, by reason, number of candidates."""


def rank_queries(queries: Queries, model: JointModel, users: pa.Array) -> Ranked:
    """The ranks of all of `queries`, task by task."""
    found = queries.vectors(model, users)
    return {task: rank_task(task, queries.tasks[task], *found) for task in TASKS}
