"""Texts as they were written, for the audit: none of the cleaning is used, whose faults the audit would then share.

A word is a run of letters and digits in lower case, links apart; of scripts that set no spaces, a single character.
"""

import re

import pyarrow as pa

LINK = re.compile(r"\b(?:https?://|www\.)\S+")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
AT_ONCE = 65_536


def written_words(texts: pa.ChunkedArray, chosen: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    """The words of each of n texts as written, lists of strings (n,); none where it is null or not `chosen` (n,)."""
    kind = pa.list_(pa.string())
    parts = [pa.array([], kind)]
    for begin in range(0, len(texts), AT_ONCE):
        rows = zip(texts.slice(begin, AT_ONCE).to_pylist(), chosen.slice(begin, AT_ONCE).to_pylist(), strict=True)
        parts.append(pa.array([WORD.findall(LINK.sub(" ", t).lower()) if t and c else [] for t, c in rows], kind))
    return pa.chunked_array(parts)
