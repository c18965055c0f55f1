"""The SVMs of users' interests: one fit, beside scikit-learn's, for as many users as the paper's interest corpus has.

Made vectors: what users post about, 50 shares, seen through as many numbers as a method's vectors have, with noise;
a label follows three of the shares. LinearSVC solves the same problem as this project, by LIBLINEAR: over weights by
conjugate gradients, or over users by coordinate descent, each to its own tolerance. SVC, by LIBSVM, has another
problem (the margin's violations count once, not squared) that a paper's "linear SVM" may as well mean.

Bounds: LIBLINEAR finds no lower value of the problem by either solver, and takes more than twice as long, the three
sizes together.
"""

from functools import partial
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from benchmarks import median_seconds, options, print_table, result
from pipeline.evaluation.interests import linear_svm
from pipeline.running.utf8 import entry

USERS = 2877
NUMBERS = (300, 1024, 2048)
"""Of the paper's averaged words, of its joint space, of its averaged image features."""
SHARES, OWN = 50, 3
SOLVERS = {"conjugate gradients": False, "coordinate descent": True}
"""LIBLINEAR's, and whether they solve the dual."""
ITERATIONS = 20_000


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--users", type=int, default=USERS)
    users = parser.parse_args().users
    rows = []
    with threadpool_limits(1, "blas"):
        for numbers in NUMBERS:
            vectors, positive = made(users, numbers)
            rows.append({"numbers": numbers} | compared(vectors, positive))
    print(f"{users} users, one thread; above: by what share a peer's value of the problem is higher")
    print_table(rows)
    whole = {name: sum(row[name] for row in rows) for name in rows[0] if name.endswith("seconds")}
    ratios = {name: whole[f"{name}, seconds"] / whole["seconds"] for name in (*SOLVERS, "SVC")}
    print("all sizes together, times as long as this project:", ratios)
    bounds = {
        "none_lower": all(row[f"{name}, above"] > -1e-9 for row in rows for name in SOLVERS),
        "converged": all(row["converged"] for row in rows),
        "faster": all(ratios[name] > 2 for name in SOLVERS),
    }
    result({"users": users, "fits": rows, "ratios": ratios}, bounds)


def compared(vectors: np.ndarray, positive: np.ndarray) -> dict[str, Any]:
    """One fit by this project and by each peer, each told as it ends: the slowest takes minutes."""
    weights, converged = linear_svm(vectors, positive, 1.0)
    seconds = median_seconds(partial(linear_svm, vectors, positive, 1.0))
    row: dict[str, Any] = {"seconds": seconds, "converged": converged}

    def told(name: str, seconds: float) -> float:
        print(f"{vectors.shape[1]} numbers, {name}: {seconds:.2f} s", flush=True)
        return seconds

    told("this project", seconds)
    for name, dual in SOLVERS.items():
        peer = LinearSVC(dual=dual, random_state=0, max_iter=ITERATIONS)
        row[f"{name}, seconds"] = told(name, median_seconds(partial(peer.fit, vectors, positive), 1))
        found = problem(vectors, positive, np.append(peer.coef_[0], peer.intercept_))
        row[f"{name}, above"] = found / problem(vectors, positive, weights) - 1
    row["SVC, seconds"] = told("SVC", median_seconds(partial(SVC(kernel="linear").fit, vectors, positive), 1))
    return row


def made(users: int, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised vectors (users, numbers), and who is positive (users,)."""
    rng = np.random.default_rng(numbers)
    shares = rng.dirichlet(np.full(SHARES, 0.2), users)
    vectors = shares @ rng.standard_normal((SHARES, numbers)) + 0.2 * rng.standard_normal((users, numbers))
    positive = rng.random(users) < 0.05 + 3 * shares[:, :OWN].sum(axis=1)
    return StandardScaler().fit_transform(vectors), positive


def problem(vectors: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """What an SVM with C = 1 has least: half its squared weights and the squared violations of the margin."""
    short = np.maximum(0, 1 - np.where(positive, 1, -1) * (vectors @ weights[:-1] + weights[-1]))
    return float(weights @ weights / 2 + short @ short)


if __name__ == "__main__":
    entry(main)
