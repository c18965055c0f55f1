"""Panels of collages, the finer detail of flat pictures, and pictures too small to tell a detail."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from pipeline.copies.aligned import judge
from pipeline.copies.detail import DETAIL, FINE, PACKED, differ, kept, unpacked
from pipeline.copies.look import look_of
from pipeline.copies.panel import _largest, panel
from pipeline.tables.images import COPY, DERIVED


def scene(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(width * height // 600):
        x, y = random.integers(0, (width, height)).tolist()
        pen.ellipse((x, y, x + 30, y + 20), fill=tuple(random.integers(0, 256, 3).tolist()))
    return image.filter(ImageFilter.GaussianBlur(1.5))


def flat(seed: int, width: int, height: int) -> Image.Image:
    """A drawing of a few shapes on white."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for _ in range(16):
        at, colour = random.integers(0, (width, height)), tuple(random.integers(0, 256, 3).tolist())
        pen.polygon([tuple((at + random.integers(-50, 51, 2)).tolist()) for _ in range(4)], fill=colour)
    return image


def test_drawings_of_few_points_are_found_in_collages() -> None:
    found = []
    for seed in range(8):
        source, others = flat(10 + seed, 480, 320), [flat(place + seed, 400, 400) for place in (50, 90, 130)]
        whole = Image.new("RGB", (480, 480), "white")
        for place, image in enumerate([others[0], source, *others[1:]]):
            whole.paste(ImageOps.fit(image, (240, 240)), (place % 2 * 240, place // 2 * 240))
        collage = look_of(whole)
        verdict = judge(collage, look_of(source))
        found.append(verdict is not None and verdict.kind == DERIVED)
        assert judge(collage, look_of(flat(200 + seed, 480, 320))) is None
    assert sum(found) >= 5  # 2, where all that lies on each other had to be alike


def test_a_panel_is_a_rectangle_around_which_nothing_is_alike() -> None:
    drawn = np.ones((80, 96), bool)
    alike = np.zeros_like(drawn)
    alike[8:72, 8:56] = True
    assert panel(alike, drawn, drawn, drawn) == 64 * 48
    assert panel(np.zeros_like(drawn), drawn, drawn, drawn) == 0
    around = alike | (np.random.default_rng(0).random(drawn.shape) < 0.5)  # two of one series
    assert panel(around, drawn, drawn, drawn) == 0
    frame = drawn.copy()
    frame[12:68, 12:84] = False  # what a frame holds differs
    assert panel(frame, drawn, drawn, drawn) == 0


def test_the_largest_sum_is_that_of_all_rectangles() -> None:
    random = np.random.default_rng(1)
    for _ in range(30):
        scores = random.normal(-0.2, 1, random.integers(1, 7, 2))
        rows, columns = _largest(scores)
        height, width = scores.shape
        sums = [
            scores[top:bottom, left:right].sum()
            for top in range(height)
            for bottom in range(top + 1, height + 1)
            for left in range(width)
            for right in range(left, width + 1)
        ]
        assert scores[rows, columns].sum() == pytest.approx(max(sums))


def chart(number: str) -> Image.Image:
    """A flat drawing with a number whose digits are 8 pixels high where its longer side is 256."""
    image = Image.new("RGB", (512, 340), "white")
    pen = ImageDraw.Draw(image)
    for place, height in enumerate((120, 200, 90, 250)):
        pen.rectangle((60 + 110 * place, 320 - height, 130 + 110 * place, 320), fill=(60, 120, 200))
    pen.rectangle((2, 2, 509, 337), outline="black", width=3)
    pen.text((70, 40), number, "black", ImageFont.load_default(22))
    return image


def test_small_digits_of_flat_drawings_are_told_and_those_of_photographs_not() -> None:
    def kind(one: Image.Image, other: Image.Image) -> str | None:
        verdict = judge(look_of(one), look_of(other))
        return verdict and verdict.kind

    assert kind(chart("5.3"), chart("5.3").point(lambda value: value * 4 // 5)) == COPY
    assert kind(chart("5.3"), chart("5.2")) == DERIVED
    assert max(unpacked(kept(chart("5.3"))).shape) == FINE
    busy = scene(4, 512, 340)
    assert max(unpacked(kept(busy)).shape) == DETAIL and len(kept(busy)) <= PACKED
    assert unpacked(kept(chart("1").resize((120, 80)))).shape == (80, 120)


def rating(halves: int) -> Image.Image:
    """Stars in a strip of 84 by 15 pixels, as openclipart has them."""
    image = Image.new("RGB", (840, 150), "white")
    pen = ImageDraw.Draw(image)
    for star in range(-(-halves // 2)):
        angles = np.pi * np.arange(10) / 5 - np.pi / 2
        points = [
            (75 + 160 * star + r * np.cos(a), 75 + r * np.sin(a)) for a, r in zip(angles, [70, 30] * 5, strict=True)
        ]
        pen.polygon(points, fill=(255, 240, 40))
    if halves % 2:
        pen.rectangle((75 + 160 * (halves // 2), 0, 840, 150), fill="white")
    return image.resize((84, 15), Image.Resampling.BICUBIC)


def test_where_too_little_lies_on_each_other_to_tell_a_detail_that_is_said() -> None:
    small = np.full((12, 20), 200, np.uint8)
    assert differ(small, small, np.eye(3), untold=True) and not differ(small, small, np.eye(3))
    for one, other in ((4, 5), (6, 7), (7, 9)):
        verdict = judge(look_of(rating(one)), look_of(rating(other)))
        assert verdict is None or verdict.kind == DERIVED
        same = judge(look_of(rating(one)), look_of(rating(one)))
        assert same is not None and same.kind == COPY
