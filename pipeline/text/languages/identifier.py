"""fastText's linear classifier of languages, for many short texts: what it gives, at a tenth of its time.

A text's vector is the mean of its words' rows and of those of their n-grams, and words recur: each distinct one is
spelled and summed once. The file is read by its layout, which is fastText's own (compressed by product
quantization, pruned, with a hierarchical softmax); what comes out is what the library predicts, up to rounding, and
a test holds that.

Shapes: r rows of d numbers; l languages, the leaves of a binary tree whose l - 1 nodes have d numbers each.

Source: Joulin et al., Bag of Tricks for Efficient Text Classification, 2017; FastText.zip, 2016.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import positions, strings

Array = np.ndarray[Any, Any]

_MAGIC, _VERSION = 793712314, 12
_LABEL = "__label__"
_END = "</s>"
"""A word that fastText has at the end of every text."""
_CENTROIDS = 256
MOST = 5
"""Languages that are told of a text, at most."""


class Identifier(NamedTuple):
    """A model: `words` in the order of their rows; `rows` (r, d); `row_of` the row of an n-gram by its hash, -1: none.

    `languages` (l); `nodes` (l - 1, d) and `children` (l - 1, 2) of the tree: below l a language, else a node.
    """

    words: pa.Array
    rows: Array
    row_of: Array
    shortest: int
    longest: int
    languages: list[str]
    nodes: Array
    children: Array

    @classmethod
    def load(cls, path: Path) -> "Identifier":
        """From a file of the kind `.ftz`. Raises ValueError for one of another layout."""
        return _Reader(path.read_bytes()).model()

    def predict(self, texts: pa.ListArray, least: float) -> tuple[Array, Array, Array]:
        """What each of n texts, as words in small letters, may be in: text, language (as numbers) and probability.

        At most MOST a text, likeliest first, each of at least `least`.
        """
        encoded = texts.flatten().dictionary_encode()
        lengths = pc.list_value_length(texts).to_numpy().astype(np.int64)
        sums, counts = self._summed(encoded.dictionary)
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        found: tuple[Array, Array, Array] = _predict(
            np.concatenate([[0], np.cumsum(lengths)]), codes, sums, counts,
            self.rows[self.words.index(_END).as_py()], self.nodes, self.children, np.log(np.float32(least) + 1e-5),
        )  # fmt: skip
        return found

    def _summed(self, words: pa.Array) -> tuple[Array, Array]:
        """The sum of each distinct word's rows, (w, d), and their number, (w,)."""
        spelled = pc.binary_join_element_wise("<", words, ">", "")
        _, ends, letters = spelled.buffers()
        data = np.frombuffer(letters or b"", np.uint8)
        offsets = np.frombuffer(ends, np.int32)[: len(words) + 1] if len(words) else np.zeros(1, np.int32)
        found: tuple[Array, Array] = _sum(
            data, offsets, positions(words, self.words), self.rows, self.row_of, self.shortest, self.longest
        )
        return found


class _Reader:
    """Reads the layout of fastText 12, little end first, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def model(self) -> Identifier:
        magic, version, *args = self._next("ii12id")
        dim, word_ngrams, loss, buckets, shortest, longest = (args[i] for i in (0, 5, 6, 8, 9, 10))
        if (magic, version) != (_MAGIC, _VERSION) or (word_ngrams, loss) != (1, 1):
            raise ValueError("no classifier of fastText's version 12 with single words and a hierarchical softmax")
        entries, words, _, _, pruned = self._next("iiiqq")
        names, counts = [], []
        for _ in range(entries):
            end = self._data.index(b"\0", self._at)
            names.append(self._data[self._at : end].decode())
            self._at = end + 1
            counts.append(self._next("qb")[0])
        row_of = np.full(buckets, -1, np.int32)
        kept = self._array(2 * pruned, "<i4").reshape(-1, 2)
        row_of[kept[:, 0]] = words + kept[:, 1]
        rows = self._quantized()
        if self._next("?")[0] or rows.shape[1] != dim:
            raise ValueError("a classifier of fastText whose languages are compressed too")
        leaves, width = self._next("qq")
        nodes = self._array(leaves * width, "<f4").reshape(leaves, width)[:-1]
        return Identifier(
            strings(names[:words]), rows, row_of, shortest, longest,
            [name.removeprefix(_LABEL) for name in names[words:]], nodes, _tree(counts[words:]),
        )  # fmt: skip

    def _quantized(self) -> Array:
        """A matrix by product quantization: each row is put together from centroids, and scaled by its norm."""
        quantized, with_norms, rows, _, size = self._next("??qqi")
        if not (quantized and with_norms):
            raise ValueError("a classifier of fastText that is not compressed")
        codes = self._array(size, "u1").reshape(rows, -1)
        centroids, part = self._centroids()
        norms = self._array(rows, "u1")
        of_norm, _ = self._centroids()
        parts = [centroids[_CENTROIDS * part * i :].reshape(-1, part)[codes[:, i]] for i in range(codes.shape[1])]
        return np.concatenate(parts, axis=1) * of_norm[norms][:, None]

    def _centroids(self) -> tuple[Array, int]:
        dim, parts, part, last = self._next("4i")
        if part != last or dim != parts * part:
            raise ValueError("a classifier of fastText with parts of more than one width")
        return self._array(dim * _CENTROIDS, "<f4"), part

    def _next(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + layout, self._data, self._at)
        self._at += struct.calcsize("<" + layout)
        return found

    def _array(self, size: int, kind: str) -> Array:
        found = np.frombuffer(self._data, kind, size, self._at)
        self._at += found.nbytes
        return found


def _tree(counts: list[int]) -> Array:
    """The Huffman tree over leaves, most frequent first, as fastText builds it: each node's children, (l - 1, 2)."""
    leaves = len(counts)
    weight = [*counts, *[10**15] * (leaves - 1)]
    children = np.empty((leaves - 1, 2), np.int32)
    leaf, node = leaves - 1, leaves
    for made in range(leaves - 1):
        for side in range(2):
            if leaf >= 0 and weight[leaf] < weight[node]:
                children[made, side], leaf = leaf, leaf - 1
            else:
                children[made, side], node = node, node + 1
        weight[leaves + made] = weight[children[made, 0]] + weight[children[made, 1]]
    return children


@numba.njit(cache=True, nogil=True)
def _add(total: Array, row: Array) -> None:
    for i in range(len(total)):  # `total += row` has numba compile for seconds what it says of shapes that differ
        total[i] += row[i]


@numba.njit(cache=True, nogil=True)
def _divide(row: Array, by: np.float32) -> None:
    for i in range(len(row)):
        row[i] /= by


@numba.njit(cache=True, nogil=True)
def _sum(
    data: Array, offsets: Array, word: Array, rows: Array, row_of: Array, shortest: int, longest: int
) -> tuple[Array, Array]:
    """Sums over the rows of words, by their place in the vocabulary (-1: none), and of the n-grams of <word>."""
    sums = np.zeros((len(word), rows.shape[1]), np.float32)
    counts = np.zeros(len(word), np.int64)
    for w in range(len(word)):
        if word[w] >= 0:
            _add(sums[w], rows[word[w]])
            counts[w] += 1
        begin, end = offsets[w], offsets[w + 1]
        for i in range(begin, end):
            if data[i] & 0xC0 == 0x80:  # within a character
                continue
            value, j, size = np.uint32(2166136261), i, 1
            while j < end and size <= longest:
                while True:  # FNV-1a over the bytes of one character, taken as signed
                    value = np.uint32((value ^ np.uint32(np.int8(data[j]))) * np.uint32(16777619))
                    j += 1
                    if j == end or data[j] & 0xC0 != 0x80:
                        break
                if size >= shortest and not (size == 1 and (i == begin or j == end)):
                    row = row_of[value % np.uint32(len(row_of))]
                    if row >= 0:
                        _add(sums[w], rows[row])
                        counts[w] += 1
                size += 1
    return sums, counts


@numba.njit(cache=True, nogil=True)
def _predict(
    offsets: Array, codes: Array, sums: Array, counts: Array, end: Array, nodes: Array, children: Array, lowest: float
) -> tuple[Array, Array, Array]:
    """Down the tree from its root, where what is left is at least `lowest` (a logarithm)."""
    n, leaves = len(offsets) - 1, len(nodes) + 1
    text = np.empty(n * MOST, np.int64)
    language = np.empty(n * MOST, np.int64)
    probability = np.empty(n * MOST, np.float32)
    stack, left = np.empty(2 * leaves, np.int64), np.empty(2 * leaves, np.float32)
    best, score = np.empty(MOST, np.int64), np.empty(MOST, np.float32)
    found = 0
    for row in range(n):
        if offsets[row] == offsets[row + 1]:
            continue
        vector, total = end.copy(), 1
        for at in range(offsets[row], offsets[row + 1]):
            _add(vector, sums[codes[at]])
            total += counts[codes[at]]
        _divide(vector, np.float32(total))
        held, depth = 0, 1
        stack[0], left[0] = 2 * leaves - 2, 0.0
        while depth:
            depth -= 1
            node, value = stack[depth], left[depth]
            if value < lowest or (held == MOST and value < score[MOST - 1]):
                continue
            if node < leaves:
                place = min(held, MOST - 1)
                while place and score[place - 1] < value:
                    best[place], score[place] = best[place - 1], score[place - 1]
                    place -= 1
                best[place], score[place] = node, value
                held = min(held + 1, MOST)
                continue
            right = np.float32(1 / (1 + np.exp(-np.dot(nodes[node - leaves], vector))))
            for side in range(2):
                share = right if side else np.float32(1) - right
                stack[depth], left[depth] = children[node - leaves, side], value + np.log(share + 1e-5)
                depth += 1
        for place in range(held):
            text[found], language[found], probability[found] = row, best[place], np.exp(score[place])
            found += 1
    return text[:found].copy(), language[:found].copy(), probability[:found].copy()
