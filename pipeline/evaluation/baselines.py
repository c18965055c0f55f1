"""The baselines of the paper's Table 4 that are not trained; the trained two are settings of `embedding.training`.

Avg-Text      a user is the mean word vector of the posts, a text the mean vector of its words
Avg-Image     a user is the mean image feature of the posts; a random vector where there is none
Bridging      text and user are trained first, (1, 0, 0); both are frozen, and the image is trained on the text
Merged        x^I + x^T, zeros where one is missing, in one loss against the users; x^I the mean of a post's images

The averages are ranked where they live, in word-vector and in image-feature space (ours; the paper does not say).
"""

import numpy as np

from pipeline.embedding.batches import Array, Posts
from pipeline.embedding.means import chunks, mean_by_user

_PIECE = 65_536


def mean_words(token: Array, words: Array) -> Array:
    """The mean word vector (n, D_w) of each text of `token` (n, L); zeros without a word. `words` is (V, D_w)."""
    rows = np.concatenate([np.zeros((1, words.shape[1]), np.float32), words])
    out = np.empty((len(token), words.shape[1]), np.float32)
    for part in chunks(len(token), _PIECE // token.shape[1]):
        lengths = np.maximum(1, (token[part] > 0).sum(1, keepdims=True))
        out[part] = rows[token[part]].sum(1) / lengths
    return out


def mean_images(posts: Posts, features: Array, users: int, seed: int) -> Array:
    """Each user's mean image feature (K, D_I), see `mean_by_user`."""
    return mean_by_user(features, posts.image, posts.user[posts.post], users, seed)
