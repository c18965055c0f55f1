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
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.ranking.retrieval import TASKS, cumulative, evaluate, rank_task, rank_users, told
from pipeline.ranking.vectors import Vectors
from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.tables.corpus import pictures_of
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT, SETS
from stages.runner import run

EMBEDDED = Path("data/embeddings")
ASKED = Path("data/split/sets")
TEST = Path("data/split/test")
TRAIN = Path("data/split/train")
FOUND = Path("data/evaluation/ranks")
METRICS = Path("metrics/retrieval.json")
PLOT = Path("plots/ranks.csv")

log = logging.getLogger("evaluate_retrieval")


def main() -> None:
    params = load("seed", "retrieval")
    posts = CONTENT.read(TRAIN, ["user_id"])["user_id"].value_counts().to_pandas()
    active = {row["values"]: row["counts"] for row in posts}
    sets, test = SETS.read(ASKED), CONTENT.read(TEST, ["post_id", "user_id", "image_id", "more_images"])
    sets = sets.filter(pc.equal(sets["split"], "test"))
    users = Vectors.read(EMBEDDED / "users", pa.array(active, pa.string()))

    found, left, candidates = {}, {}, {}
    for task in TASKS:
        chosen = sets.filter(pc.equal(sets["task"], task))["post_id"]
        queries = test.filter(pc.is_in(test["post_id"], chosen))
        asking = {"text": chosen, "image": pictures_of(queries)[1]}
        if task == "image_to_text":
            texts, images = (Vectors.read(EMBEDDED / f"{kind}s", ids) for kind, ids in asking.items())
            ranked = rank_task(task, queries, users, images, texts)
        else:  # by far the most, of which none is a candidate
            kind = task.partition("_")[0]
            ranked = rank_users(task, queries, users, Vectors.pieces(EMBEDDED / f"{kind}s", asking[kind]))
        found[task], left[task], candidates[task] = ranked
        log.info("%s: %d queries, %d candidates", task, found[task].num_rows, candidates[task])
    metrics = evaluate(found, candidates, active, params.retrieval.activity, params.retrieval.bootstrap, params.seed)

    RANKS.write(pa.concat_tables(found.values()), FOUND)
    write_text(cumulative(found, candidates).round(4).to_csv(index=False), PLOT)
    write_metrics({**metrics, **told(left)}, METRICS)


if __name__ == "__main__":
    run("evaluate_retrieval", main)
