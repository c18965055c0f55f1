"""The README's figures are those of the metrics that are committed with it."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

from tools import readme

ROOT = Path(__file__).parents[2]


def test_the_figures_in_the_readme_are_those_of_the_metrics(tmp_path):
    # As committed: a run of one's own, on another processor or corpus, leaves other metrics where one works.
    held = subprocess.run(
        ["git", "archive", "HEAD", str(readme.PAGE), "metrics"], cwd=ROOT, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(held.stdout)) as tar:
        tar.extractall(tmp_path, filter="data")
    page = (tmp_path / readme.PAGE).read_text()
    assert page.partition(readme.OPEN)[2].partition(readme.CLOSE)[0] == readme.block(tmp_path), (
        "`python -m tools.readme --fix` writes them anew"
    )


def test_a_row_holds_what_its_method_was_asked(fabricated):
    held = json.loads((fabricated / "metrics/baselines.json").read_text())
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in readme.block(fabricated).splitlines()}
    assert rows["Avg-Text"][1:] == ["–", "–", "– |"]
    assert float(rows["Avg-Text"][0]) == round(held["avg_text"]["text_to_user"]["mean_median_rank"], 1)
    assert rows["**this model**"][0].startswith("**") and "(" in rows["**this model**"][3]
