"""How near is no nearer than chance: a threshold that the corpus itself tells, for each question anew.

Everything is near to something, so a cosine by itself says little: short texts lie further from all than long ones. A
question that is about nothing scores the m candidates like draws from one bell curve, of which the highest is expected
some way above the mean. The threshold is what the highest of m such draws exceeds once in twenty times:

    mean + z(1 - 0.05 / m) * deviation      over the cosines of the question with all candidates

What lies above it, the candidates' bulk does not explain. On openclipart's test side, one in ten questions mixed from
eight texts has a user above it and one in a hundred an image, as have one or two in a hundred random directions; of the
texts 45 % have a user above it, who is the author of 89 %, and of 27 % where none is (benchmarks.chance).
"""

from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SHARE = 0.05


def threshold(cosines: Array, candidates: int | None = None) -> float:
    """The cosine above which an answer is no chance, given those with all candidates (m,), or a sample of `candidates`.

    1 where there are fewer than three to judge by.
    """
    if len(cosines) < 3:
        return 1.0
    highest = NormalDist().inv_cdf(1 - SHARE / (candidates or len(cosines)))
    return float(cosines.mean(dtype=np.float64) + highest * cosines.std(dtype=np.float64))
