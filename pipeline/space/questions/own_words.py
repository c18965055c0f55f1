"""Questions in a corpus's own words, where nobody chose others: red flowers are not what every corpus is about."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array

from pipeline.tables.table import positions

WORDS = 500
"""Words that are looked at: those of most users."""
USERS, TOGETHER = 10, 3
"""Users at least that say a word (in a small corpus an eighth of them), and posts at least that say two together."""


def own_questions(
    posts: pa.Table, vocabulary: pa.Array, pairs: int, understood: Callable[[list[str]], list[list[str]]] | None = None
) -> list[list[str]]:
    """At most `pairs` pairs of close questions, from posts with user_id and words: `A C` and `B C`.

    C is a word of many users, A and B are those that are most often said with it (cosine of the posts that say them);
    none stands in two pairs. Equal ones come in order of the alphabet. `understood` tells of questions as which words
    they are read: what is read as others asks nothing, as a lemma may have a lemma of its own.
    """
    lists = posts["words"].combine_chunks()
    row = np.repeat(np.arange(posts.num_rows), pc.list_value_length(lists).to_numpy(zero_copy_only=False))
    at = positions(lists.flatten(), vocabulary)
    row, at = row[at >= 0], at[at >= 0]
    author = posts["user_id"].combine_chunks().dictionary_encode()
    size = len(author.dictionary), len(vocabulary)
    said_by = coo_array((np.ones(len(at), bool), (author.indices.to_numpy()[row], at)), size).tocsr()
    users = np.bincount(said_by.indices, minlength=len(vocabulary))
    least = min(USERS, max(2, size[0] // 8))
    chosen = np.argsort(-users, kind="stable")[:WORDS]
    chosen = chosen[users[chosen] >= least]
    place = np.full(len(vocabulary), -1)
    place[chosen] = np.arange(len(chosen))
    row, at = row[place[at] >= 0], place[at[place[at] >= 0]]
    said = coo_array((np.ones(len(at), bool), (row, at)), (posts.num_rows, len(chosen))).tocsr().astype(np.int64)
    together = (said.T @ said).toarray()
    own = together.diagonal().clip(1)
    alike = np.where(together >= TOGETHER, together / np.sqrt(np.outer(own, own)), 0)
    np.fill_diagonal(alike, 0)

    names = vocabulary.take(pa.array(chosen)).to_pylist()
    found: list[list[str]] = []
    for word in range(len(names)):
        one, other = np.argsort(-alike[word], kind="stable")[:2] if len(names) > 2 else (word, word)
        if len(found) < pairs and alike[word, one] > 0 and alike[word, other] > 0:
            asked = [f"{names[beside]} {names[word]}" for beside in (one, other)]
            if understood and understood(asked) != [question.split() for question in asked]:
                continue
            found.append(asked)
            gone = [word, one, other]
            alike[gone], alike[:, gone] = 0, 0
    return found
