"""User interests from user vectors (the paper's section 4.4.2): one linear SVM per label, stratified folds over users.

F1 of a label is counted over all the held-out users of one repetition of the folds, and averaged over repetitions: the
average of F1 per fold would be biased where a fold holds a handful of positives (Forman and Scholz, 2010). Vectors are
scaled inside the fold, on its training users alone: standardised, at unit length or whitened, whichever of these tells
the label best in folds of these users, since what scaling suits a method moves F1 as much as the method does (ours; the
paper does not say). All methods see the same users in the same folds.

Shapes: n users, l labels, r repetitions, f folds, s methods.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats
from scipy.linalg import cho_factor, cho_solve
from sklearn.decomposition import PCA
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold
from sklearn.preprocessing import Normalizer, StandardScaler
from threadpoolctl import threadpool_limits

from pipeline.common.names import distinct
from pipeline.ranking.bootstrap import interval, resamples, rounded
from pipeline.running.engines import spread
from pipeline.running.machine import cores
from pipeline.running.progress import progress
from pipeline.tables.evaluation import INTERESTS
from pipeline.tables.table import strings

Array = np.ndarray[Any, np.dtype[Any]]

SCALINGS: dict[str, Callable[[], Any]] = {
    "standardised": StandardScaler,
    "unit": Normalizer,
    "whitened": lambda: PCA(0.99, whiten=True, svd_solver="full"),
}
"""By name, what is fitted on training users and then scales all; the first wins where several are as good."""
ROTATES = {"unit", "whitened"}
"""Scalings that see lengths and angles alone: rows in fewer dimensions that keep these are scaled alike, and faster."""
FEW = 50
"""Repetitions, over all methods and labels, that one process makes alone."""
INNER = 3
"""Folds of the training users, to choose a scaling by."""
STEPS = 100
"""Of Newton's method for an SVM, at most: ten is many."""
ENOUGH = 1e-4
"""A step is halved until it lessens what is solved by this share of what the slope promises (Armijo)."""


@dataclass(frozen=True)
class Predictions:
    """Held-out predictions: `truth` (l, n), the `fold` in which a user was held out (l, r, n), what was `said` of the
    user then (s, l, r, n), and how many fits stopped short of converging.
    """

    methods: list[str]
    labels: list[str]
    truth: Array
    fold: Array
    said: Array
    unconverged: int
    scaling: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By method, how often each scaling was chosen."""


def targets(interests: Sequence[Sequence[str]], minimum: int) -> tuple[list[str], Array, dict[str, int]]:
    """Labels with at least `minimum` positive and as many negative users, sorted, and their truth, bool (l, n).

    Also the labels left out, with their number of positives. A user without interests is negative for every label.
    """
    names = sorted({name for names in interests for name in names})
    held = [set(names) for names in interests]
    truth = np.array([[name in user for user in held] for name in names], bool).reshape(len(names), len(held))
    positives = truth.sum(axis=1)
    kept = (positives >= minimum) & (len(held) - positives >= minimum)
    left_out = {name: int(count) for name, count, stays in zip(names, positives, kept, strict=True) if not stays}
    return [name for name, stays in zip(names, kept, strict=True) if stays], truth[kept], left_out


def predict(
    vectors: Mapping[str, Array],
    labels: Sequence[str],
    truth: Array,
    c: float,
    folds: int,
    repeats: int,
    seed: int,
    scaling: str = "standardised",
) -> Predictions:
    """Held-out predictions of every label from every method's `vectors`, each (n, d), in repeated stratified folds.

    `scaling` is one of SCALINGS, or `chosen`: each fold's training users choose. A label needs at least `folds`
    positives and as many negatives.
    """
    scalings = tuple(SCALINGS) if scaling == "chosen" else (scaling,)
    users = truth.shape[1]
    fold = np.empty((len(labels), repeats, users), np.int32)
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    for i, wanted in enumerate(truth):
        for j, (_, held_out) in enumerate(splitter.split(np.zeros(users), wanted)):
            fold[i, j // folds, held_out] = j % folds
    said = np.empty((len(vectors), len(labels), repeats, users), bool)
    inputs = [_as_scaled(rows.astype(np.float64), scalings) for rows in vectors.values()]
    per_method = [(i, r) for i in range(len(labels)) for r in range(repeats)]
    jobs = [(s, i, r) for s in range(len(vectors)) for i, r in per_method]
    unconverged, times = 0, {name: Counter[str]() for name in vectors}
    # Processes: of few users an SVM is more Python than arithmetic. Not worth their start for a few repetitions.
    workers = cores() if len(jobs) > FEW else 1
    with threadpool_limits(1, "blas"):
        done = (
            result
            for given in inputs
            for result in spread(_one, ((truth[i], fold[i, r]) for i, r in per_method), (given, c), workers)
        )
        for job, (found, stopped, chosen) in zip(
            jobs, progress(done, "SVMs", "repetitions", total=len(jobs)), strict=True
        ):
            said[job] = found
            unconverged += stopped
            times[list(vectors)[job[0]]].update(chosen)
    told = {name: {one: found[one] for one in scalings} for name, found in times.items()}
    return Predictions(list(vectors), list(labels), truth, fold, said, unconverged, told)


def _as_scaled(rows: Array, scalings: Sequence[str]) -> dict[str, Array]:
    """The rows (n, d) that each scaling is given: where d is more than n, those of ROTATES get them in n dimensions."""
    fewer = rows @ np.linalg.qr(rows.T)[0] if rows.shape[1] > len(rows) and ROTATES & set(scalings) else rows
    return {name: fewer if name in ROTATES else rows for name in scalings}


def _one(job: tuple[Array, Array], given: Mapping[str, Array], c: float) -> tuple[Array, int, list[str]]:
    wanted, fold = job
    said, stopped, chosen = np.empty(len(wanted), bool), 0, []
    for held_out in range(fold.max() + 1):
        test = fold == held_out
        chosen.append(best_scaling({name: rows[~test] for name, rows in given.items()}, wanted[~test], c))
        rows = given[chosen[-1]]
        said[test], converged = _said(chosen[-1], rows[~test], wanted[~test], rows[test], c)
        stopped += not converged
    return said, stopped, chosen


def best_scaling(given: Mapping[str, Array], wanted: Array, c: float) -> str:
    """The scaling by which users, `given` to each as rows (n, d), tell best of each other, by F1, who is `wanted` (n,).

    The first where there are too few to ask.
    """
    scalings = list(given)
    folds = min(INNER, int(wanted.sum()), int((~wanted).sum()))
    if len(scalings) == 1 or folds < 2:
        return scalings[0]
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(wanted, wanted))
    scored = []
    for name, rows in given.items():
        said = np.empty(len(wanted), bool)
        for train, test in parts:
            said[test], _ = _said(name, rows[train], wanted[train], rows[test], c)
        hits = (said & wanted).sum()
        scored.append(float(f1(hits, said.sum() - hits, wanted.sum() - hits)))
    return scalings[int(np.argmax(scored))]


def _said(scaling: str, rows: Array, wanted: Array, asked: Array, c: float) -> tuple[Array, bool]:
    """What an SVM of `rows` (n, d) says of `asked` (m, d), scaled as the former tell, and whether it converged."""
    spread = bool(np.ptp(rows, axis=0).any())  # what is all alike has nothing to be whitened by
    scaler = SCALINGS[scaling if spread else "standardised"]().fit(rows)
    weights, converged = linear_svm(scaler.transform(rows), wanted, c)
    return scaler.transform(asked) @ weights[:-1] + weights[-1] > 0, converged


def linear_svm(rows: Array, positive: Array, c: float) -> tuple[Array, bool]:
    """Weights (d,) and the intercept after them, (d + 1,), of a linear SVM of `rows` (n, d), and whether it converged.

    They are least in |w|²/2 + c Σ max(0, 1 - y w·x)², where x ends in a 1: what LIBLINEAR solves by default. It is
    piecewise quadratic: where a step of Newton's changes no row's piece, its end is the least, exactly, and few steps
    lead there (Mangasarian, "A finite Newton method for classification", 2002). LIBLINEAR's conjugate gradients take a
    thousand where there are about as many numbers as users; its other solver shuffles by a generator that threads
    share, and its results differ from run to run.
    """
    if rows.shape[1] > len(rows):
        # The weights lie in the span of the rows: the same problem, in as many dimensions as rows.
        axes = np.linalg.qr(rows.T)[0]
        weights, converged = linear_svm(rows @ axes, positive, c)
        return np.append(axes @ weights[:-1], weights[-1]), converged
    x = np.column_stack([rows, np.ones(len(rows))]) * np.where(positive, 1.0, -1.0)[:, None]
    weights, margin = np.zeros(x.shape[1]), np.zeros(len(x))

    def loss(weights: Array, margin: Array) -> float:
        short = np.maximum(0, 1 - margin)
        return float(weights @ weights / 2 + c * short @ short)

    for _ in range(STEPS):
        short = x[margin < 1]
        curvature = np.eye(len(weights)) + 2 * c * (short.T @ short)  # in brackets: half the products
        end: Array = cho_solve(cho_factor(curvature), 2 * c * short.sum(axis=0))
        if ((x @ end < 1) == (margin < 1)).all():
            return end, True
        way, moved = end - weights, x @ end - margin
        slope, now, step = way @ curvature @ way, loss(weights, margin), 1.0
        while loss(weights + step * way, margin + step * moved) > now - ENOUGH * step * slope:
            step /= 2
        weights, margin = weights + step * way, margin + step * moved
    return weights, False


def counts(found: Predictions) -> pa.Table:
    """Rows of INTERESTS: right and wrong per method, label, repetition and fold."""
    right_and_wrong = _by_fold(found)
    method, label, repeat, fold = (index.ravel() for index in np.indices(right_and_wrong[0].shape, np.int32))
    names = strings(found.methods).take(pa.array(method)), strings(found.labels).take(pa.array(label))
    return pa.table([*names, repeat, fold, *(np.ravel(told) for told in right_and_wrong)], schema=INTERESTS.schema)


def _by_fold(found: Predictions) -> tuple[Array, Array, Array]:
    """True and false positives, and false negatives, each (s, l, r, f)."""
    true, parts = found.truth[:, None], []
    for fold in range(int(found.fold.max()) + 1):
        held = found.fold == fold
        hits, said = (found.said & held & true).sum(-1), (found.said & held).sum(-1)
        parts.append((hits, said - hits, (held & true).sum(-1) - hits))
    hits, wrong, missed = (np.stack(part, -1).astype(np.int32) for part in zip(*parts, strict=True))
    return hits, wrong, missed


def f1(true_positives: Array, false_positives: Array, false_negatives: Array) -> Array:
    """F1 elementwise; 0 where nothing is positive and nothing was said to be."""
    whole = 2 * true_positives + false_positives + false_negatives
    result: Array = np.divide(2 * true_positives, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
    return result


def scores(found: Predictions) -> Array:
    """F1 (s, l): over all held-out users of a repetition, the mean over repetitions."""
    result: Array = _scores(found, np.ones((1, found.truth.shape[1])))[0]
    return result


def resampled_scores(found: Predictions, count: int, seed: int) -> Array:
    """F1 (b, s, l) of `count` resamples of the users, the same for all methods and labels."""
    return np.concatenate([_scores(found, weights) for weights in resamples(found.truth.shape[1], count, seed)])


def _scores(found: Predictions, weights: Array) -> Array:
    """F1 (b, s, l) of users counted as often as `weights` (b, n) says."""
    result = np.empty((len(weights), len(found.methods), len(found.labels)))
    weights = weights.astype(np.float64)
    for s in range(len(found.methods)):
        for i, true in enumerate(found.truth):
            said = found.said[s, i]
            hits, positive = weights @ (said & true).T, (weights @ true)[:, None]
            result[:, s, i] = f1(hits, weights @ said.T - hits, positive - hits).mean(axis=1)
    return result


def corrected_t_test(differences: Array, folds: int) -> tuple[float, float]:
    """The corrected resampled t-test of Nadeau and Bengio (2003): t, and two-sided p, of a mean other than zero.

    `differences` (r * f,): of two methods' scores per repetition and fold. Their variance counts 1/(r f) + 1/(f - 1)
    times: training sets overlap, so the folds' scores are not independent, and a plain t-test finds too much.
    """
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    if variance == 0:
        return 0.0, float(mean == 0)
    t = mean / np.sqrt((1 / len(differences) + 1 / (folds - 1)) * variance)
    return float(t), float(2 * stats.t.sf(abs(t), len(differences) - 1))


def macro_by_fold(found: Predictions) -> Array:
    """Macro-averaged F1 of each fold alone (s, r * f): what the significance test is made of."""
    result: Array = f1(*_by_fold(found)).mean(axis=1)
    return result.reshape(len(result), -1)


def evaluate(found: Predictions, resampled: int, seed: int) -> dict[str, Any]:
    """F1 per method, macro-averaged and per label, with 95 % intervals over users, and the significance of the first
    method against the best of the others.

    `always_yes` is the F1 of calling every user positive: what a classifier that knows nothing can reach.
    """
    each = scores(found)
    drawn = resampled_scores(found, resampled, seed)
    share = found.truth.mean(axis=1)
    always = 2 * share / (1 + share)
    by_fold = macro_by_fold(found)
    macro = each.mean(axis=1)
    metrics: dict[str, Any] = {
        "macro": {**_with_intervals(found.methods, macro, drawn.mean(axis=2)), "always_yes": float(always.mean())}
    }
    if len(found.methods) > 1:
        rival = 1 + int(np.argmax(macro[1:]))
        t, p = corrected_t_test(by_fold[0] - by_fold[rival], int(found.fold.max()) + 1)
        metrics["significance"] = {
            "test": "corrected resampled t-test (Nadeau and Bengio 2003), macro F1 per fold, two-sided",
            "of": found.methods[0],
            "against": found.methods[rival],
            "difference": float((by_fold[0] - by_fold[rival]).mean()),
            "t": t,
            "p": p,
        }
    metrics["labels"] = {
        shown: {
            "positives": int(found.truth[i].sum()),
            **_with_intervals(found.methods, each[:, i], drawn[:, :, i]),
            "always_yes": float(always[i]),
        }
        for i, shown in enumerate(distinct(found.labels))
    }
    return metrics


def _with_intervals(methods: Sequence[str], values: Array, drawn: Array) -> dict[str, Any]:
    shown = {m: rounded(float(values[s]), *interval(drawn[:, s])) for s, m in enumerate(methods)}
    return {
        **{m: value for m, (value, *_) in shown.items()},
        "interval_95": {m: ends for m, (_, *ends) in shown.items()},
    }
