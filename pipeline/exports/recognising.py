"""What an export is, by its content: the tool it is of, and the reader of its rows.

Folders and zips are looked at as a whole first (archives of persons, instaloader, Telegram), then file by file. A file
is Parquet, Arrow, CAR, JSON or a table of text by its first bytes, whatever its name and compression; of
JSON each record is asked what it is, so that files may be mixed.
"""

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from pipeline.common.packed import DAMAGED
from pipeline.common.separated import LOOKED_AT
from pipeline.exports import columns
from pipeline.exports.aside import Aside, arrow_rows
from pipeline.exports.platforms import (
    bluesky,
    discord,
    facebook,
    facepager,
    flickr,
    gallery_dl,
    instagram,
    linkedin,
    mastodon,
    reddit,
    telegram,
    tiktok,
    twitter,
    vk,
    whatsapp,
    youtube,
    zeeschuimer,
)
from pipeline.exports.posts import NOT_A_POST, ODD, UNREADABLE, Found, Json, Left
from pipeline.exports.resolving import ENDINGS
from pipeline.exports.separated import HEAD, headless, layout, table
from pipeline.exports.sources import Packed, Tree, records, unpacked
from pipeline.running.errors import GIT_LFS, OF_GIT_LFS, OF_WORKBOOK, WORKBOOKS, UserError

log = logging.getLogger("convert_corpus")


class Export(NamedTuple):
    """A file, folder or zip: what it was recognised as, and what it holds."""

    path: str
    kind: str
    found: Found


class _Kind(NamedTuple):
    name: str
    fits: Callable[[Json], bool]
    read: Callable[[Json], Found]


JSON = (
    _Kind("twarc, pages of API v2", twitter.is_page, twitter.page),
    _Kind("Bluesky, events of Jetstream", bluesky.is_event, bluesky.event),
    _Kind("Zeeschuimer or 4CAT, items", zeeschuimer.is_item, zeeschuimer.item),
    _Kind("Bluesky, answers of the AppView", bluesky.is_view, bluesky.view),
    _Kind("Bluesky, records of a repository", bluesky.is_listing, bluesky.listing),
    _Kind("tweets of API v1.1", twitter.is_old, twitter.old),
    _Kind("tweets of API v1.1", twitter.is_notice, twitter.notice),
    _Kind("twarc, flat tweets of API v2", twitter.is_flat, twitter.flat),
    _Kind("Reddit, submissions or comments", reddit.is_thing, reddit.thing),
    _Kind("Reddit, bdfr's archives", reddit.is_archived, reddit.archived),
    _Kind("Reddit, listings", reddit.is_listing, reddit.listing),
    _Kind("RedCaps, annotations", reddit.is_captions, reddit.captions),
    _Kind("Mastodon, statuses", mastodon.is_status, mastodon.status),
    _Kind("mastodon-archive", mastodon.is_collection, mastodon.collection),
    _Kind("Mastodon, an outbox", mastodon.is_outbox, mastodon.outbox),
    _Kind("Telegram, one chat", telegram.is_chat, telegram.chat),
    _Kind("Telegram, messages of Telethon", telegram.is_message, telegram.message),
    _Kind("Telegram, snscrape", telegram.is_scraped, telegram.scraped),
    _Kind("VK, answers of the API", vk.is_answer, vk.answer),
    _Kind("VK, posts or comments", vk.is_item, vk.item),
    _Kind("yt-dlp, with comments", youtube.is_info, youtube.info),
    _Kind("Discord, a channel", discord.is_channel, discord.channel),
    _Kind("Bluesky, events of Tap", bluesky.is_tap, bluesky.tap),
    _Kind("Instagram, instagram-scraper", instagram.is_scraped, instagram.scraped),
    _Kind("TikTok, a person's download", tiktok.is_download, tiktok.download),
)
TREES: tuple[tuple[str, Callable[[Tree], bool], Callable[[Tree], Found]], ...] = (
    ("X, a person's archive", twitter.is_archive, twitter.archive),
    ("Mastodon, a person's archive", mastodon.is_archive, mastodon.archive),
    ("Telegram, an export", telegram.is_export, telegram.export),
    ("Instagram, a person's download", instagram.is_download, instagram.download),
    ("Facebook, a person's download", facebook.is_download, facebook.download),
    ("LinkedIn, a person's download", linkedin.is_download, linkedin.download),
    ("Flickr, a person's download", flickr.is_download, flickr.download),
    ("Reddit, a person's download", reddit.is_download, reddit.download),
    ("instaloader, a folder", instagram.is_loaded, instagram.loaded),
    ("gallery-dl, a folder", gallery_dl.is_folder, gallery_dl.folder),
)
_TIKTOK = columns.fitting(["id", "username", "video_description", "create_time"])
_BESIDE = (".txt", ".log", ".md", ".html", ".pdf", ".mp4", ".mov", ".tar", "_stats.json", "_metadata.json", ".ini")
"""Endings of what lies beside an export and is none."""
DAMAGED_FILE = "a damaged file"
LACKING = {
    ("Date", "ShareLink", "ShareCommentary"): "LinkedIn's Shares.csv does not say whose it is; name the zip, or the "
    "folder with Profile.csv",
    ("id", "permalink", "gildings", "body"): "reddit's posts.csv and comments.csv do not say whose they are; name the "
    "zip, or the folder with statistics.csv",
    ("timestamp", "data"): "if this is of Facebook's download, name the zip, or the folder that it is in",
    ("media",): "if this is of Instagram's download, name the zip, or the folder with personal_information.json",
    ("AuthorID", "Author", "Date", "Content"): "DiscordChatExporter's CSV has no ids of messages; export as JSON",
    ("From User", "Conversation Stream", "snTypeColumn"): "Sprinklr exports what was chosen; choose a column of ids or "
    "links, and say by corpus.columns what holds what",
}
"""What is to be done about files that are known to lack something, by some of their columns or keys."""


def exports(
    paths: list[Path], mapped: columns.Mapped | None, aside: Aside, packed: Mapping[Path, Tree]
) -> Iterator[Export]:
    """The exports at `paths`, of which some are `packed` tars. Raises UserError where nothing is recognised."""
    some = False
    for path in paths:
        if not path.exists():
            raise UserError(f"params.yaml: corpus.posts names {path}, which does not exist.")
        told: list[str] = []
        found = 0
        for export in _at(path, mapped, aside, told, packed):
            found += 1
            yield export
        some = some or bool(found)
        if found and told:
            log.warning("%d files beside are no export that is known here, and are left out", len(told))
        # A part of an archive may hold pictures alone.
        if not found and (told or (path == paths[-1] and not some)):
            raise UserError(
                f"{path} is no export that is known here"
                + (f" ({'; '.join(told[:3])})" if told else "")
                + _of_pages(path, packed)
                + ": docs/exports/README.md lists those that are. "
                "For another table set corpus.columns, as docs/exports/columns.md says."
            )


def _of_pages(path: Path, packed: Mapping[Path, Tree]) -> str:
    """What to do about downloads that were made to be looked at, as Instagram's and Telegram's are by default."""
    names = (
        packed[path].names if path in packed else Tree(path).names if path.is_dir() or _is_zip(path) else [path.name]
    )
    page = next((name for name in names if name.lower().endswith((".html", ".htm"))), None)
    if page is None:
        return ""
    return (
        f". It holds web pages, such as {page}, which are not read: ask for the download again as JSON, which most "
        "platforms offer, or collect the posts with gallery-dl"
    )


def _at(
    path: Path, mapped: columns.Mapped | None, aside: Aside, told: list[str], packed: Mapping[Path, Tree]
) -> Iterator[Export]:
    if path.suffix.lower() in WORKBOOKS:
        raise UserError(f"{path} is a spreadsheet's own file: {OF_WORKBOOK}.")
    if path in packed or path.is_dir() or _is_zip(path):
        tree = packed.get(path) or Tree(path)
        for name, fits, read in TREES:
            if fits(tree):
                yield Export(str(path), name, read(tree))
                return
        for inner in tree.names:
            if path.is_dir() and (inner.lower().endswith(".zip") or path / inner in packed):
                yield from _at(path / inner, mapped, aside, told, packed)
            else:
                yield from _of_tree(tree, inner, path, mapped, aside, told)
    else:
        yield from _file(path.open("rb"), str(path), mapped, aside, told)


def _of_tree(
    tree: Tree, inner: str, path: Path, mapped: columns.Mapped | None, aside: Aside, told: list[str]
) -> Iterator[Export]:
    """What one file holds of a folder or zip that as a whole is none that is known."""
    name = inner.lower()
    if any(part.startswith(".") for part in PurePosixPath(inner).parts):
        return
    if name.endswith(".txt"):
        held = _chat(tree, inner, path)
        if held or _begins_as_table(tree, inner, mapped):
            yield from [held] if held else _file(tree.open(inner), f"{path}/{inner}", mapped, aside, told)
    elif name.endswith(WORKBOOKS):
        told.append(f"{path}/{inner} is a spreadsheet's own file: {OF_WORKBOOK}")
    elif name.endswith(".zip"):
        told.append(f"{path}/{inner} is a zip within a zip: unpack {path.name}, and name the folder")
    elif not name.endswith((*ENDINGS, *_BESIDE)):
        try:
            yield from _file(tree.open(inner), f"{path}/{inner}", mapped, aside, told)
        except UserError as error:  # one file of many: the others are read
            yield Export(f"{path}/{inner}", DAMAGED_FILE, iter([Left(inner, UNREADABLE, str(error))]))


def _begins_as_table(tree: Tree, inner: str, mapped: columns.Mapped | None) -> bool:
    """Whether a text file, of which most are notes, holds lines of JSON or a table that is known."""
    with unpacked(tree.open(inner)) as stream:
        head = stream.peek(HEAD)[:HEAD]
    found = layout(head, lambda names: _fits(names, mapped))
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:2] in (b'{"', b"[{") or _fits(found.header, mapped)


def _chat(tree: Tree, inner: str, path: Path) -> Export | None:
    """A chat of WhatsApp and the media beside it; None where a text file is something else."""
    with unpacked(tree.open(inner)) as stream:
        if not whatsapp.is_chat(stream.peek(whatsapp.BEGINNING)):
            return None
        data = stream.read()
    return Export(str(path), *whatsapp.chat(data, f"{path}/{inner}", tree, inner[: inner.rfind("/") + 1]))


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _file(
    stream: IO[bytes], path: str, mapped: columns.Mapped | None, aside: Aside, told: list[str]
) -> Iterator[Export]:
    try:
        raw = Packed(unpacked(stream))
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno:  # of the disk, not of what lies on it
            raise
        yield Export(path, DAMAGED_FILE, iter([Left(path, UNREADABLE, f"{path}: damaged, {error}")]))
        return
    for export in _of_stream(io.BufferedReader(raw, 1 << 20), path, mapped, aside, told):
        yield export._replace(found=_and_the_cut(export, raw))
    if raw.cut:
        told.append(f"{path}: cut off or damaged, {raw.cut}")


def _and_the_cut(export: Export, raw: Packed) -> Found:
    yield from export.found
    if raw.cut:
        yield Left(export.path, UNREADABLE, f"{export.path}: cut off or damaged from here on: {raw.cut}")


def _of_stream(plain: Any, path: str, mapped: columns.Mapped | None, aside: Aside, told: list[str]) -> Iterator[Export]:
    head = plain.peek(1 << 16)
    if head[257:262] == b"ustar":
        told.append(f"{path} is a tar: let its name end in .tar.gz, or unpack it and name the folder")
        return
    if not head or head.startswith(GIT_LFS):
        told.append(f"{path} is {OF_GIT_LFS if head else 'empty'}")
        return
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if whatsapp.is_chat(head):
        yield Export(path, *whatsapp.chat(plain.read(), path))
        return
    if head[:4] == b"PAR1" or head[:6] == b"ARROW1" or head[:4] == b"\xff\xff\xff\xff":
        names, rows = arrow_rows(plain, path, aside, lambda held: mapped or columns.fitting(held))
        yield from _table(names, rows, path, mapped, told)
    elif bluesky.is_car(head):
        yield Export(path, "Bluesky, a repository (CAR)", bluesky.car(plain.read(), path))
    elif head.startswith(facepager.MAGIC) and (nodes := facepager.database(plain, path)):
        yield Export(path, "Facepager, a database", nodes)
    elif begin in (b"{", b"["):
        yield from _json(plain, path, mapped, told)
    else:
        yield from _of_text(plain, head, path, mapped, told)


def _of_text(plain: Any, head: bytes, path: str, mapped: columns.Mapped | None, told: list[str]) -> Iterator[Export]:
    top = head.decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r").lstrip("\ufeff")
    flickr = next(p for p in columns.presets() if p.header)
    if not mapped and top.count("\t") == len(flickr.header or ()) - 1 and top.split("\t")[1].isdigit():
        mapped = flickr
    if mapped and mapped.header:
        how = headless(head, mapped.header, mapped.quotes)
    else:
        how = layout(head, lambda names: _fits(names, mapped))
    if not mapped and facepager.is_table(how.header):
        yield Export(path, "Facepager, a table", facepager.table(table(plain, how), path))
        return
    preset = mapped or columns.fitting(how.header)
    held = f"columns {', '.join(how.header)[:300]}"
    if preset is None:
        # Bytes of what is no text would reach the terminal.
        readable = (
            all(letter.isprintable() or letter == "\t" for letter in top) and "\N{REPLACEMENT CHARACTER}" not in top
        )
        to_do = _lacking(how.header)
        if top.startswith("window.YTD"):
            held, to_do = "a file of X's archive", ": name the zip, or the folder that holds data/account.js"
        told.append(f"{path}: {held + to_do if readable else 'no text in UTF-8'}")
    elif mapped and not mapped.header and (lacks := columns.lacking(mapped, how.header)):
        told.append(f"{path}: {lacks}; {held}")
    else:
        yield Export(path, preset.name, columns.posts(table(plain, how), preset, path))


def _lacking(held: Iterable[str]) -> str:
    return next((f": {why}" for names, why in LACKING.items() if set(names) <= set(held)), "")


def _fits(names: list[str], mapped: columns.Mapped | None) -> bool:
    """Whether these may be the columns of what is looked for: what `mapped` has, or else any known table."""
    if mapped:
        return columns.lacking(mapped, names) is None
    return columns.fitting(names) is not None or facepager.is_table(names)


def _table(
    names: list[str], rows: Iterator[tuple[int, Any]], path: str, mapped: columns.Mapped | None, told: list[str]
) -> Iterator[Export]:
    preset = mapped or columns.fitting(names)
    lacks = columns.lacking(mapped, names) if mapped else None
    if preset is None or lacks:
        told.append(f"{path}: {f'{lacks}; ' if lacks else ''}columns {', '.join(names)[:300]}")
    else:
        yield Export(path, preset.name, columns.posts(rows, preset, path))


def _json(stream: IO[bytes], path: str, mapped: columns.Mapped | None, told: list[str]) -> Iterator[Export]:
    rows = ((number, _of_index(record)) for number, record in records(stream, path))
    waiting: list[tuple[int, Any]] = []
    for number, record in rows:
        waiting.append((number, record))
        if not mapped and gallery_dl.is_record(record):
            yield Export(path, "gallery-dl, records", gallery_dl.records(_again(waiting, rows), path))
            return
        if isinstance(record, Mapping):
            kind = _kind(record)
            preset = None if kind and not mapped else mapped or columns.fitting(columns.paths(record))
            if preset:
                yield Export(path, preset.name, columns.posts(_again(waiting, rows), preset, path))
            elif kind:
                yield Export(path, kind.name, _read(_again(waiting, rows), kind, path))
            elif len(waiting) < LOOKED_AT:  # the first answer of an API may be of no post, or an error
                continue
            else:
                break
            return
    unknown = next((record for _, record in waiting if isinstance(record, Mapping)), None)
    if unknown is not None:
        told.append(f"{path}: keys {', '.join(unknown)[:300]}{_lacking(unknown)}")


def _of_index(record: Any) -> Any:
    """A record; of what was dumped from Elasticsearch, the document, whose id stands beside it."""
    if isinstance(record, Mapping) and "_index" in record and isinstance(record.get("_source"), Mapping):
        return {"id": record.get("_id"), **record["_source"]}
    return record


def _kind(record: Json) -> _Kind | None:
    if isinstance(record.get("data"), Mapping) and isinstance(record["data"].get("videos"), list):
        return _Kind("TikTok Research API, pages", _is_tiktok, _tiktok)
    if set(record) <= {"errors", "title", "detail", "type", "__twarc"} and "errors" in record:
        return _Kind(JSON[0].name, lambda one: set(one) <= {"errors", "title", "detail", "type", "__twarc"}, _errors)
    return next((kind for kind in JSON if kind.fits(record)), None)


def _is_tiktok(record: Json) -> bool:
    return isinstance(record.get("data"), Mapping) and "videos" in record["data"]


def _tiktok(record: Json) -> Found:
    assert _TIKTOK is not None
    return columns.posts(enumerate(record["data"]["videos"], start=1), _TIKTOK, "a page")


def _errors(record: Json) -> Found:
    yield Left("?", NOT_A_POST, "a response of errors alone")


def _again(waiting: list[tuple[int, Any]], rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    yield from waiting
    yield from rows


def _read(rows: Iterator[tuple[int, Any]], kind: _Kind, path: str) -> Found:
    for number, record in rows:
        place = f"row {number} of {path}"
        if not isinstance(record, Mapping):
            yield Left(place, UNREADABLE, f"{place}: {record if isinstance(record, Exception) else 'not an object'}")
            continue
        reader = kind if kind.fits(record) else _kind(record)
        if reader is None:
            yield Left(place, UNREADABLE, f"{place}: keys {', '.join(record)[:200]}")
            continue
        try:
            yield from list(reader.read(record))
        except ODD as error:
            yield Left(place, UNREADABLE, f"{place}: {type(error).__name__} {error}")
