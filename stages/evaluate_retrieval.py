"""Stage `evaluate_retrieval`: rank the ground truth of every test query, in three tasks.

Reads   data/embeddings/{users,images,texts}   one row per user, image, text: its vector in the joint space
        data/split/sets     one row per query: split, task, post_id
        data/split/test     one row per post: what the queries ask with
        data/split/train    one row per post: candidates are the users that have some
Writes  data/evaluation/ranks    one row per query: the rank of its ground truth
        metrics/retrieval.json   joint performance; per task mean median rank and others (retrieval.summarize)
                                 with 95 % intervals, and by activity of the user; queries not asked, and ranked at
                                 chance, per reason
        plots/ranks.csv          share of queries whose ground truth ranks within a share of the candidates
"""

import logging
from pathlib import Path

import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.ranking.retrieval import cumulative, evaluate, left_out, rank_task, rank_users
from pipeline.ranking.vectors import Vectors
from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.tables.corpus import pictures_of
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT
from stages.asking import SPLIT, active, asked
from stages.runner import run

EMBEDDED = Path("data/embeddings")
FOUND = Path("data/evaluation/ranks")
METRICS = Path("metrics/retrieval.json")
PLOT = Path("plots/ranks.csv")

log = logging.getLogger("evaluate_retrieval")


def main() -> None:
    params = load("seed", "retrieval")
    posts = active(SPLIT / "train")
    users = Vectors.read(EMBEDDED / "users", pa.array(posts, pa.string()))
    test = CONTENT.read(SPLIT / "test", ["post_id", "user_id", "image_id", "more_images"])

    ranked = {}
    for task, queries in asked("test", test).items():
        asking = {"text": queries["post_id"], "image": pictures_of(queries)[1]}
        if task == "image_to_text":
            texts, images = (Vectors.read(EMBEDDED / f"{kind}s", ids) for kind, ids in asking.items())
            ranked[task] = rank_task(task, queries, users, images, texts)
        else:  # by far the most, of which none is a candidate
            kind = task.partition("_")[0]
            ranked[task] = rank_users(task, queries, users, Vectors.pieces(EMBEDDED / f"{kind}s", asking[kind]))
        log.info("%s: %d queries, %d candidates", task, ranked[task].rows.num_rows, ranked[task].candidates)
    metrics = evaluate(ranked, posts, params.retrieval, params.seed)

    RANKS.write(pa.concat_tables(found.rows for found in ranked.values()), FOUND)
    write_text(cumulative(ranked).round(4).to_csv(index=False), PLOT)
    write_metrics({**metrics, **left_out(ranked)}, METRICS)


if __name__ == "__main__":
    run("evaluate_retrieval", main)
