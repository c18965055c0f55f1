"""A small complete run, made up: every table and metric that the report and the table of results read."""

import json
from pathlib import Path

from tests.made.corpus import Made, write_tables
from tests.made.measured import measure

ROOT = Path(__file__).parents[2]


def fabricate(root: Path, text=None, user=None) -> None:
    """Write data/, metrics/ and plots/ under `root`. `text` and `user` take the place of a post's text, a user's id."""
    made = Made.draw(text, user)
    write_tables(made, root / "data")
    measure(made, root)
    (root / "data/card").mkdir()
    (root / "data/card/card.json").write_text(
        json.dumps({"Model card": [["Caveats", [["New data", "Measure again."]]]]})
    )
    (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())


def edit(path: Path, change) -> None:
    """Rewrite the JSON at `path` by `change`."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
