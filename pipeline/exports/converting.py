"""From exports to the table that the import takes: every row in is a row out, or in `rejected` with its reason.

What leaves, in this order: what is no post; reposts, unless they are asked for; posts of nobody, and of known bots;
replies to a brand, which would tell the label; posts that have neither a text nor a picture that is on disk; posts that
their author deleted or edited later, and all but the last collected of a post that was seen more than once.

Rows are streamed. Of each, its id and when it was collected are held in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.exports.aside import Aside
from pipeline.exports.columns import Mapped
from pipeline.exports.interests import Interests
from pipeline.exports.interests import key as same
from pipeline.exports.posts import BOTS, NOT_A_POST, REPOST, UNKNOWN, Deleted, Edge, Left, Post
from pipeline.exports.recognising import exports
from pipeline.exports.resolving import Pictures
from pipeline.exports.sources import Tree
from pipeline.exports.tars import tars
from pipeline.running.errors import UserError
from pipeline.running.progress import bar

POSTS = pa.schema(
    [
        *((name, pa.string()) for name in ("post_id", "user_id", "text", "image")),
        ("created_at", pa.timestamp("us")),
        ("more_images", pa.list_(pa.string())),
        ("alt", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("language", "url", "reply_to", "answers")),
        *((name, pa.int64()) for name in ("likes", "replies", "missing_images", "videos")),
        ("export", pa.string()),
    ]
)
"""A post as the import takes it, and what pages and filters may want of it. alt: of each picture, what it is described
by; apart from the text, as it tells what the picture shows. reply_to: who is answered, by id where the export has it;
answers: which post. missing_images: listed, and not on disk."""
REJECTED = pa.schema([(name, pa.string()) for name in ("id", "reason", "detail")])
DUPLICATE, DELETED = "duplicate of a later collection", "deleted by its author"
EDITED = "an earlier version of an edited post"
REPLY, EMPTY, MISSING = "reply to a brand", "no text and no picture", "picture not on disk"
_PIECE = 20_000
_OF_PICTURES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass(frozen=True)
class Settings:
    """What params.yaml says under `corpus`."""

    columns: Mapped | None = None
    reposts: bool = False
    video_covers: bool = False
    missing_images_reject: bool = False
    brands: Path | None = None
    edges: Path | None = None
    private: bool = False
    """Whether the log names no file, as these may be called by people."""


class _Writer:
    """Rows of one schema into a Parquet file, a piece at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file, self._schema = pq.ParquetWriter(path, schema, compression="zstd"), schema
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(self._schema)
        arrays = [pa.array(list(c), f.type) for c, f in zip(columns, self._schema, strict=True)]
        self._file.write_table(pa.table(arrays, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        self._flush()
        self._file.close()


def convert(paths: list[Path], images: list[Path], folder: Path, name: Path, settings: Settings) -> dict[str, Any]:
    """Write posts, users and rejected (Parquet) under `folder`, which will be called `name`; returns the metrics.

    Raises UserError where nothing is recognised.
    """
    for place in images:
        if place.is_file() and not place.name.lower().endswith(_OF_PICTURES):
            raise UserError(f"{place} is neither a folder nor a zip nor a tar of pictures: unpack it into a folder.")
    with Aside(folder / "pictures.zip") as aside:
        for place in images:
            aside.tars(place)
    packed = tars(paths, images, folder)
    with Aside(folder / "of-tables.zip") as aside:
        reading = _Reading(folder, _index(paths, images, folder, aside, packed.values()), settings)
        with bar("rows", "rows") as shown:
            for export in exports(paths, settings.columns, aside, packed, settings.private):
                reading.kinds[export.kind] += 1
                for found in export.found:
                    reading.take(found, export.path)
                    shown.update(not isinstance(found, Edge))
    return reading.end(name)


class _Reading:
    """One pass over the exports: what was found, counted and written."""

    def __init__(self, folder: Path, index: Pictures, settings: Settings) -> None:
        self.kinds: Counter[str] = Counter()
        self._folder, self._index, self._settings = folder, index, settings
        self._interests = Interests(settings.brands)
        self._reasons: Counter[str] = Counter()
        self._pictures: Counter[str] = Counter()
        self._rows_in = 0
        self._names: dict[str, str | None] = {}
        self._gone: dict[str, tuple[str, str]] = {}
        self._held = _Held()
        self._posts = _Writer(folder / "rows.parquet", POSTS)
        self._rejected = _Writer(folder / "rejected.parquet", REJECTED)

    def take(self, found: Post | Left | Deleted | Edge, path: str) -> None:
        """Write a post, or why there is none."""
        if isinstance(found, Edge):
            self._interests.add(found)
            return
        if isinstance(found, Deleted) and found.later:  # told by the later version, which is a row of its own
            self._gone[found.id] = EDITED, f"{found.later} is the later one"
            return
        self._rows_in += 1
        if isinstance(found, Deleted):
            self._gone[found.id] = DELETED, path
            found = Left(found.id, NOT_A_POST, f"a deletion, in {path}")
        if isinstance(found, Post):
            row = _row(found, path, self._index, self._interests, self._settings, self._pictures)
            if not isinstance(row, Left):
                self._held.add(found)
                self._names.setdefault(row[1], found.handle)
                self._posts.add(row)
                return
            found = row
        self._reject(found)

    def _reject(self, left: Left) -> None:
        self._reasons[left.reason] += 1
        self._rejected.add(left)

    def end(self, name: Path) -> dict[str, object]:
        """Write the tables; returns the metrics."""
        self._posts.close()
        stays, others = self._held.stays(self._gone)
        for left in others:
            self._reject(left)
        for row, post_id, user in self._held.answering():
            if stays[row] and self._interests.brand(user, self._names.get(user)):
                stays[row] = False
                self._reject(Left(post_id, REPLY, f"answers a post of {user}"))
        self._rejected.close()
        if self._settings.edges:
            self._interests.read(self._settings.edges)
        known = _Known(self._names, self._held.authors)
        users = _users(_finish(self._folder, stays, name, known), self._names, self._interests)
        pq.write_table(users, self._folder / "users.parquet")
        return {
            "recognised": dict(self.kinds),
            "rows_in": self._rows_in,
            "rows_out": int(stays.sum()),
            "rejected": dict(self._reasons.most_common()),
            "pictures": {"on_disk": self._index.count, **self._pictures},
            "users": users.num_rows,
            "users_known_by_name_alone": self._held.by_name(stays),
            "brands": pc.sum(users["brand"]).as_py() or 0,
            "edges": dict(self._interests.edges),
            "users_with_interests": sum(bool(one) for one in users["interests"].to_pylist()),
        }


def _index(paths: list[Path], images: list[Path], folder: Path, aside: Aside, packed: Iterable[Tree]) -> Pictures:
    """The pictures in `images` and in the exports themselves."""
    zips = [p for place in (*images, *paths) if place.is_dir() for p in sorted(place.rglob("*.zip"))]
    places = [*images, *paths, *zips, folder / "pictures.zip"]
    trees = [Tree(p) for p in dict.fromkeys(places) if p.is_dir() or (p.suffix.lower() == ".zip" and p.is_file())]
    trees += packed
    index = Pictures(trees, f"{aside.path}!/")
    for tree in trees:
        index.tell(tree, dict(aside.downloads(tree.path)))
    return index


def _row(
    post: Post, path: str, index: Pictures, interests: Interests, settings: Settings, pictures: Counter[str]
) -> tuple[Any, ...] | Left:
    """A row of POSTS, or why there is none."""
    if post.repost and not settings.reposts:
        return Left(post.post_id, REPOST, path)
    user = post.user_id or (same(post.handle) if post.handle else None)
    if user is None:
        return Left(post.post_id, UNKNOWN, path)
    if (post.handle or "").lower() in BOTS:
        return Left(post.post_id, "a known bot", f"{post.handle}")
    if post.reply_to or post.answers:
        interests.add(Edge(user, post.reply_to or f"post:{post.answers}", "reply"))
    if post.reply_to and interests.brand(post.reply_to):
        return Left(post.post_id, REPLY, f"{user} answers {post.reply_to}")
    files, alt, missing, videos = index.of(post, settings.video_covers, path)
    pictures["found"] += len(files)
    pictures["listed_and_not_on_disk"] += missing
    pictures["videos_left_out"] += videos
    if missing and settings.missing_images_reject:
        return Left(post.post_id, MISSING, f"{missing} of {missing + len(files)}")
    text = post.text if post.text and post.text.strip() else None
    if not text and not files:
        listed = f"{missing} pictures not on disk, {videos} videos" if missing or videos else "none listed"
        return Left(post.post_id, EMPTY, listed)
    described = [a or "" for a in alt] if any(alt) else None
    return (
        post.post_id, user, text, files[0] if files else None, post.created_at, files[1:] or None, described,
        post.language, post.url, post.reply_to, post.answers, post.likes, post.replies, missing, videos, path,
    )  # fmt: skip


class _Known:
    """Who is answered, by id: as the export says, by the name of somebody in it, or by the post that is answered."""

    def __init__(self, names: Mapping[str, str | None], authors: Mapping[str, str]) -> None:
        self._names, self._authors = names, authors
        self._ids = {same(name): user for user, name in names.items() if name}

    def answered(self, reply_to: str | None, answers: str | None) -> str | None:
        if reply_to is None:
            return self._authors.get(answers or "")
        return reply_to if reply_to in self._names else self._ids.get(same(reply_to), reply_to)


class _Held:
    """The ids of the rows that were written, when each was collected, whether its author is a name, what it answers."""

    def __init__(self) -> None:
        self._parents: dict[int, str] = {}
        self._ids: list[str] = []
        self._collected: list[int] = []
        self._named: list[bool] = []
        self._users: list[str] = []

    def add(self, post: Post) -> None:
        self._ids.append(post.post_id)
        self._collected.append(post.collected)
        self._named.append(post.user_id is None)
        self._users.append(post.user_id or same(post.handle or ""))
        if post.answers and not post.reply_to:
            self._parents[len(self._ids) - 1] = post.answers

    @cached_property
    def authors(self) -> Mapping[str, str]:
        """Who wrote the posts that others answer without saying whose they are."""
        wanted = set(self._parents.values())
        pairs = zip(self._ids, self._users, strict=True) if wanted else ()
        return {post_id: user for post_id, user in pairs if post_id in wanted}

    def answering(self) -> Iterator[tuple[int, str, str]]:
        """Rows that answer a post of which only here is known whose it is: row, id, and whom they answer."""
        for row, parent in self._parents.items():
            if (user := self.authors.get(parent)) is not None:
                yield row, self._ids[row], user

    def stays(self, removed: Mapping[str, tuple[str, str]]) -> tuple[np.ndarray[Any, Any], list[Left]]:
        """Which rows stay (n,), and the others, of which `removed` has reason and detail by id."""
        n = len(self._ids)
        ids = pa.array(self._ids, pa.string())
        numbered = pa.table({"id": ids, "at": pa.array(self._collected, pa.int64()), "row": np.arange(n)})
        order = pc.sort_indices(numbered, [("id", "ascending"), ("at", "ascending"), ("row", "ascending")]).to_numpy()
        ordered = ids.take(pa.array(order))
        last = np.ones(n, bool)
        if n > 1:
            last[:-1] = pc.not_equal(ordered[1:], ordered[:-1]).to_numpy(zero_copy_only=False)
        stays = np.zeros(n, bool)
        stays[order[last]] = True
        gone = np.zeros(n, bool)
        if removed:
            gone = pc.is_in(ids, pa.array(sorted(removed), pa.string())).to_numpy(zero_copy_only=False)
        twice = (self._ids[k] for k in np.flatnonzero(~stays & ~gone).tolist())
        others = [Left(post_id, DUPLICATE, "the one collected last is kept") for post_id in twice]
        others += [Left(self._ids[k], *removed[self._ids[k]]) for k in np.flatnonzero(gone).tolist()]
        return stays & ~gone, others

    def by_name(self, stays: np.ndarray[Any, Any]) -> int:
        """How many users are known by a name alone, which may change hands."""
        return len({self._users[k] for k in np.flatnonzero(stays & np.array(self._named, bool)).tolist()})


def _finish(folder: Path, stays: np.ndarray[Any, Any], name: Path, known: _Known) -> pa.Table:
    """Write the rows that stay as posts.parquet; returns their ids and authors."""
    rows, begin, parts = pq.ParquetFile(folder / "rows.parquet"), 0, []
    moved = f"{folder}/"
    with pq.ParquetWriter(folder / "posts.parquet", POSTS, compression="zstd") as writer:
        for batch in rows.iter_batches(_PIECE):
            part = pa.Table.from_batches([batch]).filter(pa.array(stays[begin : begin + len(batch)]))
            begin += len(batch)
            image = pc.replace_substring(part["image"], moved, f"{name}/")
            more = part["more_images"].combine_chunks()
            inner = pc.replace_substring(more.values, moved, f"{name}/") if len(more) else more.values
            lists = pa.ListArray.from_arrays(more.offsets, inner, mask=more.is_null()) if len(more) else more
            who = list(map(known.answered, part["reply_to"].to_pylist(), part["answers"].to_pylist()))
            for column, values in (("image", image), ("more_images", lists), ("reply_to", pa.array(who, pa.string()))):
                part = part.set_column(part.column_names.index(column), column, values)
            part = part.cast(POSTS)
            writer.write_table(part)
            parts.append(part.select(["post_id", "user_id"]))
    (folder / "rows.parquet").unlink()
    return pa.concat_tables(parts) if parts else POSTS.empty_table().select(["post_id", "user_id"])


def _users(posts: pa.Table, names: Mapping[str, str | None], interests: Interests) -> pa.Table:
    """user_id, name, posts, interests and brand of each user with a post."""
    if interests.waits:
        interests.settle(dict(zip(posts["post_id"].to_pylist(), posts["user_id"].to_pylist(), strict=True)), names)
    held = {row["values"]: row["counts"] for row in posts["user_id"].value_counts().to_pylist()}
    rows = [
        (user, names[user], held[user], interests.of(user, names[user]), interests.brand(user, names[user]))
        for user in sorted(held)
    ]
    kinds = [pa.string(), pa.string(), pa.int64(), pa.list_(pa.string()), pa.bool_()]
    columns = zip(*rows, strict=True) if rows else [()] * 5
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, names=["user_id", "name", "posts", "interests", "brand"])
