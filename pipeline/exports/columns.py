"""Tables of any tool: what their columns hold, by a preset of presets.toml or by `corpus.columns`.

A table is recognised by its columns, never by its file's name, as names and versions differ. The presets are data: a
tool that is not among them needs no code.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict

from pipeline.exports.posts import (
    ROUNDED,
    UNREADABLE,
    Found,
    Left,
    Post,
    Shown,
    count,
    dig,
    ids,
    known,
    last,
    micros,
    plain,
    rounded,
    unescaped,
)

PRESETS = Path(__file__).with_name("presets.toml")
Names = str | list[str]


class Mapped(BaseModel):
    """What the columns of a table hold; presets.toml says what each key means."""

    model_config = ConfigDict(extra="forbid")

    name: str = "corpus.columns"
    needs: list[str] = []
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
    names: Names = []
    repost: dict[str, list[str]] = {}
    leave_out: dict[str, dict[str, str]] = {}
    video: dict[str, list[str]] = {}
    id_from_url: bool = False
    html: bool = False
    quoted: bool = False
    newlines: bool = False
    header: list[str] | None = None
    quotes: bool = True

    @property
    def asked(self) -> set[str]:
        """The columns, or what their names begin with, that hold anything of this."""
        own = ("post_id", "user_id", "handle", "text", "created_at", "language", "url", "likes", "replies", "reply_to",
               "answers", "alt", "images", "names")  # fmt: skip
        every = [getattr(self, name) for name in own]
        return {name for names in every for name in listed(names)} | {*self.repost, *self.leave_out, *self.video}


def listed(names: Names) -> list[str]:
    """One name or several, as several."""
    return [names] if isinstance(names, str) else names


def presets() -> list[Mapped]:
    """All presets, in order."""
    with PRESETS.open("rb") as stream:
        return [Mapped(**one) for one in tomllib.load(stream)["preset"]]


def fitting(columns: Sequence[str]) -> Mapped | None:
    """The preset of a table with these columns; None where there is none."""
    return next((one for one in presets() if set(one.needs) <= set(columns)), None)


def posts(rows: Iterator[tuple[int, Any]], mapped: Mapped, path: str) -> Found:
    """The rows of a table, (number, dict by column, or the error) each, as posts."""
    for number, row in rows:
        place = f"row {number} of {path}"
        if not isinstance(row, Mapping):
            yield Left(place, UNREADABLE, f"{place}: {row if isinstance(row, Exception) else 'not an object'}")
            continue
        try:
            yield _post(row, mapped, place)
        except ValueError as error:
            yield Left(_first(row, mapped.post_id) or place, UNREADABLE, f"{place}: {error}")


def _post(row: Mapping[str, Any], mapped: Mapped, place: str) -> Post | Left:
    post_id = _first(row, mapped.post_id) or ""
    if rounded(post_id):
        return Left(post_id, ROUNDED, f"{place}; export again with ids as text")
    user_id = _first(row, mapped.user_id)
    if user_id and rounded(user_id):
        return Left(post_id or place, ROUNDED, f"{place}: the user's id {user_id}")
    for column, reasons in mapped.leave_out.items():
        if (value := _text(_value(row, column))) in reasons:
            return Left(post_id or place, reasons[value], place)
    parts = [_written(_value(row, name), mapped) for name in listed(mapped.text)]
    video = _any(row, mapped.video)
    pictures = [one for name in listed(mapped.images) for one in _pictures(_value(row, name), mapped)]
    shown = tuple(one._replace(video=one.video or video) for one in pictures)
    alt = _first(row, mapped.alt)
    if alt and shown:
        shown = (shown[0]._replace(alt=alt), *shown[1:])
    own = last(post_id) if mapped.id_from_url else post_id
    return Post(
        own, known(user_id), known(_first(row, mapped.handle)), "\n".join(p for p in parts if p) or None,
        micros(_first(row, mapped.created_at)), shown or (None if not mapped.images or mapped.names else ()),
        ids(own, *(_first(row, name) for name in listed(mapped.names))), _language(_first(row, mapped.language)),
        _first(row, mapped.url), count(_first(row, mapped.likes)), count(_first(row, mapped.replies)),
        known(_first(row, mapped.reply_to)), _any(row, mapped.repost), answers=_first(row, mapped.answers),
    )  # fmt: skip


def _value(row: Mapping[str, Any], name: str) -> Any:
    return row[name] if name in row else dig(row, *name.split(".")) if "." in name else None


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _first(row: Mapping[str, Any], names: Names) -> str | None:
    return next((found for name in listed(names) if (found := _text(_value(row, name)))), None)


def _any(row: Mapping[str, Any], values: Mapping[str, list[str]]) -> bool:
    for column, wanted in values.items():
        found = _text(_value(row, column)) if column else "*"
        if found in wanted or ("*" in wanted and found):
            return True
    return False


def _language(value: str | None) -> str | None:
    found = (value or "").split(",")[0].strip()
    return None if found in ("", "und", "zxx", "un") else found


def _written(value: Any, mapped: Mapped) -> str | None:
    if value is None:
        return None
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    if mapped.quoted:
        text = unquote_plus(text)
    if mapped.newlines:
        text = text.replace("\\n", "\n").replace("\\r", "")
    return plain(unescaped(text)) if mapped.html else (unescaped(text) or "").strip() or None


def _pictures(value: Any, mapped: Mapped) -> Iterator[Shown]:
    """The pictures of a cell: addresses, names, media objects of X as JSON, or a picture that the reader set aside."""
    if value is None or value == "":
        return
    if isinstance(value, str) and value[:1] == "[":
        try:
            value = json.loads(value)
        except ValueError:
            value = re.findall(r"'([^']+)'", value)
    if isinstance(value, str):
        value = value.split(mapped.separated) if mapped.separated else [value]
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            url = one.get("url") or one.get("preview_image_url") or one.get("path") or one.get("src")
            kind = one.get("type", "photo")
            names = ids(one.get("aside"), url, last(url), one.get("media_key"))
            if names:
                yield Shown(names, kind not in ("photo", "image"), one.get("alt_text"))
        elif text := _text(one):
            yield Shown(ids(text, last(text)))
