"""Pictures from strangers: decoded in processes that may be killed, and stored small and plain.

A picture file is hostile input. Formats are an allow-list, the number of pixels has a limit, and decoding happens in
worker processes with a limit of memory and of processor time, which talk to this one in plain bytes: a file that kills
its worker costs that file alone. Whatever is refused comes back as `Rejected` with a reason; nothing is dropped. A
worker ends with its parent. What is stored tells `pipeline.pictures.storing`.

This module imports only Pillow and the standard library, so that a worker starts in a tenth of a second.
"""

import ctypes
import hashlib
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from pipeline.pictures.storing import DAMAGE, plain_picture
from pipeline.running.engines import chosen, spread
from pipeline.running.machine import cores

MISSING, UNKNOWN, VIDEO = "missing", "not an image of a known format", "a video"
"""Reasons of a name that leads to no file, and of files that are no pictures."""
MAX_BYTES = 256 << 20
"""Larger files are not read: an uncompressed picture of the largest size allowed is about as large as this."""
MAX_SECONDS = 60
"""Of processor time for one file, so that a busy machine rejects nothing. The largest allowed take a few seconds."""
HELD_BYTES = 256 << 20
"""Bytes of files that wait to be decoded, beside one of any size."""
PARCEL, PARCEL_BYTES = 64, 16 << 20
"""Files that a job of a cluster takes in, or the bytes of fewer: beside seconds of work its start is little."""
_STILL_SECONDS = 300
"""After this long without any processor time a worker is taken to be stuck."""


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

    Of `files` no more than a few per worker are held at a time. The result does not depend on `workers`. On a cluster,
    where `workers` is not given, each of its cores is one: this process reads, and passes on.
    """
    if workers is None and chosen() == "ray":
        for part in spread(partial(_taken, max_pixels, max_side), _parcels(files)):
            yield from part
        return
    workers = workers or (1 if chosen() == "serial" else cores())
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

    waiting: deque[tuple[str, int, Future[Picture | Rejected]]] = deque()
    held = 0
    threads = ThreadPoolExecutor(workers)
    try:
        for name, data in files:
            waiting.append((name, len(data), threads.submit(take, data)))
            held += len(data)
            del data
            while len(waiting) > 4 * workers or (held > HELD_BYTES and len(waiting) > 1):
                first, size, result = waiting.popleft()
                held -= size
                yield first, result.result()
        while waiting:
            first, _, result = waiting.popleft()
            yield first, result.result()
    finally:
        threads.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.end()


def _taken(max_pixels: int, max_side: int, files: list[tuple[str, bytes]]) -> list[tuple[str, Picture | Rejected]]:
    return list(intake(files, max_pixels, max_side, 1))


def _parcels(files: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """The files by PARCEL, or by as many as hold PARCEL_BYTES."""
    held: list[tuple[str, bytes]] = []
    for file in files:
        held.append(file)
        if len(held) == PARCEL or sum(len(data) for _, data in held) >= PARCEL_BYTES:
            yield held
            held = []
    if held:
        yield held


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
            used = _processor_time(process.pid)
            while not connection.poll(_STILL_SECONDS):
                if used == (used := _processor_time(process.pid)):
                    self.end()
                    return Rejected("too slow", f"the decoder stood still for {_STILL_SECONDS} s")
            answer = connection.recv_bytes()
        except (EOFError, ConnectionError):
            code = process.wait()
            self.end()
            if code == -signal.SIGPROF:
                return Rejected("too slow", f"not decoded in {MAX_SECONDS} s of processor time")
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
        arguments = ", ".join(map(str, (theirs.fileno(), *self._limits, MAX_SECONDS, os.getpid())))
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


_OTHERS = {
    b"<svg": "a drawing, SVG",
    b"<?xml": "XML, perhaps a drawing (SVG)",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"{": "JSON",
    b"version https://git-lfs": "a Git LFS pointer",
    b"%pdf": "PDF",
    b"ii*\0": "TIFF",
    b"mm\0*": "TIFF",
    b"pk\3\4": "a zip",
    **dict.fromkeys((b"\xff\x0a", b"\0\0\0\x0cjxl "), "JPEG XL"),
    b"\0\0\0\x0cjp  ": "JPEG 2000",
    b"\x1f\x8b": "packed by gzip",
    **dict.fromkeys((b"data:image/", b"ivborw0kggo", b"/9j/4"), "a picture in letters, base64"),
}


_OF_VIDEO = re.compile(
    rb"....ftyp(?:iso[m2-9]|mp4|avc|M4V|qt  |3g|dash|MSNV|f4v)|\x1aE\xdf\xa3|RIFF....AVI |FLV\x01|\0\0\x01[\xba\xb3]",
    re.DOTALL,
)
"""How MP4 and QuickTime, WebM and Matroska, AVI, Flash and MPEG begin."""


def _what(begin: bytes) -> str:
    """How a file begins that is no picture, and what it then is."""
    text = begin.lower().lstrip()
    known = next((f"{what}; " for first, what in _OTHERS.items() if text.startswith(first)), "")
    return f"{known}begins with {begin[:8].hex(' ')}"


def _processor_time(pid: int) -> float:
    """Seconds, or ticks, that a process has worked; where no one tells, the time of day, which never stands still."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return time.monotonic()
    return float(fields[11]) + float(fields[12])


def _serve(handle: int, max_pixels: int, max_side: int, max_seconds: float, parent: int) -> None:
    """Answer each file that comes through the socket `handle`, until it closes. The life of a guarded process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it closes the socket
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Pixels of four bytes, in at most four copies, beside Python itself.
        resource.setrlimit(resource.RLIMIT_AS, ((512 << 20) + 16 * max_pixels,) * 2)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: whoever asked is gone, in the midst of a file
        if os.getppid() != parent:
            return
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    connection: Connection[Any, Any] = Connection(handle)
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        rejected = None
        signal.setitimer(signal.ITIMER_PROF, max_seconds)  # its signal ends this process
        try:
            stored, width, height = plain_picture(data, max_pixels, max_side)
        except UnidentifiedImageError:
            video = _OF_VIDEO.match(data[:64])
            rejected = Rejected(VIDEO if video else UNKNOWN, _what(data[:64]))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            rejected = Rejected("too many pixels", f"{str(error).partition(' exceeds')[0]}, limit {max_pixels}")
        except MemoryError:
            rejected = Rejected("too much memory", f"decoding needs more than {16 * max_pixels >> 20} MiB")
        except DAMAGE as error:
            rejected = Rejected("damaged", f"{type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_PROF, 0)
        if rejected is not None:
            connection.send_bytes(_HEAD.pack(True, 0, 0) + "\n".join(rejected).encode(errors="replace"))
        else:
            connection.send_bytes(_HEAD.pack(False, width, height) + stored)
