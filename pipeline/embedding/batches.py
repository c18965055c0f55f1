"""Posts as arrays on disk, and mini-batches cut from them without Python per row.

Shapes: n posts with p pictures, L words a text (`model.text_length`), m images, D_I numbers per image, b posts of a
batch. A picture is an image in a post: a post has any number of them, and an image may be in several posts.
A text is its words that are in the vocabulary, cut or padded to L; word 0 is the padding. A post none of whose words
are known has no text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from pipeline.embedding.means import chunks
from pipeline.embedding.processes import ALONE, Processes
from pipeline.running.errors import UserError
from pipeline.running.files import allocate
from pipeline.tables.corpus import pictures_of
from pipeline.tables.table import matrix, positions
from pipeline.tables.text import TEXT_VECTORS

Array = np.ndarray[Any, Any]


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
    """Posts by row: `user` (n,) are rows, or -1 for none; `tokens` (n, L); `ids` (n,) their names.

    The pictures of post k are those from `begin[k]` to `begin[k + 1]` of `image` (p,), rows of the features, and of
    `group` (p,): images of one group are copies of each other. `sentence` (n, S) are the texts as a sentence encoder
    has them, behind it their letters where the model reads these, zeros where a post has none; None where the model
    reads none. Arrays may be memory-mapped.
    """

    ids: pa.ChunkedArray
    user: Array
    begin: Array
    image: Array
    group: Array
    tokens: Array
    sentence: Array | None = None

    @classmethod
    def laid(cls, folder: Path) -> Self:
        """The posts that `Lookup.posts` laid in `folder`, all memory-mapped."""
        names = [field.name for field in fields(cls) if field.name != "ids"]
        paths = {name: folder / f"{name}.npy" for name in names}
        return cls(
            held_ids(folder / "ids.arrow"), **{name: held(path) for name, path in paths.items() if path.exists()}
        )

    @classmethod
    def of_one(
        cls, ids: pa.ChunkedArray, user: Array, image: Array, group: Array, tokens: Array, sentence: Array | None = None
    ) -> Self:
        """Posts with one picture at most: `image` and `group` (n,), -1 for none."""
        has = image >= 0
        return cls(ids, user, np.append(0, np.cumsum(has)), image[has], group[has], tokens, sentence)

    def take(self, rows: Array) -> Self:
        """The posts at `rows`."""
        post, picture = self.pictures(rows)
        begin = np.append(0, np.cumsum(np.bincount(post, minlength=len(rows))))
        ids = self.ids.take(pa.array(rows))
        return type(self)(
            ids, self.user[rows], begin, self.image[picture], self.group[picture], self.tokens[rows],
            self.said(rows),
        )  # fmt: skip

    def said(self, rows: Array) -> Array | None:
        """The sentence vectors (r, S) of the posts at `rows` (r,)."""
        return None if self.sentence is None else self.sentence[rows]

    def pictures(self, rows: Array) -> tuple[Array, Array]:
        """The pictures of the posts at `rows`: each one's post as a place among these, ascending; and the pictures."""
        first, count = self.begin[rows], self.begin[rows + 1] - self.begin[rows]
        post = np.repeat(np.arange(len(rows)), count)
        return post, np.arange(len(post)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)

    @property
    def post(self) -> Array:
        """The post of each picture (p,), ascending."""
        return np.repeat(np.arange(len(self)), np.diff(self.begin))

    def __len__(self) -> int:
        return len(self.user)

    @property
    def has_text(self) -> Array:
        """Whether each post has a text that can be told (n,): of known words, or with a sentence vector."""
        return self.has_words if self.sentence is None else self.has_words | self.has_sentence

    @property
    def has_words(self) -> Array:
        """Whether each post has a text of known words (n,)."""
        return np.asarray(self.tokens[:, 0] > 0)

    @property
    def has_sentence(self) -> Array:
        """Whether each post has a sentence vector (n,)."""
        assert self.sentence is not None
        return present(self.sentence)

    @property
    def has_image(self) -> Array:
        """Whether each post has an image with features (n,)."""
        return np.asarray(np.diff(self.begin) > 0)


@dataclass(frozen=True)
class Lookup:
    """What the ids and words of posts are looked up in: arrays of ids, in the order of the rows that they become."""

    users: pa.Array
    vocabulary: pa.Array
    images: pa.Array
    image_group: Array
    """The group of each of `images`, as a number (m,)."""

    def posts(
        self, parts: Iterable[pa.Table], count: int, length: int, folder: Path, sentences: Sequence[Path] = ()
    ) -> Posts:
        """The posts of CONTENT tables in order, `count` rows in all, as memory-mapped arrays in `folder`.

        `sentences` are the tables of TEXT_VECTORS that the model reads.
        """
        folder.mkdir(parents=True, exist_ok=True)
        shapes = {"user": (count,), "tokens": (count, length)}
        arrays = {name: mapped(folder / f"{name}.npy", np.dtype(np.int32), shape) for name, shape in shapes.items()}
        ids: list[pa.Array] = []
        images: list[Array] = [np.empty(0, np.int32)]
        pictures = np.zeros(count + 1, np.int64)
        begin = 0
        for part in parts:
            rows = slice(begin, begin + part.num_rows)
            arrays["user"][rows] = positions(part["user_id"], self.users)
            post, shown = pictures_of(part)
            image = positions(shown, self.images)
            images.append(image[image >= 0].astype(np.int32))
            pictures[begin + 1 : rows.stop + 1] = np.bincount(post[image >= 0], minlength=part.num_rows)
            arrays["tokens"][rows] = tokens(part["words"], self.vocabulary, length)
            ids += part["post_id"].chunks
            begin = rows.stop
        image = np.concatenate(images)
        names = pa.chunked_array(ids, pa.string())
        if not sentences:
            (folder / "sentence.npy").unlink(missing_ok=True)
        else:
            sentence_vectors(sentences, names, folder)
        np.save(folder / "image.npy", image)
        np.save(folder / "group.npy", self.image_group[image].astype(np.int32) if len(image) else image)
        np.save(folder / "begin.npy", np.cumsum(pictures))
        keep_ids(names, folder / "ids.arrow")
        return Posts.laid(folder)


def present(sentence: Array) -> Array:
    """Which rows of sentence vectors (n, S) are one: they are of unit length, and zeros stand for none."""
    return np.asarray(sentence.any(axis=1))


def sentence_vectors(tables: Sequence[Path], ids: pa.ChunkedArray, folder: Path | None = None) -> Array:
    """The vectors (n, S) of the posts `ids` (n,) in `tables`, of TEXT_VECTORS, one after the other; zeros without one.

    Memory-mapped in `folder` where it is given. Raises UserError where a table has no row.
    """
    widths, dtype = [], np.dtype(np.float16)
    for table in tables:
        if not TEXT_VECTORS.count(table):
            raise UserError(
                f"{table} is empty, and model.text_encoder reads sentence vectors: set sentences.encoder, or words "
                "there."
            )
        first = matrix(next(TEXT_VECTORS.batches(table, ["vector"]))["vector"])
        widths.append(first.shape[1])
        dtype = np.promote_types(dtype, first.dtype)
    shape = len(ids), sum(widths)
    found = np.zeros(shape, dtype) if folder is None else mapped(folder / "sentence.npy", dtype, shape)
    for table, width, end in zip(tables, widths, np.cumsum(widths), strict=True):
        place, begin = positions(ids, TEXT_VECTORS.read(table, ["post_id"])["post_id"]), 0
        for shard in TEXT_VECTORS.batches(table, ["vector"]):
            values = matrix(shard["vector"])
            rows = np.flatnonzero((place >= begin) & (place < begin + len(values)))
            found[rows, end - width : end] = values[place[rows] - begin]
            begin += len(values)
    return found


def moments(values: Array, rows: Array) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation (d,) of `values` (n, d) over `rows`, read in pieces; of a constant, 1."""
    from sklearn.preprocessing import StandardScaler  # a second, which most that import this module need not wait

    scaler = StandardScaler()
    for piece in chunks(len(rows), 4096):
        scaler.partial_fit(values[rows[piece]].astype(np.float64))
    return torch.from_numpy(scaler.mean_), torch.from_numpy(scaler.scale_)


def mapped(path: Path, dtype: "np.dtype[Any]", shape: tuple[int, ...]) -> Array:
    """A new array at `path`, memory-mapped to be written; its space on the disk is taken."""
    if not all(shape):  # an empty file cannot be mapped
        empty: Array = np.empty(shape, dtype)
        np.save(path, empty)
        return empty
    made = open_memmap(path, "w+", dtype, shape)
    allocate(path)
    return made


def held(path: Path) -> Array:
    """The array that was saved at `path`, memory-mapped to be read."""
    found: Array = np.load(path, mmap_mode="r")
    return found if found.size else np.empty(found.shape, found.dtype)


def keep_ids(ids: pa.ChunkedArray | pa.Array, path: Path) -> None:
    """Write ids where `held_ids` maps them."""
    table = pa.table({"id": ids})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def held_ids(path: Path) -> pa.ChunkedArray:
    """The ids that `keep_ids` wrote, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()["id"]


@dataclass(frozen=True)
class Batch:
    """b posts, and what they hold. All are tensors of one device.

    `posts` (b,) are their rows; `users` (r,) the distinct users, and `user` (b,) each post's row among these. The t
    texts and i pictures are those of the posts `text_rows` (t,) and `image_rows` (i,), ascending, a post with several
    pictures as often there: `words` (u,) the distinct words, the padding first, `text` (t, L) rows of these, `features`
    (i, D_I), `group` (i,) the group of copies of each, `sentence` (t, S) the texts' sentence vectors. In one of several
    processes, `features` and `sentence` are of its part of the pictures and texts, and all else of the whole batch.
    """

    posts: Tensor
    users: Tensor
    user: Tensor
    group: Tensor
    words: Tensor
    text: Tensor
    text_rows: Tensor
    sentence: Tensor
    features: Tensor
    image_rows: Tensor

    def __len__(self) -> int:
        return len(self.posts)

    def to(self, device: torch.device) -> Self:
        """The same batch on `device`."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def cut(posts: Posts, features: Array, rows: Array, processes: Processes = ALONE) -> Batch:
    """The batch of the posts at `rows` (b,), in ascending order, as one of `processes` takes it."""
    rows = np.sort(rows)
    token = posts.tokens[rows]
    said = np.empty((len(rows), 0)) if posts.sentence is None else posts.sentence[rows]
    text_rows = np.flatnonzero((token[:, 0] > 0) | present(said))
    image_rows, picture = posts.pictures(rows)
    users, user = np.unique(posts.user[rows].astype(np.int64), return_inverse=True)
    words, text = distinct(token[text_rows])
    return Batch(
        posts=torch.from_numpy(rows),
        users=torch.from_numpy(users),
        user=torch.from_numpy(user),
        group=torch.from_numpy(posts.group[picture].astype(np.int64)),
        words=words,
        text=text,
        text_rows=torch.from_numpy(text_rows),
        sentence=torch.from_numpy(said[text_rows[processes.part(len(text_rows)).rows]].astype(np.float32)),
        features=torch.from_numpy(features[posts.image[picture[processes.part(len(picture)).rows]]].astype(np.float32)),
        image_rows=torch.from_numpy(image_rows),
    )


def shuffled(rows: Array, batch_size: int, seed: Sequence[int]) -> list[Array]:
    """`rows` shuffled by `seed` and cut into batches of nearly one size, at most `batch_size`: no small rest."""
    order = np.random.default_rng(seed).permutation(rows)
    return np.array_split(order, max(1, -(-len(rows) // batch_size)))
