"""The README's figures are those of the metrics that are committed with it."""

import json
from pathlib import Path

from tools import readme

ROOT = Path(__file__).parents[2]


def test_the_figures_in_the_readme_are_those_of_the_metrics():
    page = (ROOT / readme.PAGE).read_text()
    assert page.partition(readme.OPEN)[2].partition(readme.CLOSE)[0] == readme.block(ROOT), (
        "`python -m tools.readme --fix` writes them anew"
    )


def test_a_row_holds_what_its_method_was_asked(fabricated):
    held = json.loads((fabricated / "metrics/baselines.json").read_text())
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in readme.block(fabricated).splitlines()}
    assert rows["Avg-Text"][1:] == ["–", "–", "– |"]
    assert float(rows["Avg-Text"][0]) == round(held["avg_text"]["text_to_user"]["mean_median_rank"], 1)
    assert rows["**this model**"][0].startswith("**") and "(" in rows["**this model**"][3]
