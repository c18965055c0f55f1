"""Stage `card`: the run's model card and its data's sheet, from what was measured.

Reads   params.yaml, metrics/*.json   what ran, and what came out
        data/corpus/posts             when the first and last post was written, by month
Writes  data/card/model-card.md, data/card/datasheet.md   Markdown, to go with what is published
        data/card/card.json           the same, as the report shows it
"""

import json
import logging
from pathlib import Path

import pyarrow.compute as pc

from pipeline.common.metrics import read_metrics
from pipeline.report.card import datasheet, markdown, model_card
from pipeline.running.files import atomic_folder
from pipeline.running.params import validate
from pipeline.tables.corpus import POSTS
from stages.runner import run

CARD, POSTS_PATH, METRICS = Path("data/card"), Path("data/corpus/posts"), Path("metrics")
MEASURED = ("import", "text", "split", "audit", "train", "retrieval", "interests", "membership")

log = logging.getLogger("card")


def main() -> None:
    params = validate()
    found = {name: read_metrics(METRICS / f"{name}.json") for name in MEASURED}
    both = {"Model card": model_card(params, found), "Datasheet": datasheet(params, found, _span())}
    with atomic_folder(CARD) as folder:
        for title, chapters in both.items():
            name = title.lower().replace(" ", "-")
            (folder / f"{name}.md").write_text(markdown(title, chapters), encoding="utf-8")
        (folder / "card.json").write_text(json.dumps(both, indent=1) + "\n", encoding="utf-8")
    log.info("%s: model-card.md and datasheet.md; answer what stands in brackets before you publish", CARD)


def _span() -> tuple[str, str] | None:
    ends = [pc.min_max(part["created_at"]).as_py() for part in POSTS.batches(POSTS_PATH, ["created_at"])]
    times = [time for end in ends for time in end.values() if time is not None]
    return (f"{min(times):%B %Y}", f"{max(times):%B %Y}") if times else None


if __name__ == "__main__":
    run("card", main)
