"""A text's letters as numbers: its character n-grams as written, hashed (beyond the paper).

Case, punctuation, spelling, emoji and endings tell authors apart (Stamatatos 2009). Nothing is fitted, so a text of any
script has its numbers, the same ones whatever the corpus. Which of them tell users apart is for a discriminant to find
(`embedding.starts`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from pipeline.tables.embedding import LETTERS

LONGEST = 3
"""Characters of the longest n-grams: of longer ones more collide, and they tell users apart no better."""
_PIECE = 4096


def letters(texts: Sequence[str]) -> NDArray[np.float16]:
    """The numbers (n, LETTERS) of `texts`, of unit length; zeros for an empty one.

    An n-gram adds 1 or -1 to the number that its hash (MurmurHash3) names; of a sum s the logarithm of 1 + |s| counts.
    White space of any length is one space.
    """
    counted = HashingVectorizer(
        analyzer="char", ngram_range=(1, LONGEST), lowercase=False, n_features=LETTERS, norm=None, alternate_sign=True
    )
    found = np.zeros((len(texts), LETTERS), np.float16)
    for begin in range(0, len(texts), _PIECE):
        sums = counted.transform(texts[begin : begin + _PIECE])
        sums.data = np.sign(sums.data) * np.log1p(np.abs(sums.data))
        found[begin : begin + _PIECE] = normalize(sums).toarray()
    return found
