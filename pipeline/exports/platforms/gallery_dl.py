"""gallery-dl: what it says of each file it saved, beside the file (--write-metadata), in data.jsonl, or printed by -j.

A record is of one picture; those of a post, which follow each other or not, are one post with its pictures in order.
What the keys hold differs by site and stands in presets/gallery_dl.toml.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.exports import columns
from pipeline.exports.posts import NOT_A_POST, ODD, UNREADABLE, Found, Json, Left, Post, Shown, count, dig, ids, last
from pipeline.exports.resolving import ENDINGS
from pipeline.exports.sources import Tree, document
from pipeline.running.errors import UserError

SIDECAR = r"[^/]+\.json"
OF_PEOPLE = {"info", "avatar", "background"}
"""What records are of that are of an account, not of a post."""


def is_record(record: object) -> bool:
    """What gallery-dl says of a file, or of a post (-j)."""
    held = record[-1] if isinstance(record, list) and record and isinstance(record[0], int) else record
    return isinstance(held, Mapping) and "category" in held and "subcategory" in held


def is_folder(tree: Tree) -> bool:
    """A folder with metadata beside its files."""
    beside = [name for name in tree.matching(SIDECAR) if _file(tree, name)]
    return any(is_record(_read(tree, name)) for name in beside[:20])


def _file(tree: Tree, sidecar: str) -> str | None:
    """The file that a sidecar is of: `a.jpg` of `a.jpg.json`, or of `a.json`."""
    stem = sidecar.removesuffix(".json")
    return next((name for name in (stem, *(stem + ending for ending in ENDINGS)) if name in tree.held), None)


def _read(tree: Tree, name: str) -> Any:
    try:
        with tree.open(name) as stream:
            return document(stream.read(), f"{tree.path}: {name}")
    except UserError as error:
        return error


def folder(tree: Tree) -> Found:
    """The posts of a folder, with the files that the metadata lie beside."""

    def read() -> Iterator[tuple[str, Any, str | None]]:
        for name in tree.matching(SIDECAR):
            file = _file(tree, name)
            yield name, _read(tree, name), tree.picture(file) if file else None

    yield from _posts(read())


def records(rows: Iterable[tuple[int, Any]], path: str) -> Found:
    """The posts of a file of records, as data.jsonl and -j are."""
    yield from _posts((f"row {number} of {path}", record, None) for number, record in rows)


def _posts(read: Iterable[tuple[str, Any, str | None]]) -> Found:
    posts: dict[str, Post] = {}
    pictures: dict[str, list[tuple[int, Shown]]] = {}
    for place, record, file in read:
        url = record[1] if isinstance(record, list) and len(record) > 2 else None
        held = record[-1] if isinstance(record, list) and record else record
        if not is_record(record):
            yield Left(place, UNREADABLE if isinstance(held, Exception) else NOT_A_POST, f"{place}: {_why(held)}")
            continue
        if held["subcategory"] in OF_PEOPLE:
            yield Left(place, NOT_A_POST, f"{place}: {held['subcategory']}")
            continue
        try:
            found = _one(held, place)
        except ODD as error:
            found = Left(place, UNREADABLE, f"{place}: {type(error).__name__} {error}")
        if isinstance(found, Left):
            yield found
            continue
        if found.post_id not in posts:
            posts[found.post_id] = found
        if shown := _shown(held, found.post_id, file, url):
            pictures.setdefault(found.post_id, []).append((count(held.get("num")) or 0, shown))
    for post_id, post in posts.items():
        order = sorted(pictures.get(post_id, ()), key=lambda one: one[0])
        # Metadata of posts alone (`event: post`) list no pictures: those that are called by the post are taken.
        yield post._replace(shown=tuple(shown for _, shown in order) or None)


def _why(held: Any) -> str:
    return str(held) if isinstance(held, Exception) else "not metadata of gallery-dl"


def _one(held: Json, place: str) -> Post | Left:
    preset = columns.fitting(columns.paths(held), "gallery-dl")
    preset = preset or next(one for one in columns.presets() if one.name == "gallery-dl, another site")
    return columns.post(held, preset, place)


def _shown(held: Json, post_id: str, file: str | None, url: object) -> Shown | None:
    """The picture of a record: the file beside it, else what gallery-dl calls it by default."""
    ending = str(held.get("extension") or "").lower()
    if not ending:  # of a post as such
        return None
    num = held.get("num")
    stem = str(held.get("filename") or "")
    own = (f"{post_id}_{num}" if num else None, held.get("media_id"), dig(held, "media", "id"))
    alt = (
        held.get("description") if held.get("category") in ("twitter", "bluesky") else dig(held, "media", "description")
    )
    address = re.sub(r"^ytdl:", "", str(url)) if url else None
    names = ids(file, *own, f"{stem}.{ending}" if stem else None, last(address), address)
    return Shown(names, f".{ending}" not in ENDINGS, str(alt) if alt else None)
