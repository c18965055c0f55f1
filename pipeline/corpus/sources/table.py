"""One's own posts: a table of posts, a folder or zip of images, and a table of users.

Posts have the columns post_id, user_id, text, image (a path inside the folder or zip) and, if known, created_at;
more_images, the paths of a post's further images, a list; and what `pipeline.corpus.details` names. Users have
user_id, interests (a list) and brand. Other columns are not read. What files there may be tells
`pipeline.corpus.reading.files`, what cells `pipeline.corpus.reading.cells`. An empty value is none, and so is a blank
one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import details
from pipeline.corpus.names import plain
from pipeline.corpus.reading import cells, files
from pipeline.corpus.reading.files import Pieces
from pipeline.corpus.rows import (
    ALL_STRANGERS,
    CANDIDATES,
    STRANGER,
    UNKNOWN_BRAND,
    UNREADABLE_USER,
    WRITTEN_OTHERWISE,
    joined,
    rejected_rows,
)
from pipeline.pictures.finding import Pictures, opened
from pipeline.pictures.reading import Rejected
from pipeline.running.errors import UserError
from pipeline.running.schema import Corpus
from pipeline.tables.corpus import REJECTED, USERS
from pipeline.tables.details import TOLD

POST = ("post_id", "user_id", "text", "image")
USER, OF_USER = ("user_id", "interests"), ("brand",)
HEADER = "no post: the header again: tables were joined, or the columns have labels"
_CALLED = {"post_id": r"^(?i:post[ _-]?id)$", "user_id": r"^(?i:user[ _-]?id)$"}
DRAWN, _LINE = "no post: a line drawn below the header", r"^[:+=-]*--[:+=-]*$"


class TableCorpus:
    """The files as a source of posts (`pipeline.corpus.rows.Source`)."""

    def __init__(self, posts: Path, images: Path | None, users: Path | None, links_into: Path | None = None) -> None:
        self.name = posts.name
        self.tables = {"posts": posts} | ({"users": users} if users else {})
        self.images = images
        self._posts, self._users, self._links_into = posts, users, links_into
        # Where there are no pictures a table need not speak of them.
        self._needed = POST if images else POST[:-1]
        self._optional = (*POST[len(self._needed) :], "created_at", "more_images", *TOLD)

    @classmethod
    def of(cls, params: Corpus) -> Self:
        """The corpus that params.yaml names; what it does not name lies beside the posts, if anywhere."""
        posts, into = Path(params.posts), params.links_into

        def place(named: str | None, name: str) -> Path | None:
            beside = posts.with_name(name)
            return Path(named) if named else beside if beside.exists() else None

        images, users = place(params.images, "images"), place(params.users, "users.csv")
        return cls(posts, images, users, Path(into) if into else None)

    def rows(self) -> Pieces:
        """The rows of the table of posts."""
        for rows, refused in files.read(self._posts, self._needed, self._optional):
            _check_headers(rows, self._posts)
            read = {
                **{name: cells.ids(rows[name], self._posts, name) for name in ("post_id", "user_id")},
                "text": cells.texts(rows["text"], self._posts, "text"),
                "image": cells.texts(cells.as_text(rows["image"]), self._posts, "image"),
                "created_at": cells.instants(rows["created_at"], self._posts),
                "more_images": cells.lists(rows["more_images"], self._posts, "more_images"),
            }
            read["image"], read["more_images"] = _pictures(read["image"], read["more_images"])
            checked = pa.table({"row": rows["row"], **{name: values for name, (values, _) in read.items()}})
            checked = checked.select(CANDIDATES.names).cast(CANDIDATES)
            for name, values in details.read(rows, self._posts).items():
                checked = checked.append_column(name, values)
            again = pc.and_(*(pc.match_substring_regex(checked[name], _CALLED[name]) for name in _CALLED))
            drawn = pc.and_(*(pc.match_substring_regex(checked[name], _LINE) for name in ("post_id", "user_id")))
            none = (
                pc.if_else(pc.fill_null(is_one, False), what, pa.scalar(None, pa.string()))
                for is_one, what in ((again, HEADER), (drawn, DRAWN))
            )
            wrong = pc.coalesce(*none, *(found for _, found in read.values()))
            bad = pc.is_valid(wrong)
            refusals = self._refuse(checked.filter(bad), wrong.filter(bad))
            yield checked.filter(pc.invert(bad)), pa.concat_tables([refused, refusals])

    def _refuse(self, rows: pa.Table, wrong: pa.ChunkedArray) -> pa.Table:
        """Rows of REJECTED, of what is wrong with each: a reason, a colon, and what was found."""
        place = joined("row ", rows["row"], f" of {self.name}")
        told = [found.partition(": ") for found in wrong.to_pylist()]
        details = joined(place, ": ", pa.array([found for _, _, found in told], pa.string()))
        columns = {"reason": pa.array([reason for reason, _, _ in told], pa.string()), "detail": details}
        return pa.table({"id": pc.coalesce(rows["post_id"], place), **columns}).cast(REJECTED.schema)

    def check_users(self) -> None:
        """Read the table of users, if any, before pictures are: raises UserError where it cannot be."""
        if self._users:
            for rows, _ in files.read(self._users, USER, OF_USER):
                _described(rows, self._users)

    def opened_pictures(self) -> AbstractContextManager[Pictures]:
        """The folder or zip of pictures, or none."""
        return opened(self.images, self._links_into)

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Rejected]]:
        """The files of these names in the folder or zip."""
        with self.opened_pictures() as pictures:
            yield from ((name, pictures.read(name)) for name in names)

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """All users of `posts`, as far as known from the table of users, if any; what else it holds is rejected."""
        known = dict.fromkeys(pc.unique(posts["user_id"]).to_pylist())
        found, refused = told_of(known, self._users) if self._users else ({}, REJECTED.empty())
        nothing = {"interests": [], "brand": False}
        users = [found.get(user_id) or {"user_id": user_id, **nothing} for user_id in sorted(known)]
        return pa.Table.from_pylist(users, schema=USERS.schema), refused


def told_of(known: Mapping[str, None], path: Path) -> tuple[dict[str, dict[str, Any]], pa.Table]:
    """Rows of USERS of those who are `known`, by user_id, from the table at `path`; what else it holds is rejected."""
    found: dict[str, dict[str, Any]] = {}
    refused: list[pa.Table] = []
    others: list[tuple[str, str, str]] = []
    for rows, unread in files.read(path, USER, OF_USER):
        refused.append(rejected_rows(unread["id"], UNREADABLE_USER, unread["detail"]))
        for row in _described(rows, path):
            place = f"row {row['row']} of {path.name}"
            user_id, brand = row["user_id"] or "", cells.truth(row["brand"])
            if row["wrong"]:
                reason, _, detail = row["wrong"].partition(": ")
                reason = UNREADABLE_USER if reason == cells.NOT_TEXT else reason
                others.append((user_id or place, reason, f"{place}: {detail}"))
            elif not user_id:
                others.append((place, "missing user_id", place))
            elif user_id in found:
                others.append((user_id, "duplicate user_id", f"{place}; the first row of this user_id is kept"))
            elif brand is None:
                others.append((user_id, UNKNOWN_BRAND, f"{place}: {row['brand']}"))
            elif user_id not in known:
                others.append((user_id, STRANGER, place))
            else:
                interests = sorted(set(row["interests"] or []))
                found[user_id] = {"user_id": user_id, "interests": interests, "brand": brand}
    if not found:
        others = [(name, ALL_STRANGERS if reason == STRANGER else reason, detail) for name, reason, detail in others]
    elif any(reason == STRANGER for _, reason, _ in others):
        alone = {plain(name).lstrip("0") for name in known if name not in found}
        others = [
            (name, WRITTEN_OTHERWISE if reason == STRANGER and plain(name).lstrip("0") in alone else reason, detail)
            for name, reason, detail in others
        ]
    return found, pa.concat_tables([*refused, REJECTED.of(others)])


def _check_headers(rows: pa.Table, path: Path) -> None:
    """Raise UserError where a row is a header of other columns, or in another order: what is below would be misread."""
    if not (cells.is_text(rows["post_id"].type) and cells.is_text(rows["user_id"].type)):
        return
    called = pa.array([name.encode() for name in rows.column_names])
    named = (pc.is_in(rows[name].cast(pa.binary()), value_set=called) for name in ("post_id", "user_id"))
    for row in rows.filter(pc.and_(*named)).to_pylist():
        written = {name: cell.decode() if isinstance(cell, bytes) else cell for name, cell in row.items()}
        if any(cell in rows.column_names and cell != name for name, cell in written.items()):
            found = ", ".join(str(written[name]) for name in POST)
            raise UserError(
                f"{path}: row {row['row']} is a header again, with {found} where {', '.join(POST)} stand above: tables "
                "of different columns were joined. Join them by the names of the columns."
            )


def _pictures(image: cells.Cells, more: cells.Cells) -> tuple[cells.Cells, cells.Cells]:
    """Of images that are lists as text, `['a.png', 'b.png']`, the first; the further ones, with those of `more`."""
    names, wrong = image
    listed = pc.fill_null(pc.match_substring_regex(names, r"^\s*\[[\"'].*[\"']\s*\]\s*$"), False)
    if not pc.any(listed).as_py():
        return image, more
    held, others = names.to_pylist(), more[0].to_pylist()
    for at in np.flatnonzero(listed.to_numpy()):
        found = cells.split_lists([held[at]])[0]
        if isinstance(found, list) and found:
            held[at], others[at] = found[0], [*found[1:], *(others[at] or [])] or None
    kind = more[0].type
    return (pa.chunked_array([pa.array(held, pa.string())]), wrong), (
        pa.chunked_array([pa.array(others, kind)]),
        more[1],
    )


def _described(rows: pa.Table, path: Path) -> list[dict[str, Any]]:
    """Rows of a table of users, as they are read, and what is `wrong` with each."""
    ids, wrong = cells.ids(rows["user_id"], path, "user_id")
    interests, unlisted = cells.lists(rows["interests"], path, "interests")
    columns = {"row": rows["row"], "user_id": ids, "interests": interests, "brand": rows["brand"]}
    plain_truths = (pa.types.is_boolean, pa.types.is_floating, pa.types.is_decimal)
    if not any(is_kind(rows["brand"].type) for is_kind in plain_truths):
        columns["brand"], unknown = cells.texts(rows["brand"], path, "brand")
        wrong = pc.coalesce(wrong, unknown)
    described: list[dict[str, Any]] = pa.table({**columns, "wrong": pc.coalesce(wrong, unlisted)}).to_pylist()
    return described
