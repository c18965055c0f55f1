"""Rows of an array on disk, read when they are asked for: nothing of it is in memory but what is asked.

Of a memory-mapped array a process soon holds all, as each page that it touches brings those about it. The system may
take these back, but no measurement of memory tells them from what is held, and no limit of a container either.
"""

import os
from pathlib import Path
from typing import Any, cast

import numpy as np

Array = np.ndarray[Any, Any]


class FileRows:
    """The array (m, d) that was saved at `path`, by `rows[places]`, for places (n,) or a slice, and `rows[:, columns]`.

    `rows[places] = values` writes whole rows of a file that is `writable`. Raises IndexError beyond m.
    """

    def __init__(self, path: Path, writable: bool = False) -> None:
        laid = np.load(path, mmap_mode="r")
        count, self._width = laid.shape
        self.dtype, self.shape, self._begin = laid.dtype, (count, self._width), laid.offset
        self._file = path.open("r+b" if writable else "rb", buffering=0)
        self._columns = range(self._width)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> Array:
        if isinstance(key, tuple):
            every, columns = key
            if every != slice(None):
                raise IndexError("columns are of all rows: rows[:, columns]")
            return cast(Array, self._part(columns))
        places = self._places(key)
        found = np.empty((len(places), self._width), self.dtype)
        for place, row in zip(places, found, strict=True):
            self._whole(os.preadv(self._file.fileno(), [row.view(np.uint8)], self._begin + place * row.nbytes), row)
        return found[:, self._columns.start : self._columns.stop]

    def __setitem__(self, places: Array | slice, values: Array) -> None:
        for place, row in zip(self._places(places), np.ascontiguousarray(values, self.dtype), strict=True):
            self._whole(os.pwrite(self._file.fileno(), row.view(np.uint8), self._begin + place * row.nbytes), row)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)

    def _whole(self, size: int, row: Array) -> None:
        if size != row.nbytes:
            raise OSError(f"{self._file.name}: {size} bytes of a row of {row.nbytes} were read or written")

    def _part(self, columns: slice) -> "FileRows":
        part = object.__new__(type(self))
        part.__dict__ |= self.__dict__
        part._columns = self._columns[columns]
        part.shape = (len(self), len(part._columns))
        return part

    def _places(self, key: Any) -> list[int]:
        if isinstance(key, slice):
            return list(range(*key.indices(len(self))))
        if len(key) and not 0 <= key.min() <= key.max() < len(self):
            raise IndexError(f"a row that is not one of {len(self)}")
        return key.tolist()  # type: ignore[no-any-return]


def on_disk(path: Path) -> Array:
    """The array that was saved at `path`, as `FileRows`, which takes the place of an array."""
    rows = FileRows(path)
    return cast(Array, rows) if all(rows.shape) else np.empty(rows.shape, rows.dtype)
