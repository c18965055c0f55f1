"""Stage `paper_row`: one row of the paper's Table 2, `python -m stages.paper_row ROW` for each of paper/params.yaml.

Reads   what the stage train reads (stages/inputs.py), and data/split/test
        paper/params.yaml        the row's weights
Writes  data/paper/ROW/users     a user: the vector in the joint space
        data/paper/ROW/ranks     a query of the test side: the rank of its ground truth
        paper/metrics/ROW.json   the weights; the epoch chosen on validation and its cumulative metric there; the
                                 test metrics of metrics/retrieval.json
"""

import logging
import sys
from pathlib import Path

import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.embedding.losses import Objective
from pipeline.embedding.vectors import embed_users
from pipeline.ranking.queries import rank_queries
from pipeline.ranking.retrieval import evaluate, left_out
from pipeline.running.files import atomic_folder
from pipeline.running.params import load, paper_rows
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.ranking import RANKS
from pipeline.tables.table import vectors
from stages.asking import SPLIT, active
from stages.inputs import Inputs
from stages.runner import resumable, run

ROWS = Path("data/paper")
METRICS = Path("paper/metrics")

log = logging.getLogger("paper_row")


def main() -> None:
    params = by_recipe(load("seed", "recipe", "best", "model", "train", "retrieval"))
    name = sys.argv[1]
    row = paper_rows()[name]
    with resumable(f"paper_row@{name}", home=Path("paper")) as folder:
        inputs = Inputs.read(folder, params.model)
        val, test = inputs.queries("val", folder), inputs.queries("test", folder)
        trained = inputs.new_model(params.model, params.seed)
        objective = Objective(row.lambdas, params.train.loss, params.train.margin)
        result = inputs.trainer(trained, objective, params, val, folder).run()

        ranked = rank_queries(test, trained.model, trained.users)
        metrics = evaluate(ranked, active(SPLIT / "train"), params.retrieval, params.seed)
        with atomic_folder(ROWS / name) as target:
            users = pa.table({"id": trained.users, "vector": vectors(embed_users(trained.model))})
            EMBEDDINGS.write(users, target / "users")
            RANKS.write(pa.concat_tables(found.rows for found in ranked.values()), target / "ranks")
        write_metrics(
            {"lambdas": row.lambdas, **result.metrics(), **metrics, **left_out(ranked)}, METRICS / f"{name}.json"
        )
    log.info("%s: %s", name, {task: metrics[task].get("mean_median_rank") for task in ranked})


if __name__ == "__main__":
    run("paper_row", main)
