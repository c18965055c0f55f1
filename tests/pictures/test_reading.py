"""Hostile and odd pictures: each is either stored as it should look, or rejected with its reason; the run goes on."""

import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.pictures import reading as pictures
from pipeline.pictures.reading import Picture, Rejected, intake
from pipeline.pictures.storing import plain_picture, to_rgb
from tests.made.pictures import encoded
from tests.pictures.heic import HEIC

PIXELS, SIDE = 1_000_000, 64


def taken(*files: bytes, max_pixels: int = PIXELS, max_side: int = SIDE, workers: int = 1) -> list[Picture | Rejected]:
    named = ((str(number), data) for number, data in enumerate(files))
    return [found for _, found in intake(named, max_pixels, max_side, workers)]


def stored(data: bytes, max_side: int = SIDE) -> np.ndarray:
    return np.asarray(to_rgb(plain_picture(data, PIXELS, max_side)[0]), int)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"])
def test_allowed_formats_keep_their_look(kind: str, gradient: Image.Image) -> None:
    found = stored(encoded(gradient, kind))
    assert found.shape == (40, 60, 3)
    assert np.abs(found - np.asarray(gradient, int)).mean() < (12 if kind == "GIF" else 4)  # a GIF has 256 colours


def test_large_pictures_shrink_and_keep_the_size_of_the_original(gradient: Image.Image) -> None:
    large = gradient.resize((600, 400))
    for kind in ("PNG", "JPEG"):
        (found,) = taken(encoded(large, kind))
        assert isinstance(found, Picture)
        assert (found.width, found.height) == (600, 400)
        assert to_rgb(found.bytes).size == (64, 43)


def test_exif_orientation_is_applied(gradient: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: upright is the file turned clockwise
    (found,) = taken(encoded(gradient, "JPEG", quality=95, exif=exif))
    assert isinstance(found, Picture)
    assert (found.width, found.height) == (40, 60)
    upright = np.asarray(gradient.transpose(Image.Transpose.ROTATE_270), int)
    assert np.abs(np.asarray(to_rgb(found.bytes), int) - upright).mean() < 4


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    half = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    assert (stored(encoded(clear, "PNG")) == 255).all()
    np.testing.assert_allclose(stored(encoded(half, "PNG"))[0, 0], [255, 127, 127], atol=1)
    assert (stored(encoded(palette, "PNG", transparency=1)) == 255).all()
    assert (stored(encoded(Image.new("L", (8, 8), 7), "PNG", transparency=7)) == 255).all()


def test_hidden_colours_do_not_bleed_when_shrunk() -> None:
    sheet = Image.new("RGBA", (256, 256), (0, 255, 0, 0))  # green, but fully transparent
    sheet.paste((255, 0, 0, 255), (0, 0, 128, 256))
    found = stored(encoded(sheet, "PNG"))
    assert (found[..., 0] == 255).all() and np.array_equal(found[..., 1], found[..., 2])


def test_sixteen_bits_cmyk_and_one_bit() -> None:
    deep = Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8))
    np.testing.assert_allclose(stored(encoded(deep, "PNG"))[..., 0].ravel(), np.linspace(0, 255, 64), atol=1.1)
    assert (stored(encoded(Image.fromarray(np.full((4, 4), 300, np.uint16)), "PNG", transparency=300)) == 255).all()
    ink = stored(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert (ink[..., 0] > 200).all() and (ink[..., 1:] < 60).all()
    assert (stored(encoded(Image.new("1", (8, 8), 1), "PNG")) == 255).all()


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    found = stored(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert (found == [255, 0, 0]).all()


def test_no_side_becomes_nothing() -> None:
    (found,) = taken(encoded(Image.new("RGB", (5000, 1), "red"), "PNG"))
    assert isinstance(found, Picture) and to_rgb(found.bytes).size == (64, 1)


def bomb() -> bytes:
    """A PNG of 40,000 × 40,000 pixels in a few hundred bytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    parts = (header, b"IDAT" + zlib.compress(bytes(10_000)), b"IEND")
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_each_refusal_has_its_reason_and_the_run_goes_on(gradient: Image.Image) -> None:
    good = encoded(gradient, "PNG")
    just_too_many = encoded(Image.new("1", (1001, 1000)), "PNG")
    tiff = encoded(gradient, "TIFF")
    found = taken(b"", b"no picture", good[: len(good) // 2], bomb(), just_too_many, tiff, good, workers=2)
    reasons = [one.reason if isinstance(one, Rejected) else "taken" for one in found]
    unknown = "not an image of a known format"
    assert reasons == ["empty file", unknown, "damaged", "too many pixels", "too many pixels", unknown, "taken"]
    others = taken(b"\n<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1", tiff)
    told = [one.detail.partition(";")[0] for one in others if isinstance(one, Rejected)]
    assert told == ["a web page", "a Git LFS pointer", "TIFF"]


UNKNOWN = "not an image of a known format"


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"\0\0\0\x14ftypqt  ", "a video"),
        (b"\x1aE\xdf\xa3", "a video"),
        (b"RIFF\1\2\3\4AVI ", "a video"),
        (b"\0\0\0\x18ftypmif2", UNKNOWN),
        (b"RIFF\1\2\3\4WAVE", UNKNOWN),
    ],
)
def test_a_video_is_one_whatever_it_is_called(begin: bytes, reason: str) -> None:
    (found,) = taken(begin + bytes(200))
    assert isinstance(found, Rejected) and found.reason == reason


def test_a_decoder_that_dies_or_hangs_costs_one_file(gradient: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    good = encoded(gradient, "PNG")
    decoder = pictures._Decoder(PIXELS, SIDE)
    assert isinstance(decoder.decode(good), Picture)
    assert decoder._process is not None
    decoder._process.kill()
    assert decoder.decode(good) == Rejected("decoder died", "SIGKILL")
    assert isinstance(decoder.decode(good), Picture)
    os.kill(decoder._process.pid, 19)  # stopped: it will never answer
    monkeypatch.setattr(pictures, "_STILL_SECONDS", 0.2)
    assert decoder.decode(good) == Rejected("too slow", "the decoder stood still for 0.2 s")
    monkeypatch.undo()
    assert isinstance(decoder.decode(good), Picture)
    decoder.end()


def test_what_is_too_slow_is_told_by_processor_time(gradient: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_SECONDS", 0.05)
    large = encoded(gradient.resize((5000, 4000)), "PNG", compress_level=1)
    (slow,) = taken(large, max_pixels=20_000_000)
    assert slow == Rejected("too slow", "not decoded in 0.05 s of processor time")


def test_a_decoder_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import io, os, signal, sys, time\n"
        "from PIL import Image\n"
        "from pipeline.pictures.reading import _Decoder\n"
        "file = io.BytesIO()\n"
        "Image.new('L', (9, 9)).save(file, 'PNG')\n"
        "decoder = _Decoder(1000, 64)\n"
        "decoder.decode(file.getvalue())\n"
        "os.kill(decoder._process.pid, signal.SIGSTOP)\n"  # so that it sees no closed socket
        "print(decoder._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        decoder = Path(f"/proc/{int(parent.stdout.readline())}")
        assert decoder.exists()
        parent.kill()
    for _ in range(100):
        if not decoder.exists() or ") Z" in (decoder / "stat").read_text():
            return
        time.sleep(0.1)
    pytest.fail("the decoder outlived its parent")


def test_few_bytes_wait_to_be_decoded_whatever_the_number_of_files(
    gradient: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "HELD_BYTES", 100_000)
    good = encoded(gradient, "PNG")
    asked = 0

    def files() -> Iterator[tuple[str, bytes]]:
        nonlocal asked
        for number in range(50):
            asked += 1
            yield str(number), good + bytes(60_000)

    for done, (_, found) in enumerate(intake(files(), PIXELS, SIDE, workers=4), start=1):
        assert isinstance(found, Picture) and len(found.bytes) < 10_000 and asked - done <= 2


def test_order_and_result_do_not_depend_on_workers(gradient: Image.Image) -> None:
    files = [encoded(gradient.resize((20 + n, 30)), "PNG") if n % 5 else b"?" * n for n in range(40)]
    assert taken(*files, workers=1) == taken(*files, workers=3)


def test_stopping_early_leaves_no_process(gradient: Image.Image) -> None:
    good = encoded(gradient, "PNG")
    stream = intake(((str(n), good) for n in range(1000)), PIXELS, SIDE, workers=2)
    next(stream)
    stream.close()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    assert not [command for command in commands if b"pipeline.pictures.reading" in command]


def mutated(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Files with some bytes changed, most of them where formats are told what follows; every third is cut."""
    random = np.random.default_rng(seed)
    for number in range(count):
        data = bytearray(seeds[number % len(seeds)])
        reach = len(data) if number % 2 else min(len(data), 200)
        for place in random.integers(0, reach, random.integers(1, 12)):
            data[place] = random.integers(256)
        yield bytes(data[: random.integers(1, len(data) + 1)] if number % 3 == 0 else data)


@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_mutated_files_are_all_accounted_for(gradient: Image.Image, count: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    seeds = [encoded(gradient, kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")]
    seeds += [encoded(gradient, "JPEG", exif=exif, progressive=True), encoded(gradient.convert("P"), "PNG"), HEIC]
    found = taken(*mutated(seeds, count, 7), workers=2)
    assert len(found) == count
    kept = [one for one in found if isinstance(one, Picture)]
    assert 0.1 * count < len(kept) < 0.9 * count
    for one in kept:
        assert max(to_rgb(one.bytes).size) <= SIDE
    # One HEIC in thousands has its brand changed to one of videos.
    assert {one.reason for one in found if isinstance(one, Rejected)} <= {
        "damaged", "not an image of a known format", "too many pixels", "too much memory", "a video"
    }  # fmt: skip
