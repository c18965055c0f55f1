"""The one way in which work is spread over processes: a function, called once per shard, resumable.

A thin layer over joblib's process pool. Each call writes its shard atomically and returns a small JSON-able result,
which is kept beside the shard as its completion marker; a rerun skips the shards whose marker stands.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from pipeline.running.files import atomic_folder, write_text
from pipeline.running.machine import cores
from pipeline.running.progress import bar

Result = dict[str, Any]


def map_shards(
    function: Callable[[Path, Path], Result],
    shards: Sequence[Path],
    folder: Path,
    description: str,
    workers: int | None = None,
) -> list[Result]:
    """Call `function(shard, folder / shard.name)` for each shard; returns the results, in order of `shards`.

    `function`, with what is bound to it by functools.partial, is pickled; it runs in `workers` processes (default:
    one per core; in this process where that is one). An exception in any call ends the whole; finished shards stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [shard for shard in shards if not _marker(folder, shard).exists()]
    workers = min(workers or cores(), max(1, len(waiting)))
    with bar(description, "shards", total=len(shards), initial=len(shards) - len(waiting)) as shown:
        for _ in Parallel(n_jobs=workers, return_as="generator_unordered")(
            delayed(_one)(function, shard, folder) for shard in waiting
        ):
            shown.update()
    return [json.loads(_marker(folder, shard).read_text()) for shard in shards]


def _marker(folder: Path, shard: Path) -> Path:
    return folder / f"{shard.stem}.done.json"


def _one(function: Callable[[Path, Path], Result], shard: Path, folder: Path) -> None:
    result = function(shard, folder / shard.name)
    write_text(json.dumps(result), _marker(folder, shard))


def publish(folder: Path, path: Path) -> None:
    """Move the finished shards of `folder` to the place of the table `path`, without their markers."""
    with atomic_folder(path) as target:
        for shard in sorted(folder.glob("part-*.parquet")):
            shard.rename(target / shard.name)
