"""Posts as arrays on disk, and mini-batches cut from them without Python per row.

Shapes: n posts, L words a text (`model.text_length`), m images, D_I numbers per image, b posts of a batch.
A text is its words that are in the vocabulary, cut or padded to L; word 0 is the padding. A post none of whose words
are known has no text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.lib.format import open_memmap
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from pipeline.tables.images import FEATURES
from pipeline.tables.table import matrix, positions

Array = np.ndarray[Any, Any]
NONE = -1


def tokens(words: pa.ChunkedArray | pa.Array, vocabulary: pa.Array, length: int) -> Array:
    """Lists of words as an int32 (n, length) array: 1 + the row in `vocabulary`; unknown words go, 0 fills the rest."""
    lists = words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words
    out = np.zeros((len(lists), length), np.int32)
    if not len(lists):
        return out
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    rows = positions(lists.flatten(), vocabulary)
    post = np.repeat(np.arange(len(lists)), counts)[rows >= 0]
    rows = rows[rows >= 0]
    # The place of each known word among those of its post.
    place = np.arange(len(rows)) - np.searchsorted(post, post)
    kept = place < length
    out[post[kept], place[kept]] = rows[kept] + 1
    return out


def distinct(token: Array) -> tuple[Tensor, Tensor]:
    """The distinct words (u,) of texts (t, L), the padding always first, and the texts as rows of them (t, L)."""
    words, index = np.unique(np.append(0, token), return_inverse=True)
    return torch.from_numpy(words.astype(np.int64)), torch.from_numpy(index[1:].reshape(token.shape).astype(np.int64))


@dataclass(frozen=True)
class Posts:
    """Posts by row: `user`, `image`, `group` (n,) are rows, or -1 for none; `tokens` (n, L); `ids` (n,) their names.

    `image` points into the features; images of one `group` are copies of each other. Arrays may be memory-mapped.
    """

    ids: pa.ChunkedArray
    user: Array
    image: Array
    group: Array
    tokens: Array

    def __len__(self) -> int:
        return len(self.user)

    @property
    def has_text(self) -> Array:
        """Whether each post has a text of known words (n,)."""
        return np.asarray(self.tokens[:, 0] > 0)

    @property
    def has_image(self) -> Array:
        """Whether each post has an image with features (n,)."""
        return np.asarray(self.image >= 0)


@dataclass(frozen=True)
class Lookup:
    """What the ids and words of posts are looked up in: arrays of ids, in the order of the rows that they become."""

    users: pa.Array
    vocabulary: pa.Array
    images: pa.Array
    image_group: Array
    """The group of each of `images`, as a number (m,)."""

    def posts(self, parts: Iterable[pa.Table], count: int, length: int, folder: Path) -> Posts:
        """The posts of CONTENT tables in order, `count` rows in all, as memory-mapped arrays in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        group = np.append(self.image_group, NONE)
        shapes = {"user": (count,), "image": (count,), "group": (count,), "tokens": (count, length)}
        arrays = {name: _mapped(folder / f"{name}.npy", np.dtype(np.int32), shape) for name, shape in shapes.items()}
        ids: list[pa.Array] = []
        begin = 0
        for part in parts:
            rows = slice(begin, begin + part.num_rows)
            arrays["user"][rows] = positions(part["user_id"], self.users)
            arrays["image"][rows] = positions(part["image_id"], self.images)
            arrays["group"][rows] = group[arrays["image"][rows]]
            arrays["tokens"][rows] = tokens(part["words"], self.vocabulary, length)
            ids += part["post_id"].chunks
            begin = rows.stop
        return Posts(pa.chunked_array(ids, pa.string()), **arrays)


def image_numbers(features: Path, style: Path) -> Iterator[tuple[pa.ChunkedArray, Array, int]]:
    """Shard by shard, the ids (n,) of images, their numbers (n, D_I), and how many of these, the last, are style.

    `features` and `style` are tables of FEATURES of the same images; the latter has no row where there is no style.
    """
    plain = not FEATURES.count(style)
    styles = repeat(None) if plain else FEATURES.batches(style)
    for shard, more in zip(FEATURES.batches(features), styles, strict=not plain):
        ids, values = shard["image_id"], matrix(shard["vector"])
        if more is None:
            yield ids, values, 0
            continue
        if not more["image_id"].equals(ids):
            raise ValueError(f"{features} and {style} do not hold the same images")
        behind = matrix(more["vector"])
        yield ids, np.concatenate([values, behind], axis=1), behind.shape[1]


def image_features(features: Path, style: Path, folder: Path) -> tuple[pa.Array, Array, int]:
    """What `image_numbers` tells, of all images (m,) at once: the numbers (m, D_I) memory-mapped in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    count, begin, manner = FEATURES.count(features), 0, 0
    ids: list[pa.Array] = []
    values: Array | None = None
    for names, part, of_style in image_numbers(features, style):
        if values is None:
            values = _mapped(folder / "features.npy", part.dtype, (count, part.shape[1]))
        values[begin : begin + len(part)] = part
        begin, manner = begin + len(part), of_style
        ids += names.chunks
    assert values is not None  # a table has at least one shard
    return pa.chunked_array(ids, pa.string()).combine_chunks(), values, manner


def spread(values: Array, rows: Array) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation (d,) of `values` (n, d) over `rows`, read in pieces; of a constant, 1."""
    scaler = StandardScaler()
    for piece in chunks(len(rows), 4096):
        scaler.partial_fit(values[rows[piece]].astype(np.float64))
    return torch.from_numpy(scaler.mean_), torch.from_numpy(scaler.scale_)


def _mapped(path: Path, dtype: "np.dtype[Any]", shape: tuple[int, ...]) -> Array:
    # An empty file cannot be mapped.
    return open_memmap(path, "w+", dtype, shape) if all(shape) else np.empty(shape, dtype)


@dataclass(frozen=True)
class Batch:
    """b posts, and what they hold. All are tensors of one device.

    `posts` (b,) are their rows; `users` (r,) the distinct users, and `user` (b,) each post's row among these; `group`
    (b,) the group of each one's image, -1 where there is none. The t texts and i images are those of the posts
    `text_rows` (t,) and `image_rows` (i,): `words` (u,) the distinct words, the padding first, `text` (t, L) rows of
    these, `features` (i, D_I).
    """

    posts: Tensor
    users: Tensor
    user: Tensor
    group: Tensor
    words: Tensor
    text: Tensor
    text_rows: Tensor
    features: Tensor
    image_rows: Tensor

    def __len__(self) -> int:
        return len(self.posts)

    def to(self, device: torch.device) -> Self:
        """The same batch on `device`."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def cut(posts: Posts, features: Array, rows: Array) -> Batch:
    """The batch of the posts at `rows` (b,), in ascending order."""
    rows = np.sort(rows)
    token, image = posts.tokens[rows], posts.image[rows]
    text_rows, image_rows = np.flatnonzero(token[:, 0]), np.flatnonzero(image >= 0)
    users, user = np.unique(posts.user[rows].astype(np.int64), return_inverse=True)
    words, text = distinct(token[text_rows])
    return Batch(
        posts=torch.from_numpy(rows),
        users=torch.from_numpy(users),
        user=torch.from_numpy(user),
        group=torch.from_numpy(posts.group[rows].astype(np.int64)),
        words=words,
        text=text,
        text_rows=torch.from_numpy(text_rows),
        features=torch.from_numpy(features[image[image_rows]].astype(np.float32)),
        image_rows=torch.from_numpy(image_rows),
    )


def shuffled(rows: Array, batch_size: int, seed: Sequence[int]) -> list[Array]:
    """`rows` shuffled by `seed` and cut into batches of nearly one size, at most `batch_size`: no small rest."""
    order = np.random.default_rng(seed).permutation(rows)
    return np.array_split(order, max(1, -(-len(rows) // batch_size)))


def chunks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` rows."""
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))
