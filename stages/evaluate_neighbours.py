"""Stage `evaluate_neighbours`: do a user's nearest others share what the user is known for?

Reads   data/corpus/users                      a user: interests, brand
        data/truth                             generated corpora alone: a user's mixture of topics
        data/embeddings/users                  a user: the model's vector
        data/baselines/METHOD/users            a user: a baseline's vector
        data/encoder_means/METHOD/KIND         a user: the mean of pretrained vectors
Writes  metrics/neighbours.json    per truth (interests, mixtures) and method what users have in common with their
                                   nearest, beside chance and the best there could be, with 95 % intervals; or why not
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.evaluation.methods import everywhere
from pipeline.evaluation.neighbours import Array, evaluate, interests_of
from pipeline.ranking.vectors import Vectors
from pipeline.running.params import load
from pipeline.tables.corpus import USERS
from pipeline.tables.table import positions
from pipeline.tables.truth import TRUTH_USERS
from stages.runner import run

CORPUS, TRUTH = Path("data/corpus/users"), Path("data/truth/users")
MODEL, BASELINES, MEANS = Path("data/embeddings/users"), Path("data/baselines"), Path("data/encoder_means")
METRICS = Path("metrics/neighbours.json")

log = logging.getLogger("evaluate_neighbours")


def main() -> None:
    params = load("seed", "neighbours", "retrieval.bootstrap")
    methods = {"model": Vectors.read(MODEL)}
    methods |= {found.parent.name: Vectors.read(found) for found in sorted(BASELINES.glob("*/users"))}
    methods |= {
        f"{found.parent.name}_{found.name}": Vectors.read(found)
        for found in sorted(MEANS.glob("*/*"))
        if found.name != "ranks"
    }
    people, vectors = everywhere(USERS.read(CORPUS), methods)
    truths = {"interests": interests_of(people["interests"].to_pylist())}
    if TRUTH.exists():
        truths["mixtures"] = mixtures(people["user_id"])
    metrics: dict[str, Any] = {}
    for name, truth in truths.items():
        told = truth.any(axis=1) if truth.size else np.zeros(people.num_rows, bool)
        if told.sum() < params.neighbours.top + 2:
            few = f"{told.sum()} of {people.num_rows} users have any that another shares, too few to compare"
            metrics[name] = {"not_measured": few}
            continue
        shown = {method: values[told] for method, values in vectors.items()}
        metrics[name] = evaluate(shown, truth[told], params.neighbours.top, params.retrieval.bootstrap, params.seed)
        log.info("%s in common: %s", name, {method: metrics[name][method] for method in (*shown, "chance", "best")})
    write_metrics(metrics, METRICS)


def mixtures(users: pa.ChunkedArray) -> Array:
    """The planted mixtures (n, topics) of `users`."""
    held = TRUTH_USERS.read(TRUTH)
    rows = positions(users, held["user_id"])
    topics: Array = np.stack(held["topics"].to_numpy())[rows]
    return topics


if __name__ == "__main__":
    run("evaluate_neighbours", main)
