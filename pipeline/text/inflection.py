"""What a language other than English makes of a word: its letters, its apostrophes, its stopwords, its lemmas.

English words are as `cleaning` and `lemmas` have them. Of another language the tokens that cleaning found are looked at
again: French, Italian and Catalan put a short word before an apostrophe (l'école, dell'arte), which goes; Turkish and
Azerbaijani an ending behind it, and their dotless i is no i; Arabic words are written longer with a stroke. Lemmas are
simplemma's, of some fifty languages; what no list covers passes as it is.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa

from pipeline.text.stopwords import stopwords

ELISION = {
    "fr": "c d j l m n s t qu jusqu lorsqu puisqu quoiqu quelqu",
    "it": "c d l m n s t v un gl dell all dall nell sull coll quest quell bell sant",
    "ca": "d l m n s t",
}
_ELIDED = {language: re.compile(rf"^(?:{'|'.join(words.split())})'") for language, words in ELISION.items()}
DOTLESS = str.maketrans({"İ": "i", "I": "ı"})
TURKIC = ("tr", "az")
STROKE = "\u0640"
ENDING = re.compile(r"'(?:s|ll|ve|re|d|m)$")
"""English and German endings behind an apostrophe."""
LEMMAS = {"no": "nb", "hr": "hbs", "sr": "hbs", "bs": "hbs", "sh": "hbs"}
"""Languages that simplemma has under another name."""
SHORTEST = 3


def words_of(tokens: Iterable[str], language: str) -> list[str]:
    """The words of a text, from its tokens as written."""
    found = (_word(token, language) for token in tokens)
    return [word for word in found if word]


@lru_cache(maxsize=1 << 18)
def _word(token: str, language: str) -> str:
    """A token as a word of `language`; nothing, for a stopword."""
    word = token.translate(DOTLESS).lower() if language in TURKIC else token.lower()
    if language in _ELIDED:
        word = _ELIDED[language].sub("", word)
    elif language in TURKIC:
        word = word.partition("'")[0]
    else:
        word = ENDING.sub("", word)
    word = closed(word.replace(STROKE, ""))
    return "" if word in stopwords(language) else word


def closed(word: str) -> str:
    """The word without apostrophes, and without marks at its beginning, which belong to no letter."""
    word = word.replace("'", "")
    if word.isascii():
        return word
    word = unicodedata.normalize("NFC", word)
    begin = 0
    while begin < len(word) and unicodedata.category(word[begin])[0] not in "LN":
        begin += 1
    return word[begin:]


def has_lemmas(language: str) -> bool:
    """Whether simplemma has a dictionary of the language."""
    return LEMMAS.get(language, language) in _languages()


def lemmas_of(words: pa.Array, language: str) -> pa.Array:
    """The lower-cased lemma of each of n distinct words, by simplemma; the word itself where it has none."""
    if not has_lemmas(language):
        return words
    name, lemmatizer = LEMMAS.get(language, language), _lemmatizer()
    return pa.array([_lemma(word, lemmatizer.lemmatize(word, name)) for word in words.to_pylist()], pa.string())


def _lemma(word: str, lemma: str) -> str:
    lemma = lemma.lower()
    return lemma if len(word) >= SHORTEST and lemma.isalpha() and unicodedata.is_normalized("NFKC", lemma) else word


def _lemmatizer() -> Any:
    """With one dictionary in memory at a time, of up to half a gigabyte."""
    from simplemma import Lemmatizer
    from simplemma.strategies import DefaultDictionaryFactory, DefaultStrategy

    return Lemmatizer(lemmatization_strategy=DefaultStrategy(dictionary_factory=DefaultDictionaryFactory(1)))


@cache
def _languages() -> frozenset[str]:
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    return frozenset(SUPPORTED_LANGUAGES)
