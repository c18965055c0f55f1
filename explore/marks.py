"""The file of collections of users, images and posts, `data/marks.csv` beside the corpus's tables, never in Git.

It has a row per marked thing: collection, kind (user, image or post), id, note; sorted, so that equal marks are equal
bytes. People edit it by hand and in spreadsheets, so it is read as these save it, and written as CSV in UTF-8.
"""

import csv
import io
import threading
import unicodedata
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import NamedTuple

from pipeline.running.errors import UserError
from pipeline.running.files import write_text

KINDS = ("user", "image", "post")
COLUMNS = ("collection", "kind", "id", "note")
LONGEST, LONGEST_NOTE = 60, 2_000
"""Characters of a collection's name, and of a note."""


class Mark(NamedTuple):
    """One thing in a collection."""

    collection: str
    kind: str
    id: str
    note: str = ""


Held = dict[tuple[str, str, str], str]
"""Notes by collection, kind and id."""


class Marks:
    """The collections in the file `path`, read anew where that has changed: it may be edited by hand meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read: tuple[object, list[Mark]] = None, []

    def read(self) -> list[Mark]:
        """All marks, sorted. Raises UserError where the file is no table of marks."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return []
        now = state.st_mtime_ns, state.st_size, state.st_ino
        if self._read[0] != now:
            try:
                self._read = now, [Mark(*key, note) for key, note in sorted(_rows(self.path).items())]
            except (OSError, UnicodeError, csv.Error) as error:
                raise UserError(
                    f"{self.path} cannot be read as a table ({error}); it has to be CSV in UTF-8."
                ) from None
        return self._read[1]

    def change(
        self, collection: str, kind: str, names: Iterable[str], add: bool = True, note: str | None = None
    ) -> str:
        """Put things into a collection, with a `note` if any, or take them out; what the collection is called then.

        What is in it already keeps its note where none is given. Raises ValueError for a name that cannot be one.
        """
        collection, note = called(collection), None if note is None else _noted(note)
        if kind not in KINDS:
            raise ValueError(f"Marks are of {', '.join(KINDS)}, not of {kind[:40]}.")
        with self._lock:
            held = self._held()
            for name in names:
                key = collection, kind, name
                if add:
                    held[key] = held.get(key, "") if note is None else note
                else:
                    held.pop(key, None)
            self._write(held)
        return collection

    def forget(self, gone: Set[str]) -> int:
        """Take out all with one of these ids; how many that were."""
        with self._lock:
            held = self._held()
            left = {key: note for key, note in held.items() if key[2] not in gone}
            self._write(left)
        return len(held) - len(left)

    def _held(self) -> Held:
        return {mark[:3]: mark.note for mark in self.read()}

    def _write(self, held: Held) -> None:
        written = io.StringIO()
        sheet = csv.writer(written)
        sheet.writerow(COLUMNS)
        sheet.writerows((*key, note) for key, note in sorted(held.items()))
        try:
            write_text(written.getvalue(), self.path)
        except OSError as error:
            raise UserError(f"{self.path} cannot be written ({error.strerror}); it stays as it is.") from None

    def collections(self) -> Mapping[str, list[Mark]]:
        """Marks by collection."""
        found: dict[str, list[Mark]] = {}
        for mark in self.read():
            found.setdefault(mark.collection, []).append(mark)
        return found


def called(name: str) -> str:
    """A collection's name as it is kept. Raises ValueError for what cannot be one."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not 0 < len(name) <= LONGEST or not name.isprintable() or "/" in name or name in (".", ".."):
        raise ValueError(
            f"A collection's name has 1 to {LONGEST} printable characters, without a slash, and is not . or .."
        )
    return name


def _noted(note: str) -> str:
    if len(note := " ".join(note.split())) > LONGEST_NOTE:
        raise ValueError(f"A note has at most {LONGEST_NOTE:,} characters.")
    return note


def _rows(path: Path) -> Held:
    """The rows of the file, with commas, semicolons or tabs between cells, in UTF-8 or UTF-16, columns in any order."""
    data = path.read_bytes()
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    if not text.strip():
        return {}
    first = text.partition("\n")[0]
    sheet = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count), skipinitialspace=True)
    header = [name.strip().casefold() for name in next(sheet, [])]
    if len(set(header)) < len(header) or not set(COLUMNS[:3]) <= set(header) <= set(COLUMNS):
        told = ", ".join(header)[:120] or "no columns"
        raise UserError(
            f"{path} has columns {told}; they have to be {', '.join(COLUMNS[:3])}, and may be {COLUMNS[3]}."
        )
    held: Held = {}
    for cells in sheet:
        if not any(cells):
            continue
        row = dict(zip(header, cells, strict=False))
        about = f"{path}, line {sheet.line_num}"
        if len(row) < len(COLUMNS[:3]) or any(cells[len(header) :]):
            raise UserError(f"{about} has {len(cells)} cells; there are {len(header)} columns.")
        if (kind := row["kind"].strip().casefold()) not in KINDS:
            raise UserError(f"{about} has a mark of kind {kind[:40]!r}; marks are of {', '.join(KINDS)}.")
        try:
            key = called(row["collection"]), kind, row["id"]
            held[key] = _noted(row.get("note", "")) or held.get(key, "")
        except ValueError as error:
            raise UserError(f"{about}: {error}") from None
    return held
