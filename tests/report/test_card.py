"""Model card and datasheet: the field's headings, figures as they were measured, and no name of anybody."""

import json
import re
import shutil
from datetime import datetime
from typing import get_args

import pyarrow as pa
import pytest

from pipeline.common.metrics import read_metrics, write_metrics
from pipeline.report.card import ENERGY, SOURCES, Chapter, markdown
from pipeline.running.schema import Corpus
from pipeline.tables.corpus import POSTS
from stages import card
from tests.made.run import edit

MODEL = ["Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
         "Quantitative analyses", "Ethical considerations", "Caveats and recommendations"]  # fmt: skip
DATA = ["Motivation", "Composition", "Collection process", "Preprocessing, cleaning, labelling", "Uses", "Distribution",
        "Maintenance"]  # fmt: skip
AUC = {"auc": 0.74, "low": 0.69, "high": 0.8, "chance": 0.5, "users": 71}
FEW = {"not_measured": "3 people have posts on both sides, of 10 needed"}


@pytest.fixture
def written(fabricated, tmp_path, monkeypatch):
    """The folder of a run whose cards are written, and its two cards."""
    shutil.copytree(fabricated, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    found = {"text": {"own": FEW, "any": FEW}, "image": {"own": AUC, "any": AUC}, "user": {"any": AUC}}
    write_metrics(found, tmp_path / "metrics/membership.json")
    languages = {"languages": {"de": {"posts": 1200}, "en": {"posts": 5}}}
    write_metrics(languages, tmp_path / "metrics/text.json")
    held = {
        "posts": {"with_text": 200, "with_image": 180, "with_both": 140},
        "interests": {"different": 4, "users_with_some": 20},
    }
    edit(tmp_path / "metrics/import.json", lambda values: values.update(held))
    posts = POSTS.read(tmp_path / "data/corpus/posts").to_pydict()
    moments = [datetime(2021, 3, 4, 5, 6, 7), datetime(2023, 11, 12, 13, 14, 15)]
    posts["created_at"] = [moments[row % 2] if row < 9 else None for row in range(len(posts["post_id"]))]
    POSTS.write(pa.table(posts, schema=POSTS.schema), tmp_path / "data/corpus/posts")
    card.main()
    return [(tmp_path / f"data/card/{name}.md").read_text() for name in ("model-card", "datasheet")]


def test_the_headings_are_the_fields(written):
    assert [re.findall(r"(?m)^## (.*)$", text) for text in written] == [MODEL, DATA]


def test_figures_are_those_that_were_measured(written):
    model, data = written
    ranks = read_metrics(card.METRICS / "retrieval.json")["text_to_user"]
    assert f"chance {ranks['random']:g}" in model and "0.74 (0.69 to 0.8)" in model
    assert "not measured, as 3 people have posts on both sides" in model
    assert "de 1,200, en 5." in data and "March 2021 to November 2023" in data
    assert f"**Energy:** {ENERGY}" in model  # as `tools.share` looks for it
    assert "12" not in re.findall(r"Time:\*\* (.*)", data)[0]  # months, not days


def test_held_out_posts_that_words_were_fitted_on_are_told(written):
    assert "**Words fitted on:** train only." in written[0]
    edit(card.METRICS / "audit.json", lambda values: values.update(fit_on="all"))
    card.main()
    assert "**Words fitted on:** all posts, held-out ones too." in (card.CARD / "model-card.md").read_text()


def test_no_card_names_anybody_and_what_is_unknown_is_asked_of_the_publisher(written):
    for text in written:
        assert not re.search(r"\bpost-\d{2,}|\buser-\d+", text)  # ids of made users and posts
        assert "[the publisher" in text
    held = json.loads((card.CARD / "card.json").read_text())
    assert [title for title, _ in held["Datasheet"]] == DATA


def test_each_source_of_a_corpus_says_what_it_is():
    assert set(SOURCES) == set(get_args(Corpus.model_fields["source"].annotation))


def test_text_from_outside_is_text_in_markdown():
    assert markdown("T", [Chapter("A", [("B?", "<script> *x* `y` a_b")])]).endswith(
        "\\<script> \\*x\\* \\`y\\` a\\_b\n"
    )
