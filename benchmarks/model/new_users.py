"""New users fitted to a trained model, without retraining: their ranks beside those they have when trained.

Run where `dvc repro` has made the tables. Ten times a tenth of the users is held out: a model is trained without their
posts, then each one's row is fitted from some of his or her train posts (pipeline.space.new_users), and the test
queries of these users are ranked among all users. Beside that, the same queries with the model trained on everyone,
with the rows as they start (the mean word vector, not fitted), and by chance.

Bound: a user is fitted in less than 100 ms from all his or her posts, the median.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from benchmarks import options, print_table, result
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import Trained
from pipeline.ranking.estimates import Estimate, estimates
from pipeline.ranking.queries import Queries, rank_queries
from pipeline.running.params import validate
from pipeline.running.schema import Params
from pipeline.running.utf8 import entry
from pipeline.space.new_users import NewUsers
from stages.inputs import Inputs

FOLDS = 10
GIVEN = (1, 3, 10, None)
"""Posts given of a new user; None: all that are in train."""
TASKS = ("text_to_user", "image_to_user")
MILLISECONDS = 100


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--folds", type=int, default=FOLDS, help="folds that are run, of ten")
    folds = parser.parse_args().folds
    params = validate()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = Inputs.read(folder, params.model)
        val, test = inputs.queries("val", folder), inputs.queries("test", folder)
        fold = np.random.default_rng(params.seed).permutation(len(inputs.lookup.users)) % FOLDS
        trained, _ = train(params, inputs, val, np.zeros(0, int))
        asked = np.flatnonzero(fold < folds)
        found = {"trained": [of(test, trained, asked)]}
        seconds: dict[int | None, list[float]] = {given: [] for given in GIVEN}
        for held in (np.flatnonzero(fold == number) for number in range(folds)):
            trained, objective = train(params, inputs, val, held)
            found.setdefault("not fitted", []).append(of(test, trained, held))
            others = inputs.posts.take(np.flatnonzero(~np.isin(inputs.posts.user, held)))
            newcomers = NewUsers(trained, objective, others, inputs.features, params.train.batch_size, params.seed)
            starts = trained.model.user_rows[held].numpy().copy()
            for given in GIVEN:
                for place, user in enumerate(held):
                    own = np.flatnonzero(inputs.posts.user == user)[:given]
                    posts = replace(inputs.posts.take(own), user=np.zeros(len(own), np.int32))
                    begun = time.perf_counter()
                    row = newcomers.fit(posts, inputs.features, starts[[place]])
                    seconds[given].append(time.perf_counter() - begun)
                    trained.model.user_rows[user] = torch.from_numpy(row[0])
                name = f"fitted, {given or 'all'} posts"
                found.setdefault(name, []).append(of(test, trained, held))
                trained.model.user_rows[held] = torch.from_numpy(starts)
    drawn = estimates({name: pa.concat_tables(parts) for name, parts in found.items()}, 1000, params.seed)
    candidates = len(inputs.lookup.users)
    rows = [
        {"users": name}
        | {task: _shown(ranks[task]) for task in TASKS}
        | {"ms, median": 1000 * float(np.median(seconds[given])) if given is not False else ""}
        for (name, ranks), given in zip(drawn.items(), [False, False, *GIVEN], strict=True)
    ]
    print(f"{len(asked)} users held out of {candidates}; mean median rank among all (95 % interval over users)")
    print_table([*rows, {"users": "chance", **dict.fromkeys(TASKS, (candidates + 1) / 2), "ms, median": ""}])
    whole = 1000 * float(np.median(seconds[None]))
    figures = {
        "users": len(asked),
        "candidates": candidates,
        "ranks": {name: {task: ranks[task].shown() for task in TASKS} for name, ranks in drawn.items()},
        "fitted_less_trained": {
            task: (drawn["fitted, all posts"][task] - drawn["trained"][task]).shown() for task in TASKS
        },
        "ms_median": whole,
    }
    result(figures, {"milliseconds": whole < MILLISECONDS})


def train(params: Params, inputs: Inputs, val: Queries, held: np.ndarray) -> tuple[Trained, Objective]:
    """A model trained as params.yaml says, without the posts of the users `held`."""
    trained = inputs.new_model(params.model, params.seed)
    objective = Objective(params.lambdas, params.train.loss, params.train.margin)
    names = inputs.lookup.users.take(pa.array(held))
    known = {task: rows.filter(pc.invert(pc.is_in(rows["user_id"], names))) for task, rows in val.tasks.items()}
    seen = replace(val, tasks=known)
    with tempfile.TemporaryDirectory() as folder:
        posts = inputs.posts.take(np.flatnonzero(~np.isin(inputs.posts.user, held)))
        replace(inputs, posts=posts).trainer(trained, objective, params, seen, Path(folder)).run()
    return trained, objective


def _shown(rank: Estimate) -> str:
    shown = rank.shown()
    low, high = shown["interval_95"]
    return f"{shown['value']:g} ({low:g} to {high:g})"


def of(test: Queries, trained: Trained, users: np.ndarray) -> pa.Table:
    """Ranks of the test queries of `users`, in the tasks that look for users."""
    names = trained.users.take(pa.array(users))
    found = rank_queries(test, trained.model, trained.users)
    every = pa.concat_tables([found[task].rows for task in TASKS])
    return every.filter(pc.is_in(every["user_id"], names))


if __name__ == "__main__":
    entry(main)
