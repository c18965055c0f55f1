"""Words of scripts that write no spaces: Chinese, Japanese, Thai, Lao, Khmer and Burmese, by ICU's dictionaries.

ICU splits by script, not by language, so no language has to be known. What ICU has no dictionary for (Javanese, …)
passes as it is, between punctuation; Tibetan sets a mark between syllables. A word alone and a word in a sentence
may be split in different ways; a text split twice is split the same.
"""

import re
from collections.abc import Iterable

from icu4py.breakers import WordBreaker

from pipeline.common.links import SPACELESS

SPLIT_BY_NOTHING = "\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9df\uaa00-\uaa5f\uaa80-\uaadf"
"""Ranges of letters written without spaces that ICU has no dictionary for: Tai Le, New Tai Lue, Tai Tham, Balinese,
Javanese, Cham, Tai Viet."""
_SPACELESS = re.compile(f"[{SPACELESS}]")
_NUMBER = re.compile(rf"(?<=[{SPACELESS}])(?<!\d)(?=\d)|(?<=\d)(?=[{SPACELESS}])(?!\d)")
"""Where a number begins or ends beside such a letter: ICU leaves ปี2567 whole."""
_DRAWN_OUT = re.compile(rf"([{SPACELESS}])\1{{2,}}")
_LONG = re.compile("(?<=[ぁ-ゖ])ー+")


def shortened(word: str) -> str:
    """A stretch as written without being drawn out (すごーーーい, มากกกก), among which ICU would split.

    Three and more of one letter of such a script are one, and hiragana have no long mark.
    """
    return word if word.isascii() else _DRAWN_OUT.sub(r"\1", _LONG.sub("", word))


def segments(word: str) -> Iterable[str]:
    """The words in a stretch of letters, marks, digits and ': itself, where no letter is of a script without spaces."""
    if word.isascii() or not _SPACELESS.search(word):
        return (word,)
    return (part for whole in WordBreaker(word, "en") for part in _NUMBER.split(whole) if part != "'")
