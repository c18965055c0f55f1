"""Which words tell some posts from others, as a user's from everybody else's: by log-odds, in the pipeline's words.

Shapes: n posts; a set of posts is a mask (n,).
"""

from functools import cached_property
from typing import Any

import numpy as np

from pipeline.evaluation.log_odds import log_odds
from pipeline.space.library import Library

MOST = 20
"""Words that tell posts apart, at most."""


class Telling:
    """The words of one corpus."""

    def __init__(self, library: Library) -> None:
        self.library = library

    @cached_property
    def _total(self) -> Any:
        names, _, word = self.library.words
        return np.bincount(word, minlength=len(names))

    def _counts(self, posts: Any) -> Any:
        """How often each word is used in a set of posts."""
        _, post, word = self.library.words
        return np.bincount(word[posts[post]], minlength=len(self._total))

    def _telling(self, counts: Any, top: int) -> list[str]:
        names = self.library.words[0]
        z = np.zeros(counts.shape[1])
        used = counts.sum(axis=0) > 0
        if used.any():
            z[used] = log_odds(counts[:, used])[0]
        order = np.argsort(-z, kind="stable")[:top]
        return [names[int(i)].as_py() for i in order if z[i] > 0 and counts[0, i] > 0]

    def words_of(self, posts: Any) -> list[str]:
        """The words that tell a set of posts from all others, the strongest first."""
        own = self._counts(posts)
        return self._telling(np.stack([own, self._total - own]), MOST)

    def shared_words(self, left: Any, right: Any, top: int = 5) -> list[str]:
        """Words that tell two sets of posts together from all others, of those that are in both."""
        both = np.minimum(self._counts(left), self._counts(right))
        return self._telling(np.stack([both, self._total - both]), top)

    def parting_words(self, left: Any, right: Any, top: int = 6) -> tuple[list[str], list[str]]:
        """The words that tell one set of posts from another, and the other from the one."""
        here, there = self._counts(left), self._counts(right)
        return self._telling(np.stack([here, there]), top), self._telling(np.stack([there, here]), top)
