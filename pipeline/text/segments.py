"""Words of scripts that write no spaces: Chinese, Japanese, Thai, Lao, Khmer and Burmese, by ICU's dictionaries.

ICU splits by script, not by language, so no language has to be known. What ICU has no dictionary for (Tibetan,
Javanese, …) passes as it is, between punctuation. A word alone and a word in a sentence may be split in different ways;
a text split twice is split the same.
"""

import re
from collections.abc import Iterable

from icu4py.breakers import WordBreaker

from pipeline.common.links import SPACELESS

_SPACELESS = re.compile(f"[{SPACELESS}]")


def segments(word: str) -> Iterable[str]:
    """The words in a stretch of letters, marks, digits and ': itself, where no letter is of a script without spaces."""
    if word.isascii() or not _SPACELESS.search(word):
        return (word,)
    return (part for part in WordBreaker(word, "en") if part != "'")
