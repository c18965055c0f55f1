"""Pictures drawn by code for the synthetic corpus: what is drawn tells the topic, how it is drawn tells the author.

A topic is one of 16 things on one of 5 grounds, so 80 topics can be told apart; a post's colour is its paint. An author
has a hand: ink, width of line, paper, amount of clutter, a usual size and tilt, perhaps a mark in a corner. Place and
number are chance, and size, tilt, paper and clutter vary around the author's. Copies are what people do to a picture
before they post it again.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 160
COLOURS = {
    "red": (205, 45, 45),
    "orange": (235, 140, 40),
    "yellow": (225, 200, 50),
    "green": (50, 150, 70),
    "blue": (45, 90, 200),
    "purple": (130, 60, 170),
    "pink": (235, 120, 175),
    "brown": (125, 80, 45),
}
GROUNDS = 5

Points = np.ndarray
Part = tuple[Points, float]
"""A polygon in [-1, 1]², y down, and its tone: the factor by which the paint is darkened, 0 for white."""


def _oval(x: float, y: float, rx: float, ry: float | None = None, begin: float = 0, end: float = 360) -> Points:
    angle = np.radians(np.linspace(begin, end, 40))
    return np.column_stack([x + rx * np.cos(angle), y + (rx if ry is None else ry) * np.sin(angle)])


def _shape(*points: tuple[float, float]) -> Points:
    return np.array(points)


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return _shape((left, top), (right, top), (right, bottom), (left, bottom))


def _star(tips: int, inner: float) -> Points:
    angle = np.arange(2 * tips) * np.pi / tips - np.pi / 2
    radius = np.where(np.arange(2 * tips) % 2, inner, 1.0)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


_petals = [(_oval(0.6 * np.cos(a), 0.6 * np.sin(a), 0.36), 1.0) for a in np.arange(6) * np.pi / 3]
_rays = [
    (
        _shape((0.95 * np.cos(a), 0.95 * np.sin(a)), *((0.6 * np.cos(b), 0.6 * np.sin(b)) for b in (a - 0.2, a + 0.2))),
        0.8,
    )
    for a in np.arange(8) * np.pi / 4
]
_curve = np.linspace(0, 2 * np.pi, 40)
_heart = np.column_stack(
    [
        np.sin(_curve) ** 3,
        -(13 * np.cos(_curve) - 5 * np.cos(2 * _curve) - 2 * np.cos(3 * _curve) - np.cos(4 * _curve)) / 16,
    ]
)

THINGS: dict[str, list[Part]] = {
    "house": [
        (_box(-0.7, -0.1, 0.7, 0.9), 1),
        (_shape((-0.95, -0.1), (0, -0.9), (0.95, -0.1)), 0.6),
        (_box(-0.18, 0.35, 0.18, 0.9), 0.35),
        (_box(-0.55, 0.1, -0.25, 0.4), 0),
    ],
    "fish": [
        (_oval(-0.15, 0, 0.7, 0.42), 1),
        (_shape((0.4, 0), (0.95, -0.45), (0.95, 0.45)), 0.7),
        (_oval(-0.5, -0.1, 0.08), 0),
    ],
    "flower": [*_petals, (_oval(0, 0, 0.3), 0.5)],
    "car": [
        (_box(-0.95, -0.05, 0.95, 0.4), 1),
        (_shape((-0.55, -0.05), (-0.35, -0.5), (0.35, -0.5), (0.6, -0.05)), 0.8),
        (_oval(-0.5, 0.42, 0.22), 0.25),
        (_oval(0.5, 0.42, 0.22), 0.25),
        (_box(-0.25, -0.4, 0.25, -0.1), 0),
    ],
    "tree": [
        (_box(-0.14, 0.2, 0.14, 0.95), 0.4),
        (_shape((0, -0.95), (0.75, 0.35), (-0.75, 0.35)), 1),
        (_shape((0, -0.95), (0.45, -0.15), (-0.45, -0.15)), 0.8),
    ],
    "star": [(_star(5, 0.42), 1)],
    "boat": [
        (_shape((-0.9, 0.35), (0.9, 0.35), (0.55, 0.8), (-0.55, 0.8)), 1),
        (_box(-0.05, -0.9, 0.05, 0.35), 0.4),
        (_shape((0.1, -0.85), (0.75, 0.2), (0.1, 0.2)), 0.75),
    ],
    "cup": [
        (_shape((-0.6, -0.6), (0.5, -0.6), (0.35, 0.8), (-0.45, 0.8)), 1),
        (_oval(0.55, 0, 0.35, 0.4), 0.7),
        (_oval(0.52, 0, 0.2, 0.24), 0),
        (_oval(-0.05, -0.6, 0.55, 0.14), 0.4),
    ],
    "heart": [(_heart, 1)],
    "moon": [(_oval(0, 0, 0.9), 1), (_oval(0.4, -0.15, 0.75), 0)],
    "sun": [*_rays, (_oval(0, 0, 0.52), 1)],
    "mountain": [
        (_shape((-0.95, 0.8), (-0.25, -0.8), (0.45, 0.8)), 1),
        (_shape((-0.1, 0.8), (0.5, -0.3), (0.98, 0.8)), 0.7),
        (_shape((-0.25, -0.8), (-0.05, -0.34), (-0.45, -0.34)), 0),
    ],
    "bird": [
        (_oval(0, 0.1, 0.6, 0.35), 1),
        (_oval(0.55, -0.3, 0.25), 0.85),
        (_shape((0.75, -0.35), (0.98, -0.22), (0.75, -0.15)), 0.4),
        (_shape((-0.5, 0), (-0.95, -0.35), (-0.9, 0.2)), 0.7),
        (_shape((-0.2, 0), (0.3, 0), (-0.1, -0.7)), 0.6),
    ],
    "key": [
        (_oval(-0.55, 0, 0.4), 1),
        (_oval(-0.55, 0, 0.2), 0),
        (_box(-0.2, -0.1, 0.9, 0.1), 1),
        (_box(0.5, 0.1, 0.6, 0.4), 1),
        (_box(0.75, 0.1, 0.85, 0.32), 1),
    ],
    "gift": [
        (_box(-0.75, -0.3, 0.75, 0.85), 1),
        (_box(-0.12, -0.3, 0.12, 0.85), 0.45),
        (_box(-0.85, -0.45, 0.85, -0.2), 0.7),
        (_oval(-0.3, -0.65, 0.28, 0.2), 0.45),
        (_oval(0.3, -0.65, 0.28, 0.2), 0.45),
    ],
    "mushroom": [
        (_box(-0.22, 0, 0.22, 0.9), 0),
        (_oval(0, 0.05, 0.9, 0.85, 180, 360), 1),
        (_oval(-0.4, -0.25, 0.13), 0),
        (_oval(0.25, -0.4, 0.15), 0),
    ],
}
"""What topics are drawn as, in their order."""

_PARTS = list(THINGS.values())


@dataclass(frozen=True)
class Hand:
    """An author's way of drawing, a plain one unless told. ink (RGB) and line: colour and width of outlines.

    tint: of the paper, a factor a channel. clutter, size: factors. tilt: degrees. mark: the corner that the author
    signs, counted row by row; None: does not sign.
    """

    ink: tuple[int, ...] = (40, 40, 40)
    line: int = 1
    tint: tuple[float, ...] = (1, 1, 1)
    clutter: float = 1
    size: float = 1
    tilt: float = 0
    mark: int | None = None

    @classmethod
    def of(cls, chance: np.random.Generator) -> Self:
        """A hand, drawn from `chance`."""
        return cls(
            ink=tuple(int(v) for v in chance.integers(0, 110, 3)),
            line=int(chance.integers(1, 3)),
            tint=tuple(chance.uniform(0.95, 1, 3)),
            clutter=chance.uniform(0.3, 1.7),
            size=chance.uniform(0.8, 1.1),
            tilt=chance.uniform(-15, 15),
            mark=int(chance.integers(0, 4)) if chance.random() < 0.4 else None,
        )


PLAIN = Hand()


def draw(topic: int, colour: int, chance: np.random.Generator, hand: Hand = PLAIN) -> Image.Image:
    """A picture of a topic, RGB, SIDE pixels a side, by an author of this hand."""
    paint = np.array(list(COLOURS.values())[colour]) * chance.uniform(0.8, 1.15)
    paper = tuple(int(v) for v in chance.integers(215, 256, 3) * hand.tint)
    image = Image.new("RGB", (2 * SIDE, 2 * SIDE), paper)
    pen = ImageDraw.Draw(image)
    _ground(pen, (topic // len(_PARTS)) % GROUNDS, tuple(int(0.86 * v) for v in paper))
    for _ in range(round(chance.integers(2, 7) * hand.clutter)):
        _clutter(pen, chance)
    for _ in range(1 + (chance.random() < 0.4) + (chance.random() < 0.2)):
        scale = hand.size * chance.uniform(0.3, 0.85) * SIDE
        centre = chance.uniform(0.3, 0.7, 2) * 2 * SIDE
        turn = np.radians(hand.tilt + chance.uniform(-30, 30))
        rotate = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        for points, tone in _PARTS[topic % len(_PARTS)]:
            fill = paper if tone == 0 else tuple(int(v) for v in np.clip(paint * tone, 0, 255))
            pen.polygon([tuple(p) for p in points @ rotate + centre], fill=fill, outline=hand.ink, width=hand.line)
    if hand.mark is not None:
        row, column = divmod(hand.mark, 2)
        x, y = 2 * SIDE * (0.03 + 0.86 * column), 2 * SIDE * (0.05 + 0.86 * row)
        pen.line((x, y + 12, x + 8, y, x + 14, y + 14, x + 24, y + 4), fill=hand.ink, width=2 + hand.line // 2)
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def _ground(pen: ImageDraw.ImageDraw, ground: int, tint: tuple[int, ...]) -> None:
    whole, step = 2 * SIDE, 40
    for at in range(0, whole if ground else 0, step):
        if ground in (1, 4):
            pen.rectangle((at, 0, at + step // 3, whole), fill=tint)
        if ground in (2, 4):
            pen.rectangle((0, at, whole, at + step // 3), fill=tint)
        if ground == 3:
            for across in range(0, whole, step):
                pen.ellipse((at, across, at + step // 2, across + step // 2), fill=tint)


def _clutter(pen: ImageDraw.ImageDraw, chance: np.random.Generator) -> None:
    x, y = chance.uniform(0, 2 * SIDE, 2)
    u, v = chance.uniform(-60, 60, 2)
    shade = tuple(int(s) for s in chance.integers(120, 230, 3))
    if chance.random() < 0.5:
        pen.line((x, y, x + u, y + v), fill=shade, width=int(chance.integers(2, 8)))
    else:
        size = abs(u) / 3 + 4
        pen.ellipse((x, y, x + size, y + size), fill=shade)


def _resized(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    side = int(SIDE * chance.uniform(0.6, 1.4))
    return image.resize((side, side), Image.Resampling.BICUBIC)


def _cropped(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    left, top, right, bottom = (chance.uniform(0, 0.08, 4) * SIDE).astype(int)
    return image.crop((left, top, image.width - right, image.height - bottom))


def _captioned(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    bar = int(SIDE * 0.12)
    framed = Image.new("RGB", (image.width, image.height + bar), (250, 250, 250))
    framed.paste(image, (0, 0))
    mark = "".join(chr(97 + letter) for letter in chance.integers(0, 26, 8))
    ImageDraw.Draw(framed).text((6, image.height + 2), f"via @{mark}", fill=(60, 60, 60), font=ImageFont.load_default())
    return framed


def _unchanged(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    return image


CHANGES: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "resize": _resized,
    "crop": _cropped,
    "caption": _captioned,
    "jpeg": _unchanged,
}
"""What is done to a picture before it is posted again."""


def encode(image: Image.Image, quality: int | None = None) -> bytes:
    """The bytes of a PNG file, or of a JPEG of this quality."""
    stream = io.BytesIO()
    if quality is None:
        image.save(stream, "PNG", compress_level=3)
    else:
        image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
