"""Words from their parts: vectors of character n-grams (fastText), for words too rare to learn, or never seen.

Source: beyond the paper; Bojanowski et al., Enriching Word Vectors with Subword Information, TACL 2017. The n-grams of
a word are those of 3 to 6 characters of it between < and >.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gensim.models.fasttext import FastText

SHORTEST, LONGEST = 3, 6
"""Characters of an n-gram, as fastText has them."""
BUCKETS = 2**19
"""n-grams that hash alike share a vector; at 300 numbers these are 630 MB while word2vec runs."""
SHARED = 2
"""An n-gram tells something of other words if so many words have it; others are not kept."""


def ngrams(word: str) -> list[str]:
    """The distinct n-grams of a word, sorted."""
    from gensim.models.fasttext import compute_ngrams

    return sorted(set(compute_ngrams(word, SHORTEST, LONGEST)))


@dataclass(frozen=True)
class Parts:
    """n-grams, sorted, with the vector of each, (b, d) float32."""

    ngrams: Sequence[str]
    vectors: np.ndarray

    @classmethod
    def of_model(cls, model: "FastText") -> "Parts":
        """The n-grams that at least `SHARED` words of a trained model have."""
        from gensim.models.fasttext_inner import ft_hash_bytes

        counted = Counter(ngram for word in model.wv.index_to_key for ngram in ngrams(word))
        kept = sorted(ngram for ngram, words in counted.items() if words >= SHARED)
        return cls(kept, model.wv.vectors_ngrams[[ft_hash_bytes(ngram.encode()) % BUCKETS for ngram in kept]])

    def scaled(self, by: float, width: int) -> "Parts":
        """These vectors times `by`, followed by zeros up to `width` numbers."""
        return Parts(self.ngrams, np.pad(self.vectors * np.float32(by), ((0, 0), (0, width - self.vectors.shape[1]))))

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {ngram: row for row, ngram in enumerate(self.ngrams)}

    def spell(self, words: Iterable[str]) -> tuple[list[str], np.ndarray]:
        """Those of `words` that have a known n-gram (n), and the mean vectors of their known n-grams, (n, d)."""
        rows = {word: [self._row_of[part] for part in ngrams(word) if part in self._row_of] for word in words}
        spelled = [word for word, found in rows.items() if found]
        means = [self.vectors[rows[word]].mean(axis=0) for word in spelled]
        return spelled, np.array(means, np.float32).reshape(len(spelled), self.vectors.shape[1])
