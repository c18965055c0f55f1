"""What the page is made of: numbers, clipped texts, charts, colours."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.report import copies, corpus, people, results
from pipeline.report.cards import clip
from pipeline.report.charts import Axis, Dot, Line, Rule, dots, lines
from pipeline.report.page import Card, Note, Pairs, Section, render
from pipeline.report.wording import cosine, count, listing, number, percent, reasons
from pipeline.tables.evaluation import CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS
from pipeline.tables.images import IMAGE_GROUPS


def test_marks_stand_where_their_values_lie():
    chart = str(dots([Dot("a", 10, 1, 100, "10", True)], Axis("x", 1, 100, log=True), "t", [Rule(100, "end")]))
    (dot,) = re.findall(r'<circle class="dot main" cx="([\d.]+)"', chart)
    (low, high) = re.search(r'class="interval main" d="M([\d.]+) \d+H([\d.]+)"', chart).groups()
    assert float(dot) == pytest.approx((float(low) + float(high)) / 2)  # 10 is halfway from 1 to 100 on a log scale
    assert float(low) < float(dot) < float(high)
    (rule,) = re.findall(r'class="rule" d="M([\d.]+)', chart)
    assert rule == high
    line = str(lines([Line("l", [0, 5, 10], [0, 1, 0.5], "one", 1)], Axis("x", 0, 10), Axis("y", 0, 1), "t"))
    points = np.array(
        re.search(r'class="line one" d="M([^"]+)"', line).group(1).replace("L", " ").split(), float
    ).reshape(-1, 2)
    assert points[1] == pytest.approx(
        [(points[0, 0] + points[2, 0]) / 2, points[0, 1] - 2 * (points[0, 1] - points[2, 1])], abs=0.2
    )


def test_the_name_of_a_rule_stands_where_there_is_room():
    rules = [Rule(value, f"at {value}") for value in (0, 5, 10)]
    chart = str(dots([Dot("a", 1, 1, 1, "1")], Axis("x", 0, 10), "t", rules))
    assert re.findall(r'text-anchor="(\w+)">at', chart) == ["start", "middle", "end"]


def test_ticks_are_round_and_within_the_axis():
    assert Axis("", 0, 0.37).marks() == [0, 0.1, 0.2, 0.3]
    assert Axis("", 1, 91, log=True).marks() == [1, 2, 5, 10, 20, 50]
    assert Axis("", 1, 39808, log=True).marks() == [1, 10, 100, 1000, 10000]
    assert Axis("", 3, 3).at(3) == 0.5


def test_numbers_bear_the_digits_they_are_given():
    assert [number(v) for v in (0, 12.345, 1234.5, 0.0001234, -0.5, 10, 100.0)] == [
        "0",
        "12.3",
        "1,230",
        "0.000123",
        "−0.5",
        "10",
        "100",
    ]
    assert [percent(v) for v in (0, 1, 0.1234, 0.0123, 0.9996, 0.00042)] == [
        "0\u00a0%",
        "100\u00a0%",
        "12\u00a0%",
        "1.2\u00a0%",
        "99.9\u00a0%",
        "0.042\u00a0%",
    ]
    assert count(9_450_000.4) == "9,450,000" and listing(["a", "b", "c"]) == "a, b and c"


def test_what_was_left_out_is_told_by_reason_and_cosines_stand_under_one_another():
    assert reasons({"no_text": 3, "other": 0, "has_image": 1234}) == "no text (3), has image (1,234)"
    assert reasons({"other": 0}) == "–" and reasons({}, "none") == "none"
    assert [cosine(value) for value in (0.4, -0.456, 1, -0.001)] == ["0.40", "−0.46", "1.00", "0.00"]


def test_a_text_is_cut_at_a_word_and_loses_what_no_page_may_hold():
    assert clip("one  two\n\tthree\x00\x1f", 40) == "one two three"
    assert clip("alpha beta gamma", 12) == clip("alpha beta, gamma", 12) == "alpha beta …"
    assert len(clip("W" * 10_000)) <= 162 and clip(None) == ""


def test_a_part_can_be_rendered_alone():
    text = render("t & u", "l", [Section("A b", "", [Note("<i>"), Pairs("p", [("c", [Card("x")])])])])
    assert "t &amp; u" in text and "&lt;i&gt;" in text and 'id="a-b"' in text


def test_colours_can_be_read_in_both_modes():
    style = (Path(corpus.__file__).parent / "style.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.S)

    def luminance(code):
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for mode in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", mode))
        ground = luminance(colours["paper"])
        for name, least in (("ink", 12), ("soft", 5.5), ("one", 4.5), ("two", 4.5), ("three", 4.5), ("faint", 3)):
            bright, dim = sorted((luminance(colours[name]), ground), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= least, name


@pytest.mark.parametrize(("best", "rings"), [(0, 0), (2, 1)])
def test_a_start_that_is_kept_is_no_epoch_of_the_curves(best, rings):
    curves = pd.DataFrame({"epoch": [1, 2, 3], "loss_text_user": [3.0, 2.0, 1.0], "val_text_to_user": [0.4, 0.3, 0.35]})
    curves = curves.reindex(columns=["epoch", *(f"loss_{kind}" for kind in results.PAIRS),
                                     *(f"val_{task}" for task in results.TASKS)])  # fmt: skip
    curves["val_cumulative"] = curves["val_text_to_user"]
    said = {"text_to_user": 0.25 if best == 0 else 0.3, "cumulative": 0.25}
    (figure,) = results.training(curves, {"best_epoch": best, "epochs": 3, "validation": said})
    assert list(figure.table.strong) == [best - 1] * rings
    charts = [str(panel.chart) for panel in figure.panels]
    assert sum(chart.count("ring") for chart in charts) == rings
    assert f"Validation, text to user: {number(said['text_to_user'])} at epoch {best}" in charts[1]
    assert ("before the first" in figure.title) == (best == 0)


def test_where_every_cluster_is_of_few_there_is_a_sentence_and_no_empty_table():
    users = CLUSTER_USERS.of([("a", 0, 1.0), ("b", 0, 1.0), ("c", 1, 1.0)])
    found = {"users": 3, "clusters": 2, "smallest": 1, "largest": 2}
    (part,) = people.clusters(found, users, CLUSTER_WORDS.empty(), CLUSTER_IMAGES.empty(), 0, None)
    assert part == Note("3 users in 2 clusters of 1 to 2. None is shown, as each has fewer than 3 users.")


@pytest.mark.parametrize(("images", "common"), [([], 0), ([(0, 1, "i", 0.5)], 90)])
def test_clusters_are_told_of_pictures_and_common_words_where_there_are_some(images, common):
    users = CLUSTER_USERS.of([(name, 0, 1.0) for name in "abc"])
    found = {"users": 3, "clusters": 1, "smallest": 3, "largest": 3}
    shelf = SimpleNamespace(people="hidden", called=lambda name, most: name, image=lambda image: Card(image))
    (part,) = people.clusters(found, users, CLUSTER_WORDS.empty(), CLUSTER_IMAGES.of(images), common, shelf)
    assert part.clusters[0].users == ""
    shelf.people = "shown"
    (part,) = people.clusters(found, users, CLUSTER_WORDS.empty(), CLUSTER_IMAGES.of(images), common, shelf)
    assert part.clusters[0].users == "a, b, c"
    assert ("Pictures" in part.note) == bool(images) and ("most common" in part.note) == bool(common)


def test_of_no_pictures_none_is_told_to_be_no_copy():
    (told,) = copies.copied_images(IMAGE_GROUPS.empty(), [], 0.8, None)
    assert told.text == "The corpus has no pictures."


@pytest.mark.parametrize(("asked", "told"), [((5, 0, 0), "one direction"), ((5, 2, 2), "three directions")])
def test_the_path_tells_of_as_many_directions_as_were_asked(asked, told):
    queries = {task: {"queries": number} for task, number in zip(results.TASKS, asked, strict=True)}
    audit = {"posts": dict.fromkeys(("train", "val", "test"), 1), "queries": {"test": queries}}
    steps = corpus.flow({"rows_out": 1, "users": 1}, {"posts": {"removed_duplicates": 0}}, audit,
                        {"distinct_words": {"kept": 1}}, {"epochs": 1, "best_epoch": 1}, 0, 0)  # fmt: skip
    assert told in str(steps)


@pytest.mark.parametrize(
    ("rejected", "told"),
    [({"a": 7, "b": 4, "c": 3}, "of the others more than for any other reason are left out as “a” (7)"),
     ({"a": 7, "b": 4}, "most of the others are left out as “a” (7)"),
     ({"a": 7}, "; the others are left out as “a” (7)"), ({}, "none is left out")],
)  # fmt: skip
def test_a_reason_is_of_most_that_are_left_out_where_it_is(rejected, told):
    read = {"rows_in": 50 + sum(rejected.values()), "rejected": rejected, "pictures_left_out_of_posts_that_stay": {},
            "posts": {"with_text": 50, "with_image": 0}}  # fmt: skip
    posts = {"in": 50, "removed_duplicates": 0, "without_words_and_image": 0, "assigned": 50, "excluded": {}}
    sides = {"train": 30, "val": 10, "test": 10, "excluded": 0}
    assert told in corpus.funnel(read, {"posts": posts}, {"posts": sides, "excluded": {"by_cut": 0}}).title


def test_the_sides_and_what_is_left_out_are_all_posts_of_the_split():
    side = {"share": 0.5, "expected": 0.5, "standard_deviation": 0.01}
    split = {
        "posts": {"assigned": 100, "excluded": {"cut": 2}},
        "sides": {name: side | {"posts": placed} for name, placed in (("train", 70), ("val", 8), ("test", 20))},
    }
    audit = {"posts": {"train": 66, "val": 7, "test": 20, "excluded": 7}, "excluded": {"by_cut": 2}}
    grid = corpus._sides(split, audit).table
    posts = grid.header.index("Posts")
    assert [row[posts] for row in grid.rows] == ["66", "7", "20", "2", "5"]  # which are 100
    assert [row[posts + 1] for row in grid.rows] == ["70", "8", "20", "", ""]


def test_an_epoch_that_validation_did_not_choose_is_not_called_the_best():
    nothing = [np.nan, np.nan]
    losses = {"loss_text_user": nothing, "loss_image_text": nothing, "loss_image_user": [3.4, 0.2]}
    ranks = {"val_text_to_user": [0.55, 0.54], "val_image_to_text": nothing, "val_image_to_user": nothing}
    curves = pd.DataFrame({"epoch": [1, 2], **losses, **ranks, "val_cumulative": nothing})
    (part,) = results.training(curves, {"best_epoch": 2, "validation": {"text_to_user": 0.54}})
    assert part.title == "Nothing that was trained was validated: the last of 2 epochs is kept"
    assert "Sum" not in part.table.header and "nan" not in str(part.table.rows)
    (part,) = results.training(curves.assign(val_cumulative=[0.55, 0.54]), {"best_epoch": 2, "validation": {}})
    assert part.title == "Validation is best after epoch 2 of 2, the last: more epochs might help"
