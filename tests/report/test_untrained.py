"""Whether training is worth it, in a sentence that follows the paired intervals."""

import pytest

from pipeline.report.page import Note
from pipeline.report.untrained import METHODS, verdict, worth


def means(**gaps):
    block = {"mean_median_rank": 8.0, "queries": 5, "interval_95": {"mean_median_rank": [7.0, 9.0]}}
    block["by_activity"] = {"few": {"users": 4}, "some": {"users": 2}}
    shown = {task: {"value": sum(ends) / 2, "interval_95": ends} for task, ends in gaps.items()}
    tasks = dict.fromkeys(gaps, block)
    return {**dict.fromkeys(METHODS, tasks), "model_less": dict.fromkeys(METHODS, shown)}, tasks


@pytest.mark.parametrize(
    ("text", "image", "said"),
    [
        ([-3, -1], [-2, -1], "The model is ahead in text to user and image to user"),
        ([1, 2], [-2, -1], "The model is ahead in image to user; behind in text to user"),
        ([-1, 2], [0.5, 1], "The model is behind in image to user; neither ahead nor behind in text to user"),
    ],
)
def test_the_sentence_follows_the_intervals(text, image, said):
    found, model = means(text_to_user=text, image_to_user=image)
    assert verdict(found, list(model)) == said
    nothing = {"queries": 0}
    few = {task: {**block, "by_activity": {"few": {"users": 5}}} for task, block in model.items()}
    (part,) = worth(found, {**dict.fromkeys(("text_to_user", "image_to_text", "image_to_user"), nothing), **few})
    assert "The model is neither ahead nor behind in text to user and image to user" in part.title
    (part,) = worth(found, {**dict.fromkeys(("text_to_user", "image_to_text", "image_to_user"), nothing), **model})
    assert said in part.title and len(part.table.rows) == 2 * len(METHODS) + 1


def test_behind_one_of_the_means_is_behind():
    found, _ = means(text_to_user=[-3, -1])
    found["model_less"] = {
        **found["model_less"], "encoder_mean_centred": {"text_to_user": {"value": 2, "interval_95": [1, 3]}}
    }  # fmt: skip
    assert verdict(found, ["text_to_user"]) == "The model is behind in text to user"


def test_letters_have_a_say_in_the_tasks_that_they_answer():
    found, model = means(text_to_user=[-3, -1], image_to_user=[-2, -1])
    letters = {"text_to_user": {"value": 2, "interval_95": [1, 3]}}
    found["letters_mean"] = {"text_to_user": found["encoder_mean"]["text_to_user"]}
    found["model_less"] = {**found["model_less"], "letters_mean": letters}
    assert verdict(found, list(model)) == "The model is ahead in image to user; behind in text to user"
    model["image_to_text"] = {"queries": 0}
    (part,) = worth(found, model)
    rows = {row[0]: row[1:] for row in part.table.rows}
    assert rows["Mean of letters"] == ["8 (7 to 9)", "–"]
    assert rows["Difference: this model − mean of letters"] == ["2 (1 to 3)", "–"]
    del found["encoder_mean_letters"], found["model_less"]["encoder_mean_letters"]
    (part,) = worth(found, model)
    assert part.table.strong == [4] and part.table.rows[4][0] == "This model"


def test_without_vectors_it_is_said():
    nothing = {"queries": 0}
    model = dict.fromkeys(("text_to_user", "image_to_text", "image_to_user"), nothing)
    (part,) = worth({"encoder_mean": {}}, model)
    assert isinstance(part, Note)
