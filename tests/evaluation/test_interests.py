import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from pipeline.evaluation import interests
from pipeline.evaluation.interests import (
    Predictions,
    corrected_t_test,
    counts,
    evaluate,
    f1,
    linear_svm,
    macro_by_fold,
    predict,
    scores,
    targets,
)


@pytest.fixture(scope="module")
def planted():
    """90 users with two interests that `good` vectors tell of, `weak` ones hardly and `none` not at all."""
    rng = np.random.default_rng(0)
    truth = np.stack([np.arange(90) % 3 == 0, np.arange(90) % 2 == 0])
    signal = truth.T @ rng.standard_normal((2, 200)) / 3
    vectors = {
        "good": signal + 0.3 * rng.standard_normal((90, 200)),
        "weak": signal + 2.5 * rng.standard_normal((90, 200)),
        "none": np.ones((90, 200)),
    }
    return truth, predict(vectors, ["third", "even"], truth, c=1.0, folds=5, repeats=3, seed=7)


def test_labels_with_too_few_positives_or_negatives_are_left_out_by_name():
    labels, truth, left_out = targets([["b", "a"], ["a", "b"], ["a"], ["a", "c"], []], minimum=2)
    assert labels == ["b"]
    np.testing.assert_array_equal(truth, [[True, True, False, False, False]])
    assert left_out == {"a": 4, "c": 1}
    assert targets([[], []], 1) == ([], pytest.approx(np.empty((0, 2))), {})


def test_planted_interests_are_found_and_a_constant_model_finds_none(planted):
    good, weak, none = scores(planted[1]).mean(axis=1)
    assert good == 1.0
    assert weak < 0.9
    assert none == 0.0 or none < 0.7  # all vectors equal: one answer for everybody
    assert len({tuple(row) for row in planted[1].said[2].reshape(-1, 90).T}) <= 5


def test_every_user_is_held_out_once_per_repetition_in_folds_of_like_shares(planted):
    truth, found = planted
    for i in range(2):
        for fold in found.fold[i]:
            assert set(fold) == set(range(5))
            positives = [truth[i][fold == f].sum() for f in range(5)]
            assert max(positives) - min(positives) <= 1


def test_predictions_are_those_of_a_scaler_and_an_svm_that_never_saw_the_held_out():
    rng = np.random.default_rng(3)
    rows, wanted = rng.standard_normal((40, 90)), np.arange(40) % 2 == 0  # more numbers than users: rotated inside
    rows[wanted] += 0.3
    found = predict({"m": rows}, ["l"], wanted[None], c=1.0, folds=4, repeats=1, seed=1)
    said = np.empty(40, bool)
    for f in range(4):
        test = found.fold[0, 0] == f
        scaler = StandardScaler().fit(rows[~test])
        svm = LinearSVC(C=1.0, random_state=0, max_iter=100_000).fit(scaler.transform(rows[~test]), wanted[~test])
        said[test] = svm.predict(scaler.transform(rows[test]))
    np.testing.assert_array_equal(found.said[0, 0, 0], said)
    assert found.unconverged == 0


def test_each_method_gets_the_scaling_that_suits_it():
    """Who is wanted is told by one number among few: large ones hide it unless standardised, small noise if it is."""
    rng = np.random.default_rng(0)
    wanted = np.arange(120) % 3 == 0
    sign = np.where(wanted, 1.0, -1.0)[:, None]
    loud = np.hstack([sign + 0.3 * rng.standard_normal((120, 1)), 1000 * rng.standard_normal((120, 5))])
    noisy = np.hstack([10 * sign + 3 * rng.standard_normal((120, 1)), 0.3 * rng.standard_normal((120, 400))])
    vectors = {"loud": loud, "noisy": noisy, "none": np.ones((120, 3))}
    ways = ("standardised", "unit", "chosen")
    by = {name: predict(vectors, ["l"], wanted[None], 1.0, 4, 2, 7, name) for name in ways}
    f1_of = {name: dict(zip(vectors, scores(found)[:, 0], strict=True)) for name, found in by.items()}
    assert f1_of["standardised"]["loud"] > 0.95 > 0.8 > f1_of["unit"]["loud"]
    assert f1_of["unit"]["noisy"] > f1_of["standardised"]["noisy"] + 0.1
    for method in ("loud", "noisy"):
        assert f1_of["chosen"][method] > max(f1_of[name][method] for name in ways[:2]) - 0.03
    assert by["chosen"].scaling["none"] == {"standardised": 8, "unit": 0, "whitened": 0}
    assert sum(by["chosen"].scaling["noisy"].values()) == 8 and by["unit"].scaling["loud"] == {"unit": 8}
    held, given = np.arange(120) >= 90, interests._as_scaled(noisy, tuple(interests.SCALINGS))
    # Where there are more numbers than users, what is scaled in fewer dimensions is told as in all.
    for name in interests.ROTATES:
        (told, _), (whole, _) = (interests._said(name, r[~held], wanted[~held], r, 1.0) for r in (given[name], noisy))
        assert given[name].shape == (120, 120)
        np.testing.assert_array_equal(told, whole)


def test_what_is_known_of_the_held_out_chooses_no_scaling():
    """Their labels are turned round: of the fold in which they are held out, all stays as it was."""
    rng = np.random.default_rng(0)
    fold = np.arange(60) % 3
    for _ in range(20):
        rows, wanted = rng.standard_normal((60, 8)) * rng.uniform(0.1, 9, 8), rng.random(60) < 0.5
        given = interests._as_scaled(rows, tuple(interests.SCALINGS))
        one, other = (interests._one((told, fold), given, 1.0) for told in (wanted, wanted ^ (fold == 0)))
        np.testing.assert_array_equal(one[0][fold == 0], other[0][fold == 0])
        assert one[2][0] == other[2][0]


@pytest.mark.parametrize(
    ("users", "numbers", "c"), [(300, 20, 1.0), (200, 180, 1.0), (60, 60, 0.01), (200, 50, 1000.0), (40, 300, 1.0)]
)
def test_a_linear_svm_is_liblinears(users, numbers, c):
    rng = np.random.default_rng(users)
    rows = rng.standard_normal((users, numbers))
    positive = rows[:, 0] + rng.standard_normal(users) > 0.7
    weights, converged = linear_svm(rows, positive, c)
    svm = LinearSVC(C=c, dual=numbers > users, tol=1e-9, random_state=0, max_iter=1_000_000).fit(rows, positive)
    assert converged
    np.testing.assert_allclose(weights, [*svm.coef_[0], *svm.intercept_], atol=1e-5)


def test_scores_agree_with_sklearn_and_with_the_table_of_folds(planted):
    truth, found = planted
    expected = [[np.mean([f1_score(truth[i], said) for said in found.said[s, i]]) for i in range(2)] for s in range(3)]
    np.testing.assert_allclose(scores(found), expected)
    rows = counts(found).to_pandas()
    assert len(rows) == 3 * 2 * 3 * 5
    sums = rows.groupby(["method", "label", "repeat"], sort=False)[
        ["true_positives", "false_positives", "false_negatives"]
    ].sum()
    pooled = f1(*(sums[name].to_numpy() for name in sums)).reshape(3, 2, 3).mean(axis=2)
    np.testing.assert_allclose(pooled, expected)
    assert (
        (sums.true_positives + sums.false_negatives).to_numpy().reshape(3, 2, 3) == truth.sum(axis=1)[:, None]
    ).all()


def test_f1_by_hand():
    np.testing.assert_allclose(f1(np.array([2, 0, 0]), np.array([1, 0, 3]), np.array([3, 0, 0])), [4 / 8, 0, 0])


def test_the_corrected_test_by_hand():
    differences = np.array([0.1, 0.2, 0.0, 0.1, 0.1, 0.3, 0.0, 0.1, 0.1, 0.2])
    t, p = corrected_t_test(differences, folds=5)
    mean, variance = 0.12, differences.var(ddof=1)
    assert t == pytest.approx(mean / np.sqrt((1 / 10 + 1 / 4) * variance))
    assert p == pytest.approx(2 * (1 - stats.t.cdf(t, 9)))
    assert p > stats.ttest_1samp(differences, 0).pvalue  # the plain test finds too much
    assert corrected_t_test(-differences, 5) == pytest.approx((-t, p))
    assert corrected_t_test(np.zeros(10), 5) == (0.0, 1.0)


def test_the_corrected_test_rarely_calls_noise_significant():
    rng = np.random.default_rng(0)
    wanted = (np.arange(60) % 2 == 0)[None]
    called = []
    for seed in range(20):
        vectors = {name: rng.standard_normal((60, 5)) for name in "ab"}
        by_fold = macro_by_fold(predict(vectors, ["l"], wanted, 1.0, 5, 2, seed))
        called.append(corrected_t_test(by_fold[0] - by_fold[1], 5)[1] < 0.05)
    assert sum(called) <= 3


def test_metrics_hold_intervals_around_the_scores_and_name_the_next_best(planted):
    found = evaluate(planted[1], resampled=200, seed=7)
    for block in (found["macro"], *found["labels"].values()):
        for method, (low, high) in block["interval_95"].items():
            assert low <= block[method] <= high
    assert found["labels"]["third"]["positives"] == 30
    assert found["labels"]["third"]["always_yes"] == pytest.approx(2 * 30 / (30 + 90))
    assert found["significance"]["of"] == "good"
    assert found["significance"]["against"] in ("weak", "none")
    assert found["significance"]["difference"] > 0
    assert found["significance"]["p"] < 0.05


def test_the_interval_of_a_method_is_over_users():
    truth = np.ones((1, 50), bool)
    said = np.zeros((1, 1, 1, 50), bool)
    said[..., :25] = True
    half = Predictions(["m"], ["l"], truth, np.zeros((1, 1, 50), int), said, 0)
    low, high = evaluate(half, 2000, 1)["macro"]["interval_95"]["m"]
    # Recall is binomial, precision 1: F1 = 2 r / (1 + r) at r = .5 -+ 1.96 * sqrt(.25 / 50)
    assert (low, high) == pytest.approx((2 * 0.36 / 1.36, 2 * 0.64 / 1.64), abs=0.02)
