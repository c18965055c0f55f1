"""Vectors of people who are not in the corpus, from a table of their posts: no retraining (`new_users.NewUsers`)."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional as F

from pipeline.common.groups import image_groups
from pipeline.embedding.batches import Lookup, Posts, tokens
from pipeline.embedding.images import image_features
from pipeline.embedding.model import load_objective
from pipeline.pictures.reading import Rejected
from pipeline.space.new_users import NewUsers
from pipeline.space.reading import Reader
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix
from pipeline.words.vectors import joined, mean_by_user, occurrences

Array = np.ndarray[Any, np.dtype[Any]]
NONE = -1
LEFT_OUT = "neither a known word nor a picture"


class Newcomers:
    """Fits new users to the model of `reader`, against the train side under `data`."""

    def __init__(self, reader: Reader, data: Path) -> None:
        self._reader, self._data = reader, data
        self._folder = tempfile.TemporaryDirectory(prefix="newcomers-")
        folder, trained = Path(self._folder.name), reader.trained
        images, features, _ = image_features(data / "images", folder)
        groups = IMAGE_GROUPS.read(data / "images/groups", ["image_id", "group_id"])
        lookup = Lookup(trained.users, trained.vocabulary, images, image_groups(images, groups))
        shape = trained.model.shape
        train = data / "split/train"
        posts = lookup.posts(
            CONTENT.batches(train), CONTENT.count(train), shape.text_length, folder / "train", shape.text_tables(data)
        )
        params = reader.params
        self._fitting = NewUsers(
            trained, load_objective(data / "model"), posts, features, params.train.batch_size, params.seed
        )

    def vectors(self, posts: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Array], list[tuple[int, str, str]]]:
        """The vector (D,) of each user of `posts`, which have `user_id` and `text`, `image` (bytes), or both.

        Also what was left out, as (row, reason, detail): pictures that cannot be read, posts without anything known.
        A user with nothing known has the vector of nobody in particular: that of the mean row of all users.
        """
        reader, trained = self._reader, self._reader.trained
        users = list(dict.fromkeys(str(post["user_id"]) for post in posts))
        texts = [post.get("text") for post in posts]
        words, said = reader.words(texts), reader.sentences(texts)
        token = tokens(words, trained.vocabulary, trained.model.shape.text_length)
        features, image, left_out = self._pictures(posts)
        names = pa.array([str(post["user_id"]) for post in posts], pa.string())
        user = np.array([users.index(name) for name in names.to_pylist()], np.int32)
        own = Posts.of_one(pa.chunked_array([names]), user, image, np.full(len(posts), NONE), token, said)
        left_out += [(int(i), LEFT_OUT, "") for i in np.flatnonzero(~(own.has_text | own.has_image))]
        rows = self._fitting.fit(own, features, self._starts(names, words, own, features, users))
        return dict(zip(users, self._fitting.embed(rows), strict=True)), sorted(left_out)

    def _pictures(self, posts: Sequence[Mapping[str, Any]]) -> tuple[Array, Array, list[tuple[int, str, str]]]:
        """Features (m, D_I) of the pictures, the row of each post's among them, and those that cannot be read."""
        shown = [i for i, post in enumerate(posts) if post.get("image")]
        taken = self._reader.take_in([posts[i]["image"] for i in shown])
        left_out = [
            (i, found.reason, found.detail)
            for i, found in zip(shown, taken, strict=True)
            if isinstance(found, Rejected)
        ]
        good = [(i, f) for i, f in zip(shown, taken, strict=True) if not isinstance(f, Rejected)]
        image = np.full(len(posts), NONE, np.int32)
        image[[i for i, _ in good]] = np.arange(len(good))
        stored = [found.bytes for _, found in good]
        features = [self._reader.features(stored[at : at + 32]) for at in range(0, len(stored), 32)]
        width = self._reader.trained.model.shape.image
        return np.concatenate([np.empty((0, width), np.float32), *features]), image, left_out

    def _starts(self, names: pa.Array, words: pa.ListArray, own: Posts, features: Array, users: Sequence[str]) -> Array:
        """Rows (u, D_u) to start from: the means of the words, sentences and images of each, as training has them."""
        shape = self._reader.trained.model.shape
        parts = [self._mean_words(names, words, users)] if shape.words else []
        if shape.discriminant:
            parts += self._discriminants(own, features, len(users))
        elif shape.sentence:
            parts.append(self._mean_sentences(own, users))
        if shape.fused:
            parts += self._discriminants(own, features, len(users))
        return np.concatenate(parts, axis=1)

    def _discriminants(self, own: Posts, features: Array, users: int) -> list[Array]:
        """The means of sentences, where the model reads these, of images and letters, (u, S), (u, k) and (u, w), as a
        row holds them where discriminants start it or stand beside; zeros for who has none.
        """
        model = self._reader.trained.model
        images = partial(model.images, centred=True), features[own.image], own.user[own.post], model.image_basis
        parts: list[tuple[Any, ...]] = [images]
        if own.sentence is not None:
            said, user = own.sentence[own.has_sentence], own.user[own.has_sentence]
            sentences, letters = np.split(said, [model.shape.sentence], axis=1)
            parts.insert(0, (model.sentences, sentences, user, model.sentence_basis))
            if model.shape.written:
                parts.append((model.letters, letters, user, model.letters_basis))
        found = []
        with torch.no_grad():
            for phi, values, user, basis in parts:
                seen = phi(torch.from_numpy(values.astype(np.float32)))
                sums = torch.zeros(users, seen.shape[1]).index_add_(0, torch.from_numpy(user.astype(np.int64)), seen)
                found.append(F.normalize(sums @ basis.T).numpy())
        return found

    def _mean_sentences(self, own: Posts, users: Sequence[str]) -> Array:
        """The mean sentence vectors (u, S), as a row holds them; zeros for who has no text."""
        assert own.sentence is not None
        sentence = own.sentence[:, : self._reader.trained.model.shape.sentence].astype(np.float32)
        sums = np.zeros((len(users), sentence.shape[1]), np.float32)
        np.add.at(sums, own.user, sentence)
        counts = np.bincount(own.user[own.has_sentence], minlength=len(users))[:, None]
        with torch.no_grad():
            means: Array = self._reader.trained.model.sentences(torch.from_numpy(sums / np.maximum(1, counts))).numpy()
        return means

    def _mean_words(self, names: pa.Array, words: pa.ListArray, users: Sequence[str]) -> Array:
        """The mean vectors of the words of each (u, word), or the mean of all users' for who has none.

        With words.usage the two halves are of unit length, and so they are here.
        """
        vocabulary = VOCABULARY.read(self._data / "words/vocabulary")
        vectors = matrix(vocabulary["vector"]).astype(np.float32)
        held = EMBEDDINGS.read(self._data / "words/users")
        rows = matrix(held["vector"]).astype(np.float32)
        starts = np.tile(rows.mean(axis=0), (len(users), 1))
        table = pa.table({"user_id": names, "words": words})
        known, counts = occurrences([table], vocabulary["word"].combine_chunks())
        if len(known):
            means = mean_by_user(counts, vectors)
            size = self._reader.params.words.size
            if means.shape[1] > size:
                means = joined(means[:, :size], means[:, size:])
            starts[[users.index(name) for name in known.to_pylist()]] = means
        return starts
