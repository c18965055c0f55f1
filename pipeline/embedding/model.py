"""The joint embedding of users, images and texts: the model of the paper's section 3.1.

    x^I = W_I phi_I(I)     phi_I: features of a frozen network (beyond the paper also its words, its style), D_I numbers
    x^T = W_T phi_T(T)     phi_T: convolutions over word vectors, the maximum over time (Kim, 2014), D_T numbers
    x^U = W_U U_e[k]       U_e: a table of one learned row per user, D_u numbers

The word vectors are frozen unless `tune_words`. Beyond the paper, with `word_mean` phi_T also holds the mean of the
text's word vectors, rare words weighing more; without windows it is that mean alone. Beside the words, or in their
place, phi_T may hold the text's vector by a pretrained sentence encoder, S numbers, less the mean of train and at unit
length; then a user's row ends in as many, the mean of the user's texts. With `aligned`, the parts of W_T for mean words
and for sentences start as W_U does: before the first step texts are near users as their mean words and sentences are,
and by sentences alone they rank as the baseline encoder_mean_centred does. With `discriminant`, sentences and images
start whitened by how they vary within users, and the row also holds the mean of the user's images: then images start
near users as such means are, and near texts by a ridge regression. The words that stand in an image are a sentence
vector too, S numbers, made as those of texts are; with `aligned` their part of W_I starts as that of W_T does, so that
an image is near texts that say what stands in it.

Shapes: D joint, t texts of L words, u distinct words, i images, r users.
"""

import copy
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load as deserialize
from safetensors.torch import save as serialize
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.common.without_mkl import without_mkl
from pipeline.embedding.losses import Objective
from pipeline.embedding.processes import Part
from pipeline.embedding.shape import Shape
from pipeline.embedding.windows import window_maxima
from pipeline.running.errors import Damaged, UserError
from pipeline.running.files import atomic_folder, write_text
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.table import matrix, vectors

without_mkl()

MODALITIES = ("text", "image", "user")
ALIGNED = 30.0
"""Length of the columns of projections that start aligned: so long that Adam's steps hardly turn them, and what is
learned goes into the rows of words and users. On folds 1, the length otherwise, is worse."""

IMAGE_LENGTH = 3.0
"""The same of W_I, where images start as discriminants: what is learned of images has no rows to go to."""
SAID = 1.0
"""Length of W_I's columns for the words in an image, where they start aligned, times that of W_T's for sentences."""
BRIDGE = 0.3
"""How much of what is said of an image W_I starts with, beside what tells the image's user."""


class JointModel(nn.Module):
    """The three encoders. `words` (V, word) are in vocabulary order; row 0 of `word_rows` is the padding, of zeros.

    `users` (K, D_u) start the users' rows. Both tables are buffers: what trains them is `optimizer.RowAdam`.
    `weights` (V,) are the words' in the mean of a text; None: all alike. `aligned`: W_T and W_U start alike.
    The encoders return vectors of D numbers that are not of unit length (the cosine of Eq. 3 makes them so). Where they
    are given a `part` of the rows of a batch, dropout is what it would be in the whole. With `shape.fused`, outside of
    training, discriminants of sentences, images and letters follow, times the roots of `fusion`: a cosine is then a
    weighted mean of that of the trained vectors and those of the others (late fusion). An image has no letters.
    """

    user_rows: Tensor
    word_rows: Tensor
    word_weights: Tensor
    style_mean: Tensor
    style_deviation: Tensor
    sentence_mean: Tensor
    sentence_basis: Tensor
    image_basis: Tensor
    image_mean: Tensor
    bridge: Tensor
    letters_mean: Tensor
    letters_basis: Tensor
    fusion: Tensor

    def __init__(
        self, shape: Shape, words: Tensor, users: Tensor, seed: int, weights: Tensor | None = None,
        aligned: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape = shape
        random = torch.Generator().manual_seed(seed)

        def uniform(fan_in: int, *size: int) -> nn.Parameter:
            bound = 1 / math.sqrt(fan_in)
            return nn.Parameter(torch.empty(*size).uniform_(-bound, bound, generator=random))

        pairs = list(zip(shape.windows, shape.filters, strict=True))
        self.image_projection = uniform(shape.image, shape.dim, shape.image)  # W_I
        kernels = [uniform(k * shape.word, k * n, shape.word).data for k, n in pairs]
        self.kernels = nn.Parameter(torch.cat([torch.empty(0, shape.word), *kernels]))
        self.bias = nn.Parameter(torch.cat([torch.empty(0), *(uniform(k * shape.word, n).data for k, n in pairs)]))
        means = shape.word * shape.word_mean + shape.sentence
        text = sum(shape.filters) + means  # D_T
        self.text_projection = uniform(text, shape.dim, text)  # W_T
        trained = shape.user - shape.beside
        self.user_projection = uniform(trained, shape.dim, trained)  # W_U
        if aligned:
            start = nn.init.orthogonal_(torch.empty(shape.dim, trained), ALIGNED, random)
            self.user_projection.data = start
            own = trained - shape.discriminant
            self.text_projection.data[:, -means:] = start[:, own - means : own]
            if shape.said:
                self.image_projection.data[:, shape.content : shape.content + shape.said] = (
                    start[:, own - shape.sentence : own] * SAID
                )
        self.register_buffer("user_rows", users.clone())
        self.register_buffer("word_rows", torch.cat([torch.zeros(1, shape.word), words]))
        weights = torch.ones(len(words)) if weights is None else weights
        self.register_buffer("word_weights", torch.cat([torch.zeros(1), weights]))
        self.register_buffer("style_mean", torch.zeros(shape.style))
        self.register_buffer("style_deviation", torch.ones(shape.style))
        self.register_buffer("sentence_mean", torch.zeros(shape.sentence))
        directions = shape.discriminant + shape.fused
        whole = bool(directions)
        self.register_buffer("sentence_basis", torch.zeros(shape.sentence * whole, shape.sentence))
        self.register_buffer("image_basis", torch.zeros(directions, shape.image))
        self.register_buffer("image_mean", torch.zeros(shape.content * whole))
        fused = bool(shape.fused)
        self.register_buffer("bridge", torch.zeros(shape.sentence * fused, shape.image), persistent=fused)
        written = bool(shape.written)
        self.register_buffer("letters_mean", torch.zeros(shape.letters), persistent=written)
        self.register_buffer("letters_basis", torch.zeros(shape.written, shape.letters), persistent=written)
        self.register_buffer("fusion", torch.zeros((2 + written) * fused), persistent=fused)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.image_projection.device

    def weights(self, modality: str) -> list[nn.Parameter]:
        """The parameters of one encoder, without its table of rows."""
        return {
            "image": [self.image_projection],
            "text": [self.kernels, self.bias, self.text_projection],
            "user": [self.user_projection],
        }[modality]

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on images' style numbers are less `mean` (S,) and divided by `deviation` (S,)."""
        self.style_mean.copy_(mean)
        self.style_deviation.copy_(deviation)

    def with_words(self, rows: Tensor, weights: Tensor) -> "JointModel":
        """A model with other words, of `rows` (V, word) and `weights` (V,), that shares all else with this one."""
        other = copy.copy(self)
        padding = torch.zeros_like(self.word_rows[:1])
        words = {"word_rows": torch.cat([padding, rows]), "word_weights": torch.cat([weights.new_zeros(1), weights])}
        other._buffers = {**self._buffers, **words}
        return other

    def discriminate(self, sentence_basis: Tensor, image_basis: Tensor, bridge: Tensor | None) -> None:
        """W_T and W_I start, for sentences and images, as W_U after these bases, (S, S) and (k, D_I).

        W_I also starts as W_U does for sentences after `bridge` (S, D_I), which tells from an image what is said of it.
        With `shape.fused` these maps stand beside what is trained, and start nothing.
        """
        self.sentence_basis.copy_(sentence_basis)
        self.image_basis.copy_(image_basis)
        if self.shape.fused:
            if bridge is not None:
                self.bridge.copy_(bridge)
            return
        size, k = self.shape.sentence, self.shape.discriminant
        start = self.user_projection.data
        image = start[:, -k:] @ image_basis
        if bridge is not None:
            self.text_projection.data[:, -size:] = start[:, -size - k : -k] @ sentence_basis
            image += start[:, -size - k : -k] @ bridge * BRIDGE
        self.image_projection.data.copy_(image * (IMAGE_LENGTH / ALIGNED))

    def images(self, features: Tensor, centred: bool = False) -> Tensor:
        """phi_I (i, D_I) of `features` (i, D_I); `centred`, as discriminants read it."""
        centred = centred or bool(self.shape.discriminant)
        if not (self.shape.said or self.shape.style or centred):
            return features
        sizes = [self.shape.content, self.shape.said, self.shape.style]
        content, said, style = torch.split(features.float(), sizes, 1)
        style = (style - self.style_mean) / self.style_deviation
        if centred:
            content, style = F.normalize(content - self.image_mean), F.normalize(style)
        return torch.cat([content, self.sentences(said) if self.shape.said else said, style], 1)

    def image(self, features: Tensor, part: Part | None = None) -> Tensor:
        """x^I (i, D) of `features` (i, D_I)."""
        phi = self._drop(self.images(features), self.shape.image_dropout, part)
        trained = F.linear(phi, self.image_projection).float()
        if not self.fuses:
            return trained
        seen = self.images(features, centred=True)
        said, shown = F.normalize(seen @ self.bridge.T) * BRIDGE, F.normalize(seen @ self.image_basis.T)
        return self._fused(trained, said, shown, trained.new_zeros(len(trained), self.shape.written))

    @property
    def fuses(self) -> bool:
        """Whether discriminants now stand beside what is trained."""
        return bool(self.shape.fused) and not self.training and bool(self.fusion.any())

    @property
    def length(self) -> int:
        """Numbers of a vector that the encoders return: D, and those beside."""
        return self.shape.dim + self.shape.beside * self.fuses

    def _fused(self, trained: Tensor, *beside: Tensor) -> Tensor:
        weighed = [part * root for part, root in zip(beside, self.fusion.sqrt(), strict=False) if part.shape[1]]
        return torch.cat([F.normalize(trained), *weighed], 1)

    def center(self, mean: Tensor) -> None:
        """From now on sentence vectors are less `mean` (S,)."""
        self.sentence_mean.copy_(mean)

    def text(
        self,
        words: Tensor,
        text: Tensor,
        vectors: Tensor | None = None,
        sentence: Tensor | None = None,
        part: Part | None = None,
    ) -> Tensor:
        """x^T (t, D) of texts (t, L), as rows of their distinct `words` (u,), the padding first.

        `vectors` (u, word) take the place of the words' own, where these are being trained. `sentence` (t, S) are the
        texts' vectors by the sentence encoder, zeros for a text without one; with `shape.letters`, L numbers follow.
        """
        vectors = self.word_rows[words] if vectors is None else vectors
        phi = []
        if self.shape.windows:
            responses = window_maxima(vectors, self.kernels, text, self.shape.windows, self.shape.filters)
            phi.append(F.relu(responses + self.bias))
        if self.shape.word_mean:
            phi.append(_weighted_mean(vectors, self.word_weights[words], text))
        if self.shape.sentence:
            assert sentence is not None
            phi.append(self.sentences(sentence[:, : self.shape.sentence]))
        trained = F.linear(self._drop(torch.cat(phi, 1), self.shape.dropout, part), self.text_projection).float()
        if not self.fuses:
            return trained
        said = phi[-1] if self.shape.sentence else trained.new_zeros(len(trained), 0)
        beside = [F.normalize(said @ self.sentence_basis.T), trained.new_zeros(len(trained), self.shape.fused)]
        if self.shape.written and sentence is not None:
            letters = self.letters(sentence[:, self.shape.sentence :])
            beside.append(F.normalize(letters @ self.letters_basis.T))
        return self._fused(trained, *beside)

    def sentences(self, vectors: Tensor) -> Tensor:
        """The part of phi_T, or of a user's first row, that sentence vectors, or their means, (n, S) make."""
        return _centred(vectors, self.sentence_mean)

    def letters(self, vectors: Tensor) -> Tensor:
        """What discriminants read of texts' letters (n, L)."""
        return _centred(vectors, self.letters_mean)

    def user(self, rows: Tensor, part: Part | None = None) -> Tensor:
        """x^U (r, D) of users' rows U_e (r, D_u)."""
        own = self.user_projection.shape[1]
        trained = F.linear(self.told_users(rows, part), self.user_projection).float()
        if not self.fuses:
            return trained
        sizes = [self.shape.sentence, self.shape.fused, self.shape.written]
        return self._fused(trained, *torch.split(rows[:, own:], sizes, 1))

    def told_users(self, rows: Tensor, part: Part | None = None) -> Tensor:
        """What W_U is given of users' rows U_e (r, D_u)."""
        return self._drop(rows[:, : self.user_projection.shape[1]], self.shape.dropout, part)

    def user_axes(self, posts: int) -> Tensor | None:
        """W_U (D, D_u), where cosines of so many `posts` with users cost less by the numbers before it than after."""
        wide, narrow = self.user_projection.shape
        return self.user_projection if 2 * narrow <= min(wide, posts) else None

    def _drop(self, x: Tensor, share: float, part: Part | None) -> Tensor:
        if not share:
            return x
        if part is None or part.total == len(x):
            return F.dropout(x, share, self.training)
        # Drawn for all rows, in each process alike, as one process would draw them.
        return x * F.dropout(x.new_ones(part.total, x.shape[1]), share, self.training)[part.rows]


def _centred(vectors: Tensor, mean: Tensor) -> Tensor:
    return F.normalize(vectors - mean).masked_fill((vectors == 0).all(1, keepdim=True), 0)


def _weighted_mean(vectors: Tensor, weights: Tensor, text: Tensor) -> Tensor:
    """The mean (t, word) of each text's vectors by their weights (u,); of a text without a word, zeros."""
    sums = F.embedding(text, vectors * weights.unsqueeze(1)).sum(1)
    return sums / weights[text].sum(1, keepdim=True).clamp(min=1e-6)


def rarity(counts: np.ndarray) -> Tensor:
    """The weight of each word (V,) in the mean of a text, by its `counts` (V,) in train: more, the rarer it is.

    A word that is not in train, known by its parts, counts as one that is there once.
    """
    return torch.from_numpy(np.log1p(counts.sum() / np.maximum(counts, 1)).astype(np.float32))


@dataclass(frozen=True)
class Trained:
    """A model with the ids of its tables' rows: `users` (K,) and `vocabulary` (V,), both sorted."""

    model: JointModel
    users: pa.Array
    vocabulary: pa.Array


def save(trained: Trained, objective: Objective, folder: Path) -> None:
    """Write `folder`: config.json (Shape; of what came later only what is not 0), weights.safetensors, tables of
    EMBEDDINGS `users` and `words`, and what it was trained for in objective.json.
    """
    model = trained.model
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    rows, words = state.pop("user_rows"), state.pop("word_rows")[1:]
    with atomic_folder(folder) as temporary:
        packed = serialize(state)
        later = ("said", "fused", "letters", "written")  # without them, the same bytes as before there were such
        shape = {name: value for name, value in asdict(model.shape).items() if name not in later or value}
        about = {**shape, "weights_sha256": hashlib.sha256(packed).hexdigest()}
        write_text(json.dumps(about, indent=2) + "\n", temporary / "config.json")
        write_text(json.dumps(objective.described(), indent=2) + "\n", temporary / "objective.json")
        (temporary / "weights.safetensors").write_bytes(packed)
        EMBEDDINGS.write(pa.table({"id": trained.users, "vector": vectors(rows.numpy())}), temporary / "users")
        EMBEDDINGS.write(pa.table({"id": trained.vocabulary, "vector": vectors(words.numpy())}), temporary / "words")


def load(folder: Path) -> Trained:
    """The model that `save` wrote. Raises UserError where it is missing, damaged, or another version's."""
    about, path = folder / "config.json", folder / "weights.safetensors"
    held, packed = _held(about), _bytes(path)
    if hashlib.sha256(packed).hexdigest() != held.pop("weights_sha256", None):
        raise Damaged(path, "its SHA-256 is not that of config.json")
    try:
        shape = Shape(**{**held, "windows": tuple(held["windows"]), "filters": tuple(held["filters"])})
    except (KeyError, TypeError) as error:
        raise UserError(f"{about} is of another version of this code ({error}); `dvc repro train` makes it.") from error
    users, words = EMBEDDINGS.read(folder / "users"), EMBEDDINGS.read(folder / "words")
    model = JointModel(shape, torch.tensor(matrix(words["vector"])), torch.tensor(matrix(users["vector"])), seed=0)
    tables = {"user_rows": model.user_rows, "word_rows": model.word_rows}
    model.load_state_dict(deserialize(packed) | tables)
    return Trained(model.eval(), users["id"].combine_chunks(), words["id"].combine_chunks())


def load_objective(folder: Path) -> Objective:
    """The objective that `save` wrote, with its learned temperatures. Raises UserError as `load` does."""
    return Objective.of(_held(folder / "objective.json"))


def _held(path: Path) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads(_bytes(path))
    except ValueError as error:
        raise Damaged(path, error) from error
    return held


def _bytes(path: Path) -> bytes:
    if not path.exists():
        raise UserError(f"{path.parent}: no model there; `dvc repro train` makes it, `dvc checkout` restores it.")
    return path.read_bytes()
