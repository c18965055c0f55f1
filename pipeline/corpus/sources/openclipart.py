"""The Open Clip Art Library, as Debian packages it: drawings that people uploaded, with title, keywords and author.

A post is a drawing: its author the user, the PNG that Debian rendered the image; its text title, file name,
description and keywords. What is dropped from the text, and why:

- titles and descriptions that one person gave five times or more: the name of a set, not of a drawing;
- the author's name, which leaks into titles ("Clipart by ...") and file names, else text-to-user is a look-up;
- the words of the category (the first folder), which is what the interests are made of;
- addresses and links, and artefacts of the library's own scripts.

A person's interests are categories, so that predicting them is to recover content, not an independent fact.
"""

import re
import tarfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

import pyarrow as pa
from ftfy import fix_text
from lxml import etree

from pipeline.corpus.rows import CANDIDATES
from pipeline.corpus.sources.debian import opened, unpacked
from pipeline.pictures.reading import Rejected
from pipeline.tables.corpus import REJECTED, USERS

ROOT = PurePosixPath("usr/share/openclipart")

MAX_POSTS = 200
"""By one person: one uploaded 1,375 near-identical star patterns."""
BOILERPLATE = 5
"""A title or description that one person gave as often as this says nothing about the drawing."""

SAME_PERSON = {
    "rollandin-francesco": "architetto-francesco-rollandin",
    "francesco-rollandin": "architetto-francesco-rollandin",
    "a-j-ashton": "aj-ashton",
}
# "hash" is what folding leaves of HASH(0x89c79d4), a Perl reference printed in place of a name (and of a keyword).
NOBODY = {"", "unknown", "anonymous", "none", "n-a", "author", "openclipart", "public-domain", "hash"}

_WORD = re.compile(r"[^\W\d_]+")
# Both in time that grows as the text does: an address begins where a word does, a bracket holds no other.
_ADDRESS = re.compile(r"(?<!\S)\S+@\S+|(?:https?://|www\.)\S+")
_BRACKETS = re.compile(r"<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]")
_ARTEFACT = re.compile(r"hash(?:\(.*)?|0x[0-9a-f]+\)?", re.IGNORECASE)
_CLIPART_BY = re.compile(r"\bclip\s?art\s+by\b", re.IGNORECASE)


@dataclass(frozen=True)
class Drawing:
    """The metadata of one SVG file. `name` is its path below `svg`, without extension."""

    name: str
    creator: str
    title: str
    description: str
    keywords: list[str]
    license: str


class Openclipart:
    """The corpus as a source of posts (`pipeline.corpus.rows.Source`), from the two package files in `folder`.

    A category is an interest of the people who have at least `interest_posts` drawings in it, and at least the share
    `interest_share` of theirs.
    """

    name = "openclipart-svg"

    def __init__(self, folder: Path, interest_share: float, interest_posts: int) -> None:
        self._folder = folder
        self._share, self._least = interest_share, interest_posts
        self._pictures = folder / "openclipart-png.deb"
        self._unpacking: Future[IO[bytes]] | None = None

    def rows(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """All drawings in one piece, by name; of the package's files, links, other licences and nobody's rejected."""
        drawings, refused = [], []
        # A package takes as long to unpack as the drawings to read, and leaves the other core to them.
        self._unpacking = ThreadPoolExecutor(1).submit(unpacked, self._pictures)
        with opened(self._folder / "openclipart-svg.deb") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if path.suffix != ".svg":
                    continue
                name = str(path.relative_to(ROOT / "svg").with_suffix(""))
                if member.issym():
                    refused.append((name, "link to another drawing", member.linkname))
                    continue
                drawing = read_drawing(name, _content(archive, member))
                if drawing.license and "publicdomain" not in drawing.license.lower().replace(" ", ""):
                    refused.append((name, "not in the public domain", drawing.license))
                elif person(drawing.creator) is None:
                    refused.append((name, "no author named", drawing.creator))
                else:
                    drawings.append(drawing)
        drawings.sort(key=lambda drawing: drawing.name)
        columns = {
            "row": range(1, len(drawings) + 1),
            "post_id": [drawing.name for drawing in drawings],
            "user_id": [person(drawing.creator) for drawing in drawings],
            "text": texts(drawings),
            "image": [f"{drawing.name}.png" for drawing in drawings],
            "created_at": [None] * len(drawings),
            "more_images": [None] * len(drawings),
        }
        rejected = [dict(zip(REJECTED.schema.names, row, strict=True)) for row in refused]
        yield pa.table(columns, schema=CANDIDATES), pa.Table.from_pylist(rejected, schema=REJECTED.schema)

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Rejected]]:
        """The PNG files of these names, links followed inside the package."""
        ahead, self._unpacking = self._unpacking, None
        with (
            ahead.result() if ahead else unpacked(self._pictures) as stream,
            tarfile.open(fileobj=stream, mode="r:") as archive,
        ):
            members = {str(PurePosixPath(member.name)): member for member in archive}
            for name in names:
                member = members.get(str(ROOT / "png" / name))
                yield name, Rejected("missing", name) if member is None else _content(archive, member)

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The authors of `posts`, with the categories of these posts that are interests of theirs."""
        categories: dict[str, Counter[str]] = defaultdict(Counter)
        for post_id, user_id in zip(posts["post_id"].to_pylist(), posts["user_id"].to_pylist(), strict=True):
            categories[user_id][category(post_id)] += 1
        rows = [
            {
                "user_id": user_id,
                "interests": sorted(
                    label
                    for label, count in counts.items()
                    if count >= self._least and count >= self._share * counts.total()
                ),
                "brand": False,
            }
            for user_id, counts in sorted(categories.items())
        ]
        return pa.Table.from_pylist(rows, schema=USERS.schema), REJECTED.empty()


def category(name: str) -> str:
    """The first folder of a drawing's name."""
    return name.partition("/")[0]


def read_drawing(name: str, svg: bytes) -> Drawing:
    """The metadata (cc:Work) of an SVG file; empty strings where it gives none."""
    parser = etree.XMLParser(recover=True, huge_tree=True, no_network=True, resolve_entities=False)
    try:
        root = etree.fromstring(svg, parser)
    except etree.XMLSyntaxError:  # empty, or nothing of XML in it
        root = None
    fields: dict[str, str] = {}
    keywords: list[str] = []
    work = next(root.iter("{*}Work"), None) if root is not None else None
    for field in work if work is not None else ():
        kind = etree.QName(field).localname if isinstance(field.tag, str) else ""
        if kind == "subject":
            keywords = [_said(keyword) for keyword in field.iter("{*}li")]
        elif kind == "license":
            fields[kind] = next(iter(field.attrib.values()), "") or _said(field)
        elif kind in ("title", "description", "creator"):
            fields[kind] = _said(field)
    return Drawing(
        name,
        creator=fields.get("creator", ""),
        title=fields.get("title", ""),
        description=fields.get("description", ""),
        keywords=list(filter(None, keywords)),
        license=fields.get("license", ""),
    )


def _said(field: etree._Element) -> str:
    """The text in `field`, tidy; empty where a script of the library printed a reference in its place."""
    text = _tidy("".join(field.itertext()))
    return "" if _ARTEFACT.fullmatch(text) else text


def person(creator: str) -> str | None:
    """The user_id of an author: the name without case, accents, addresses and brackets; None where it is no one's."""
    name = _ADDRESS.sub(" ", _BRACKETS.sub(" ", creator))
    folded = re.sub(r"[^a-z0-9]+", "-", _fold(name)).strip("-")
    folded = SAME_PERSON.get(folded, folded)
    return None if folded in NOBODY else folded


def texts(drawings: list[Drawing]) -> list[str]:
    """The text of each drawing: title, file name, description and keywords, without what the module's top lists."""
    given = Counter(
        (person(drawing.creator), said) for drawing in drawings for said in (drawing.title, drawing.description)
    )

    def own(drawing: Drawing, said: str) -> str:
        return "" if given[person(drawing.creator), said] >= BOILERPLATE else said

    return [_text(drawing, own(drawing, drawing.title), own(drawing, drawing.description)) for drawing in drawings]


def _text(drawing: Drawing, title: str, description: str) -> str:
    author = {word for word in _WORD.findall(_fold(drawing.creator)) if len(word) > 2}
    label = set(category(drawing.name).split("_"))

    def clean(said: str) -> str:
        said = _CLIPART_BY.sub(" ", _ADDRESS.sub(" ", said.replace("_", " ")))
        said = _WORD.sub(lambda word: "" if _leaks(_fold(word[0]), author, label) else word[0], said)
        return " ".join(said.split()).strip(" -,.;:&") if _WORD.search(said) else ""

    title, description = clean(title), clean(description)
    named = [_fold(word) for word in _WORD.findall(title)]
    words = [
        word for word in _file_words(drawing.name, author) if not any(known.startswith(_fold(word)) for known in named)
    ]
    keywords = ", ".join(filter(None, map(clean, drawing.keywords)))
    return ". ".join(filter(None, [title, clean(" ".join(words)), description, keywords]))


def _file_words(name: str, author: set[str]) -> list[str]:
    """The words of a file name. Names end in the author's, cut anywhere: "gattina_cat_architetto_f_01"."""
    words = _WORD.findall(PurePosixPath(name).name.replace("_", " "))
    while words and any(part.startswith(_fold(words[-1])) for part in author):
        words.pop()
    return words


def _leaks(word: str, author: set[str], label: set[str]) -> bool:
    """Whether a folded word tells the author, or the category ("animal", "transport" and so on included)."""
    return word in author or word in label or (len(word) > 3 and any(part.startswith(word) for part in label))


@lru_cache(1 << 16)  # the same words and keywords come again and again
def _fold(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@lru_cache(1 << 16)
def _tidy(text: str) -> str:
    return " ".join(fix_text(text).split())


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """A file of the archive; a link is followed inside it."""
    file = archive.extractfile(member)
    assert file is not None, f"{member.name} is no file"
    return file.read()
