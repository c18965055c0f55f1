"""What a value of JSON holds, where it is no record itself: lists, and what databases and pandas put round."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.exports import columns
from pipeline.exports.kinds import kind_of
from pipeline.exports.posts import dig

_LISTS = ("data", "items", "posts", "tweets", "statuses", "messages", "results", "records", "rows", "documents", "hits",
          "itemList")  # fmt: skip
"""Keys under which programs list records, with nothing beside them that is of a post."""


def within(value: Any) -> Iterator[Any]:
    """The records in a value of JSON; the value where it is one, or nothing that is known."""
    inner = dig(value, "hits", "hits") if isinstance(value, Mapping) else value  # Elasticsearch's answer
    if isinstance(inner, list) and inner and all(isinstance(one, Mapping) for one in inner):
        yield from map(_of_index, inner)
    elif isinstance(value, Mapping):
        yield from _of_table(value) or _listed(value) or [_of_index(value)]
    else:
        yield value


def _of_table(held: Mapping[str, Any]) -> list[Any] | None:
    """The rows of a table as pandas writes it: by columns, or the columns' names beside the rows' values."""
    names, rows = held.get("columns"), held.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        return [dict(zip(names, row, strict=False)) for row in rows]
    if not all(isinstance(column, Mapping) and column for column in held.values()) or not held:
        return None
    keys = next(iter(held.values())).keys()
    if all(key.isdigit() for key in keys) and all(column.keys() == keys for column in held.values()):
        return [{name: column[key] for name, column in held.items()} for key in keys]
    return None


def _listed(held: Mapping[str, Any]) -> list[Any] | None:
    """The records under keys that list them, or by their ids, if they are of a known kind and the object is not."""
    lists = [one for key in _LISTS if isinstance(one := held.get(key), list) and one]
    if not lists and held and all(isinstance(one, Mapping) for one in held.values()):
        lists = [list(held.values())]
    lists = [one for one in lists if isinstance(one[0], Mapping)]
    if not lists or _is_known(held):  # most records have none, and are asked no further
        return None
    return [record for one in lists if _is_known(one[0]) for record in one] or None


def _is_known(record: Mapping[str, Any]) -> bool:
    return kind_of(record) is not None or columns.fitting(columns.paths(record)) is not None


def _of_index(record: Any) -> Any:
    """A record; of what was dumped from Elasticsearch, the document, whose id stands beside it."""
    if isinstance(record, Mapping) and "_index" in record and isinstance(record.get("_source"), Mapping):
        return {"id": record.get("_id"), **record["_source"]}
    return record
