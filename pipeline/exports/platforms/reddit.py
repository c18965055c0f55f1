"""Reddit: submissions and comments of Arctic Shift and Pushshift (NDJSON, mostly .zst), RedCaps' annotations, and what
a person gets of their account.

A comment is a post of its author. Pictures are found by files called by the submission's id (a gallery's with a number
behind it), by the media id, or by the last step of the address.
"""

import re
from collections.abc import Iterable

from pipeline.exports.posts import (
    NOT_A_POST,
    UNREADABLE,
    Found,
    Json,
    Left,
    Post,
    Shown,
    count,
    dig,
    each,
    ids,
    known,
    last,
    micros,
    of_reddit,
    said,
    unescaped,
)
from pipeline.exports.separated import table
from pipeline.exports.sources import Tree

HOSTS = ("i.redd.it", "i.imgur.com", "i.reddituploads.com", "flickr.com")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")


def is_thing(record: Json) -> bool:
    """A submission or comment."""
    return (
        "subreddit" in record
        and "created_utc" in record
        and "author" in record
        and ("title" in record or "body" in record)
    )


def thing(record: Json) -> Found:
    """A submission (title and text) or comment; an author who is gone is told by the name alone."""
    post_id = ("t3_" if "title" in record else "t1_") + str(record["id"]).removeprefix("t3_").removeprefix("t1_")
    parts = [record.get("title"), record.get("selftext")] if "title" in record else [record.get("body")]
    text = _written(map(unescaped, parts))
    author = known(record.get("author"))
    link = record.get("permalink")
    yield Post(
        post_id, known(record.get("author_fullname")) if author else None, author, text, micros(record["created_utc"]),
        _shown(record), (str(record["id"]),), None, f"https://www.reddit.com{link}" if link else None,
        count(record.get("score")), count(record.get("num_comments")), None, bool(record.get("crosspost_parent")),
        micros(record.get("retrieved_on") or dig(record, "_meta", "retrieved_2nd_on")) or 0, _parent(record),
    )  # fmt: skip


def _written(parts: Iterable[str | None]) -> str | None:
    """A title and a text as one, in which people are mentioned as elsewhere."""
    return of_reddit("\n".join(part for part in map(said, parts) if part)) or None


def is_archived(record: Json) -> bool:
    """A submission with its comments, as bdfr archives it, or a comment with its replies."""
    submission = {"selftext", "permalink", "upvote_ratio"} <= set(record) and isinstance(record.get("comments"), list)
    return submission or ("submission" in record and isinstance(record.get("replies"), list))


def archived(record: Json) -> Found:
    """The submission, and below it each comment with its replies; who is gone is called DELETED."""
    held = record if record.get("author") != "DELETED" else {**record, "author": None}
    yield from thing(held)
    yield from each(record.get("comments") or record.get("replies") or (), archived)


def is_listing(record: Json) -> bool:
    """What reddit's own .json answers, or one thing of it; Pushshift's API had `data` alone."""
    data = record.get("data")
    if isinstance(data, list):
        return bool(data) and isinstance(data[0], dict) and is_thing(data[0])
    return record.get("kind") in ("Listing", "t1", "t3") and isinstance(data, dict)


def listing(record: Json) -> Found:
    """The things of a listing, and below each comment its replies."""
    data = record["data"]
    if isinstance(data, list):
        yield from each(data, thing)
    elif record["kind"] == "Listing":
        yield from each(data.get("children") or (), listing)
    elif record["kind"] == "more":
        yield Left(str(data.get("id", "?")), NOT_A_POST, "more comments, which were not loaded")
    else:
        yield from thing(data)
        if isinstance(data.get("replies"), dict):
            yield from listing(data["replies"])


def _parent(record: Json) -> str | None:
    """What a comment answers; a number, as some old months have it, is no name of one."""
    parent = str(record.get("parent_id") or "")
    return parent if parent.startswith(("t1_", "t3_")) else None


def _shown(record: Json) -> tuple[Shown, ...] | None:
    """The pictures of a submission; None where they are not told, as of bdfr's galleries."""
    name = str(record["id"])
    # Of a text these are the pictures in it; of GIFs and emotes, which are others', the id has a `|`.
    media = {one: held for one, held in (record.get("media_metadata") or {}).items() if "|" not in one}
    if media or record.get("is_gallery") or record.get("gallery_data"):
        order = [item["media_id"] for item in dig(record, "gallery_data", "items") or ()] or list(media)
        return tuple(
            Shown(ids(one, f"{name}_{k}", last(dig(media, one, "s", "u"))),
                  dig(media, one, "e") == "RedditVideo")
            for k, one in enumerate(order, start=1)
        )  # fmt: skip
    url = unescaped(record.get("url_overridden_by_dest") or record.get("url")) or ""
    if "reddit.com/gallery/" in url:
        return None
    video = bool(record.get("is_video"))
    is_picture = record.get("post_hint") == "image" or any(f"//{h}/" in url for h in HOSTS[:3])
    if video or is_picture or last(url).lower().endswith(PICTURES):
        return (Shown(ids(name, f"t3_{name}", last(url), url), video),)
    return ()


def is_download(tree: Tree) -> bool:
    """What reddit sends a person of their account."""
    return bool(tree.matching(r"(posts|comments)\.csv")) and bool(tree.matching(r"(statistics|account_gender)\.csv"))


def download(tree: Tree) -> Found:
    """Posts and comments, by the account that statistics.csv names, else by the zip's name."""
    owner = re.sub(r"^export_|_\d{8}.*$", "", tree.path.stem)
    for name in tree.matching(r"statistics\.csv"):
        rows = (row for _, row in table(tree.open(name)) if isinstance(row, dict))
        owner = next((row["value"] for row in rows if row.get("statistic") == "account name"), owner)
    for name in tree.matching(r"(posts|comments)\.csv"):
        for number, row in table(tree.open(name)):
            if isinstance(row, Exception):
                yield Left(f"row {number} of {name}", UNREADABLE, str(row))
            else:
                yield from each([row], lambda one: _own(one, owner))


def _own(row: Json, owner: str) -> Found:
    kind = "t3_" if "title" in row else "t1_"
    parts = [row.get("title"), row.get("body")]
    text = _written(parts)
    parent = row.get("parent") or (row.get("link") or "").rstrip("/").rpartition("/comments/")[2].partition("/")[0]
    answers = None if kind == "t3_" or not parent else f"{'t1_' if row.get('parent') else 't3_'}{parent}"
    shown = _shown(row) if kind == "t3_" else ()
    yield Post(kind + row["id"], None, owner, text, micros(row.get("date")), shown, (), None, row.get("permalink"),
               answers=answers)  # fmt: skip


def is_captions(record: Json) -> bool:
    """A file of RedCaps."""
    return isinstance(record.get("annotations"), list) and "info" in record


def captions(record: Json) -> Found:
    """The pairs of a file of RedCaps; the caption as it was written."""

    def read(one: Json) -> Found:
        if not one.get("image_id"):
            yield Left("?", NOT_A_POST, "no image_id")
            return
        name = str(one["image_id"])
        file = f"{one.get('subreddit', '').lower()}/{name}.jpg"
        yield Post(
            f"t3_{name}", None, known(one.get("author")), one.get("raw_caption") or one.get("caption"),
            micros(one.get("created_utc")), (Shown(ids(file, name, last(one.get("url")))),), (), None,
            f"https://www.reddit.com{one.get('permalink', '')}", count(one.get("score")), None,
        )  # fmt: skip

    yield from each(record["annotations"], read)
