"""What a person would do without this system: a vector a post, their mean a user, the nearest answer.

    encoder_mean             users are means of their train posts' pretrained vectors, by cosine
    encoder_mean_centred     the same, less the mean of all train posts: what all have in common tells nobody apart
    encoder_mean_whitened    the same, whitened by how posts vary within users: what a user says now so and now so tells
                             little of who it is (a linear discriminant, shrunken; nothing is trained by steps)
    letters_mean             of texts alone: how they are written, their letters (`pipeline.words.letters`), centred, at
                             unit length and whitened to at most 256 directions, as late fusion has them
    encoder_mean_letters     of texts alone: what is said and how, the sum of the cosines of the last two

Texts are sentence vectors, images the features of the frozen network. These mostly live in spaces of their own, so that
text to user and image to user can be asked, and image to text cannot; where one two-tower model makes both, it can.
Centred and whitened, texts and images are each less their own mean: the two lie apart in such a space.

Shapes: m posts or images, n of train, d numbers each, K users.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.embedding.means import DISCRIMINANTS, Array, chunks, common, discriminant, mean_by_user, sampled

ENCODED = ("encoder_mean", "encoder_mean_centred", "encoder_mean_whitened")
METHODS = (*ENCODED, "letters_mean", "encoder_mean_letters")
_PIECE = 65_536


class Kind(NamedTuple):
    """Vectors of one kind: `values` (m, d), of which those at `rows` (n,) are of train, by `user` (n,)."""

    values: Array
    rows: Array
    user: Array


Found = dict[str, tuple[Array, Array]]
"""By `text` and `image`: users' means (K, d), and the vectors (m, d) that are compared with them."""


def by_method(kinds: Mapping[str, Kind], users: int, seed: int) -> Iterator[tuple[str, Found]]:
    """What each of METHODS compares, of the `kinds` text, image and letters that there are.

    A letter's row is its text's. Without letters, or without sentence vectors, the methods that need them are left out.
    """
    found: Found = {}
    for method in ENCODED:
        found = {
            kind: _with_means(seen_by(method, *told, users, seed), told, users, seed)
            for kind, told in kinds.items()
            if kind != "letters"
        }
        yield method, found
    if "letters" in kinds:
        told = kinds["letters"]
        written = _with_means(letters_seen(*told, users, seed), told, users, seed)
        yield "letters_mean", {"text": written}
        if "text" in found:
            means, values = (
                np.concatenate([_unit(said), _unit(how)], 1) for said, how in zip(found["text"], written, strict=True)
            )
            yield "encoder_mean_letters", {"text": (means, values)}


def seen_by(method: str, values: Array, rows: Array, user: Array, users: int, seed: int) -> Array:
    """The vectors `values` (m, d) as `method` compares them, by those at `rows` (n,), which are of `user` (n,)."""
    if method == "encoder_mean":
        return values
    centred: Array = values.astype(np.float32) - common(values, rows)
    if method == "encoder_mean_centred":
        return centred
    drawn = sampled(np.arange(len(rows)), seed)
    whitened: Array = centred @ discriminant(centred[rows[drawn]], user[drawn], users).T
    return whitened


def letters_seen(values: Array, rows: Array, user: Array, users: int, seed: int) -> Array:
    """The letters `values` (m, L), of any type, as they are compared: (m, k), by those at `rows`, of `user`."""
    mean, drawn = common(values, rows), sampled(np.arange(len(rows)), seed)
    basis = discriminant(_unit(values[rows[drawn]] - mean), user[drawn], users, min(DISCRIMINANTS, users))
    found = np.empty((len(values), len(basis)), np.float32)
    for part in chunks(len(values), _PIECE):
        found[part] = _unit(values[part] - mean) @ basis.T
    return found


def _with_means(values: Array, told: Kind, users: int, seed: int) -> tuple[Array, Array]:
    return mean_by_user(values, told.rows, told.user, users, seed), values


def _unit(values: Array) -> Array:
    scaled: Array = values / np.linalg.norm(values, axis=1, keepdims=True).clip(np.finfo(np.float32).tiny)
    return scaled


def one_space(images: tuple[str, str | None], texts: tuple[str, str | None]) -> bool:
    """Whether encoders of images and of texts, each by its name and the SHA-256 of its weights, are one model."""
    return images == texts and images[0].startswith("open_clip:")
