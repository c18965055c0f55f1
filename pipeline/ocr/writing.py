"""Words of many pictures: shards that were read before a kill are kept, and pictures are read side by side."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.ocr.reading import Line, PictureReader
from pipeline.running.engines import Anew, chosen, in_turn
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES
from pipeline.tables.ocr import READ

Discreet = Callable[[str, Counter[str]], str]
"""A text without what tells who someone is, which is counted."""
LETTERS = re.compile(r"[^\W\d_]")
FEWEST = 3
"""Letters that a picture's words have: fewer are marks of an axis, or a logo."""


def write_words(
    images: Path, words: Path, finished: Path, discreet: Discreet | None = None,
    load: Callable[[], PictureReader] = PictureReader,
) -> dict[str, int]:  # fmt: skip
    """Read the pictures of the table IMAGES at `images` into READ at `words`; returns counts for metrics.

    Each shard of `images` is read into one file in the folder `finished`, in the words that `discreet` leaves; those
    that stand there are not read again. `load` makes the reader.
    """
    shards, load = IMAGES.shards(images), Anew(load)
    waiting = [shard for shard in shards if not stands(finished / shard.name)]
    total, left = IMAGES.count(images), sum(map(IMAGES.count, waiting))
    if waiting and chosen() != "ray":
        load()  # before the bar
    with bar("images read", "images", total=total, initial=total - left) as shown:
        in_turn(partial(_read, load, discreet, finished), waiting, shown.update)
    with READ.writer(words) as writer:
        for shard in shards:
            writer.write(READ.read(finished / shard.name))
    return {"images": total, "with_words": READ.count(words)}


def legible(lines: Sequence[Line]) -> str:
    """The text of a picture's lines; empty where they have hardly a letter."""
    text = "\n".join(line.text for line in lines)
    return text if len(LETTERS.findall(text)) >= FEWEST else ""


def _read(
    load: Callable[[], PictureReader], discreet: Discreet | None, finished: Path, shard: Path,
    told: Callable[[int], object] | None,
) -> int:  # fmt: skip
    """Read the images of a shard into the folder `finished`; returns how many there are."""
    reader, table = load(), IMAGES.read(shard, ["image_id", "bytes"])
    found: list[list[Line]] = []
    with ThreadPoolExecutor(cores()) as threads:
        for lines in threads.map(lambda stored: reader.read(stored.as_py()), table["bytes"]):
            found.append(lines)
            if told:
                told(1)
    texts = [legible(lines) for lines in found]
    if discreet:
        texts = [discreet(text, Counter()).strip() if text else "" for text in texts]
    rows = [row for row, text in enumerate(texts) if text]
    read = pa.table(
        {
            "image_id": table["image_id"].take(pa.array(rows, pa.int64())),
            "text": pa.array([texts[row] for row in rows], pa.string()),
            "lines": pa.array([len(found[row]) for row in rows], pa.int32()),
            "score": pa.array([float(np.mean([line.score for line in found[row]])) for row in rows], pa.float32()),
        }
    )
    with sealed_file(finished / shard.name) as temporary:
        READ.write_shard(read, temporary)
    return len(found)
