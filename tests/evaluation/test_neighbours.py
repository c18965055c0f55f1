"""User to user: figures by hand, a planted truth found, noise at chance, and the best there could be."""

import numpy as np
import pytest

from pipeline.evaluation.neighbours import by_chance, evaluate, in_common, interests_of, nearest_others


def test_what_users_have_in_common_by_hand():
    truth = interests_of([["tea", "cats"], ["tea"], ["cats"], ["mine alone"]])
    np.testing.assert_array_equal(truth, [[1, 1], [0, 1], [1, 0], [0, 0]])
    unit = truth / np.maximum(1, np.linalg.norm(truth, axis=1, keepdims=True))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(in_common(unit, np.array([[1], [2], [0], [1]])), [half, 0, half, 0])
    np.testing.assert_allclose(by_chance(unit), [2 * half / 3, half / 3, half / 3, 0], rtol=1e-6)


def test_a_user_is_never_its_own_neighbour_and_ties_are_others_all_the_same():
    found = nearest_others(np.ones((50, 4)), 7)
    assert all(row not in others and len(set(others)) == 7 for row, others in enumerate(found.tolist()))


def test_blocks_agree_with_a_plain_search(monkeypatch):
    monkeypatch.setattr("pipeline.evaluation.neighbours._BLOCK", 13)
    vectors = np.random.default_rng(0).normal(size=(70, 5))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row, others in enumerate(nearest_others(vectors, 4)):
        scores = unit @ unit[row]
        scores[row] = -2
        assert set(others) == set(np.argsort(-scores)[:4])


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(1)
    truth = np.eye(4, dtype=np.float32)[np.arange(200) % 4]
    methods = {
        "model": truth + 0.3 * rng.normal(size=truth.shape),
        "worse": truth + 1.0 * rng.normal(size=truth.shape),
        "noise": rng.normal(size=(200, 8)),
    }
    return evaluate(methods, truth, 5, 200, 1)


def test_what_is_planted_is_found_and_noise_is_at_chance(found):
    assert found["best"] == 1 and found["users"] == 200
    assert found["chance"] == pytest.approx(49 / 199, abs=0.005)
    assert found["noise"] == pytest.approx(found["chance"], abs=0.05)
    assert found["model"] > found["worse"] > found["chance"]


def test_differences_are_paired_and_of_the_figures_shown(found):
    for method in ("worse", "noise", "chance"):
        gap = found["model_less"][method]
        assert gap["value"] == pytest.approx(found["model"] - found[method], abs=0.02)
        assert gap["interval_95"][0] > 0


def test_too_few_users_are_refused():
    with pytest.raises(ValueError, match="6 users are too few"):
        evaluate({"model": np.eye(6)}, np.eye(6), 5, 10, 1)
