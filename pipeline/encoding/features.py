"""Vectors of many pictures: decoding on threads overlaps the network, and shards finished before a kill are kept."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.encoding.networks import Encoder
from pipeline.running.engines import Anew, chosen, in_turn
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES
from pipeline.tables.table import vectors

Told = Callable[[int], object]


def write_features(
    images: Path, features: Path, load: Callable[[], Encoder], batch_size: int, dtype: str, finished: Path
) -> dict[str, int]:
    """Encode the table IMAGES at `images` into FEATURES at `features`, whose name is shown; returns counts for metrics.

    `load` makes the encoder. Each shard of `images` is encoded into one file in the folder `finished`; those that stand
    there are not encoded again. Batches never span two shards, so a resumed run makes the same batches, and the same
    bytes. One shard is encoded after the other, on all cores; on a cluster each by a job that has as many.
    """
    shards, load = IMAGES.shards(images), Anew(load)
    waiting = [shard for shard in shards if not stands(finished / shard.name)]
    total, left = IMAGES.count(images), sum(map(IMAGES.count, waiting))
    if waiting and chosen() != "ray":
        load()  # before the bar
    with bar(f"image {features.name}", "images", total=total, initial=total - left) as shown:
        in_turn(partial(_encode, load, batch_size, dtype, finished), waiting, shown.update, gpu=True)
    with FEATURES.writer(features) as writer:
        for shard in shards:
            table = FEATURES.read(finished / shard.name)
            writer.write(table)
    return {"images": total, "vectors": FEATURES.count(features), "dim": table["vector"].type.list_size}


def _encode(
    load: Callable[[], Encoder], batch_size: int, dtype: str, finished: Path, shard: Path, told: Told | None
) -> int:
    """Encode the images of a shard into the folder `finished`; returns how many there are."""
    encoder, table = load(), IMAGES.read(shard, ["image_id", "bytes"])
    values = np.empty((table.num_rows, encoder.dim), dtype)
    done = 0
    for batch in _prepared(table["bytes"], encoder, batch_size):
        values[done : done + len(batch)] = encoder.encode(batch)
        done += len(batch)
        if told:
            told(len(batch))
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise ValueError(f"image {table['image_id'][row]}: its {dtype} features are not finite")
    with sealed_file(finished / shard.name) as temporary:
        FEATURES.write_shard(pa.table({"image_id": table["image_id"], "vector": vectors(values)}), temporary)
    return len(values)


def _prepared(stored: pa.ChunkedArray, encoder: Encoder, batch_size: int) -> Iterator[list[NDArray[Any]]]:
    """Batches of prepared inputs, two batches ahead of the one that is asked for."""
    with ThreadPoolExecutor(cores()) as threads:
        waiting: deque[list[Future[NDArray[Any]]]] = deque()
        for start in range(0, len(stored), batch_size):
            waiting.append([threads.submit(encoder.prepare, one.as_py()) for one in stored[start : start + batch_size]])
            if len(waiting) > 2:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
