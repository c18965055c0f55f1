"""What users start from: means of the vectors of what they posted in train."""

import math

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipeline.embedding.batches import Array, Posts, chunks
from pipeline.running.errors import UserError
from pipeline.tables.table import matrix, positions

_PIECE = 65_536


def mean_by_user(vectors: Array, rows: Array, user: Array, users: int, seed: int) -> Array:
    """The mean (K, d) of the `vectors` (m, d) at `rows` (n,) over the posts of each `user` (n,), of `users` K.

    Who has none gets a random vector with the mean and the spread of the others, number by number (as the paper does
    for Avg-Image): such a user is found by chance.
    """
    sums, counts = np.zeros((users, vectors.shape[1])), np.bincount(user, minlength=users)
    for part in chunks(len(rows), _PIECE):
        np.add.at(sums, user[part], vectors[rows[part]].astype(np.float64))
    means = sums / np.maximum(1, counts)[:, None]
    known, without = means[counts > 0], np.flatnonzero(counts == 0)
    if len(without):
        center, spread = (known.mean(0), known.std(0)) if len(known) else (0.0, 1.0)
        means[without] = np.random.default_rng([seed, 2]).normal(center, spread, (len(without), means.shape[1]))
    return means.astype(np.float32)


def common(vectors: Array, rows: Array) -> Array:
    """The mean (d,) of `vectors` (m, d) over `rows` (n,), in pieces; zeros without a row."""
    total = np.zeros(vectors.shape[1])
    for part in chunks(len(rows), _PIECE):
        total += vectors[rows[part]].astype(np.float64).sum(0)
    return (total / max(1, len(rows))).astype(np.float32)


def mean_sentences(posts: Posts, users: int, seed: int) -> tuple[Tensor, Tensor]:
    """The mean (S,) of all sentence vectors of `posts`, and each user's mean (K, S), see `mean_by_user`."""
    assert posts.sentence is not None
    rows = np.flatnonzero(posts.has_sentence)
    means = mean_by_user(posts.sentence, rows, posts.user[rows], users, seed)
    return torch.from_numpy(common(posts.sentence, rows)), torch.from_numpy(means)


def starting_rows(user_ids: pa.Array, means: pa.Table, size: int, seed: int) -> Tensor:
    """Users' first rows (K, size): the mean word vector of EMBEDDINGS `means`; without one, seeded and random.

    Random rows have the spread of the means, so that no user stands out by its length.
    """
    known = matrix(means["vector"]).astype(np.float32)
    if known.size and known.shape[1] != size:
        raise UserError(f"data/words/users: vectors of {known.shape[1]} numbers; words have {size}. Rerun word2vec.")
    spread = known.std() if known.size else 1 / math.sqrt(size)
    rows = np.random.default_rng([seed, 1]).normal(0, spread, (len(user_ids), size)).astype(np.float32)
    found = positions(user_ids, means["id"])
    rows[found >= 0] = known[found[found >= 0]]
    return torch.from_numpy(rows)
