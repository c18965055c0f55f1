"""Words that are asked and that no post has, by their parts (`words.subwords`)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.embedding.model import JointModel, Trained
from pipeline.tables.embedding import PARTS
from pipeline.tables.table import matrix, positions, strings
from pipeline.words.subwords import Parts

NEAREST = 3
"""Known words that are named beside one that was not."""


def known_parts(path: Path) -> Parts:
    """The parts of words in the table of PARTS at `path`; none where a run left none."""
    table = PARTS.read(path) if path.exists() else PARTS.empty()
    if not table.num_rows:
        return Parts([], np.empty((0, 0), np.float32))
    return Parts(table["part"].to_pylist(), matrix(table["vector"]).astype(np.float32))


def spelled(trained: Trained, parts: Parts, words: pa.ListArray) -> tuple[Trained, Mapping[str, tuple[str, ...]]]:
    """`trained` with the words of the texts `words` for its vocabulary, of unknown ones those that have a known part;
    and these, each with the known words that lie nearest to it, by cosine.

    A word from its parts weighs in the mean of a text as the rarest known one does.
    """
    model = trained.model
    distinct = pc.unique(words.flatten())
    known = distinct.filter(pc.is_in(distinct, value_set=trained.vocabulary))
    names, vectors = parts.spell(distinct.filter(pc.invert(pc.is_in(distinct, value_set=known))).to_pylist())
    if not names:
        return trained, {}
    rows = 1 + torch.from_numpy(positions(known, trained.vocabulary))
    made = torch.from_numpy(vectors).to(model.device)
    rarest = model.word_weights.max().expand(len(names))
    asked = model.with_words(torch.cat([model.word_rows[rows], made]), torch.cat([model.word_weights[rows], rarest]))
    cosine = F.normalize(made) @ model.word_rows[1:].T / _lengths(model)
    nearest = cosine.topk(min(NEAREST, cosine.shape[1])).indices.tolist()
    near = [tuple(trained.vocabulary.take(pa.array(own)).to_pylist()) for own in nearest]
    vocabulary = strings([*known.to_pylist(), *names])
    return Trained(asked, trained.users, vocabulary), dict(zip(names, near, strict=True))


@lru_cache(maxsize=1)
def _lengths(model: JointModel) -> Tensor:
    """The lengths (v,) of the known words' rows: of a model that is asked again and again, once."""
    lengths: Tensor = model.word_rows[1:].norm(dim=1)
    return lengths.clamp_min(1e-12)
