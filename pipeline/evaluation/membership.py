"""Can one tell from the vectors alone whose post was in train? What publishing them says of the people in them.

Training draws a post's text and picture to its author's vector, so a post that trained may lie closer than one that was
held out. Somebody who has the vectors and a post guesses by closeness; how often the guess is right is the AUC: of a
post that trained and one that did not, by the same author, how often the one that trained is closer. 0.5 is chance.
Compared within a person, so that who posts much, or alike, does not count for having been in train.

- text, image: `own` is the cosine to the author's vector, by someone who knows whose post it is; `any` the largest
  cosine to any user's vector, by someone who does not.
- user: is a person among the vectors at all? By the mean of their held-out posts' vectors and the closest user's
  vector, with theirs among them and with theirs taken out, over people. That the others' vectors saw them is not
  undone, so with a model that never had the person this might be told a little more easily.

After membership inference by a threshold (Shokri et al. 2017; Yeom et al. 2018), of the weakest kind: no model of the
attack is trained, so a better attacker finds more. Intervals: 95 %, by resampling people.

Shapes: n posts, u users, D numbers.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.ranking.bootstrap import interval, resamples, rounded
from pipeline.ranking.vectors import unit

Array = np.ndarray[Any, np.dtype[Any]]
LEAST = 10
"""People with posts on both sides, below which nothing is told."""
_ROWS = 4096


def closeness(vectors: Array, author: Array, users: Array) -> dict[str, Array]:
    """Cosines (n,) of unit vectors (n, D) to the author's (u, D), by number, and to the closest user's."""
    own, nearest = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), _ROWS):
        rows = slice(begin, begin + _ROWS)
        cosines = vectors[rows] @ users.T
        own[rows] = cosines[np.arange(len(cosines)), author[rows]]
        nearest[rows] = cosines.max(axis=1)
    return {"own": own, "any": nearest}


def told_apart(train: Array, train_user: Array, held: Array, held_user: Array, count: int, seed: int) -> dict[str, Any]:
    """The AUC of scores of posts in train (n,) over held-out ones (m,), pairs of one user each; see `_summary`."""
    wins: list[float] = []
    pairs: list[int] = []
    of_train, of_held = _by_user(train, train_user), _by_user(held, held_user)
    for user in sorted(of_train.keys() & of_held.keys()):
        ins, outs = of_train[user], of_held[user]
        ranks = pd.Series(np.concatenate([ins, outs])).rank().to_numpy()  # ties count half
        wins.append(float(ranks[: len(ins)].sum() - len(ins) * (len(ins) + 1) / 2))
        pairs.append(len(ins) * len(outs))
    return _summary(np.array(wins), np.array(pairs, float), count, seed)


def _by_user(scores: Array, user: Array) -> dict[int, Array]:
    order = np.argsort(user, kind="stable")
    users, begins = np.unique(user[order], return_index=True)
    return dict(zip(users.tolist(), np.split(scores[order], begins[1:]), strict=True)) if len(users) else {}


def among_the_users(means: Array, own: Array, users: Array, count: int, seed: int) -> dict[str, Any]:
    """The AUC of the closest user's cosine to each mean (n, D), with the vector `own` (n,) there and without it."""
    cosines = means @ users.T
    inside = cosines.max(axis=1)
    cosines[np.arange(len(cosines)), own] = -np.inf
    outside = cosines.max(axis=1)
    wins = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    return _summary(wins.mean(axis=1), np.ones(len(means)), count, seed)


def _summary(wins: Array, pairs: Array, count: int, seed: int) -> dict[str, Any]:
    """AUC with its interval, chance and the number of people, given what each person adds to it."""
    if len(wins) < LEAST:
        return {"not_measured": f"{len(wins)} people have posts on both sides, of {LEAST} needed"}
    drawn = [block @ wins / (block @ pairs) for block in resamples(len(wins), count, seed)]
    auc, low, high = rounded(float(wins.sum() / pairs.sum()), *interval(np.concatenate(drawn)))
    return {"auc": auc, "low": low, "high": high, "chance": 0.5, "users": len(wins)}


def unit_means(vectors: Array, user: Array) -> tuple[Array, Array]:
    """The mean of each user's vectors, of unit length (k, D), and the users' numbers (k,)."""
    users, at = np.unique(user, return_inverse=True)
    sums = np.zeros((len(users), vectors.shape[1]), np.float64)
    np.add.at(sums, at, vectors)
    return unit(sums), users
