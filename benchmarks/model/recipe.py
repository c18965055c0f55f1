"""The recipe `best` against the paper's: joint performance less the floor of perfect ranks, on two corpora.

    python -m benchmarks.model.recipe --search    # as many drawn trials of either recipe, on a fold of each train side
    python -m benchmarks.model.recipe             # both recipes over three seeds, on the test side; --seeds 5

Run where `dvc repro` has made the tables of openclipart by the recipe `paper`; those of a synthetic corpus, of the
folds, other word vectors and style are made beside them, under .cache. Both recipes train the same number of updates,
on the same batches, and choose their epoch on validation; they are asked the same: texts with a word that the paper's
vocabulary has. Beside the paper's values stand those that the search found best for its hinge and convolutions, on its
own inputs and with style (RIVALS). What `best` is made of had more trials than these, by hand and on folds too. A trial
that was run is kept in benchmarks/model/recipe.json and not run again; those of `best` there are of 28 November 2026,
before sentence vectors, words in pictures and late fusion, so that today's `best` is trained anew.

The floor: no model ranks better than 1, so the sum over tasks of 1 / candidates is taken off.
"""

import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from joblib import Parallel, delayed
from scipy import stats

from benchmarks import lay_out, options, print_table, result, write_params
from pipeline.common.recipe import with_values
from pipeline.embedding.losses import Objective
from pipeline.ranking.queries import Queries, rank_queries
from pipeline.ranking.retrieval import summarize
from pipeline.running.files import write_text
from pipeline.running.machine import cores
from pipeline.running.params import validate
from pipeline.running.progress import progress
from pipeline.running.schema import Params
from pipeline.running.utf8 import entry
from pipeline.split.sides import TRAIN, Groups, assign
from pipeline.tables.split import ASSIGNED
from stages.inputs import Inputs

RESULTS = Path(__file__).with_name("recipe.json")
FIRST_SEED, SEARCH_SEED = 7, 1
BOUND = 0.25
"""The reduction asked for, of what is given the paper's inputs."""

Trial = dict[str, Any]
"""Values in place of those of `train`, `model`, `words` and `images` in params.yaml."""
FOLD = {"test": 0.25, "val": 0.07}
"""Shares of the posts of a train side that its fold holds out."""
DRAWS = 20
"""Trials of either recipe in the search, beside its own values."""
SPACE: dict[str, list[Any]] = {
    "learning_rate": [2.0e-4, 5.0e-4, 1.0e-3, 2.0e-3],
    "dropout": [0.0, 0.3, 0.5],
    "image_dropout": [0.0, 0.3, 0.5],
    "tune_words": [False, True],
    "min_count": [2, 5],
    "window": [5, 20],
    "style": [False, True],
}
"""What either recipe's draws choose from; and what is of one recipe alone:"""
OWN_SPACE: dict[str, dict[str, list[Any]]] = {
    "paper": {"margin": [0.05, 0.1, 0.2, 0.4], "decay_every": [5, 10, 20, 30]},
    "best": {"user_rate": [1.0, 4.0, 10.0], "usage": [0, 300]},
}
RIVALS: dict[str, Trial] = {
    "paper": {},
    "paper, tuned": {
        "learning_rate": 5.0e-4, "dropout": 0.3, "image_dropout": 0.5, "tune_words": True, "min_count": 2, "window": 20,
        "style": False, "margin": 0.05, "decay_every": 20,
    },
    "paper, tuned, style": {
        "learning_rate": 2.0e-3, "dropout": 0.5, "image_dropout": 0.3, "tune_words": False, "min_count": 5,
        "window": 20, "style": True, "margin": 0.05, "decay_every": 30,
    },
}  # fmt: skip
"""What `best` is held against: the paper's hinge and convolutions, with its values and with the best of the search."""


class Corpus:
    """The tables under `home`/data, read once, with style or word vectors by other `values` of `images` and `words`."""

    def __init__(self, home: Path, values: Trial) -> None:
        other = _corpus(home, {}) if values else None
        self.params = validate(home / "params.yaml")
        tables = {key: value for key, value in values.items() if key != "text_encoder"}
        self.home = remade(home, tables, other.digest()) if other and tables else home
        self._kept = tempfile.TemporaryDirectory(prefix="recipe-")  # for as long as its mapped arrays
        self.folder = Path(self._kept.name)
        with contextlib.chdir(self.home):
            self.inputs = Inputs.read(self.folder, with_values(self.params, values).model)
            self.val, self.test = (self.inputs.queries(side, self.folder) for side in ("val", "test"))
        if other:
            self.val, self.test = same_texts(self.val, other.val), same_texts(self.test, other.test)

    def digest(self) -> str:
        """Of what training reads, so that no run is kept for another corpus."""
        held = (self.inputs.posts.tokens, self.inputs.posts.user, self.inputs.features, self.inputs.word_vectors)
        return hashlib.blake2b(b"".join(np.ascontiguousarray(x).tobytes() for x in held), digest_size=8).hexdigest()

    def run(self, trial: Trial, seed: int) -> dict[str, float]:
        """Train with `trial`; joint performance less the floor on val and test, and by task on test."""
        params = changed(self.params, trial, seed)
        with contextlib.chdir(self.home):
            trained = self.inputs.new_model(params.model, seed)
        objective = Objective(params.lambdas, params.train.loss, params.train.margin)
        with tempfile.TemporaryDirectory() as folder:
            best = self.inputs.trainer(trained, objective, params, self.val, Path(folder)).run().best_epoch
        val, test = (above_floor(side, trained.model, trained.users) for side in (self.val, self.test))
        return {"val": sum(val.values()), "test": sum(test.values()), "best_epoch": best} | {
            f"test_{task}": share for task, share in test.items()
        }


def changed(params: Params, trial: Trial, seed: int) -> Params:
    """`params` with the values of `trial`; no early stop, so that all trials take the same number of updates."""
    known = (params.model, params.train, params.words, params.images)
    assert trial.keys() <= {name for section in known for name in section.model_fields_set}, trial
    return with_values(params, {"patience": params.train.epochs, **trial}).model_copy(update={"seed": seed})


def above_floor(queries: Queries, model: Any, users: Any) -> dict[str, float]:
    """By task (mean median rank - 1) / candidates."""
    blocks = {task: summarize(rows, count) for task, (rows, _, count) in rank_queries(queries, model, users).items()}
    return {
        task: (block["mean_median_rank"] - 1) / block["candidates"]
        for task, block in blocks.items()
        if block["queries"]
    }


def same_texts(ours: Queries, theirs: Queries) -> Queries:
    """`ours` without the texts that `theirs`, of other words, cannot ask with."""
    known = theirs.posts.ids.filter(pa.array(theirs.posts.has_text))
    tasks = {
        task: rows if task == "image_to_user" else rows.filter(pc.is_in(rows["post_id"], known))
        for task, rows in ours.tasks.items()
    }
    return replace(ours, tasks=tasks)


def remade(home: Path, values: Trial, digest: str) -> Path:
    """The tables of `home` with those anew that `values` of `images` and `words` change.

    `digest`: of the tables of `home`.
    """
    words = {key: value for key, value in values.items() if key not in ("style", "read", "letters")}
    of = home
    if "style" in values:
        style = {"images": {"style": values["style"]}}
        of = made(of / f".cache/recipe/style-{digest}", of, ("images/style",), style, ("image_style",))
    if "read" in values:
        read = {"images": {"read": values["read"]}, "model": {"text_encoder": "both"}}
        own = ("images/words", "images/said")
        of = made(of / f".cache/recipe/read-{digest}", of, own, read, ("image_words",))
    if "letters" in values:
        letters = {"model": {"letters": values["letters"], "late_fusion": True, "text_encoder": "both"}}
        of = made(of / f".cache/recipe/letters-{digest}", of, ("text/letters",), letters, ("text_letters",))
    if not words:
        return of
    name = "-".join(f"{key}-{value}" for key, value in words.items())
    return made(of / f".cache/recipe/{name}-{digest}", of, ("words",), {"words": words}, ("word2vec",))


def fold(home: Path) -> Path:
    """The train side of `home`, groups of near-copies whole, split again into train, val and test."""
    whole = _corpus(home, {})
    to = home / ".cache/recipe" / f"fold-{whole.digest()}"

    def assign_again() -> None:
        posts = ASSIGNED.read(home / "data/split/posts")
        posts = posts.filter(pc.equal(posts["split"], TRAIN))
        side = sides_again(posts["group_id"].combine_chunks(), whole.params.split.max_group_share)
        ASSIGNED.write(posts.set_column(2, "split", side), to / "data/split/assigned")

    return made(to, home, ("words", "split"), {}, ("audit_split", "word2vec"), assign_again)


def sides_again(group_ids: pa.Array, max_group_share: float) -> pa.Array:
    """The side (n,) of each post of a train side by its group; a group past `max_group_share` of them trains."""
    groups = group_ids.dictionary_encode()
    number, none = np.arange(len(groups.dictionary)), np.empty(0, np.int64)
    limit = max_group_share * len(groups)
    trains = np.bincount(groups.indices.to_numpy()) > limit
    names = pa.chunked_array([groups.dictionary])
    side = assign(names, Groups(number, trains, none, none, number, limit), FOLD, seed=101).side
    return pa.array(side, pa.string()).take(groups.indices)


def made(
    folder: Path, home: Path, own: Sequence[str], changes: Mapping[str, Trial], stages: Sequence[str],
    prepare: Callable[[], None] = lambda: None,
) -> Path:  # fmt: skip
    """`folder`, made if not there: the tables of `home` as links but for its `own`, which `stages` write after
    `prepare`, by the params of `home` with `changes`. `own` are beginnings of names, "" that of all.
    """
    if not (folder / "made").exists():
        lay_out(folder)
        for table in (home / "data/checked", *(home / "data").glob("*/*")):
            name, link = str(table.relative_to(home / "data")), folder / "data" / table.relative_to(home / "data")
            if not name.startswith((*own, "own")) and not link.exists():
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(table.resolve())
        write_params(folder, changes, home / "params.yaml")
        prepare()
        for stage in stages:
            subprocess.run([sys.executable, "-m", f"stages.{stage}"], cwd=folder, check=True)
        (folder / "made").touch()
    return folder


STAGES = (
    "check_params", "fetch_corpus", "list_corpus", "convert_corpus", "import_corpus", "clean_text", "text_vectors",
    "image_features", "image_style", "image_words", "dedup_images", "split", "audit_split", "word2vec",
)  # fmt: skip


def synthetic(home: Path) -> Path:
    """A folder with the tables of the synthetic corpus that params.yaml describes, made if not there."""
    return made(home, Path(), ("",), {"corpus": {"source": "synthetic"}}, STAGES)


class Kept:
    """Trials that were run, in a JSON file: by corpus (its tables' digest), values and seed."""

    def __init__(self, path: Path, homes: Mapping[str, Path]) -> None:
        self.path, self.homes = path, homes
        self.runs: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []

    def fill(self, wanted: Iterable[tuple[str, Trial, int]]) -> None:
        """Run what is missing of (corpus, trial, seed), a process per core, and keep each as it ends."""
        about = [self._about(*one) for one in wanted]
        missing = [one for one in about if not any(one.items() <= run.items() for run in self.runs)]
        unique = [one for i, one in enumerate(missing) if one not in missing[:i]]
        for one in unique:  # tables of other words are made here, not by every process at once
            _corpus(self.homes[one["corpus"]], one["trial"])
        done = Parallel(n_jobs=cores(), return_as="generator_unordered")(
            delayed(_run)(self.homes[one["corpus"]], one) for one in unique
        )
        for run in progress(done, "trials", "trials", total=len(unique)):
            self.runs.append(run)
            lines = ",\n".join(json.dumps(line) for line in sorted(self.runs, key=json.dumps))
            write_text(f"[\n{lines}\n]\n", self.path)

    def figure(self, name: str, corpus: str, trial: Trial, seed: int) -> float:
        """One figure of a trial that was run."""
        about = self._about(corpus, trial, seed)
        return next(float(run[name]) for run in self.runs if about.items() <= run.items())

    def _about(self, corpus: str, trial: Trial, seed: int) -> dict[str, Any]:
        # Other words follow from these tables and the trial's values; numbers of style come from the pictures anew.
        tables = _corpus(self.homes[corpus], {key: trial[key] for key in trial if key == "style"}).digest()
        return {"corpus": corpus, "tables": tables, "trial": trial, "seed": seed}


def _corpus(home: Path, trial: Trial) -> Corpus:
    """What `trial` trains on."""
    params = _read(home, ()).params
    usual = {
        "style": params.images.style,
        "read": params.images.read,
        "text_encoder": params.model.text_encoder,
        "letters": params.model.letters,
        **dict(params.words),
    }
    return _read(home, tuple((key, trial[key]) for key, value in usual.items() if trial.get(key, value) != value))


@lru_cache
def _read(home: Path, values: tuple[tuple[str, Any], ...]) -> Corpus:
    return Corpus(home, dict(values))


def _run(home: Path, about: dict[str, Any]) -> dict[str, Any]:
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    found = _corpus(home, about["trial"]).run(about["trial"], about["seed"])
    return {**about, **{name: float(f"{value:.5g}") for name, value in found.items()}}


def draws(recipe: str, own: Trial) -> list[Trial]:
    """The recipe's `own` values, and DRAWS trials drawn from its space in the place of these."""
    random, space = np.random.default_rng(list(recipe.encode())), {**SPACE, **OWN_SPACE[recipe]}
    drawn = [{name: values[random.integers(len(values))] for name, values in space.items()} for _ in range(DRAWS)]
    return [own, *({**own, **trial} for trial in drawn)]


def search(kept: Kept, best: Trial) -> None:
    """As many trials of either recipe on a fold of each train side."""
    tried = {"paper": draws("paper", {}), "best": draws("best", best)}
    kept.fill((corpus, trial, SEARCH_SEED) for trials in tried.values() for trial in trials for corpus in kept.homes)

    def share(trial: Trial) -> float:
        of = [[kept.figure("test", corpus, one, SEARCH_SEED) for corpus in kept.homes] for one in (trial, {})]
        return float(np.mean(np.divide(*of)))

    print(f"folds: joint performance less the floor, as a share of that of the paper's values; {DRAWS} draws each")
    for recipe, trials in tried.items():
        shown = [trials[0], *sorted(trials[1:], key=share)[:5]]
        print_table([{recipe: _values(trial, best), "share of the paper's": share(trial)} for trial in shown])
    found = {recipe: min(trials, key=share) for recipe, trials in tried.items()}
    plain = min((trial for trial in tried["paper"] if not trial.get("style")), key=share)
    result(
        {recipe: {"values": trial, "share": share(trial)} for recipe, trial in found.items()},
        {
            f"{name} is the best found": RIVALS[name] == trial
            for name, trial in (("paper, tuned", plain), ("paper, tuned, style", found["paper"]))
        },
    )


def compare(kept: Kept, best: Trial, seeds: Sequence[int]) -> None:
    """Both recipes on the test side, in paired differences over the `seeds`."""
    recipes = {**RIVALS, "best": best}
    kept.fill((corpus, trial, seed) for trial in recipes.values() for corpus in kept.homes for seed in seeds)
    figures, bounds, rows = {}, {}, []
    for corpus in kept.homes:
        test = {
            name: np.array([kept.figure("test", corpus, trial, seed) for seed in seeds])
            for name, trial in recipes.items()
        }
        for name, values in test.items():
            below = {other: reduction(test[other], values) for other in RIVALS if other != name}
            rows.append(
                {"corpus": corpus, "recipe": name, "values": _values(recipes[name], best), "mean": float(values.mean())}
                | {f"below {other}": _shown(below.get(other)) for other in RIVALS}
            )
            figures[f"{corpus}: {name}"] = {"above_floor": values.tolist(), "below": below}
        for other, trial in RIVALS.items():
            found, low, _ = reduction(test[other], test["best"])
            asked = 0 if trial.get("style") else BOUND  # style is no input of the paper's
            bounds[f"{corpus}: {f'at least {asked:.0%} ' if asked else ''}below {other}"] = found >= asked and low > 0
    print(f"test, {len(seeds)} seeds: joint performance less the floor of perfect ranks (95 % interval, paired)")
    print_table(rows)
    result(figures, bounds)


def _shown(found: tuple[float, float, float] | None) -> str:
    return "{:.1%} ({:.1%} to {:.1%})".format(*found) if found else ""


def reduction(others: np.ndarray, ours: np.ndarray) -> tuple[float, float, float]:
    """By what share of the others' mean ours are lower, with the 95 % interval of the paired differences (t)."""
    gain = (others - ours) / others.mean()
    if np.ptp(gain) == 0:
        return (float(gain[0]),) * 3
    low, high = stats.t.interval(0.95, len(gain) - 1, gain.mean(), stats.sem(gain))
    return float(gain.mean()), float(low), float(high)


def _values(trial: Trial, best: Trial) -> str:
    """What a trial changes of the paper's values or, where it has all names of `best`, of those."""
    ours = trial.keys() == best.keys()
    changes = {name: value for name, value in trial.items() if not (ours and best[name] == value)}
    return ", ".join(f"{name} {value}" for name, value in changes.items()) or ("as best" if ours else "as the paper")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--search", action="store_true", help="the trials on folds")
    parser.add_argument("--seeds", type=int, default=3, help="so many, at least 2: the intervals are over them")
    parser.add_argument("--synthetic", type=Path, default=Path(".cache/recipe/synthetic"), help="its folder")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON file that keeps the trials")
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error("--seeds: one seed has no interval")
    homes = {"openclipart": Path.cwd(), "synthetic": synthetic(given.synthetic).resolve()}
    best = dict(validate().best)
    if given.search:
        folds = {f"{name}, fold": fold(home) for name, home in homes.items()}
        search(Kept(given.results, folds), best)
    else:
        compare(Kept(given.results, homes), best, range(FIRST_SEED, FIRST_SEED + given.seeds))


if __name__ == "__main__":
    from benchmarks.model import recipe  # under its name, so that worker processes find its functions

    entry(recipe.main)
