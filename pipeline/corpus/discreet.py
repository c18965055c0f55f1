"""A source of posts without its people's names, or without people who were erased: what the import is given then.

With a key (`corpus.pseudonyms: keyed`) every id that a source gives becomes a pseudonym here, before the import writes,
counts or tells anything: of users, posts, pictures, of who and what is answered, of names of files and of what is
rejected. Texts, also of pictures, lose links, addresses and telephone numbers, and a mention becomes that person's
pseudonym, or goes; a post's own link goes. Times become days. Errors of the source are told without what they quote.
Whatever comes after the import knows the pseudonyms alone.

Rows of who or what was erased go first, with the keyed hash in the place of the id; mentions of them and links to
them go too.

In memory are, beside what the import holds, each distinct id of a user, post and picture as the source has it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.links import LINK, MENTION, NAMED
from pipeline.corpus.names import folded
from pipeline.corpus.rows import CANDIDATES, Source, rejected_rows
from pipeline.pictures.reading import MISSING, Picture, Rejected
from pipeline.privacy import erased, texts
from pipeline.privacy.erased import Tombstones
from pipeline.privacy.guard import guarded
from pipeline.privacy.keys import Key, Kind
from pipeline.tables.corpus import REJECTED
from pipeline.tables.details import TOLD

_STEPS = re.compile(r"[/?&=#:@]+")
Chunked = Any
"""A pa.ChunkedArray."""


class _Known:
    """Ids of one kind and their pseudonyms; each is hashed once a piece."""

    def __init__(self, kind: Kind, key: Key | None) -> None:
        self._kind, self._key = kind, key
        self._parts: list[tuple[pa.Array, pa.Array]] = []

    def pseudonyms(self, column: Chunked) -> Chunked:
        """Of each id (n,), null for null."""
        if self._key is None:
            return column
        encoded = column.combine_chunks().dictionary_encode()
        names = encoded.dictionary
        made = pa.array([self._key.pseudonym(self._kind, name) for name in names.to_pylist()], pa.string())
        self._parts.append((names, made))
        return pa.chunked_array([made.take(encoded.indices)], pa.string())

    def originals(self, asked: Chunked | pa.Array) -> pa.Array:
        """Of each pseudonym (n,), as the source has it; null for one that is none."""
        if self._key is None:
            return asked
        names, made = (pa.chunked_array([part[k] for part in self._parts], pa.string()) for k in (0, 1))
        return names.take(pc.index_in(asked, value_set=made))


class DiscreetSource:
    """`source` as the import is to see it: a Source itself."""

    def __init__(
        self,
        source: Source,
        tombstones: Tombstones,
        key: Key | None,
        keep_mentions: bool = True,
        handles: Mapping[str, str] | None = None,
        before: pa.Table | None = None,
    ) -> None:
        """`handles`: names of users, by id. `before`: rows of REJECTED of earlier reading, which are told too.

        `key` None: nobody has a pseudonym, and only who was erased is left out. `keep_mentions` False: none is left.
        """
        self.name = "the posts" if key else source.name
        self.taken_out: Counter[str] = Counter()
        self._source, self._tombstones, self._key, self._keep_mentions = source, tombstones, key, keep_mentions
        self._handles = dict(handles or {})
        self._ids = {erased.same(handle): user for user, handle in reversed(self._handles.items())}
        self._before = before
        self._users, self._posts = _Known("user", key), _Known("post", key)
        self._files = _Known("name", key)

    def rows(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """The source's rows, with pseudonyms; who was erased is among the rejected."""
        if self._before is not None and self._before.num_rows:
            yield CANDIDATES.empty_table(), self._told(self._before, of_posts=True)
        pieces = self._source.rows()
        while True:
            with guarded(self._key is not None):
                piece = next(pieces, None)
            if piece is None:
                return
            with guarded(self._key is not None):
                rows, refused = self._without_erased(piece[0])
                rows = self._renamed(rows)
            yield rows, pa.concat_tables([self._told(piece[1], of_posts=True), refused])

    def _without_erased(self, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        if not self._tombstones:
            return rows, REJECTED.empty()
        users, posts = (folded(rows[name]) for name in ("user_id", "post_id"))
        found = self._tombstones.of(users, posts, self._handles)
        gone = pc.is_valid(found)
        numbers = rows["row"].filter(gone).cast(pa.string())
        details = pc.binary_join_element_wise("row ", numbers, "")
        return rows.filter(pc.invert(gone)), rejected_rows(found.filter(gone), erased.REASON, details)

    def _renamed(self, rows: pa.Table) -> pa.Table:
        columns = {name: rows[name] for name in rows.column_names}
        columns["text"] = self._texts(rows["text"])
        columns |= self._details(rows)
        if self._key is None:
            return pa.table(columns)
        columns["user_id"] = self._users.pseudonyms(_named(rows["user_id"]))
        columns["post_id"] = self._posts.pseudonyms(_named(rows["post_id"]))
        columns["image"] = self._files.pseudonyms(_stripped(rows["image"]))
        if "more_images" in columns:
            more = rows["more_images"].combine_chunks()
            inner = self._files.pseudonyms(pa.chunked_array([more.flatten()], pa.string())).combine_chunks()
            lengths = pc.fill_null(pc.list_value_length(more), 0).to_pylist()
            values, at, held = inner.to_pylist(), 0, []
            for length, there in zip(lengths, more.is_valid().to_pylist(), strict=True):
                held.append(values[at : at + length] if there else None)
                at += length
            columns["more_images"] = pa.array(held, CANDIDATES.field("more_images").type)
        columns["created_at"] = pc.floor_temporal(rows["created_at"], unit="day")
        return pa.table(columns)

    def _details(self, rows: pa.Table) -> dict[str, Chunked]:
        """What is told of posts, as far as it may stay: who and what is answered by pseudonyms, no links."""
        found = {name: rows[name] for name in TOLD if name in rows.column_names}
        if "alt" in found:
            held, kind = found["alt"].to_pylist(), found["alt"].type
            changed = [None if one is None else self._texts(pa.chunked_array([one], pa.string())) for one in held]
            lists = [None if one is None else one.to_pylist() for one in changed]
            found["alt"] = pa.chunked_array([pa.array(lists, kind)])
        for name, kept in (("reply_to", self._answered), ("answers", self._answer), ("url", self._link)):
            if name in found:
                encoded = found[name].combine_chunks().dictionary_encode()
                made = pa.array([kept(one) for one in encoded.dictionary.to_pylist()], pa.string())
                found[name] = pa.chunked_array([made.take(encoded.indices)])
        if {"reply_to", "answers"} <= set(found):  # a post's id may tell whose it is
            gone = pc.and_(rows["reply_to"].is_valid(), found["reply_to"].is_null())
            found["answers"] = pc.if_else(gone, pa.scalar(None, pa.string()), found["answers"])
        return found

    def _answered(self, name: str) -> str | None:
        if self._gone(name):
            return None
        return self._key.pseudonym("user", self._ids.get(erased.same(name), name)) if self._key else name

    def _gone(self, name: str) -> str | None:
        """The tombstone of a person of this id or name, by whichever of the two they were erased."""
        user = self._ids.get(erased.same(name), name)
        return next(filter(None, map(self._tombstones.user, (name, user, self._handles.get(user)))), None)

    def _answer(self, post_id: str) -> str | None:
        if self._tombstones.post(post_id) or self._leads_to_erased(post_id):
            return None
        return self._key.pseudonym("post", post_id) if self._key else post_id

    def _link(self, url: str) -> str | None:
        return None if self._key or self._leads_to_erased(url) else url

    def _texts(self, column: Chunked) -> Chunked:
        if self._key is not None:
            change: Callable[[str], str] = lambda text: texts.without(text, self._mention, self.taken_out)  # noqa: E731
        elif self._tombstones:
            change = lambda text: MENTION.sub(  # noqa: E731
                self._unless_erased, LINK.sub(self._unless_erased, NAMED.sub(self._unless_erased, text))
            )
        else:
            return column
        return pa.chunked_array([[None if t is None else change(t) for t in column.to_pylist()]], pa.string())

    def _mention(self, name: str) -> str:
        if self._key is None or not self._keep_mentions or self._gone(name):
            return " "
        user = self._ids.get(erased.same(name), name)
        return "@" + self._key.pseudonym("user", user)

    def _unless_erased(self, found: Any) -> str:
        """A mention, or a link or address, that leads to nobody who was erased; else nothing."""
        named = found.re is NAMED and found[found.lastindex]
        return " " if self._leads_to_erased(named or found[0]) else str(found[0])

    def _leads_to_erased(self, address: str) -> bool:
        parts = {*_STEPS.split(address), *address.split("/")}  # did:plc:… is one name
        return any(self._gone(part) for part in parts if part)

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Picture | Rejected]]:
        """The files of these names, which are pseudonyms where there are any."""
        if self._key is None:
            yield from self._source.pictures(names)
            return
        asked = list(names)
        originals = self._files.originals(pa.array(asked, pa.string())).to_pylist()
        known = [name for name in originals if name is not None]
        files = self._source.pictures(known)
        for name, original in zip(asked, originals, strict=True):
            with guarded():
                data = next(files)[1] if original is not None else Rejected(MISSING, name)
            yield name, Rejected(data.reason, name) if isinstance(data, Rejected) else data

    def image_id(self, digest: str) -> str:
        """The id of a picture whose file has this hash: without the key nobody tells a known file by it."""
        return self._key.pseudonym("image", digest) if self._key else digest

    def as_read(self, column: str, ids: pa.Array) -> pa.Array:
        """What ids of a column, post_id or user_id, are in the source."""
        known = {"post_id": self._posts, "user_id": self._users}[column]
        found = known.originals(ids)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The source's users of `posts`; the ids of those of its list that are not among them are told by no name."""
        asked = pa.table(
            {
                "post_id": self._posts.originals(posts["post_id"]),
                "user_id": self._users.originals(posts["user_id"]),
            }
        )
        with guarded(self._key is not None):
            users, refused = self._source.users(asked)
        at = users.column_names.index("user_id")
        renamed = users.set_column(at, "user_id", self._users.pseudonyms(users["user_id"]))
        return renamed.cast(users.schema).sort_by("user_id"), self._told(refused, of_posts=False)

    def _told(self, refused: pa.Table, of_posts: bool) -> pa.Table:
        """What a source rejects, without ids as they are, and of details their row alone."""
        if self._key is None and not self._tombstones:
            return refused
        rows, seen = [], Counter[tuple[str, str, str]]()
        for row in refused.to_pylist():
            gone = self._tombstones.post(row["id"]) if of_posts else None
            gone = gone or self._gone(row["id"])
            told = (row["id"], row["reason"], row["detail"])
            place = _place(row["detail"]) + ("" if of_posts else " of the users")
            if gone:
                told = (gone, erased.REASON, place)
            elif self._key:
                kind: Kind = "post" if of_posts else "user"
                told = (self._key.pseudonym(kind, row["id"]), row["reason"], place)
            seen[told] += 1
            rows.append((*told[:2], told[2] + (f" ({seen[told]})" if seen[told] > 1 else "")))
        return REJECTED.of(rows)


def _place(detail: str) -> str:
    """`row 12` of a detail that begins so; else nothing."""
    words = detail.split(" ", 2)
    number = words[1].rstrip(":;,") if len(words) > 1 else ""
    return f"row {number}" if words[0] == "row" and number.isdigit() else ""


def _named(column: Chunked) -> Chunked:
    """Ids as the import folds them, so that one written in two ways has one pseudonym; blank ones are none."""
    return _none_if_blank(folded(column))


def _stripped(column: Chunked) -> Chunked:
    return _none_if_blank(pc.utf8_trim_whitespace(column))


def _none_if_blank(column: Chunked) -> Chunked:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
