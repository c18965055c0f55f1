"""What an export is, by its content: the tool it is of, and the reader of its rows.

Folders and zips are looked at as a whole first (archives of persons, instaloader, Telegram), then file by file. A file
is Parquet, Arrow, CAR, JSON or a table of text by its first bytes, whatever its name and compression; of
JSON each record is asked what it is, so that files may be mixed.
"""

import io
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from pipeline.common.packed import DAMAGED
from pipeline.common.separated import LOOKED_AT
from pipeline.exports import columns
from pipeline.exports.aside import Aside, arrow_rows
from pipeline.exports.kinds import BESIDE, FIRST, OWNER, TREES, instead, kind_of, lacking, read
from pipeline.exports.platforms import bluesky, facepager, gallery_dl, whatsapp, youtube
from pipeline.exports.posts import UNREADABLE, Found, Left
from pipeline.exports.resolving import ENDINGS
from pipeline.exports.separated import HEAD, headless, layout, table
from pipeline.exports.sources import Packed, Part, Tree, records, unpacked
from pipeline.exports.within import within
from pipeline.running.errors import GIT_LFS, OF_GIT_LFS, UserError, of_program

log = logging.getLogger("convert_corpus")


class Export(NamedTuple):
    """A file, folder or zip: what it was recognised as, and what it holds."""

    path: str
    kind: str
    found: Found


_BESIDE = (".txt", ".log", ".md", ".html", ".pdf", ".mp4", ".mov", ".tar", "_stats.json", "_metadata.json", ".ini",
           ".css", ".svg", ".ttf", ".woff", ".woff2", ".eot")  # fmt: skip
"""Endings of what lies beside an export and is none."""
_OTHERS = (".zip", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".gz", ".zst", ".bz2", ".xz", ".car")
"""Endings of what may be an export of its own beside a folder that is one."""
DAMAGED_FILE = "a damaged file"
_JSON = re.compile(rb"\{|\[\s*([\[{\]\"\d-]|true|false|null|NaN|$)")
"""How JSON begins; `[LINE] Chat` is none."""


def exports(
    paths: list[Path], mapped: columns.Mapped | None, aside: Aside, packed: Mapping[Path, Tree], private: bool = False
) -> Iterator[Export]:
    """The exports at `paths`, of which some are `packed` tars. Raises UserError where nothing is recognised.

    `private`: the log names no file.
    """
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
            some_told = "" if private else f": {'; '.join(told[:3])}"
            log.warning("%d files beside are no export that is known here, and are left out%s", len(told), some_told)
        # A part of an archive may hold pictures alone.
        if not found and (told or (path == paths[-1] and not some)):
            raise UserError(
                f"{path} is no export that is known here"
                + (f" ({'; '.join(told[:3])})" if told else "")
                + _instead(path, packed)
                + ": docs/exports/README.md lists those that are. "
                "For another table set corpus.columns, as docs/exports/columns.md says."
            )


def _instead(path: Path, packed: Mapping[Path, Tree]) -> str:
    """What to do about what holds no export, as far as its files tell."""
    if path in packed or path.is_dir() or _is_zip(path):
        return instead((packed.get(path) or Tree(path)).names)
    return instead([path.name])


def _at(
    path: Path,
    mapped: columns.Mapped | None,
    aside: Aside,
    told: list[str],
    packed: Mapping[Path, Tree],
    tree: Tree | None = None,
) -> Iterator[Export]:
    """The exports at `path`, or in the folder of a zip that `tree` is."""
    if what := of_program(path.suffix.lower()):
        raise UserError(f"{path} is {what}.")
    if not tree and path not in packed and not path.is_dir() and not _is_zip(path):
        yield from _file(path.open("rb"), str(path), mapped, aside, told)
        return
    tree = tree or packed.get(path) or Tree(path)
    parts = _parts(path, tree)
    for part in parts:
        yield from _at(path / part, mapped, aside, told, packed, Part(tree, part))
    others = [name for name in tree.names if name.partition("/")[0] not in parts]
    kinds = [kind for kind in TREES if kind[1](tree)] if not parts else []
    for name, _, read_tree in kinds:
        yield Export(str(path), name, read_tree(tree))
    if kinds:
        others = _beside(tree, kinds)
        told = told if any(read_tree in BESIDE for *_, read_tree in kinds) else []  # what belongs to a download is none
    for inner in others:
        if path / inner in packed or (path.is_dir() and inner.lower().endswith(".zip")):
            yield from _at(path / inner, mapped, aside, told, packed)
        else:
            yield from _of_tree(tree, inner, path, mapped, aside, told)


def _parts(path: Path, tree: Tree) -> list[str]:
    """The folders of a folder or zip that each are an export of their own, such as the archives of several people, or
    one beside files of another kind.
    """
    firsts = tree.matching(FIRST)
    several = len(firsts) > len({name.rpartition("/")[2] for name in firsts})
    owners = firsts if several else tree.matching(OWNER)
    if path.is_dir():
        owners += tree.matching(r"result\.json")
    folders = sorted({name.partition("/")[0] for name in owners if "/" in name})
    own = [folder for folder in folders if _is_known(Part(tree, folder))]
    tops = {name.partition("/")[0] for name in tree.names} - {*own}
    beside = path.is_dir() and (not tops or any(top.lower().endswith(_OTHERS) for top in tops))
    if not own or not (several or len(own) > 1 or beside):
        return []
    return own + [top for top in sorted(tops) if top not in tree.held and _is_known(Part(tree, top))]


def _beside(tree: Tree, kinds: list[tuple[str, Callable[[Tree], bool], Callable[[Tree], Found]]]) -> list[str]:
    """What of a folder or zip of these kinds may be an export of its own, by its ending: what is in none of the folders
    that are of such a kind by themselves, if there are any. X's archives have thousands of pictures of emoji.
    """
    for *_, read_tree in kinds:
        if read_tree in BESIDE:
            return BESIDE[read_tree](tree)
    tops = {name.partition("/")[0] for name in tree.names if "/" in name}
    own = {top for top in tops if any(fits(Part(tree, top)) for _, fits, _ in kinds)}
    others = [name for name in tree.names if name.lower().endswith((*_OTHERS, ".txt"))]
    return [name for name in others if own and name.partition("/")[0] not in own]


def _is_known(tree: Tree) -> bool:
    """Whether a folder is, as a whole, of a kind that is known."""
    return any(fits(tree) for _, fits, _ in TREES)


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
    elif what := of_program(PurePosixPath(name).suffix):
        told.append(f"{path}/{inner} is {what}")
    elif name.endswith(".zip"):
        told.append(f"{path}/{inner} is a zip within a zip, and damaged: unpack {path.name}, and name the folder")
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
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if whatsapp.is_chat(head):
        yield Export(path, *whatsapp.chat(plain.read(), path))
        return
    if head[:4] == b"PAR1" or head[:6] == b"ARROW1" or head[:4] == b"\xff\xff\xff\xff":
        names, rows = arrow_rows(plain, path, aside, lambda held: mapped or columns.fitting(held))
        yield from _table(names, rows, path, mapped, aside, told)
    elif bluesky.is_car(head):
        yield Export(path, "Bluesky, a repository (CAR)", bluesky.car(plain.read(), path))
    elif head.startswith(facepager.MAGIC) and (nodes := facepager.database(plain, path)):
        yield Export(path, "Facepager, a database", nodes)
    elif _JSON.match(begin):
        yield from _json(plain, path, mapped, aside, told)
    else:
        yield from _of_text(plain, head, path, mapped, aside, told)


def _of_text(
    plain: Any, head: bytes, path: str, mapped: columns.Mapped | None, aside: Aside, told: list[str]
) -> Iterator[Export]:
    top = head.decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r").lstrip("\ufeff")
    flickr = next(p for p in columns.presets() if p.header)
    if not mapped and top.count("\t") == len(flickr.header or ()) - 1 and top.split("\t")[1].isdigit():
        mapped = flickr
    if mapped and mapped.header:
        how = headless(head, mapped.header, mapped.quotes)
    else:
        how = layout(head, lambda names: _fits(names, mapped))
    if not mapped and len(how.header) in youtube.LAYOUTS and columns.fitting(how.header) is None:
        row = next((list(row.values()) for _, row in table(io.BytesIO(head), how) if isinstance(row, dict)), [])
        how = how._replace(header=youtube.in_english(how.header, row))
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
        to_do = lacking(how.header)
        if top.startswith(("window.YTD", "Grailbird.data", "var user_details")):
            held, to_do = "a file of X's archive", ": name the zip, or the folder that data is in"
        told.append(f"{path}: {held + to_do if readable else 'no text in UTF-8'}")
    elif mapped and not mapped.header and (lacks := columns.lacking(mapped, how.header)):
        told.append(f"{path}: {lacks}; {held}")
    else:
        _tell_unfound(mapped, preset, how.header, path)
        yield Export(path, preset.name, columns.posts(table(plain, how), preset, path, aside.keep))


def _tell_unfound(mapped: columns.Mapped | None, preset: columns.Mapped, names: list[str], path: str) -> None:
    """Say which columns, that corpus.columns names, a table does not have; of a known table, that it has no text."""
    asked = mapped.held if mapped else {"text": preset.text}
    by = "corpus.columns" if mapped else preset.name
    for what, column in columns.unfound(asked, names).items():
        log.warning("%s: no column %s, which %s has for %s; columns %s", path, column, by, what,
                    ", ".join(names)[:300])  # fmt: skip


def _fits(names: list[str], mapped: columns.Mapped | None) -> bool:
    """Whether these may be the columns of what is looked for: what `mapped` has, or else any known table."""
    if mapped:
        return columns.lacking(mapped, names) is None
    return columns.fitting(names) is not None or facepager.is_table(names)


def _table(
    names: list[str],
    rows: Iterator[tuple[int, Any]],
    path: str,
    mapped: columns.Mapped | None,
    aside: Aside,
    told: list[str],
) -> Iterator[Export]:
    preset = mapped or columns.fitting(names)
    lacks = columns.lacking(mapped, names) if mapped else None
    if preset is None or lacks:
        told.append(f"{path}: {f'{lacks}; ' if lacks else ''}columns {', '.join(names)[:300]}")
    else:
        _tell_unfound(mapped, preset, names, path)
        yield Export(path, preset.name, columns.posts(rows, preset, path, aside.keep))


def _json(
    stream: IO[bytes], path: str, mapped: columns.Mapped | None, aside: Aside, told: list[str]
) -> Iterator[Export]:
    rows = ((number, one) for number, record in records(stream, path) for one in within(record))
    waiting: list[tuple[int, Any]] = []
    for number, record in rows:
        waiting.append((number, record))
        if not mapped and gallery_dl.is_record(record):
            yield Export(path, "gallery-dl, records", gallery_dl.records(_again(waiting, rows), path))
            return
        if isinstance(record, Mapping):
            kind = kind_of(record)
            preset = None if kind and not mapped else mapped or columns.fitting(columns.paths(record))
            if preset:
                yield Export(path, preset.name, columns.posts(_again(waiting, rows), preset, path, aside.keep))
            elif kind:
                yield Export(path, kind.name, read(_again(waiting, rows), kind, path))
            elif len(waiting) < LOOKED_AT:  # the first answer of an API may be of no post, or an error
                continue
            else:
                break
            return
    unknown = next((record for _, record in waiting if isinstance(record, Mapping)), None)
    if unknown is not None:
        told.append(f"{path}: keys {', '.join(unknown)[:300]}{lacking(unknown)}")


def _again(waiting: list[tuple[int, Any]], rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    yield from waiting
    yield from rows
