"""Images' numbers: their features, and what stands behind these, of words in them and of style.

Shapes: n images of a shard, m in all, D_I numbers per image.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.embedding.batches import Array, mapped
from pipeline.embedding.rows import FileRows, on_disk
from pipeline.tables.images import FEATURES
from pipeline.tables.table import matrix


class Beside(NamedTuple):
    """How many of an image's numbers stand behind its features, the last of all: of the words in it, and of style."""

    said: int = 0
    style: int = 0


ImageShard = tuple[Path | None, ...]
"""The files of some images' numbers: of their features, and of what is told by the fields of Beside, where it is."""
Numbers = tuple[pa.ChunkedArray, Array, Beside]
"""The ids (n,) of images, their numbers (n, D_I), and how many of these stand beside the features."""


def image_shards(images: Path) -> list[ImageShard]:
    """For each shard of the images in the folder `images`, its files: of `features`, and of `said` and `style`.

    These are tables of FEATURES of the same images; the last two are missing, or have no row, where there is no such
    thing, and None stands for them then.
    """
    tables = _side_by_side(images)
    return list(zip(*(FEATURES.shards(path) if path else repeat(None) for path in tables), strict=False))


def shard_numbers(files: ImageShard) -> Numbers:
    """The numbers of the images in `files`, one of `image_shards`."""
    return _joined([path and FEATURES.read(path) for path in files], files)


def image_numbers(images: Path) -> Iterator[Numbers]:
    """The numbers of all images in the folder `images`, shard by shard."""
    tables = _side_by_side(images)
    for parts in zip(*(FEATURES.batches(path) if path else repeat(None) for path in tables), strict=False):
        yield _joined(parts, tables)


def _side_by_side(images: Path) -> ImageShard:
    """The tables whose numbers follow each other, `features` and those of Beside; None for one without rows."""
    features, *behind = (images / name for name in ("features", *Beside._fields))
    counts = [FEATURES.count(path) if path.exists() else 0 for path in behind]
    if any(count not in (0, FEATURES.count(features)) for count in counts):
        raise ValueError(f"{features} and the tables beside it do not hold the same images")
    return features, *(path if count else None for path, count in zip(behind, counts, strict=True))


def _joined(parts: Sequence[pa.Table | None], paths: ImageShard) -> Numbers:
    features, *behind = parts
    assert features is not None
    ids, values = features["image_id"], [matrix(features["vector"])]
    for path, other in zip(paths[1:], behind, strict=True):
        if other is not None and not other["image_id"].equals(ids):
            raise ValueError(f"{paths[0]} and {path} do not hold the same images")
        values.append(np.empty((len(ids), 0), values[0].dtype) if other is None else matrix(other["vector"]))
    return ids, np.concatenate(values, axis=1), Beside(*(part.shape[1] for part in values[1:]))


def image_features(images: Path, folder: Path) -> tuple[pa.Array, Array, Beside]:
    """What `image_numbers` tells, of all images (m,) at once: the numbers (m, D_I) are rows of a file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path, count, begin, beside = folder / "features.npy", FEATURES.count(images / "features"), 0, Beside()
    ids: list[pa.Array] = []
    values: FileRows | None = None
    for names, part, found in image_numbers(images):
        if values is None:  # a table has at least one shard
            mapped(path, part.dtype, (count, part.shape[1]))
            values = FileRows(path, writable=True)
        values[begin : begin + len(part)] = part
        begin, beside = begin + len(part), found
        ids += names.chunks
    return pa.chunked_array(ids, pa.string()).combine_chunks(), on_disk(path), beside
