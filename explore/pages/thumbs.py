"""Pictures as the pages show them."""

import io

from PIL import Image

from pipeline.pictures.storing import to_rgb
from pipeline.report.pictures import blurred

_HIDDEN = (200, 200, 200)
"""The colour of a picture that is not shown."""


def small(stored: bytes, side: int, shown: str = "shown") -> bytes:
    """A stored picture with at most `side` pixels a side, as WebP; `shown` is that of `report.pictures`."""
    image = to_rgb(stored)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if shown != "shown":
        image = blurred(image) if shown == "blurred" else Image.new("RGB", image.size, _HIDDEN)
    packed = io.BytesIO()
    image.save(packed, "WEBP", quality=80, method=2)
    return packed.getvalue()
