"""Which words tell a user, or a cluster of users, from others: by log-odds, in the words that the pipeline counted."""

from functools import cached_property
from typing import Any

import numpy as np

from pipeline.evaluation.log_odds import log_odds
from pipeline.space.library import Library

MOST = 20
"""Words that tell a user apart, at most."""


class Telling:
    """The words of one corpus."""

    def __init__(self, library: Library) -> None:
        self.library = library

    @cached_property
    def _used(self) -> tuple[Any, Any, Any]:
        """The author of each occurrence of a word, the word's row, and how often each is used in all."""
        names, post, word = self.library.words
        return self.library.author[post], word, np.bincount(word, minlength=len(names))

    def _telling(self, counts: Any, top: int) -> list[str]:
        names = self.library.words[0]
        z = np.zeros(counts.shape[1])
        used = counts.sum(axis=0) > 0
        z[used] = log_odds(counts[:, used])[0]
        order = np.argsort(-z, kind="stable")[:top]
        return [names[int(i)].as_py() for i in order if z[i] > 0 and counts[0, i] > 0]

    def words_of(self, user: int) -> list[str]:
        """The words that tell a user from everybody else, the strongest first."""
        author, word, total = self._used
        if not len(total):
            return []
        own = np.bincount(word[author == user], minlength=len(total))
        return self._telling(np.stack([own, total - own]), MOST)

    def shared_words(self, left: int, right: int, top: int = 5) -> list[str]:
        """Words that tell two users together from everybody else, of those that both use."""
        author, word, total = self._used
        if not len(total) or right < 0:
            return []
        own, other = (np.bincount(word[author == user], minlength=len(total)) for user in (left, right))
        both = np.minimum(own, other)
        return self._telling(np.stack([both, total - both]), top)

    def parting_words(self, left: int, right: int, top: int = 6) -> tuple[list[str], list[str]]:
        """The words that tell one cluster from another, and the other from the one."""
        author, word, total = self._used
        of = self.library.cluster[author]
        here, there = (np.bincount(word[of == number], minlength=len(total)) for number in (left, right))
        return self._telling(np.stack([here, there]), top), self._telling(np.stack([there, here]), top)
