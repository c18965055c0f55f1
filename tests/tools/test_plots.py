"""`dvc plots show`: every plot that dvc.yaml declares is drawn, from the columns it names, with its title."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.interests import Predictions, evaluate
from stages.evaluate_interests import plot
from tests.processes.started import module, started

ROOT = Path(__file__).parents[2]


HOSTILE = (
    "</script><script>document.title='owned'; fetch('http://evil.invalid/')</script>",
    "<img src=http://evil.invalid/x.png onerror=\"document.title='owned'\">",
    "=cmd|' /C calc'!A1",
    "<DVC_METRIC_TITLE>",
    "macro",
    "mean of all interests",
    "[1, 2]",
    "model",
    '\u202eesrever\x1b[31m\n,"; ' + "W" * 50_000,
)


@pytest.fixture(scope="module")
def folder(fabricated, tmp_path_factory):
    """Plots of a run whose interests have names of HOSTILE."""
    folder = tmp_path_factory.mktemp("plots")
    shutil.copytree(fabricated / "plots", folder / "plots")
    random = np.random.default_rng(0)
    truth = random.random((len(HOSTILE), 40)) < 0.5
    said, fold = random.random((1, len(HOSTILE), 1, 40)) < 0.5, np.tile(np.arange(40) % 5, (len(HOSTILE), 1, 1))
    found = evaluate(Predictions(["model"], list(HOSTILE), truth, fold, said, 0), 100, 1)
    plot(found).to_csv(folder / "plots/interests.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def drawn(folder):
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    environment = {"DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_NO_ANALYTICS": "1"}

    def dvc(*command):
        done = started(module, "dvc", *command, at=folder, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dvc("init", "--no-scm", "-q")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    dvc("plots", "show", "--out", "page")
    found = json.loads(dvc("plots", "show", "--json"))
    assert "errors" not in found
    return {name: plot["content"] for name, (plot,) in found["data"].items()}


def test_each_plot_is_drawn_once(drawn):
    assert set(drawn) == {
        "plots/training.csv", "plots/ranks.csv", "plots/interests.csv", "plots/image_copies.csv",
        "loss", "recall_of_image_copies", "image_to_text", "image_to_user",
    }  # fmt: skip
    titles = [plot["title"]["text"] for plot in drawn.values()]
    assert len(set(titles)) == len(titles) and all(len(title) > 12 for title in titles)
    assert all("<DVC_METRIC" not in json.dumps(plot) for plot in drawn.values())


def test_plots_hold_the_rows_of_their_files(drawn, folder):
    for name in ("training", "ranks", "interests", "image_copies"):
        with (folder / f"plots/{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row | {"rev": "workspace"} for row in rows] == drawn[f"plots/{name}.csv"]["data"]["values"]
    assert {row["field"] for row in drawn["loss"]["data"]["values"]} == {
        "loss_text_user", "loss_image_text", "loss_image_user",
    }  # fmt: skip


def test_the_mean_and_each_interest_have_rows_of_their_own(folder):
    with (folder / "plots/interests.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["of"] for row in rows}) == len(HOSTILE) + 1
    assert [row["of"].split(" ")[0] for row in rows] == ["mean", *["interest"] * len(HOSTILE)]
    assert all(len(row["of"]) < 90 and not set(row["of"]) & set("<>\n\x1b\u202e") for row in rows)


def test_no_label_runs_or_asks_for_anything_in_the_page_of_plots(tab, drawn, folder):
    tab.open(folder / "page/index.html", 1000)
    assert tab.evaluate("document.title") != "owned"
    asked = [address for address in tab.requests if not address.startswith("file:")]
    assert asked and all(address.startswith("https://cdn.jsdelivr.net/npm/vega") for address in asked)  # DVC's own
    assert tab.evaluate("document.querySelectorAll('img').length") == 0
    assert tab.evaluate("document.scripts.length") == tab.evaluate(
        "document.documentElement.outerHTML.split('</script>').length - 1"
    )
