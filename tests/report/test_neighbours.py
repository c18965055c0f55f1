"""User to user in the report: the sentence follows the interval, and what was not measured says so."""

import pytest

from pipeline.report.neighbours import shared
from pipeline.report.page import Note


def measured(low, high):
    ends = {name: [0.1, 0.2] for name in ("model", "chance", "best")}
    gap = {"value": (low + high) / 2, "interval_95": [low, high]}
    return {"users": 20, "top": 5, "model": 0.4, "chance": 0.3, "best": 0.9, "interval_95": ends,
            "model_less": {"chance": gap, "best": gap}}  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.05, 0.2, "more than"),
        (-0.1, 0.1, "no more than"),
        (-0.2, -0.1, "less than"),
        (1.2e-7, 1.2e-7, "no more than"),
    ],
)
def test_the_sentence_follows_the_interval(low, high, said):
    (part,) = shared({"interests": measured(low, high)})
    assert part.title.startswith(f"Users have {said} chance in common with their 5 nearest")
    assert [row[0] for row in part.table.rows] == [
        "The truth itself (best possible)",
        "This model",
        "All other users (chance)",
    ]
    assert part.table.strong == [1]


def test_what_was_not_measured_says_so():
    (part,) = shared({"interests": {"not_measured": "3 users are too few"}})
    assert isinstance(part, Note) and "3 users are too few" in part.text
