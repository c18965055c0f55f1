"""Texts as they were written, for the audit: none of the cleaning is used, whose faults the audit would then share.

A word is a run of letters and digits in lower case, links apart; of scripts that set no spaces, a single character.
"""

import re
from collections.abc import Iterator

import pyarrow as pa

LINK = re.compile(r"\b(?:https?://|www\.)\S+")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
AT_ONCE = 65_536
"""Texts of which all words are in memory at a time."""


def written_words(texts: pa.ChunkedArray, chosen: pa.ChunkedArray | pa.Array) -> Iterator[pa.Array]:
    """The words of each of n texts as written, lists of strings, AT_ONCE at a time; none where a text is null or not
    `chosen` (n,).
    """
    for begin in range(0, len(texts), AT_ONCE):
        rows = zip(texts.slice(begin, AT_ONCE).to_pylist(), chosen.slice(begin, AT_ONCE).to_pylist(), strict=True)
        words = [WORD.findall(LINK.sub(" ", text).lower()) if text and asked else [] for text, asked in rows]
        yield pa.array(words, pa.list_(pa.string()))
