"""The CSV of a page: its answers, or what it lists. A page's columns are those of its classes in `explore.schema`.

So they are the same for every address of a page, also where nothing was found. The CSV is UTF-8 without a byte order
mark, which R's read.csv takes for letters of the first column's name.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from explore.pages.forms import Data
from explore.schema import pages, parts

_ROWS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "search": (parts.UserAnswer, parts.ImageAnswer, parts.TextAnswer),
    "user": (parts.Post,),
    "image": (parts.Post,),
    "post": (parts.Post,),
    "posts": (pages.ListedPost,),
    "users": (pages.ListedUser,),
    "clusters": (parts.ClusterInShort,),
    "cluster": (pages.Member,),
    "marks": (pages.Mark,),
    "left_out": (pages.LeftOutRow,),
    "collection": (pages.Marked, parts.Person, parts.Image, parts.Post),
}
"""What a row of each page is; one of several is of one of these."""
_OTHERS = {"map": ("id", "x", "y", "cluster"), "about": ("metric", "value")}
_LISTED = {"user": "posts", "image": "posted", "cluster": "members", "collection": "members", "left_out": "rows"}
_MOST_DIGITS = 15
"""Of a number, as a spreadsheet keeps it."""
_PIECE = 1 << 16


def columns(page: str) -> list[str]:
    """The columns of a page's CSV."""
    of = [name for one in _ROWS.get(page, ()) for name in one.model_fields]
    return list(dict.fromkeys([*_OTHERS.get(page, of), *(["place"] if page == "post" else [])]))


def rows_of(page: str, data: Data) -> Iterable[Data]:
    """The table that stands for a page: its answers, or the posts, members or things that it lists."""
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
        names = _OTHERS["map"]
        return [dict(zip(names, row, strict=True)) for row in zip(*(data[name] for name in names), strict=True)]
    if page == "about":
        return [{"metric": name, "value": value} for name, value in flat(data["metrics"])]
    listed: list[Data] = data[_LISTED.get(page, page)]
    return listed


def flat(values: Data, before: str = "") -> Iterable[tuple[str, Any]]:
    """Names, joined by dots, and values of nested data."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def as_csv(rows: Iterable[Data], names: Sequence[str], excel: bool = False) -> Iterator[bytes]:
    """Rows as CSV, in pieces; lists joined by a semicolon. What a spreadsheet would run as a formula gets a quote.

    `excel`: as Excel opens it by a double click in every country (UTF-16, tabs), and ids keep all their digits.
    """
    encoder = codecs.getincrementalencoder("utf-16" if excel else "utf-8")()
    written = io.StringIO()
    sheet = csv.DictWriter(written, names, restval="", lineterminator="\r\n", delimiter="\t" if excel else ",")
    sheet.writeheader()
    for row in rows:
        sheet.writerow({name: _cell(value, excel) for name, value in row.items()})
        if written.tell() > _PIECE:
            yield encoder.encode(written.getvalue())
            written.seek(0)
            written.truncate()
    yield encoder.encode(written.getvalue())


def _cell(value: Any, excel: bool) -> Any:
    if isinstance(value, list | tuple):
        value = ";".join(str(v.get("post_id", v) if isinstance(v, dict) else v) for v in value)
    if isinstance(value, str):
        if excel and value.isascii() and value.isdigit() and (len(value) > _MOST_DIGITS or value[0] == "0"):
            return f'="{value}"'
        return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return "" if value is None else value


def answered(page: str, data: Mapping[str, Any], excel: bool) -> Response:
    """The CSV of a page, as an answer."""
    kind = "text/csv; charset=" + ("utf-16" if excel else "utf-8")
    return StreamingResponse(as_csv(rows_of(page, dict(data)), columns(page), excel), media_type=kind)
