"""Pictures for the page: thumbnails as data URIs, word clouds as SVG."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from markupsafe import Markup
from PIL import Image, ImageChops, ImageFont
from wordcloud import WordCloud

from pipeline.pictures.storing import to_rgb
from pipeline.report.cards import clip
from pipeline.report.charts import WIDTH, put

SIDE = 144
"""Pixels of a thumbnail's longer side: sharp at the 96 it is shown at on most screens."""
BLURRED = 8
"""Cells of a blurred picture's longer side."""
_HEIGHT = 210
_FONT = str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
"""It comes with matplotlib, so that words are laid out alike everywhere."""
_WORD = (
    """<text class="{}" x="{}" y="{}" font-size="{}" textLength="{:.0f}" lengthAdjust="spacingAndGlyphs">{}</text>"""
)


def blurred(image: Image.Image) -> Image.Image:
    """An image of the same size, of which the mean colours of at most BLURRED by BLURRED cells are left.

    The rest is gone, not hidden behind a filter that can be undone: a face, a name or a number plate is not told.
    """
    few = image.copy()
    few.thumbnail((BLURRED, BLURRED), Image.Resampling.BOX)
    return few.resize(image.size, Image.Resampling.BICUBIC)


def thumbnail(stored: bytes, blur: bool = False) -> str:
    """A stored picture without its white margins, small and encoded anew, as a data URI."""
    image = to_rgb(stored)
    image = image.crop(ImageChops.invert(image).getbbox())
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image = blurred(image) if blur else image
    packed = io.BytesIO()
    image.save(packed, "WEBP", quality=72, method=6)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()


def cloud(weights: Mapping[str, float]) -> Markup:
    """A word cloud, size by weight (all above 0), the heaviest third in colour. The same weights give the same cloud.

    Each word is text, as wide as laid out whatever font the reader has.
    """
    if not weights:
        return Markup("")
    shown = {clip(word, 24): weight for word, weight in weights.items()}
    for largest in (34, 28, 22):  # the layout ends at the first word that finds no place
        laid = WordCloud(
            font_path=_FONT,
            width=WIDTH,
            height=_HEIGHT,
            margin=4,
            prefer_horizontal=1.0,
            relative_scaling=0.6,
            min_font_size=9,
            max_font_size=largest,
            random_state=0,
        ).generate_from_frequencies(shown)
        if len(laid.layout_) == len(shown):
            break
    words: list[Markup] = []
    top, bottom = _HEIGHT, 0
    for (word, _), size, (row, column), _, _ in laid.layout_:
        font = ImageFont.truetype(_FONT, size)
        left, above, _, below = font.getbbox(word, anchor="ls")  # of the ink; row and column are its upper left corner
        top, bottom = min(top, row), max(bottom, row + below - above)
        look = "top" if len(words) < len(laid.layout_) / 3 else "rest"
        words.append(put(_WORD, look, column - left, row - above, size, font.getlength(word), word))
    return put(
        '<svg class="cloud" viewBox="0 {} {} {}" role="img" aria-label="{}">{}</svg>',
        top,
        WIDTH,
        bottom - top,
        "Words, the heaviest first: " + ", ".join(word for (word, _), *_ in laid.layout_),
        Markup("").join(words),
    )
