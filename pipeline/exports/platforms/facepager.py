"""Facepager: what it exports as CSV, and its database, in which the answers of the platforms are whole.

A row is a node: a seed that somebody entered, an item of an answer (`data`), or what was left of one.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

from pipeline.exports import columns
from pipeline.exports.posts import NOT_A_POST, UNREADABLE, Found, Json, Left
from pipeline.running.errors import UserError

MAGIC = b"SQLite format 3\0"
_NODE = ("object_id", "object_type", "query_type")
_OTHERS = {"path", "level", "id", "parent_id", "object_key", "query_status", "query_time", *_NODE}
_ITEMS = {"data", "unpacked"}


def is_table(names: list[str]) -> bool:
    """A CSV with the columns that are in each of Facepager's."""
    return {*_NODE, "query_status"} <= set(names)


def table(rows: Iterator[tuple[int, Any]], path: str) -> Found:
    """The items of a CSV, as far as their columns were chosen; `None` is an empty cell."""
    for number, row in rows:
        place = f"row {number} of {path}"
        if isinstance(row, Mapping):
            answer = {name: value for name, value in row.items() if name not in _OTHERS and value != "None"}
            yield from _item(row["object_id"], row["object_type"], row["query_type"], answer, place)
        else:
            yield Left(place, UNREADABLE, f"{place}: {row}")


def database(stream: IO[bytes], path: str) -> Found | None:
    """The same, of a database; None where it is another program's. Raises UserError where it is damaged."""
    with tempfile.NamedTemporaryFile() as copy:  # SQLite reads within no zip, and writes beside what it opens
        while piece := stream.read(1 << 20):
            copy.write(piece)
        copy.flush()
        try:
            opened = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
            rows = opened.execute("SELECT id, objectid, objecttype, querytype, response FROM Nodes ORDER BY id")
        except sqlite3.Error:
            return None
    return _nodes(opened, rows, path)


def _nodes(opened: sqlite3.Connection, rows: sqlite3.Cursor, path: str) -> Found:
    try:
        for number, name, kind, query, response in rows:
            place = f"node {number} of {path}"
            try:
                answer = json.loads(response or "{}")
            except ValueError as error:
                yield Left(place, UNREADABLE, f"{place}: {error}")
                continue
            yield from _item(name, kind, query, answer if isinstance(answer, dict) else {}, place)
    except sqlite3.Error as error:
        raise UserError(f"{path} is a database of Facepager that cannot be read to its end: {error}.") from None
    finally:
        opened.close()


def _item(name: str | None, kind: str | None, query: str | None, answer: Json, place: str) -> Found:
    """An item as a post. Those of a page (`/<page-id>/posts`) are the page's, whose id begins theirs."""
    if kind not in _ITEMS:
        yield Left(place, NOT_A_POST, f"{place}: {kind or 'a node'}")
        return
    page, _, post = (name or "").partition("_")
    own = page if post and (query or "").rstrip("/").endswith("/posts") else None
    row = {"_page": own, **answer, "_object": name}
    preset = columns.of_platform("facepager")
    assert preset is not None
    yield from columns.posts(iter([(0, row)]), preset, place)
