"""The distinct sets of words of texts, as numbers: what the audit searches among.

Texts are read piece by piece, and of the whole corpus numbers alone are held, 4 bytes a word: as strings of 9.45
million posts, with the sorts of all their words at once, the audit held 12 GB.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

AT_ONCE = 65_536
"""Texts of a piece."""


@dataclass(frozen=True)
class WordSets:
    """Distinct sets of words, by ascending size: set k holds `words[offsets[k] : offsets[k + 1]]`, ranks, ascending."""

    offsets: np.ndarray
    words: np.ndarray

    def take(self, sets: np.ndarray) -> "WordSets":
        """The sets with these numbers, ascending."""
        return WordSets(*_gather(self.offsets[sets], np.diff(self.offsets)[sets], self.words))


def word_sets(texts: Iterable[pa.Array]) -> tuple[WordSets, np.ndarray]:
    """The distinct sets of words of n texts, lists of strings in arrays of any length, and the number of each text's
    set, (n,), -1 without a word.

    A word's rank is its place by ascending number of texts: a set's rarest words stand first.
    """
    pieces = [_distinct(array.slice(at, AT_ONCE)) for array in texts for at in range(0, len(array), AT_ONCE)]
    counts = [found for found, _ in pieces]
    kind = pa.dictionary(pa.int32(), pa.string())
    coded = pa.chunked_array([codes for _, codes in pieces], kind).unify_dictionaries().chunks
    del pieces
    size = max([1, *(len(codes.dictionary) for codes in coded)])
    texts_with = sum((np.bincount(codes.indices, minlength=size) for codes in coded), np.zeros(size, np.int64))
    rank = np.empty(size, np.int64)
    rank[np.argsort(texts_with, kind="stable")] = np.arange(size)

    lengths = np.concatenate([np.empty(0, np.int64), *counts])
    starts = np.cumsum(lengths) - lengths
    words, begin = np.empty(lengths.sum(), np.int32), 0
    for found, codes in zip(counts, coded, strict=True):
        key = np.sort(np.repeat(np.arange(len(found)), found) * size + rank[codes.indices])
        words[begin : begin + len(key)] = key % size
        begin += len(key)
    del coded

    order = np.lexsort((_hashes(starts, lengths, words), lengths))
    order = order[lengths[order] > 0]
    set_of_text = np.full(len(lengths), -1, np.int64)
    set_of_text[order] = _number(starts[order], lengths[order], words)
    _, first = np.unique(set_of_text[order], return_index=True)
    return WordSets(*_gather(starts[order[first]], lengths[order[first]], words)), set_of_text


def _distinct(texts: pa.ListArray) -> tuple[np.ndarray, pa.DictionaryArray]:
    """The number of distinct words of each text, and these words, text by text."""
    lengths = pc.list_value_length(texts).to_numpy()
    encoded = texts.flatten().dictionary_encode()
    size = max(1, len(encoded.dictionary))
    key = np.sort(np.repeat(np.arange(len(texts)), lengths) * size + encoded.indices.to_numpy())
    key = key[np.diff(key, prepend=-1) > 0]  # np.unique hashes integers, and takes a hundred times as long
    text, code = np.divmod(key, size)
    words = pa.DictionaryArray.from_arrays(pa.array(code, pa.int32()), encoded.dictionary)
    return np.bincount(text, minlength=len(texts)), words


@njit(cache=True, nogil=True)
def _gather(starts: np.ndarray, lengths: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and values of the stretches of `words` at `starts`, side by side."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    for i in range(len(starts)):
        offsets[i + 1] = offsets[i] + lengths[i]
    found = np.empty(offsets[-1], words.dtype)
    for i in range(len(starts)):
        for k in range(lengths[i]):
            found[offsets[i] + k] = words[starts[i] + k]
    return offsets, found


@njit(cache=True, nogil=True)
def _hashes(starts: np.ndarray, lengths: np.ndarray, words: np.ndarray) -> np.ndarray:
    hashes = np.empty(len(starts), np.uint64)
    for i in range(len(starts)):
        state = np.uint64(0xCBF29CE484222325)
        for k in range(starts[i], starts[i] + lengths[i]):
            state = (state ^ np.uint64(words[k])) * np.uint64(0x100000001B3)
            state ^= state >> np.uint64(29)
        hashes[i] = state
    return hashes


@njit(cache=True, nogil=True)
def _number(starts: np.ndarray, lengths: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The number of each row's set, where equal sets stand side by side (two whose hashes collide may part equals)."""
    number = np.empty(len(starts), np.int64)
    count = -1
    for i in range(len(starts)):
        same = i > 0 and lengths[i] == lengths[i - 1]
        if same:
            for k in range(lengths[i]):
                if words[starts[i] + k] != words[starts[i - 1] + k]:
                    same = False
                    break
        if not same:
            count += 1
        number[i] = count
    return number
