"""What people are called where `report.people` is not `shown`: by nothing that says who they are.

Users, and posts, of which an id often has the author's name, then go by *handles*: a letter and 64 bits of the
HMAC-SHA-256 of their id under a key that is made once and lies beside the tables, `data/explore/key`. So addresses
stay, marks are kept by ids, and nobody who is told a handle can try names until one fits. An id asks for nothing then:
whoever knows a name could learn by it whether that person is here.
"""

import hmac
import secrets
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.privacy.keys import write_private
from pipeline.report.cards import called
from pipeline.space.library import Library
from pipeline.space.space import Space

KEY = "explore/key"
_LETTER = {"user": "u", "post": "p"}
_DIGITS = 16


class People:
    """The names of one corpus, as `people` (shown, initials, hidden) has them."""

    def __init__(self, library: Library, people: str, key: bytes = b"") -> None:
        self.library, self.people, self._key = library, people, key
        self._handles = lru_cache(None)(self._made)

    @classmethod
    def of(cls, space: Space) -> "People":
        """As the params.yaml of the space says. Raises UserError where that is not sound."""
        people = space.reader.params.report.people
        return cls(space.library, people, b"" if people == "shown" else _key(space.data / KEY))

    @property
    def shown(self) -> bool:
        """Whether people go by their ids."""
        return self.people == "shown"

    def public(self, kind: str, name: str) -> str:
        """What stands for the id of a user, an image or a post in addresses and data; an image's says nothing."""
        if self.shown or kind not in _LETTER:
            return name
        digest = hmac.digest(self._key, f"{kind}\0{name}".encode("utf-8", "surrogatepass"), "sha256")
        return _LETTER[kind] + digest.hex()[:_DIGITS]

    def find(self, kind: str, public: str) -> str | None:
        """The id of what goes by `public`; None where handles are asked for and nothing of the corpus has this one."""
        if self.shown or kind not in _LETTER:
            return public
        digits = public[1:]
        if public[:1] != _LETTER[kind] or len(digits) != _DIGITS or not set(digits) <= set("0123456789abcdef"):
            return None
        order, handles = self._handles(kind)
        wanted = np.uint64(int(digits, 16))
        at = int(np.searchsorted(handles, wanted))
        held = at < len(handles) and handles[at] == wanted
        return str(self.library.ids(kind)[int(order[at])].as_py()) if held else None

    def name(self, user_id: str) -> str:
        """What a page calls a user."""
        if self.people == "hidden":
            return f"user {self.public('user', user_id)[1:7]}"
        return user_id if self.shown else called(user_id, self.people)

    def sorted(self, kind: str, names: Iterable[str]) -> list[int]:
        """The order of ids by what stands for them: that of the ids themselves tells who is who to who knows them."""
        public = [self.public(kind, name) for name in names]
        return sorted(range(len(public)), key=public.__getitem__)

    def order(self, kind: str) -> Any:
        """Rows of all users, or posts, in the order of what stands for their ids."""
        return np.arange(len(self.library.ids(kind))) if self.shown else self._handles(kind)[0]

    def _made(self, kind: str) -> tuple[Any, Any]:
        """The handles of all users, or posts, ascending, and their rows."""
        names = self.library.ids(kind).to_pylist()
        handles = np.array([int(self.public(kind, name)[1:], 16) for name in names], np.uint64)
        order = np.argsort(handles)
        return order, handles[order]


def _key(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(secrets.token_hex(32) + "\n", path)
    return bytes.fromhex(path.read_text(encoding="ascii"))
