"""How the name of a picture may be written: in tables and addresses, in zips, and on disks of any system."""

import contextlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html import unescape
from urllib.parse import quote, unquote

from pipeline.common.left_behind import LEFT_BEHIND

CODE_PAGES = ("cp437", "cp850", "cp1252", "cp932", "cp936", "cp949", "cp950", "cp1251", "cp866")
"""What zips and unzippers take names for that are not marked as UTF-8."""
_ELSEWHERE = re.compile(r"[/\\]|[A-Za-z]:[/\\]|(?:~|\.\.)[/\\]")


def spellings(name: str) -> Iterable[str]:
    """A name as it is, and as it is in addresses (of files, too), or as an address has it: `a%20b.png`, `a b.png`.

    Last without the question behind it, `a.png?width=640`, which a file's name keeps or loses as it is downloaded, and
    as a web page has it, `a&amp;b.png`. Quotes around a name are left out.
    """
    plain = _unquoted(name).removeprefix("file://")
    path = plain.partition("?")[0]
    forms = (name, plain, unquote(plain), quote(plain, errors="surrogateescape"), path, unquote(path), unescape(plain))
    return [form for form in dict.fromkeys(forms) if form]


def _unquoted(name: str) -> str:
    """A name without a pair of quotes around it."""
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'" else name


def is_from_elsewhere(name: str) -> bool:
    """Whether a name is a path from the root of a disk, of any system, from a home or from a folder beside."""
    return bool(_ELSEWHERE.match(name))


def behind_last(parts: list[str], folder: str) -> list[str]:
    """`parts` of a path behind the last one that is called `folder`; none where no part is, or nothing follows."""
    last = max((at for at, part in enumerate(parts) if part == folder), default=len(parts))
    return parts[last + 1 :]


def steps(name: str) -> list[str]:
    """The steps of a path of any system, without `.`."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def behind(parts: list[str], own: list[str]) -> list[str] | None:
    """`parts` without what they begin with of the end of `own`, a folder's path; None where they begin otherwise."""
    for length in range(min(len(own), len(parts) - 1), 0, -1):
        if parts[:length] == own[-length:]:
            return parts[length:]
    return None


def utf8(name: str) -> bytes:
    """The bytes of a name, also of one that is not UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def forms(name: str) -> Iterator[bytes]:
    """The bytes that a name may have on a disk or in a zip, the likely ones first."""
    yield utf8(name)
    if name.isascii():
        return
    composed, decomposed = unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)
    yield utf8(composed)
    yield utf8(decomposed)
    for page in CODE_PAGES:
        with contextlib.suppress(UnicodeError):
            yield composed.encode(page)
    for page in CODE_PAGES:
        for form in (composed, decomposed):
            with contextlib.suppress(UnicodeError):
                yield utf8(form).decode(page).encode()  # unpacked as if it had been of that page


def alike(name: str) -> str:
    """What names share that differ in case, composition and kinds of blanks alone."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).split())


def junk(name: str) -> bool:
    """Whether nobody means a file as a picture: it is hidden, or a system left it beside people's files."""
    return name.startswith(".") or LEFT_BEHIND.search(name) is not None
