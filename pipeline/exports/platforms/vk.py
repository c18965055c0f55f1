"""VK: what its API answers of walls, `wall.get` and its kin, as vk_api and others keep it; and comments on posts.

A wall's own posts are by its owner, a community's by the community, which VK counts below zero.
"""

import re
from typing import Any

from pipeline.exports.posts import (
    NOT_A_POST,
    PRIVATE,
    Found,
    Json,
    Left,
    Post,
    Shown,
    dig,
    each,
    ids,
    known,
    last,
    micros,
)

_OLD = re.compile(r"photo_\d+")
"""How a size was called before version 5.77 of the API, by its width."""


def is_item(record: Json) -> bool:
    """A post of a wall, or a comment on one."""
    return {"id", "from_id", "date", "text"} <= set(record) and "owner_id" in record


def item(record: Json, names: dict[int, str] | None = None) -> Found:
    """One post or comment, and the answers below a comment."""
    owner, author = record["owner_id"], record["from_id"]
    name = f"{owner}_{record['id']}"
    if record.get("deleted") or record.get("marked_as_ads"):
        yield Left(name, NOT_A_POST, "deleted" if record.get("deleted") else "promoted")
    elif record.get("friends_only"):
        yield Left(name, PRIVATE, "for friends alone")
    else:
        post = record.get("post_id")
        parent = record.get("reply_to_comment") or post
        yield Post(
            name, known(author or None), (names or {}).get(author), record["text"] or None, micros(record["date"]),
            tuple(shown for one in record.get("attachments") or () for shown in _shown(one)), (name,), None,
            None if post else f"https://vk.com/wall{name}", dig(record, "likes", "count"),
            dig(record, "comments", "count"), _text(record.get("reply_to_user")), bool(record.get("copy_history")),
            answers=f"{owner}_{parent}" if parent else None,
        )  # fmt: skip
    yield from each(dig(record, "thread", "items") or (), lambda one: item(one, names))


def is_answer(record: Json) -> bool:
    """An answer of the API, or the list that libraries make of several."""
    first = dig(_inner(record), "items", 0)
    return isinstance(first, dict) and is_item(first)


def answer(record: Json) -> Found:
    """The posts of a wall; names are in it where they were asked for (`extended`)."""
    held = _inner(record)
    people = {one["id"]: one.get("screen_name") for one in held.get("profiles") or ()}
    groups = {-one["id"]: one.get("screen_name") for one in held.get("groups") or ()}
    names = {number: name for number, name in (people | groups).items() if name}
    yield from each(held["items"], lambda one: item(one, names))


def _inner(record: Json) -> Json:
    inner = record.get("response")
    return inner if isinstance(inner, dict) else record


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _shown(attached: Json) -> list[Shown]:
    """The largest size of a photo, of a video its cover."""
    kind = str(attached.get("type"))
    held = attached.get(kind) or {}
    sizes = held.get("sizes") if kind == "photo" else held.get("image") if kind == "video" else None
    before = [{"url": url, "width": int(key[6:]), "height": 1} for key, url in held.items() if _OLD.fullmatch(key)]
    sizes = [*(sizes or before), *([held["orig_photo"]] if held.get("orig_photo") else ())]
    if not sizes:
        return []
    url = max(sizes, key=lambda one: (one.get("width") or 0) * (one.get("height") or 0)).get("url")
    name = f"{held.get('owner_id')}_{held.get('id')}"
    return [Shown(ids(url, last(url), name, f"{kind}{name}"), kind == "video", held.get("text"))]
