"""JSON that is neither one document nor one value a line: what joining, printing and interrupted downloads leave.

Lists one behind the other, objects over many lines, a comma behind each line, a list that was cut off: what is whole in
it is read, and what is not is told where it stands.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_BETWEEN = re.compile(r"[\s,\[\]\x1e\ufeff]*")
"""What stands between values: also brackets of lists that they are in, and the mark of JSON sequences (RFC 7464)."""
_NEXT = re.compile(r"\n[\s,\[]*(?=\{)")
MONGO = re.compile(rb'"\$(?:oid|date|numberLong|numberInt|numberDouble|numberDecimal)"\s*:')
"""What shows that MongoDB wrote a document: its kinds of values that JSON has none for stand in objects."""


BROKEN = (ValueError, RecursionError)
"""What Python's decoder raises at what is no JSON, or is nested without end."""


def without_halves(text: str) -> str:
    """A text without halves of emoji, as programs leave them that cut it between the two: they stand for nothing."""
    return text.encode("utf-8", "ignore").decode()


def without_kinds(value: Any) -> Any:
    """A value of MongoDB's JSON as plain JSON has it: of `{"$oid": "65"}` and the like what is inside."""
    if isinstance(value, list):
        return [without_kinds(one) for one in value]
    if not isinstance(value, dict):
        return value
    return unkind({key: without_kinds(one) for key, one in value.items()})


def unkind(value: dict[str, Any]) -> Any:
    """An object of JSON, or what is in it where it is but a value of MongoDB's with its kind."""
    key = next(iter(value)) if len(value) == 1 else ""
    return value[key] if key[:1] == "$" and MONGO.match(f'"{key}":'.encode()) else value


def mended(held: dict[str, Any]) -> Any:
    """An object of JSON without halves of emoji and MongoDB's kinds, those within it being so already."""
    return unkind({without_halves(key): _mended(value) for key, value in held.items()})


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(one) for one in value]
    return without_halves(value) if isinstance(value, str) else value


def values(text: str, decoder: json.JSONDecoder) -> Iterator[Any]:
    """The values in `text`, one after the other, those of lists one by one; a ValueError for what is broken or cut off.

    After something broken it goes on with the next line that begins an object.
    """
    at = 0
    while True:
        found = _BETWEEN.match(text, at)
        at = found.end() if found else at
        if at >= len(text):
            return
        try:
            value, at = decoder.raw_decode(text, at)
            yield value
        except BROKEN as error:
            line = text.count("\n", 0, at) + 1
            what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            yield ValueError(f"what begins in line {line} is broken or cut off ({what})")
            onward = _NEXT.search(text, at)
            if not onward:
                return
            at = onward.end()


def of_line(text: str, decoder: json.JSONDecoder) -> list[Any]:
    """The values of one line: one, those of a list, or several that stand side by side, commas behind them or not.

    Raises one of BROKEN where any of it is broken; of a line of a bracket alone there are none.
    """
    try:
        found = decoder.decode(text.strip("\ufeff \t\r\n"))
        return found if isinstance(found, list) else [found]
    except ValueError:
        held = list(values(text, decoder)) if len(text.strip()) > 2 else []
        if (held or text.strip(" \t\r\n,[]")) and not any(isinstance(one, dict) for one in held):
            raise
        if any(isinstance(one, ValueError) for one in held):
            raise
        return held


def by_lines(head: bytes) -> bool:
    """Whether of a file that begins so each line is a value: not where an object goes on in its second line."""
    first, _, rest = head.lstrip().partition(b"\n")
    return not (first.startswith(b"{") and rest.lstrip()[:1] in (b'"', b"}"))
