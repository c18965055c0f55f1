"""Copies and what is derived are told from other pictures of one style; points propose what vectors cannot see."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from pipeline.copies.aligned import judge
from pipeline.copies.detail import DETAIL, PACKED, packed, unpacked
from pipeline.copies.look import Look, look_of
from pipeline.copies.looks import Looks
from pipeline.copies.planted import KINDS, one_colour
from pipeline.copies.points import MIRROR, lie, points_of
from pipeline.copies.votes import voted_pairs
from pipeline.corpus.sources.drawing import CHANGES, Hand, draw
from pipeline.running.checkpoints import made
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import COPY, DERIVED, RELATED
from tests.made.pictures import encoded


def scene(seed: int, side: int = 400) -> Image.Image:
    """A full-bleed picture of random coloured shapes, with edges as soft as a photograph's."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side * 3 // 4), tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(200):
        x, y, w, h = random.integers(0, side, 2).tolist() + random.integers(8, side // 4, 2).tolist()
        pen.ellipse((x, y, x + w, y + h), fill=tuple(random.integers(0, 256, 3).tolist()))
    return image.filter(ImageFilter.GaussianBlur(1.5))


def kind(one: Image.Image, other: Image.Image) -> str | None:
    verdict = judge(look_of(one), look_of(other))
    return verdict and verdict.kind


@pytest.mark.parametrize("name", [name for name in KINDS if name != "recoloured"])  # patches of pure colour lose edges
def test_what_people_do_to_a_picture_is_seen_both_ways(name: str) -> None:
    original, others = scene(1), [scene(seed) for seed in (2, 3, 4)]
    other = KINDS[name](original, np.random.default_rng(5), others)
    found = kind(original, other), kind(other, original)
    assert None not in found
    if name in ("half the size", "JPEG 30", "crop 80 %", "darker", "border", "letterbox"):
        assert found == (COPY, COPY)
    if name in ("crop 60 %", "mirrored", "collage"):
        assert found == (DERIVED, DERIVED)


def announced(number: str, side: int = 480) -> Image.Image:
    """An announcement that says which number is out."""
    image = scene(1, side).point(lambda value: 120 + value // 3)
    pen = ImageDraw.Draw(image)
    pen.text((side // 8, side // 4), f"Release {number}", "black", ImageFont.load_default(side // 12))
    return image


@pytest.mark.parametrize("change", ["half the size", "darker", "border", "letterbox"])
def test_another_number_on_the_same_announcement_is_no_copy_of_it(change: str) -> None:
    def sent_on(image: Image.Image) -> Image.Image:
        return KINDS[change](image, np.random.default_rng(5), [])

    assert kind(announced("5.3"), sent_on(announced("5.3"))) == COPY
    assert kind(announced("5.3"), sent_on(announced("5.4"))) == DERIVED
    assert kind(sent_on(announced("5.3")), announced("5.8")) == DERIVED


def test_a_drawing_in_other_colours_is_no_copy_of_it() -> None:
    def flower(petals: str) -> Image.Image:
        image = Image.new("RGB", (320, 320), "white")
        pen = ImageDraw.Draw(image)
        for x, y in ((20, 20), (150, 20), (20, 150), (150, 150)):
            pen.ellipse((x, y, x + 150, y + 150), petals, "black", 3)
        pen.ellipse((110, 110, 210, 210), "gold", "black", 3)
        return image

    red, brown = flower("#d2691e"), flower("#cd853f")
    assert kind(red, KINDS["half the size"](red, np.random.default_rng(1), [])) == COPY
    assert kind(red, KINDS["darker"](red, np.random.default_rng(1), [])) == COPY
    assert kind(red, brown) == DERIVED and kind(brown, red) == DERIVED


def test_a_detail_fits_whatever_it_shows() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (DETAIL, DETAIL), np.uint8)
    for shown in (noise, np.zeros_like(noise), noise[:2, :2]):
        held = packed(shown)
        assert len(held) <= PACKED and unpacked(held.ljust(PACKED, b"\0")).shape == shown.shape


def test_a_picture_shown_twice_in_one_is_derived() -> None:
    beside = Image.new("RGB", (600, 300), "white")
    for place in (0, 300):
        beside.paste(scene(1, 300), (place, 0))
    assert kind(scene(1, 300), beside) == DERIVED


def test_different_pictures_are_nothing_to_each_other() -> None:
    assert [kind(scene(1), scene(seed)) for seed in range(2, 7)] == [None] * 5


def test_two_collages_that_share_one_picture_are_derived() -> None:
    def beside(one: int, other: int) -> Image.Image:
        whole = Image.new("RGB", (800, 300))
        whole.paste(scene(one), (0, 0))
        whole.paste(scene(other), (400, 0))
        return whole

    assert kind(beside(1, 2), beside(1, 3)) == DERIVED
    assert kind(beside(1, 2), beside(3, 4)) is None


def watermarked(image: Image.Image) -> Image.Image:
    marked = image.copy()
    marked.paste(scene(99).resize((80, 60)), (310, 230))
    return marked


def framed(image: Image.Image) -> Image.Image:
    frame = scene(98, 480)
    frame.paste(image.resize((400, 300)), (40, 30))
    return frame


def in_a_thick_frame(image: Image.Image) -> Image.Image:
    """More than half of what is drawn is the frame, as of a road sign."""
    frame = scene(98, 480)
    frame.paste(image.resize((320, 240)), (80, 60))
    return frame


def shown_by_an_application(image: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (400, 420), "white")
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, 400, 30), (30, 60, 120))
    pen.text((10, 8), "Home   Explore   Notifications   Messages", "white")
    for place in range(6):
        pen.ellipse((20 + 60 * place, 380, 44 + 60 * place, 404), fill=(200, 40 * place, 90))
    screen.paste(image.resize((400, 300)), (0, 50))
    return screen


@pytest.mark.parametrize("around", [watermarked, framed, in_a_thick_frame, shown_by_an_application])
def test_what_stands_around_two_pictures_does_not_bind_them(around) -> None:
    assert kind(around(scene(1)), around(scene(2))) is None
    assert kind(around(scene(1)), scene(1)) is not None


def test_pictures_that_share_about_half_are_related_and_bound_for_the_split_alone(tmp_path: Path) -> None:
    pictures = [encoded(around(scene(seed))) for around in (in_a_thick_frame, framed, watermarked) for seed in (1, 2)]
    sides = np.full(6, 400, np.int32)
    rows = {"image_id": list("abcdef"), "bytes": pictures, "width": sides, "height": sides}
    IMAGES.write(pa.table(rows), tmp_path / "images")
    looks = Looks.of(tmp_path / "images", tmp_path / "looks")
    told = looks.judge(np.array([0, 2, 4]), np.array([1, 3, 5]))
    assert [verdict and verdict.kind for verdict in told] == [RELATED, None, None]
    one, other = looks.look(0), looks.look(1)
    assert one is not None and other is not None and judge(one, other) is None


def with_a_saying(image: Image.Image) -> Image.Image:
    """Darkened, with large letters across the middle."""
    said = image.point(lambda value: value * 7 // 10)
    pen = ImageDraw.Draw(said)
    for line in range(3):
        words = "nobody told me that day"
        pen.text((image.width / 2, 90 + 45 * line), words, "white", ImageFont.load_default(26), "ma")
    return said


def with_stickers(image: Image.Image) -> Image.Image:
    """Five round faces, a fifth of the picture."""
    image = image.copy()
    pen = ImageDraw.Draw(image)
    for x, y in ((80, 70), (190, 130), (310, 90), (120, 220), (290, 230)):
        pen.ellipse((x - 40, y - 40, x + 40, y + 40), "gold", "black", 3)
        pen.arc((x - 20, y - 20, x + 20, y + 20), 20, 160, "black", 4)
    return image


@pytest.mark.parametrize("over", [with_a_saying, with_stickers])
def test_what_lies_over_a_picture_does_not_hide_it(over) -> None:
    pictures = [scene(seed, 800).resize((400, 300)) for seed in range(2, 5)]
    assert [kind(image, over(image)) for image in pictures] == [DERIVED] * 3
    assert [kind(over(image), image) for image in pictures] == [DERIVED] * 3
    assert kind(over(pictures[0]), over(pictures[1])) is None


def rimmed(shape: str) -> Image.Image:
    """A sign whose rim has all points, and most of the pixels that are drawn, but not most of what they lie between."""
    image = scene(98, 800).resize((400, 300))
    pen = ImageDraw.Draw(image)
    pen.rectangle((26, 26, 374, 274), "gold", "black", 4)
    for number in range(6):
        x, y = 51 + number % 3 * 99, 51 + number // 3 * 99
        getattr(pen, shape)((x, y, x + 75, y + 75 if shape == "ellipse" else y + 45), outline="black", width=6)
    return image


def test_two_signs_of_one_rim_are_nothing_to_each_other() -> None:
    assert kind(rimmed("ellipse"), rimmed("rectangle")) is None


def test_a_mirrored_picture_has_the_same_points_in_another_order() -> None:
    one, other = points_of(scene(1)), points_of(ImageOps.mirror(scene(1)))
    found, unturned = lie(one.mirrored, other), lie(one, other)
    assert found is not None and found.points > 0.5 * len(one.place)
    assert unturned is None or unturned.points < 10
    assert np.allclose(found.move, [[1, 0, 0], [0, 1, 0]], atol=0.02)
    assert (MIRROR[MIRROR] == np.arange(128)).all()


def sign(symbol: str) -> Image.Image:
    """A warning triangle with a symbol: one style, different drawings."""
    image = Image.new("RGB", (200, 200), "white")
    pen = ImageDraw.Draw(image)
    pen.polygon([(100, 20), (185, 170), (15, 170)], outline="red", width=14)
    if symbol == "dot":
        pen.ellipse((85, 110, 115, 140), fill="black")
    elif symbol == "bar":
        pen.rectangle((95, 75, 105, 150), fill="black")
    return image


def test_different_drawings_of_one_style_are_no_copies() -> None:
    assert kind(sign("dot"), sign("bar")) != COPY and kind(sign("dot"), sign("none")) != COPY
    for size in ((100, 100), (333, 333), (120, 120)):
        assert kind(sign("dot"), sign("dot").resize(size)) == COPY  # flat, of few points


def arrow() -> Image.Image:
    """A bent arrow on a large page: few points, and another arrow when it is upside down."""
    image = Image.new("RGB", (300, 300), "white")
    turns = [(60, 60), (60, 240), (240, 240), (240, 120), (270, 120), (220, 50), (170, 120), (200, 120), (200, 200)]
    ImageDraw.Draw(image).line([*turns, (100, 200), (100, 60), (60, 60)], fill="red", width=8)
    return image


def bulb() -> Image.Image:
    image = Image.new("RGB", (300, 400), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((90, 60, 210, 190), fill=(250, 220, 60), outline="black", width=5)
    pen.rectangle((125, 185, 175, 260), fill=(120, 120, 130), outline="black", width=4)
    pen.line([(110, 120), (150, 160), (190, 120)], fill=(200, 80, 20), width=6)
    return image


def test_flat_drawings_of_few_points_are_found_where_they_are_shown_and_not_upside_down() -> None:
    for one, other in ((arrow(), bulb()), (bulb(), arrow())):
        for name in ("screenshot", "caption", "crop 60 %"):
            shown = KINDS[name](one, np.random.default_rng(5), [])
            assert kind(shown, one) is not None and kind(shown, other) is None
        assert kind(one.rotate(180), one) != COPY and kind(one.rotate(20, fillcolor="white"), one) is None


def test_a_picture_that_shows_nothing_is_not_copied() -> None:
    assert one_colour(Image.new("RGB", (40, 30), "white")) and not one_colour(arrow())


def test_pictures_of_one_colour_are_like_none() -> None:
    white = Image.new("RGB", (50, 50), "white")
    assert kind(white, white) is None and kind(white, scene(1)) is None


@pytest.mark.parametrize("topic", range(12))
def test_drawn_pictures_survive_jpeg_and_differ_from_others_of_their_topic(topic: int) -> None:
    one, other = (draw(topic, 4, np.random.default_rng(seed)) for seed in (topic, topic + 100))
    assert kind(one, KINDS["JPEG 30"](one, np.random.default_rng(0), [])) is not None
    assert kind(one, other) is None


@cache
def drawn_by_hand(seed: int) -> tuple[Image.Image, Look]:
    one = draw(seed % 12, seed % 8, np.random.default_rng(seed), Hand.of(np.random.default_rng([1, seed])))
    return one, look_of(one)


@pytest.mark.parametrize(("change", "least"), [("caption", 20), ("crop", 20), ("resize", 22), ("jpeg", 20)])
def test_pictures_in_many_hands_survive_what_people_do_to_them(change: str, least: int) -> None:
    found = 0
    for seed in range(24):
        one, look = drawn_by_hand(seed)
        other = CHANGES[change](one, np.random.default_rng([2, seed]))
        found += judge(look, look_of(other)) is not None
    assert found >= least


def test_an_engine_changes_neither_what_is_kept_nor_what_is_judged(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.copies.looks.PAIRS", 3)
    pictures = [encoded(scene(seed, 160)) for seed in range(5)] * 2
    sides = {"width": np.full(10, 160, np.int32), "height": np.full(10, 120, np.int32)}
    rows = {"image_id": [f"{row:02}" for row in range(10)], "bytes": pictures}
    IMAGES.write(pa.table(rows | sides), tmp_path / "images")
    left, right = np.triu_indices(10, 1)
    told = {}
    for engine in ("serial", "joblib"):
        monkeypatch.setenv("ENGINE", engine)
        looks = Looks.of(tmp_path / "images", tmp_path / engine)
        kept = [path.read_bytes() for path in sorted((tmp_path / engine).glob("*.looks"))]
        told[engine] = kept, looks.judge(left, right)
    assert told["serial"] == told["joblib"]
    copies = [(i, j) for i, j, verdict in zip(left.tolist(), right.tolist(), told["serial"][1], strict=True) if verdict]
    assert copies == [(row, row + 5) for row in range(5)]


def test_pieces_are_of_one_shard_and_rows_are_found_across_them(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.copies.looks.PIECE", 4)
    monkeypatch.setenv("ENGINE", "serial")  # in another process PIECE is what it was
    pictures = [encoded(scene(seed, 120)) for seed in range(11)]
    sides = {"width": np.full(11, 120, np.int32), "height": np.full(11, 90, np.int32)}
    rows = {"image_id": [f"{row:02}" for row in range(11)], "bytes": pictures}
    replace(IMAGES, shard_rows=6).write(pa.table(rows | sides), tmp_path / "images")
    looks = Looks.of(tmp_path / "images", tmp_path / "looks")
    assert len(looks) == 11 and len(list((tmp_path / "looks").glob("*.looks"))) == 4  # 4 + 2, 4 + 1
    for row in (0, 3, 4, 5, 6, 9, 10):
        seen = looks.look(row)
        assert seen is not None and (seen.content == look_of(scene(row, 120)).content).all()
    every = np.concatenate([of for of, _ in looks.numbers(5)])
    assert every.tolist() == np.repeat(np.arange(len(looks.owners())), 5).tolist()


def test_looks_on_disk_are_those_of_the_pictures_and_points_vote_for_what_shares_them(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    originals = [scene(seed) for seed in range(10, 22)]
    copies = [KINDS[name](originals[row], random, originals[5:8]) for row, name in enumerate(("collage", "mirrored"))]
    pictures = [*map(encoded, [*originals, *copies]), b"\0\0"]
    sides = np.array([400] * 14 + [0], np.int32)
    rows = {"image_id": [f"{row:02}" for row in range(15)], "bytes": pictures, "width": sides, "height": sides}
    IMAGES.write(pa.table(rows), tmp_path / "images")
    looks = Looks.of(tmp_path / "images", tmp_path / "looks")
    assert len(looks) == 15 and looks.look(14) is None
    seen, expected = looks.look(13), look_of(copies[1])
    assert seen is not None and (seen.content == expected.content).all()
    np.testing.assert_array_equal(seen.points.numbers, expected.points.numbers)
    again = Looks.of(tmp_path / "images", tmp_path / "looks")  # from disk
    assert (again.look(0).points.place == looks.look(0).points.place).all()
    assert again.look(0).packed.startswith(look_of(originals[0]).packed)
    some = looks.taken(np.array([3, 12, 14]), tmp_path / "some.looks")
    assert len(some) == 3 and some.look(2) is None
    for row, place in ((3, 0), (12, 1)):
        one, other = looks.look(row), some.look(place)
        assert one is not None and other is not None
        assert (one.content == other.content).all() and len(one.further) == len(other.further)

    left, right, cut = voted_pairs(looks, 6, 7, made)
    assert (left < right).all() and len(left) <= 15 * 6 and cut >= 0
    assert {(0, 12), (1, 13)} <= set(zip(left.tolist(), right.tolist(), strict=True))
    judged = looks.judge(np.array([0, 1, 2, 0]), np.array([12, 13, 3, 14]))
    assert [verdict and verdict.kind for verdict in judged] == [DERIVED, DERIVED, None, COPY]  # 14: its cosine decides
    few = voted_pairs(looks, 1, 7, made)
    assert len(few[0]) <= 15 and len(few[0]) + few[2] >= len(left)
