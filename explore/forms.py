"""What an address asks for, and the CSV of an answer."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from pipeline.space.filters import Filters

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


def reworded(question: str, words: Mapping[str, Sequence[str]]) -> str:
    """`question` with the first of the other words, if any, for each of `words`, however that is capitalised."""
    for word, others in words.items():
        if others:
            parts = re.split(rf"(?<!\w){re.escape(word)}(?!\w)", question, flags=re.IGNORECASE)
            question = others[0].join(parts)
    return question


def suffix(request: Request) -> str:
    """html, json or csv, by how the address ends."""
    end = request.url.path.rpartition(".")[2]
    return end if end in ("json", "csv") else "html"


NARROWING = (
    "contains", "side", "cluster", "language", "from", "to", "by", "link", "likes", "replies", "answering", "answers",
    "described", "least",
)  # fmt: skip
"""What in an address chooses among posts, and `least`, among answers."""


def filters_of(query: Any) -> Filters:
    """The filters of an address. Raises Wrong for a value that is none."""
    answers = query.get("answers") or ""
    kind, _, name = answers.partition(":")
    return Filters(
        sides=tuple(_one_of("side", side, SIDES) for side in query.getlist("side") if side) or None,
        clusters=None if (cluster := _number(query, "cluster")) is None else (cluster,),
        languages=tuple(language for language in query.getlist("language") if language) or None,
        since=_date(query, "from"),
        until=_date(query, "to"),
        user=query.get("by") or None,
        contains=query.get("contains") or None,
        link=query.get("link") or None,
        likes=_range(query, "likes"),
        replies=_range(query, "replies"),
        answering=_yes(query, "answering"),
        answered_user=(name if kind == "user" and name else answers) or None if kind != "post" else None,
        answered_post=name or None if kind == "post" else None,
        described=_yes(query, "described"),
        least=_least(query),
    )


def _one_of(key: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise Wrong(f"{key}={value[:40]} is not one of {', '.join(known)}.")
    return value


def _number(query: Any, key: str) -> int | None:
    value = query.get(key)
    if not value:
        return None
    if not value.isdecimal() or len(value) > 9:
        raise Wrong(f"{key}={value[:40]} is not a whole number.")
    return int(value)


def _date(query: Any, key: str) -> date | None:
    value = query.get(key)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise Wrong(f"{key}={value[:40]} is not a day; write it as 2024-05-31.") from None


def _range(query: Any, key: str) -> tuple[int | None, int | None] | None:
    """`10` is 10 and more, `10-20` from 10 to 20, `-20` at most 20."""
    value = (query.get(key) or "").replace("\u2013", "-").replace(" ", "")
    if not value:
        return None
    found = re.fullmatch(r"(\d{0,15})(-?)(\d{0,15})", value)
    if not found or not (found[1] or found[3]):
        raise Wrong(f"{key}={value[:40]} is not a number; write 10 for 10 or more, 10-20, or -20 for at most 20.")
    return int(found[1]) if found[1] else None, int(found[3]) if found[3] else None


def _yes(query: Any, key: str) -> bool | None:
    value = query.get(key)
    return _one_of(key, value, ("yes", "no")) == "yes" if value else None


def _least(query: Any) -> float | None:
    value = query.get("least")
    try:
        least = float(value) if value else None
    except ValueError:
        least = math.nan
    if least is not None and not math.isfinite(least):
        raise Wrong(f"least={value[:40]} is not a cosine, which is a number from -1 to 1.")
    return least


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
        columns = ("id", "x", "y", "cluster")
        return [dict(zip(columns, row, strict=True)) for row in zip(*(data[name] for name in columns), strict=True)]
    if page == "about":
        return [{"metric": name, "value": value} for name, value in flat(data["metrics"])]
    lists = {"user": "posts", "posts": "posts", "image": "posted", "cluster": "members", "collection": "members"}
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
        raise Wrong(f"At most {most >> 20} MB can be sent.")


def whole(text: str | None, otherwise: int, least: int, most: int) -> int:
    """A whole number, held within its bounds; `otherwise` where none is given. Raises Wrong for what is none."""
    if not text:
        return otherwise
    if not text.isdecimal() or len(text) > 9:
        raise Wrong(f"{text[:40]} is not a number from {least} to {most}.")
    return min(max(int(text), least), most)
