import numpy as np
import pytest

from pipeline.ranking import bootstrap
from pipeline.ranking.bootstrap import interval, resamples, rounded


def test_a_resample_draws_as_many_users_as_there_are():
    drawn = np.concatenate(list(resamples(30, 200, seed=1)))
    assert drawn.shape == (200, 30)
    assert (drawn.sum(axis=1) == 30).all()
    assert abs((drawn == 0).mean() - (1 - 1 / 30) ** 30) < 0.02


def test_resamples_do_not_depend_on_the_size_of_blocks(monkeypatch):
    whole = np.concatenate(list(resamples(7, 50, seed=3)))
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 21)
    blocks = list(resamples(7, 50, seed=3))
    assert len(blocks) == 17
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_an_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(5).normal(10, 2, 400)
    means = np.concatenate([block @ values / 400 for block in resamples(400, 2000, seed=1)])
    low, high = interval(means)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_a_resample_without_a_case_is_left_out():
    assert interval(np.array([np.nan, 1.0, 1.0, 1.0])) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ((12.3456, 11.21, 13.52), (12.3, 11.2, 13.5)),
        ((0.123456, 0.1101, 0.1399), (0.123, 0.11, 0.14)),
        ((12345.6, 11100.0, 13700.0), (12300, 11100, 13700)),
        ((0.25, 0.25, 0.25), (0.25, 0.25, 0.25)),
    ],
)
def test_digits_are_those_that_the_interval_supports(given, shown):
    assert rounded(*given) == pytest.approx(shown)
