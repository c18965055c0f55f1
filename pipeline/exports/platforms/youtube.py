"""YouTube: what yt-dlp writes of a video, with the comments that `--write-comments` adds, and of a playlist (`-J`); and
threads of comments as the API answers them. Of a person's download (Takeout) the tables are presets, whose columns it
names in the language of the account.
"""

import re
from collections.abc import Sequence

from pipeline.exports import columns
from pipeline.exports.posts import Found, Json, Post, dig, each, known, micros

_COMMENTS = ("Comment ID", "Channel ID", "Comment Create Timestamp", "Price", "Parent Comment ID", "Post ID",
             "Video ID", "Comment Text", "Top-Level Comment ID")  # fmt: skip
LAYOUTS = {9: _COMMENTS, 7: tuple(name for name in _COMMENTS if name not in ("Post ID", "Top-Level Comment ID"))}
"""Columns of comments in a person's download, and those of before 2024."""
_UNTITLED = {"twitter", "instagram", "bluesky", "facebook", "tiktok", "threads"}
"""Sites whose posts have no title: what yt-dlp calls so it made of the text and the name, `Video by ann`."""
_VALUES = (r"Ug[\w-]{24}(\.[\w-]+)?", r"UC[\w-]{22}", r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
"""What the first three hold."""


def in_english(names: list[str], row: Sequence[str]) -> list[str]:
    """The columns of comments in a person's download by their English names, if the first `row` holds such; else as
    they are.
    """
    told = len(row) in LAYOUTS and all(map(re.fullmatch, _VALUES, row))
    return list(LAYOUTS[len(row)]) if told else names


def is_info(record: Json) -> bool:
    """An `.info.json` of a video, with comments or without."""
    return {"id", "title", "extractor", "webpage_url"} <= record.keys() and record.get("_type", "video") == "video"


def info(record: Json) -> Found:
    """The video, and each comment as a post of its author."""
    site = str(record.get("extractor")).partition(":")[0].lower()
    held = {**record, "title": None} if site in _UNTITLED and "description" in record else record
    yield columns.post(held, _preset("yt-dlp"), str(record.get("id")))
    yield from each(record.get("comments") or (), lambda one: _comment(one, str(record.get("id"))))


def is_playlist(record: Json) -> bool:
    """A playlist with what is known of its videos."""
    return record.get("_type") == "playlist" and isinstance(record.get("entries"), list)


def playlist(record: Json) -> Found:
    """The videos of a playlist; of those that are gone, or were not asked for, yt-dlp writes none, or an address."""
    yield from each(filter(None, record["entries"]), info)


def is_threads(record: Json) -> bool:
    """An answer of the API with comments and the replies below each, or one such comment."""
    return record.get("kind") in ("youtube#commentThreadListResponse", "youtube#commentThread")


def threads(record: Json) -> Found:
    """Each comment, and each reply that came with it: the API gives the first five."""
    yield from each(record.get("items") or [record], _thread)


def _thread(thread: Json) -> Found:
    yield columns.post(thread, _preset("YouTube's API"), str(thread.get("id")))
    for reply in dig(thread, "replies", "comments") or ():
        held = {"id": reply["id"], "snippet": {"topLevelComment": reply}}
        post = columns.post(held, _preset("YouTube's API"), str(reply["id"]))
        yield post._replace(answers=str(thread["id"])) if isinstance(post, Post) else post


def _preset(name: str) -> columns.Mapped:
    return next(one for one in columns.presets() if one.name == name)


def _comment(one: Json, video: str) -> Found:
    parent = str(one.get("parent") or "root")
    yield Post(
        str(one["id"]), known(one.get("author_id")), one.get("author"), one.get("text"), micros(one.get("timestamp")),
        url=one.get("url"), likes=one.get("like_count"), answers=video if parent == "root" else parent,
    )  # fmt: skip
