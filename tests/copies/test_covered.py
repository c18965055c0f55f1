"""Something over a picture is told from another picture by pixels, and by points that lie everywhere."""

import numpy as np
import pytest

from pipeline.copies.covered import CELL, covered

HEIGHT, WIDTH = 84, 112
EVERYWHERE = np.stack(np.meshgrid(np.arange(3, WIDTH, 7), np.arange(3, HEIGHT, 7)), axis=-1).reshape(-1, 2)


def asked(one: np.ndarray, other: np.ndarray, marks: np.ndarray = EVERYWHERE, alike: float = 0.6) -> bool:
    """By pictures of which a share is said to lie alike, in rows; the points are taken to lie all over them."""
    every = np.ones((HEIGHT, WIDTH), bool)
    like = (np.arange(HEIGHT) * alike % 1 < alike)[:, None] & every
    like[tuple(marks.T[::-1])] = True
    return covered(*(pixels.astype(np.float32) for pixels in (one, other)), like, every, every, marks, every)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).normal(120, 40, (HEIGHT, WIDTH))


@pytest.mark.parametrize(("rows", "told"), [(0, True), (24, True), (42, False), (84, False)])
def test_as_much_may_lie_over_a_picture_as_leaves_two_thirds(picture, rows, told) -> None:
    over = 0.5 * picture + 10
    over[:rows] = np.random.default_rng(2).normal(240, 30, (rows, WIDTH))
    assert asked(picture, over) == asked(over, picture) == told


def test_points_have_to_lie_everywhere_and_surroundings_to_agree_in_half(picture) -> None:
    rim = EVERYWHERE[(EVERYWHERE < CELL).any(axis=1) | (EVERYWHERE >= (WIDTH - CELL, HEIGHT - CELL)).any(axis=1)]
    assert asked(picture, picture)
    assert not asked(picture, picture, marks=rim)
    assert not asked(picture, picture, alike=0.2)


def test_one_grey_says_nothing_of_a_picture(picture) -> None:
    grey = np.full_like(picture, 128)
    assert not asked(grey, picture)
    assert not asked(picture, grey)
