"""What comes of how words are made: languages known or all taken for English, subwords, emoji and hashtags.

    python -m benchmarks.languages synthetic                        # generated, in twelve languages and five scripts
    python -m benchmarks.languages POSTS.parquet --way english …    # your own table, by its texts alone

For each way the stages run in a folder of its own under .cache, up to `word2vec`; a stage that was run is not run
again. Text to user is the baseline Avg-Text, means of word vectors, which needs no training. With `--train` a small
model of the recipe `paper` (SMALL) is trained and asked too. Tokens known are those of train; a text without a known
word is asked all the same, at chance. In brackets 95 % intervals over users.
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

from benchmarks import ROOT, lay_out, print_table, result, write_params
from pipeline.common.metrics import read_metrics
from pipeline.common.recipe import by_recipe
from pipeline.ranking.retrieval import evaluate, told
from pipeline.running.params import validate
from stages.baselines import avg_text
from stages.inputs import Inputs

LANGUAGES = ["en", "es", "pt", "fr", "de", "ru", "tr", "fa", "ar", "ko", "ja", "zh"]
WAYS: dict[str, dict[str, dict[str, Any]]] = {
    "english": {"text": {"languages": ["en"]}},
    "languages": {"text": {"languages": "auto"}},
    "languages, subwords": {"text": {"languages": "auto"}, "words": {"subwords": True}},
    "languages, emoji, hashtags": {"text": {"languages": "auto", "emoji": "names", "hashtags": "split"}},
}
SMALL: dict[str, dict[str, Any]] = {
    "sentences": {"encoder": "none"},
    "model": {"dim": 256, "filters": [128, 64, 64]},
    "train": {"epochs": 10, "patience": 10},
    "split": {"allow_empty": True},
}
GENERATED = {
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


def averages(home: Path) -> dict[str, Any]:
    """What `metrics/baselines.json` has of Avg-Text."""
    params = by_recipe(validate(home / "params.yaml"))
    with tempfile.TemporaryDirectory() as kept, contextlib.chdir(home):
        inputs = Inputs.read(Path(kept), params.model)
        _, ranked, _ = avg_text(inputs, inputs.queries("test", Path(kept)), params.seed, params.words.size)
    active = dict.fromkeys(inputs.lookup.users.to_pylist(), 1)
    rows, left, candidates = ({task: found[i] for task, found in ranked.items()} for i in range(3))
    measured = evaluate(rows, candidates, active, params.retrieval.activity, params.retrieval.bootstrap, params.seed)
    return {**measured, **told(left)}


def rank(found: Mapping[str, Any], task: str) -> str:
    """A task's mean median rank with its interval."""
    low, high = found[task]["interval_95"]["mean_median_rank"]
    return f"{found[task]['mean_median_rank']:g} ({low:g}–{high:g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--way", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--train", action="store_true")
    given = parser.parse_args()
    corpus = GENERATED
    if given.corpus != "synthetic":
        pictures = {"images": str(Path(given.corpus).parent.resolve()), "missing_images": "text"}
        columns = {"source": "table", "posts": str(Path(given.corpus).resolve()), "max_posts_per_user": None}
        corpus = {"corpus": columns | pictures, "images": {}}
    home = ROOT / ".cache/languages" / Path(given.corpus).parent.name / Path(given.corpus).stem
    rows = []
    for way in given.way:
        changes = {**corpus, **SMALL, **WAYS[way]}
        base, folder = home / "base", home / way.replace(", ", "-")
        for place, wanted in ((base, {**corpus, **SMALL}), (folder, changes)):
            lay_out(place)
            write_params(place, wanted)
        run((*SHARED, *SHARED_TOO), base)
        if not (folder / "data").exists():
            shutil.copytree(base / "data", folder / "data", symlinks=True)
        run(OWN, folder)
        text, words = (read_metrics(folder / f"metrics/{name}.json") for name in ("text", "words"))
        by_words = averages(folder)
        row = {
            "words": way,
            "tokens": words["words"]["in"],
            "known": words["words"]["known_share"],
            "texts": text["posts_out"],
            "asked": by_words["text_to_user"]["queries"],
            "at chance": sum(by_words["at_chance"]["text_to_user"].values()),
            "candidates": by_words["text_to_user"]["candidates"],
            "text to user, Avg-Text": rank(by_words, "text_to_user"),
        }
        if given.train:
            run(TRAINED, folder)
            ranks = read_metrics(folder / "metrics/retrieval.json")
            row |= {task: rank(ranks, task) for task in TASKS if ranks[task]["queries"]}
        rows.append(row)
    print_table(rows)
    result({"ways": rows}, {"ran": True})


if __name__ == "__main__":
    main()
