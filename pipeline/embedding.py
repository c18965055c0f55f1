"""Vectors of the joint space from a trained model: unit length, float32, in pieces, so that memory stays bounded."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.batches import Array, chunks, distinct
from pipeline.model import JointModel

_PIECE = 4096


@torch.inference_mode()
def embed_users(model: JointModel) -> Array:
    """All users (K, D), in the order of the model's table."""
    return _pieces(model, (model.user(model.user_rows[rows]) for rows in chunks(len(model.user_rows), _PIECE)))


@torch.inference_mode()
def embed_images(model: JointModel, features: Array) -> Array:
    """Images (n, D) from their features (n, D_I)."""
    return _pieces(model, (model.image(_tensor(model, features[rows])) for rows in chunks(len(features), _PIECE)))


@torch.inference_mode()
def embed_texts(model: JointModel, token: Array) -> Array:
    """Texts (n, D) from tokens (n, L), see `pipeline.batches.tokens`. A text without a word is a vector of its own."""

    def pieces() -> Iterable[Tensor]:
        for rows in chunks(len(token), _PIECE):
            words, text = distinct(token[rows])
            yield model.text(model.word_rows[words.to(model.device)], text.to(model.device))

    return _pieces(model, pieces())


def _tensor(model: JointModel, values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(model.device)


def _pieces(model: JointModel, pieces: Iterable[Tensor]) -> Array:
    training = model.training
    model.eval()
    found = [F.normalize(piece).cpu().numpy() for piece in pieces]
    model.train(training)
    return np.concatenate([np.empty((0, model.shape.dim), np.float32), *found])
