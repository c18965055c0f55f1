"""Under bright letters over a picture it is found: a saying, a meme's lines; what has letters of its own keeps them."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from pipeline.copies.aligned import judge
from pipeline.copies.letters import without_letters
from pipeline.copies.look import look_of
from pipeline.copies.looks import Looks
from pipeline.copies.votes import voted_for, voted_pairs
from pipeline.running.checkpoints import made
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import COPY, DERIVED

SAYING, ANOTHER = "nobody told me best day", "please look at this ever"


def smooth(seed: int) -> Image.Image:
    """A picture with few points, as photographs of skies and faces have."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(40, 220, (9, 12, 3), np.uint8)).resize(
        (480, 360), Image.Resampling.BICUBIC
    )
    pen = ImageDraw.Draw(coarse)
    for _ in range(24):
        x, y, wide = *random.integers(0, 400, 2).tolist(), int(random.integers(20, 90))
        pen.ellipse((x, y, x + wide, y + wide), tuple(random.integers(0, 256, 3).tolist()))
    return coarse.filter(ImageFilter.GaussianBlur(2))


def darkened(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.45)


def said(image: Image.Image, words: str) -> Image.Image:
    dark = darkened(image)
    pen = ImageDraw.Draw(dark)
    for line in range(4):
        font = ImageFont.load_default(image.width / 14)
        pen.text((image.width / 2, image.height * (0.22 + 0.15 * line)), words, "white", font, "ma")
    return dark


def bright(seed: int) -> Image.Image:
    return Image.blend(smooth(seed), Image.new("RGB", (480, 360), "white"), 0.3)


def memed(image: Image.Image, stroke: int = 2) -> Image.Image:
    """With two lines above and two below, white with a black outline."""
    meme = image.copy()
    pen = ImageDraw.Draw(meme)
    for row, line in enumerate(("WHEN NOBODY", "TOLD ME IT WAS", "THE BEST DAY", "IT ALL AND SO")):
        font = ImageFont.load_default(image.width / 8)
        place = image.width / 2, image.height * row / 4
        pen.text(place, line, "white", font, "ma", stroke_width=stroke, stroke_fill="black")
    return meme


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def kind(one: Image.Image, other: Image.Image) -> str | None:
    verdict = judge(look_of(one), look_of(other))
    return verdict and verdict.kind


def test_pictures_are_found_under_a_saying_and_others_are_not() -> None:
    pictures = [smooth(seed) for seed in range(10)]
    plain, lettered = (
        [look_of(picture) for picture in pictures],
        [look_of(said(picture, SAYING)) for picture in pictures],
    )
    found = [judge(one, other) for one, other in zip(plain, lettered, strict=True)]
    assert sum(verdict is not None and verdict.kind == DERIVED for verdict in found) >= 6
    assert all(verdict is None or verdict.kind != COPY for verdict in found)
    assert not any(judge(plain[i], lettered[j]) for i in range(10) for j in range(10) if i != j)
    assert kind(said(smooth(0), SAYING), said(smooth(1), ANOTHER)) is None


def test_pictures_are_found_under_a_memes_lines_and_others_are_not() -> None:
    plain = [look_of(bright(seed)) for seed in range(6)]
    meme = [look_of(memed(bright(seed))) for seed in range(6)]
    found = [judge(one, other) for one, other in zip(plain, meme, strict=True)]
    assert all(verdict and verdict.kind == DERIVED for verdict in found)
    assert not any(judge(plain[i], meme[j]) for i in range(6) for j in range(6) if i != j)
    assert without_letters(np.asarray(memed(bright(3), stroke=0))) is None  # may be the picture's own


def test_another_saying_on_the_same_picture_is_no_copy() -> None:
    one, other = said(smooth(0), SAYING), said(smooth(0), ANOTHER)
    assert kind(one, other) == DERIVED
    assert kind(one, one.resize((360, 270))) == COPY


def test_what_lies_under_letters_votes_from_memory_and_from_disk(tmp_path: Path) -> None:
    pictures = [smooth(seed) for seed in range(12)] + [said(smooth(seed), SAYING) for seed in range(4)]
    looks = [look_of(picture) for picture in pictures]
    lettered = [row for row, look in enumerate(looks) if look.further]
    assert lettered and min(lettered) >= 12
    one, other = voted_for(looks[12:], looks[:12], 3, 7)
    assert {(row - 12, row - 12) for row in lettered} <= set(zip(one.tolist(), other.tolist(), strict=True))

    stored = {
        "image_id": [f"{row:02}" for row in range(16)], "bytes": [png(picture) for picture in pictures],
        "width": [480] * 16, "height": [360] * 16,
    }  # fmt: skip
    IMAGES.write(pa.table(stored), tmp_path / "images")
    kept = Looks.of(tmp_path / "images", tmp_path / "looks")
    assert kept.owners().tolist() == [*range(16), *lettered]
    assert [row for row in range(16) if kept.look(row).further] == lettered  # type: ignore[union-attr]
    (bare,) = kept.look(lettered[-1]).further  # type: ignore[union-attr]
    assert (bare.content == looks[lettered[-1]].further[0].content).all()
    left, right, _ = voted_pairs(kept, 3, 7, made)
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    assert {(row - 12, row) for row in lettered} <= {*pairs}
    assert len({*pairs}) == len(pairs) and (left < right).all()


@pytest.mark.parametrize("ground", ["white", "black"])
def test_what_is_nothing_but_letters_keeps_them(ground: str) -> None:
    page = Image.new("RGB", (480, 360), ground)
    ImageDraw.Draw(page).text((40, 100), "nobody told me", "white" if ground == "black" else "black", font_size=50)
    assert not look_of(page).further
    assert without_letters(np.asarray(smooth(3))) is None


def test_bright_strokes_of_a_drawing_on_one_colour_are_its_own() -> None:
    drawing = Image.new("RGB", (480, 360), (24, 58, 82))
    pen = ImageDraw.Draw(drawing)
    for x in range(20, 440, 70):
        pen.ellipse((x, 250, x + 50, 320), (110, 180, 40), "black", 3)
        pen.line((x, 40, x + 50, 110, x, 180), "white", 7)
    assert without_letters(np.asarray(drawing)) is None


def test_letters_are_painted_over_by_what_is_around_them() -> None:
    bare = without_letters(np.asarray(said(smooth(3), SAYING)))
    assert bare is not None
    dark = darkened(smooth(3)).resize(bare.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(bare.astype(int) - np.asarray(dark, int)).mean() < 2 and bare.max() < 160
