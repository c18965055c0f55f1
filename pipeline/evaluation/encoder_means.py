"""What a person would do without this system: a pretrained vector a post, their mean a user, the nearest answer.

    encoder_mean             users are means of their train posts' vectors, by cosine
    encoder_mean_centred     the same, less the mean of all train posts: what all have in common tells nobody apart
    encoder_mean_whitened    the same, whitened by how posts vary within users: what a user says now so and now so tells
                             little of who it is (a linear discriminant, shrunken; nothing is trained by steps)

Texts are sentence vectors, images the features of the frozen network. These mostly live in spaces of their own, so that
text to user and image to user can be asked, and image to text cannot; where one two-tower model makes both, it can.
Centred and whitened, texts and images are each less their own mean: the two lie apart in such a space.
"""

import numpy as np

from pipeline.embedding.means import Array, common, discriminant, sampled

METHODS = ("encoder_mean", "encoder_mean_centred", "encoder_mean_whitened")


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


def one_space(images: tuple[str, str | None], texts: tuple[str, str | None]) -> bool:
    """Whether encoders of images and of texts, each by its name and the SHA-256 of its weights, are one model."""
    return images == texts and images[0].startswith("open_clip:")
