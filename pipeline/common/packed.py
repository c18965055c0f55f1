"""Packed files, known by their first bytes and not by their names, which browsers leave when they unpack on the way."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from typing import IO

import zstandard

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile)
"""What reading a packed file raises that was cut off or damaged; an OSError without a number, else it is the disk's."""


def unpacked(stream: IO[bytes]) -> io.BufferedReader:
    """What is packed in `stream` by gzip, bzip2, xz or zstd, as it is read; else the same bytes. It can be peeked."""
    head = io.BufferedReader(stream, 1 << 20)  # type: ignore[type-var]
    magic = head.peek(6)[:6]
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=head)  # type: ignore[return-value]
    if magic[:3] == b"BZh":
        return bz2.BZ2File(head)  # type: ignore[return-value]
    if magic == b"\xfd7zXZ\0":
        return lzma.LZMAFile(head)  # type: ignore[return-value]
    if magic[:4] == b"\x28\xb5\x2f\xfd":
        # Dumps of Reddit use windows of up to 2 GB, which readers refuse unless told.
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(head, read_across_frames=True)
        return io.BufferedReader(reader, 1 << 20)  # type: ignore[type-var]
    return head  # type: ignore[return-value]
