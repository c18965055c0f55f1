"""`dvc plots show`: every plot that dvc.yaml declares is drawn, from the columns it names, with its title."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def drawn(fabricated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    shutil.copytree(fabricated / "plots", folder / "plots")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_NO_ANALYTICS": "1"}

    def dvc(*command):
        return subprocess.run(
            [sys.executable, "-m", "dvc", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    dvc("init", "--no-scm", "-q")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
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


def test_plots_hold_the_rows_of_their_files(drawn, fabricated):
    for name in ("training", "ranks", "interests", "image_copies"):
        with (fabricated / f"plots/{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row | {"rev": "workspace"} for row in rows] == drawn[f"plots/{name}.csv"]["data"]["values"]
    assert {row["field"] for row in drawn["loss"]["data"]["values"]} == {
        "loss_text_user", "loss_image_text", "loss_image_user",
    }  # fmt: skip
