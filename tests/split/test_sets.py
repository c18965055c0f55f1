import numpy as np
import pyarrow as pa
import pytest

from pipeline.split.sets import TASKS, queries, texts_of_images_ask

POSTS = pa.table(
    {
        "post_id": ["a", "b", "c", "d", "e", "f"],
        "words": pa.array([["w"], ["w"], [], ["w"], ["w"], ["w"]], pa.list_(pa.string())),
    }
)
PICTURES = np.array([1, 2, 3, 4]), np.array([5, 5, 5, 8])
KNOWN = np.array([True, True, True, True, False, False])


def test_who_asks_by_task_and_who_does_not():
    found = queries(POSTS, PICTURES, KNOWN, image_too=False, max_pairs=10, seed=7)
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
    found = queries(POSTS, PICTURES, KNOWN, image_too=True, max_pairs=10, seed=7)
    assert found.rows["text_to_user"].tolist() == [0, 1, 3]
    assert found.left_out["text_to_user"] == {"author_not_in_train": 2, "has_image": 0}


@pytest.mark.parametrize(
    ("value", "without_image", "asked"),
    [("none", 0, False), ("all", 500, True), ("auto", 99, True), ("auto", 100, False)],
)
def test_which_texts_ask(value, without_image, asked):
    assert texts_of_images_ask(value, without_image) is asked


def test_pairs_are_unique_images_a_fair_draw_and_stable():
    n = 3000
    group = np.arange(n) // 3
    posts = pa.table(
        {"post_id": [f"p{i:05d}" for i in range(n)], "words": pa.array([["w"]] * n, pa.list_(pa.string()))}
    )
    known = np.ones(n, bool)
    every = queries(posts, (np.arange(n), group), known, False, n, 7).rows["image_to_text"]
    assert np.bincount(group[every]).tolist() == [1] * 1000
    assert np.abs(np.bincount(every % 3) - 1000 / 3).max() < 4 * np.sqrt(1000 * 2 / 9)
    some = queries(posts, (np.arange(n), group), known, False, 200, 7)
    assert len(some.rows["image_to_text"]) == 200 and set(some.rows["image_to_text"]) <= set(every)
    assert some.left_out["image_to_text"]["beyond_max_image_text_pairs"] == 800
    # Other posts come and go: those chosen among the rest stay chosen.
    part = np.arange(n) >= 1500
    pictures = np.arange(1500), group[part]
    fewer = queries(posts.filter(pa.array(part)), pictures, known[part], False, n, 7).rows["image_to_text"]
    assert set(fewer + 1500) == {row for row in every if row >= 1500}


def test_an_empty_side_has_no_queries():
    found = queries(POSTS.slice(0, 0), (PICTURES[0][:0], PICTURES[1][:0]), KNOWN[:0], True, 5, 7)
    assert {task: len(found.rows[task]) for task in TASKS} == dict.fromkeys(TASKS, 0)


def test_of_posts_with_several_images_those_ask_that_share_none():
    # a shows 1 and 2, b 2 and 3, c 3, d none: a and c, or b alone, as hashes have it; whoever asks shares no image.
    pictures = np.array([0, 0, 1, 1, 2]), np.array([1, 2, 2, 3, 3])
    posts = POSTS.take(pa.array([0, 1, 3, 4]))
    seen = set()
    for seed in range(20):
        found = queries(posts, pictures, np.ones(4, bool), True, 10, seed)
        asked = tuple(found.rows["image_to_text"].tolist())
        seen.add(asked)
        assert found.left_out["image_to_text"]["copy_of_an_image_that_asks"] == 3 - len(asked)
        assert found.rows["image_to_user"].tolist() == [0, 1, 2]
    assert seen == {(0, 2), (1,)}
