"""Texts and pictures that nobody has posted, as vectors of the joint space.

The model, the lemmatizer and the images' network are loaded when first asked for: torch alone takes longer to import
than all else that a page needs. One reader may be asked from several threads; it works for one at a time.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.pictures.reading import Picture, Rejected, intake
from pipeline.running.errors import UserError
from pipeline.running.params import validate
from pipeline.running.schema import Params

if TYPE_CHECKING:
    from pipeline.embedding.model import Trained
    from pipeline.encoding.networks import Encoder
    from pipeline.encoding.sentences import SentenceEncoder
    from pipeline.ocr.reading import PictureReader
    from pipeline.words.subwords import Parts

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Texts:
    """Vectors (n, D) of n texts, of unit length; zeros where nothing is known. Words by text, known and unknown."""

    vectors: Array
    words: list[list[str]]
    known: list[list[str]]
    unknown: list[list[str]]
    from_parts: Mapping[str, tuple[str, ...]]
    """Known by their parts alone, each with the words that the model has nearest to it; not among the unknown."""
    single: list[Array]
    """The vectors (k, D) of each text's words one by one, each once, of those that have one."""


def sentences(encoder: "SentenceEncoder", texts: Sequence[str | None], lettered: bool = False) -> Array:
    """The sentence vectors (n, S) of n texts, as posts have them; zeros where links and mentions are all.

    `lettered`: their letters follow, as a model reads them whose shape has `letters`.
    """
    from pipeline.text.cleaning import prose
    from pipeline.words.letters import letters

    found = np.zeros((len(texts), encoder.dim), np.float16)
    said = [prose(text) if text else "" for text in texts]
    if rows := [row for row, text in enumerate(said) if text]:
        found[rows] = encoder.encode([said[row] for row in rows])
    return np.concatenate([found, letters(said)], 1) if lettered else found


def spoken(words: Path) -> dict[str, int]:
    """How many posts of the table of WORDS at `words` are in each language."""
    from pipeline.tables.text import WORDS

    counted = WORDS.read(words, ["language"])["language"].value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in counted}


def embedded(trained: "Trained", words: pa.ListArray, said: Array | None) -> Array:
    """The vectors (n, D) of lists of words, and sentence vectors (n, S) where the model reads these; zeros where it
    knows nothing of one.
    """
    from pipeline.embedding.batches import present, tokens
    from pipeline.embedding.vectors import embed_texts

    token = tokens(words, trained.vocabulary, trained.model.shape.text_length)
    known = (token[:, :1] > 0) | (said is not None and present(said)[:, None])
    return np.where(known, embed_texts(trained.model, token, said), 0)


def _stacked(vectors: Sequence[Array], dim: int) -> Array:
    return np.array([vector for vector in vectors if vector.any()], np.float32).reshape(-1, dim)


def _encoded(encoder: "Encoder", stored: Sequence[bytes]) -> Array:
    return encoder.encode([encoder.prepare(picture) for picture in stored])


class Reader:
    """Reads with the model in `data`/model, as the params.yaml beside `data` says that posts were read."""

    def __init__(self, data: Path, params: Path, models: Path) -> None:
        self._data, self._params, self._models = data, params, models
        self._lock = threading.RLock()

    @cached_property
    def params(self) -> Params:
        """All settings. Raises UserError where they are not sound."""
        if not self._params.is_file():
            raise UserError(f"{self._params}: no such file. It has the settings of the tables in {self._data}.")
        return validate(self._params)

    @cached_property
    def trained(self) -> "Trained":
        """The model. Raises UserError where there is none."""
        from pipeline.embedding.model import load

        return load(self._data / "model")

    @cached_property
    def vocabulary(self) -> set[str]:
        """The words that the model knows."""
        from pipeline.tables.embedding import EMBEDDINGS

        return set(EMBEDDINGS.read(self._data / "model/words", ["id"])["id"].to_pylist())

    def words(self, texts: Sequence[str | None]) -> pa.ListArray:
        """The words of each text, cleaned and lemmatized as the corpus was."""
        from pipeline.text.asking import asked_words
        from pipeline.text.cleaning import lists
        from pipeline.text.lemmas import models

        chosen = models(self.params.text.stanza, self._models / "stanza")
        with self._lock:
            return lists(asked_words(list(texts), self.params.text, chosen, self._spoken))

    @cached_property
    def _spoken(self) -> dict[str, int]:
        return spoken(self._data / "text/words")

    def texts(self, texts: Sequence[str | None]) -> Texts:
        """Vectors of texts, and their words."""
        from pipeline.space.questions.spelling import spelled

        with self._lock:
            found = self.words(texts)
            trained, from_parts = spelled(self.trained, self._parts, found)
            vectors = embedded(trained, found, self.sentences(texts))
            words = found.to_pylist()
            names = list(dict.fromkeys(word for row in words for word in row))
            one_each = pa.array([[name] for name in names], pa.list_(pa.string()))
            single = dict(zip(names, embedded(trained, one_each, self.sentences(names)), strict=True))
        return Texts(
            vectors,
            words,
            [[word for word in row if word in self.vocabulary or word in from_parts] for row in words],
            [list(dict.fromkeys(w for w in row if w not in self.vocabulary and w not in from_parts)) for row in words],
            from_parts,
            [_stacked([single[word] for word in dict.fromkeys(row)], vectors.shape[1]) for row in words],
        )

    @cached_property
    def _parts(self) -> "Parts":
        from pipeline.space.questions.spelling import known_parts

        return known_parts(self._data / "words/parts")

    def sentences(self, texts: Sequence[str | None]) -> Array | None:
        """The texts' sentence vectors (n, S), and letters where the model reads these, as the corpus's were made, zeros
        without a text; None where the model reads none. Raises UserError where params.yaml is another than in training.
        """
        shape = self.trained.model.shape
        if not shape.sentence:
            return None
        with self._lock:
            found = sentences(self._sentence_encoder, texts, shape.letters > 0)
        if (size := found.shape[1] - shape.letters) != shape.sentence:
            raise UserError(
                f"a text is {size} numbers by sentences.encoder, and the model was trained on {shape.sentence}; "
                "params.yaml is not what it was then."
            )
        return found

    def take_in(self, files: Sequence[bytes]) -> list[Picture | Rejected]:
        """Strangers' files as stored pictures, each decoded in a guarded process, as the import does it."""
        images = self.params.images
        named = ((str(i), data) for i, data in enumerate(files))
        return [found for _, found in intake(named, images.max_pixels, images.max_side, workers=1)]

    def features(self, stored: Sequence[bytes]) -> Array:
        """What the images' networks say of stored pictures (n, D_I), rounded as `data`/images/features holds it."""
        with self._lock:
            shape = self.trained.model.shape
            parts = [_encoded(self._encoder, stored)]
            if shape.said:
                parts.append(sentences(self._sentence_encoder, self.words_in(stored)))
            if shape.style:
                parts.append(_encoded(self._style, stored))
            return np.concatenate([part.astype(self.params.images.dtype) for part in parts], axis=1)

    def words_in(self, stored: Sequence[bytes]) -> list[str]:
        """The words that stand in stored pictures, as the corpus's were read. Raises UserError without the networks."""
        from pipeline.ocr.writing import legible

        with self._lock:
            return [legible(self._picture_reader.read(picture)) for picture in stored]

    def pictures(self, stored: Sequence[bytes]) -> Array:
        """Vectors (n, D) of stored pictures. Raises UserError where params.yaml is another than in training."""
        from pipeline.embedding.vectors import embed_images

        features = self.features(stored)
        if features.shape[1] != self.trained.model.shape.image:
            raise UserError(
                f"a picture is {features.shape[1]} numbers by images.encoder, and the model was trained on "
                f"{self.trained.model.shape.image}; params.yaml is not what it was then."
            )
        with self._lock:
            return embed_images(self.trained.model, features)

    @cached_property
    def _encoder(self) -> "Encoder":
        from pipeline.encoding.encoders import load_encoder

        images = self.params.images
        if images.encoder == "stored":
            raise UserError("images are made vectors here (images.encoder: stored), so a picture has no vector.")
        weights = None if images.weights is None else Path(images.weights)
        return load_encoder(images.encoder, weights, images.weights_sha256, images.precision)

    @cached_property
    def _picture_reader(self) -> "PictureReader":
        from pipeline.ocr.reading import PictureReader

        return PictureReader()

    @cached_property
    def _sentence_encoder(self) -> "SentenceEncoder":
        from pipeline.encoding.encoders import chosen_encoder

        return chosen_encoder(self.params.sentences, self._models / "minilm")

    @cached_property
    def _style(self) -> "Encoder":
        from pipeline.encoding.encoders import load_style_encoder

        return load_style_encoder(self.params.images.precision)
