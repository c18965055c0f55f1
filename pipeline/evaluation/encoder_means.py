"""What a person would do without this system: a pretrained vector a post, their mean a user, the nearest answer.

    encoder_mean             users are means of their train posts' vectors, by cosine
    encoder_mean_centred     the same, less the mean of all train posts: what all have in common tells nobody apart

Texts are sentence vectors, images the features of the frozen network. These mostly live in spaces of their own, so that
text to user and image to user can be asked, and image to text cannot; where one two-tower model makes both, it can.
Centred, texts and images are each less their own mean: the two lie apart in such a space.
"""

METHODS = ("encoder_mean", "encoder_mean_centred")


def one_space(images: tuple[str, str | None], texts: tuple[str, str | None]) -> bool:
    """Whether encoders of images and of texts, each by its name and the SHA-256 of its weights, are one model."""
    return images == texts and images[0].startswith("open_clip:")
