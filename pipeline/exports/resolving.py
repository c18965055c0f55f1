"""Which file a picture of a post is: by what the export and downloaders call it.

Pictures lie in folders and zips: those of `corpus.images`, and the exports themselves. A name is looked for as a path,
as a file's name, as its stem, and as the id that gallery-dl and bdfr put into it; 4CAT's zips say in `.metadata.json`
which address and which posts a file is of. Of several files of one name the one is taken whose folders are called as
the name has them, and else the one that lies nearest to the post's own file. Where people or cameras count so, in each
folder anew, the folder has to be the one that is named. A post whose export says nothing of pictures gets the files
called by its id, with a number behind it or not. Capitals count where several files differ in them alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from pipeline.common.packed import DAMAGED
from pipeline.exports.posts import Post, last
from pipeline.exports.sources import Tree
from pipeline.running.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".heic", ".avif", ".jfif")
BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"\0\0\0\x1cftypavif", b"\0\0\0\x20ftypavif")
"""How files of pictures begin."""
METADATA = ".metadata.json"
SHORTEST = 5
"""Letters of a name from which on a file that is called so is taken for the picture of the post that is called so, and
files of two folders for the same picture: shorter ones may be mere numbers."""
_ASKED = re.compile(r"[?@](?=\w+=)|:(?=(?:large|orig|medium|small|thumb)$)")
"""What stands between an address and what it asks for, in names of files that wget made of it."""
_FORMAT = re.compile(r"\bformat=(jpe?g|png|webp)\b")
_COUNTED = re.compile(r"(?:[A-Z]{1,8}|[A-Z]?[a-z]{1,8})[ _-]?\(?\d{1,4}\)?")
"""`IMG_0001`, `photo1`, `image (1)`."""
_NUMBERED = re.compile(r"(.+?)[_-](\d{1,2})$")
_TITLED = re.compile(r"(\w{5,})(?: (\d\d))? ")
"""`ID 01 Title`, as gallery-dl calls pictures of Reddit."""
_BEHIND = re.compile(r".+_([A-Za-z0-9-]{5,})")
"""`POST_ID`, `mastodon_POST_ID`, `AUTHOR_TITLE_ID`: the last id is the picture's, or that of its post."""
_BRACKETED = re.compile(r".+(?: \[([\w-]{5,})\]|-([\w-]{11}))")
"""`Title [ID]` and `Title-ID`, as yt-dlp and youtube-dl call pictures of videos."""
_SIZED = re.compile(r"(?:.+_)?(\d{8,})(?:_[0-9a-f]{8,})?_[a-z]")
"""`TITLE_ID_o` and `ID_SECRET_o`, as Flickr calls them, by the letter of their size."""

Places = str | list[str]
"""One, as nearly all are, or several of one name."""


class Pictures:
    """All pictures there are, by what they may be called."""

    def __init__(self, trees: Iterable[Tree], aside: str = "\0") -> None:
        self._aside = aside  # how names of pictures begin that were set aside, and need no looking for
        self._names: dict[str, Places] = {}
        self._files: dict[str, Places] = {}  # by their names without folders, and by these without endings
        self._loose: dict[str, str] = {}
        self._numbered: dict[str, list[tuple[int, str]]] = {}
        self._of_post: dict[str, list[str]] = {}
        self.count = 0
        for tree in trees:
            self._add(tree)

    def _add(self, tree: Tree) -> None:
        for name in tree.names:
            path = PurePosixPath(_unasked(name))
            if path.suffix.lower() in ENDINGS or (not path.suffix and _is_shown(tree, name)):
                place = tree.picture(name)
                self.count += 1
                for key in (place, _composed(name)):
                    _put(self._names, key, place)
                for key in (_composed(path.name), _composed(path.stem)):
                    _put(self._files, key, place)
                if match := _NUMBERED.match(path.stem):
                    self._numbered.setdefault(match[1], []).append((int(match[2]), place))
                    self._add_loosely(match[1], int(match[2]), place)
                else:
                    self._add_loosely(path.stem, None, place)
            elif path.name == METADATA:
                self._read_metadata(tree, name)

    def _add_loosely(self, stem: str, number: int | None, place: str) -> None:
        """A file by the id that is a part of its name."""
        if match := _TITLED.match(stem):
            self._put_loosely(match[1], int(match[2]) if match[2] else number, place)
        if match := _SIZED.fullmatch(stem) or _BRACKETED.fullmatch(stem) or _BEHIND.fullmatch(stem):
            self._put_loosely(match[match.lastindex or 1], number, place)

    def _put_loosely(self, found: str, number: int | None, place: str) -> None:
        self._loose.setdefault(found if number is None else f"{found}_{number}", place)

    def _read_metadata(self, tree: Tree, name: str) -> None:
        self.tell(tree, tree.json(name))

    def tell(self, tree: Tree, about: Mapping[str, Any]) -> None:
        """What a downloader says, as 4CAT's does: by address, the file and the posts."""
        for url, facts in about.items():
            files = facts.get("files") or [facts]
            for file in files:
                if file.get("success", facts.get("success")) and file.get("filename") in tree.held:
                    place = tree.picture(file["filename"])
                    for key in (url, facts.get("url"), _cleaned(url)):
                        if key:
                            self._names[key] = place
                    for post in facts.get("post_ids") or ():
                        self._of_post.setdefault(str(post), []).append(place)

    def of(self, post: Post, video_covers: bool, beside: str = "") -> tuple[list[str], list[str | None], int, int]:
        """Files of a post's pictures in order, what each is described by, how many were not found, and of videos.

        `beside` is the file that the post is in.
        """
        if post.shown is None:
            files = list(dict.fromkeys(self._called(post, beside)))
            return files, [None] * len(files), 0, 0
        files, alt, missing, videos = [], [], 0, 0
        listed = set(self._of_post.get(post.post_id, ()))
        for shown in post.shown:
            if shown.video and not video_covers:
                videos += 1
                continue
            found = self._find(shown.names, beside)
            if found is None and len(listed) == len(post.shown) == 1:
                found = next(iter(listed))
            if found is None:
                missing += 1
            elif found not in files:
                files.append(found)
                alt.append(shown.alt)
        return files, alt, missing, videos

    def _find(self, names: tuple[str, ...], beside: str) -> str | None:
        for name in names:
            if name.startswith(self._aside):
                return name
            if not self.count:
                continue
            address = "://" in name
            path = _composed(name) if address else _composed(name).replace("\\", "/")
            base = last(path) if address else path.rpartition("/")[2]
            stem = base.rpartition(".")[0] or base.partition("@")[0]  # Bluesky's CID@jpeg
            for key in (name, _cleaned(name) if address else path):
                if key in self._names:
                    return _nearest(self._names[key], beside)[0]
            for key in dict.fromkeys((base, stem, unquote(base), unquote(stem))):
                if found := self._closest(key, "" if address else path, beside):
                    return found
            alike = self._alike.get(base.lower(), [])
            if len(alike) == 1 and base.lower().endswith(ENDINGS):
                return self._closest(alike[0], "" if address else path, beside)
        return next((self._loose[name] for name in names if name in self._loose), None)

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        """Names of files by what they are alike in, whatever their capitals."""
        found: dict[str, list[str]] = {}
        for name in self._files:
            found.setdefault(name.lower(), []).append(name)
        return found

    def _closest(self, key: str, path: str, beside: str) -> str | None:
        """The file that is called `key`; of several the one whose folders are most alike those of `path`.

        Names that people or cameras count by, in each folder anew, mean no file in a folder of another name.
        """
        held = self._files.get(key)
        if held is None:
            return None
        held, wanted = [held] if isinstance(held, str) else held, path.split("/")[-2::-1]
        alike = [_shared(wanted, place.partition("!/")[2].split("/")[-2::-1]) for place in held]
        places = _nearest([place for place, same in zip(held, alike, strict=True) if same == max(alike)], beside)
        stem = PurePosixPath(key).stem
        if len(stem) < SHORTEST or _COUNTED.fullmatch(stem):
            in_another = wanted and not max(alike) and "/" in places[0].partition("!/")[2]
            return None if in_another or len(places) > 1 else places[0]
        return places[0]

    def _called(self, post: Post, beside: str) -> Iterator[str]:
        yield from self._of_post.get(post.post_id, ())
        for name in (post.post_id, *post.names):
            if name in self._names:
                yield _nearest(self._names[name], beside)[0]
            elif found := self._closest(name, "", beside):
                yield found
            yield from (place for _, place in sorted(self._numbered.get(name, ())))
            for one in (name, *(f"{name}_{number}" for number in range(1, 21))):
                if len(name) >= SHORTEST and one in self._loose:
                    yield self._loose[one]


def _is_shown(tree: Tree, name: str) -> bool:
    """Whether a file without an ending, as Bluesky's blobs are kept, begins as a picture does."""
    try:
        with tree.open(name) as stream:
            return stream.read(16).startswith(BEGINNINGS)
    except (UserError, *DAMAGED):  # told where it is read as an export
        return False


def _put(held: dict[str, Places], key: str, place: str) -> None:
    there = held.setdefault(key, place)
    if isinstance(there, list):
        there.append(place)
    elif there != place:
        held[key] = [there, place]


def _nearest(places: Places, beside: str) -> list[str]:
    """Those of `places` that share most folders with the file `beside` them; each file once, however it is named."""
    if isinstance(places, str) or len(places) == 1:
        return [places] if isinstance(places, str) else places
    apart = {place.replace("!/", "/"): place for place in reversed(places)}
    near = {path: _shared(path.split("/"), beside.split("/")) for path in apart}
    return [place for path, place in reversed(apart.items()) if near[path] == max(near.values())]


def _cleaned(url: str) -> str:
    """An address as 4CAT keeps it: the host in small letters, without a fragment, blanks quoted."""
    plain = urldefrag(url).url.replace(" ", "%20")
    host = urlsplit(plain).netloc
    return plain.replace(host, host.lower(), 1) if host else plain


def _unasked(name: str) -> str:
    """A file's name without what its address asked for, `p.jpg?size=9`; with the ending that was asked for, if any."""
    asked = _ASKED.search(name)
    if asked is None:
        return name
    form = _FORMAT.search(name, asked.end())
    return name[: asked.start()] + (f".{form[1]}" if form else "")


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _shared(first: list[str], second: list[str]) -> int:
    """How many steps are the same, from the beginning on."""
    return next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
