"""Rows of posts on their way in: as a source gives them, and those that are left out, each with its reason."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.spill import Spill
from pipeline.pictures.reading import Picture, Rejected
from pipeline.tables.corpus import REJECTED
from pipeline.tables.details import DETAILS, TOLD

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
WITH_DETAILS = pa.schema([*CANDIDATES, *(DETAILS.schema.field(name) for name in TOLD)])
"""The same with what is told of a post beside its content; each of these columns may be left out."""

STRANGER = "user without a post that is kept"
ALL_STRANGERS = f"{STRANGER}, as all of their table"
"""Why a row of a table of users is of no use; that all are so tells that ids are written in two ways."""
WRITTEN_OTHERWISE = "user_id is written otherwise than in the posts"
"""Why a row of users is of no use that is of somebody who posts, but for capitals, or an @ or zeros before the id."""
UNREADABLE_USER = "unreadable row of users"
UNKNOWN_BRAND = "brand is not true or false"
PIECE = 1 << 18
"""Rows that are held and written at once."""


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
            for begin in range(0, len(order), PIECE):
                writer.write(self._spill.take(order[begin : begin + PIECE]))


def rejected_rows(ids: pa.Array | pa.ChunkedArray, reason: str, details: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Rows of REJECTED that share one reason."""
    return pa.table({"id": ids, "reason": pa.repeat(reason, len(ids)), "detail": details}).cast(REJECTED.schema)


def joined(*parts: object) -> pa.Array | pa.ChunkedArray:
    """Text put together from columns and constants, row by row."""
    return pc.binary_join_element_wise(*(p.cast(pa.string()) if hasattr(p, "cast") else p for p in parts), "")


def as_they_are(column: str, ids: pa.Array) -> pa.Array:
    """The ids of a source that changes none."""
    return ids
