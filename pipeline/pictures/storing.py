"""What is stored of a picture: encoded by us, upright, small, cheap to decode again, and nothing but its pixels.

Every picture is decoded and encoded anew, so that nothing that stood in the file beside them reaches the store: places,
dates, comments, provenance, whatever follows the end. A JPEG that is neither turned nor shrunk is encoded with its own
tables, which costs it next to nothing (a decoded JPEG lies where these tables round); other lossy pictures become JPEG
of quality 95, lossless ones PNG, so that drawings stay exact.

Stored is RGB or grey, at most `max_side` pixels a side. What is transparent lies on white; where all that could be seen
is white itself, on black. Transparency that hides everything is taken for a fault of the program that wrote it.

To be called in a guarded process alone (`pipeline.pictures.reading`). This module imports only Pillow and the standard
library, so that one starts in a tenth of a second; HEIC has a decoder of its own, imported when it is met.
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator

from PIL import Image, JpegImagePlugin

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
"""Beside HEIC."""
STORED = ("JPEG", "PNG")
LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "HEIF")
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError),
    *(AssertionError, AttributeError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow and its decoders raise on damaged files; anything else is a fault of theirs, and ends the process."""
MAX_SCANS = 500
"""Of a JPEG: a progressive one has about ten. Each may cost a look at every pixel, and takes but a dozen bytes."""
WHITE = 250
"""The least value of what looks white."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG, _MARKER = b"\xff\xd8", re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(stored: bytes) -> Image.Image:
    """A stored picture as an RGB image."""
    return Image.open(io.BytesIO(stored), formats=STORED).convert("RGB")


def plain_picture(data: bytes, max_pixels: int, max_side: int) -> tuple[bytes, int, int]:
    """What is stored of the picture file `data`, and the upright width and height of the original.

    Raises UnidentifiedImageError for a format that is not in FORMATS, Image.DecompressionBombError for more than
    `max_pixels` pixels, and one of DAMAGE for a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = max_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Pillow only warns from the limit on; its error comes at twice as many pixels.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = _opened(data)
        width, height = image.size
        original = image.format
        if original != "GIF":  # a JPEG of many times the size is decoded at 1/2, 1/4 or 1/8
            image.draft(None, (2 * max_side, 2 * max_side))
        image.load()
        turn = _TURNS.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
    if upright.size != image.size:
        width, height = height, width
    small = _on_paper(_shrunk(_eight_bit(upright), max_side))
    small.info.clear()  # Pillow would write some of it
    stored = io.BytesIO()
    if original in LOSSY:
        as_it_was = turn is None and small.size == (width, height) and small.mode == image.mode
        small.save(stored, "JPEG", **(_own_tables(image) if as_it_was else {}) or {"quality": 95, "subsampling": 0})
    else:
        small.save(stored, "PNG")
    return stored.getvalue(), width, height


def _opened(data: bytes) -> Image.Image:
    if data.startswith(_PNG):
        data = _PNG + b"".join(_needed_chunks(data))
    if data.startswith(_JPEG) and _scans(data) > MAX_SCANS:
        raise ValueError(f"more than {MAX_SCANS} scans")
    formats: tuple[str, ...] = FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS and b"avif" not in data[8:64]:
        import pi_heif

        pi_heif.register_heif_opener()
        formats = ("HEIF",)
    return Image.open(io.BytesIO(data), formats=formats)


def _needed_chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of a PNG that its pixels need, and its EXIF: texts and profiles may be long, private ones anything."""
    at = len(_PNG)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind in _PNG_CHUNKS:
            yield data[at : at + 12 + length]
        at += 12 + length
        if kind == b"IEND":
            return


def _scans(data: bytes) -> int:
    """How many scans a JPEG has up to its end, counted to just beyond MAX_SCANS."""
    scans, at = 0, len(_JPEG)
    while scans <= MAX_SCANS and (marker := _MARKER.search(data, at)) and marker[1] != b"\xd9":
        scans += marker[1] == b"\xda"
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return scans


def _orientation(image: Image.Image) -> int:
    """How EXIF says that the picture has to be turned, 1 to 8; 1 where it says nothing that can be read."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except DAMAGE:  # for EXIF is odd more often than pictures are
        return 1
    if isinstance(found, tuple | bytes) and found:
        found = found[0]
    return int(found) if isinstance(found, int | float) else 1


def _own_tables(image: Image.Image) -> dict[str, object]:
    """How to encode a JPEG as it was: its tables and its sampling of colours; nothing where it is no plain JPEG."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("L", "RGB"):
        return {}
    tables = [list(table) for table in image.quantization.values()]
    if not tables or any(len(table) != 64 or min(table) < 1 or max(table) > 255 for table in tables):
        return {}
    sampling = JpegImagePlugin.get_sampling(image)
    return {"qtables": tables, "subsampling": 0 if sampling == -1 else sampling}


def _eight_bit(image: Image.Image) -> Image.Image:
    """As L or RGB, or with transparency as premultiplied RGBa, in which shrinking does not bleed hidden colours."""
    if image.mode == "I;16":
        grey = image.point(lambda value: value * (1 / 256)).convert("L")  # convert alone would clip at 255
        hidden = image.info.get("transparency")
        if hidden is None:
            return grey
        seen = bytes(255 * (value != hidden) for value in memoryview(image.tobytes()).cast("H"))
        grey.putalpha(Image.frombytes("L", image.size, seen))
        return grey.convert("RGBA").convert("RGBa")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        if clear.getchannel("A").getextrema() == (0, 0):
            seen_without = clear.convert("RGB")
            if any(low != high for low, high in _extremes(seen_without)):
                return seen_without
        return clear.convert("RGBa")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _extremes(image: Image.Image) -> list[tuple[float, float]]:
    """The least and the largest value of each band."""
    return [band.getextrema() for band in image.split()]  # type: ignore[misc]


def _shrunk(image: Image.Image, max_side: int) -> Image.Image:
    image.thumbnail((max_side, max_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def _on_paper(image: Image.Image) -> Image.Image:
    """A picture without transparency: on white, or on black where on white nothing would be seen."""
    if image.mode != "RGBa":
        return image
    clear = image.convert("RGBA")
    least, most = clear.getchannel("A").getextrema()
    for paper in ("white", "black"):
        sheet = Image.new("RGBA", image.size, paper)
        sheet.alpha_composite(clear)
        shown = sheet.convert("RGB")
        if most == least or min(low for low, _ in _extremes(shown)) < WHITE:
            break
    return shown
