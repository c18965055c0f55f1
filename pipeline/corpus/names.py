"""Names from outside, folded: ids of users and posts, labels of interests. The one place where that is done.

They go into pages, plots, tables and comments of others, who escape them for their own format; what no name needs is
taken out here, once, whatever the source: controls and line ends become blanks, marks of direction and letters without
width go, angle brackets become ‹ and ›, letters are composed (NFC). What is longer than a name is refused or cut.
"""

import unicodedata
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

MAX_ID, MAX_LABEL = 256, 80
"""Letters of an id, and of a label. Longer ids are refused, as two may begin alike; labels are cut."""

_BLANKS = r"[\x00-\x1f\x7f-\x9f\x{2028}\x{2029}]+"
_UNSEEN = r"[\x{ad}\x{61c}\x{180e}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}\x{fff9}-\x{fffb}]+"


def folded(names: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Names without what no name needs; folding again changes nothing."""
    for pattern, instead in ((_BLANKS, " "), (_UNSEEN, ""), ("<", "‹"), (">", "›")):
        names = pc.replace_substring_regex(names, pattern, instead)
    return pc.utf8_trim_whitespace(pc.utf8_normalize(names, form="NFC"))


def plain(name: str) -> str:
    """What names share that differ in capitals, an @ before them or the kind of letters alone."""
    return unicodedata.normalize("NFKC", name).casefold().lstrip("@")


def labels(names: Iterable[str]) -> list[str]:
    """The labels of one person, folded, cut, sorted, each once."""
    found = folded(pa.array(list(names), pa.string())).to_pylist()
    return sorted({name if len(name) <= MAX_LABEL else name[: MAX_LABEL - 1] + "…" for name in found if name})
