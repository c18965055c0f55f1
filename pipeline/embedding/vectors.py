"""Vectors of the joint space from a trained model: unit length, float32, in pieces, so that memory stays bounded."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.embedding.batches import Array, distinct
from pipeline.embedding.means import chunks
from pipeline.embedding.model import JointModel

_PIECE = 4096


@torch.inference_mode()
def embed_users(model: JointModel) -> Array:
    """All users (K, D), in the order of the model's table."""
    count = len(model.user_rows)
    return _pieces(model, count, (model.user(model.user_rows[rows]) for rows in chunks(count, _PIECE)))


@torch.inference_mode()
def embed_images(model: JointModel, features: Array) -> Array:
    """Images (n, D) from their features (n, D_I)."""
    count = len(features)
    return _pieces(model, count, (model.image(_tensor(model, features[rows])) for rows in chunks(count, _PIECE)))


@torch.inference_mode()
def embed_texts(model: JointModel, token: Array, sentence: Array | None = None) -> Array:
    """Texts (n, D) from tokens (n, L), see `batches.tokens`, and sentence vectors (n, S) where the model reads these.

    A text with neither is a vector of its own.
    """

    def pieces() -> Iterable[Tensor]:
        for rows in chunks(len(token), _PIECE):
            words, text = distinct(token[rows])
            said = None if sentence is None else _tensor(model, sentence[rows])
            yield model.text(words.to(model.device), text.to(model.device), sentence=said)

    return _pieces(model, len(token), pieces())


def _tensor(model: JointModel, values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(model.device)


def _pieces(model: JointModel, count: int, pieces: Iterable[Tensor]) -> Array:
    """The `count` rows of all `pieces`, at unit length, in memory once."""
    training = model.training
    model.eval()
    found, begin = np.empty((count, model.length), np.float32), 0
    for piece in pieces:
        found[begin : begin + len(piece)] = F.normalize(piece).cpu().numpy()
        begin += len(piece)
    model.train(training)
    return found
