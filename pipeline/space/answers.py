"""What a space is asked, and what it answers: `pipeline.space.space.Space` makes these.

Shapes: D numbers per vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.space.library import Post
from pipeline.space.questions.chance import SHARE
from pipeline.space.questions.question import Term, not_known

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Answer:
    """A thing near to what was asked. id: of a user, an image, or the post of a text."""

    kind: str
    id: str
    cosine: float
    chance: float | None
    """The share of questions about nothing of which the nearest is as near (`questions.chance`); None where it is not
    told: of a single word, of a post, and where a run has no data/chance."""
    copies: int = 0
    """How many further images, or posts, are folded into this one."""
    held_out: bool = False
    """Whether it is of a post of the validation or test side, and of none that the model was trained on."""
    because: tuple[str, ...] = ()
    """Of a user: ids of the posts that lie nearest to what was asked."""

    @property
    def above_chance(self) -> bool:
        """Whether it is nearer than the nearest is to 19 in 20 questions about nothing, or chance is not told."""
        return self.chance is None or self.chance <= SHARE


@dataclass(frozen=True)
class Asked:
    """A question with its vector; None where nothing of it is known."""

    terms: tuple[Term, ...]
    vector: Array | None
    kind: str = "text"
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Words that the model does not know, each with known ones that are spelled nearly so."""
    from_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Words that it knows by their parts alone, each with the known ones that lie nearest to it."""
    left_out: tuple[int, ...] = ()
    """The terms, by their place, of which nothing is known."""
    words: int = 1
    """How many words, and users, images and posts, the question is made of."""
    coherence: float = 1.0
    """How near to each other these lie, for a question with words: see `pipeline.space.questions.chance`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that tell what could not be understood."""
        return tuple(not_known(self.terms[i]) for i in self.left_out)


@dataclass(frozen=True)
class Person:
    """A user of the corpus; posts by time, then as they stand."""

    user_id: str
    vector: Array | None
    posts: tuple[Post, ...]
    cluster: int | None
    interests: tuple[str, ...]
    nearest: tuple[Answer, ...]


def direction(vectors: Sequence[Array]) -> Array | None:
    """The sum of `vectors`, each (D,), at unit length; None where nothing is left of it."""
    total = np.sum(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length, np.float32) if length > 1e-6 else None
