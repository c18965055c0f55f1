"""Stage `train`: train the joint embedding on the train side, choose the epoch on the validation side (Eqs. 1 to 4).

Reads   data/split/train, data/split/val   a post of the side: user, image, words
        data/split/sets                    a query
        data/text/vectors, data/text/letters   a text's sentence vector and letters, where the model reads these
        data/words/vocabulary              a word and its vector
        data/words/users                   a user's mean word vector
        data/images/features, data/images/said, data/images/style   an image's numbers
        data/images/groups                 an image's group of copies
Writes  data/model             config.json (dimensions, hash of the weights), objective.json (lambdas, loss,
                               learned temperatures),
                               weights.safetensors, and tables of EMBEDDINGS: users (a user's row U_e) and words (a
                               word's vector)
        metrics/train.json     posts in and used, by reason; pairs per kind; users; epochs; validation of the best
                               epoch, by itself, and the weights of late fusion
        plots/training.csv     an epoch: losses per pair, and validation ranks as shares of the candidates
"""

import csv
import io
import logging
from functools import partial
from pathlib import Path

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.embedding.losses import PAIRS, Objective
from pipeline.embedding.model import save
from pipeline.embedding.processes import Processes
from pipeline.embedding.training import Run
from pipeline.ranking.retrieval import TASKS
from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.running.schema import Params
from stages.inputs import Inputs
from stages.runner import run
from stages.several import in_processes

MODEL = Path("data/model")
METRICS = Path("metrics/train.json")
CURVES = Path("plots/training.csv")

log = logging.getLogger("train")


def main() -> None:
    params = by_recipe(load("seed", "lambda1", "lambda2", "recipe", "best", "model", "train"))
    in_processes("train", partial(train, params))


def train(params: Params, folder: Path, processes: Processes) -> None:
    """The stage in one of `processes`; the first writes what it makes."""
    inputs = Inputs.read(folder, params.model, processes)
    val = None if processes.own else inputs.queries("val", folder)
    trained = inputs.new_model(params.model, params.seed)
    objective = Objective(params.lambdas, params.train.loss, params.train.margin)
    trainer = inputs.trainer(trained, objective, params, val, folder, processes=processes)
    result = trainer.run()
    if processes.own:
        return
    save(trained, objective, MODEL)
    write_text(curves(result), CURVES)
    text, post = inputs.posts.has_text, inputs.posts.post
    write_metrics(
        {
            "posts": {"in": len(inputs.posts), "trained_on": len(trainer.rows),
                      "without_a_pair": len(inputs.posts) - len(trainer.rows)},
            "pairs": {"text_user": int(text.sum()), "image_text": int(text[post].sum()),
                      "image_user": len(post)},
            "users": len(trained.users),
            "words": len(trained.vocabulary),
            "parameters": sum(value.numel() for value in trainer.learned()),
            **result.metrics(),
        },
        METRICS,
    )  # fmt: skip
    log.info("%s", result.metrics())


def curves(result: Run) -> str:
    """The history as CSV, numbers of 6 digits; a loss or task that there is none of is left empty."""
    columns = ["epoch", *(f"loss_{kind}" for kind in PAIRS), *(f"val_{task}" for task in TASKS), "val_cumulative"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in result.history:
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
    return text.getvalue()


if __name__ == "__main__":
    run("train", main)
