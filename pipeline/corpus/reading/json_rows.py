"""Rows of JSON: a file's lines or values, the objects among them, and their values as the text of cells."""

import io
import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pipeline.common import json_values
from pipeline.corpus.reading import packing
from pipeline.corpus.reading.cells import LISTS
from pipeline.corpus.reading.packing import Told
from pipeline.running.errors import UserError
from pipeline.tables.details import TOLD


def objects(path: Path, stream: Told) -> Iterator[object]:
    """The lines of a file of JSON, not yet read; or the values of what is one document, or several over many lines.

    Raises UserError for what is neither.
    """
    lines = io.BufferedReader(stream, 1 << 20)
    head = lines.peek(1 << 12).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[" or not json_values.by_lines(head):
        text = lines.read()
        try:
            whole = _loaded(text)
            yield from whole if isinstance(whole, list) else [whole]
        except json_values.BROKEN as error:
            if head[:1] == b"[" and packing.kind_of(path) != ".json":
                yield from text.split(b"\n")
                return
            try:
                yield from json_values.values(text.decode("utf-8-sig"), _DECODER)
            except UnicodeDecodeError:
                raise UserError(f"{path} cannot be read as JSON: {error}") from None
        return
    while line := lines.readline(packing.BLOCK):
        if len(line) < packing.BLOCK or line.endswith(b"\n"):
            yield line
            continue
        yield ValueError(f"longer than {packing.BLOCK >> 20} MB")
        while (line := lines.readline(packing.BLOCK)) and not line.endswith(b"\n"):
            pass


def each_object(part: list[tuple[int, object]], needed: Sequence[str]) -> Iterator[tuple[int, object]]:
    """What stands in each of the numbered rows, which should be objects; of a line that cannot be read, the error."""
    for number, row in part:
        found = [row]
        if isinstance(row, bytes):
            if not row.strip():
                continue
            try:
                found = json_values.of_line(row.decode(), _DECODER)
            except json_values.BROKEN as error:
                found = [error]
        for one in found:
            inner = _within(one, needed) if isinstance(one, dict) and number == 1 else None
            yield from ((number, one),) if inner is None else enumerate(inner, start=1)


def _within(whole: dict[str, Any], needed: Sequence[str], deep: int = 3) -> list[Any] | None:
    """The rows in an object that holds them all: a list within it, however `deep`; rows or columns by their names, as
    pandas and R write tables.
    """
    columns = [whole.get(name) for name in needed]
    rows = list(whole.values())
    if rows and all(isinstance(row, dict) and set(needed) <= set(row) for row in rows):
        return rows
    if all(isinstance(column, list) and len(column) != 1 for column in columns):  # R's data frame by columns
        lists = {name: column for name, column in whole.items() if isinstance(column, list)}
        return [dict(zip(lists, row, strict=False)) for row in zip_longest(*lists.values())]
    if all(isinstance(column, dict) for column in columns):
        held = {name: column for name, column in whole.items() if isinstance(column, dict)}
        return [{name: column.get(key) for name, column in held.items()} for key in held[needed[0]]]
    if (
        isinstance(names := whole.get("columns"), list)
        and set(needed) <= set(names)
        and isinstance(whole.get("data"), list)
    ):
        return [dict(zip(names, row, strict=False)) for row in whole["data"]]
    if any(column is not None for column in columns):
        return None
    listed = (value for value in whole.values() if isinstance(value, list) and value and isinstance(value[0], dict))
    inner = (value for value in whole.values() if isinstance(value, dict)) if deep else ()
    found = next((value for value in listed if set(needed) <= set(value[0])), None)
    return found or next(filter(None, (_within(value, needed, deep - 1) for value in inner)), None)


def _loaded(text: bytes) -> Any:
    return _DECODER.decode(text.decode("utf-8-sig").strip())


class _Written(str):
    """A number of JSON as it is written."""


_DECODER = json.JSONDecoder(parse_float=_Written, parse_constant=lambda _: None, object_hook=json_values.unkind)
"""Numbers with a point or exponent stay as they are written: an id must not be rounded here."""


def as_text(name: str, value: object) -> str | None:
    """A value of JSON as text; a list as JSON. Raises ValueError where that is not what the column holds."""
    if value is None or (value is False and name in ("text", "image", *LISTS)):  # of PHP, for none
        return None
    if name in TOLD:  # decides nothing: what is no text and no number is none
        return json.dumps(value) if name == "alt" and isinstance(value, list) else _told(value)
    if isinstance(value, list) and len(value) <= 1 and name not in (*LISTS, "image"):  # as R boxes single values
        return as_text(name, value[0] if value else None)
    if isinstance(value, list) and name in (*LISTS, "image") and all(isinstance(label, str | None) for label in value):
        held = [label for label in value if label]
        return json.dumps(held) if held or name in LISTS else None
    if isinstance(value, int) and isinstance(value, bool) == (name == "brand"):
        value = str(value)
    if not isinstance(value, str) or (isinstance(value, _Written) and name in ("text", "image", *LISTS)):
        raise ValueError(f"{name} is of the kind {'float' if isinstance(value, _Written) else type(value).__name__}")
    if name == "text":
        return json_values.without_halves(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half of a letter: {value!a}") from None
    return str(value)


def _told(value: object) -> str | None:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    return json_values.without_halves(str(value))
