"""A picture is looked at in parts, too: its halves, its largest block; a part binds what it shows whole, not what it
shares.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageOps

from pipeline.copies.aligned import judge
from pipeline.copies.look import look_of
from pipeline.copies.looks import Looks
from pipeline.copies.parts import block_of, parts_of
from pipeline.copies.planted import KINDS
from pipeline.copies.votes import voted_pairs
from pipeline.running.checkpoints import made
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import DERIVED
from tests.copies.test_letters import png, smooth

GROUNDS = (255, 230, 190), (190, 230, 255), (210, 255, 200), (240, 190, 240)


def figure(seed: int, size: tuple[int, int] = (400, 400), shapes: int = 6) -> Image.Image:
    """A drawing of so many shapes on a pale ground, and a disc before them in the middle of the picture."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, GROUNDS[seed % 4])
    pen = ImageDraw.Draw(image)
    for shape in range(shapes):
        x, y = (size * random.uniform(0.2, 0.5, 2)).tolist()
        wide, tall = (size * random.uniform(0.15, 0.3, 2)).tolist()
        draw = (pen.rectangle, pen.ellipse)[shape % 2]
        draw((x, y, x + wide, y + tall), tuple(random.integers(0, 200, 3).tolist()), "black", 3)
    x, y = size[0] // 2, size[1] // 2
    pen.ellipse((x - 30, y - 30, x + 30, y + 30), tuple(random.integers(0, 200, 3).tolist()))
    return image


def collage(pictures: list[Image.Image], gap: int = 0) -> Image.Image:
    """Two pictures side by side or four in a square, of 240 pixels each, with white between them and around."""
    side = 240 + gap
    whole = Image.new("RGB", (2 * side + gap, len(pictures) // 2 * side + gap), "white")
    for place, picture in enumerate(pictures):
        whole.paste(ImageOps.fit(picture, (240, 240)), (gap + place % 2 * side, gap + place // 2 * side))
    return whole


def flag(emblem: int) -> Image.Image:
    """A flag with the same canton as every other one, and an emblem."""
    whole = Image.new("RGB", (480, 240), (0, 0, 110))
    whole.paste(CANTON, (0, 0))
    whole.paste(figure(emblem, (240, 240), 30), (240, 0))
    return whole


CANTON = figure(1, (240, 120))


@pytest.mark.parametrize("gap", [0, 12])
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("drawn", [figure, smooth])
def test_a_collage_is_cut_between_its_panels(drawn, count: int, gap: int) -> None:
    for seed in range(0, 16, 4):
        whole = collage([drawn(seed + place) for place in range(count)], gap)
        parts = parts_of(np.asarray(whole))
        assert len(parts) == count
        assert {part.shape[:2] for part in parts} == {(whole.height // (count // 2), whole.width // 2)}


def test_what_is_one_picture_is_not_cut() -> None:
    mesh = np.full((240, 240, 3), 255, np.uint8)
    mesh[::6] = mesh[:, ::6] = 0
    logo = Image.new("RGB", (300, 200), "white")
    pen = ImageDraw.Draw(logo)
    pen.ellipse((120, 20, 180, 80), "green")
    pen.text((20, 110), "a name", "black", font_size=60)
    seen = [*map(figure, range(12)), *map(smooth, range(12)), Image.new("RGB", (300, 300), "white"), logo]
    assert [len(parts_of(pixels)) for pixels in (mesh, *map(np.asarray, seen))] == [0] * 27
    assert parts_of(np.asarray(collage([figure(1), figure(2)]).resize((60, 30)))) == []  # too small


def test_a_drawing_is_found_in_a_collage_by_its_part() -> None:
    alone = [look_of(figure(seed)) for seed in range(12)]
    wholes = [look_of(collage([figure(seed + place) for place in range(4)])) for seed in range(0, 12, 4)]
    found = [judge(one, wholes[row // 4]) for row, one in enumerate(alone)]
    assert all(verdict and verdict.kind == DERIVED for verdict in found)
    apart = [(one, whole) for row, one in enumerate(alone) for at, whole in enumerate(wholes) if row // 4 != at]
    assert not any(judge(*pair) for pair in apart)


def test_a_flat_drawing_is_found_in_a_screenshot_of_a_post_by_its_block() -> None:
    random = np.random.default_rng(3)
    drawings = [figure(seed, shapes=1) for seed in range(8)]
    posts = [KINDS["screenshot"](drawing, random, []) for drawing in drawings]
    assert [[block.shape for block in block_of(np.asarray(post))] for post in posts] == [[(330, 330, 3)]] * 8
    looks, seen = [look_of(drawing) for drawing in drawings], [look_of(post) for post in posts]
    alone = [judge(one, replace(other, further=())) for one, other in zip(looks, seen, strict=True)]
    assert alone == [None] * 8  # too few points agree there
    bound = np.array([[judge(one, other) is not None for other in seen] for one in looks])
    assert bound.diagonal().sum() >= 6
    assert not bound[~np.eye(8, dtype=bool)].any()


def test_pictures_that_share_a_quarter_are_not_bound_by_it() -> None:
    one, other = look_of(flag(2)), look_of(flag(4))
    assert one.further and other.further
    assert judge(one, other) is None
    assert judge(one, look_of(CANTON)) is not None  # which is all of the canton


def test_parts_vote_and_are_kept_on_disk(tmp_path: Path) -> None:
    pictures = [*map(figure, range(12)), collage([figure(seed) for seed in range(4)])]
    columns = {"image_id": [f"{row:02}" for row in range(13)], "bytes": [png(picture) for picture in pictures],
               "width": [400] * 13, "height": [400] * 13}  # fmt: skip
    IMAGES.write(pa.table(columns), tmp_path / "images")
    looks = Looks.of(tmp_path / "images", tmp_path / "looks")
    assert looks.owners().tolist() == [*range(13), 12, 12, 12, 12]
    whole = looks.look(12)
    assert whole and [part.part for part in whole.further] == [True] * 4
    left, right, _ = voted_pairs(looks, 6, 7, made)
    assert {(row, 12) for row in range(4)} <= set(zip(left.tolist(), right.tolist(), strict=True))
    assert [verdict is not None for verdict in looks.judge(np.arange(5), np.full(5, 12))] == [True] * 4 + [False]
    alone = looks.taken(np.array([2, 12]), tmp_path / "some.looks")
    assert alone.owners().tolist() == [0, 1, 1, 1, 1, 1]
