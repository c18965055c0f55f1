"""What users start from: means of the vectors of what they posted in train."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.embedding.batches import Array, Posts
from pipeline.embedding.means import bridge, common, discriminant, mean_by_user, sampled
from pipeline.embedding.model import JointModel
from pipeline.running.errors import UserError
from pipeline.tables.table import matrix, positions


def mean_sentences(posts: Posts, letters: int, users: int, seed: int) -> tuple[Tensor, Tensor]:
    """The mean (S,) of all sentence vectors of `posts`, less the numbers of `letters`, and each user's mean (K, S), see
    `mean_by_user`.
    """
    assert posts.sentence is not None
    rows, sentence = np.flatnonzero(posts.has_sentence), posts.sentence[:, : posts.sentence.shape[1] - letters]
    means = mean_by_user(sentence, rows, posts.user[rows], users, seed)
    return torch.from_numpy(common(sentence, rows)), torch.from_numpy(means)


def discriminants(model: JointModel, posts: Posts, features: Array, users: int, seed: int) -> None:
    """Let sentences and images of `model` start as discriminants of its `users`, and these at the means of theirs.

    With `shape.fused` these are what stands beside the trained model, those of letters last.

    The bases are estimated on at most 50,000 posts, and as many images of posts.
    """
    shape, author = model.shape, posts.user[posts.post]
    directions = shape.discriminant + shape.fused
    model.image_mean.copy_(torch.from_numpy(common(features[:, : shape.content], posts.image)))
    images = _Seen(partial(model.images, centred=True), features)
    shown = sampled(np.arange(len(posts.image)), seed)
    image_basis = discriminant(images[posts.image[shown]], author[shown], users, directions)
    means = [mean_by_user(images, posts.image, author, users, seed) @ image_basis.T]
    sentence_basis, to_text = np.zeros((0, 0), np.float32), None
    if posts.sentence is not None:
        rows = np.flatnonzero(posts.has_sentence)
        sentences, said = _Seen(model.sentences, posts.sentence[:, : shape.sentence]), sampled(rows, seed)
        sentence_basis = discriminant(sentences[said], posts.user[said], users)
        means.insert(0, mean_by_user(sentences, rows, posts.user[rows], users, seed) @ sentence_basis.T)
        both = shown[posts.has_sentence[posts.post[shown]]]
        to_text = bridge(images[posts.image[both]], sentences[posts.post[both]] @ sentence_basis.T)
        if shape.written:
            written = posts.sentence[:, shape.sentence :]
            model.letters_mean.copy_(torch.from_numpy(common(written, rows)))
            letters = _Seen(model.letters, written)
            basis = discriminant(letters[said], posts.user[said], users, shape.written)
            model.letters_basis.copy_(torch.from_numpy(basis))
            means.append(mean_by_user(letters, rows, posts.user[rows], users, seed) @ basis.T)
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


def starting_rows(user_ids: pa.Array, means: pa.Table, size: int, seed: int) -> Tensor:
    """Users' first rows (K, size): the mean word vector of EMBEDDINGS `means`; without one, seeded and random.

    Random rows have the spread of the means, so that no user stands out by its length. Raises UserError for means of
    another length than `size`.
    """
    known = matrix(means["vector"]).astype(np.float32)
    if known.size and known.shape[1] != size:
        raise UserError(f"data/words/users: vectors of {known.shape[1]} numbers; words have {size}. Rerun word2vec.")
    spread = known.std() if known.size else 1 / math.sqrt(size)
    rows = np.random.default_rng([seed, 1]).normal(0, spread, (len(user_ids), size)).astype(np.float32)
    found = positions(user_ids, means["id"])
    rows[found >= 0] = known[found[found >= 0]]
    return torch.from_numpy(rows)
