"""Who was erased: tombstones, by which the import knows a person, or a post, that must not come back.

A tombstone is the keyed hash of an id (`pipeline.privacy.keys`), so the list names nobody. A person is known by id and
by name in small letters, without `@`; a post by its id. The list is a file of the private folder: it outlives `data/`,
the cache and every export.
"""

import unicodedata
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.privacy.keys import Key, Kind, private_file, private_folder, private_text, write_private

FILE = "tombstones"
REASON = "erased at their request"


class Tombstones:
    """The hashes of who and what was erased."""

    def __init__(self, key: Key | None, hashes: Iterable[str] = ()) -> None:
        self._key, self.hashes = key, frozenset(hashes)

    @classmethod
    def held(cls) -> "Tombstones":
        """Those of the project; none, and no key is made, where nobody was erased."""
        hashes = (private_file(FILE) or "").split()
        return cls(Key.held(make=False) if hashes else None, hashes)

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def user(self, name: str | None) -> str | None:
        """The tombstone of a person known by this id or name; None where there is none."""
        return self._known("user", name, same(name)) if name else None

    def post(self, post_id: str | None) -> str | None:
        """The tombstone of a post; None where there is none."""
        return self._known("post", post_id, post_id.strip()) if post_id else None

    def _known(self, kind: Kind, name: str, alike: str) -> str | None:
        """By the name, or by its pseudonym: who asks to be erased may know the one that was published."""
        if self._key is None:
            return None
        for form in (alike, self._key.pseudonym(kind, name)):
            digest = self._key.hash(f"erased {kind}", form)
            if digest in self.hashes:
                return digest
        return None

    def of(self, users: pa.ChunkedArray, posts: pa.ChunkedArray, names: dict[str, str]) -> pa.Array:
        """The tombstone of each row (n,), by its user or the user's name in `names`, or its post; null where none."""
        by_user = _each(users, lambda user: self.user(user) or self.user(names.get(user)))
        return pc.coalesce(by_user, _each(posts, self.post))

    def fingerprint(self) -> str:
        """Changes when somebody is erased, and tells nothing of whom."""
        return self._key.hash("tombstones", "\n".join(sorted(self.hashes)))[:16] if self._key else ""


def add(users: Iterable[str], posts: Iterable[str]) -> list[str]:
    """Write tombstones, beside those there are; returns the hashes of these."""
    key, path = Key.held(), private_folder() / FILE
    new = [key.hash("erased user", same(user)) for user in users]
    new += [key.hash("erased post", post.strip()) for post in posts]
    held = (private_text(path) or "").split()
    write_private("".join(f"{one}\n" for one in sorted({*held, *new})), path)
    return new


def same(name: str) -> str:
    """An id or name as people are compared: composed, without `@`, in small letters."""
    return unicodedata.normalize("NFC", name).strip().lstrip("@").casefold()


def _each(column: pa.ChunkedArray, ask: Callable[[str], str | None]) -> pa.ChunkedArray:
    """What `ask` says of each value (n,), asked once of each distinct one; null of null."""
    encoded = column.combine_chunks().dictionary_encode()
    found = pa.array([None if value is None else ask(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return found.take(encoded.indices)
