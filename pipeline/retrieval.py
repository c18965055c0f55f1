"""The three retrieval tasks of the paper's section 4, and their metrics.

text_to_user   asks with a post's text for its author, among all users that have posts in train
image_to_user  asks with a post's image for its author, among the same users
image_to_text  asks with the image of a post for its text, among the texts of all the pairs that are asked with

A query whose text, image or author has no vector is not asked, and counted with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.ranks import ranks
from pipeline.tables import RANKS, positions, strings

TASKS = ("text_to_user", "image_to_text", "image_to_user")

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Vectors:
    """Embedded things: ids (n,), each once, and float values (n, d)."""

    ids: pa.Array
    values: Array


def rank_task(
    task: str, queries: pa.Table, users: Vectors, images: Vectors, texts: Vectors
) -> tuple[pa.Table, dict[str, int], int]:
    """Rank the ground truth of each of `queries`, rows with post_id, user_id and image_id, in one of TASKS.

    Texts are looked up by post_id. Returns rows of RANKS, the number of queries not asked per reason, and the number of
    candidates. Raises UserError where a vector holds a number that is not finite.
    """
    asks, _, wants = task.partition("_to_")
    sides = {
        "text": (positions(queries["post_id"], texts.ids), texts, "post_id", "text_without_known_word"),
        "image": (positions(queries["image_id"], images.ids), images, "image_id", "image_without_vector"),
        "user": (positions(queries["user_id"], users.ids), users, "user_id", "author_not_in_train"),
    }
    asking, vectors, _, no_query = sides[asks]
    truth, candidates, truth_column, no_truth = sides[wants]
    missing = {no_query: asking < 0, no_truth: (asking >= 0) & (truth < 0)}
    asked = (asking >= 0) & (truth >= 0)
    values = candidates.values
    if wants == "text":  # candidates are the texts of the set alone
        rows, truth = np.unique(truth, return_inverse=True)
        known = int(rows[0] < 0) if len(rows) else 0
        values, truth = values[rows[known:]], truth - known
    for name, rows in (asks, vectors.values), (wants, values):
        if not np.isfinite(rows).all():
            raise UserError(
                f"{task}: vectors of {name}s hold numbers that are not finite; the model diverged, so train it with a "
                "lower train.learning_rate."
            )
    chosen = queries.filter(pa.array(asked))
    found = pa.table(
        {
            "task": strings([task] * chosen.num_rows),
            "query_id": chosen["post_id"],
            "truth_id": chosen[truth_column],
            "user_id": chosen["user_id"],
            "rank": ranks(vectors.values[asking[asked]], values, truth[asked]),
        },
        schema=RANKS.schema,
    )
    return found, {reason: int(rows.sum()) for reason, rows in missing.items()}, len(values)


def summarize(found: pa.Table, candidates: int) -> dict[str, float]:
    """Metrics of one task's rows of RANKS.

    mean_median_rank     the median rank per ground truth, and the mean of these (where a ground truth has one query,
                         as in image_to_text, the same as mean_rank)
    median_rank, mean_rank, mean_reciprocal_rank    over all queries
    recall_at_k          share of queries whose ground truth ranks k or better
    queries, candidates  how many; without a query, these two alone
    random               the rank to expect of chance, (candidates + 1) / 2
    """
    counts = {"queries": found.num_rows, "candidates": candidates}
    if not found.num_rows:
        return {**counts}
    rank = found["rank"].to_numpy()
    return {
        "mean_median_rank": mean_median(rank, pd.factorize(found["truth_id"].to_pandas())[0]),
        "median_rank": float(np.median(rank)),
        "mean_rank": float(rank.mean()),
        "mean_reciprocal_rank": float((1 / rank).mean()),
        **{f"recall_at_{k}": float((rank <= k).mean()) for k in (1, 5, 10)},
        **counts,
        "random": (candidates + 1) / 2,
    }


def mean_median(rank: Array, truth: Array) -> float:
    """The mean over ground truths of the median rank of each one's queries; rank, truth (n,)."""
    return float(pd.Series(rank).groupby(truth).median().mean())


def joint_performance(blocks: Mapping[str, Mapping[str, float]]) -> float:
    """The sum over tasks of mean_median_rank / candidates (the paper's footnote 5); lower is better.

    A task without queries adds nothing. Raises ValueError where no task has any.
    """
    measured = [block for block in blocks.values() if block["queries"]]
    if not measured:
        raise ValueError("no task has a query, so there is no joint performance")
    return sum(block["mean_median_rank"] / block["candidates"] for block in measured)
