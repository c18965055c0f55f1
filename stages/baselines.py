"""Stage `baselines`: the four of the paper's Table 4, on the queries of the test side.

Reads   what the stage train reads (stages/inputs.py), and data/split/test
Writes  data/baselines/<method>/users   a user: the vector by which the method knows the user; not of avg_image where
                                        no train post has a picture
        data/baselines/<method>/ranks   a query: the rank of its ground truth
        metrics/baselines.json          per method what metrics/retrieval.json has, and the epochs chosen on val

Methods: avg_text, avg_image, bridging, merged (pipeline.evaluation.baselines).
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.embedding.losses import MergedObjective, Objective
from pipeline.embedding.means import chunks
from pipeline.embedding.model import Trained
from pipeline.embedding.processes import ALONE, Processes
from pipeline.embedding.starts import starting_rows
from pipeline.embedding.vectors import embed_users
from pipeline.evaluation.baselines import mean_images, mean_words
from pipeline.ranking.queries import AT_ONCE, Queries, rank_queries
from pipeline.ranking.retrieval import Ranked, evaluate, left_out, rank_users
from pipeline.ranking.vectors import Vectors
from pipeline.running.files import atomic_folder
from pipeline.running.params import load
from pipeline.running.schema import Params
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.ranking import RANKS
from pipeline.tables.table import vectors
from stages.asking import SPLIT, active
from stages.inputs import Inputs, word_means
from stages.runner import run
from stages.several import in_processes

BASELINES = Path("data/baselines")
METRICS = Path("metrics/baselines.json")

log = logging.getLogger("baselines")

Found = tuple[Vectors, dict[str, Ranked], dict[str, Any]]
"""A method's users, its ranks by task, and what else to tell of it."""


def main() -> None:
    params = by_recipe(load("seed", "recipe", "best", "words.size", "model", "train", "retrieval"))
    in_processes("baselines", partial(baselines, params))


def baselines(params: Params, folder: Path, processes: Processes) -> None:
    """The stage in one of `processes`, which all train; the first does all else."""
    inputs = Inputs.read(folder, params.model, processes)
    train = Training(params, inputs, None if processes.own else inputs.queries("val", folder), folder, processes)
    if processes.own:
        for training in (train.bridging, train.merged):
            training()
        return
    test = inputs.queries("test", folder)
    methods: dict[str, Callable[[], Found]] = {
        "avg_text": lambda: avg_text(inputs, test, params.seed, params.words.size),
        "avg_image": lambda: avg_image(inputs, test, params.seed),
        "bridging": lambda: ranked(test, *train.bridging()),
        "merged": lambda: ranked(test, *train.merged()),
    }
    posts, metrics = active(SPLIT / "train"), {}
    with atomic_folder(BASELINES) as target:
        for name, method in methods.items():
            users, ranks, told = method()
            if name != "avg_image" or len(inputs.posts.image):  # else it knows nobody: all are drawn by chance
                known = pa.table({"id": users.ids, "vector": vectors(users.values)})
                EMBEDDINGS.write(known, target / name / "users")
            RANKS.write(pa.concat_tables(found.rows for found in ranks.values()), target / name / "ranks")
            metrics[name] = told | evaluate(ranks, posts, params.retrieval, params.seed) | left_out(ranks)
            log.info("%s: %s", name, {task: metrics[name][task].get("mean_median_rank") for task in ranks})
    write_metrics(metrics, METRICS)


def avg_text(inputs: Inputs, test: Queries, seed: int, size: int) -> Found:
    """Users and texts as means of the `size` numbers per word that are word2vec's; it can ask text-to-user alone."""
    words, ids = inputs.word_vectors, inputs.lookup.users
    users = Vectors(ids, starting_rows(ids, word_means(), words.shape[1], seed).numpy()[:, :size])
    asking = np.flatnonzero(test.posts.has_words)

    def pieces() -> Iterator[Vectors]:
        for part in chunks(max(1, len(asking)), AT_ONCE):
            rows = asking[part]
            yield Vectors(test.posts.ids.take(pa.array(rows)), mean_words(test.posts.tokens[rows], words[:, :size]))

    task = "text_to_user"
    return users, {task: rank_users(task, test.tasks[task], users, pieces())}, {}


def avg_image(inputs: Inputs, test: Queries, seed: int) -> Found:
    """Users as means of image features alone; it can ask image-to-user alone."""
    ids, features = inputs.lookup.users, inputs.features[:, : inputs.features.shape[1] - sum(inputs.beside)]
    users = Vectors(ids, mean_images(inputs.posts, features, len(ids), seed))
    pieces = (Vectors(found, features[rows]) for found, rows in test.pictures())
    task = "image_to_user"
    return users, {task: rank_users(task, test.tasks[task], users, pieces)}, {}


def ranked(test: Queries, trained: Trained, told: dict[str, Any]) -> Found:
    """What a model that was trained finds."""
    users = Vectors(trained.users, embed_users(trained.model))
    return users, rank_queries(test, trained.model, trained.users), told


class Training:
    """The two baselines that train: same settings, same loss, same choice of the epoch as the model's.

    Each gives the model, and the epoch to tell. Epoch 0 is the start: of what no post can train, as the image of posts
    of text alone. Of several `processes`, the first alone needs `val`.
    """

    def __init__(
        self, params: Params, inputs: Inputs, val: Queries | None, folder: Path, processes: Processes = ALONE
    ) -> None:
        self.params, self.inputs, self.val, self.folder, self.processes = params, inputs, val, folder, processes

    def bridging(self) -> tuple[Trained, dict[str, Any]]:
        """Text and user first; both frozen, the image on the text."""
        params, trained = self.params, self.inputs.new_model(self.params.model, self.params.seed)
        text_user, image_text = (
            Objective(lambdas, params.train.loss, params.train.margin) for lambdas in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
        )
        first = self._train("bridging-text", trained, text_user)
        second = self._train("bridging-image", trained, image_text, frozen=("text", "user"))
        return trained, {"best_epoch": [first, second]}

    def merged(self) -> tuple[Trained, dict[str, Any]]:
        """The sum of image and text against the users."""
        params, trained = self.params, self.inputs.new_model(self.params.model, self.params.seed)
        best = self._train("merged", trained, MergedObjective(params.train.loss, params.train.margin))
        return trained, {"best_epoch": best}

    def _train(self, name: str, trained: Trained, objective: Objective, frozen: tuple[str, ...] = ()) -> int:
        if not len(objective.usable(self.inputs.posts)):
            log.warning("%s: no post of train has what it trains on; it stays as it starts", name)
            return 0
        folder = self.folder / name
        self.processes.first(lambda: folder.mkdir(exist_ok=True))
        trainer = self.inputs.trainer(
            trained, objective, self.params, self.val, folder, frozen, self.processes, objective.tasks
        )  # fmt: skip
        return trainer.run().best_epoch


if __name__ == "__main__":
    run("baselines", main)
