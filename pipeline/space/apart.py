"""Do two groups of users lie apart, by more than any division of the same users into two such groups would?

Shapes: n and m users of the groups, D numbers per vector.
"""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
DIVISIONS = 999
"""Random divisions that are compared with the one that is asked about."""


class Apart(NamedTuple):
    """Mean cosines of two different users within either group, and of one of each; `p` that they are one group."""

    within_here: float
    within_there: float
    between: float
    p: float


def apart(here: Array, there: Array, seed: int) -> Apart:
    """How two groups (n, D) and (m, D) of vectors at unit length lie; n and m are at least 2.

    A permutation test of the distance of their means: p is the share of DIVISIONS, and the groups as they are, in which
    these are as far from each other.
    """
    n, m = len(here), len(there)
    both = np.concatenate([here, there]).astype(np.float64)
    rng = np.random.default_rng(seed)
    # In each column the weights of a division: 1/n for those here, -1/m for those there.
    weights = np.where(np.arange(n + m) < n, 1 / n, -1 / m)
    divisions = np.stack([weights, *(rng.permutation(weights) for _ in range(DIVISIONS))], axis=1)
    distance = np.linalg.norm(both.T @ divisions, axis=0)
    sums = both[:n].sum(axis=0), both[n:].sum(axis=0)
    within = [(float(total @ total) - k) / (k * (k - 1)) for total, k in zip(sums, (n, m), strict=True)]
    as_far = int((distance >= distance[0] * (1 - 1e-9)).sum())
    return Apart(within[0], within[1], float(sums[0] @ sums[1]) / (n * m), as_far / (DIVISIONS + 1))
