"""Hashtags as the words that they are written of: #LosAngeles2020 is los, angeles and 2020.

A tag is cut where its letters change from small to capital, between letters and digits, and between scripts' words
(`segments`). A part in one case is cut further where the corpus's own words make it likelier: by the best product of
their frequencies (Norvig, Natural Language Corpus Data, 2009), a part that no post has counting little, the less the
longer it is.
"""

import math
import re
from collections.abc import Collection, Mapping

from pipeline.text.segments import segments

_CASES = re.compile(r"[^\W\d_a-z]+(?=[^\W\d_a-z][a-z])|[^\W\d_a-z]?[a-z]+|\d+|[^\W\d_]+|\w")
LONGEST = 24
"""Letters of a word that a tag may be made of."""
LEAST = 2
"""A part of fewer letters is none: frequencies of single letters say nothing."""


class Splitter:
    """Splits by the words of `counts` and how often each occurs."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._total = math.log(max(2, sum(counts.values())))
        self._log = {word: math.log(count) - self._total for word, count in counts.items() if len(word) >= LEAST}

    def replaced(self, words: list[str], tags: Collection[str], stop: Collection[str]) -> list[str]:
        """The words of a post with those of its `tags` in parts, less stopwords."""
        whole = {tag.lower(): tag for tag in tags if "_" not in tag}
        return [
            part
            for word in words
            for part in (self.parts(whole[word]) if word in whole else (word,))
            if word == part or part not in stop
        ]

    def parts(self, tag: str) -> list[str]:
        """The parts of a tag, lower-cased."""
        pieces = _CASES.findall(tag) if (tag.isascii() and not tag.islower()) or any(map(str.isdigit, tag)) else [tag]
        return [word for piece in pieces for part in segments(piece) for word in self._best(part.lower())]

    def _best(self, text: str) -> list[str]:
        """The likeliest words that `text` is made of; itself, where none are."""
        if not (2 * LEAST <= len(text) <= LONGEST * 4 and text.isalpha()):
            return [text]
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(text) + 1):
            begins = range(max(0, end - LONGEST), end)
            best.append(max((best[begin][0] + self._worth(text[begin:end]), begin) for begin in begins))
        found, end = [], len(text)
        while end:
            begin = best[end][1]
            found.append(text[begin:end])
            end = begin
        return found[::-1] if all(word in self._log for word in found) else [text]

    def _worth(self, word: str) -> float:
        return self._log.get(word, -self._total - math.log(10) * len(word))
