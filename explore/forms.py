"""What an address asks for, and the CSV of an answer."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from pipeline.space.space import Filters

Data = dict[str, Any]
SIDES = ("train", "val", "test")


class Wrong(Exception):
    """What was asked cannot be understood: the message says why."""


def with_query(path: str, query: Mapping[str, Any], **changes: Any) -> str:
    """`path` with the query as it is but for `changes`; None takes a key out."""
    changed = {name: value for name, value in (dict(query) | changes).items() if value not in (None, "")}
    return f"{path}?{urlencode(changed, doseq=True)}" if changed else path


def listed(query: Mapping[str, Any], name: str) -> list[str]:
    """The values of one key of a query."""
    value = query.get(name, [])
    return value if isinstance(value, list) else [value]


def suffix(request: Request) -> str:
    """html, json or csv, by how the address ends."""
    end = request.url.path.rpartition(".")[2]
    return end if end in ("json", "csv") else "html"


def filters_of(query: Any) -> Filters:
    """The filters of a search's address. Raises Wrong for a value that is none."""
    try:
        return Filters(
            sides=tuple(side for side in SIDES if side in query.getlist("side")) or None,
            clusters=(int(query["cluster"]),) if query.get("cluster") else None,
            languages=(query["language"],) if query.get("language") else None,
            since=date.fromisoformat(query["from"]) if query.get("from") else None,
            until=date.fromisoformat(query["to"]) if query.get("to") else None,
            user=query.get("by") or None,
            least=float(query["least"]) if query.get("least") else None,
        )
    except ValueError as error:
        raise Wrong(f"A filter cannot be read: {error}.") from None


def rows_of(page: str, data: Data) -> Iterable[Data]:
    """The table that stands for a page in CSV: its answers, or the posts, members or things that it lists."""
    if page == "search":
        return [row for rows in data["answers"].values() for row in rows]
    if page == "post":
        return [
            *(row | {"place": "before"} for row in data["before"]),
            data["post"] | {"place": "this"},
            *(row | {"place": "after"} for row in data["after"]),
            *(row | {"place": "copy"} for row in data["copies"]),
        ]
    if page == "map":
        return [{"x": x, "y": y, "cluster": of} for x, y, of in zip(data["x"], data["y"], data["cluster"], strict=True)]
    if page == "about":
        return [{"metric": name, "value": value} for name, value in flat(data["metrics"])]
    lists = {"user": "posts", "image": "posted", "cluster": "members", "collection": "members"}
    listed: list[Data] = data[lists.get(page, page)]
    return listed


def flat(values: Data, before: str = "") -> Iterable[tuple[str, Any]]:
    """Names, joined by dots, and values of nested data."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def as_csv(rows: Any) -> str:
    """Rows as CSV; lists joined by a semicolon. What a spreadsheet would run as a formula gets a quote before it."""
    rows = [{name: _cell(value) for name, value in row.items()} for row in rows]
    written = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    sheet = csv.DictWriter(written, names, restval="", lineterminator="\r\n")
    sheet.writeheader()
    sheet.writerows(rows)
    return written.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ";".join(str(v.get("post_id", v) if isinstance(v, dict) else v) for v in value)
    if isinstance(value, str):
        return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return "" if value is None else value


def short(request: Request, most: int) -> None:
    """Raises Wrong for a body of more than `most` bytes, or of unknown length."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > most:
        raise Wrong(f"What is sent may have {most >> 10:,} kB at most.")


def whole(text: str | None, otherwise: int, least: int, most: int) -> int:
    """A whole number, held within its bounds; `otherwise` where none is given. Raises Wrong for what is none."""
    if not text:
        return otherwise
    if not text.isdecimal() or len(text) > 9:
        raise Wrong(f"{text[:40]} is no number from {least} to {most}.")
    return min(max(int(text), least), most)
