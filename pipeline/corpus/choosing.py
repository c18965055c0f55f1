"""Which of a corpus's well-formed rows stay, and which pictures they hold; `importing` has the order of the steps."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.hashing import unit_hash
from pipeline.corpus.rounded import ROUNDED, rounded
from pipeline.corpus.rows import CANDIDATES, PIECE, Rejects, joined, rejected_rows
from pipeline.corpus.spill import Spill
from pipeline.pictures.below import SEVERAL
from pipeline.pictures.reading import MISSING, UNKNOWN, VIDEO
from pipeline.tables.corpus import pictures_of

Rows = np.ndarray[Any, np.dtype[np.int64]]

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

OUTSIDE = "outside the folder"
"""The reason of `pipeline.pictures.finding` for a name, or a link, that leads elsewhere."""
KEPT = ", kept for its text"
"""What is added to the reason of a picture whose post stays without it."""
_PIECE_BYTES = 64 << 20
"""Bytes of the text of rows that are held and written at once."""


class Choice:
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
        self.missing: dict[str, list[str]] = {}
        """Names of pictures that lead nowhere, some of them, by the reason."""
        self._text_bytes = pc.fill_null(pc.binary_length(spill.column("text")), 0).to_numpy()
        self.has_text = spill.column("text").is_valid().to_numpy()
        self._order: Rows = pc.sort_indices(self.post_ids).to_numpy().astype(np.int64)  # stable: first row first

    def kept(self) -> Rows:
        """The rows that stay, in order of post_id."""
        return self._order[self._alive[self._order]]

    def in_pieces(self, rows: Rows) -> Iterator[Rows]:
        """`rows` in pieces of at most PIECE rows and _PIECE_BYTES of text."""
        ends, begin = np.cumsum(self._text_bytes[rows], dtype=np.int64), 0
        while begin < len(rows):
            room = _PIECE_BYTES + (int(ends[begin - 1]) if begin else 0)
            end = min(begin + PIECE, max(begin + 1, int(np.searchsorted(ends, room, side="right"))))
            yield rows[begin:end]
            begin = end

    def users(self, rows: Rows) -> pa.Array:
        """The user_id of each row."""
        return self._users.take(pa.array(self._user[rows]))

    def posts_of_users(self) -> dict[str, int]:
        """How many rows each user has, of those that stay."""
        counts = np.bincount(self._user[self.kept()], minlength=len(self._users)).tolist()
        return {user: count for user, count in zip(self._users.to_pylist(), counts, strict=True) if user and count}

    def _reject(self, rows: Rows, reason: str, details: Callable[[Rows], pa.Array]) -> None:
        self._alive[rows] = False
        for begin in range(0, len(rows), PIECE):
            part = rows[begin : begin + PIECE]
            self._rejects.add(rejected_rows(self.post_ids.take(part), reason, details(part)))

    def drop_rounded(self, as_read: Callable[[str, pa.Array], pa.Array]) -> None:
        """Reject rows whose ids a program rounded; `as_read` gives ids of a column as they stood in the source."""
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
        """Reject rows that repeat an earlier row's post_id."""
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
        """Reject the rows of users with fewer than `min_posts`."""
        kept = self.kept()
        posts = np.bincount(self._user[kept], minlength=len(self._users))
        rows = kept[posts[self._user[kept]] < min_posts]

        def details(rows: Rows) -> pa.Array:
            return joined(
                self.users(rows), " has ", pa.array(posts[self._user[rows]]), f" posts, of {min_posts} needed"
            )

        self._reject(rows, "user with too few posts", details)

    def cap_users(self, max_posts: int | None) -> None:
        """Reject each user's rows beyond `max_posts`, by a hash; None: no limit."""
        if max_posts is None:
            return
        kept = self.kept()
        posts = np.bincount(self._user[kept], minlength=len(self._users))
        kept = kept[posts[self._user[kept]] > max_posts]
        # By a hash, not by id: the ids of openclipart begin with a category, and the first would be of one or two.
        pieces = (self.post_ids.take(kept[begin : begin + PIECE]) for begin in range(0, len(kept), PIECE))
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

        With `keep_missing` rows with a text stay without pictures, where these are but missing, of a name that
        fits several files, or videos.
        """
        codes, details = taken.column("picture").to_numpy(), taken.column("detail")
        reasons = self._videos_told(codes, taken.column("reason"))
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
            if reason in (MISSING, OUTSIDE):
                self.missing[f"image: {reason}"] = self._names.take(
                    pa.array(self._picture[pictures[:1000]])
                ).to_pylist()
            if keep_missing and reason in (MISSING, SEVERAL, VIDEO):
                stay = self.has_text[self._of[pictures]]
                posts = self.post_ids.take(pa.array(self._of[pictures[stay]]))
                kept = rejected_rows(posts, f"image: {reason}{KEPT}", told(pictures[stay]))
                self._rejects.add(kept, self._rejects.pictures)
                pictures = pictures[~stay]
            rows = self._of[pictures]
            self._reject(rows, f"image: {reason}", lambda part: told(first[np.searchsorted(self._of[first], part)]))
        for reason, pictures in by_reason(refused[left]):
            posts = self.post_ids.take(pa.array(self._of[pictures]))
            rejected = rejected_rows(posts, f"one of several images: {reason}", told(pictures))
            self._rejects.add(rejected, self._rejects.pictures)

    def _videos_told(self, codes: Rows, reasons: pa.ChunkedArray) -> pa.ChunkedArray:
        """The reasons (n,) of pictures by `codes`; one of no known format that is called as a video is, is one."""
        names = self._names.take(pa.array(codes))
        unknown = pc.fill_null(pc.equal(reasons, UNKNOWN), False)
        video = pc.match_substring_regex(names, r"(?i)\.(mp4|m4v|mov|webm|mkv|avi|3gp|mpe?g|wmv)$")
        return pc.if_else(pc.and_(unknown, video), VIDEO, reasons)

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
