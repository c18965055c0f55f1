"""TikTok: user_data_tiktok.json (before 2024 user_data.json), the download that a person gets of their account.

Of what it holds the videos and photos that everybody may see, by their titles, and the comments are posts. It says
neither the id of a video, nor, by more than an address that few comments have, what a comment stands below.
"""

from collections.abc import Iterator
from typing import Any

from pipeline.exports.posts import (
    NOT_A_POST,
    PRIVATE,
    Edge,
    Found,
    Json,
    Left,
    Post,
    Shown,
    count,
    dig,
    each,
    known,
    micros,
)

_VIDEOS = (("Post", "Posts", "VideoList"), ("Video", "Videos", "VideoList"))
_COMMENTS = (("Comment", "Comments", "CommentsList"), ("Comment", "CommentsList"))
_FOLLOWED = (
    ("Profile And Settings", "Following", "Following"),
    ("Your Activity", "Following", "Following"),
    ("Activity", "Following List", "Following"),
)
_OWNERS = (
    ("Profile And Settings", "Profile Info", "ProfileMap"),
    ("Profile", "Profile Info", "ProfileMap"),
    ("Profile", "Profile Information", "ProfileMap"),
)
_EVERYBODY = {"", "everyone", "public", "n/a"}


def is_download(record: Json) -> bool:
    """A person's download; its parts changed their names more than once."""
    return any(part in record for part in ("Your Activity", "Activity")) and any(
        isinstance(dig(record, *path[:-1]), dict) for path in (*_VIDEOS, *_COMMENTS, *_OWNERS)
    )


def download(record: Json) -> Found:
    """Posts and comments of its owner, and whom they follow; messages and what was watched or sought are not read."""
    owner = known(next(filter(None, (dig(record, *path, "userName") for path in _OWNERS)), None))

    def video(item: Json) -> Found:
        when, title = _said(item, "Date"), _said(item, "Title")
        name, seen = f"{owner}/{when}", (_said(item, "WhoCanView") or "").lower()
        if seen not in _EVERYBODY:
            yield Left(name, PRIVATE, f"for {seen}")
            return
        cover = _said(item, "CoverImage")
        # A photo's cover is the photo.
        shown = (Shown((cover,), "-photomode-" not in cover, _said(item, "AlternateText")),) if cover else ()
        yield Post(name, None, owner, title, micros(when), shown, likes=count(item.get("Likes")))

    def comment(item: Json) -> Found:
        when, text = _said(item, "Date"), _said(item, "Comment")
        if text:
            yield Post(f"{owner}/{when}/comment", None, owner, text, micros(when), url=_said(item, "Url"))
        else:
            yield Left(f"{owner}/{when}/comment", NOT_A_POST, "a comment without words")

    yield from each(_items(record, _VIDEOS), video)
    yield from each(_items(record, _COMMENTS), comment)
    for item in _items(record, _FOLLOWED):
        if owner and (followed := known(_said(item, "UserName"))):
            yield Edge(owner, followed, "follow")


def _items(record: Json, paths: tuple[tuple[str, ...], ...]) -> Iterator[Any]:
    for path in paths:
        found = dig(record, *path)
        if isinstance(found, list):
            yield from found


def _said(item: Json, key: str) -> str | None:
    """A value, whose key begins with a capital letter or a small one; None where there is none, which may be `N/A`."""
    value = item.get(key) or item.get(key.lower())
    text = str(value).strip() if value is not None else ""
    return text if text and text != "N/A" else None
