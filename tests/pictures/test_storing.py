"""What is stored of a picture: its pixels as people see them, encoded by us, and nothing else of the file."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from pipeline.pictures.storing import plain_picture, to_rgb
from tests.made.pictures import encoded
from tests.pictures.heic import HEIC

SIDE = 512
SECRET = b"taken at home"


def stored(data, side=SIDE):
    return plain_picture(data, 1_000_000, side)[0]


def pixels(data):
    return np.asarray(to_rgb(stored(data)), int)


@pytest.fixture
def photo():
    """Coarse and fine detail, as photos have."""
    chance = np.random.default_rng(3)
    image = np.zeros((240, 320, 3))
    for cells in (4, 16, 64):
        small = Image.fromarray(chance.integers(0, 256, (cells, cells, 3), np.uint8))
        image += np.asarray(small.resize((320, 240), Image.Resampling.BICUBIC), float) / cells
    return Image.fromarray((255 * image / image.max()).astype(np.uint8))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("quality", [30, 75, 90, 98])
@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_keeps_its_quality_and_size(photo, quality, sampling, mode):
    file = encoded(photo.convert(mode), "JPEG", quality=quality, subsampling=sampling, progressive=quality == 75)
    kept = stored(file)
    off = np.abs(np.asarray(to_rgb(kept), int) - np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), int))
    assert off.mean() < 0.75 and len(kept) < 1.3 * len(file) + 300
    assert kept.count(b"\xff\xda") == 1  # one scan, whatever the file had
    assert stored(file) == kept


def test_nothing_beside_the_pixels_is_stored(photo):
    jpeg, png = encoded(photo, "JPEG"), encoded(photo, "PNG")
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Comment", SECRET.decode())
    more = [
        *(jpeg[:2] + segment(marker, SECRET * 9) + jpeg[2:] for marker in (0xE1, 0xE2, 0xEB, 0xED, 0xEF, 0xFE)),
        jpeg[:-2] + SECRET + jpeg[-2:],
        jpeg + SECRET,
        *(png[:33] + chunk(kind, SECRET) + png[33:] for kind in (b"tIME", b"caBX", b"prVt", b"zTXt", b"iCCP")),
        png + SECRET,
        png[:-12] + chunk(b"prVt", SECRET) + png[-12:],
        *(encoded(photo, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP", "AVIF")),
        encoded(photo, "WEBP", xmp=SECRET),
        encoded(photo, "WEBP") + SECRET,
        encoded(photo, "GIF", comment=SECRET),
        encoded(photo, "JPEG", comment=SECRET, icc_profile=SECRET),
        encoded(photo, "PNG", pnginfo=info, icc_profile=SECRET),
        encoded(photo, "BMP") + SECRET,
    ]
    for number, file in enumerate(more):
        assert SECRET in file and SECRET not in stored(file), number
        kept = stored(file)
        assert set(Image.open(io.BytesIO(kept)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert len(kept) < 200_000


def test_what_follows_the_picture_costs_nothing(gradient):
    for kind in ("JPEG", "PNG"):
        file = encoded(gradient, kind)
        assert stored(file + bytes(3_000_000)) == stored(file)
        assert len(stored(file)) < 5000


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded_and_bytes_that_look_like_some_are_not(photo):
    jpeg = encoded(photo, "JPEG", progressive=True)
    at = jpeg.rindex(b"\xff\xda")
    again = jpeg[at : at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])] + b"\0"
    looks = b"\xff\xda" * 1000
    for more in (again * 300, segment(0xED, looks)):
        assert stored(jpeg[:at] + more + jpeg[at:])
    assert stored(jpeg + looks)
    with pytest.raises(ValueError, match="more than 500 scans"):
        stored(jpeg[:-2] + again * 200_000 + jpeg[-2:])


def test_long_texts_and_profiles_inside_a_png_do_not_matter(gradient):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("workflow", "node " * 260_000, zip=True)
    info.add_text("Raw history", "step " * 260_000, zip=True)
    info.add_text("Raw profile type exif", "\nexif\n    6\nno hex")
    file = encoded(gradient, "PNG", pnginfo=info, icc_profile=bytes(1_200_000))
    assert (pixels(file) == np.asarray(gradient)).all()


def odd_exif(*entries, orientation=(3, 1, b"\6\0\0\0")):
    """EXIF of an orientation, 6, and these (tag, type, count, value) beside it, as no camera should write them."""
    entries = sorted([(0x112, *orientation), *entries])
    body = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<III", 0, 72, 1)


@pytest.mark.parametrize(
    "exif",
    [
        *[odd_exif(), b"Exif\0\0" + odd_exif(), odd_exif((0x128, 1, 1, b"\2\0\0\0"))],
        *[odd_exif((0x11A, 2, 3, b"72\0\0")), odd_exif((0x10E, 5, 1, struct.pack("<I", 38)))],
        *[odd_exif((0x10F, 7, 4, b"\xff\xfe\xff\0")), odd_exif((0x8769, 4, 1, struct.pack("<I", 60_000)))],
        *[odd_exif((0x9999, 99, 1, b"what")), odd_exif(orientation=(1, 1, b"\6\0\0\0"))],
        odd_exif(orientation=(3, 2, b"\6\0\6\0")),
    ],
)
def test_orientation_is_read_whatever_else_exif_holds(gradient, exif):
    data, width, height = plain_picture(encoded(gradient, "JPEG", quality=95, exif=exif), 10_000, SIDE)
    assert (width, height) == to_rgb(data).size == (40, 60)
    upright = np.asarray(gradient.transpose(Image.Transpose.ROTATE_270), int)
    assert np.abs(np.asarray(to_rgb(data), int) - upright).mean() < 4


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", odd_exif()[:17], odd_exif(orientation=(3, 1, b"\0\1\0\0"))],
)
def test_exif_that_says_nothing_leaves_a_picture_as_it_is(gradient, exif):
    assert plain_picture(encoded(gradient, "JPEG", exif=exif), 10_000, SIDE)[1:] == (60, 40)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "AVIF", "WEBP", "JPEG"])
def test_all_eight_orientations(gradient, turn, kind):
    exif = Image.Exif()
    exif[0x0112] = turn
    file = encoded(gradient, kind, exif=exif, quality=95)
    meant = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB"), int)
    assert np.abs(pixels(file) - meant).mean() < 3


def test_heic_and_avif_are_read_under_any_name(gradient):
    for file in (HEIC, encoded(gradient, "AVIF", quality=90)):
        assert np.abs(pixels(file) - np.asarray(gradient, int)).mean() < 6
        with pytest.raises(Exception, match=r".*"):
            plain_picture(file[: len(file) // 2], 10_000, SIDE)


def test_transparency_that_hides_everything_is_a_fault_and_white_on_nothing_lies_on_black(gradient):
    empty = gradient.convert("RGBA")
    empty.putalpha(0)
    assert (pixels(encoded(empty, "PNG")) == np.asarray(gradient)).all()
    assert (pixels(encoded(Image.new("RGBA", (8, 8), (9, 9, 9, 0)), "PNG")) == 255).all()

    drawn = Image.new("RGBA", (60, 40), (255, 255, 255, 0))
    drawn.paste((255, 255, 255, 255), (10, 10, 20, 20))
    found = pixels(encoded(drawn, "PNG"))
    assert (found[12:18, 12:18] == 255).all() and (found[25:] == 0).all()
    drawn.paste((200, 0, 0, 255), (30, 10, 40, 20))  # something can be seen on white
    assert (pixels(encoded(drawn, "PNG"))[25:] == 255).all()
