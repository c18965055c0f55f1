"""What every export is read into: posts, and what is no post with the reason; times, counts and HTML as they occur."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from pipeline.common.nothing import NO_TEXT
from pipeline.common.times import FIRST, FIRST_DAY, LAST, NEVER, moment, of_number

Json = Mapping[str, Any]


class Shown(NamedTuple):
    """A picture of a post: `names` that its file may have, the likeliest first; a `video` is shown by its cover."""

    names: tuple[str, ...]
    video: bool = False
    alt: str | None = None


class Post(NamedTuple):
    """A post as its platform has it.

    `user_id` is the stable id, or None where the export has but the `handle`. `shown` is None where the export does not
    say what pictures there are: a file called by one of `names` is then taken. `created_at` and `collected` are µs
    since 1970 in UTC. `reply_to` is the id or handle of who is answered, `answers` the id of the post; `repost`: of
    another's post.
    """

    post_id: str
    user_id: str | None
    handle: str | None
    text: str | None
    created_at: int | None = None
    shown: tuple[Shown, ...] | None = ()
    names: tuple[str, ...] = ()
    language: str | None = None
    url: str | None = None
    likes: int | None = None
    replies: int | None = None
    reply_to: str | None = None
    repost: bool = False
    collected: int = 0
    answers: str | None = None


class Left(NamedTuple):
    """What stands in an export and is no post."""

    id: str
    reason: str
    detail: str


class Deleted(NamedTuple):
    """A post that its author took back, or wrote anew as `later`: it goes, wherever in the export it stands."""

    id: str
    later: str | None = None


class Edge(NamedTuple):
    """Who follows, or comments on, whom."""

    user_id: str
    target: str
    kind: str


Found = Iterator[Post | Left | Deleted | Edge]

ODD = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What a reader raises at a record that is not as its tool writes it."""
UNREADABLE, REPOST, UNKNOWN = "unreadable row", "repost", "author unknown"
PRIVATE, NOT_A_POST, NO_ID = "private", "not a post", "no id of a post"
ROUNDED = "id was rounded by a spreadsheet"
NOBODY = {"", "[deleted]", "[removed]", "redacted", "none", "null", "deleted account"}
"""What exports call an author who is no longer there; as one user they would be the largest."""
BOTS = {"automoderator"}

_AS_ID = re.compile(r"""^(?:="(.*)"|(\d{1,15})\.0+)$""")
_NUMBER = re.compile(r"-?\d+(\.\d+)?$")
_ROUNDED = re.compile(r"\d+([.,]\d+)?[eE]\+\d+$|\d+[.,]\d+[eE]\d+$|\d{15,}[.,]0$|\d(\.\d+)?e-\d{3}$")
"""5e12 is none: Reddit's ids are such. e-189 is what R prints of numbers of 64 bits that it takes for floats."""
_TAG = re.compile(
    r"</?(a|abbr|b|bdi|blockquote|br|cite|code|del|div|em|font|h[1-6]|hr|i|img|ins|li|ol|p|pre|q|rp|rt|ruby|s|small|span"
    r"|strong|sub|sup|table|tbody|td|th|tr|u|ul|video|iframe)(\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r'<(p|span)\s[^<>]*class="quote-inline"[^<>]*>(?:<span\b[^<>]*>[^<>]*</span>|(?!</\1>).){0,2000}+</\1>', re.DOTALL
)
"""The link of a quote, for servers that cannot show one; others hide it."""
_RFC = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d [+-]\d{4} \d{4}$")
_MAIL = re.compile(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d{4} ")
_NEVER, _NO_TEXT = re.compile(NEVER), re.compile(NO_TEXT)
_OF_REDDIT = re.compile(r"(?<![\w/.])/?u/((?:\\?[\w-]){3,24})(?![\w/])", re.ASCII)
"""A name of Reddit's, of which its editor writes `_` behind a backslash."""
_PICTURED = re.compile(r"!\[(?:gif|img)\]\([^()\s]+(?: \"[^\"\n]*\")?\)")
"""A GIF, an emote or a picture in a text of Reddit."""
_ZONE = re.compile(r"(?<=\d) (?![AP]M\b)[A-Z][A-Za-z. ]{2,}$")
"""A zone by its name, as CrowdTangle (`EDT`) and Twint on Windows (`W. Europe Standard Time`) write it."""


def each(items: Iterable[Any], read: Callable[[Any], Found]) -> Found:
    """What `read` finds in each of the items of one document; an odd one is left out alone, not all with it."""
    for number, item in enumerate(items, start=1):
        try:
            yield from list(read(item))
        except ODD as error:
            held = item if isinstance(item, dict) else {}
            name = held.get("id") or held.get("uri") or "?"
            yield Left(str(name), UNREADABLE, f"item {number} of its list: {type(error).__name__} {error}")


def earlier(post_id: str, versions: Iterable[object] | None) -> Iterator[Deleted]:
    """The versions of a post that its author has edited, oldest first, before the one that is here."""
    ids = [str(version) for version in versions or ()]
    yield from (Deleted(one, post_id) for one in ids[: ids.index(post_id) if post_id in ids else 0])


def rounded(post_id: str) -> bool:
    """Whether an id is a number that a spreadsheet or pandas has written: its last digits are lost."""
    return bool(_ROUNDED.match(post_id))


def as_id(written: str) -> str:
    """An id without what pandas and spreadsheets put to it that loses nothing: 123.0 of a gappy column, `="123"`."""
    return _AS_ID.sub(r"\1\2", written) if written[:1] == "=" or written[-2:] == ".0" else written


def known(author: object) -> str | None:
    """The id or name of an author; None where it stands for nobody."""
    name = "" if author is None else str(author).strip()
    return None if name.lower() in NOBODY else name


def said(text: str | None) -> str | None:
    """A text; None where it is what stands in the place of one that is gone, or of none."""
    return None if text is None or _NO_TEXT.match(text) else text


def micros(value: object) -> int | None:
    """A time as exports write it: Unix s, ms, µs or ns, ISO 8601, as Twitter and as mail write it; None for none.

    Raises ValueError for any other text, such as a spreadsheet's number of days. Without a zone, or with its name
    alone, which is as good as unknown, it is UTC. What is before 1973 in figures
    of JSON, and what is after 2199, is none.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return _of(value)
    text = format(value, ".6f") if isinstance(value, float) else str(value).strip()
    if _NEVER.match(text):
        return None
    if _NUMBER.match(text):
        found = of_number(text)
        if found is None and isinstance(value, str) and 0 < float(text) < FIRST:
            raise ValueError(
                f"{value!r} is no Unix time: in a spreadsheet, give the cells the format yyyy-mm-dd hh:mm, and save "
                "again"
            )
        return _of(found) if found else None
    if _RFC.match(text):
        _, month, day, clock, zone, year = text.split()
        return _of(parsedate_to_datetime(f"{day} {month} {year} {clock} {zone}"))
    if _MAIL.match(text):
        return _of(parsedate_to_datetime(text))
    text = text.removesuffix(" UTC").replace("Z", "+00:00") if text[-1:] in "ZC" else text
    try:
        return _of(datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", _ZONE.sub("", text))))
    except (ValueError, OverflowError):
        meant = moment(str(value))
        if meant is None:
            raise ValueError(
                f"{value!r} is no time that is known here: ISO 8601 and Unix time are, and figures alone with the year "
                "first, as 05/04/2024 may be two days"
            ) from None
        return _of(meant)


def _of(moment: datetime) -> int | None:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    if not FIRST_DAY <= plain < LAST:
        return None
    whole = plain - datetime(1970, 1, 1)
    return (whole.days * 86400 + whole.seconds) * 1_000_000 + whole.microseconds


def count(value: object) -> int | None:
    """A number of likes or replies; text may have commas. None for less than 0 (hidden), and for what is no number
    of things: 1.234 may be 1,234 as some languages write it, or a mean.
    """
    text = str("" if value is None else value).replace(",", "").strip()
    whole = _NUMBER.match(text) and float(text).is_integer() and not text.startswith("-")
    return int(float(text)) if whole and len(text) < 19 else None  # in 64 bits


def plain(text: object) -> str | None:
    """Text of HTML: paragraphs and breaks as newlines, tags out, entities as what they stand for."""
    if not text:
        return None
    text = _QUOTED.sub("", str(text)) if "quote-inline" in str(text) else str(text)
    broken = re.sub(r"(?i)<br\s*/?>|</p>|</div>|</li>", "\n", text)
    return html.unescape(_TAG.sub("", broken)).strip() or None


def unescaped(text: object) -> str | None:
    """Text with entities (`&amp;`) as what they stand for; None for none."""
    if not text:
        return None
    return html.unescape(text) if "&" in (text := str(text)) else text


def of_reddit(text: str) -> str:
    """A text of Reddit with `u/name` as `@name`, as names are known everywhere else here, and without what shows a
    picture, `![gif](giphy|ID)`.
    """
    text = _PICTURED.sub("", text).strip() if "![" in text else text
    return _OF_REDDIT.sub(lambda found: "@" + found[1].replace("\\", ""), text) if "u/" in text else text


def last(url: str | None) -> str:
    """The last step of an address, without its query: what a downloader calls the file."""
    return (url or "").split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1]


def dig(value: Any, *path: str | int) -> Any:
    """What lies at `path` in nested JSON; None where there is nothing."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def ids(*values: object) -> tuple[str, ...]:
    """The names among `values` that are any, without repetitions."""
    return tuple(dict.fromkeys(str(v) for v in values if v))
