"""word2vec on a corpus's own cleaned words (gensim), and users as the means of their words.

Both see the posts that they are given and nothing else: the caller gives the train split.
Source: "Text" and "Implementation" of the paper; 300 dimensions; skip-gram, window and passes are unstated there.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from gensim.models import Word2Vec
from scipy.sparse import coo_array

from pipeline.errors import UserError
from pipeline.files import atomic_file
from pipeline.params import Words
from pipeline.progress import bar

CHECKPOINT_EVERY = 30.0
"""Seconds, at least, between checkpoints; one is written at the end of a pass."""


@dataclass(frozen=True)
class WordVectors:
    """v words, sorted, with the number of occurrences of each, (v,) int64, and its vector, (v, size) float32."""

    words: pa.Array
    counts: np.ndarray
    vectors: np.ndarray


def learn(texts: Iterable[pa.ChunkedArray], params: Words, seed: int, folder: Path) -> WordVectors:
    """Word vectors of the words that occur at least `params.min_count` times in `texts` (lists of words, by shard).

    The texts go through a file in `folder`, one a line: gensim reads it without Python's lock. Passes that a killed run
    of the same arguments finished, and kept there, are not made again. With one worker the result is a function of the
    arguments. Raises UserError where no word is frequent enough.
    """
    corpus = folder / "corpus.txt"
    _write_lines(texts, corpus)
    model = Word2Vec(
        vector_size=params.size,
        sg=int(params.skip_gram),
        window=params.window,
        min_count=params.min_count,
        negative=params.negative,
        workers=params.workers,
        seed=seed,
    )
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
    return WordVectors(pa.array(words, pa.string()), counts, model.wv.vectors[rows])


def _make_passes(model: Word2Vec, corpus: Path, passes: int, checkpoint: Path) -> None:
    """Train `model` pass by pass, the rate falling from its first to its last value over all of them."""
    first, last = model.alpha, model.min_alpha
    done = _resume(model, checkpoint) if checkpoint.exists() else 0
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
    held = {"vectors": model.wv.vectors, "context": model.syn1neg, "keys": keys, "position": position}
    with atomic_file(checkpoint) as temporary, temporary.open("wb") as stream:
        np.savez(stream, passes=passes, **held)


def _resume(model: Word2Vec, checkpoint: Path) -> int:
    """Put `model` where it stood after the passes that `checkpoint` tells; returns their number."""
    with np.load(checkpoint) as held:
        model.wv.vectors[:], model.syn1neg[:] = held["vectors"], held["context"]
        model.random.set_state(("MT19937", held["keys"], int(held["position"])))
        return int(held["passes"])


def _write_lines(texts: Iterable[pa.ChunkedArray], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for column in texts:
            for chunk in column.chunks:
                lines = pc.binary_join(chunk, " ").to_pylist()
                stream.writelines(f"{line}\n" for line in lines if line)


def mean_by_user(
    posts: Iterable[pa.Table], words: pa.Array, vectors: np.ndarray
) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """The mean vector of all words that a user posted, each occurrence counted; words not in `words` say nothing.

    `posts` are tables with user_id and words. Returns the users with a known word, sorted (u,), their means (u, d)
    float32, and how many known words each mean is over (u,).
    """
    row_of: dict[str, int] = {}
    occurrences = coo_array((0, len(words)), dtype=np.int64).tocsr()
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
        occurrences.resize(shape)
        occurrences = occurrences + found
    totals = np.asarray(occurrences.sum(axis=1)).ravel()
    names = np.array(list(row_of), dtype=object)
    order = np.array(sorted(np.flatnonzero(totals), key=lambda user: names[user]), np.int64)
    sums = occurrences[order].astype(np.float64) @ vectors.astype(np.float64)
    means = (sums / totals[order, None]).astype(np.float32)
    return pa.array(names[order], pa.string()), means, totals[order]
