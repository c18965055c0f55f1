"""What an address asks for."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from pipeline.space.filters import Filters

Data = dict[str, Any]
SIDES = {"train": ("train",), "val": ("val",), "test": ("test",), "left_out": ("excluded", "")}
"""What an address calls the sides of the split, and how posts have them."""
PAGE = 60
"""Posts, users or images of one page of a list."""


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
    "contains", "not_contains", "side", "cluster", "language", "from", "to", "by", "not_by", "link", "likes", "replies",
    "answering", "answers", "described", "least",
)  # fmt: skip
"""What in an address chooses among posts, and `least`, among answers."""
REPEATED = ("side", "language", "not_by", "kind")
"""What may stand in an address more than once; of all else a second value would be taken and the first forgotten."""
KEYS = (
    *NARROWING, "kind", "q", "picture", "top", "page", "order", "begins", "with", "tell", "id", "reason", "rows",
    "excel", "token", "file",
)  # fmt: skip
"""All that an address may have; `file` where a browser without scripts sends the field of a picture, empty."""


def understood(query: Any) -> None:
    """Raises Wrong for a key that no address has, as a misspelt filter would choose everything, or one given twice."""
    for key in query:
        if key not in KEYS:
            alike = get_close_matches(key, KEYS, 1)
            raise Wrong(f"{key[:40]}=… is not known here{f'; did you mean {alike[0]}=…?' if alike else '.'}")
        if key not in REPEATED and len(query.getlist(key)) > 1:
            raise Wrong(f"{key}=… can stand in an address once only; {', '.join(REPEATED)} may be repeated.")


def yes(query: Any, key: str) -> bool:
    """Whether an address has `key`, and not as 0 or no."""
    return query.get(key) not in (None, "", "0", "no")


def filters_of(query: Any) -> Filters:
    """The filters of an address. Raises Wrong for a value that is none."""
    answers = query.get("answers") or ""
    kind, _, name = answers.partition(":")
    since, until = _date(query, "from"), _date(query, "to")
    if since and until and since > until:
        raise Wrong(f"from={since} is after to={until}.")
    return Filters(
        sides=tuple(name for side in query.getlist("side") if side for name in SIDES[one_of("side", side, SIDES)])
        or None,
        clusters=None if (cluster := _number(query, "cluster")) is None else (cluster,),
        languages=tuple(language for language in query.getlist("language") if language) or None,
        since=since,
        until=until,
        user=query.get("by") or None,
        other_than=tuple(name for name in query.getlist("not_by") if name) or None,
        contains=query.get("contains") or None,
        lacks=query.get("not_contains") or None,
        link=query.get("link") or None,
        likes=_range(query, "likes"),
        replies=_range(query, "replies"),
        answering=_yes(query, "answering"),
        answered_user=(name if kind == "user" and name else answers) or None if kind != "post" else None,
        answered_post=name or None if kind == "post" else None,
        described=_yes(query, "described"),
        least=_least(query),
    )


def one_of(key: str, value: str, known: Iterable[str]) -> str:
    """A value that has to be one of those known. Raises Wrong where it is not."""
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
    least, most = (int(end) if end else None for end in (found[1], found[3]))
    if least is not None and most is not None and least > most:
        raise Wrong(f"{key}={value[:40]} begins with more than it ends with.")
    return least, most


def _yes(query: Any, key: str) -> bool | None:
    value = query.get(key)
    return one_of(key, value, ("yes", "no")) == "yes" if value else None


def _least(query: Any) -> float | None:
    value = query.get("least")
    try:
        least = float(value) if value else None
    except ValueError:
        least = math.nan
    if least is not None and not -1 <= least <= 1:
        raise Wrong(f"least={value[:40]} is not a cosine, which is a number from -1 to 1.")
    return least


def short(request: Request, most: int) -> None:
    """Raises Wrong for a body of more than `most` bytes, or of unknown length."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > most:
        raise Wrong(f"At most {most >> 20} MB can be sent.")


def whole(key: str, text: str | None, otherwise: int, least: int, most: int) -> int:
    """A whole number, held within its bounds; `otherwise` where none is given. Raises Wrong for what is none."""
    if not text:
        return otherwise
    if not text.isdecimal() or len(text) > 9:
        raise Wrong(f"{key}={text[:40]} is not a whole number from {least:,} to {most:,}.")
    return min(max(int(text), least), most)


class Part(NamedTuple):
    """Which part of a list is wanted: a page of `most` rows, or, with None, all of it."""

    page: int = 1
    most: int | None = PAGE

    def of(self, name: str, rows: Any, shown: Callable[[int], Data]) -> Data:
        """Its rows by `name`, each as `shown`, and how many there are; all of them one by one, as they may be many."""
        if self.most is None:
            return {name: (shown(int(row)) for row in rows), "count": len(rows), "page_number": 1, "pages": 1}
        begin = (self.page - 1) * self.most
        return {
            name: [shown(int(row)) for row in rows[begin : begin + self.most]],
            "count": len(rows),
            "page_number": self.page,
            "pages": max(1, -(-len(rows) // self.most)),
        }
