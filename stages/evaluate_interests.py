"""Stage `evaluate_interests`: users' interests from their vectors, the model beside the baselines.

Reads   data/corpus/users            one row per user: interests, brand
        data/embeddings/users        one row per user: the model's vector
        data/baselines/METHOD/users  one row per user: a baseline's vector
        data/encoder_means/encoder_mean/{text,image}   one row per user: a mean of pretrained vectors
Writes  data/evaluation/interests    one row per method, label, repetition and fold: right and wrong
        metrics/interests.json       F1 per method, macro and per label, with 95 % intervals; significance; what was
                                     left out; or the reason why nothing was measured
        plots/interests.csv          F1 per method and label

These two are in Git: a label that fewer than interests.min_positives users share is counted there, and not named.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.evaluation.interests import counts, evaluate, predict, targets
from pipeline.evaluation.methods import everywhere
from pipeline.ranking.vectors import Vectors
from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.tables.corpus import USERS
from pipeline.tables.evaluation import INTERESTS
from pipeline.tables.table import positions
from stages.runner import run

CORPUS = Path("data/corpus/users")
MODEL = Path("data/embeddings/users")
BASELINES = Path("data/baselines")
FOUND = Path("data/evaluation/interests")
METRICS = Path("metrics/interests.json")
PLOT = Path("plots/interests.csv")

METHODS = ("avg_text", "avg_image", "bridging", "merged")
MEANS = Path("data/encoder_means/encoder_mean")

log = logging.getLogger("evaluate_interests")


def main() -> None:
    params = load("seed", "interests", "retrieval.bootstrap")
    wanted = params.interests
    users = USERS.read(CORPUS)
    brands = int(pc.sum(users["brand"], min_count=0).as_py())
    methods = {"model": Vectors.read(MODEL)}
    baselines = {name: BASELINES / name / "users" for name in METHODS}
    methods |= {name: Vectors.read(found) for name, found in baselines.items() if found.exists()} | encoder_means()

    people, vectors = everywhere(users, methods)
    interests = people["interests"].to_pylist()
    least = max(wanted.min_positives, wanted.folds)
    labels, truth, left_out = targets(interests, least)
    facts: dict[str, Any] = {
        "users": len(interests),
        "users_without_interests": sum(not names for names in interests),
        "users_left_out": {"brand": brands, "without_vector": users.num_rows - brands - len(interests)},
        "labels_left_out": {
            "few_have_it": sum(count < least for count in left_out.values()),
            "nearly_all_have_it": sum(count >= least for count in left_out.values()),
        },
    }
    if labels:
        found = predict(vectors, labels, truth, wanted.c, wanted.folds, wanted.repeats, params.seed, wanted.scaling)
        metrics = evaluate(found, params.retrieval.bootstrap, params.seed)
        table = counts(found)
        facts |= {
            "folds": wanted.folds,
            "repeats": wanted.repeats,
            "unconverged_fits": found.unconverged,
            "scaling": found.scaling,
        }
        log.info("macro F1: %s", metrics["macro"])
    else:
        reason = "no user has interests" if not left_out else "no interest has enough positive and negative users"
        metrics, table = {"not_measured": reason}, INTERESTS.empty()
        log.warning("nothing measured: %s", reason)

    INTERESTS.write(table, FOUND)
    write_text(plot(metrics).to_csv(index=False), PLOT)
    write_metrics({**metrics, **facts}, METRICS)


def encoder_means() -> dict[str, Vectors]:
    """What pretrained vectors know of users without training: of texts, and of texts beside images.

    The mean of image features is Avg-Image, and centring is undone as vectors are standardised.
    """
    held = {kind: Vectors.read(MEANS / kind) for kind in ("text", "image") if (MEANS / kind).exists()}
    if len(held) < 2:
        return {f"encoder_mean_{kind}": found for kind, found in held.items() if kind == "text"}
    text, image = held["text"], held["image"]
    both = np.concatenate([text.values, image.values[positions(text.ids, image.ids)]], axis=1)
    return {"encoder_mean_text": text, "encoder_mean": Vectors(text.ids, both)}


def plot(metrics: dict[str, Any]) -> pd.DataFrame:
    """Rows for plots/interests.csv: of (the mean first, then interest by interest), method, f1, low, high.

    `of` begins with a word of ours, so that no label can be taken for the mean, nor for a spreadsheet's formula.
    """
    blocks = []
    if "labels" in metrics:
        blocks = [("mean of all interests", metrics["macro"])]
        blocks += [(f"interest {label}", block) for label, block in metrics["labels"].items()]
    rows = [(of, method, block[method], *ends) for of, block in blocks for method, ends in block["interval_95"].items()]
    return pd.DataFrame(rows, columns=["of", "method", "f1", "low", "high"])


if __name__ == "__main__":
    run("evaluate_interests", main)
