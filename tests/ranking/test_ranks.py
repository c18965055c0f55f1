import numpy as np
import pytest

from pipeline.ranking import ranks as module
from pipeline.ranking.ranks import ranks
from pipeline.ranking.rivals import Rivals
from pipeline.ranking.vectors import unit


def by_sorting(queries, candidates, truth):
    """A slow second implementation: all scores in float64, one query at a time."""
    asked, rivals = unit(queries).astype(float), unit(candidates).astype(float)
    found = []
    for query, own in zip(asked, truth, strict=True):
        scores = [float(np.sum(query * rival)) for rival in rivals]
        better = sum(score > scores[own] + 1e-13 for score in scores)
        equal = sum(abs(score - scores[own]) <= 1e-13 for score in scores) - 1
        found.append(1 + better + equal / 2)
    return found


@pytest.fixture
def crowded():
    """Candidates so alike that float32 confuses many of them, some of them copies."""
    rng = np.random.default_rng(1)
    candidates = (rng.standard_normal(96) + 1e-4 * rng.standard_normal((700, 96))).astype(np.float32)
    candidates[500:] = 3 * candidates[:200]
    truth = rng.integers(0, 700, 80)
    return candidates[truth] + rng.standard_normal((80, 96)).astype(np.float32), candidates, truth


def test_a_matrix_checked_by_hand():
    candidates = np.array([[1, 0], [0, 1], [1, 1], [2, 0], [-1, 0]], np.float32)
    queries = np.array([[1, 0], [0, 1], [1, 1], [3, 4]], np.float32)
    # cosines of (1, 0): 1, 0, .71, 1, -1; of (0, 1): 0, 1, .71, 0, 0; of (1, 1): .71, .71, 1, .71, -.71
    # and of (3, 4): .6, .8, .99, .6, -.6
    assert list(ranks(queries, candidates, np.array([0, 4, 1, 3]))) == [1.5, 4, 3, 3.5]


@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (7, 40, 3), (60, 45, 17)])
def test_agrees_with_sorting_ties_included(n, m, d):
    rng = np.random.default_rng(n)
    candidates = rng.integers(-2, 3, (m, d)).astype(np.float32)
    queries = rng.integers(-2, 3, (n, d)).astype(np.float16)
    truth = rng.integers(0, m, n)
    assert list(ranks(queries, candidates, truth)) == by_sorting(queries, candidates, truth)


def test_candidates_closer_than_the_product_can_tell_are_told_apart(crowded):
    queries, candidates, truth = crowded
    assert list(ranks(*crowded)) == by_sorting(*crowded)
    rounded = unit(queries) @ unit(candidates).T  # the test would be idle if float32 sufficed
    plain = 1 + (rounded > rounded[np.arange(len(truth)), truth][:, None]).sum(1)
    assert (plain != np.floor(ranks(*crowded))).any()


@pytest.mark.parametrize("threads", ["1", "3"])
def test_neither_blocks_nor_threads_nor_the_order_of_candidates_matter(crowded, threads, monkeypatch):
    queries, candidates, truth = crowded
    expected = ranks(*crowded)
    monkeypatch.setattr(module, "cores", lambda: int(threads))
    monkeypatch.setattr(module, "_BLOCK", 13)
    order = np.random.default_rng(2).permutation(len(candidates))
    found = ranks(queries, candidates[order], np.argsort(order)[truth])
    np.testing.assert_array_equal(found, expected)


def test_jobs_grow_with_the_work_and_none_waits_for_a_piece_to_end(crowded, monkeypatch):
    queries, candidates, truth = crowded
    sizes = []

    def at_once(function, jobs, shared, **_):
        """As workers do of whom there are more than jobs."""
        jobs = list(jobs)
        sizes.append([len(vectors) for vectors, _ in jobs])
        return [function(job, *shared) for job in jobs]

    monkeypatch.setattr(module, "spread", at_once)
    monkeypatch.setattr(module, "_BLOCK", 4)
    rows = np.arange(80)
    pieces = [(queries, rows[at : at + 9], truth[at : at + 9]) for at in range(0, 80, 9)]
    np.testing.assert_array_equal(module.rank_pieces(pieces, Rivals.of(candidates, 80)), by_sorting(*crowded))
    (sizes,) = sizes
    assert sum(sizes) == 80 and max(sizes) <= 4 and len(sizes) >= 20


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_a_model_that_says_the_same_of_all_ranks_as_chance(value):
    m = 11
    varied = np.random.default_rng(0).standard_normal((m, 8))
    constant = np.full((m, 8), value)
    truth = np.arange(m)
    for queries, candidates in (varied, constant), (constant, constant):
        assert list(ranks(queries, candidates, truth)) == [(m + 1) / 2] * m
    if value:
        assert ranks(constant, varied, truth).mean() == (m + 1) / 2
    else:
        assert list(ranks(constant, varied, truth)) == [(m + 1) / 2] * m


def test_an_untrained_model_ranks_as_chance():
    rng = np.random.default_rng(0)
    found = ranks(rng.standard_normal((3000, 16)), rng.standard_normal((100, 16)), rng.integers(0, 100, 3000))
    assert found.mean() == pytest.approx(50.5, abs=2)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["queries", "candidates"])
def test_numbers_that_are_not_finite_fail(number, side):
    values = {"queries": np.eye(4), "candidates": np.eye(4)}
    values[side][2, 1] = number
    with pytest.raises(ValueError, match="not finite"):
        ranks(**values, truth=np.arange(4))


def test_a_truth_that_is_no_candidate_fails():
    for truth in ([0, 4], [0, -1], [0]):
        with pytest.raises(ValueError, match="4 candidates"):
            ranks(np.eye(4)[:2], np.eye(4), np.array(truth))


def test_rows_choose_the_queries(crowded):
    queries, candidates, truth = crowded
    rows = np.array([5, 3, 3, 70])
    found = ranks(queries, candidates, truth[rows], rows=rows)
    np.testing.assert_array_equal(found, ranks(*crowded)[rows])


def test_no_query_has_no_rank():
    assert ranks(np.empty((0, 4)), np.eye(4), np.empty(0, int)).shape == (0,)
