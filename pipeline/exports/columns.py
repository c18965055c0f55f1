"""Tables and JSON of any tool: what their columns hold, by a preset or by `corpus.columns`.

A table is recognised by its columns, never by its file's name, as names and versions differ. The presets are data, in
the folder presets/: a tool that is not among them needs no code.
"""

import contextlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict

from pipeline.common.nothing import FALSE, OF_R, TRUE
from pipeline.exports.cells import (
    NOTHING,
    Keep,
    Names,
    another_id,
    first,
    id_of,
    listed,
    parts,
    shown_in,
    spelled,
    text_of,
    unfolded,
    value_at,
)
from pipeline.exports.posts import (
    NO_ID,
    ODD,
    ROUNDED,
    UNREADABLE,
    Found,
    Left,
    Post,
    Shown,
    count,
    dig,
    earlier,
    ids,
    known,
    last,
    micros,
    of_reddit,
    plain,
    rounded,
    said,
    unescaped,
)
from pipeline.exports.resolving import ENDINGS, SHORTEST

PRESETS = Path(__file__).with_name("presets")
FILES = ("fourcat", "x", "videos", "platforms", "services", "china", "listening", "gallery_dl", "own")
"""The files of presets, in the order in which they are asked."""
_STILL = {"", "photo", "image", "picture", "graphimage", "1"}
"""What tools call the kind of a picture that is no video's."""


class Mapped(BaseModel):
    """What the columns of a table hold; presets/README.md says what each key means."""

    model_config = ConfigDict(extra="forbid")

    name: str = "corpus.columns"
    needs: list[str] = []
    platform: str | None = None
    rows: str | None = None
    post_id: Names
    user_id: Names = []
    handle: Names = []
    text: Names = []
    created_at: Names = []
    language: Names = []
    url: Names = []
    likes: Names = []
    replies: Names = []
    reply_to: Names = []
    answers: Names = []
    alt: Names = []
    images: Names = []
    separated: str | None = None
    kinds: str | None = None
    names: Names = []
    repost: dict[str, list[str]] = {}
    leave_out: dict[str, dict[str, str]] = {}
    video: dict[str, list[str]] = {}
    joined: bool = False
    prefix: str | None = None
    versions: str | None = None
    handle_in: str | None = None
    id_from_url: bool = False
    html: bool = False
    quoted: bool = False
    newlines: bool = False
    segments: bool = False
    of_reddit: bool = False
    of_file: bool = False
    header: list[str] | None = None
    quotes: bool = True

    @property
    def asked(self) -> set[str]:
        """The columns, or what their names begin with, that hold anything of this."""
        named = {part.strip() for names in self.held.values() for name in listed(names) for part in name.split("|")}
        return named | {*self.repost, *self.leave_out, *self.video}

    @property
    def held(self) -> dict[str, Names]:
        """What columns are named for, and these."""
        own = ("post_id", "user_id", "handle", "text", "created_at", "language", "url", "likes", "replies", "reply_to",
               "answers", "alt", "images", "kinds", "names", "versions")  # fmt: skip
        return {name: names for name in own if (names := getattr(self, name))}


@cache
def presets() -> list[Mapped]:
    """All presets, in order."""
    read = [tomllib.loads((PRESETS / f"{name}.toml").read_text("utf-8"))["preset"] for name in FILES]
    return [Mapped(**one) for file in read for one in file]


def fitting(columns: Sequence[str], tool: str = "") -> Mapped | None:
    """The preset of a table with these columns, of `tool` if it is known; None where there is none. A `/` in them is as
    good as a dot.
    """
    held = {*columns, *(one.replace("/", ".") for one in columns)}
    asked = (one for one in presets() if one.needs and one.name.startswith(tool))
    return next((one for one in asked if all(held & set(n.split("|")) for n in one.needs)), None)


def lacking(mapped: Mapped, columns: Sequence[str]) -> str | None:
    """What of a post's id and author a table with these columns has none for; None where it has both."""
    whose = [] if mapped.of_file else [*listed(mapped.user_id), *listed(mapped.handle)]
    needed = {"post_id": listed(mapped.post_id)} | ({} if mapped.of_file else {"user_id": whose})
    missing = unfound(needed, columns)
    return next((f"no column {told}, which {mapped.name} has for {what}" for what, told in missing.items()), None)


def unfound(asked: Mapping[str, Names], columns: Sequence[str]) -> dict[str, str]:
    """Of what is asked for, by names of columns each, that of which a table with these `columns` has none."""
    held = {step for one in columns for step in (one, one.replace("/", ".").split(".")[0])}
    found = {}
    for what, names in asked.items():
        parts = [part.strip() for name in listed(names) for part in name.split("|")]
        if not any(part in held or part.split(".")[0] in held for part in parts):
            found[what] = ", ".join(parts) or "is given"
    return found


def paths(record: Mapping[str, Any], before: str = "", deep: int = 3) -> list[str]:
    """The keys of a record, those within objects as dotted paths."""
    found: list[str] = []
    for name, value in record.items():
        found.append(before + name)
        if isinstance(value, Mapping) and deep:
            found += paths(value, f"{before}{name}.", deep - 1)
    return found


def of_platform(platform: str) -> Mapped | None:
    """The preset of Zeeschuimer's items of a platform."""
    return next((one for one in presets() if one.platform == platform), None)


def posts(rows: Iterator[tuple[int, Any]], mapped: Mapped, path: str, keep: Keep | None = None) -> Found:
    """The rows of a table, (number, dict by column, or the error) each, as posts; `keep` takes pictures in letters."""
    owner = PurePosixPath(path).name.partition(".")[0] if mapped.of_file else None
    for number, row in _inner(rows, mapped.rows) if mapped.rows else rows:
        place = f"row {number} of {path}"
        if not isinstance(row, Mapping):
            yield Left(place, UNREADABLE, f"{place}: {row if isinstance(row, Exception) else 'not an object'}")
            continue
        try:
            found = post(row, mapped, place, owner, keep)
            yield found
            if mapped.versions and isinstance(found, Post):
                yield from earlier(found.post_id, parts(value_at(row, mapped.versions), mapped.separated))
        except ODD as error:
            yield Left(first(row, mapped.post_id) or place, UNREADABLE, f"{place}: {error}")


def _inner(rows: Iterator[tuple[int, Any]], within: str) -> Iterator[tuple[int, Any]]:
    """The rows that lie in lists at the path `within` of the records of a file."""
    number = 0
    for at, record in rows:
        found = value_at(record, within) if isinstance(record, Mapping) else None
        for row in found if isinstance(found, list) else [record if isinstance(record, Exception) else None]:
            number += 1
            yield number if isinstance(found, list) else at, row


def post(
    row: Mapping[str, Any], mapped: Mapped, place: str, owner: str | None = None, keep: Keep | None = None
) -> Post | Left:
    """One row, which lies at `place`, as a post, of `owner` if it does not say whose. Raises one of ODD where it cannot
    be read.
    """
    if any("/" in name for name in row):
        row = unfolded(row)
    if mapped.prefix:
        row = _unprefixed(row, mapped, mapped.prefix)
    post_id = _id(row, mapped)
    if rounded(post_id):
        return Left(post_id, ROUNDED, f"{place}; export again with ids as text")
    user_id = id_of(row, mapped.user_id) or owner
    if user_id and rounded(user_id):
        return Left(post_id or place, ROUNDED, f"{place}: the user's id {user_id}")
    for column, reasons in mapped.leave_out.items():
        if (value := text_of(value_at(row, column))) in reasons:
            return Left(post_id or place, reasons[value], place)
    if not post_id:
        return Left(place, NO_ID, place)
    texts = [_written(value_at(row, name), mapped) for name in listed(mapped.text)]
    video = _any(row, mapped.video)
    pictures = [one for name in listed(mapped.images) for one in shown_in(value_at(row, name), mapped.separated, keep)]
    kinds = [text_of(kind) for kind in parts(value_at(row, mapped.kinds), mapped.separated)] if mapped.kinds else []
    kinds += [""] * len(pictures)
    pictures = [
        one._replace(video=one.video or video or not _is_still(kind, one.names[0]))
        for one, kind in zip(pictures, kinds, strict=False)
    ]
    own = _of_page(post_id) if mapped.id_from_url else post_id
    names = ids(own, *(_name_of_file(first(row, name)) for name in listed(mapped.names)))
    shown = tuple(
        one._replace(names=(*one.names, *_by_place(one, names, k))) for k, one in enumerate(pictures, start=1)
    )
    alts = [text_of(one) for name in listed(mapped.alt) for one in parts(value_at(row, name), mapped.separated)]
    if len(alts) != len(shown):  # one text for all, which is of the first
        alts = [first(row, mapped.alt) or ""]
    alts += [""] * len(shown)
    shown = tuple(one._replace(alt=alt or one.alt) for one, alt in zip(shown, alts, strict=False))
    text = "\n".join(dict.fromkeys(filter(None, texts)))  # a description may repeat the title
    return Post(
        own, known(user_id), _handle(row, mapped), text or None,
        micros(first(row, mapped.created_at)), shown or (None if not mapped.images or mapped.names else ()),
        names, _one_language(first(row, mapped.language)),
        first(row, mapped.url), count(first(row, mapped.likes)), count(first(row, mapped.replies)),
        known(another_id(row, mapped.reply_to)), _any(row, mapped.repost),
        answers=known(another_id(row, mapped.answers)),
    )  # fmt: skip


def _unprefixed(row: Mapping[str, Any], mapped: Mapped, prefix: str) -> Mapping[str, Any]:
    """A row with its ids as they are, before which a tool put something that no program takes them for numbers."""
    held = (mapped.post_id, mapped.user_id, mapped.reply_to, mapped.answers)
    names = (name for names in held for name in listed(names) if row.get(name))
    return {**row, **{name: str(row[name]).removeprefix(prefix) for name in names}}


def _id(row: Mapping[str, Any], mapped: Mapped) -> str:
    """The id of a post; none where one of those that are `joined` is missing."""
    if not mapped.joined:
        return id_of(row, mapped.post_id) or ""
    parts = [id_of(row, name) or "" for name in listed(mapped.post_id)]
    return "/".join(parts) if all(parts) else ""


def _of_page(url: str) -> str:
    """What tells the address of a post from others: its last step; with what is asked of a page, `photo.php?fbid=1`."""
    asked = re.search(r"\?.*\b(?:story_fbid|fbid|v)=.*", url)
    return last(url) + (asked[0] if asked else "")


def _handle(row: Mapping[str, Any], mapped: Mapped) -> str | None:
    """The name of an author; of an address, as snscrape prints a user, the last step, or what `handle_in` matches."""
    author = known(id_of(row, mapped.handle))
    if author and mapped.handle_in:
        found = re.search(mapped.handle_in, author)
        return found[1] if found else None
    return last(author) if author and "://" in author else author


def _name_of_file(called: str | None) -> str | None:
    """What a file may be called by: of the address of a picture the last step, of that of anything else nothing."""
    if called and "://" in called:
        return last(called) if last(called).lower().endswith(ENDINGS) else None
    return called


def _is_still(kind: str, place: str) -> bool:
    """Whether a picture is one by what a tool calls its kind; of a MIME type that is of neither, as Bluesky keeps what
    an app said (`*/*`), by its address.
    """
    first, slash, _ = kind.lower().partition("/")
    if slash and first not in ("image", "video"):
        return not place.endswith((".m3u8", ".mp4"))
    return first in _STILL


def _by_place(shown: Shown, names: tuple[str, ...], number: int) -> Iterator[str]:
    """What downloaders call a picture that is known by its address: by its post, with its number behind.

    Not by a short id: `5.jpg` may as well be the fifth file that somebody numbered.
    """
    if "://" in shown.names[0]:
        ids_alone = [name for name in names if len(name) >= SHORTEST]
        yield from (f"{name}_{number}" for name in ids_alone)
        yield from ids_alone if number == 1 else ()


def _any(row: Mapping[str, Any], values: Mapping[str, list[str]]) -> bool:
    for column, wanted in values.items():
        value = value_at(row, column) if column else "*"
        found = ("*" if value else "") if isinstance(value, list | Mapping) else text_of(value)
        begins = tuple(one[:-1] for one in wanted if one.endswith("*") and one != "*")
        if (
            _is_one_of(found, wanted)
            or ("*" in wanted and found not in NOTHING)
            or (begins and found.startswith(begins))
        ):
            return True
    return False


def _is_one_of(found: str, wanted: list[str]) -> bool:
    """Whether a value is one of those; true is true, and false false, in whichever way they are written."""
    if found in wanted:
        return True
    kind = next((kind for kind in (TRUE, FALSE) if found.lower() in kind), None)
    return kind is not None and any(one.lower() in kind for one in wanted)


def _one_language(value: str | None) -> str | None:
    """The first of several."""
    return re.split(r"[,|]", text_of(spelled(value)))[0].strip() or None


def _written(value: Any, mapped: Mapped) -> str | None:
    words = [one for one in (value if isinstance(value, list) else [value]) if not isinstance(one, Mapping)]
    if not words or value is None:
        return None
    text = "\n".join(map(str, words))
    if said(text) is None or text == OF_R:
        return None
    if mapped.quoted:
        text = unquote_plus(text)
    if mapped.segments:
        text = _joined(text)
    if mapped.newlines:
        text = text.replace("\\n", "\n").replace("\\r", "")
    if mapped.of_reddit:
        text = of_reddit(text)
    return plain(unescaped(text)) if mapped.html else (unescaped(text) or "").strip() or None


def _joined(text: str) -> str:
    """A text that is written as pieces of JSON, one or several, alone or in a list of them; another as it is."""
    with contextlib.suppress(ValueError):
        pieces = json.loads(f"[{text}]")
        inner = [one for piece in pieces for one in (dig(piece, "takeoutSegments") or [piece])]
        if all(isinstance(one, Mapping) for one in inner):
            return "".join(str(one.get("text") or "") for one in inner)
    return text
