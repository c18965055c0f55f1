"""What `convert_corpus` makes of people's exports, as a source of posts: a table whose pictures lie in several places.

A picture's name there is `PLACE!/NAME`: a folder or zip, and the file in it. Beside it may be a table of users of one's
own, which names them by their ids or, as the export has them, their names.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.sources.table import TableCorpus, told_of
from pipeline.pictures.finding import opened
from pipeline.pictures.reading import Rejected
from pipeline.tables.corpus import USERS


class ExportedCorpus(TableCorpus):
    """The tables in a folder that `pipeline.exports.converting` wrote, and `own`, a table of users."""

    def __init__(self, folder: Path, links_into: Path | None = None, own: Path | None = None) -> None:
        super().__init__(folder / "posts.parquet", folder, folder / "users.parquet", links_into)
        self._folder, self._own = folder, own

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Rejected]]:
        """The files of these names, place by place as they come."""
        for place, together in groupby(names, key=lambda name: name.partition("!/")[0]):
            with opened(Path(place), self._links_into) as pictures:
                yield from ((name, pictures.read(name.partition("!/")[2])) for name in together)

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """All users of `posts`, with the interests that the export and the table of one's own tell."""
        users, refused = super().users(posts)
        if self._own is None:
            return users, refused
        rows = users.to_pylist()
        called = pq.read_table(self._folder / "users.parquet", columns=["user_id", "name"]).to_pylist()
        names = {row["user_id"]: row["name"] for row in called if row["name"]}
        known = dict.fromkeys([row["user_id"] for row in rows] + [names.get(row["user_id"], "") for row in rows])
        told, others = told_of(known, self._own)
        for row in rows:
            for found in filter(None, map(told.get, dict.fromkeys((row["user_id"], names.get(row["user_id"], ""))))):
                row["interests"] = sorted({*row["interests"], *found["interests"]})
                row["brand"] = row["brand"] or found["brand"]
        return pa.Table.from_pylist(rows, schema=USERS.schema), pa.concat_tables([refused, others])
