"""The distinct sets of words among posts: posts with the same set are one set here, so a million cost what one does.

Shapes: n posts, m distinct sets. Sets lie end to end: set s is tokens[offsets[s]:offsets[s + 1]].
"""

from typing import Any, NamedTuple

import numba
import numpy as np

Array = np.ndarray[Any, Any]


class Sets(NamedTuple):
    """m distinct sets of words, by size and without a repeated word; each post's set, (n,) int32."""

    offsets: Array
    tokens: Array
    of: Array


def distinct_sets(offsets: Array, tokens: Array) -> Sets:
    """The distinct sets among n posts' words.

    offsets (n + 1,), tokens (offsets[n],): each post's words as numbers from 0, in any order, repeated or not; a post
    has at least one.
    Within a set, words stand in order of how many sets hold them, rarest first.
    """
    sorted_offsets, sorted_tokens, hashes = _sorted_unique(
        offsets.astype(np.int64, copy=False), tokens.astype(np.int32, copy=False)
    )
    sizes = np.diff(sorted_offsets)
    order = np.lexsort((hashes, sizes))
    first, of = _collapse(sorted_offsets, sorted_tokens, hashes, order)
    new_offsets = np.concatenate([[0], np.cumsum(sizes[first])])
    new_tokens = _gather(sorted_offsets, sorted_tokens, first, new_offsets)
    del sorted_tokens, hashes, order
    frequency = np.bincount(new_tokens)
    rank = np.empty(len(frequency), np.int32)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(frequency), dtype=np.int32)
    _rank_and_sort(new_offsets, new_tokens, rank)
    return Sets(new_offsets, new_tokens, of)


def first_posts(sets: Sets) -> Array:
    """The first post of each set, (m,)."""
    first = np.full(len(sets.offsets) - 1, len(sets.of), np.int64)
    np.minimum.at(first, sets.of, np.arange(len(sets.of)))
    return first


@numba.njit(cache=True)
def _sorted_unique(offsets: Array, tokens: Array) -> tuple[Array, Array, Array]:
    """Each post's words ascending and once, end to end again, and a hash of them."""
    n = len(offsets) - 1
    ends = np.zeros(n + 1, np.int64)
    unique = np.empty(len(tokens), np.int32)
    hashes = np.empty(n, np.uint64)
    at = 0
    for p in range(n):
        words = tokens[offsets[p] : offsets[p + 1]].copy()
        _sort(words)
        value = np.uint64(14695981039346656037)
        for i in range(len(words)):
            if i == 0 or words[i] != words[i - 1]:
                unique[at] = words[i]
                at += 1
                value = (value ^ np.uint64(words[i])) * np.uint64(1099511628211)
                value ^= value >> np.uint64(29)
        ends[p + 1] = at
        hashes[p] = value
    return ends, unique[:at], hashes


@numba.njit(cache=True)
def _sort(words: Array) -> None:
    """Shell's sort, by insertion where words are few; numba takes seconds to compile `words.sort()`."""
    gap = 1
    while gap < len(words) // 9:
        gap = 3 * gap + 1
    while gap:
        for i in range(gap, len(words)):
            word = words[i]
            j = i
            while j >= gap and words[j - gap] > word:
                words[j] = words[j - gap]
                j -= gap
            words[j] = word
        gap //= 3


@numba.njit(cache=True)
def _collapse(offsets: Array, tokens: Array, hashes: Array, order: Array) -> tuple[Array, Array]:
    """The first post of each distinct set, in `order` (by size, then hash), and each post's set."""
    n = len(order)
    first = np.empty(n, np.int64)
    of = np.empty(n, np.int32)
    count = 0
    run = 0  # the first set of the same size and hash
    for at in range(n):
        p = order[at]
        size = offsets[p + 1] - offsets[p]
        if at:
            before = order[at - 1]
            if hashes[p] != hashes[before] or size != offsets[before + 1] - offsets[before]:
                run = count
        of[p] = -1
        for s in range(run, count):
            q = first[s]
            equal = True
            for i in range(size):
                if tokens[offsets[p] + i] != tokens[offsets[q] + i]:
                    equal = False
                    break
            if equal:
                of[p] = s
                break
        if of[p] < 0:
            first[count] = p
            of[p] = count
            count += 1
    return first[:count].copy(), of


@numba.njit(cache=True)
def _gather(offsets: Array, tokens: Array, posts: Array, new_offsets: Array) -> Array:
    gathered = np.empty(new_offsets[-1], np.int32)
    for s in range(len(posts)):
        begin = offsets[posts[s]]
        for i in range(new_offsets[s + 1] - new_offsets[s]):
            gathered[new_offsets[s] + i] = tokens[begin + i]
    return gathered


@numba.njit(cache=True)
def _rank_and_sort(offsets: Array, tokens: Array, rank: Array) -> None:
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            tokens[i] = rank[tokens[i]]
        _sort(tokens[offsets[s] : offsets[s + 1]])
