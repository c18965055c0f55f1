"""What every corpus goes through on its way in, whatever its source: checked rows, chosen users, plain pictures.

The order in which something is left out, each with its own reason in `rejected`:

1. rows without post_id, without user, without both text and image; rows whose ids a program rounded; rows that repeat
   an earlier row's post_id;
2. posts of users who have fewer than `min_posts` of them;
3. posts of a user beyond `max_posts`, chosen by a hash: before any picture is decoded, so that they cost nothing;
4. posts whose picture is missing, damaged or too large: a post is a whole, and is not kept for its text alone, unless
   the picture is just missing and `keep_missing` asks for it. Of several pictures those are left out, each counted, and
   the post only where none is left;
5. posts of users whom step 4 left with fewer than `min_posts`. Each user kept has at least that many.

Rows are streamed. In memory at once are, for each row, its ids and a few numbers; for each distinct picture, its hash.
Texts and pictures wait on disk (`pipeline.corpus.spill`) until their place in the sorted tables is known. Pictures cost
most of the time: they are taken in by parts, and the parts that a killed run finished are not taken in again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.hashing import unit_hash
from pipeline.corpus import names, telling
from pipeline.corpus.rounded import ROUNDED, rounded
from pipeline.corpus.spill import Spill
from pipeline.pictures.finding import MISSING
from pipeline.pictures.reading import Picture, Rejected, intake
from pipeline.running.errors import UserError
from pipeline.running.files import sealed_file, stands
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS, pictures_of

log = logging.getLogger("import_corpus")

Rows = np.ndarray[Any, np.dtype[np.int64]]

MIN_POSTS, MIN_USERS = 20, 2
"""With less than this there is nothing to split, to train on and to look for."""

CANDIDATES = pa.schema(
    [
        ("row", pa.int64()),
        *((name, pa.string()) for name in ("post_id", "user_id", "text", "image")),
        ("created_at", pa.timestamp("us")),
        ("more_images", pa.list_(pa.string())),
    ]
)
"""A row as a source gives it: `row` is its number there, from 1; `image` names a picture of the source, `more_images`
the further ones of the post, and may be left out."""

TAKEN = pa.schema(
    [
        ("picture", pa.int64()),
        ("image_id", pa.string()),
        ("bytes", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""What became of a picture that was asked for, by its code: a row of IMAGES, without the bytes where an earlier row has
the same, or the reason why there is none."""

_PIECE, _PIECE_BYTES, _PICTURES = 1 << 18, 512 << 20, 64
"""Rows, bytes of their text, and pictures, that are held and written at once."""
PART = 4096
"""Pictures of a part: what a killed run may have to take in again."""


class Source(Protocol):
    """Where posts come from."""

    name: str
    """How `rejected` refers to it: a file's name."""

    def rows(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Rows in pieces: those to be checked here (CANDIDATES), and those the source itself rejects (REJECTED)."""

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Picture | Rejected]]:
        """The files of these pictures, in this order; a Picture where it is to be stored as it is, not decoded."""

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """A row of USERS for each user of `posts` (post_id, user_id); what is rejected of the source's own list."""


class Rejects:
    """What was left out: rows of REJECTED, waiting on disk, and how many for each reason."""

    def __init__(self, spill: Spill) -> None:
        self.posts: Counter[str] = Counter()
        self.users: Counter[str] = Counter()
        self.pictures: Counter[str] = Counter()
        self._spill = spill

    def add(self, rows: pa.Table, counts: Counter[str] | None = None) -> None:
        """Add rows of REJECTED to the posts left out, or to those that `counts` counts."""
        self._spill.append(rows)
        counts = self.posts if counts is None else counts
        for entry in pc.value_counts(rows["reason"]).to_pylist():
            counts[entry["values"]] += entry["counts"]

    def write(self, path: Path) -> None:
        """Write the table, once the spill is closed."""
        columns = pa.table({name: self._spill.column(name) for name in REJECTED.key})
        order = pc.sort_indices(columns, [(name, "ascending") for name in REJECTED.key]).to_numpy().astype(np.int64)
        with REJECTED.writer(path) as writer:
            for begin in range(0, len(order), _PIECE):
                writer.write(self._spill.take(order[begin : begin + _PIECE]))


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def rejected_rows(ids: pa.Array | pa.ChunkedArray, reason: str, details: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Rows of REJECTED that share one reason."""
    return pa.table({"id": ids, "reason": pa.repeat(reason, len(ids)), "detail": details}).cast(REJECTED.schema)


def joined(*parts: object) -> pa.Array | pa.ChunkedArray:
    """Text put together from columns and constants, row by row."""
    return pc.binary_join_element_wise(*(p.cast(pa.string()) if hasattr(p, "cast") else p for p in parts), "")


def as_they_are(column: str, ids: pa.Array) -> pa.Array:
    """The ids of a source that changes none."""
    return ids


def import_corpus(
    source: Source,
    folder: Path,
    scratch: Path,
    min_posts: int,
    max_posts: int | None,
    max_pixels: int,
    max_side: int,
    workers: int | None = None,
    keep_missing: bool = False,
    image_id: Callable[[str], str] = str,
    as_read: Callable[[str, pa.Array], pa.Array] = as_they_are,
) -> dict[str, Any]:
    """Write `posts`, `users`, `images` and `rejected` under `folder`; returns the metrics of the import.

    `image_id` names a picture by the hash of its file, `as_read` tells what ids of a column (post_id, user_id) were in
    the source, by which rounded ones are known. `scratch` is a folder for what waits; the parts of pictures that
    stand there, of an earlier run with the same arguments, are used. Raises UserError, with
    the counts, where too little is left to work with; `rejected` is written nevertheless.
    """
    with Spill(scratch / "rejected.arrow", REJECTED.schema) as spilled_rejects:
        rejects = Rejects(spilled_rejects)
        with Spill(scratch / "rows.arrow", CANDIDATES) as rows:
            rows_in = _check_rows(source, rows, rejects)
        choice = _Choice(rows, source.name, rejects)
        choice.drop_rounded(as_read)
        choice.drop_duplicates()
        choice.drop_users(min_posts)
        choice.cap_users(max_posts)
        pictures = _take_in(source, choice, scratch, max_pixels, max_side, workers, image_id)
        choice.resolve(pictures, keep_missing)
        choice.drop_users(min_posts)
        kept = choice.kept()
        users, strangers = source.users(
            pa.table({"post_id": choice.post_ids.take(kept), "user_id": choice.users(kept)})
        )
        rejects.add(strangers, rejects.users)
        interests = pa.array(
            [names.labels(found) for found in users["interests"].to_pylist()], USERS.schema.field("interests").type
        )
        users = users.set_column(users.column_names.index("interests"), "interests", interests)
    rejects.write(folder / "rejected")

    def why_missing() -> str:
        return telling.why_missing(choice.missing, lambda name: _is_there(source, name))

    _ask_for_enough(rows_in, len(kept), users.num_rows, rejects, folder / "rejected", why_missing)

    _write_posts(choice, rows, kept, folder / "posts")
    USERS.write(users, folder / "users")
    images = _write_images(pictures, choice.all_images(), folder / "images")
    has_text, shown = choice.has_text[kept], choice.pictures_held()[kept]
    has_image = shown > 0
    metrics: dict[str, Any] = {
        "rows_in": rows_in,
        "rows_out": len(kept),
        "rejected": _most_first(rejects.posts),
        "posts": {
            "with_text": int(has_text.sum()),
            "with_image": int(has_image.sum()),
            "with_both": int((has_text & has_image).sum()),
            "with_several_images": int((shown > 1).sum()),
        },
        "pictures_left_out_of_posts_that_stay": _most_first(rejects.pictures),
        "images": images,
        "users_in": choice.users_in,
        "users": users.num_rows,
        "users_described": int(pc.sum(pc.greater(pc.list_value_length(users["interests"]), 0)).as_py() or 0),
        "users_rejected": _most_first(rejects.users),
        "brands": pc.sum(users["brand"]).as_py() or 0,
        # Counted, not named: this file is in Git, and a label may be what a single person wrote of themselves.
        "interests": {
            "different": len(users["interests"].combine_chunks().flatten().unique()),
            "users_with_some": int((pc.list_value_length(users["interests"]).to_numpy() > 0).sum()),
        },
    }
    if (beyond := rejects.posts["beyond the limit of posts per user"]) and max_posts:
        log.info("%d posts are beyond corpus.max_posts_per_user, %d, and left out", beyond, max_posts)
    log.info("%d of %d posts, %d users, %d images", len(kept), rows_in, users.num_rows, images)
    for sentence in telling.losses(metrics, why_missing):
        log.warning(sentence)
    return metrics


def _is_there(source: Source, name: str) -> bool:
    return not isinstance(next(iter(source.pictures([name])))[1], Rejected)


def _check_rows(source: Source, spill: Spill, rejects: Rejects) -> int:
    rows_in = 0
    with bar("rows", "rows") as shown:
        for rows, refused in source.rows():
            rejects.add(refused)
            rows_in += rows.num_rows + refused.num_rows
            spill.append(_well_formed(rows, source.name, rejects))
            shown.update(rows.num_rows + refused.num_rows)
    return rows_in


def _well_formed(rows: pa.Table, name: str, rejects: Rejects) -> pa.Table:
    """`rows` without blanks around ids, blank values null, and without the rows that lack what each needs."""
    columns = {field: rows[field] for field in rows.column_names}
    if "more_images" not in columns:
        columns["more_images"] = pa.nulls(rows.num_rows, CANDIDATES.field("more_images").type)
    for field in ("post_id", "user_id"):
        columns[field] = names.folded(columns[field])
    columns["image"] = pc.utf8_trim_whitespace(columns["image"])
    for field in ("post_id", "user_id", "image", "text"):
        blank = pc.equal(pc.utf8_trim_whitespace(columns[field]), "")
        columns[field] = pc.if_else(blank, pa.scalar(None, pa.string()), columns[field])
    rows = pa.table(columns)
    for reason, missing in (
        ("missing post_id", ["post_id"]),
        ("missing user", ["user_id"]),
        ("no text and no image", ["text", "image"]),
    ):
        bad = pc.is_null(rows[missing[0]])
        for field in missing[1:]:
            bad = pc.and_(bad, pc.is_null(rows[field]))
        rows = _without(rows, bad, reason, name, rejects)
    lengths = pc.max_element_wise(pc.utf8_length(rows["post_id"]), pc.utf8_length(rows["user_id"]))
    return _without(rows, pc.greater(lengths, names.MAX_ID), "id longer than a name", name, rejects)


def _without(rows: pa.Table, bad: pa.ChunkedArray, reason: str, name: str, rejects: Rejects) -> pa.Table:
    found = rows.filter(bad)
    if not found.num_rows:
        return rows
    place = joined("row ", found["row"], f" of {name}")
    ids = pc.utf8_slice_codeunits(pc.coalesce(found["post_id"], place), 0, names.MAX_ID)
    rejects.add(rejected_rows(ids, reason, place))
    return rows.filter(pc.invert(bad))


class _Choice:
    """Which of the well-formed rows stay. Each `drop` rejects rows, with a reason; arrays are by row of the spill."""

    def __init__(self, spill: Spill, name: str, rejects: Rejects) -> None:
        self._name, self._rejects = name, rejects
        self._alive = np.ones(spill.rows, bool)
        self._rows = spill.column("row").to_numpy()
        self.post_ids = spill.column("post_id").cast(pa.large_string()).combine_chunks()
        self._user, self._users = _coded(spill.column("user_id"))
        self.users_in = len(self._users)
        # Pictures, one after the other: the row of each, ascending, its code, and once it is taken in its hash.
        named = pa.table({"image_id": spill.column("image"), "more_images": spill.column("more_images")})
        self._of, called = pictures_of(named)
        self._picture, self._names = _coded(pa.chunked_array([called], pa.string()))
        self._hash = pa.nulls(len(self._of), pa.string())
        self.missing: list[str] = []
        """Names of pictures that are missing, some of them."""
        self._text_bytes = pc.fill_null(pc.binary_length(spill.column("text")), 0).to_numpy()
        self.has_text = spill.column("text").is_valid().to_numpy()
        self._order: Rows = pc.sort_indices(self.post_ids).to_numpy().astype(np.int64)  # stable: first row first

    def kept(self) -> Rows:
        """The rows that stay, in order of post_id."""
        return self._order[self._alive[self._order]]

    def in_pieces(self, rows: Rows) -> Iterator[Rows]:
        """`rows` in pieces of at most _PIECE rows and _PIECE_BYTES of text: a column of Arrow's holds 2 GB."""
        ends, begin = np.cumsum(self._text_bytes[rows], dtype=np.int64), 0
        while begin < len(rows):
            room = _PIECE_BYTES + (int(ends[begin - 1]) if begin else 0)
            end = min(begin + _PIECE, max(begin + 1, int(np.searchsorted(ends, room, side="right"))))
            yield rows[begin:end]
            begin = end

    def users(self, rows: Rows) -> pa.Array:
        """The user_id of each row."""
        return self._users.take(pa.array(self._user[rows]))

    def _reject(self, rows: Rows, reason: str, details: Callable[[Rows], pa.Array]) -> None:
        self._alive[rows] = False
        for begin in range(0, len(rows), _PIECE):
            part = rows[begin : begin + _PIECE]
            self._rejects.add(rejected_rows(self.post_ids.take(part), reason, details(part)))

    def drop_rounded(self, as_read: Callable[[str, pa.Array], pa.Array]) -> None:
        distinct = self.post_ids.dictionary_encode()
        posts = rounded(as_read("post_id", distinct.dictionary))[distinct.indices.to_numpy()]
        users = rounded(as_read("user_id", self._users))[self._user] & ~posts
        for what, bad in (("post_id", posts), ("user_id", users)):

            def details(rows: Rows, what: str = what) -> pa.Array:
                ids = self.users(rows) if what == "user_id" else self.post_ids.take(rows)
                place = joined("row ", pa.array(self._rows[rows]), f" of {self._name}: {what} is ", ids)
                return joined(place, ", and too many end like it; export the table again with ids as text")

            self._reject(np.flatnonzero(bad), ROUNDED, details)

    def drop_duplicates(self) -> None:
        order = self.kept()
        ordered = self.post_ids.take(order)
        repeated = pc.equal(ordered[1:], ordered[:-1]).to_numpy(zero_copy_only=False).astype(bool)
        ending = f" of {self._name}; the first row of this post_id is kept"
        self._reject(
            order[1:][repeated],
            "duplicate post_id",
            lambda rows: joined("row ", pa.array(self._rows[rows]), ending),
        )

    def drop_users(self, min_posts: int) -> None:
        kept = self.kept()
        posts = np.bincount(self._user[kept], minlength=len(self._users))
        rows = kept[posts[self._user[kept]] < min_posts]

        def details(rows: Rows) -> pa.Array:
            return joined(
                self.users(rows), " has ", pa.array(posts[self._user[rows]]), f" posts, of {min_posts} needed"
            )

        self._reject(rows, "user with too few posts", details)

    def cap_users(self, max_posts: int | None) -> None:
        if max_posts is None:
            return
        kept = self.kept()
        posts = np.bincount(self._user[kept], minlength=len(self._users))
        kept = kept[posts[self._user[kept]] > max_posts]
        # By a hash, not by id: the ids of openclipart begin with a category, and the first would be of one or two.
        pieces = (self.post_ids.take(kept[begin : begin + _PIECE]) for begin in range(0, len(kept), _PIECE))
        place = unit_hash((post_id for piece in pieces for post_id in piece.to_pylist()), 0, "posts per user")
        by_user = kept[np.lexsort((place, self._user[kept]))]
        users = self._user[by_user]
        starts = np.flatnonzero(np.r_[True, users[1:] != users[:-1]]) if len(users) else np.empty(0, np.int64)
        place = np.arange(len(users)) - np.repeat(starts, np.diff(np.r_[starts, len(users)]))
        self._reject(
            by_user[place >= max_posts],
            "beyond the limit of posts per user",
            lambda rows: joined(f"beyond {max_posts} posts of ", self.users(rows)),
        )

    def picture_names(self) -> tuple[Rows, list[str]]:
        """Codes and names of the pictures that the rows that stay need, in order of first use."""
        place = np.empty(len(self._order), np.int64)
        place[self._order] = np.arange(len(place))
        alive = np.flatnonzero(self._alive[self._of])
        codes = self._picture[alive[np.argsort(place[self._of[alive]], kind="stable")]]
        first, at = np.unique(codes, return_index=True)
        wanted = first[np.argsort(at)].astype(np.int64)
        return wanted, self._names.take(wanted).to_pylist()

    def resolve(self, taken: Spill, keep_missing: bool) -> None:
        """Look up the hash of each picture in `taken` (TAKEN); reject the rows of which no picture was taken.

        With `keep_missing` rows with a text stay without pictures, where these are but missing.
        """
        codes, reasons, details = taken.column("picture").to_numpy(), taken.column("reason"), taken.column("detail")
        row = np.full(len(self._names), -1)
        row[codes] = np.arange(len(codes))
        at = row[self._picture]
        self._hash = taken.column("image_id").take(pa.array(at, mask=at < 0)).combine_chunks()
        refused = np.flatnonzero(self._alive[self._of] & ~self._hash.is_valid().to_numpy(zero_copy_only=False))
        left = self.pictures_held()[self._of[refused]] > 0
        first = refused[~left][np.append(True, np.diff(self._of[refused[~left]]) > 0)[: int((~left).sum())]]

        def told(pictures: Rows) -> pa.Array:
            found = details.take(pa.array(at[pictures])).to_pylist()
            return pa.array([self._detail(c, d) for c, d in zip(self._picture[pictures].tolist(), found, strict=True)])

        def by_reason(pictures: Rows) -> Iterator[tuple[str, Rows]]:
            found = reasons.take(pa.array(at[pictures])).to_numpy(zero_copy_only=False)
            yield from ((reason, pictures[found == reason]) for reason in sorted(set(found)))

        for reason, pictures in by_reason(first):
            if reason == MISSING:
                self.missing = self._names.take(pa.array(self._picture[pictures[:1000]])).to_pylist()
                if keep_missing:
                    stay = self.has_text[self._of[pictures]]
                    posts = self.post_ids.take(pa.array(self._of[pictures[stay]]))
                    kept = rejected_rows(posts, f"image: {MISSING}, kept for its text", told(pictures[stay]))
                    self._rejects.add(kept, self._rejects.pictures)
                    pictures = pictures[~stay]
            rows = self._of[pictures]
            self._reject(rows, f"image: {reason}", lambda part: told(first[np.searchsorted(self._of[first], part)]))
        for reason, pictures in by_reason(refused[left]):
            posts = self.post_ids.take(pa.array(self._of[pictures]))
            rejected = rejected_rows(posts, f"one of several images: {reason}", told(pictures))
            self._rejects.add(rejected, self._rejects.pictures)

    def _detail(self, code: int, detail: str) -> str:
        name = self._names[code].as_py()
        return detail if detail.startswith(name) else f"{name}: {detail}"

    def pictures_held(self) -> Rows:
        """How many pictures were taken of each row."""
        taken = self._hash.is_valid().to_numpy(zero_copy_only=False)
        return np.bincount(self._of[taken], minlength=len(self._alive))

    def all_images(self) -> pa.Array:
        """The hashes of the pictures of all rows that stay."""
        return self._hash.filter(pa.array(self._alive[self._of])).drop_null().unique()

    def images(self, rows: Rows) -> tuple[pa.Array, pa.Array]:
        """The hash of each row's first picture, null where it has none; those of the others, null likewise."""
        begin, end = (np.searchsorted(self._of, rows, side=side) for side in ("left", "right"))
        count = end - begin
        pictures = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(begin, count)
        hashes = iter(self._hash.take(pa.array(pictures)).to_pylist())
        own = [list(dict.fromkeys(h for h in islice(hashes, n) if h)) for n in count.tolist()]
        others = pa.array([names[1:] or None for names in own], CANDIDATES.field("more_images").type)
        return pa.array([names[0] if names else None for names in own], pa.string()), others


def _coded(column: pa.ChunkedArray) -> tuple[Rows, pa.Array]:
    """Each value's place among the distinct ones, -1 for null; the distinct ones."""
    encoded = column.dictionary_encode().unify_dictionaries()
    if not encoded.num_chunks:
        return np.empty(0, np.int64), pa.array([], pa.string())
    codes = [pc.fill_null(chunk.indices, -1).to_numpy() for chunk in encoded.chunks]
    return np.concatenate(codes), encoded.chunk(0).dictionary


def _take_in(
    source: Source,
    choice: _Choice,
    scratch: Path,
    max_pixels: int,
    max_side: int,
    workers: int | None,
    image_id: Callable[[str], str],
) -> Spill:
    """Decode the pictures that are needed; returns rows of TAKEN."""
    codes, called = choice.picture_names()
    parts: list[Path] = []
    seen: set[str] = set()
    with bar("pictures", "pictures", total=len(called)) as shown:
        for begin in range(0, len(called), PART):
            here, part = slice(begin, begin + PART), scratch / f"pictures-{begin:09}.arrow"
            if stands(part):
                shown.update(len(called[here]))
                shown.initial = shown.n
            else:
                with sealed_file(part) as temporary, Spill(temporary, TAKEN) as spill:
                    pictures = source.pictures(called[here])
                    _take_part(
                        zip(codes[here].tolist(), pictures, strict=True),
                        spill,
                        seen,
                        shown,
                        max_pixels,
                        max_side,
                        workers,
                        image_id,
                    )
            seen.update(Spill.over([part], TAKEN).column("image_id").drop_null().to_pylist())
            parts.append(part)
    return Spill.over(parts, TAKEN)


def _take_part(
    files: Iterable[tuple[int, tuple[str, bytes | Picture | Rejected]]],
    spill: Spill,
    seen: Collection[str],
    shown: Any,
    max_pixels: int,
    max_side: int,
    workers: int | None,
    image_id: Callable[[str], str],
) -> None:
    """Append a row of TAKEN for each of `files`, by code; `seen` are the hashes of the pictures of earlier parts."""
    waiting: list[tuple[object, ...]] = []
    here: set[str] = set()

    def keep(code: int, picture: Picture | Rejected) -> None:
        if isinstance(picture, Rejected):
            waiting.append((code, None, None, None, None, *picture))
        else:
            called = image_id(picture.image_id)
            known = called in seen or called in here
            here.add(called)
            data = None if known else picture.bytes
            waiting.append((code, called, data, picture.width, picture.height, None, None))
        if len(waiting) >= _PICTURES:
            flush()

    def flush() -> None:
        columns = zip(*waiting, strict=True) if waiting else [()] * len(TAKEN)
        spill.append(pa.table(dict(zip(TAKEN.names, columns, strict=True)), schema=TAKEN))
        waiting.clear()

    def encoded() -> Iterator[tuple[str, bytes]]:
        for code, (_, data) in files:
            shown.update()
            if isinstance(data, bytes):
                yield str(code), data
            else:
                keep(code, data)

    for code, picture in intake(encoded(), max_pixels, max_side, workers):
        keep(int(code), picture)
    flush()


def _ask_for_enough(
    rows_in: int, posts: int, users: int, rejects: Rejects, path: Path, why_missing: Callable[[], str]
) -> None:
    if posts >= MIN_POSTS and users >= MIN_USERS:
        return
    counts = _most_first(rejects.posts)
    reasons = "; ".join(f"{reason}: {count}" for reason, count in counts.items())
    causes = telling.TO_DO | ({f"image: {MISSING}": why_missing()} if f"image: {MISSING}" in counts else {})
    to_do = "".join(f" {reason}: {causes[reason]}." for reason in counts if causes.get(reason))
    raise UserError(
        f"{posts} posts by {users} users are left of {rows_in} rows; at least {MIN_POSTS} by {MIN_USERS} are needed. "
        + (f"Left out, each with its reason in {path}: {reasons}.{to_do}" if reasons else "None was left out.")
    )


def _write_posts(choice: _Choice, spill: Spill, kept: Rows, path: Path) -> None:
    with POSTS.writer(path) as writer:
        for rows in choice.in_pieces(kept):
            first, others = choice.images(rows)
            part = spill.take(rows).drop_columns("more_images")
            part = part.append_column("image_id", first).append_column("more_images", others)
            writer.write(part.select(POSTS.schema.names))


def _write_images(taken: Spill, used: pa.Array, path: Path) -> int:
    """Write the pictures that are `used`, hashes, out of rows of TAKEN."""
    ids = taken.column("image_id")
    held = pc.and_(taken.column("bytes").is_valid(), pc.is_in(ids, used)).to_numpy()
    rows = np.flatnonzero(held)
    order = rows[pc.sort_indices(ids.take(pa.array(rows))).to_numpy().astype(np.int64)]
    with IMAGES.writer(path) as writer:
        for begin in range(0, len(order), _PICTURES):
            writer.write(taken.take(order[begin : begin + _PICTURES]).select(IMAGES.schema.names))
    return len(order)
