"""What people do to pictures: copies of pictures are made in the ways of KINDS, to be searched for.

A copy shows its source, a collage others beside it: the copy and its source are a true pair, the copy and any picture
that it does not show, outside the source's group, a false one (within the group nobody knows).

Shapes: c copies, n originals, p pairs.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from pipeline.copies.groups import Vectors
from pipeline.copies.look import PLAIN

THRESHOLDS = np.round(np.arange(0.75, 0.9951, 0.005), 3)
Copy = Callable[[Image.Image, Generator, Sequence[Image.Image]], Image.Image]
"""Makes a copy of a picture, beside pictures of others."""
WORDS = (
    "when",
    "you",
    "see",
    "it",
    "and",
    "nobody",
    "told",
    "me",
    "best",
    "day",
    "ever",
    "look",
    "at",
    "this",
    "please",
)


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _half(image: Image.Image, *_: object) -> Image.Image:
    return _scaled(image, 0.5)


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def _jpeg30(image: Image.Image, *_: object) -> Image.Image:
    return _jpeg(image, 30)


def _crop(area: float) -> Copy:
    def crop(image: Image.Image, random: Generator, _: object) -> Image.Image:
        width, height = (max(1, round(side * area**0.5)) for side in image.size)
        left, top = (int(random.integers(0, room + 1)) for room in (image.width - width, image.height - height))
        return image.crop((left, top, left + width, top + height))

    return crop


def _mirror(image: Image.Image, *_: object) -> Image.Image:
    return ImageOps.mirror(image)


def _darker(image: Image.Image, *_: object) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.7)


def _filter(image: Image.Image, random: Generator, _: object) -> Image.Image:
    """A filter of a phone: contrast, a tint, colours stronger or gone."""
    image = ImageEnhance.Color(image).enhance(float(random.choice([0.0, 0.4, 1.6])))
    image = ImageEnhance.Contrast(image).enhance(float(random.uniform(0.7, 1.4)))
    tint = np.asarray(image, np.float32) * random.uniform(0.75, 1.15, 3) + random.uniform(0, 25, 3)
    return Image.fromarray(np.clip(tint, 0, 255).astype(np.uint8))


def _recolour(image: Image.Image, random: Generator, _: object) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turn = int(random.integers(60, 197))
    return Image.merge("HSV", (hue.point(lambda v: (v + turn) % 256), saturation, value)).convert("RGB")


def _border(image: Image.Image, random: Generator, _: object) -> Image.Image:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return ImageOps.expand(image, max(1, max(image.size) // 10), (red, green, blue))


def _letterbox(image: Image.Image, random: Generator, _: object) -> Image.Image:
    """On a square or a wide screen, with bars of black, white or a blurred copy of the picture's own."""
    width, height = image.size
    wide = round(max(width, height * random.choice([1.0, 16 / 9])))
    tall = round(max(height, width * (1.0 if wide == width else 9 / 16)))
    ground = Image.new("RGB", (wide, tall), ("black", "white")[int(random.integers(2))])
    if random.random() < 0.3:
        ground = image.resize((8, 8)).resize((wide, tall), Image.Resampling.BICUBIC)
    ground.paste(image, ((wide - width) // 2, (tall - height) // 2))
    return ground


def _words(random: Generator, count: int) -> str:
    return " ".join(random.choice(WORDS, count).tolist())


def _caption(image: Image.Image, random: Generator, _: object) -> Image.Image:
    """White letters with a black edge on the picture, or a strip with words above it."""
    font = ImageFont.load_default(max(8, image.width // 14))
    line = _words(random, 4)
    if random.random() < 0.5:
        captioned = image.copy()
        pen = ImageDraw.Draw(captioned)
        for top, said in ((image.height // 40, line.upper()), (image.height * 5 // 6, _words(random, 4).upper())):
            pen.text((image.width // 20, top), said, "white", font, stroke_width=2, stroke_fill="black")
        return captioned
    strip = max(12, image.width // 6)
    captioned = Image.new("RGB", (image.width, image.height + strip), "white")
    ImageDraw.Draw(captioned).text((image.width // 30, strip // 4), line, "black", font)
    captioned.paste(image, (0, strip))
    return captioned


def _collage(image: Image.Image, random: Generator, others: Sequence[Image.Image]) -> Image.Image:
    """Two pictures side by side, or four in a square, cut to fill their places."""
    count = int(random.choice([2, 4]))
    width, height = (300, 400) if count == 2 else (240, 240)
    whole = Image.new("RGB", (2 * width, height * count // 2), "white")
    shown = [image, *others, *others, *others][:count]
    for place, picture in zip(random.permutation(count).tolist(), shown, strict=True):
        whole.paste(ImageOps.fit(picture, (width, height)), (place % 2 * width, place // 2 * height))
    return whole


def _screenshot(image: Image.Image, random: Generator, _: object) -> Image.Image:
    """A post as an application shows it: a bar, a name, words, the picture, buttons."""
    dark = random.random() < 0.5
    ground, ink = ((21, 32, 43), "white") if dark else ((255, 255, 255), "black")
    shown = _scaled(image, 330 / image.width)
    shown = shown.crop((0, 0, 330, min(shown.height, 420)))
    screen = Image.new("RGB", (360, 640), ground)
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, 360, 24), (80, 80, 90))
    pen.text((8, 6), "12:41      LTE   87 %", "white", ImageFont.load_default(11))
    pen.ellipse((12, 36, 48, 72), tuple(random.integers(0, 256, 3).tolist()))
    pen.text((58, 40), "@" + "_".join(random.choice(WORDS, 2).tolist()), ink, ImageFont.load_default(14))
    for row in range(2):
        pen.text((12, 84 + 20 * row), _words(random, 6), ink, ImageFont.load_default(13))
    screen.paste(shown, (15, 136))
    under = 136 + shown.height + 14
    for place in range(4):
        pen.ellipse((30 + 80 * place, under, 48 + 80 * place, under + 18), outline=ink, width=2)
    return screen


def _all(image: Image.Image, random: Generator, others: Sequence[Image.Image]) -> Image.Image:
    for copy in (_half, _crop(0.8), _mirror, _darker, _border, _jpeg30):
        image = copy(image, random, others)
    return image


KINDS: dict[str, Copy] = {
    "half the size": _half,
    "JPEG 30": _jpeg30,
    "crop 80 %": _crop(0.8),
    "crop 60 %": _crop(0.6),
    "mirrored": _mirror,
    "darker": _darker,
    "filter": _filter,
    "recoloured": _recolour,
    "border": _border,
    "letterbox": _letterbox,
    "caption": _caption,
    "collage": _collage,
    "screenshot": _screenshot,
    "all together": _all,
}
"""The ways of copying a picture, by name."""
SHOW_OTHERS = 3
"""Pictures of others that a kind may show beside its source."""


def planted(image: Image.Image, others: Sequence[Image.Image], random: Generator) -> list[Image.Image]:
    """The copies of one picture, in order of KINDS; `others` (SHOW_OTHERS) may stand beside it in some."""
    return [copy(image, random, others) for copy in KINDS.values()]


def one_colour(image: Image.Image) -> bool:
    """Whether an RGB picture shows nothing: what it is a copy of nobody can tell, so it is not copied."""
    return bool(np.ptp(np.asarray(image), axis=(0, 1)).max() <= PLAIN)


@dataclass(frozen=True)
class Proposed:
    """Pairs (p,) of a copy and an original row, with cosine, whether true, and whether a look confirms them.

    Those that a corpus's search would look at are `near`, among the nearest of the copy, from a cosine on, or `voted`.
    """

    copy: NDArray[np.int64]
    original: NDArray[np.int64]
    cosine: NDArray[np.float32]
    near: NDArray[np.bool_]
    voted: NDArray[np.bool_]
    true: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]

    def bound(self, min_cosine: float) -> NDArray[np.bool_]:
        """Which pairs (p,) a search from `min_cosine` on binds."""
        return self.confirmed & (self.voted | (self.near & (self.cosine >= min_cosine)))


def propose(
    cosine: Vectors,
    voted: tuple[NDArray[np.int64], NDArray[np.int64]],
    source: NDArray[np.int64],
    unknown: NDArray[np.bool_],
    most: int,
    agree: Callable[[int, int], bool],
) -> Proposed:
    """Of each copy its source, the `most` nearest from the lowest threshold on, by `cosine` (c, n), and the voted.

    voted: copies and originals (v,) that points propose; source (c,): the original row of each copy; unknown (c, n):
    pairs left out; `agree(copy, original)` is the look.
    """
    rows = np.arange(len(source))
    seen = np.where(unknown, -1.0, cosine)
    seen[rows, source] = cosine[rows, source]
    near = np.zeros(seen.shape, bool)
    nearest = np.argsort(-seen, axis=1, kind="stable")[:, :most]
    near[rows[:, None], nearest] = np.take_along_axis(seen, nearest, 1) >= THRESHOLDS[0]
    by_points = np.zeros(seen.shape, bool)
    by_points[voted] = True
    true = np.zeros(seen.shape, bool)
    true[rows, source] = True
    copy, original = np.nonzero(true | ((near | by_points) & ~unknown))
    confirmed = [agree(i, j) for i, j in zip(copy.tolist(), original.tolist(), strict=True)]
    at = copy, original
    return Proposed(copy, original, cosine[at], near[at], by_points[at], true[at], np.array(confirmed, bool))


def curve(pairs: Proposed, copies: int) -> list[dict[str, float | str]]:
    """Rows for a plot: threshold, precision and recall by the cosine alone, and as pairs are bound, after a look."""
    rows: list[dict[str, float | str]] = []
    for name in ("cosine alone", "with second check"):
        for threshold in THRESHOLDS:
            alone = (pairs.near | pairs.true) & (pairs.cosine >= threshold)
            at = alone if name == "cosine alone" else pairs.bound(threshold)
            found = int((at & pairs.true).sum())
            precision = found / int(at.sum()) if at.any() else 1.0
            rows.append(
                {"check": name, "min_cosine": float(threshold), "precision": precision, "recall": found / copies}
            )
    return rows


def recall_by_kind(pairs: Proposed, copies: int, min_cosine: float) -> dict[str, float]:
    """Share of each kind's copies that are bound to their source; copy k is of kind k modulo the number of kinds."""
    found = pairs.copy[pairs.true & pairs.bound(min_cosine)] % len(KINDS)
    return {kind: float((found == k).sum() * len(KINDS) / copies) for k, kind in enumerate(KINDS)}
