"""What a source tells of a post beside its content: language, link, likes, replies, who and what is answered, alt text.

None of it decides whether a post stays, so what cannot be read is none: a language that is no code (`en`, `pt-BR`), a
link that no browser follows, a count that is no whole number of at least 0, an id that a program rounded.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.reading import cells
from pipeline.tables.details import DETAILS, TOLD

_CODE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
_NO_LANGUAGE = r"^(und|zxx|un|q[a-t][a-z])$"
"""What stands for none: of ISO 639, of TikTok, and of X for tweets of links, mentions or tags alone."""
_LINK, _LONGEST = r"^https?://[^\s<>\"]+$", 2000
_COUNT = r"^\d{1,15}(\.0+)?$"
Column = Any
"""A pa.ChunkedArray."""


def read(rows: pa.Table, path: Path) -> dict[str, Column]:
    """The columns TOLD of `rows`, as far as they are there and can be read; null for the rest."""
    found = {name: _read(name, rows[name], path) for name in TOLD if name in rows.column_names}
    return found | {name: _none(name, rows.num_rows) for name in TOLD if name not in found}


def with_details(rows: pa.Table) -> pa.Table:
    """`rows` with all columns TOLD, null where a source has none."""
    for name in TOLD:
        if name not in rows.column_names:
            rows = rows.append_column(name, _none(name, rows.num_rows))
    return rows


def known(rows: pa.Table) -> pa.Table:
    """Rows of DETAILS: those of which any is known."""
    some = pa.array([False] * rows.num_rows)
    for name in TOLD:
        some = pc.or_(some, rows[name].is_valid())
    return rows.select(DETAILS.schema.names).filter(some)


def _none(name: str, count: int) -> Column:
    return pa.chunked_array([pa.nulls(count, DETAILS.schema.field(name).type)])


def _read(name: str, column: Column, path: Path) -> Column:
    if column.null_count == len(column):
        return _none(name, len(column))
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if name == "alt" and cells.is_names(kind):
        return column.cast(DETAILS.schema.field(name).type)
    whole = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (whole or cells.is_text(kind)):
        return _none(name, len(column))
    if name in ("likes", "replies"):
        if pa.types.is_floating(kind):
            size = pc.and_(pc.greater_equal(column, 0), pc.less(column, 2e15))
            return _if(pc.and_(pc.equal(column, pc.floor(column)), size), column).cast(pa.int64())
        text = column.cast(pa.string()) if whole else cells.texts(column, path, name)[0]
        plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(text), r",(\d{3})", r"\1")
        digits = pc.replace_substring_regex(_if(pc.match_substring_regex(plain, _COUNT), plain), r"\..*", "")
        return digits.cast(pa.int64())
    if name in ("reply_to", "answers"):
        return _not_blank(cells.ids(column, path, name)[0])
    if not cells.is_text(kind):
        return _none(name, len(column))
    text = _not_blank(cells.texts(column, path, name)[0])
    if name == "language":
        none = pc.match_substring_regex(text, _NO_LANGUAGE)
        return _if(pc.and_not(pc.match_substring_regex(text, _CODE), none), text)
    if name == "url":
        return _if(pc.and_(pc.match_substring_regex(text, _LINK), pc.less(pc.utf8_length(text), _LONGEST)), text)
    return _listed(text)


def _if(right: Column, values: Column) -> Column:
    return pc.if_else(pc.fill_null(right, False), values, pa.scalar(None, values.type))


def _not_blank(text: Column) -> Column:
    text = pc.utf8_trim_whitespace(text)
    return _if(pc.not_equal(text, ""), text)


def _listed(text: Column) -> Column:
    """Alt text: JSON's list of several, else one for the first picture."""

    def several(value: str) -> list[str]:
        try:
            held = json.loads(value) if value.startswith("[") else None
        except ValueError:
            held = None
        return [str(one) for one in held if one] if isinstance(held, list) else [value]

    values = [None if value is None else several(value) or None for value in text.to_pylist()]
    return pa.chunked_array([pa.array(values, DETAILS.schema.field("alt").type)])
