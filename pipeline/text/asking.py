"""A query's words: as a post of the corpus would have them, in the language it is most likely in."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from pipeline.running.schema import Text
from pipeline.text.cleaning import clean
from pipeline.text.languages.by_language import ENGLISH
from pipeline.text.languages.detection import Guesses, decide
from pipeline.text.languages.inflection import lemmas_of, words_of
from pipeline.text.languages.stopwords import stopwords
from pipeline.text.lemmas import Models, lemmatize_apart, lemmatize_sentences


def asked_words(
    texts: Sequence[str | None], params: Text, english: Models, shares: Mapping[str, float]
) -> list[list[str]]:
    """The lemmatized words of each of n texts; none of null.

    `shares` are the corpus's posts by language (the column of WORDS): a query is in one of these.
    """
    lemmatize = partial(lemmatize_sentences if params.lemmas == "sentence" else lemmatize_apart, chosen=english)
    cleaned = clean(pa.array(texts, pa.string()), lemmatize, params.emoji == "names")
    words: list[list[str]] = cleaned.words.to_pylist()
    spoken = [next(iter(shares), ENGLISH)] * len(texts)
    if len(shares) > 1:
        guesses = Guesses.of(cleaned.tokens)
        spoken = decide(guesses, np.zeros(len(texts), np.int64), list(shares), dict(shares)).to_pylist()
    for row, (language, tokens) in enumerate(zip(spoken, cleaned.tokens.to_pylist(), strict=True)):
        if language != ENGLISH:
            found = lemmas_of(pa.array(words_of(tokens, language), pa.string()), language).to_pylist()
            words[row] = [word for word in found if word not in stopwords(language)]
    return words
