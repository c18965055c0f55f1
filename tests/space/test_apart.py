"""Two groups lie apart only if divisions by chance do not."""

from itertools import combinations

import numpy as np

from pipeline.ranking.vectors import unit
from pipeline.space.apart import apart


def drawn(rng, n, towards=0.0, dims=16):
    return unit(rng.normal(size=(n, dims)).astype(np.float32) + np.eye(dims, dtype=np.float32)[0] * towards)


def test_cosines_are_those_of_a_plain_loop_and_p_that_of_every_division():
    rng = np.random.default_rng(3)
    here, there = drawn(rng, 4, 1.0), drawn(rng, 5, -0.2)
    found = apart(here, there, seed=1)
    for mean, group in (found.within_here, here), (found.within_there, there):
        np.testing.assert_allclose(mean, np.mean([a @ b for a, b in combinations(group, 2)]), atol=1e-6)
    np.testing.assert_allclose(found.between, np.mean([a @ b for a in here for b in there]), atol=1e-6)
    both, far = np.concatenate([here, there]), []
    for chosen in combinations(range(9), 4):
        rest = [i for i in range(9) if i not in chosen]
        far.append(np.linalg.norm(both[list(chosen)].mean(axis=0) - both[rest].mean(axis=0)))
    exact = np.mean(np.array(far) >= far[0] - 1e-6)
    assert abs(found.p - exact) < 4 * np.sqrt(exact * (1 - exact) / 1000) + 0.002, (found.p, exact)


def test_groups_of_one_kind_are_told_apart_as_often_as_p_says_and_of_two_always():
    rng = np.random.default_rng(0)
    chances = np.array([apart(drawn(rng, 8), drawn(rng, 12), seed).p for seed in range(200)])
    assert 0.01 <= (chances <= 0.05).mean() <= 0.10 and 0.4 < chances.mean() < 0.6
    assert apart(drawn(rng, 8, 3.0), drawn(rng, 12), seed=0).p == 0.001
    here, there = drawn(rng, 8), drawn(rng, 12)
    assert apart(here, there, seed=5) == apart(here, there, seed=5)
