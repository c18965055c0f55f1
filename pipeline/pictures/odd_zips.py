"""Zips with odd entries, read for zipfile so that it does not refuse the others with them."""
# ruff: noqa: D102 - methods of a file

import io
import struct
from typing import BinaryIO


class TolerantFile(io.BufferedIOBase):
    """The file of a zip, read so that one odd entry does not keep zipfile from the others.

    While the archive is opened, the list of entries is read in one piece, in which names lose the mark of being UTF-8
    (so that zipfile takes them as bytes: Latin-1), versions become one that zipfile knows, and extra fields that do not
    parse become blank. Of an entry's own header, 30 bytes read alone, the mark goes too, as zipfile compares the two.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.opening = True
        self._stream = stream

    def read(self, size: int | None = -1) -> bytes:
        data = self._stream.read(-1 if size is None else size)
        if self.opening and data[:4] == b"PK\1\2":
            return self._plain_list(data)
        if size == 30 and data[:4] == b"PK\3\4":
            return data[:7] + bytes([data[7] & ~0x08]) + data[8:]
        return data

    def _plain_list(self, data: bytes) -> bytes:
        plain, at = bytearray(data), 0
        while plain[at : at + 4] == b"PK\1\2" and at + 46 <= len(plain):
            name, extra, comment = struct.unpack_from("<3H", plain, at + 28)
            plain[at + 6] = min(plain[at + 6], 45)
            plain[at + 9] &= ~0x08
            begin = at + 46 + name
            if not _extra_is_sound(bytes(plain[at : at + 46]), bytes(plain[begin : begin + extra])):
                plain[begin : begin + extra] = bytes(len(plain[begin : begin + extra]))
            at = begin + extra + comment
        return bytes(plain)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()


def _extra_is_sound(entry: bytes, extra: bytes) -> bool:
    """Whether zipfile can read the extra fields of an entry."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if length + 4 > len(extra):
            return False
        large = [entry[24:28], entry[20:24], entry[42:46]].count(b"\xff" * 4)
        if kind == 1 and length < 8 * large:
            return False
        extra = extra[length + 4 :]
    return True
