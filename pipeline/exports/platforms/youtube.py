"""YouTube: what yt-dlp writes of a video, with the comments that `--write-comments` adds, and of a playlist (`-J`)."""

from pipeline.exports import columns
from pipeline.exports.posts import Found, Json, Post, each, known, micros


def is_info(record: Json) -> bool:
    """An `.info.json` with comments; without, it is a table's row."""
    return "extractor" in record and isinstance(record.get("comments"), list)


def info(record: Json) -> Found:
    """The video, and each comment as a post of its author."""
    video = next(one for one in columns.presets() if one.name == "yt-dlp")
    yield columns.post(record, video, str(record.get("id")))
    yield from each(record.get("comments") or (), lambda one: _comment(one, str(record.get("id"))))


def is_playlist(record: Json) -> bool:
    """A playlist with what is known of its videos."""
    return record.get("_type") == "playlist" and isinstance(record.get("entries"), list)


def playlist(record: Json) -> Found:
    """The videos of a playlist; of those that are gone, or were not asked for, yt-dlp writes none, or an address."""
    yield from each(filter(None, record["entries"]), info)


def _comment(one: Json, video: str) -> Found:
    parent = str(one.get("parent") or "root")
    yield Post(
        str(one["id"]), known(one.get("author_id")), one.get("author"), one.get("text"), micros(one.get("timestamp")),
        url=one.get("url"), likes=one.get("like_count"), answers=video if parent == "root" else parent,
    )  # fmt: skip
