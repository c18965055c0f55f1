"""Means of vectors by user, and the directions that tell users apart: arrays alone, so that no torch is imported."""

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
DISCRIMINANTS = 256
"""Directions of images, and of letters, that tell users apart, at most."""
_PIECE = 65_536
_NUMBERS = 1 << 23
_MOST = 50_000


class Rows(Protocol):
    """Rows (m, d) that are made as they are asked for."""

    shape: tuple[int, int]

    def __getitem__(self, rows: Array) -> Array:
        """The rows at `rows`."""


def mean_by_user(vectors: Array | Rows, rows: Array, user: Array, users: int, seed: int) -> Array:
    """The mean (K, d) of the `vectors` (m, d) at `rows` (n,) over the posts of each `user` (n,), of `users` K.

    Who has none gets a random vector with the mean and the spread of the others, number by number (as the paper does
    for Avg-Image): such a user is found by chance.
    """
    size, counts = vectors.shape[1], np.bincount(user, minlength=users)
    means = np.zeros((users, size))  # 0.7 GB of the paper's users and images, so of this size there is no other
    for part in chunks(len(rows), max(1, _NUMBERS // size)):
        np.add.at(means, user[part], vectors[rows[part]].astype(np.float64))
    means /= np.maximum(1, counts)[:, None]
    known, without = counts > 0, np.flatnonzero(counts == 0)
    if len(without):
        center, spread = np.zeros(size), np.ones(size)
        for columns in chunks(size if known.any() else 0, max(1, _NUMBERS // users)):
            values = means[known, columns]
            center[columns], spread[columns] = values.mean(0), values.std(0)
        means[without] = np.random.default_rng([seed, 2]).normal(center, spread, (len(without), size))
    return means.astype(np.float32)


def common(vectors: Array, rows: Array) -> Array:
    """The mean (d,) of `vectors` (m, d) over `rows` (n,), in pieces; zeros without a row."""
    total = np.zeros(vectors.shape[1])
    for part in chunks(len(rows), _PIECE):
        total += vectors[rows[part]].astype(np.float64).sum(0)
    return (total / max(1, len(rows))).astype(np.float32)


def sampled(rows: Array, seed: int) -> Array:
    """At most 50,000 of `rows` (n,), in their order, the same ones for a `seed`."""
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


def chunks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` rows."""
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))
