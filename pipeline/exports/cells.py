"""What lies in the cells of a row: at paths into JSON, as programs print what is nested, as ids."""

import ast
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pipeline.common.nothing import NAN, OF_R
from pipeline.exports.posts import Shown, as_id, dig, ids, last, rounded

Names = str | list[str]
NOTHING = {"", "0", "False", "false", "FALSE", OF_R}
"""What says that there is nothing."""
_NAN = re.compile(NAN)
_IN_LETTERS = re.compile(
    r"(?:data:image/[\w.+-]+;base64,)?((?:/9j/|iVBORw0KGgo|R0lGOD|UklGR)[A-Za-z0-9+/\s]{40,}=*)\s*"
)
"""A picture in letters (base64), by how JPEG, PNG, GIF and WebP begin."""
Keep = Callable[[str, bytes], str]
"""Sets a picture aside by a name; returns how it is found there (`pipeline.exports.aside`)."""
_CALL = re.compile(r"[A-Z]\w*\(\w+=")
"""How an object begins that Python printed, `User(name='ann')`."""


def listed(names: Names) -> list[str]:
    """One name or several, as several."""
    return [names] if isinstance(names, str) else names


def unfolded(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose columns are paths into JSON, `images/0` and `author/name` as Apify writes them, as it was."""
    found = dict(row)
    for name, value in row.items():
        top, *rest = name.split("/")
        if rest and value not in (None, ""):
            within: Any = found.setdefault(top, {})
            for step in rest[:-1]:
                within = within.setdefault(step, {}) if isinstance(within, dict) else None
            if isinstance(within, dict):
                within[rest[-1]] = value
    return {name: _as_list(value) for name, value in found.items()}


def _as_list(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _as_list(one) for key, one in value.items()}
    return [inner[key] for key in sorted(inner, key=int)] if inner and all(map(str.isdigit, inner)) else inner


def value_at(row: Mapping[str, Any], name: str) -> Any:
    """What lies at a dotted path: a number is a place in a list, `*` all of them; of `a|b` the first that is any."""
    if name in row:
        return row[name]
    if "|" in name:
        return next((found for one in name.split("|") if (found := value_at(row, one.strip()))), None)
    return _along(row, name.split(".")) if "." in name else None


def _along(value: Any, steps: Sequence[str]) -> Any:
    for at, step in enumerate(steps):
        value = spelled(value)
        if step == "*":
            inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
            return [found for one in inner if (found := _along(one, steps[at + 1 :])) is not None]
        value = dig(value, int(step) if step.isdigit() and isinstance(value, list) else step)
    return value


def spelled(value: Any) -> Any:
    """What a cell holds in JSON, or as Python prints it and pandas writes what is nested; another value as it is."""
    if isinstance(value, str) and (value[:1] in ("{", "[") or (value[-1:] == ")" and _CALL.match(value))):
        return _nested(value)
    return value


@lru_cache(8)
def _nested(cell: str) -> Any:
    # Kept, as several columns of a row come from one cell.
    for read in (json.loads, ast.literal_eval, _printed):
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return read(cell)
    return cell


def _printed(cell: str) -> Any:
    """What Python printed of objects: `User(name='ann')` as what it names. Raises ValueError for other expressions."""
    return _meant(ast.parse(cell, mode="eval").body)


def _meant(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [_meant(part) for part in parts]
        case ast.Dict(keys=keys, values=values):
            return {
                key.value: _meant(value)
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
            }
        case ast.Call(args=[], keywords=named):
            return {one.arg: _meant(one.value) for one in named}
        case ast.Call() | ast.Attribute() | ast.UnaryOp():  # a time, its zone, a number below zero
            return None
    raise ValueError(ast.dump(node)[:80])


def text_of(value: Any) -> str:
    """A value as text, of a list the first; what is nested is none."""
    value = next(iter(value), None) if isinstance(value, list) else value
    return "" if value is None or isinstance(value, Mapping) else str(value).strip()


def first(row: Mapping[str, Any], names: Names) -> str | None:
    """The text of the first of the columns that has any."""
    return next((found for name in listed(names) if (found := text_of(value_at(row, name))) not in ("", OF_R)), None)


def id_of(row: Mapping[str, Any], names: Names) -> str | None:
    """The first that is any, as an id: without what pandas and spreadsheets put to it that loses nothing."""
    for name in listed(names):
        found = as_id(text_of(spelled(value_at(row, name))))
        if found and not _NAN.fullmatch(found):
            return found
    return None


def another_id(row: Mapping[str, Any], names: Names) -> str | None:
    """Another's id, the first that is any; one whose last digits are lost, as of a column with gaps, is none."""
    ids = (id_of(row, name) for name in listed(names))
    return next((found for found in ids if found and found not in NOTHING and not rounded(found)), None)


def parts(value: Any, separated: str | None) -> list[Any]:
    """What a cell holds: a list, one in the notation of JSON or Python, values `separated` by a mark, or one value."""
    if value is None or value in ("", OF_R):
        return []
    value = spelled(value)
    if isinstance(value, str) and value[:1] == "[":
        value = re.findall(r"'([^']+)'", value)
    if isinstance(value, str):
        value = value.split(separated) if separated else [value]
    return value if isinstance(value, list) else [value]


def shown_in(value: Any, separated: str | None, keep: Keep | None) -> Iterator[Shown]:
    """The pictures of a cell: addresses, names, media objects of X as JSON, pictures in letters, or one that the reader
    set aside.
    """
    alone = isinstance(value, str) and _IN_LETTERS.fullmatch(value)  # its comma separates nothing
    for one in [value] if alone else parts(value, separated):
        if isinstance(one, Mapping):
            cover = one.get("thumbnailUrl")
            keys = ("media_url_https", "fullUrl", "full", "original", "fullsize", "url", "preview_image_url", "path",
                    "src")  # fmt: skip
            url = next(filter(None, (cover, *(one.get(key) for key in keys))), None)
            file = next(filter(None, (one.get(key) for key in ("path", "file_name", "filename"))), None)
            letters = _IN_LETTERS.fullmatch(str(one.get("bytes") or ""))
            aside = _kept(letters[1], keep) if letters and keep else one.get("aside")
            names = ids(aside, url, last(url), one.get("media_key"), file, one.get("bytes"))
            if names:
                video = bool(cover) or one.get("type", "photo") not in ("photo", "image")
                alts = map(one.get, ("alt_text", "altText", "ext_alt_text", "alt"))
                yield Shown(names, video, next(filter(None, alts), None))
        elif (text := text_of(one)) and (found := _IN_LETTERS.fullmatch(text)) and keep:
            yield Shown((_kept(found[1], keep),))
        elif text:
            yield Shown(ids(text, *(_of_address(text) if "://" in text else ())))


def _kept(letters: str, keep: Keep) -> str:
    data = base64.b64decode(letters)
    return keep(hashlib.sha256(data).hexdigest(), data)


def _of_address(url: str) -> Iterator[str]:
    """The last step of an address, and the file that X's name in their query: `…/media/Exy?format=jpg&name=large`."""
    yield last(url)
    if found := re.search(r"[?&]format=(jpe?g|png|webp)\b", url):
        yield f"{last(url)}.{found[1]}"
