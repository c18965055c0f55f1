"""Clouds of words, thumbnails, and pictures blurred until they tell nothing but colours."""

import base64
import io
import re

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.report import pictures
from tests.made.pictures import encoded, noise


def test_words_of_a_cloud_do_not_lie_on_one_another():
    words = [
        start + end for start in ("jo", "py", "Ap", "ex", "qu") for end in ("gging", "lon", "ra", "jama", "X", "ty")
    ]
    weights = {word: 40.0 / (i + 4) for i, word in enumerate(words)}
    found = re.findall(r'x="(\S+)" y="(\S+)" font-size="(\d+)"[^>]*>(\w+)<', pictures.cloud(weights))
    assert {word for *_, word in found} == set(words)
    taken = np.zeros((260, 340), bool)
    for x, y, size, word in found:
        drawn = Image.new("L", taken.shape[::-1])
        font = ImageFont.truetype(pictures._FONT, int(size))
        ImageDraw.Draw(drawn).text((float(x), float(y)), word, fill=255, font=font, anchor="ls")
        ink = np.asarray(drawn) > 128
        assert ink.any() and not (ink & taken).any(), word
        taken |= ink


def test_a_cloud_is_the_same_each_time_and_takes_any_word():
    weights = {"rose": 3.0, "<b>": 2.0, "W" * 500: 1.0, "мак": 0.5}
    cloud = pictures.cloud(weights)
    assert cloud == pictures.cloud(weights)
    assert "<b>" not in cloud and "&lt;b&gt;" in cloud and "W" * 25 not in cloud
    assert pictures.cloud({}) == ""


def test_a_thumbnail_is_small():
    uri = pictures.thumbnail(encoded(noise(0, 900, 500)))
    assert uri.startswith("data:image/webp;base64,") and len(uri) < 20_000


def test_a_thumbnail_has_no_white_margins():
    drawn = Image.new("RGB", (300, 200), "white")
    drawn.paste("navy", (40, 90, 90, 140))
    shown = Image.open(io.BytesIO(base64.b64decode(pictures.thumbnail(encoded(drawn)).partition(",")[2])))
    assert shown.size == (50, 50) and np.asarray(shown.convert("L")).max() < 60


def test_a_blurred_picture_keeps_the_colours_of_few_cells_and_nothing_else():
    random = np.random.default_rng(0)
    cells = random.integers(0, 255, (8, 8, 3), np.uint8)
    first, second = (
        Image.fromarray(
            np.clip(np.kron(cells, np.ones((16, 16, 1))) + detail - detail.mean((0, 1)), 0, 255).astype("u1")
        )
        for detail in (np.tile(random.integers(0, 40, (16, 16, 3)), (8, 8, 1)) for _ in range(2))
    )
    told = [np.asarray(pictures.blurred(image)).astype(int) for image in (first, second)]
    assert told[0].shape == (128, 128, 3) and np.abs(told[0] - told[1]).max() <= 6  # what parts the two is gone
    assert np.abs(np.asarray(first).astype(int) - np.asarray(second)).max() > 30
