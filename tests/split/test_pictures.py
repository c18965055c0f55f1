"""The audit's proposals by corners, and its look at two pictures."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageOps

from pipeline.running.checkpoints import keep_in
from pipeline.split import corner_votes, sketches
from pipeline.split.audit import with_pairs
from pipeline.split.corner_votes import MOST, voted
from pipeline.split.exact_search import Found
from pipeline.split.pictures import _moves, _rectangle, confirm, same
from pipeline.split.sketches import Sketches, sketch
from pipeline.tables.corpus import IMAGES
from tests.made.pictures import encoded


def scene(seed, width=480, height=360):
    """Polygons and blots, as different as their seeds."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(60, 200, (6, 8, 3), np.uint8)).resize((width, height), Image.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        at, colour = random.integers(0, (width, height)), tuple(random.integers(0, 256, 3).tolist())
        pen.polygon([tuple((at + random.integers(-45, 46, 2)).tolist()) for _ in range(4)], fill=colour)
    return image


def seen(image):
    return sketch(encoded(image))


def collage(*images):
    whole = Image.new("RGB", (600, 400), "white")
    for place, image in enumerate(images):
        whole.paste(ImageOps.fit(image, (300, 400)), (300 * place, 0))
    return whole


def captioned(image):
    whole = ImageOps.expand(image, (0, 90, 0, 0), "white")
    ImageDraw.Draw(whole).text((10, 10), "nobody told me", "black", font_size=60)
    return whole


def screenshot(image):
    screen = Image.new("RGB", (360, 640), (21, 32, 43))
    screen.paste(image.resize((330, 248)), (15, 136))
    return screen


def with_a_small_one_in_it(image, small):
    whole = image.copy()
    whole.paste(small.resize((180, 135)), (150, 110))
    return whole


def panel_among_plain_ones(image):
    whole = Image.new("RGB", (600, 600), "white")
    pen = ImageDraw.Draw(whole)
    for left, top, colour in ((0, 0, "tan"), (0, 300, "plum"), (300, 300, "khaki")):
        pen.rectangle((left, top, left + 299, top + 299), colour, "black")
        pen.ellipse((left + 90, top + 110, left + 210, top + 230), "white", "black", 4)
    whole.paste(ImageOps.fit(image, (300, 300)), (300, 0))
    return whole


ONE, OTHER = scene(1), scene(2)
WAYS = {
    "as it is": ONE,
    "half the size": ONE.resize((240, 180)),
    "mirrored": ImageOps.mirror(ONE),
    "cut": ONE.crop((40, 30, 400, 320)),
    "captioned": captioned(ONE),
    "collage": collage(OTHER, ONE),
    "mirrored in a collage": collage(ImageOps.mirror(ONE), OTHER),
    "screenshot": screenshot(ONE),
    "with another in it": with_a_small_one_in_it(ONE, OTHER),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_shows_a_large_part_of_a_picture_is_the_same(way):
    held_out = seen(WAYS[way])
    assert same(held_out, seen(ONE))
    assert not same(held_out, seen(scene(3)))


def test_plain_panels_around_one_are_like_nothing():
    wide = scene(6, 720, 360)  # of which a panel shows the middle
    assert same(seen(panel_among_plain_ones(wide)), seen(wide))


def test_two_of_one_series_are_not_the_same():
    frame = scene(4)

    def sign(seed):  # two thirds are the series' own, around what differs
        image = frame.copy()
        image.paste(scene(seed, 280, 200), (100, 80))
        return seen(image)

    assert not same(sign(5), sign(6))
    assert same(sign(5), sign(5))


def test_what_is_darkened_has_corners_beside_the_letters_on_it():
    said = ONE.point(lambda value: value * 2 // 5)
    pen = ImageDraw.Draw(said)
    for line in range(3):
        pen.text((20, 40 + 80 * line), "nobody told me that day", "white", font_size=30)
    (move, here, _), *_ = _moves(seen(said), seen(ONE), 0)
    np.testing.assert_allclose(move, np.eye(3), atol=1)
    assert len(here) >= 40


def test_what_is_turned_is_another_sign():
    assert not same(seen(ONE.rotate(90, expand=True)), seen(ONE))
    assert same(seen(ONE.rotate(4)), seen(ONE))


def test_the_rectangle_of_the_largest_sum():
    random = np.random.default_rng(0)
    for _ in range(50):
        scores = random.normal(-0.3, 1, random.integers(1, 7, 2))
        rows, columns = _rectangle(scores)
        height, width = scores.shape
        sums = [
            scores[a:b, c:d].sum()
            for a in range(height)
            for b in range(a + 1, height + 1)
            for c in range(width)
            for d in range(c, width + 1)
        ]
        assert scores[rows, columns].sum() == pytest.approx(max(sums))


def table(path, images):
    ids = [f"i{row:03}" for row in range(len(images))]
    side = np.array([0 if image is None else 1 for image in images], np.int32)
    files = [b"" if image is None else encoded(image) for image in images]
    IMAGES.write(
        pa.table({"image_id": ids, "bytes": pa.array(files, pa.binary()), "width": side, "height": side}), path
    )


def test_corners_propose_the_sources_of_a_collage_and_of_what_is_mirrored(tmp_path, monkeypatch):
    monkeypatch.setattr(sketches, "PIECE", 4)
    monkeypatch.setattr(corner_votes, "STRETCH", 3)
    sources = [scene(seed) for seed in range(10, 20)]
    images = [collage(sources[7], OTHER), None, *sources, ImageOps.mirror(sources[3])]
    table(tmp_path / "images", images)
    held_out = np.isin(np.arange(len(images)), (0, 12))
    of = Sketches.of(tmp_path / "images", held_out, tmp_path / "sketches")
    asking, asked = np.flatnonzero(held_out), np.flatnonzero(~held_out)
    query, target, _ = voted(of, asking, asked, 7)
    pairs = set(zip(asking[query].tolist(), asked[target].tolist(), strict=True))
    assert {(0, 2 + 7), (12, 2 + 3)} <= pairs and len(pairs) <= 2 * MOST
    one, other = (np.array(column) for column in zip(*sorted(pairs), strict=True))
    alike = confirm(of, one, other)
    assert set(zip(one[alike].tolist(), other[alike].tolist(), strict=True)) == {(0, 9), (12, 5)}
    assert confirm(of, np.array([0]), np.array([1])).all()  # without pixels the cosine has decided

    # A rerun takes what stands.
    again = voted(of, asking, asked, 7, keep_in(tmp_path))
    monkeypatch.setattr(corner_votes, "_tally", None)
    monkeypatch.setattr(sketches, "sketch", None)
    kept = voted(Sketches.of(tmp_path / "images", held_out, tmp_path / "sketches"), asking, asked, 7, keep_in(tmp_path))
    for first, second, third in zip((query, target), again, kept, strict=False):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, third)


def test_of_many_that_are_voted_for_the_most_are_looked_at_and_the_rest_counted(tmp_path):
    table(tmp_path / "images", [ONE] * (MOST + 3) + [None] * 2)
    held_out = np.arange(MOST + 5) == 0
    of = Sketches.of(tmp_path / "images", held_out, tmp_path / "sketches")
    query, target, beyond = voted(of, np.array([0]), np.arange(1, MOST + 5), 7)
    assert query.tolist() == [0] * MOST and target.tolist() == list(range(MOST)) and beyond == 2
    nothing = voted(of, np.array([MOST + 3]), np.array([1]), 7)
    assert not len(nothing[0]) and nothing[2] == 0


def test_pairs_of_two_proposals_are_looked_at_once_and_told_apart():
    none, nothing = np.zeros(3, np.int64), np.zeros(3)
    found = Found(np.array([0, 2]), np.array([4, 1]), np.array([0.9, 0.8]), none, none - 1, nothing)
    both, alone = with_pairs(found, np.array([0, 2, 1]), np.array([3, 1, 0]), np.array([0.1, 0.7, 0.2]))
    pairs = list(zip(both.query.tolist(), both.target.tolist(), both.similarity.tolist(), alone.tolist(), strict=True))
    assert pairs == [(0, 3, 0.1, True), (0, 4, 0.9, False), (1, 0, 0.2, True), (2, 1, 0.8, False)]
