"""Pictures from strangers: read inside one folder, decoded in processes that may be killed, stored small and plain.

A picture file is hostile input. Formats are an allow-list, the number of pixels has a limit, and decoding happens in
worker processes with a limit of memory and of time, which talk to this one in plain bytes: a file that kills its
worker costs that file alone. Whatever is refused comes back as `Rejected` with a reason; nothing is dropped.

What is stored is upright (EXIF orientation applied), RGB or grey, transparency on white, at most `max_side` pixels a
side. A JPEG or PNG that is all this already, with nothing beside its pixels, keeps its bytes: no loss, no work. Other
pictures are encoded anew: PNG where the original was lossless (drawings stay exact), JPEG of quality 95 where it was
lossy. So places and dates in EXIF never reach the store.

This module imports only Pillow and the standard library, so that a worker starts in a tenth of a second.
"""

import hashlib
import io
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.running.machine import cores

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
LOSSY = ("JPEG", "MPO", "WEBP")
MAX_BYTES = 256 << 20
"""Larger files are not read: an uncompressed picture of the largest size allowed is about as large as this."""
MAX_SECONDS = 120
"""For one file. The largest allowed take a few seconds, so that a busy machine rejects nothing."""

# What Pillow raises on damaged files; anything else is a fault of the decoder, and ends its process.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError, struct.error)
# Facts about a file that tell nothing beside its pixels; with any other (EXIF, comments, a profile) it is encoded anew.
_PLAIN = {
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform", "progressive", "progression"),
    *("dpi", "gamma", "srgb", "interlace", "aspect", "chromaticity"),
}


class Picture(NamedTuple):
    """A picture taken in: `bytes` as stored; `image_id` and the upright `width` and `height` of the original."""

    image_id: str
    bytes: bytes
    width: int
    height: int


class Rejected(NamedTuple):
    """A file left out: one of a few reasons, and what was found."""

    reason: str
    detail: str


def intake(
    files: Iterable[tuple[str, bytes]], max_pixels: int, max_side: int, workers: int | None = None
) -> Iterator[tuple[str, Picture | Rejected]]:
    """Decode and shrink `files`, (name, bytes) each, in `workers` guarded processes; yields in order of input.

    Of `files` no more than a few per worker are held at a time. The result does not depend on `workers`.
    """
    workers = workers or cores()
    idle: SimpleQueue[_Decoder] = SimpleQueue()
    decoders = [_Decoder(max_pixels, max_side) for _ in range(workers)]
    for decoder in decoders:
        idle.put(decoder)

    def take(data: bytes) -> Picture | Rejected:
        decoder = idle.get()
        try:
            return decoder.decode(data)
        finally:
            idle.put(decoder)

    waiting: deque[tuple[str, Future[Picture | Rejected]]] = deque()
    threads = ThreadPoolExecutor(workers)
    try:
        for name, data in files:
            waiting.append((name, threads.submit(take, data)))
            if len(waiting) > 4 * workers:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        threads.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.end()


def to_rgb(stored: bytes) -> Image.Image:
    """A stored picture as an RGB image."""
    return Image.open(io.BytesIO(stored), formats=FORMATS).convert("RGB")


def plain_picture(data: bytes, max_pixels: int, max_side: int) -> tuple[bytes, int, int]:
    """What is stored of the picture file `data`, and the upright width and height of the original.

    To be called in a guarded process alone. Raises UnidentifiedImageError for a format that is not in FORMATS,
    Image.DecompressionBombError for more than `max_pixels` pixels, and one of a few exceptions for a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = max_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Pillow only warns from the limit on; its error comes at twice as many pixels.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        original = image.format
        if original != "GIF":  # a JPEG of many times the size is decoded at 1/2, 1/4 or 1/8
            image.draft(None, (2 * max_side, 2 * max_side))
        image.load()
        fine = (
            original in ("JPEG", "PNG")
            and image.mode in ("RGB", "L")
            and max(width, height) <= max_side
            and set(image.info) <= _PLAIN
        )
        if fine:
            return data, width, height
        upright = ImageOps.exif_transpose(image)
    if upright.size != image.size and upright.size == image.size[::-1]:
        width, height = height, width
    small = _on_white(_shrunk(_eight_bit(upright), max_side))
    small.info.clear()
    stored = io.BytesIO()
    if original in LOSSY:
        small.save(stored, "JPEG", quality=95, subsampling=0)
    else:
        small.save(stored, "PNG")
    return stored.getvalue(), width, height


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
        return image.convert("RGBA").convert("RGBa")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _shrunk(image: Image.Image, max_side: int) -> Image.Image:
    image.thumbnail((max_side, max_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBa":
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


class _Decoder:
    """A guarded process, started when first needed, and anew after a file has ended it. For one thread at a time."""

    def __init__(self, max_pixels: int, max_side: int) -> None:
        self._limits = max_pixels, max_side
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def decode(self, data: bytes) -> Picture | Rejected:
        if not data:
            return Rejected("empty file", "0 bytes")
        if self._process is None:
            self._start()
        process, connection = self._process, self._connection
        assert process is not None and connection is not None
        try:
            connection.send_bytes(data)
            if not connection.poll(MAX_SECONDS):
                self.end()
                return Rejected("too slow", f"not decoded after {MAX_SECONDS} s")
            answer = connection.recv_bytes()
        except (EOFError, ConnectionError):
            code = process.wait()
            self.end()
            how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            return Rejected("decoder died", how)
        kind, width, height = _HEAD.unpack_from(answer)
        body = answer[_HEAD.size :]
        if kind:
            reason, _, detail = body.decode(errors="replace").partition("\n")
            return Rejected(reason, detail)
        return Picture(hashlib.sha256(data).hexdigest(), body, width, height)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        arguments = ", ".join(map(str, (theirs.fileno(), *self._limits)))
        code = f"from pipeline.pictures.reading import _serve; _serve({arguments})"
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment
            )
        self._connection = Connection(ours.detach())

    def end(self) -> None:
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None


_HEAD = struct.Struct("<?II")
"""How an answer begins: whether the file is rejected, width, height. The stored bytes follow, or reason and detail."""


def _serve(handle: int, max_pixels: int, max_side: int) -> None:
    """Answer each file that comes through the socket `handle`, until it closes. The life of a guarded process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it closes the socket
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Pixels of four bytes, in at most four copies, beside Python itself.
        resource.setrlimit(resource.RLIMIT_AS, ((512 << 20) + 16 * max_pixels,) * 2)
    connection: Connection[Any, Any] = Connection(handle)
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        rejected = None
        try:
            stored, width, height = plain_picture(data, max_pixels, max_side)
        except UnidentifiedImageError:
            rejected = Rejected("not an image of a known format", f"begins with {data[:8].hex(' ')}")
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            rejected = Rejected("too many pixels", f"{str(error).partition(' exceeds')[0]}, limit {max_pixels}")
        except MemoryError:
            rejected = Rejected("too much memory", f"decoding needs more than {16 * max_pixels >> 20} MiB")
        except _DAMAGE as error:
            rejected = Rejected("damaged", f"{type(error).__name__}: {error}")
        if rejected is not None:
            connection.send_bytes(_HEAD.pack(True, 0, 0) + "\n".join(rejected).encode(errors="replace"))
        else:
            connection.send_bytes(_HEAD.pack(False, width, height) + stored)
