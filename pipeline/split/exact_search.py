"""An exact search of q queries among t targets, texts or images, for the audit of the split.

It finds all pairs at a threshold (of images the nearest of each query), and per query the number of targets, and the
nearest of them, between a lower `floor` and the threshold: the grey zone. No index is approximate; a pair is skipped
only by a bound that it cannot meet. The code shares nothing with that which makes the groups (`pipeline.join`,
`pipeline.copies.groups`).

- Texts: Jaccard of word sets, o / (s + t - o) for an overlap of o words. A pair at Jaccard f has a common word among
  the rarest s - ⌈f s⌉ + 1 words of either set (prefix filter: Chaudhuri et al., 2006), and its sets differ in at most
  s + t - 2 o words, so that 64 bits made of each set's words differ in no more (bitmap filter: Sandes et al., 2020).
  What passes both is counted word by word.
- Images: cosine by blocks of matrix products. Vectors are rotated to the principal axes of the queries and cut in head
  and tail; by Cauchy-Schwarz cos <= head·head' + |tail||tail'|, one product of vectors an eighth as long. What passes
  it is computed in full. (On openclipart 0.13 % of pairs pass at a cosine of 0.9; 0.10 % are that near.)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numba import njit

from pipeline.running.checkpoints import Arrays, Keep, made
from pipeline.running.engines import spread
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.split.word_sets import WordSets

HEAD = 255
"""Principal axes kept by the first pass over images; with the tail's norm a vector of 256."""
BLOCK = 4096
"""Rows of a matrix product."""
TEXTS = 8192
"""Texts that a job asks with, at most: the more texts, the more jobs, however few cores this machine has."""
DENSE = 50
"""Where more than one pair in DENSE passes the bound, the whole product is cheaper than pair by pair."""
ROUNDING = 1e-4
"""What float32 may take from a cosine bound."""
NONE: Arrays = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
"""No pairs: queries, targets, similarities."""


@dataclass(frozen=True)
class Found:
    """Pairs at the threshold, by row of query and target, and the grey zone of each query below it.

    `query`, `target`, `similarity` (p,); `close` (q,) targets in the grey zone, the nearest of them `nearest` (q,)
    (-1: none) at `nearest_similarity` (q,). `beyond`: how many pairs at the threshold were left out.
    """

    query: np.ndarray
    target: np.ndarray
    similarity: np.ndarray
    close: np.ndarray
    nearest: np.ndarray
    nearest_similarity: np.ndarray
    beyond: int = 0


# ---------------------------------------------------------------- texts


def search_texts(queries: WordSets, targets: WordSets, threshold: float, floor: float, keep: Keep = made) -> Found:
    """All pairs of sets with Jaccard >= `threshold`, and per query the grey zone down to `floor`."""
    floor = min(floor, threshold)
    most = int(max(queries.words.max(initial=0), targets.words.max(initial=0)))
    lists = _postings(targets.offsets, targets.words, most, floor)
    sizes = np.searchsorted(np.diff(targets.offsets), np.arange(np.diff(targets.offsets).max(initial=0) + 2))
    asking, asked = (queries.offsets, queries.words), (targets.offsets, targets.words)
    count = len(queries.offsets) - 1
    parts = min(max(1, count), max(32 * cores(), -(-count // TEXTS)))
    edges = np.linspace(0, count, 1 + parts).astype(np.int64)

    given = *asking, *asked, sizes, *lists, threshold, floor
    found = []
    with bar("text audit", "texts", total=count) as shown:
        jobs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        for part in spread(partial(_kept_search, keep), jobs, given, threads=True):
            found.append(part)
            shown.update(len(part[3]))
    query, target, similarity, close, nearest, nearest_similarity = _joined(found)
    return Found(query, target, similarity, close, nearest, nearest_similarity)


def _kept_search(keep: Keep, part: tuple[int, int], *given: Any) -> Arrays:
    return keep(f"texts-{part[0]:09}", lambda: _search(*part, *given))


@njit(cache=True, nogil=True)
def _prefix(size: int, floor: float) -> int:
    """Among how many of its rarest words a set shares one with any set at Jaccard >= floor."""
    return size - max(1, int(np.ceil(floor * size - 1e-9))) + 1


@njit(cache=True, nogil=True)
def _bits(words: np.ndarray) -> np.uint64:
    """64 bits of a set: each word turns one over, so two sets' bits differ in no more places than the sets in words."""
    bits = np.uint64(0)
    for word in words:
        bits ^= np.uint64(1) << ((np.uint64(word) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58))
    return bits


@njit(cache=True, nogil=True, inline="always")
def _ones(bits: np.uint64) -> int:
    """How many bits are set (Warren, Hacker's Delight, 5-1)."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def _postings(
    offsets: np.ndarray, words: np.ndarray, most: int, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each word the sets with it in their prefix, ascending, and their bits; lists cut at `bounds`."""
    bounds = np.zeros(most + 2, np.int64)
    for y in range(len(offsets) - 1):
        for at in range(offsets[y], offsets[y] + _prefix(offsets[y + 1] - offsets[y], floor)):
            bounds[words[at] + 1] += 1
    for word in range(1, len(bounds)):
        bounds[word] += bounds[word - 1]
    filled = bounds.copy()
    sets, bits = np.empty(bounds[-1], np.int32), np.empty(bounds[-1], np.uint64)
    for y in range(len(offsets) - 1):
        own = _bits(words[offsets[y] : offsets[y + 1]])
        for at in range(offsets[y], offsets[y] + _prefix(offsets[y + 1] - offsets[y], floor)):
            sets[filled[words[at]]], bits[filled[words[at]]] = y, own
            filled[words[at]] += 1
    return bounds, sets, bits


@njit(cache=True, nogil=True)
def _overlap(one: np.ndarray, other: np.ndarray) -> int:
    """How many numbers two ascending arrays share."""
    a, b, common = 0, 0, 0
    while a < len(one) and b < len(other):
        if one[a] == other[b]:
            common += 1
            a += 1
            b += 1
        elif one[a] < other[b]:
            a += 1
        else:
            b += 1
    return common


@njit(cache=True, nogil=True)
def _search(  # noqa: C901 - one compiled loop
    first: int,
    last: int,
    query_offsets: np.ndarray,
    query_words: np.ndarray,
    offsets: np.ndarray,
    words: np.ndarray,
    sizes: np.ndarray,
    bounds: np.ndarray,
    sets: np.ndarray,
    bits: np.ndarray,
    threshold: float,
    floor: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What is found for the queries first … last - 1; `sizes[t]` is the first target of at least t words."""
    seen = np.full(len(offsets) - 1, -1, np.int64)
    pair_query, pair_target, pair_similarity = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64)
    pairs = 0
    close, nearest = np.zeros(last - first, np.int64), np.full(last - first, -1, np.int64)
    nearest_similarity = np.zeros(last - first)
    most = len(sizes) - 2
    for x in range(first, last):
        query = query_words[query_offsets[x] : query_offsets[x + 1]]
        s, own = len(query), _bits(query)
        smallest = max(1, int(np.ceil(floor * s - 1e-9)))
        largest = min(most, int(s / floor + 1e-9)) if floor > 0 else most
        if smallest > most:
            continue
        for word in query[: _prefix(s, floor)]:
            stretch = sets[bounds[word] : bounds[word + 1]]
            begin = bounds[word] + np.searchsorted(stretch, sizes[smallest])
            end = bounds[word] + np.searchsorted(stretch, sizes[largest + 1])
            t, until, differing = smallest - 1, -1, 0
            for at in range(begin, end):
                y = sets[at]
                while y >= until:  # the next size: how many words may differ
                    t += 1
                    until = sizes[t + 1]
                    differing = s + t - 2 * int(np.ceil(floor * (s + t) / (1 + floor) - 1e-9))
                if _ones(own ^ bits[at]) > differing or seen[y] == x:
                    continue
                seen[y] = x
                overlap = _overlap(query, words[offsets[y] : offsets[y + 1]])
                similarity = overlap / (s + t - overlap)
                if similarity >= threshold:
                    if pairs == len(pair_query):
                        pair_query = np.concatenate((pair_query, np.empty(pairs, np.int64)))
                        pair_target = np.concatenate((pair_target, np.empty(pairs, np.int64)))
                        pair_similarity = np.concatenate((pair_similarity, np.empty(pairs)))
                    pair_query[pairs], pair_target[pairs], pair_similarity[pairs] = x, y, similarity
                    pairs += 1
                elif similarity >= floor:
                    close[x - first] += 1
                    if similarity > nearest_similarity[x - first]:
                        nearest[x - first], nearest_similarity[x - first] = y, similarity
    return pair_query[:pairs], pair_target[:pairs], pair_similarity[:pairs], close, nearest, nearest_similarity


# ---------------------------------------------------------------- images


def unit(vectors: np.ndarray) -> np.ndarray:
    """The audit's own: rows (n, d) at unit length, float32; a zero row stays zero, and is like nothing."""
    values = np.array(vectors, np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))  # np.linalg.norm would make another copy
    values /= np.where(norms > 0, norms, 1)[:, None]
    return values


def search_images(
    queries: np.ndarray,
    targets: Iterable[np.ndarray],
    threshold: float,
    floor: float,
    most: int,
    total: int,
    keep: Keep = made,
) -> Found:
    """Of each query the `most` nearest pairs with cosine >= `threshold`, and the grey zone down to `floor`.

    `queries` (q, d), `unit` vectors; `targets` arrives in blocks (b, d), float16 or float32 and of any length, `total`
    rows in all; a target's row is counted over the blocks. Pairs are left out block by block: where all pictures are
    of one style nearly all pairs are at the threshold.
    """
    floor = min(floor, threshold)
    axes = _axes(queries)
    heads = np.empty((len(queries), axes.shape[1] + 1), np.float32)
    for begin in range(0, len(queries), BLOCK):
        heads[begin : begin + BLOCK] = _head(queries[begin : begin + BLOCK], axes)
    close, nearest = np.zeros(len(queries), np.int64), np.full(len(queries), -1)
    nearest_similarity = np.zeros(len(queries))
    pairs, beyond = NONE, 0
    with bar("image audit", "images", total=total) as shown:
        given = queries, heads, axes, threshold, floor, most
        for done, size, found in spread(partial(_kept_among, keep), _numbered(targets), given, 1, cpus=cores()):
            (x, y, cosine), (cut,), (query, count, target, similarity) = found[:3], found[3], found[4:]
            pairs, more = nearest_of_each(_joined([pairs, (x, y + done, cosine)]), most)
            beyond += int(cut) + more
            close[query] += count
            nearer = similarity > nearest_similarity[query]
            nearest[query[nearer]] = target[nearer] + done
            nearest_similarity[query[nearer]] = similarity[nearer]
            shown.update(size)
    order = np.lexsort((pairs[1], pairs[0]))
    x, y, cosine = (column[order] for column in pairs)
    return Found(x, y, cosine, close, nearest, nearest_similarity, beyond)


def nearest_of_each(pairs: Arrays, most: int) -> tuple[Arrays, int]:
    """Of pairs, as (p,) queries, targets and similarities, the `most` nearest of each query; how many that left out."""
    order = np.lexsort((pairs[1], -pairs[2], pairs[0]))
    query = pairs[0][order]
    kept = np.sort(order[np.arange(len(order)) - np.searchsorted(query, query) < most])
    return tuple(column[kept] for column in pairs), len(order) - len(kept)


def _joined(parts: Iterable[Arrays]) -> Arrays:
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _among(
    block: np.ndarray, queries: np.ndarray, heads: np.ndarray, axes: np.ndarray, threshold: float, floor: float,
    most: int,
) -> Arrays:  # fmt: skip
    """Of `queries` and a `block` of targets (b, d) the `most` nearest pairs of each at the threshold: rows, rows,
    cosines; how many more there are, (1,); of those with pairs in the grey zone row, how many, the nearest, its cosine.
    """
    block = unit(block)
    block_heads = _head(block, axes).T.copy()
    near, grey, beyond = [NONE], [(NONE[0], *NONE)], 0
    for begin in range(0, len(queries), BLOCK):
        passed = (heads[begin : begin + BLOCK] @ block_heads >= floor - ROUNDING).ravel()
        x, y = np.divmod(np.flatnonzero(passed), len(block))
        cosine = _cosines(queries[begin : begin + BLOCK], block, x, y)
        at, below = cosine >= threshold, (cosine >= floor) & (cosine < threshold)
        pairs, cut = nearest_of_each((x[at] + begin, y[at], cosine[at]), most)
        near.append(pairs)
        beyond += cut
        x, y, cosine = x[below] + begin, y[below], cosine[below]
        order = np.lexsort((y, -cosine, x))
        first = np.flatnonzero(np.diff(x[order], prepend=-1))
        best = order[first]
        grey.append((x[best], np.diff(first, append=len(order)), y[best], cosine[best]))
    return *_joined(near), np.array([beyond]), *_joined(grey)


def _kept_among(keep: Keep, part: tuple[int, np.ndarray], *given: Any) -> tuple[int, int, Arrays]:
    """Where a block of targets begins, its length, and what is found `_among` it."""
    begin, block = part
    return begin, len(block), keep(f"images-{begin:09}", lambda: _among(block, *given))


def _cosines(asking: np.ndarray, block: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cosine of each pair of a row `x` of `asking` and a row `y` of `block`, of unit length both."""
    if len(x) * DENSE > len(asking) * len(block):
        return np.asarray((asking @ block.T)[x, y])
    return np.asarray(_products(asking, block, x, y))


@njit(cache=True, nogil=True, fastmath=True)
def _products(one: np.ndarray, other: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    products = np.empty(len(x), np.float32)
    for pair in range(len(x)):
        a, b = one[x[pair]], other[y[pair]]
        product = np.float32(0)
        for k in range(len(a)):
            product += a[k] * b[k]
        products[pair] = product
    return products


def _numbered(arrays: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of all `arrays` by BLOCK at most, each block with its first row's number."""
    begin = 0
    for array in arrays:
        for start in range(0, len(array), BLOCK):
            block = array[start : start + BLOCK]
            yield begin, block
            begin += len(block)


def _axes(queries: np.ndarray) -> np.ndarray:
    """The principal axes of unit vectors (q, d), as (d, min(d, HEAD)): along these lies the most of their length."""
    sample = queries[:: max(1, len(queries) // (4 * BLOCK))]
    _, axes = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(axes[:, ::-1][:, :HEAD])


def _head(values: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Unit vectors (n, d) as their part along the axes, and the length of the rest: (n, k + 1)."""
    head = values @ axes
    rest = np.einsum("ij,ij->i", values, values) - np.einsum("ij,ij->i", head, head)
    return np.column_stack([head, np.sqrt(np.maximum(rest, 0))]).astype(np.float32)
