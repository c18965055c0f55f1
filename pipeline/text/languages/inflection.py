"""What a language other than English makes of a word: its letters, its apostrophes, its stopwords, its lemmas.

English words are as `cleaning` and `lemmas` have them. Of another language the tokens that cleaning found are
looked at again: French, Italian and Catalan put a short word before an apostrophe (l'école, dell'arte), which goes;
Turkish and Azerbaijani an ending behind it, and their dotless i is no i. What the same word is written with or
without goes: the vowel marks of Arabic and Hebrew, the stroke that lengthens Arabic words, Arabic letters typed for
Persian ones, the mark that repeats a Thai or Lao word, the stress of a Cyrillic vowel; once its lemma is found, the
dots of the Russian ё, the hamza on an Arabic alef and the accents of Greek, which capitals have not. Romanian's ş is ș,
and digits of any script are 0 to 9. Japanese kana alone are endings; Korean letters that form no syllable (ㅋㅋ),
Japanese www and Thai 555 are laughter. Lemmas are simplemma's, of some fifty languages; what no list covers passes as
it is.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa

from pipeline.text.languages.stopwords import CEDILLAS, folded, stopwords

ELISION = {
    "fr": "c d j l m n s t qu jusqu lorsqu puisqu quoiqu quelqu",
    "it": "c d l m n s t v un gl dell all dall nell sull coll quest quell bell sant",
    "ca": "d l m n s t",
}
_ELIDED = {language: re.compile(rf"^(?:{'|'.join(words.split())})'") for language, words in ELISION.items()}
DOTLESS = str.maketrans({"İ": "i", "I": "ı"})
TURKIC = ("tr", "az")
_OPTIONAL = re.compile("[\u0640\u064b-\u0652\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7ๆໆ]|(?<=[а-їў])\u0301")
"""Arabic: the stroke, and vowel marks; Hebrew: points; Thai and Lao: what repeats a word; Cyrillic: stress."""
_DIGIT = re.compile(r"[^\D0-9]")
_PERSIAN = str.maketrans("يىك", "ییک")
PERSIAN = ("fa", "ur", "ckb", "ps")
"""Languages in whose alphabet Arabic's yeh and kaf are other letters, which look alike."""
_ALIKE = {"ru": str.maketrans("ё", "е"), "ar": str.maketrans("أإآٱى", "ااااي")}
"""Letters that are often typed as others, by language; a lemma is looked up as it was typed."""
_PLURAL = re.compile("(?<=..)(?=ها(?:یی?)?$)")
"""Where Persian sets a mark of no width, which is gone here and which simplemma's forms have."""
_FRAGMENT = {"ja": re.compile("[ぁ-ゖァ-ヺー]|w{2,}"), "ko": re.compile("[\u1100-\u11ff]+"), "th": re.compile("5{3,}")}
ENDING = re.compile(r"'(?:s|ll|ve|re|d|m)$")
"""English and German endings behind an apostrophe."""
LEMMAS = {"no": "nb", "hr": "hbs", "sr": "hbs", "bs": "hbs", "sh": "hbs"}
"""Languages that simplemma has under another name."""
SHORTEST = 3


def words_of(tokens: Iterable[str], language: str) -> list[str]:
    """The words of a text, from its tokens as written."""
    found = (word_of(token, language) for token in tokens)
    return [word for word in found if word]


@lru_cache(maxsize=1 << 18)
def word_of(token: str, language: str) -> str:
    """A token as a word of `language`; nothing, for a stopword."""
    word = lowered(token, language)
    if language in _ELIDED:
        word = _ELIDED[language].sub("", word)
    elif language in TURKIC:
        word = word.partition("'")[0]
    else:
        word = ENDING.sub("", word)
    if not word.isascii():
        word = _DIGIT.sub(lambda digit: str(int(digit[0])), _OPTIONAL.sub("", word))
        if language in PERSIAN:
            word = word.translate(_PERSIAN)
        elif language == "ro":
            word = word.translate(CEDILLAS)
    if language in _FRAGMENT and _FRAGMENT[language].fullmatch(word):
        return ""
    word = closed(word)
    return "" if folded(word, language) in stopwords(language) else word


def lowered(token: str, language: str) -> str:
    """A token in small letters."""
    return token.translate(DOTLESS).lower() if language in TURKIC else token.lower()


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
    return pa.array(
        [_lemma(word, lemmatizer.lemmatize(_typed(word, name), name), language) for word in words.to_pylist()],
        pa.string(),
    )


def _typed(word: str, language: str) -> str:
    return _PLURAL.sub("\u200c", word) if language == "fa" else word


def _lemma(word: str, lemma: str, language: str) -> str:
    lemma = lemma.lower()
    # Of letters, and the marks that many scripts write vowels with.
    sound = unicodedata.is_normalized("NFKC", lemma) and all(
        unicodedata.category(letter)[0] in "LM" for letter in lemma
    )
    found = lemma if len(word) >= SHORTEST and sound else word
    return folded(found, language) if language == "el" else found.translate(_ALIKE.get(language, {}))


def _lemmatizer() -> Any:
    """With one dictionary in memory at a time, of up to half a gigabyte."""
    from simplemma import Lemmatizer
    from simplemma.strategies import DefaultDictionaryFactory, DefaultStrategy

    return Lemmatizer(lemmatization_strategy=DefaultStrategy(dictionary_factory=DefaultDictionaryFactory(1)))


@cache
def _languages() -> frozenset[str]:
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    return frozenset(SUPPORTED_LANGUAGES)
