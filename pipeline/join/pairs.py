"""All pairs of posts whose sets of words overlap, exactly.

Overlap is Jaccard's |A ∩ B| / |A ∪ B| on the sets of cleaned words. Among distinct sets, the pairs at a threshold t are
found by a prefix filter (AllPairs, PPJoin): with words in one order, rarest first, two sets that share o words share
one among the first |A| - o + 1 of A and |B| - o + 1 of B. So only those first words are indexed and looked up, sets too
small for t are skipped. Of what is left, most is ruled out by 64 bits a set, one flipped by each word: two sets that
share o words differ in |A| + |B| - 2o, so in no more bits than that. The rest is counted word by word with an early
stop: what is found are pairs, and none is missed.

Shapes: n posts, m distinct sets (pipeline/join/sets.py), e entries of the inverted index.

Sources: section 4.1 of the paper; Bayardo, Ma, Srikant, "Scaling Up All Pairs Similarity Search", 2007; Xiao et al.,
"Efficient Similarity Joins for Near Duplicate Detection", 2008; Sandes, Teodoro, Melo, "Bitmap filter: Speeding up
exact set similarity joins with bitwise operations", 2020.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from pipeline.join.sets import Sets, first_posts
from pipeline.running.engines import spread
from pipeline.running.progress import bar

Array = np.ndarray[Any, Any]

# Sets per call of the compiled join: few enough that all cores end at the same time.
BLOCK = 8_192


class Pairs(NamedTuple):
    """Pairs of distinct sets, left < right (int32), and their overlap (float64)."""

    left: Array
    right: Array
    overlap: Array


class Edges(NamedTuple):
    """Pairs of posts that are near-copies, `other` < `post`, and their overlap."""

    post: Array
    other: Array
    overlap: Array


def near_pairs(sets: Sets, threshold: float, workers: int | None = None) -> Pairs:
    """All pairs of distinct sets whose overlap is at least `threshold`, in (0, 1]."""
    sizes = np.diff(sets.offsets)
    if not len(sizes):
        return Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
    needed, smallest, probed, indexed = _bounds(int(sizes[-1]), threshold)
    bits = _bits(sets.offsets, sets.tokens)
    starts, entries, places = _index(sets.offsets, sets.tokens, indexed)
    of_size = np.searchsorted(sizes, np.arange(sizes[-1] + 2))
    # Each entry's bits lie beside the others of its word: memory read in order is faster than here and there.
    index = starts, entries, places, bits[entries]
    told = sets.offsets, sets.tokens, bits, *index, needed, smallest, probed, of_size
    parts = []
    with bar("near-copies", "texts", total=len(sizes)) as shown:
        for part in spread(_partners, range(0, len(sizes), BLOCK), told, workers, threads=True):
            parts.append(part)
            shown.update(min(BLOCK, len(sizes) - shown.n))
    left, right, shared = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return Pairs(left, right, shared / (sizes[left] + sizes[right] - shared))


def _partners(begin: int, *told: Any) -> tuple[Array, Array, Array]:
    """The pairs of the sets from `begin` on, a BLOCK of them, with those before each; and the words that they share."""
    offsets, *_, smallest, _, of_size = told
    size = offsets[begin + 1] - offsets[begin]
    lowest = of_size[min(smallest[size], size)]  # sizes grow, and with them that of the smallest partner
    end = min(begin + BLOCK, len(offsets) - 1)
    probe: Any = _probe
    found: tuple[Array, Array, Array] = probe(begin, end, *told, lowest, np.full(end - lowest, -1, np.int32))
    return found


def overlaps(sets: Sets, one: Array, other: Array) -> Array:
    """The overlap of each pair of posts, by their numbers (p,)."""
    found: Array = _overlaps(sets.offsets, sets.tokens, sets.of[one], sets.of[other])
    return found


def copies(cleaned: Sets, written: Sets, min_overlap: float, min_written: float) -> Pairs:
    """The pairs of sets of words as `written` that overlap by `min_written`, and as `cleaned` by `min_overlap`.

    Both are of the same n posts. The overlap told is that of the cleaned words, of the first posts with either set.
    """
    near = near_pairs(written, min_written)
    first = first_posts(written)
    overlap = overlaps(cleaned, first[near.left], first[near.right])
    kept = overlap >= min_overlap
    return Pairs(near.left[kept], near.right[kept], overlap[kept])


def edges_of_posts(sets: Sets, pairs: Pairs, written: Sets) -> Edges:
    """Each post with the first of its set; each pair of sets by their first posts.

    And each with the first post of the same words as `written`, where what is cleaned of them differs (by language, or
    by the sentence).
    """
    posts, first = np.arange(len(sets.of)), first_posts(sets)
    again = np.flatnonzero(first[sets.of] != posts)
    left, right = first[pairs.left], first[pairs.right]
    said = first_posts(written)[written.of]
    apart = np.flatnonzero(sets.of[said] != sets.of)
    post = np.concatenate([again, np.maximum(left, right), apart])
    other = np.concatenate([first[sets.of[again]], np.minimum(left, right), said[apart]])
    overlap = np.concatenate([np.ones(len(again)), pairs.overlap, overlaps(sets, apart, said[apart])])
    _, once = np.unique(post * len(posts) + other, return_index=True)
    return Edges(post[once], other[once], overlap[once])


def pairs_of_posts(sets: Sets, pairs: Pairs) -> int:
    """How many pairs of posts reach the threshold, identical ones included."""
    posts = np.bincount(sets.of, minlength=len(sets.offsets) - 1)
    return int((posts * (posts - 1) // 2).sum() + (posts[pairs.left] * posts[pairs.right]).sum())


def _bounds(largest: int, threshold: float) -> tuple[Array, Array, Array, Array]:
    """What sizes alone decide, for sets of up to `largest` words.

    needed[a + b]: words that sets of a and of b words have to share. smallest[a]: the size of the smallest set, of
    those no larger, that can reach the threshold with a set of a words (a + 1: none can). probed[a], indexed[a]: how
    many first words a set of a words looks up, and by how many larger sets may find it.
    """
    needed = np.zeros(2 * largest + 2, np.int64)
    shared = 1
    needed[1] = 1
    for total in range(2, 2 * largest + 2):
        while shared / (total - shared) < threshold:
            shared += 1
        needed[total] = shared
    smallest = np.empty(largest + 1, np.int64)
    probed = np.zeros(largest + 1, np.int64)
    indexed = np.zeros(largest + 1, np.int64)
    small = 0
    for size in range(largest + 1):
        while small < size and needed[size + small] > small:
            small += 1
        # No set of fewer words fits: then none of as many does, which as another set shares one word less than it has.
        smallest[size] = small if small < size else size + 1
        if small < size:
            probed[size] = size - needed[size + small] + 1
        if needed[2 * size] < size:
            indexed[size] = size - needed[2 * size] + 1
        elif size and needed[2 * size + 1] <= size:
            indexed[size] = size - needed[2 * size + 1] + 1
    return needed, smallest, probed, indexed


@numba.njit(cache=True)
def _bits(offsets: Array, tokens: Array) -> Array:
    """64 bits of each set, (m,) uint64: each word flips one of them."""
    bits = np.zeros(len(offsets) - 1, np.uint64)
    for s in range(len(bits)):
        for at in range(offsets[s], offsets[s + 1]):
            bits[s] ^= np.uint64(1) << (np.uint64(tokens[at]) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(58))
    return bits


@numba.njit(cache=True, nogil=True)
def _ones(bits: Any) -> int:
    """How many bits of an uint64 are 1."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@numba.njit(cache=True)
def _index(offsets: Array, tokens: Array, indexed: Array) -> tuple[Array, Array, Array]:
    """The inverted index over the first words of sets: per word the sets, ascending, and the word's place in each."""
    highest = -1
    for s in range(len(offsets) - 1):
        for at in range(offsets[s], offsets[s] + indexed[offsets[s + 1] - offsets[s]]):
            highest = max(highest, tokens[at])
    starts = np.zeros(highest + 2, np.int64)
    for s in range(len(offsets) - 1):
        for at in range(offsets[s], offsets[s] + indexed[offsets[s + 1] - offsets[s]]):
            starts[tokens[at] + 1] += 1
    for word in range(1, len(starts)):
        starts[word] += starts[word - 1]
    entries = np.empty(starts[-1], np.int32)
    places = np.empty(starts[-1], np.int32)
    filled = starts.copy()
    for s in range(len(offsets) - 1):
        for place in range(indexed[offsets[s + 1] - offsets[s]]):
            at = filled[tokens[offsets[s] + place]]
            entries[at] = s
            places[at] = place
            filled[tokens[offsets[s] + place]] += 1
    return starts, entries, places


@numba.njit(cache=True, nogil=True)
def _probe(
    begin: int, end: int, offsets: Array, tokens: Array, bits: Array,
    starts: Array, entries: Array, places: Array, entry_bits: Array,
    needed: Array, smallest: Array, probed: Array, of_size: Array, first: int, mark: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The partners, among the sets before each, of sets `begin` to `end`.

    entries, places, entry_bits (e,): those of word w from starts[w] on. mark (end - first,): -1, from set `first`.
    """
    room = 1024
    found = 0
    left, right, shared = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    for x in range(begin, end):
        x_begin, x_end = offsets[x], offsets[x + 1]
        size = x_end - x_begin
        if not probed[size]:
            continue
        lowest = of_size[smallest[size]]
        for i in range(x_begin, x_begin + probed[size]):
            token = tokens[i]
            if token + 1 >= len(starts):
                break
            stop = starts[token + 1]
            at = not_below(lowest, entries, starts[token], stop)
            y_size = smallest[size]
            need = needed[size + y_size]
            while at < stop and entries[at] < x:
                y, place, differ = entries[at], places[at], _ones(bits[x] ^ entry_bits[at])
                at += 1
                while y >= of_size[y_size + 1]:
                    y_size += 1
                    need = needed[size + y_size]
                if differ > size + y_size - 2 * need or mark[y - first] == x:
                    continue
                # The first word met that both have is the first that both have: what they share lies from here on.
                mark[y - first] = x
                both = _shared(tokens, i, x_end, offsets[y] + place, offsets[y + 1], need)
                if both >= need:
                    if found == room:
                        room *= 2
                        left, right, shared = _longer(left), _longer(right), _longer(shared)
                    left[found], right[found], shared[found] = y, x, both
                    found += 1
    return left[:found].copy(), right[:found].copy(), shared[:found].copy()


@numba.njit(cache=True, nogil=True)
def not_below(value: int, ascending: Array, begin: int, end: int) -> int:
    """The first place from `begin` on, before `end`, of no less than `value`; `end` where there is none."""
    while begin < end:
        middle = (begin + end) // 2
        if ascending[middle] < value:
            begin = middle + 1
        else:
            end = middle
    return begin


@numba.njit(cache=True, nogil=True)
def _shared(tokens: Array, i: int, i_end: int, j: int, j_end: int, need: int) -> int:
    """How many words two ranges share; counting ends, below `need`, where `need` is out of reach."""
    both = 0
    while i < i_end and j < j_end and both + min(i_end - i, j_end - j) >= need:
        if tokens[i] == tokens[j]:
            both += 1
            i += 1
            j += 1
        elif tokens[i] < tokens[j]:
            i += 1
        else:
            j += 1
    return both


@numba.njit(cache=True)
def _overlaps(offsets: Array, tokens: Array, one: Array, other: Array) -> Array:
    found = np.empty(len(one))
    for pair in range(len(one)):
        i, i_end = offsets[one[pair]], offsets[one[pair] + 1]
        j, j_end = offsets[other[pair]], offsets[other[pair] + 1]
        both = _shared(tokens, i, i_end, j, j_end, 0)
        found[pair] = both / (i_end - i + j_end - j - both)
    return found


@numba.njit(cache=True, nogil=True)
def _longer(values: Array) -> Array:
    longer = np.empty(2 * len(values), values.dtype)
    for i in range(len(values)):
        longer[i] = values[i]
    return longer
