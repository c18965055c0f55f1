"""What users start from: means of the vectors of what they posted in train."""

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.embedding.batches import Array, Posts, chunks
from pipeline.embedding.model import JointModel
from pipeline.running.errors import UserError
from pipeline.tables.table import matrix, positions

_PIECE = 65_536
_MOST = 50_000


def mean_by_user(vectors: "Array | _Seen", rows: Array, user: Array, users: int, seed: int) -> Array:
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


def discriminants(model: JointModel, posts: Posts, features: Array, users: int, seed: int) -> None:
    """Let sentences and images of `model` start as discriminants of its `users`, and these at the means of theirs.

    The bases are estimated on at most 50,000 posts, and as many images of posts.
    """
    shape, author = model.shape, posts.user[posts.post]
    model.image_mean.copy_(torch.from_numpy(common(features[:, : shape.content], posts.image)))
    images = _Seen(model.images, features)
    shown = sampled(np.arange(len(posts.image)), seed)
    image_basis = discriminant(images[posts.image[shown]], author[shown], users, shape.discriminant)
    means = [mean_by_user(images, posts.image, author, users, seed) @ image_basis.T]
    sentence_basis, to_text = np.zeros((0, 0), np.float32), None
    if posts.sentence is not None:
        sentences, rows = _Seen(model.sentences, posts.sentence), np.flatnonzero(posts.has_sentence)
        said = sampled(rows, seed)
        sentence_basis = discriminant(sentences[said], posts.user[said], users)
        means.insert(0, mean_by_user(sentences, rows, posts.user[rows], users, seed) @ sentence_basis.T)
        both = shown[posts.has_sentence[posts.post[shown]]]
        to_text = bridge(images[posts.image[both]], sentences[posts.post[both]] @ sentence_basis.T)
    shared = None if to_text is None else torch.from_numpy(to_text)
    model.discriminate(torch.from_numpy(sentence_basis), torch.from_numpy(image_basis), shared)
    start = torch.cat([F.normalize(torch.from_numpy(part)) for part in means], 1)
    model.user_rows[:, -start.shape[1] :] = start


class _Seen:
    """What a model's `phi` makes of `values` (m, .), row by row as they are asked for."""

    def __init__(self, phi: Callable[[Tensor], Tensor], values: Array) -> None:
        self._phi, self._values = phi, values
        self.shape = len(values), phi(torch.zeros(1, values.shape[1])).shape[1]

    def __getitem__(self, rows: Array) -> Array:
        found: Array = self._phi(torch.from_numpy(self._values[rows].astype(np.float32))).numpy()
        return found


def sampled(rows: Array, seed: int) -> Array:
    """At most 50,000 of `rows`, in their order."""
    return rows if len(rows) <= _MOST else np.sort(np.random.default_rng([seed, 6]).permutation(rows)[:_MOST])


def discriminant(values: Array, user: Array, users: int, most: int | None = None) -> Array:
    """A basis (k, d) in which the means of `values` (n, d), by `user` (n,) of `users`, tell their values apart.

    Fisher's linear discriminant, shrunken: values are whitened by what they differ in within users, to whose
    covariance its mean variance is added. With `most`, the k <= most directions that the users' means span most. Scaled
    so that a value has a length of 1 on average. Source: Friedman 1989.
    """
    counts = np.bincount(user, minlength=users)
    means = mean_by_user(values, np.arange(len(values)), user, users, seed=0)[counts > 0].astype(np.float64)
    size = values.shape[1]
    total, between = np.zeros((size, size)), (means * counts[counts > 0, None]).T @ means
    for part in chunks(len(values), _PIECE):
        total += values[part].astype(np.float64).T @ values[part].astype(np.float64)
    within = (total - between) / max(1, len(values))
    spread = max(np.trace(within) / size, np.finfo(float).tiny)
    variances, axes = np.linalg.eigh(within / spread)
    basis = (axes / np.sqrt(variances.clip(0) + 1)) @ axes.T
    if most is not None:
        found = np.linalg.svd(means @ basis, full_matrices=False)[2][:most] @ basis
        basis = np.zeros((most, size))  # fewer users than that span fewer directions
        basis[: len(found)] = found
    return _of_unit_length(basis, total / max(1, len(values)))


def bridge(images: Array, texts: Array) -> Array:
    """A map (d, e) of `images` (n, e) to the `texts` (n, d) beside them, by ridge regression.

    The ridge is the images' mean variance. Scaled so that an image has a length of 1 on average.
    """
    total, shared = np.zeros((images.shape[1],) * 2), np.zeros((texts.shape[1], images.shape[1]))
    for part in chunks(len(images), _PIECE):
        shown = images[part].astype(np.float64)
        total, shared = total + shown.T @ shown, shared + texts[part].T @ shown
    ridge = max(np.trace(total) / len(total), np.finfo(float).tiny)
    found: Array = np.linalg.solve(total + ridge * np.eye(len(total)), shared.T).T
    return _of_unit_length(found, total / max(1, len(images)))


def _of_unit_length(basis: Array, square: Array) -> Array:
    """`basis` (k, d), scaled by the values' mean outer product `square` (d, d): their mean square length becomes 1."""
    length = math.sqrt(max(0.0, float(np.einsum("ij,jk,ik->", basis, square, basis, optimize=True))))
    return (basis / (length or 1.0)).astype(np.float32)


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
