"""Does a recipe carry over? What is chosen on some corpora, judged on one that had no say.

    python -m benchmarks.model.carry_over FOLDER...  # each with the tables of a run up to `word2vec` and `text_vectors`
    python -m benchmarks.model.carry_over FOLDER... --trials best  # paper, best and encoder means alone

Every trial of TRIALS trains on each corpus, by its values in the place of those of params.yaml, the epoch chosen on
validation. Each corpus is left out in turn: of all trials the one that is best on the others, by the mean over them of
joint performance less the floor as a share of the paper's recipe's, is judged on the test side of the one left out,
against the paper's recipe and, task by task, against the means of pretrained vectors and of letters (METHODS) on the
same queries, in paired differences over resampled users. Ranks of trials that were run are kept under .cache, and
these not run again.

Word vectors by other `min_count`, `window` and `usage`, numbers of style, words in images and letters are made under
FOLDER/.cache (benchmarks.model.recipe.remade).
"""

import contextlib
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import options, print_table, result
from benchmarks.model.recipe import changed, remade
from pipeline.embedding.losses import Objective
from pipeline.evaluation.encoder_means import METHODS, Kind, by_method
from pipeline.evaluation.paper import joint
from pipeline.ranking.bootstrap import interval
from pipeline.ranking.estimates import Estimate, Ranks, estimates
from pipeline.ranking.queries import rank_queries
from pipeline.ranking.retrieval import TASKS, rank_task
from pipeline.ranking.vectors import Vectors
from pipeline.running.errors import UserError
from pipeline.running.params import validate
from pipeline.running.utf8 import entry
from pipeline.tables.embedding import LETTERS
from pipeline.tables.ranking import RANKS
from stages.inputs import Inputs

Trial = dict[str, Any]

OWN = {
    "min_count": 2, "window": 20, "usage": 300, "loss": "infonce", "learning_rate": 1.0e-3, "schedule": "cosine",
    "user_rate": 4.0, "windows": [], "filters": [], "word_mean": True, "aligned": True, "dropout": 0.5,
    "image_dropout": 0.3, "tune_words": True,
}  # fmt: skip
"""The recipe `best` as it was found on openclipart and the synthetic corpus, without style; one factor at a time:"""
BOTH = {**OWN, "text_encoder": "both"}
TRIALS: dict[str, Trial] = {
    "paper": {},
    "former best": OWN,
    "both": BOTH,
    "both, users slow": {**BOTH, "user_rate": 1.0},
    "both, discriminants": {**BOTH, "discriminant": True},
    "both, style": {**BOTH, "style": True},
    "both, style, read": {**BOTH, "style": True, "read": True},
    "both, fused": {**BOTH, "late_fusion": True},
    "both, fused, letters": {**BOTH, "late_fusion": True, "letters": True},
    "both, style, fused": {**BOTH, "style": True, "late_fusion": True},
    "best": {**BOTH, "style": True, "read": True, "late_fusion": True, "letters": True},
}
RESAMPLES = 1000


class Corpus:
    """The tables of a run in `home`, read for words, sentences and style as a trial wants them."""

    def __init__(self, home: Path, trial: Trial) -> None:
        self.params = validate(home / "params.yaml")
        digest = hashlib.blake2b((home / "data/split/posts/part-00000.parquet").read_bytes(), digest_size=8).hexdigest()
        tables = {
            key: trial[key] for key in ("min_count", "window", "usage", "style", "read", "letters") if key in trial
        }
        self.home = remade(home, tables, digest) if tables else home
        self._kept = tempfile.TemporaryDirectory(prefix="carry-over-")  # for as long as its mapped arrays
        self.folder = Path(self._kept.name)
        texts = {"text_encoder": trial.get("text_encoder", "words"), "letters": trial.get("letters", False)}
        model = self.params.model.model_copy(update=texts)
        with contextlib.chdir(self.home):
            self.inputs = Inputs.read(self.folder, model)
            self.val, self.test = (self.inputs.queries(side, self.folder) for side in ("val", "test"))

    def run(self, trial: Trial, seed: int, epochs: int) -> pa.Table:
        """RANKS of the test queries by `trial`."""
        params = changed(self.params, {"patience": epochs, "epochs": epochs, **trial}, seed)
        with contextlib.chdir(self.home):
            trained = self.inputs.new_model(params.model, seed)
        objective = Objective(params.lambdas, params.train.loss, params.train.margin)
        with tempfile.TemporaryDirectory() as folder:
            self.inputs.trainer(trained, objective, params, self.val, Path(folder)).run()
        return pa.concat_tables(part.rows for part in rank_queries(self.test, trained.model, trained.users).values())

    @property
    def candidates(self) -> dict[str, int]:
        """How many are ranked, by task."""
        users, texts = len(self.inputs.lookup.users), self.test.tasks["image_to_text"]["post_id"]
        return {"text_to_user": users, "image_to_text": len(texts), "image_to_user": users}

    def means(self) -> dict[str, pa.Table]:
        """RANKS of what is found untrained, by method, as the stage encoder_means has them."""
        posts, test, users = self.inputs.posts, self.test, self.inputs.lookup.users
        assert posts.sentence is not None and test.posts.sentence is not None  # a trial with sentences and letters
        known = test.posts.has_sentence
        texts = np.concatenate([posts.sentence, test.posts.sentence[known]])
        train = np.flatnonzero(posts.has_sentence), posts.user[posts.has_sentence]
        kinds = {
            "text": Kind(texts[:, :-LETTERS], *train),
            "image": Kind(self.inputs.features[:], posts.image, posts.user[posts.post]),
            "letters": Kind(texts[:, -LETTERS:], *train),
        }
        asking = {"text": test.posts.ids.combine_chunks().filter(pa.array(known)), "image": test.image_ids}
        found: dict[str, pa.Table] = {}
        for method, compared in by_method(kinds, len(users), self.params.seed):
            parts = []
            for kind, (means, values) in compared.items():
                task, ids = f"{kind}_to_user", asking[kind]
                vectors = Vectors(ids, values[len(values) - len(ids) :])
                parts.append(rank_task(task, test.tasks[task], Vectors(users, means), vectors, vectors).rows)
            found[method] = pa.concat_tables(parts)
        return found


def kept(folder: Path, home: Path, name: str, trial: Trial, seed: int, epochs: int) -> pa.Table:
    """RANKS of a trial on the corpus in `home`, from `folder` where it was run before."""
    about = json.dumps([home.name, name, trial, seed, epochs], sort_keys=True)
    path = folder / f"{home.name}-{hashlib.blake2b(about.encode(), digest_size=8).hexdigest()}"
    if not path.exists():
        begun = time.perf_counter()
        RANKS.write(Corpus(home, trial).run(trial, seed, epochs), path)
        print(f"{home.name}: {name} in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return RANKS.read(path)


def judged(
    drawn: Mapping[str, Mapping[str, Ranks]], candidates: Mapping[str, Mapping[str, int]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of figures by corpus and trial, and of what is chosen without a corpus, judged on it."""
    floored = {
        name: {row: above_floor(ranks, candidates[name]) for row, ranks in rows.items() if row not in METHODS}
        for name, rows in drawn.items()
    }
    share = {
        name: {row: figure.value / rows["paper"].value for row, figure in rows.items()}
        for name, rows in floored.items()
    }
    figures: list[dict[str, Any]] = []
    choices: list[dict[str, Any]] = []
    for name, rows in drawn.items():
        for row, ranks in rows.items():
            shown = {task: f"{ranks[task].value:.3g}" if task in ranks else "" for task in TASKS}
            figures.append({"corpus": name, "recipe": row, **shown, "of paper's joint": share[name].get(row, "")})
        others = [other for other in drawn if other != name] or [name]
        chosen = min(share[name], key=lambda row: float(np.mean([share[other][row] for other in others])))
        paper = floored[name]["paper"]
        gaps = {"joint, of paper's": _shown((floored[name][chosen] - paper) / paper.value, "{:+.0%}")}
        for method in METHODS:
            for task, theirs in rows[method].items():
                gaps[f"{task} less {method}"] = _shown(rows[chosen][task] - theirs, "{:+.1f}")
        choices.append({"left out": name, "chosen": chosen, **gaps})
    return figures, choices


def above_floor(ranks: Ranks, candidates: Mapping[str, int]) -> Estimate:
    """Joint performance less that of perfect ranks."""
    return joint(ranks, candidates) - sum(1 / candidates[task] for task in ranks)


def _shown(gap: Estimate, digits: str) -> str:
    return "{} ({} to {})".format(*(digits.format(value) for value in (gap.value, *interval(gap.drawn))))


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("homes", type=Path, nargs="+", help="folders of runs")
    parser.add_argument("--epochs", type=int, default=10, help="passes of every trial, the paper's too")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=list(TRIALS), help="these, beside paper")
    parser.add_argument("--kept", type=Path, default=Path(".cache/carry-over"), help="folder of ranks")
    given = parser.parse_args()
    if missing := [home for home in given.homes if not (home / "data/split/posts").is_dir()]:
        raise UserError(f"{missing[0]}: no run there, with params.yaml and data/split; `dvc repro` makes it.")
    drawn, candidates = {}, {}
    for home in (path.resolve() for path in given.homes):
        corpus = Corpus(home, {"text_encoder": "sentence", "letters": True})
        candidates[home.name] = corpus.candidates
        tables = {name: kept(given.kept.resolve(), home, name, TRIALS[name], given.seed, given.epochs)
                  for name in dict.fromkeys(("paper", *given.trials))}  # fmt: skip
        drawn[home.name] = estimates(tables | corpus.means(), RESAMPLES, given.seed)
        figures, choices = judged(drawn, candidates)
    print_table(figures)
    for line in choices:
        print_table([{"": key, line["left out"]: value} for key, value in line.items() if key != "left out"])
    result({"figures": figures, "choices": choices, "epochs": given.epochs, "seed": given.seed}, {})


if __name__ == "__main__":
    entry(main)
