import numpy as np
import pyarrow as pa
import pytest

from pipeline.running.errors import UserError
from pipeline.split.sets import TASKS, Content, check_enough, held_out_queries, queries, texts_of_images_ask
from pipeline.split.sides import TEST, TRAIN, VAL


def content(ids, has_words, group, author=None):
    """Posts with a picture each, of these groups, -1 for none; or with the pictures of a tuple as Content has them."""
    if not isinstance(group, tuple):
        shown = np.flatnonzero(np.asarray(group) >= 0)
        group = shown, np.asarray(group)[shown]
    author = np.zeros(len(ids), int) if author is None else np.asarray(author)
    return Content(pa.chunked_array([pa.array(ids, pa.string())]), np.asarray(has_words), group, author)


POSTS = content(list("abcdef"), [True, True, False, True, True, True], [-1, 5, 5, 5, 8, -1])
KNOWN = np.array([True, True, True, True, False, False])


def test_who_asks_by_task_and_who_does_not():
    found = queries(POSTS, KNOWN, image_too=False, max_pairs=10, seed=7)
    assert found.rows["text_to_user"].tolist() == [0]  # f has no known author; the others show an image
    assert found.rows["image_to_user"].tolist() == [1, 2, 3]
    pair, lone = found.rows["image_to_text"].tolist()  # one of b and d, copies of an image; c has no text
    assert pair in (1, 3) and lone == 4  # an author is not asked for here
    assert found.left_out == {
        "text_to_user": {"author_not_in_train": 1, "has_image": 3},
        "image_to_text": {"copy_of_an_image_that_asks": 1, "beyond_max_image_text_pairs": 0, "no_text": 1},
        "image_to_user": {"author_not_in_train": 1},
    }


def test_texts_of_posts_with_an_image_ask_too_where_told():
    found = queries(POSTS, KNOWN, image_too=True, max_pairs=10, seed=7)
    assert found.rows["text_to_user"].tolist() == [0, 1, 3]
    assert found.left_out["text_to_user"] == {"author_not_in_train": 2, "has_image": 0}


@pytest.mark.parametrize(
    ("value", "without_image", "asked"),
    [("none", 0, False), ("all", 500, True), ("auto", 99, True), ("auto", 100, False)],
)
def test_which_texts_ask(value, without_image, asked):
    assert texts_of_images_ask(value, without_image) is asked


def test_who_has_posts_in_val_and_test_alone_is_nobody_to_be_found():
    posts = content(list("abcdef"), np.ones(6, bool), np.full(6, -1), [0, 0, 0, 1, 1, 2])
    side = np.array([TRAIN, VAL, TEST, VAL, TEST, TEST], object)
    _, asked = held_out_queries(posts, side, "all", 10, True, 7)
    assert (asked[VAL].rows["text_to_user"].tolist(), asked[TEST].rows["text_to_user"].tolist()) == ([1], [2])
    assert asked[TEST].left_out["text_to_user"]["author_not_in_train"] == 2


def test_pairs_are_unique_images_a_fair_draw_and_stable():
    n = 3000
    group = np.arange(n) // 3
    posts = content([f"p{i:05d}" for i in range(n)], np.ones(n, bool), group, group)
    known = np.ones(n, bool)
    every = queries(posts, known, False, n, 7).rows["image_to_text"]
    assert np.bincount(group[every]).tolist() == [1] * 1000
    assert np.abs(np.bincount(every % 3) - 1000 / 3).max() < 4 * np.sqrt(1000 * 2 / 9)
    some = queries(posts, known, False, 200, 7)
    assert len(some.rows["image_to_text"]) == 200 and set(some.rows["image_to_text"]) <= set(every)
    assert some.left_out["image_to_text"]["beyond_max_image_text_pairs"] == 800
    # Other posts come and go: those chosen among the rest stay chosen.
    part = np.arange(n) >= 1500
    fewer = queries(posts.take(np.flatnonzero(part)), known[part], False, n, 7).rows["image_to_text"]
    assert set(fewer + 1500) == {row for row in every if row >= 1500}


def test_an_empty_side_has_no_queries():
    nobody = content([], np.empty(0, bool), np.empty(0, int))
    found = queries(nobody, KNOWN[:0], True, 5, 7)
    assert {task: len(found.rows[task]) for task in TASKS} == dict.fromkeys(TASKS, 0)


def test_of_posts_with_several_images_those_ask_that_share_none():
    # a shows 1 and 2, b 2 and 3, c 3, d none: a and c, or b alone, as hashes have it; whoever asks shares no image.
    pictures = np.array([0, 0, 1, 1, 2]), np.array([1, 2, 2, 3, 3])
    posts = content(list("abcd"), np.ones(4, bool), pictures)
    seen = set()
    for seed in range(20):
        found = queries(posts, np.ones(4, bool), True, 10, seed)
        asked = tuple(found.rows["image_to_text"].tolist())
        seen.add(asked)
        assert found.left_out["image_to_text"]["copy_of_an_image_that_asks"] == 3 - len(asked)
        assert found.rows["image_to_user"].tolist() == [0, 1, 2]
    assert seen == {(0, 2), (1,)}


FRACTIONS = {TEST: 0.2, VAL: 0.05}


def sides(test, val, pictures, allow_few=False):
    """1,000 posts with a text, the first of each side with a picture; `test` and `val` of them held out."""
    side = np.repeat(np.array([TEST, VAL, TRAIN], object), [test, val, 1000 - test - val])
    group = np.full(1000, -1)
    for start in (0, test):
        group[start : start + pictures] = np.arange(start, start + pictures)
    group[side == TRAIN] = -1
    posts = content([f"p{i:04d}" for i in range(1000)], np.ones(1000, bool), group, np.zeros(1000, int))
    return side, *held_out_queries(posts, side, "all", 5000, allow_few, 7)


def test_queries_are_rows_of_the_posts_of_their_side():
    side, image_too, asked = sides(200, 50, 40)
    assert image_too and set(asked) == {VAL, TEST}
    for name, found in asked.items():
        assert all((side[rows] == name).all() for rows in found.rows.values())
    assert [len(asked[TEST].rows[task]) for task in TASKS] == [200, 40, 40]
    assert [len(asked[VAL].rows[task]) for task in TASKS] == [50, 40, 40]


def test_a_task_with_too_few_queries_does_not_choose_the_epoch():
    side, _, asked = sides(200, 50, 29)
    assert [len(asked[VAL].rows[task]) for task in TASKS] == [50, 0, 0]
    assert asked[VAL].left_out["image_to_text"]["too_few_to_choose_by"] == 29
    assert [len(asked[TEST].rows[task]) for task in TASKS] == [200, 29, 29]
    check_enough(asked, side, FRACTIONS, epochs=30)
    assert [len(sides(200, 50, 29, allow_few=True)[2][VAL].rows[task]) for task in TASKS] == [50, 29, 29]


@pytest.mark.parametrize(
    ("test", "val", "epochs", "told"),
    [
        (200, 29, 30, r"validation side holds 29 of 1000 posts .* \(text_to_user 29, .*split.val: 0.06, by proportion"),
        (200, 0, 30, "validation side holds 0 of 1000 posts"),
        (5, 50, 30, r"test side holds 5 of 1000 posts .* 6 of one task .*split.test: 0.25, by proportion"),
        (0, 50, 1, "test side holds 0 of 1000 posts"),
        (200, 30, 30, None),
        (6, 30, 30, None),
        (200, 3, 1, None),  # a single epoch is not chosen
    ],
)
def test_an_evaluation_that_cannot_be_is_an_error(test, val, epochs, told):
    side, _, asked = sides(test, val, 3, allow_few=epochs == 1)
    if told is None:
        check_enough(asked, side, FRACTIONS, epochs)
    else:
        with pytest.raises(UserError, match=told) as error:
            check_enough(asked, side, FRACTIONS, epochs)
        assert "split.allow_empty: true" in str(error.value)


def test_what_left_most_posts_without_a_side_is_told():
    side, _, asked = sides(0, 0, 0)
    gone = {"are near-copies of an earlier text": 1200, "have neither a word nor a picture": 0}
    with pytest.raises(
        UserError, match=r"needed\)\. Of 2200 posts 1200 are near-copies of an earlier text\. What helps"
    ):
        check_enough(asked, side, FRACTIONS, 30, gone)
    with pytest.raises(UserError, match=r"needed\)\. What helps"):
        check_enough(asked, side, FRACTIONS, 30, {"are near-copies of an earlier text": 12})


def test_people_with_a_post_each_are_told_as_why_nobody_asks():
    side, _, asked = sides(3, 50, 0)
    asked[TEST].left_out["text_to_user"]["author_not_in_train"] = 60
    with pytest.raises(UserError, match=r"Most texts .* are of people who have no post in train.* What helps"):
        check_enough(asked, side, FRACTIONS, 30)
    asked[TEST].left_out["text_to_user"]["author_not_in_train"] = 2
    with pytest.raises(UserError, match=r"needed\)\. What helps"):
        check_enough(asked, side, FRACTIONS, 30)
