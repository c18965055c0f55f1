"""What comes of how words are made: languages known or all taken for English, subwords, emoji and hashtags.

    python -m benchmarks.texts.languages synthetic                     # generated, in twelve languages and five scripts
    python -m benchmarks.texts.languages openclipart
    python -m benchmarks.texts.languages POSTS.parquet --images PICTURES.zip --way languages …    # your own table

For each way the stages run in a folder of its own under .cache, up to `word2vec`; a stage that was run is not run
again. Text to user is the baseline Avg-Text, means of word vectors, which needs no training. With `--train paper` or
`best` a model of that recipe is trained and asked too, with `small` one of few numbers and epochs (SMALL). Tokens known
are those of train; a text without a known word is asked all the same, at chance. In brackets 95 % intervals over users;
beside them the difference from the first way, over the same resamples of users.
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import ROOT, lay_out, options, print_table, result, write_params
from pipeline.common.metrics import read_metrics
from pipeline.common.recipe import by_recipe
from pipeline.ranking.bootstrap import interval
from pipeline.ranking.estimates import Estimate, estimates
from pipeline.running.errors import UserError
from pipeline.running.params import validate
from pipeline.running.utf8 import entry
from pipeline.tables.ranking import RANKS
from stages.baselines import avg_text
from stages.inputs import Inputs

LANGUAGES = ["en", "es", "pt", "fr", "de", "ru", "tr", "fa", "ar", "ko", "ja", "zh"]
WAYS: dict[str, dict[str, dict[str, Any]]] = {
    "languages": {},
    "english": {"text": {"languages": ["en"]}},
    "subwords": {"words": {"subwords": True}},
    "emoji": {"text": {"emoji": "names"}},
    "hashtags": {"text": {"hashtags": "split"}},
    "emoji, hashtags": {"text": {"emoji": "names", "hashtags": "split"}},
}
"""The first is the default; each other one changes what stands beside it."""
COMMON: dict[str, dict[str, Any]] = {"split": {"allow_empty": True}}
WITHOUT_SENTENCES: dict[str, dict[str, Any]] = {"sentences": {"encoder": "none"}}
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "small": {
        **WITHOUT_SENTENCES,
        "model": {"dim": 256, "filters": [128, 64, 64]},
        "train": {"epochs": 10, "patience": 10},
    },
    "paper": WITHOUT_SENTENCES,
    "best": {"": {"recipe": "best"}},
}
RESAMPLES, SEED = 1000, 7
GENERATED: dict[str, dict[str, Any]] = {
    "corpus": {"source": "synthetic"},
    "corpus.synthetic": {"posts": 4000, "users": 96, "languages": LANGUAGES, "images": "features"},
    "images": {"encoder": "stored", "min_cosine": 0.9},
}
SHARED = ("check_params", "fetch_corpus", "list_corpus", "convert_corpus", "import_corpus", "image_features")
SHARED_TOO = ("image_style", "dedup_images", "text_vectors")
OWN, TRAINED = ("clean_text", "split", "audit_split", "word2vec"), ("train", "embed", "evaluate_retrieval")
TASKS = ("text_to_user", "image_to_text")


def run(stages: tuple[str, ...], folder: Path) -> None:
    """Run stages in `folder`, those that are not done there."""
    for stage in stages:
        done = folder / f".{stage}"
        if not done.exists():
            with (folder / "log").open("a") as log:
                command = [sys.executable, "-m", f"stages.{stage}"]
                subprocess.run(command, cwd=folder, check=True, stdout=log, stderr=log)
            done.touch()


def averages(home: Path) -> tuple[pa.Table, int, int]:
    """RANKS of Avg-Text in text to user, how many of these at chance, and the number of candidates."""
    params = by_recipe(validate(home / "params.yaml"))
    with tempfile.TemporaryDirectory() as kept, contextlib.chdir(home):
        inputs = Inputs.read(Path(kept), params.model)
        _, ranked, _ = avg_text(inputs, inputs.queries("test", Path(kept)), params.seed, params.words.size)
    found, left, candidates = ranked["text_to_user"]
    return found, sum(left["at_chance"].values()), candidates


def shown(found: Mapping[str, Estimate], first: Mapping[str, Estimate] | None) -> dict[str, str]:
    """Mean median ranks by task with their intervals, and how much more they are than those of the `first` way."""
    cells = {}
    for task in TASKS:
        if task in found:
            low, high = interval(found[task].drawn)
            cells[task] = f"{found[task].value:.1f} ({low:.1f}-{high:.1f})"
            less = found[task] - first[task] if first else None
            ends = interval(less.drawn) if less else ()
            cells[f"{task}, more"] = "{:+.1f} ({:+.1f} to {:+.1f})".format(less.value, *ends) if less else ""
    return cells


def corpus_of(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The values of params.yaml that say which corpus it is."""
    if given.corpus == "synthetic":
        return GENERATED
    if given.corpus == "openclipart":
        return {}
    posts, images = Path(given.corpus).resolve(), given.images or Path(given.corpus).parent
    own = {"source": "table", "posts": str(posts), "images": str(images.resolve()), "missing_images": "text"}
    return {"corpus": {**own, "max_posts_per_user": None}}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--images", type=Path, help="the table's pictures; without, the folder that it is in")
    parser.add_argument("--way", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--train", choices=list(RECIPES))
    given = parser.parse_args()
    if given.corpus not in ("synthetic", "openclipart") and not Path(given.corpus).is_file():
        raise UserError(f"{given.corpus}: no such file; expected synthetic, openclipart or a table of posts.")
    recipe = given.train or "paper"
    common = {**COMMON, **corpus_of(given), **RECIPES[recipe]}
    home = ROOT / ".cache/languages" / Path(given.corpus).parent.name / Path(given.corpus).stem / recipe
    rows: list[dict[str, Any]] = []
    ranks: dict[str, pa.Table] = {}
    for way in given.way:
        base, folder = home / "base", home / way.replace(", ", "-")
        for place, wanted in ((base, common), (folder, {**common, **WAYS[way]})):
            lay_out(place)
            write_params(place, wanted)
        run((*SHARED, *SHARED_TOO), base)
        if not (folder / "data").exists():
            shutil.copytree(base / "data", folder / "data", symlinks=True)
        run(OWN, folder)
        text, words = (read_metrics(folder / f"metrics/{name}.json") for name in ("text", "words"))
        ranks[f"Avg-Text, {way}"], at_chance, candidates = averages(folder)
        if given.train:
            run(TRAINED, folder)
            ranks[f"model, {way}"] = RANKS.read(folder / "data/evaluation/ranks")
        rows.append(
            {
                "words": way,
                "tokens": words["words"]["in"],
                "known": words["words"]["known_share"],
                "texts": text["posts_out"],
                "asked": ranks[f"Avg-Text, {way}"].num_rows,
                "at chance": at_chance,
                "candidates": candidates,
            }
        )
    drawn = estimates(ranks, RESAMPLES, SEED)
    for row in rows:
        for method in ("Avg-Text", "model") if given.train else ("Avg-Text",):
            first = None if row is rows[0] else drawn[f"{method}, {rows[0]['words']}"]
            cells = shown(drawn[f"{method}, {row['words']}"], first)
            row |= {f"{method}, {name}": cell for name, cell in cells.items()}
    print_table(rows)
    result({"ways": rows}, {"ran": True})


if __name__ == "__main__":
    entry(main)
