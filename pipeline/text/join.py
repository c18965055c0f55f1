"""Near-duplicate texts: all pairs of posts whose sets of words overlap, exactly, and which posts go.

Overlap is Jaccard's |A ∩ B| / |A ∪ B| on the sets of cleaned words. Posts with the same set are one set here, so a
million identical posts cost what one does. Among distinct sets, the pairs at a threshold t are found by a prefix
filter (AllPairs, PPJoin): with words in one order, rarest first, two sets that share o words share one among the
first |A| - o + 1 of A and |B| - o + 1 of B. So only those first words are indexed and looked up, sets too small for t
are skipped, and what is left is counted word by word with an early stop: what is found are pairs, and none is missed.

Shapes: n posts, m distinct sets. Sets lie end to end: set s is tokens[offsets[s]:offsets[s + 1]].

Sources: section 4.1 of the paper; Bayardo, Ma, Srikant, "Scaling Up All Pairs Similarity Search", 2007; Xiao et al.,
"Efficient Similarity Joins for Near Duplicate Detection", 2008.
"""

import queue
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numba
import numpy as np

from pipeline.running.machine import cores

Array = np.ndarray[Any, Any]

# Sets per call of the compiled join: few enough that both cores end at the same time.
BLOCK = 8_192


class Sets(NamedTuple):
    """m distinct sets of words, by size and without a repeated word; each post's set, (n,) int32."""

    offsets: Array
    tokens: Array
    of: Array


class Pairs(NamedTuple):
    """Pairs of distinct sets, left < right (int32), and their overlap (float64)."""

    left: Array
    right: Array
    overlap: Array


class Kept(NamedTuple):
    """For each post the post that it is removed as a copy of, -1 where it is kept, and the overlap of the two, or 0."""

    duplicate_of: Array
    overlap: Array


def distinct_sets(offsets: Array, tokens: Array) -> Sets:
    """The distinct sets among n posts' words.

    offsets (n + 1,), tokens (offsets[n],): each post's words as numbers from 0, in any order, repeated or not; a post
    has at least one.
    Within a set, words stand in order of how many sets hold them, rarest first.
    """
    sorted_offsets, sorted_tokens, hashes = _sorted_unique(offsets.astype(np.int64), tokens.astype(np.int32))
    sizes = np.diff(sorted_offsets)
    order = np.lexsort((hashes, sizes))
    first, of = _collapse(sorted_offsets, sorted_tokens, hashes, order)
    new_offsets = np.concatenate([[0], np.cumsum(sizes[first])])
    new_tokens = _gather(sorted_offsets, sorted_tokens, first, new_offsets)
    frequency = np.bincount(new_tokens)
    rank = np.empty(len(frequency), np.int32)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(frequency), dtype=np.int32)
    _rank_and_sort(new_offsets, new_tokens, rank)
    return Sets(new_offsets, new_tokens, of)


def near_pairs(sets: Sets, threshold: float, workers: int | None = None) -> Pairs:
    """All pairs of distinct sets whose overlap is at least `threshold`, in (0, 1]."""
    sizes = np.diff(sets.offsets)
    if not len(sizes):
        return Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
    needed, smallest, probed, indexed = _bounds(int(sizes[-1]), threshold)
    starts, entries, places = _index(sets.offsets, sets.tokens, indexed)
    of_size = np.searchsorted(sizes, np.arange(sizes[-1] + 2))
    workers = workers or cores()
    marks: queue.SimpleQueue[Array] = queue.SimpleQueue()
    for _ in range(workers):
        marks.put(np.full(len(sizes), -1, np.int32))

    def probe(begin: int) -> tuple[Array, Array, Array]:
        mark = marks.get()
        found: tuple[Array, Array, Array] = _probe(
            begin, min(begin + BLOCK, len(sizes)), sets.offsets, sets.tokens, starts, entries, places,
            needed, smallest, probed, of_size, mark,
        )  # fmt: skip
        marks.put(mark)
        return found

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(probe, range(0, len(sizes), BLOCK)))
    left, right, shared = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return Pairs(left, right, shared / (sizes[left] + sizes[right] - shared))


def overlaps(sets: Sets, one: Array, other: Array) -> Array:
    """The overlap of each pair of posts, by their numbers (p,)."""
    found: Array = _overlaps(sets.offsets, sets.tokens, sets.of[one], sets.of[other])
    return found


def copies(cleaned: Sets, written: Sets, min_overlap: float, min_written: float) -> Pairs:
    """The pairs of sets of words as `written` that overlap by `min_written`, and as `cleaned` by `min_overlap`.

    Both are of the same n posts. The overlap told is that of the cleaned words, of the first posts with either set.
    """
    near = near_pairs(written, min_written)
    first = _first(written)
    overlap = overlaps(cleaned, first[near.left], first[near.right])
    kept = overlap >= min_overlap
    return Pairs(near.left[kept], near.right[kept], overlap[kept])


def keep_first(sets: Sets, pairs: Pairs, order: Array, user: Array, image: Array, same_user: bool) -> Kept:
    """Walk the posts in `order`; one is removed if an earlier kept post reaches the threshold and its image allows.

    user (n,): the author, as a number from 0; image (n,): the image, as a number from 0, -1 for none. A post without
    an image may be a copy of any; one with an image only of a post with the same image. With `same_user`, only of a
    post by the same author. It is recorded with the kept post of the highest overlap, of several the first, so no
    chain removes what is not itself close to a kept post.
    """
    m, n = len(sets.offsets) - 1, len(order)
    author = user.astype(np.int64) if same_user else np.zeros(n, np.int64)
    picture = image.astype(np.int64)
    if same_user and n:
        _, pictured = np.unique(author * (int(picture.max()) + 2) + picture + 1, return_inverse=True)
        picture = np.where(picture >= 0, pictured, -1)
    # A cell is a set with an author (posts without an image are looked up there), or a set with an image.
    author_cells = _cells(sets.of, author)
    picture_cells = _cells(sets.of, np.where(picture >= 0, picture, int(picture.max(initial=-1)) + 1))
    with_picture = np.bincount(picture[picture >= 0], minlength=1)
    neighbours = _neighbours(m, pairs)
    duplicate_of, overlap = _keep_first(
        order, sets.of, author, picture, with_picture, *author_cells, *picture_cells, *neighbours
    )
    return Kept(duplicate_of, overlap)


class Edges(NamedTuple):
    """Pairs of posts that are near-copies, `other` < `post`, and their overlap."""

    post: Array
    other: Array
    overlap: Array


def edges_of_posts(sets: Sets, pairs: Pairs, written: Sets) -> Edges:
    """Each post with the first of its set; each pair of sets by their first posts.

    And each with the first post of the same words as `written`, where what is cleaned of them differs (by language, or
    by the sentence).
    """
    posts, first = np.arange(len(sets.of)), _first(sets)
    again = np.flatnonzero(first[sets.of] != posts)
    left, right = first[pairs.left], first[pairs.right]
    said = _first(written)[written.of]
    apart = np.flatnonzero(sets.of[said] != sets.of)
    post = np.concatenate([again, np.maximum(left, right), apart])
    other = np.concatenate([first[sets.of[again]], np.minimum(left, right), said[apart]])
    overlap = np.concatenate([np.ones(len(again)), pairs.overlap, overlaps(sets, apart, said[apart])])
    _, once = np.unique(post * len(posts) + other, return_index=True)
    return Edges(post[once], other[once], overlap[once])


def _first(sets: Sets) -> Array:
    """The first post of each set, (m,)."""
    first = np.full(len(sets.offsets) - 1, len(sets.of), np.int64)
    np.minimum.at(first, sets.of, np.arange(len(sets.of)))
    return first


def pairs_of_posts(sets: Sets, pairs: Pairs) -> int:
    """How many pairs of posts reach the threshold, identical ones included."""
    posts = np.bincount(sets.of, minlength=len(sets.offsets) - 1)
    return int((posts * (posts - 1) // 2).sum() + (posts[pairs.left] * posts[pairs.right]).sum())


@numba.njit(cache=True)
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
    starts = np.cumsum(starts)
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
    begin: int, end: int, offsets: Array, tokens: Array, starts: Array, entries: Array, places: Array,
    needed: Array, smallest: Array, probed: Array, of_size: Array, mark: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The partners, among the sets before each, of sets `begin` to `end`. mark (m,): scratch, below `begin`."""
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
            at, stop = starts[token], starts[token + 1]
            if stop - at > 16:
                at += np.searchsorted(entries[at:stop], lowest)
            while at < stop and entries[at] < x:
                y, place = entries[at], places[at]
                at += 1
                if y < lowest or mark[y] == x:
                    continue
                # The first word met that both have is the first that both have: what they share lies from here on.
                mark[y] = x
                j, y_end = offsets[y] + place, offsets[y + 1]
                need = needed[size + y_end - offsets[y]]
                both = _shared(tokens, i, x_end, j, y_end, need)
                if both >= need:
                    if found == room:
                        room *= 2
                        left, right, shared = _longer(left), _longer(right), _longer(shared)
                    left[found], right[found], shared[found] = y, x, both
                    found += 1
    return left[:found].copy(), right[:found].copy(), shared[:found].copy()


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
    longer[: len(values)] = values
    return longer


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
    return ends, unique[:at].copy(), hashes


@numba.njit(cache=True)
def _sort(words: Array) -> None:
    if len(words) > 40:
        words.sort()
        return
    for i in range(1, len(words)):
        word = words[i]
        j = i
        while j and words[j - 1] > word:
            words[j] = words[j - 1]
            j -= 1
        words[j] = word


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


def _neighbours(m: int, pairs: Pairs) -> tuple[Array, Array, Array]:
    """Pairs as lists: the neighbours of set s, and the overlaps with them, from starts[s] to starts[s + 1]."""
    ends = np.concatenate([pairs.left, pairs.right])
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(m + 1))
    others = np.concatenate([pairs.right, pairs.left])[order]
    return starts, others, np.concatenate([pairs.overlap, pairs.overlap])[order]


def _cells(of: Array, who: Array) -> tuple[Array, int, Array]:
    """The distinct (set, who) as sorted numbers set * width + who; the width; each post's row among them."""
    width = int(who.max(initial=0)) + 1
    cells, rows = np.unique(of.astype(np.int64) * width + who, return_inverse=True)
    return cells, width, rows


@numba.njit(cache=True)
def _keep_first(
    order: Array, of: Array, author: Array, picture: Array, with_picture: Array,
    author_cells: Array, author_width: int, author_rows: Array,
    picture_cells: Array, picture_width: int, picture_rows: Array,
    starts: Array, others: Array, overlaps: Array,
) -> tuple[Array, Array]:  # fmt: skip
    n = len(order)
    duplicate_of = np.full(n, -1, np.int64)
    overlap = np.zeros(n)
    turn = np.empty(n, np.int64)
    turn[order] = np.arange(n)
    # The first kept post of each cell.
    by_author = np.full(len(author_cells), -1, np.int64)
    by_picture = np.full(len(picture_cells), -1, np.int64)
    for p in order:
        pictured = picture[p] >= 0
        first = by_picture[picture_rows[p]] if pictured else by_author[author_rows[p]]
        best = 1.0
        if first < 0 and not (pictured and with_picture[picture[p]] == 1):
            best = 0.0
            for at in range(starts[of[p]], starts[of[p] + 1]):
                if overlaps[at] < best:
                    continue
                if pictured:
                    other = _first_kept(by_picture, picture_cells, others[at] * picture_width + picture[p])
                else:
                    other = _first_kept(by_author, author_cells, others[at] * author_width + author[p])
                if other >= 0 and (overlaps[at] > best or turn[other] < turn[first]):
                    first, best = other, overlaps[at]
        if first >= 0:
            duplicate_of[p], overlap[p] = first, best
        else:
            if by_author[author_rows[p]] < 0:
                by_author[author_rows[p]] = p
            if pictured:
                by_picture[picture_rows[p]] = p
    return duplicate_of, overlap


@numba.njit(cache=True)
def _first_kept(kept: Array, cells: Array, cell: int) -> int:
    at = np.searchsorted(cells, cell)
    return int(kept[at]) if at < len(cells) and cells[at] == cell else -1
