"""word2vec on a corpus's own cleaned words (gensim), users as the means of their words and, beyond the paper, fastText
in its place, and who uses which words.

All see the posts that they are given and nothing else: the caller gives the train split.
Source: "Text" and "Implementation" of the paper; 300 dimensions; skip-gram, window and passes are unstated there.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from gensim.models import FastText, Word2Vec
from scipy.sparse import coo_array, csr_array

from pipeline.running.errors import UserError
from pipeline.running.files import sealed_file, stands
from pipeline.running.progress import bar
from pipeline.running.schema import Words
from pipeline.words.subwords import BUCKETS, LONGEST, SHORTEST, Parts

CHECKPOINT_EVERY = 30.0
"""Seconds, at least, between checkpoints; one is written at the end of a pass."""
SMOOTHING = 300
"""To each user's words so many are added, of the corpus's frequencies; 100 and 1000 rank alike on folds."""
NOTHING = 1e-6
"""Below this a length or a singular value is what rounding leaves of 0."""


@dataclass(frozen=True)
class WordVectors:
    """v words, sorted, with the number of occurrences of each, (v,) int64, and its vector, (v, size) float32.

    `parts` are what words are made of; none are known unless `Words.subwords` asks for them.
    """

    words: pa.Array
    counts: np.ndarray
    vectors: np.ndarray
    parts: Parts

    def with_spelled(self, words: pa.Array, fitted: Iterable[pa.ChunkedArray]) -> "WordVectors":
        """These words and those others of `words` that have a known part: their vectors are made of their parts.

        Their counts are those of `fitted` (lists of words, by shard), 0 for one that never occurs there.
        """
        others = pc.filter(words, pc.invert(pc.is_in(words, value_set=self.words))).to_pylist()
        spelled, vectors = self.parts.spell(others)
        counted, wanted = Counter[str](), pa.array(spelled, pa.string())
        for texts in fitted:
            said = pc.list_flatten(texts)
            found = said.filter(pc.is_in(said, value_set=wanted)).value_counts()
            counted.update(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))
        names = [*self.words.to_pylist(), *spelled]
        order = sorted(range(len(names)), key=names.__getitem__)
        counts = np.append(self.counts, [counted[word] for word in spelled]).astype(np.int64)
        return WordVectors(
            pa.array([names[row] for row in order], pa.string()),
            counts[order],
            np.concatenate([self.vectors, vectors])[order],
            self.parts,
        )


def learn(texts: Iterable[pa.ChunkedArray], params: Words, seed: int, folder: Path) -> WordVectors:
    """Word vectors of the words that occur at least `params.min_count` times in `texts` (lists of words, by shard).

    The texts go through a file in `folder`, one a line: gensim reads it without Python's lock. Passes that a killed run
    of the same arguments finished, and kept there, are not made again. With one worker the result is a function of the
    arguments. Raises UserError where no word is frequent enough.
    """
    corpus = folder / "corpus.txt"
    _write_lines(texts, corpus)
    settings = {
        "vector_size": params.size,
        "sg": int(params.skip_gram),
        "window": params.window,
        "min_count": params.min_count,
        "negative": params.negative,
        "workers": params.workers,
        "seed": seed,
    }
    hashed = {"min_n": SHORTEST, "max_n": LONGEST, "bucket": BUCKETS}
    model = FastText(**settings, **hashed) if params.subwords else Word2Vec(**settings)
    model.build_vocab(corpus_file=str(corpus))
    if not len(model.wv):
        raise UserError(
            f"no word occurs {params.min_count} times in the {model.corpus_total_words} words of the posts that "
            "word2vec may see: lower words.min_count, or give more posts with text."
        )
    _make_passes(model, corpus, params.epochs, folder / "passes.npz")
    words = sorted(model.wv.key_to_index)
    rows = [model.wv.key_to_index[word] for word in words]
    counts = np.array([model.wv.get_vecattr(word, "count") for word in words], np.int64)
    parts = Parts.of_model(model) if isinstance(model, FastText) else Parts([], np.empty((0, params.size), np.float32))
    return WordVectors(pa.array(words, pa.string()), counts, model.wv.vectors[rows], parts)


def _make_passes(model: Word2Vec, corpus: Path, passes: int, checkpoint: Path) -> None:
    """Train `model` pass by pass, the rate falling from its first to its last value over all of them."""
    first, last = model.alpha, model.min_alpha
    done = _resume(model, checkpoint) if stands(checkpoint) else 0
    saved = time.monotonic()
    with bar("word2vec", "passes", passes, initial=done) as shown:
        for at in range(done, passes):
            model.train(
                corpus_file=str(corpus),
                total_examples=model.corpus_count,
                total_words=model.corpus_total_words,
                epochs=1,
                start_alpha=first + (last - first) * at / passes,
                end_alpha=first + (last - first) * (at + 1) / passes,
            )
            shown.update()
            if time.monotonic() - saved >= CHECKPOINT_EVERY:
                _save(model, at + 1, checkpoint)
                saved = time.monotonic()


def _save(model: Word2Vec, passes: int, checkpoint: Path) -> None:
    _, keys, position, *_ = model.random.get_state()
    held: dict[str, Any] = {"passes": passes, "keys": keys, "position": position, **_learned(model)}
    with sealed_file(checkpoint) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **held)


def _learned(model: Word2Vec) -> dict[str, np.ndarray]:
    """The arrays that training changes, by name; a FastText's vectors are made of these."""
    if isinstance(model, FastText):
        own = {"vectors": model.wv.vectors_vocab, "ngrams": model.wv.vectors_ngrams}
    else:
        own = {"vectors": model.wv.vectors}
    return {**own, "context": model.syn1neg}


def _resume(model: Word2Vec, checkpoint: Path) -> int:
    """Put `model` where it stood after the passes that `checkpoint` tells; returns their number."""
    with np.load(checkpoint) as held:
        for name, array in _learned(model).items():
            array[:] = held[name]
        model.random.set_state(("MT19937", held["keys"], int(held["position"])))
        return int(held["passes"])


def _write_lines(texts: Iterable[pa.ChunkedArray], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for column in texts:
            for chunk in column.chunks:
                lines = pc.binary_join(chunk, " ").to_pylist()
                stream.writelines(f"{line}\n" for line in lines if line)


def occurrences(posts: Iterable[pa.Table], words: pa.Array) -> tuple[pa.Array, csr_array]:
    """The users with one of `words` (v,), sorted (u,), and how often each of them posted each word, (u, v) int64.

    `posts` are tables with user_id and words.
    """
    row_of: dict[str, int] = {}
    counts = csr_array((0, len(words)), dtype=np.int64)
    for table in posts:
        lengths = pc.list_value_length(table["words"]).to_numpy()
        users = table["user_id"].combine_chunks().dictionary_encode()
        users = users.combine_chunks() if isinstance(users, pa.ChunkedArray) else users
        rows = np.array([row_of.setdefault(user, len(row_of)) for user in users.dictionary.to_pylist()], np.int64)
        row = np.repeat(rows[users.indices.to_numpy()], lengths)
        column = pc.fill_null(pc.index_in(pc.list_flatten(table["words"]), value_set=words), -1).to_numpy()
        known = column >= 0
        shape = (len(row_of), len(words))
        found = coo_array((np.ones(int(known.sum()), np.int64), (row[known], column[known])), shape).tocsr()
        counts.resize(shape)
        counts = counts + found
    names = np.array(list(row_of), dtype=object)
    order = np.array(sorted(np.flatnonzero(counts.sum(axis=1)), key=lambda user: names[user]), np.int64)
    return pa.array(names[order], pa.string()), counts[order]


def mean_by_user(counts: csr_array, vectors: np.ndarray) -> np.ndarray:
    """The mean vector (u, d) of all words that a user posted, each of the `counts` (u, v) occurrences counted."""
    sums = counts.astype(np.float64) @ vectors.astype(np.float64)
    means: np.ndarray = (sums / counts.sum(axis=1)[:, None]).astype(np.float32)
    return means


def usage(counts: csr_array, size: int) -> tuple[np.ndarray, np.ndarray]:
    """What of words and users tells who uses which words, (v, r) and (u, r) with r at most size + 1; their products are

        log p(w|u) / p(w)    p(w|u) = (n_uw + s p(w)) / (n_u + s), from `counts` n_uw (u, v), with s = SMOOTHING

    as near as so many numbers come. Summed over a text's words it is how naive Bayes tells an author. The logarithm is
    log(1 + n_uw / (s p(w))) - log(1 + n_u / s): a sparse matrix, taken by its truncated singular value decomposition,
    and one number per user. Both together are decomposed again, so that words and users share all numbers evenly; where
    users do not differ, none is left.
    """
    # A word that nobody here used is of no user; its column holds no entry to divide.
    share = np.maximum(counts.sum(axis=0), 1) / counts.sum()
    used = (counts / (SMOOTHING * share)).log1p().tocsr()
    active = np.log1p(counts.sum(axis=1) / SMOOTHING)
    from sklearn.utils.extmath import randomized_svd

    left, values, right = randomized_svd(used, min(size, *counts.shape), random_state=0)
    users, users_rest = np.linalg.qr(np.column_stack([left * values, -active]))
    words, words_rest = np.linalg.qr(np.column_stack([right.T, np.ones(right.shape[1])]))
    left, values, right = np.linalg.svd(users_rest @ words_rest.T, full_matrices=False)
    kept = values > NOTHING
    root = np.sqrt(values[kept])
    return (words @ right[kept].T * root).astype(np.float32), (users @ left[:, kept] * root).astype(np.float32)


def distinct(texts: Iterable[pa.ChunkedArray]) -> pa.Array:
    """The distinct words of `texts` (lists of words, by shard)."""
    found = [pc.list_flatten(part).unique() for part in texts]
    return pc.unique(pa.chunked_array(found, pa.string()))


def join(vectors: np.ndarray, words: np.ndarray, means: np.ndarray, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Word `vectors` (v, d) and users' `means` (u, d) with what `usage` tells of `words` and `users` behind.

    Either half weighs the same: a user's two are of unit length, a word's of unit length on average.
    """
    return np.concatenate([half / mean_length(half) for half in (vectors, words)], axis=1), joined(means, users)


def joined(*halves: np.ndarray) -> np.ndarray:
    """Users' vectors in `halves` (u, ·), side by side: each of unit length, one of zeros as it is."""
    return np.concatenate([half / np.linalg.norm(half, axis=1, keepdims=True).clip(NOTHING) for half in halves], axis=1)


def mean_length(vectors: np.ndarray) -> float:
    """The mean length of rows (n, d), above 0."""
    return max(NOTHING, float(np.linalg.norm(vectors, axis=1).mean()))
