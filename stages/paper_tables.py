"""Stage `paper_tables`: the paper's Tables 2, 3 and 4 on the corpus at hand, and which of its claims hold.

Reads   data/paper/ROW/{users,ranks}, paper/metrics/ROW.json     a row that was trained, see stages/paper_row.py
        data/baselines/METHOD/{users,ranks}, metrics/baselines.json   a baseline
        data/encoder_means/METHOD/ranks   what pretrained vectors, and letters, find untrained
        data/corpus/users     a user: interests, brand
Writes  paper/tables.md       for people
        paper/tables.json     the same, for programs
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.metrics import read_metrics, write_metrics
from pipeline.evaluation.encoder_means import METHODS as UNTRAINED
from pipeline.evaluation.interests import predict, targets
from pipeline.evaluation.methods import everywhere
from pipeline.evaluation.paper import Trained, table_2, table_3, table_4, untrained
from pipeline.evaluation.paper_page import markdown
from pipeline.ranking.estimates import estimates
from pipeline.ranking.retrieval import TASKS
from pipeline.ranking.vectors import Vectors
from pipeline.running.files import write_text
from pipeline.running.params import load, paper_rows
from pipeline.running.schema import Interests, Lambdas
from pipeline.tables.corpus import USERS
from pipeline.tables.ranking import RANKS
from stages.runner import run

ROWS, ROW_METRICS = Path("data/paper"), Path("paper/metrics")
BASELINES = Path("data/baselines")
MEANS = Path("data/encoder_means")
CORPUS = Path("data/corpus/users")
MARKDOWN, JSON = Path("paper/tables.md"), Path("paper/tables.json")

METHODS = ("avg_text", "avg_image", "bridging", "merged")

log = logging.getLogger("paper_tables")


def main() -> None:
    params = load("seed", "corpus.source", "interests", "retrieval.bootstrap")
    count, seed = params.retrieval.bootstrap, params.seed
    rows = paper_rows()
    metrics = {name: read_metrics(ROW_METRICS / f"{name}.json") for name in rows}
    asked = {task: next(iter(metrics.values()))[task] for task in TASKS}
    queries = {task: block["queries"] for task, block in asked.items()}
    candidates = {task: block["candidates"] for task, block in asked.items() if block["queries"]}

    places = {name: ROWS / name for name in rows} | {name: BASELINES / name for name in METHODS}
    means = {name: MEANS / name for name in UNTRAINED if (MEANS / name).exists()}
    ranks = estimates({name: RANKS.read(place / "ranks") for name, place in (places | means).items()}, count, seed)
    trained = {
        name: Trained(row.lambdas, ranks[name], metrics[name]["validation"].get("cumulative", np.inf))
        for name, row in rows.items()
    }
    tables: dict[str, Any] = {
        "about": {"corpus": params.corpus.source, "queries": queries, "candidates": candidates},
        "table_2": table_2(trained, candidates),
        "table_3": interests(rows, params.interests, count, seed),
        "table_4": table_4(trained, {name: ranks[name] for name in METHODS}, candidates)
        | {"untrained": untrained(trained, {name: ranks[name] for name in means}, candidates)},
    }
    write_metrics(tables, JSON)
    write_text(markdown(tables), MARKDOWN)
    for name in ("table_2", "table_3", "table_4"):
        for claim in tables[name]["claims"]:
            log.info("%s: %s", claim["verdict"], claim["claim"])


def interests(rows: Mapping[str, Lambdas], settings: Interests, count: int, seed: int) -> dict[str, Any]:
    """Table 3: its rows on one pair are those without the other weights, and all pairs the row of equal weights."""
    wanted = {"text_user": (1.0, 0.0), "image_user": (0.0, 0.0), "all_pairs": (0.333, 0.333)}
    averages = (BASELINES / name for name in ("avg_text", "avg_image"))  # the latter where there are pictures
    places = {place.name: place for place in averages if (place / "users").exists()}
    for method, weights in wanted.items():
        name = next((name for name, row in rows.items() if (row.lambda1, row.lambda2) == weights), None)
        if name:
            places[method] = ROWS / name
    users = USERS.read(CORPUS)
    methods = {method: Vectors.read(place / "users") for method, place in places.items()}
    people, vectors = everywhere(users, methods)
    random = np.asarray(np.random.default_rng([seed, 3]).normal(size=vectors["avg_text"].shape))
    labels, truth, _ = targets(people["interests"].to_pylist(), max(settings.min_positives, settings.folds))
    if not labels:
        return {"title": "F1 of user interests", "not_measured": "no interest has enough users", "claims": []}
    found = predict(
        {"random": random, **vectors}, labels, truth, settings.c, settings.folds, settings.repeats, seed,
        settings.scaling,
    )  # fmt: skip
    return table_3(found, count, seed)


if __name__ == "__main__":
    run("paper_tables", main)
