"""A block of the synthetic corpus's posts, by column, and how ranks and rows are drawn."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Block:
    """The posts first … first + n - 1, by column. `*_source` (n,) is the row in the block that is copied, -1: none."""

    first: int
    user: np.ndarray
    topic: np.ndarray
    colour: np.ndarray
    shown_topic: np.ndarray
    shown_colour: np.ndarray
    has_text: np.ndarray
    has_image: np.ndarray
    text_source: np.ndarray
    text_change: np.ndarray
    image_source: np.ndarray
    image_change: np.ndarray


def user_ids(users: np.ndarray) -> pa.Array:
    """Users' ids by their numbers."""
    return pc.binary_join_element_wise("u", padded(users, 7), "")


def padded(numbers: np.ndarray, width: int) -> pa.Array:
    """Numbers in so many digits."""
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def zipf(size: int, count: int, chance: np.random.Generator) -> np.ndarray:
    """`count` ranks below `size`, rank r with a probability in proportion to 1 / (r + 2)."""
    return draw(np.cumsum(1 / np.arange(2, size + 2)), count, chance)


def draw(cumulated: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """`count` places, by their cumulated weights."""
    places: np.ndarray = np.searchsorted(cumulated, chance.random(count) * cumulated[-1])
    return places


def draw_rows(cumulated: np.ndarray, row: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """A column for each of `row` (n,), by the cumulated shares of that row."""
    share = chance.random(len(row)) * cumulated[row, -1]
    places: np.ndarray = (cumulated[row] <= share[:, None]).sum(axis=1)
    return places
