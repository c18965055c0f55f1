"""A benchmark without its peers says in one sentence what to do, before it works."""

import ast
import csv
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import benchmarks
from benchmarks.model import recipe
from benchmarks.model.carry_over import judged
from benchmarks.pictures import labelled
from benchmarks.pictures.image_pairs import recall_of_exact
from pipeline.evaluation.encoder_means import METHODS
from pipeline.ranking.estimates import Estimate
from pipeline.running.params import validate
from pipeline.running.utf8 import entry
from pipeline.tables.split import ASSIGNED
from tools import rooms

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
LOCKED = {line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
MODULES = {"umap-learn": "umap"}
PEERS = {MODULES.get(name, name) for name in set(EXTRAS["bench"]) - LOCKED}
SCRIPTS = [path for path in sorted((ROOT / "benchmarks").glob("*/*.py")) if "__main__" in path.read_text()]
COMPARING = [path for path in SCRIPTS if {module.split(".")[0] for module in rooms.imports(path)} & PEERS]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_says_what_it_does(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{path.parent.name}.{path.stem}").main()
    assert not ended.value.code
    assert ast.get_docstring(ast.parse(path.read_text())) in capsys.readouterr().out


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_tells_what_a_user_can_mend_without_a_traceback(path):
    started = ast.unparse(ast.parse(path.read_text()).body[-1])
    assert re.search(r"    (entry\((recipe\.)?main\)|run\('dedup_images', main\))$", started), (
        "by `entry`, or as a stage"
    )


@pytest.mark.parametrize("name", ["model.carry_over", "pictures.image_audit", "pictures.labelled", "page.chance"])
def test_a_benchmark_without_a_run_says_so_in_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        entry(importlib.import_module(f"benchmarks.{name}").main)
    assert re.fullmatch(rf"{tmp_path}\S*: no .*`dvc repro` makes .*", str(ended.value.code))


@pytest.mark.parametrize("path", COMPARING, ids=lambda path: path.stem)
def test_a_benchmark_asks_for_the_peers_that_it_imports(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    asked = {
        ast.literal_eval(argument)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "need"
        for argument in call.args
    }
    assert asked == {module.split(".")[0] for module in rooms.imports(path)} & PEERS
    at_the_top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not {name.name.split(".")[0] for node in at_the_top for name in node.names} & PEERS


def test_without_a_peer_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/benchmarks/texts/text_join.py"])
    with pytest.raises(SystemExit) as ended:
        benchmarks.need("json", "nosuchpeer")
    assert ended.value.code == (
        "texts.text_join compares with nosuchpeer, not installed here: `make bench NAME=texts.text_join` does both."
    )
    benchmarks.need("json")


def test_make_bench_knows_the_benchmarks_and_asks_for_a_name():
    done = subprocess.run(
        ["make", "--dry-run", "bench", "NAME=texts.text_join", "ARGS=--posts 1000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "python -m benchmarks.texts.text_join --posts 1000" in done.stdout
    nameless = subprocess.run(["make", "--dry-run", "bench"], cwd=ROOT, capture_output=True, text=True)
    names = {f"{path.parent.name}.{path.stem}" for path in SCRIPTS}
    (listed,) = [line for line in nameless.stdout.splitlines() if "one of:" in line]
    listed = {name for name in listed.replace('"', " ").replace(";", " ").split() if "." in name.strip(".")}
    assert names == listed, "all that run, and no module that others import alone"


def test_what_is_chosen_without_a_corpus_does_not_look_at_it():
    def ranks(value):
        return {"text_to_user": Estimate(value, np.array([value, value]))}

    figures = {"paper": (50, 50, 50), "carries": (20, 20, 40), "fits": (30, 30, 10)}
    corpora = ("a", "b", "c")
    drawn = {
        corpus: {row: ranks(float(values[i])) for row, values in figures.items()} | {m: ranks(30.0) for m in METHODS}
        for i, corpus in enumerate(corpora)
    }
    rows, choices = judged(drawn, {corpus: {"text_to_user": 100} for corpus in corpora})
    # "fits" is best by far on c, and on a and c together; it is "carries" that is best on a and b.
    assert {choice["left out"]: choice["chosen"] for choice in choices} == {"a": "fits", "b": "fits", "c": "carries"}
    assert choices[2]["text_to_user less encoder_mean"] == "+10.0 (+10.0 to +10.0)"
    assert choices[2]["joint, of paper's"].startswith("-20%")
    assert len(rows) == 3 * (len(figures) + len(METHODS))


def test_all_near_pairs_that_an_exact_search_finds_are_found_below_ten_thousand_vectors():
    assert recall_of_exact(400) == 1.0


def test_tables_are_made_anew_for_each_value_of_best_that_they_follow_from(monkeypatch):
    """Else `best` would train on the tables of `paper`, without letters for one, and nothing would say so."""
    params, asked = validate(ROOT / "params.yaml"), []

    def read(home, values):
        asked.append(dict(values))
        return SimpleNamespace(params=params)

    monkeypatch.setattr(recipe, "_read", read)
    recipe._corpus(ROOT, dict(params.best))
    images, words = ("style", "read"), set(dict(params.words)) & set(dict(params.best))
    wanted = {name: dict(params.best)[name] for name in (*images, *words, "text_encoder", "letters")}
    assert asked == [{}, wanted]


def test_a_fold_of_a_train_side_keeps_groups_whole_and_trains_the_largest():
    groups = np.random.default_rng(0).integers(0, 300, 1000).astype(str)
    groups[:200] = "large"
    side = recipe.sides_again(pa.array(groups), 0.1).to_numpy(zero_copy_only=False)
    assert all(len(set(side[groups == group])) == 1 for group in np.unique(groups))
    assert set(side[:200]) == {"train"}
    assert np.mean(side[200:] == "test") == pytest.approx(recipe.FOLD["test"], abs=0.06)


def test_a_labelled_pair_stands_for_as_many_as_its_stratum_has(tmp_path):
    ids = pa.chunked_array([list("abcdef")])
    lines = ["a,b,few,2,same", "a,c,few,2,different", "a,d,many,100,part", "a,e,many,100,unclear"]
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(["image_id,other_id,stratum,of,label", *lines]))
    pairs = labelled.read(file, ids)
    assert pairs.weight.tolist() == [1, 1, 100, 100]
    assert pairs.alike.tolist() == [True, False, True, False]
    all_pairs = np.ones(4, bool)
    found = labelled.row("alike", pairs, all_pairs, pairs.alike)
    assert (found["labelled"], found["of them"], found["unclear"]) == (3, 2, 1)
    assert found["share"] == pytest.approx(101 / 102)
    assert labelled.read(file, ids.slice(1)) is None


def test_labelled_pairs_are_found_where_their_posts_stand():
    ids = pa.chunked_array([list("abcde")])
    columns = {"post_id": list("123456"), "image_id": list("abcdea")}
    posts = pa.table(columns | {"more_images": pa.nulls(6, pa.list_(pa.string()))})
    sides = ["train", "train", "test", "val", "excluded", "test"]  # the first picture is in train and in test
    split = ASSIGNED.of([(str(n + 1), "g" if n < 2 else f"g{n}", side, None) for n, side in enumerate(sides)])
    one, other = np.array([0, 1, 2, 0]), np.array([1, 2, 3, 4])
    text = np.full(4, "part")
    places = labelled.Places.of(labelled.Labelled(one, other, text, text, np.ones(4)), ids, posts, split)
    assert places.together.tolist() == [True, False, False, False]
    assert places.apart.tolist() == [True, True, True, False]
    assert places.out.tolist() == [False, False, False, True]


def test_intervals_of_shares_are_wilsons():
    low, high = labelled.share(np.arange(10) < 8, np.full(10, 7.0))[1:]
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))  # as statsmodels has it
    assert labelled.share(np.ones(10, bool), np.ones(10))[1] == pytest.approx(0.7225, abs=1e-4)
    share, low, high = labelled.share(np.arange(10) < 8, np.array([4.0] + [1] * 8 + [2]))  # the same share, of fewer
    assert share == pytest.approx(11 / 14)
    assert high - low > np.ptp(labelled.share(np.arange(14) < 11, np.ones(14))[1:])


@pytest.mark.parametrize("name", labelled.FILES)
def test_labels_are_known_and_strata_whole(name):
    with Path(labelled.__file__).with_name(name).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["label"] for row in rows} == {"same", "part", "different", "unclear"}
    of = {(row["stratum"], row["of"]) for row in rows}
    assert len(of) == len({stratum for stratum, _ in of}) == 7
    assert len({(row["image_id"], row["other_id"], row["stratum"]) for row in rows}) == len(rows)
