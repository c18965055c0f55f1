"""Hashtags as the words that they are written of: #LosAngeles2020 is los, angeles and 2020.

A tag is cut where its letters change from small to capital, in any script that has both, between letters and digits,
and between scripts' words (`segments`). A part in one case is cut further where the corpus's words make it likelier: by
the best product of their frequencies (Norvig, Natural Language Corpus Data, 2009), a part that no post has counting
little, the less the longer it is. A small letter that begins a word of the corpus stays with it (iPhone).
"""

import math
import re
import unicodedata
from collections.abc import Collection, Mapping

from pipeline.text.languages.inflection import lowered, word_of
from pipeline.text.languages.segments import segments

# Of a tag's shape, a letter for each of its characters: A capital, a small, 9 digit, x any other letter.
_CASES = re.compile("A+(?=Aa)|A?a+|9+|A+|x+")
LONGEST = 24
"""Letters of a word that a tag may be made of."""
LEAST = 2
"""A part of fewer letters is none: frequencies of single letters say nothing."""


class Splitter:
    """Splits by the words of `counts` and how often each occurs."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._total = math.log(max(2, sum(counts.values())))
        self._log = {word: math.log(count) - self._total for word, count in counts.items() if len(word) >= LEAST}

    def replaced(self, words: list[str], tags: Collection[str], language: str) -> list[str]:
        """The words of a post in `language` with those of its `tags` in parts, less stopwords."""
        whole = {word_of(tag, language): tag for tag in tags if "_" not in tag}
        return [
            part for word in words for part in (self._parted(word, whole[word], language) if word in whole else (word,))
        ]

    def _parted(self, word: str, tag: str, language: str) -> list[str]:
        parts = self.parts(tag, language)
        return [word] if len(parts) == 1 else [found for part in parts if (found := word_of(part, language))]

    def parts(self, tag: str, language: str = "en") -> list[str]:
        """The parts of a tag, lower-cased as `language` does."""
        shape = _shape(tag)
        pieces = [tag[found.start() : found.end()] for found in _CASES.finditer(shape)]
        if shape.startswith("aA") and lowered(begun := "".join(pieces[:2]), language) in self._log:
            pieces[:2] = [begun]
        return [word for piece in pieces for part in segments(piece) for word in self._best(lowered(part, language))]

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


def _shape(tag: str) -> str:
    shape: list[str] = []
    for character in tag:
        if shape and unicodedata.category(character)[0] == "M":
            shape += shape[-1]  # a mark is of its letter's kind
        else:
            kinds = (("9", character.isdigit()), ("a", character.islower()), ("A", character.isupper()))
            shape += next((kind for kind, holds in kinds if holds), "x")
    return "".join(shape)
