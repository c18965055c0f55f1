"""Some rows of a shard that may be too large to hold: a shard of pictures has up to 512 MB of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.running.errors import Damaged

READ = 50
"""Rows of a shard that are in memory at a time."""


def rows_of(shard: Path, columns: Sequence[str], begin: int, count: int) -> Iterator[dict[str, Any]]:
    """`count` rows of a shard, from row `begin` on, as dicts; READ are in memory at a time. Raises Damaged."""
    first, end = 0, begin + count
    try:
        with pq.ParquetFile(shard, memory_map=True, page_checksum_verification=True) as file:
            for batch in file.iter_batches(READ, columns=list(columns)):
                wanted = batch.slice(max(0, begin - first), max(0, end - max(begin, first)))
                yield from wanted.to_pylist()
                first += batch.num_rows
                if first >= end:
                    return
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None) is not None:  # it cannot be opened at all
            raise
        raise Damaged(shard, error) from error
    raise Damaged(shard, f"{first} rows, where {end} are told")
