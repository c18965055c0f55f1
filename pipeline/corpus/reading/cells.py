r"""What stands in the cells of a table from outside: ids, texts, lists, times and truth values, by people's tools.

The one place where each is read. Every function gives the values, null where there is none, and beside them what is
wrong with a cell: null, or a reason, a colon and what was found. Nothing is guessed: where a value cannot be mended
without loss it is refused.

- ids: whole numbers of any kind of column are their digits, also with `.0` behind at most 15 of them (a float that lost
  nothing). 1.20034E+17, and `.0` behind more digits, are ids that a spreadsheet or a column of floats rounded: refused.
  Rounded plain digits only a whole column shows: `pipeline.corpus.rounded`. UUIDs are text.
  `="123"`, `'123` and `'@ann` are what makes Excel leave 123 and @ann alone, and of a link in a cell its label counts.
  NaN is none, and so is `[deleted]`, by which many people would be one; in texts too (`pipeline.common.nothing`).
  `#NAME?` and its like are what a spreadsheet left of a value that it took for a formula: refused, in ids and texts.
- texts: UTF-8; bytes that Python wrote as text, `b'…'`, are decoded where all of a column are such.
- lists: of a column of lists; or text, as JSON, as Python, numpy and R write lists, as Postgres does, {a,b}; else
  on lines of its own each, with or without bullets, or separated by `;`, or, where no cell has one, by `|`, or else by
  commas, these also as Chinese, Japanese and Arabic have them. The `;` of `&amp;` separates no interests.
  Lists of other things than names, and lists that were cut off, are refused.
- times: ISO 8601; Unix time in s, ms, µs or ns, told apart by its size; 20240501100000; RFC 2822; as Twitter and
  JavaScript write it; otherwise with the year first, or the month in English letters, as `pipeline.common.times` has
  it. UTC where no zone is given. Days and months in figures alone
  (05/01/2024) are refused, unless the year comes first; 0000-00-00 is MySQL's none, 0001-01-01 that of C#, 1970-01-01
  that of whoever has 0 for it. Years after 2199 and before 1600 are of another calendar, and no times.
"""

import ast
import contextlib
import csv
import html
import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.nothing import FALSE, NO_TEXT, NOBODY, TRUE
from pipeline.common.times import FIRST_DAY, LAST, NEVER, moment, of_number
from pipeline.corpus.names import folded
from pipeline.corpus.rounded import ROUNDED
from pipeline.running.errors import UserError

LISTS = ("interests", "more_images")
LOST = "value lost in a spreadsheet"
NO_TIME, NOT_TEXT = "created_at is no time", "unreadable row"
IN_TABLE = "If pictures stand in the table itself, set corpus.source to export, which reads them."
_AGAIN = ", what a program left of a value that it took for a formula; export the table again as text"
MAX_TEXT = 1 << 20
"""Bytes of a post's text. Longer ones are no posts, and cost whoever reads them."""

Cells = tuple[pa.ChunkedArray, pa.ChunkedArray]
"""Values, and what is wrong with each, null where nothing is."""

_TEXT_KINDS = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary),
)
_NO_NAME = (
    r"^\s*(|nan|NaN|<NA>|NaT|[Nn]one|null|NULL|NA|[Nn]/[Aa]|-|\.|character\(0\)|\[\s*(None|null|nan)?\s*\]|\{\s*\}"
    r"|undefined|False|false|FALSE)\s*$"
)
_AS_TEXT = r"""^\s*(?:=?\(?"([^"]*)"\)?|'([0-9]+|[=+@-].*)|b'(.*)'|b"(.*)"|=HYPERLINK\("[^"]*"[,;] ?"([^"]*)"\))\s*$"""
_ERRORS = (
    r"^\s*(#(N/A|N/D|N/B|Н/Д|I/T|[¡¿]?(REF|VALUE|DIV/0|NULL|NUM|SPILL|CALC|ERROR|NULO|VALOR|BEZUG|WERT|ZAHL|VALEUR|RIF"
    r"|VALORE|NÚM|VERW|WAARDE|GETAL|ADR|ARG|LICZBA|DZIEL/0|ССЫЛКА|ЗНАЧ|ЧИСЛО|ДЕЛ/0|VÄRDEFEL|REFERENS|VÆRDI|VERDI"
    r"|ARVO|VIITTAUS|HODNOTA|ODKAZ|ÉRTÉK|HIV|DEĞER|BAŞV)!"
    r"|¿?(NAME|NOM|NOMBRE|NOME|NAAM|NAZWA|ИМЯ|NAMN|NAVN|NIMI|NÁZEV|NÉV)\?)|Err:5\d\d)\s*$"
)
"""Of Excel and Google Sheets, and as Excel writes them in other languages; the last is LibreOffice's."""
_TOO_NARROW = r"^#{3,}$"
_SCIENTIFIC = r"^[+-]?\d+([.,]\d+)?[eE]\+\d+$|^[+-]?\d+[.,]\d+[eE]\d+$|^\d{16,}\.0*$|^\d(\.\d+)?e-\d{3}$"
"""The last is what R prints of whole numbers of 64 bits (bit64) that it takes for floats."""
_BYTES = re.compile(r"""b'.*'|b".*\"""", re.DOTALL)
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_CALLED = re.compile(
    r"(?:set|frozenset|array|list|tuple|dict_keys|Counter|Index|c|List|Seq|Vector|WrappedArray)"
    r"\((.*?)(?:,\s*dtype=\S+)?\)",
    re.DOTALL,
)
_SEPARATORS = ("\n", ";；؛", "|", ",，、،", "\t")
_CODE = re.compile(r"""\[['"{[]|\{['"]|a:\d+:\{""")
"""How a list begins that is none of names or was cut off; the last as PHP writes it."""
_IN_QUOTES = re.compile(r"""^["'“„‘‚«]([^"“”„«»]+)["'”“’‘»]$""")
_BULLET = re.compile(r"^\s*(?:[•‣◦▪]\s*|[-–*·]\s+)", re.MULTILINE)
_ENTITY = re.compile(r"&(?:#\w+|[A-Za-z]+);")

_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$"
_DATE, _ZONE = r"^\d{4}-\d\d-\d\d$", r":.*(Z|[+-]\d\d(:?\d\d)?)$"
_UTC = pa.timestamp("us", "UTC")
_NONE = pa.array([datetime(1970, 1, 1), datetime(1, 1, 1)], pa.timestamp("us"))
_ENDS = ((pc.greater, LAST), (pc.less, FIRST_DAY))
_TWITTER, _AS_TWITTER = "%a %b %d %H:%M:%S %z %Y", r"[A-Z][a-z]{2} [A-Z][a-z]{2} "
_SHORT = ((r"^(\d{4}-)(\d-)", r"\10\2"), (r"^(\d{4}-\d\d-)(\d)($|[T ])", r"\10\2\3"), (r"^(\S{10}[T ])(\d:)", r"\10\2"))
"""Months, days and hours of one figure, and the same with two."""
_EAST = {"WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9,
         "EDT": -4, "EST": -5, "CDT": -5, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}  # fmt: skip
"""Hours of the zones whose letters mean one: not CST, BST, IST."""


def texts(column: pa.ChunkedArray, path: Path, name: str) -> Cells:
    """A column of text. Raises UserError for another kind of column than text or whole numbers."""
    values, wrong = _utf8(_plain(column), path, name)
    no_word = _NO_NAME if name in ("image", *LISTS) else NO_TEXT
    values = pc.if_else(pc.match_substring_regex(values, no_word), None, values)
    values, wrong = _refused(values, wrong, _ERRORS, f"{LOST}: {name} is ", _AGAIN)
    given = values.drop_null().to_pylist() if _begins_as_bytes(values) else []
    if given and all(map(_BYTES.fullmatch, given)):
        values = _chunked(
            [None if v is None else ast.literal_eval(v).decode(errors="replace") for v in values.to_pylist()]
        )
    long = pc.fill_null(pc.greater(pc.binary_length(values), MAX_TEXT), False)
    if pc.any(long).as_py():
        wrong = pc.if_else(long, f"too long a {name}: more than {MAX_TEXT >> 20} MiB", wrong)
        values = pc.if_else(long, None, values)
    return values, wrong


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column, or where it holds lists of names these in the notation of JSON."""
    column = _plain(column)
    if not is_names(column.type):
        return column
    return _chunked([json.dumps(names, ensure_ascii=False) if names else None for names in column.to_pylist()])


def ids(column: pa.ChunkedArray, path: Path, name: str) -> Cells:
    """A column of ids, as the module's top tells."""
    column = _plain(column)
    kind = column.type
    if pa.types.is_floating(kind):
        exact = 2 ** {16: 11, 32: 24, 64: 53}[kind.bit_width]
        column = _chunked([None if v is None or v - v else _shortest(v, exact) for v in column.to_pylist()])
    elif pa.types.is_decimal(kind):
        column = pc.replace_substring_regex(column.cast(pa.string()), r"^(\d+)\.0+$", r"\1")
    elif pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16:
        column = _chunked([None if v is None else str(uuid.UUID(bytes=v)) for v in column.to_pylist()])
    values, wrong = _utf8(column, path, name)
    values = folded(pc.if_else(pc.match_substring_regex(values, NOBODY), None, values))
    values = pc.replace_substring_regex(values, _AS_TEXT, r"\1\2\3\4\5")
    for pattern in (_ERRORS, _TOO_NARROW):
        values, wrong = _refused(values, wrong, pattern, f"{LOST}: {name} is ", _AGAIN)
    values, wrong = _refused(
        values, wrong, _SCIENTIFIC, f"{ROUNDED}: {name} is ", "; export the table again with ids as text"
    )
    return pc.replace_substring_regex(values, r"^(\d{1,15})\.0*$", r"\1"), wrong


def lists(column: pa.ChunkedArray, path: Path, name: str) -> Cells:
    """A column of lists of names, or of text that holds some; empty names are none."""
    column = _named(_plain(column))
    if is_names(column.type):
        kept = [None if value is None else [part for part in value if part] for value in column.to_pylist()]
        return _chunked(kept, pa.list_(pa.string())), _nothing_wrong(column)
    text, wrong = texts(column, path, name)
    held = text.to_pylist()
    found = split_lists([_labels(value) for value in held] if name == "interests" else held)
    bad = _chunked(
        [
            f"{NOT_TEXT}: {name} is {names[:80]!r}, no list of names" if isinstance(names, str) else None
            for names in found
        ]
    )
    names = [None if isinstance(names, str) else names for names in found]
    return _chunked(names, pa.list_(pa.string())), pc.coalesce(wrong, bad)


def split_lists(values: Sequence[str | None]) -> list[list[str] | str | None]:
    """Texts as the names they list; the text itself where it is a list, but none of names, or was cut off."""
    listed = [value.strip() for value in values if value and value.strip()]
    plain = [value for value in listed if value[0] not in "[({" and not _CALLED.fullmatch(value)]
    separators = next((some for some in _SEPARATORS if any(set(some) & set(value) for value in plain)), ",")
    return [None if value is None or not value.strip() else _names(value.strip(), separators) for value in values]


def _names(text: str, separators: str) -> list[str] | str:
    if text[0] == text[-1] == '"':  # a string of JSON, in which a list may stand
        with contextlib.suppress(ValueError):
            text = json.loads(text).strip() or "[]"
    if called := _CALLED.fullmatch(text):  # as Python, numpy, pandas, R and Spark print lists
        text = called[1] if called[1][:1] in ("[", "(", "{") else f"[{called[1]}]"
    if text[0] + text[-1] not in ("[]", "()", "{}"):
        return text if _CODE.match(text) else _bare(re.split(f"[{separators}]", text))
    inner = text[1:-1]
    quoted = ["".join(pair) for pair in _QUOTED.findall(inner)]
    if len(quoted) > 1 and not _QUOTED.sub("", inner).strip():  # as numpy prints them, without commas
        found: Any = quoted
    else:
        mark = '"' if '"' in inner else "'"  # as DuckDB quotes names with commas
        found = next(csv.reader([inner], skipinitialspace=True, quotechar=mark), [])
        for read in (json.loads, ast.literal_eval):
            with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                found = read(text)
                break
    found = found if isinstance(found, list | tuple | set) else [found]
    if any(isinstance(value, dict | list | tuple | set) or value is ... for value in found):
        return text
    return _bare([str(value) for value in found if value is not None and value != "nan"])


def _bare(names: Sequence[str]) -> list[str]:
    """Names without blanks and a pair of quotes around them; empty ones are none."""
    return [name for part in names if (name := _IN_QUOTES.sub(r"\1", part.strip()).strip())]


def _labels(text: str | None) -> str | None:
    """A cell of interests with entities of HTML resolved, lest their `;` separate, and without bullets before lines."""
    return text and _BULLET.sub("", _ENTITY.sub(lambda found: html.unescape(found[0]), text))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, or bytes that may be some."""
    return any(is_kind(kind) for is_kind in _TEXT_KINDS)


def is_names(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists of text."""
    are_lists = (pa.types.is_list, pa.types.is_large_list)
    return any(is_list(kind) for is_list in are_lists) and any(is_kind(kind.value_type) for is_kind in _TEXT_KINDS[:3])


def _named(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of lists, of bytes as text; of empty lists alone, whose kind nothing tells, as none."""
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return column
    if pa.types.is_null(kind.value_type):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])
    return column.cast(pa.list_(pa.string())) if pa.types.is_binary(kind.value_type) else column


def truth(value: object) -> bool | None:
    """True or false, which none is too; None for anything else."""
    written = str("" if value is None else value).strip().lower()
    return True if written in TRUE else False if written in FALSE | {"", "nan", "none", "null", "na"} else None


def instants(column: pa.ChunkedArray, path: Path) -> Cells:
    """A column as instants in UTC."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        found = column.cast(pa.timestamp("us"), safe=False)
        return _in_time(found, found.cast(pa.string()), _nothing_wrong(column))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = _chunked([None if v is None or v != v else format(v, ".6f") for v in column.to_pylist()])
    written, wrong = _utf8(_plain(column), path, "created_at")
    written = pc.utf8_trim_whitespace(written)
    written = pc.if_else(pc.match_substring_regex(written, NEVER), None, written)
    text = pc.replace_substring_regex(written, r" ?(UTC|GMT)$", "Z")
    if pc.any(pc.match_substring_regex(text, r" [A-Z]{3,4}$")).as_py():
        for zone, hours in _EAST.items():
            text = pc.replace_substring_regex(text, f" {zone}$", f"{hours:+03}:00")
    text = pc.replace_substring_regex(text, r"^(\d{4})/(\d\d?)/(\d\d?)", r"\1-\2-\3")
    for pattern, instead in _SHORT:
        text = pc.replace_substring_regex(text, pattern, instead)
    text = pc.replace_substring_regex(text, r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", r"\1-\2-\3T\4:\5:\6")
    text = pc.if_else(pc.match_substring_regex(text, _ISO), text, pa.scalar(None, pa.string()))
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    text = pc.if_else(pc.match_substring_regex(text, _DATE), pc.binary_join_element_wise(text, "T00:00", ""), text)
    text = pc.if_else(pc.match_substring_regex(text, _ZONE), text, pc.binary_join_element_wise(text, "Z", ""))
    try:
        found = text.cast(_UTC)
    except pa.ArrowInvalid:
        found = _chunked([_instant(value) for value in text.to_pylist()], _UTC)
    found = found.cast(pa.timestamp("us"))
    other = pc.and_(pc.is_valid(written), pc.is_null(found))
    if pc.any(other).as_py():
        found = pc.if_else(other, _chunked(_otherwise(written, other), pa.timestamp("us")), found)
    return _in_time(found, written, wrong)


def _in_time(found: pa.ChunkedArray, written: pa.ChunkedArray, wrong: pa.ChunkedArray) -> Cells:
    """Times, null where what is written is none, or of another calendar; what is 0 to computers is none."""
    none = pc.is_in(found, value_set=_NONE)
    found, written = (pc.if_else(none, None, values) for values in (found, written))
    late, early = (compare(found, pa.scalar(end, pa.timestamp("us"))) for compare, end in _ENDS)
    found = pc.if_else(pc.or_(late, early), None, found)
    bad = pc.and_(pc.is_valid(written), pc.is_null(found))
    return found, pc.if_else(bad, pc.binary_join_element_wise(f"{NO_TIME}: ", written, ""), wrong)


def _otherwise(written: pa.ChunkedArray, asked: pa.ChunkedArray) -> list[datetime | None]:
    """Times in other ways than ISO 8601, of the rows that are `asked`."""
    import pandas as pd  # half a second, and times are mostly ISO 8601

    values = pd.Series(written.to_pylist(), dtype=object).where(pd.Series(asked.to_pylist()))
    # Of what does not look like one pandas would take `now` and `today` for times.
    likely = values.where(values.str.match(_AS_TWITTER, na=False))
    twitter = pd.to_datetime(likely, format=_TWITTER, errors="coerce", utc=True).dt.tz_localize(None)
    found: list[datetime | None] = [None if pd.isna(t) else t.to_pydatetime() for t in twitter]
    for at, value in enumerate(values):
        if found[at] is None and isinstance(value, str):
            found[at] = of_number(value) or moment(value)
    return found


def _instant(text: str | None) -> pa.Scalar | None:
    try:
        return pa.scalar(text, pa.string()).cast(_UTC)
    except pa.ArrowInvalid:  # a date that no calendar has
        return None


def _refused(values: pa.ChunkedArray, wrong: pa.ChunkedArray, pattern: str, before: str, behind: str) -> Cells:
    """Without the values that match, which are told as wrong."""
    bad = pc.fill_null(pc.match_substring_regex(values, pattern), False)
    if not pc.any(bad).as_py():
        return values, wrong
    told = pc.binary_join_element_wise(before, values, behind, "")
    return pc.if_else(bad, None, values), pc.if_else(bad, told, wrong)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without dictionary and extension type."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _utf8(column: pa.ChunkedArray, path: Path, name: str) -> Cells:
    """A column of text, whole numbers or nothing, as text."""
    kind = column.type
    if pa.types.is_floating(kind) and column.null_count + _nans(column) == len(column):
        column, kind = pa.chunked_array([pa.nulls(len(column))]), pa.null()  # as pandas has an empty column
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return column.cast(pa.string()), _nothing_wrong(column)
    if not is_text(kind):
        to_do = " " + IN_TABLE if name == "image" else ""
        expected = "lists of text, or text" if name in LISTS else "text or whole numbers"
        raise UserError(f"{path}: column {name} is of the type {kind}; expected {expected}.{to_do}")
    data = column.cast(pa.binary())
    try:
        return data.cast(pa.string()), _nothing_wrong(column)
    except pa.ArrowInvalid:
        text = _chunked([None if value is None else _decoded(value) for value in data.to_pylist()])
        bad = pc.and_(pc.is_null(text), pc.is_valid(data))
        to_do = f". {IN_TABLE}" if name == "image" else ""
        return text, pc.if_else(bad, f"{NOT_TEXT}: {name} is not UTF-8{to_do}", pa.scalar(None, pa.string()))


def _nans(column: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.is_nan(column)).as_py() or 0)


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _shortest(value: float, exact: int) -> str:
    """A float that was a whole number below `exact`, as its digits; any other in the form that `ids` refuses."""
    whole = value == value // 1
    return str(int(value)) if whole and abs(value) < exact else f"{value:.17E}" if whole else f"{value:.17f}E+00"


def _begins_as_bytes(values: pa.ChunkedArray) -> bool:
    first = next((value.as_py() for chunk in values.chunks for value in chunk if value.is_valid), "")
    return first[:2] in ("b'", 'b"')


def _nothing_wrong(column: Any) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(column), pa.string())])


def _chunked(values: Sequence[object], kind: pa.DataType = pa.string()) -> pa.ChunkedArray:  # noqa: B008
    return pa.chunked_array([pa.array(values, kind)])
