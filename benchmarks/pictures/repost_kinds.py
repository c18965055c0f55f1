"""Pictures as people repost them: the kinds of `benchmarks.pictures.reposts`.

They are other kinds than those of `pipeline.copies.planted`, on which limits were chosen. Pictures are RGB.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from pipeline.copies.planted import WORDS

Chance = np.random.Generator
Kind = Callable[[Image.Image, Image.Image, Chance], Image.Image]
"""Reposts a picture, perhaps beside another one."""


def _words(chance: Chance, count: int) -> str:
    return " ".join(chance.choice(WORDS, count).tolist())


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, round(size)))


def _fitted(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _encoded(image: Image.Image, form: str, **how: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, form, **how)
    return Image.open(stream).convert("RGB")


def small_jpeg(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return _encoded(_fitted(image, 480), "JPEG", quality=20)


def webp(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return _encoded(_fitted(image, 400), "WEBP", quality=25)


def gif(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return _encoded(_fitted(image, 320).quantize(64), "GIF")


def deep_fried(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Saved and sharpened again and again."""
    image = _fitted(image, 360)
    for quality in (25, 15, 12):
        image = _encoded(ImageEnhance.Color(image.filter(ImageFilter.SHARPEN)).enhance(1.3), "JPEG", quality=quality)
    return image


def cropped(share: float) -> Kind:
    def crop(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
        ratio = float(chance.uniform(0.85, 1.2))
        width, height = min(1, share**0.5 * ratio), min(1, share**0.5 / ratio)
        left, top = chance.uniform(0, 1 - width), chance.uniform(0, 1 - height)
        box = (left * image.width, top * image.height, (left + width) * image.width, (top + height) * image.height)
        return image.crop(tuple(round(side) for side in box))

    return crop


def square(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return ImageOps.fit(image, (480, 480))


def turned(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """By a few degrees, the corners black or cut off."""
    degrees = float(chance.uniform(2, 8) * chance.choice([-1, 1]))
    image = image.rotate(degrees, Image.Resampling.BICUBIC)
    if chance.random() < 0.5:
        return image
    off = np.sin(np.radians(abs(degrees))) * min(image.size) / 2
    return image.crop((round(off), round(off), round(image.width - off), round(image.height - off)))


def mirrored_filter(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return vintage(ImageOps.mirror(image), image, chance)


def vintage(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Faded blacks, a tint in lights and shadows, a vignette, grain: a filter of a phone."""
    pixels = np.asarray(image, np.float32) / 255
    pixels = 0.12 + 0.8 * pixels ** chance.uniform(0.7, 1.3)
    light = pixels.mean(axis=2, keepdims=True)
    pixels += (light * chance.uniform(-0.12, 0.15, 3) + (1 - light) * chance.uniform(-0.1, 0.1, 3)).astype(np.float32)
    rows, columns = np.linspace(-1, 1, image.height), np.linspace(-1, 1, image.width)
    pixels *= (1 - 0.35 * np.clip(rows[:, None] ** 2 + columns**2 - 0.3, 0, None) / 1.7)[:, :, None]
    pixels += chance.normal(0, 0.02, (image.height, image.width, 1))
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))


def black_and_white(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return ImageEnhance.Contrast(ImageOps.grayscale(image).convert("RGB")).enhance(1.7)


def duotone(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    dark, light = (tuple(chance.integers(low, low + 100, 3).tolist()) for low in (0, 155))
    return ImageOps.colorize(ImageOps.grayscale(image), dark, light)


def story(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Upright for a phone, on its own blurred ground, with a line of text."""
    shown = _fitted(image, 450)
    shown = shown if shown.width == 450 else shown.resize((450, round(450 * image.height / image.width)))
    shown = shown.crop((0, 0, 450, min(shown.height, 640)))
    ground = ImageOps.fit(image, (450, 800)).filter(ImageFilter.GaussianBlur(18))
    ground.paste(shown, (0, (800 - shown.height) // 2))
    pen = ImageDraw.Draw(ground)
    pen.rounded_rectangle((60, 90, 390, 130), 8, "white")
    pen.text((72, 98), _words(chance, 4), "black", _font(20))
    return ground


def letterbox(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    return ImageOps.pad(image, (640, 360), color=("black", "white")[int(chance.integers(2))])


def impact(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Large white letters with a black edge, above and below."""
    image = image.copy()
    pen, size = ImageDraw.Draw(image), image.width / 9
    for top in (0.02, 0.84 if image.height > size * 4 else 0.6):
        words = _words(chance, 3).upper()
        pen.text((image.width / 2, image.height * top), words, "white", _font(size), "ma", stroke_width=3,
                 stroke_fill="black")  # fmt: skip
    return image


def strip(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Three lines on white above the picture, and a site's name below."""
    image = _fitted(image, 500)
    whole = Image.new("RGB", (image.width, image.height + 130), "white")
    whole.paste(image, (0, 110))
    pen = ImageDraw.Draw(whole)
    for line in range(3):
        pen.text((10, 8 + 32 * line), _words(chance, 5), "black", _font(image.width / 18))
    pen.text((10, image.height + 112), "www.memes.example", "grey", _font(12))
    return whole


def quote(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Darkened, with a saying across it."""
    image = ImageEnhance.Brightness(image).enhance(0.45)
    pen = ImageDraw.Draw(image)
    for line in range(4):
        top = image.height * (0.22 + 0.15 * line)
        pen.text((image.width / 2, top), _words(chance, 4), "white", _font(image.width / 14), "ma")
    return image


def watermark(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    layer = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(layer)
    for top in range(0, image.height, max(20, image.height // 6)):
        for left in range(-(top % 97), image.width, max(60, image.width // 3)):
            pen.text((left, top), "stockphotos", 110, _font(image.width / 18))
    return Image.composite(Image.new("RGB", image.size, "white"), image, layer)


def stickers(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Four round faces and a heart, about a fifth of the picture."""
    image = image.copy()
    pen, radius = ImageDraw.Draw(image), (image.width * image.height) ** 0.5 / 8
    for number in range(5):
        x, y = chance.uniform(0.1, 0.9, 2) * image.size
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, "red" if number == 4 else "gold", "black", 3)
        for eye in (-0.4, 0.4):
            left = x + eye * radius
            pen.ellipse((left - radius / 8, y - radius / 3, left + radius / 8, y), "black")
        pen.arc((x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2), 20, 160, "black", 4)
    return image


def censored(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """A part of a sixth made of large squares."""
    image = image.copy()
    width, height = (round(side * 0.4) for side in image.size)
    left, top = (int(chance.integers(0, side - part)) for side, part in zip(image.size, (width, height), strict=True))
    box = (left, top, left + width, top + height)
    coarse = image.crop(box).resize((8, 8), Image.Resampling.BOX)
    image.paste(coarse.resize((width, height), Image.Resampling.NEAREST), box)
    return image


def phone_post(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """A screenshot of a post on a telephone, the picture as wide as the screen."""
    dark = chance.random() < 0.5
    ground, ink = ((0, 0, 0), "white") if dark else ((255, 255, 255), "black")
    screen, pen_size = Image.new("RGB", (540, 1170), ground), 20
    pen = ImageDraw.Draw(screen)
    pen.text((30, 14), "9:41", ink, _font(pen_size))
    pen.rectangle((470, 16, 510, 34), outline=ink, width=2)
    pen.text((20, 60), "Instaphoto", ink, _font(30))
    pen.ellipse((16, 120, 60, 164), tuple(chance.integers(0, 256, 3).tolist()))
    pen.text((72, 130), _words(chance, 2), ink, _font(pen_size))
    shown = image.resize((540, round(540 * image.height / image.width)))
    shown = shown.crop((0, 0, 540, min(shown.height, 675)))
    screen.paste(shown, (0, 180))
    under = 180 + shown.height
    for number in range(3):
        pen.ellipse((20 + 56 * number, under + 16, 50 + 56 * number, under + 46), outline=ink, width=3)
    for line in range(3):
        pen.text((20, under + 66 + 30 * line), _words(chance, 6), ink, _font(pen_size))
    pen.rectangle((0, 1090, 540, 1170), fill=(30, 30, 30) if dark else (240, 240, 240))
    return screen


def desktop(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """A screenshot of a page in a browser, a fifth of which is the picture."""
    screen = Image.new("RGB", (1280, 720), "white")
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, 1280, 70), (222, 225, 230))
    pen.rounded_rectangle((120, 34, 1000, 62), 12, "white")
    pen.text((140, 40), "https://social.example/" + _words(chance, 1), "black", _font(15))
    for line in range(10):
        pen.text((40, 110 + 50 * line), _words(chance, 3), "navy", _font(18))
    shown = _fitted(image, 560)
    shown.thumbnail((560, 420))
    pen.text((340, 90), _words(chance, 7), "black", _font(22))
    screen.paste(shown, (340, 140))
    for line in range(12):
        pen.text((960, 100 + 46 * line), _words(chance, 4), "grey", _font(17))
    return screen


def of_a_screen(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Photographed from a screen: from aside, in uneven light, with noise."""
    width, height = image.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    moved = corners + chance.uniform(-0.07, 0.07, (4, 2)) * image.size
    rows = [
        row
        for (x, y), (u, v) in zip(corners, moved, strict=True)
        for row in ([x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y])
    ]
    image = image.transform(image.size, Image.Transform.PERSPECTIVE, np.linalg.solve(np.array(rows), moved.ravel()),
                            Image.Resampling.BICUBIC)  # fmt: skip
    pixels = np.asarray(image, np.float32) * np.linspace(0.7, 1.1, width)[:, None]
    pixels += chance.normal(0, 7, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def polaroid(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """In a white frame, askew on a coloured table."""
    framed = ImageOps.expand(ImageOps.fit(image, (360, 360)), (20, 20, 20, 80), "white").convert("RGBA")
    framed = framed.rotate(float(chance.uniform(-7, 7)), Image.Resampling.BICUBIC, expand=True)
    table = Image.new("RGB", (560, 600), tuple(chance.integers(40, 200, 3).tolist()))
    table.paste(framed, (50, 40), framed)
    return table


def before_after(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """Itself twice, side by side, once filtered."""
    shown = ImageOps.fit(image, (320, 400))
    whole = Image.new("RGB", (640, 400))
    whole.paste(shown, (0, 0))
    whole.paste(vintage(shown, image, chance), (320, 0))
    return whole


def side_by_side(image: Image.Image, other: Image.Image, chance: Chance) -> Image.Image:
    whole = Image.new("RGB", (640, 360), "white")
    for place, shown in enumerate((image, other)):
        whole.paste(ImageOps.fit(shown, (316, 360)), (324 * place, 0))
    return whole


def stacked(image: Image.Image, other: Image.Image, chance: Chance) -> Image.Image:
    """One above the other, each as wide as it is, words between."""
    shown = [one.resize((480, max(1, round(480 * one.height / one.width)))) for one in (image, other)]
    whole = Image.new("RGB", (480, shown[0].height + shown[1].height + 50), "white")
    whole.paste(shown[0], (0, 0))
    whole.paste(shown[1], (0, shown[0].height + 50))
    ImageDraw.Draw(whole).text((20, shown[0].height + 12), _words(chance, 4), "black", _font(24))
    return whole


def inset(image: Image.Image, other: Image.Image, chance: Chance) -> Image.Image:
    """Small, in a corner of another picture."""
    whole = other.copy()
    small = ImageOps.contain(image, (round(other.width * 0.45), round(other.height * 0.45)))
    small = ImageOps.expand(small, 3, "white")
    whole.paste(small, (other.width - small.width - 8, other.height - small.height - 8))
    return whole


def meme_panel(image: Image.Image, _: Image.Image, chance: Chance) -> Image.Image:
    """A panel of four; the others are drawings and words."""
    whole = Image.new("RGB", (600, 600), "white")
    pen = ImageDraw.Draw(whole)
    places = chance.permutation([(0, 0), (300, 0), (0, 300), (300, 300)]).tolist()
    for left, top in places[1:]:
        pen.rectangle((left, top, left + 299, top + 299), tuple(chance.integers(100, 256, 3).tolist()), "black")
        pen.ellipse((left + 90, top + 110, left + 210, top + 230), "white", "black", 4)
        pen.text((left + 20, top + 20), _words(chance, 3), "black", _font(24))
    whole.paste(ImageOps.fit(image, (300, 300)), tuple(places[0]))
    return whole


KINDS: dict[str, Kind] = {
    "480 pixels, JPEG 20": small_jpeg,
    "400 pixels, WebP 25": webp,
    "GIF, 64 colours": gif,
    "deep-fried": deep_fried,
    "crop 60 %": cropped(0.6),
    "crop 40 %": cropped(0.4),
    "square crop": square,
    "turned 2 to 8 degrees": turned,
    "mirrored, filtered": mirrored_filter,
    "vintage filter": vintage,
    "black and white": black_and_white,
    "two colours": duotone,
    "story": story,
    "letterbox": letterbox,
    "letters on it": impact,
    "strip of words": strip,
    "saying over it": quote,
    "watermark": watermark,
    "stickers": stickers,
    "a part censored": censored,
    "post on a telephone": phone_post,
    "page in a browser": desktop,
    "photograph of a screen": of_a_screen,
    "polaroid, askew": polaroid,
    "before and after": before_after,
    "side by side": side_by_side,
    "one above the other": stacked,
    "inset in another": inset,
    "panel of a meme": meme_panel,
}
OTHERS = {
    "side by side": "side by side",
    "one above the other": "one above the other",
    "inset in another": "has an inset",
}
"""Kinds that show another picture too, and what the pair with that one is called."""
