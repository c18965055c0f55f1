"""Pictures for the page: thumbnails as data URIs, word clouds as SVG."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from markupsafe import Markup
from PIL import Image, ImageFont
from wordcloud import WordCloud

from pipeline.pictures import to_rgb
from pipeline.report.charts import WIDTH

SIDE = 144
"""Pixels of a thumbnail's longer side: sharp at the 96 it is shown at on most screens."""
_HEIGHT = 190
_FONT = (
    Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
)  # comes with the package, so it lays out the same everywhere


def thumbnail(stored: bytes) -> str:
    """A stored picture, encoded anew and small, as a data URI."""
    image = to_rgb(stored)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    image.save(packed, "WEBP", quality=72, method=6)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()


def cloud(weights: Mapping[str, float]) -> Markup:
    """A word cloud, size by weight (all above 0), the heaviest third in colour. The same weights give the same cloud.

    Each word is text, as wide as laid out whatever font the reader has.
    """
    if not weights:
        return Markup("")
    laid = WordCloud(
        font_path=str(_FONT), width=WIDTH, height=_HEIGHT, margin=3, prefer_horizontal=1.0, relative_scaling=0.5,
        min_font_size=10, max_font_size=46, random_state=0,
    ).generate_from_frequencies(dict(weights))  # fmt: skip
    words, bottom = [], 0.0
    for (word, _), size, (row, column), _, _ in laid.layout_:
        font = ImageFont.truetype(str(_FONT), size)
        base = row + font.getmetrics()[0]
        bottom = max(bottom, base + 0.25 * size)
        look = "one" if len(words) < len(laid.layout_) / 3 else "four"
        words.append(
            Markup(
                '<text class="{}" x="{}" y="{}" font-size="{}" textLength="{:.0f}" lengthAdjust="spacingAndGlyphs">{}</text>'
            ).format(look, column, base, size, font.getlength(word), word)
        )
    alt = "The words, heaviest first: " + ", ".join(word for (word, *_), *_ in laid.layout_[:12])
    return Markup('<svg class="cloud" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, bottom + 2, alt, Markup("").join(words)
    )
