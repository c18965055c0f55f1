"""The one way in which work is spread over processes: a function, called once per shard, resumable.

A thin layer over `pipeline.running.engines`. Each call writes its shard atomically and returns a small JSON-able
result, which is kept beside the shard as its completion marker, with a sum of both: a rerun skips the shards whose
marker fits.
"""

import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.running.engines import spread
from pipeline.running.files import digest, write_text
from pipeline.running.machine import cores
from pipeline.running.progress import bar

Result = dict[str, Any]

log = logging.getLogger("shards")


def map_shards(
    function: Callable[[Path, Path], Result],
    shards: Sequence[Path],
    folder: Path,
    description: str,
    workers: int | None = None,
) -> list[Result]:
    """Call `function(shard, folder / shard.name)` for each shard; returns the results, in order of `shards`.

    `function`, with what is bound to it by functools.partial, is pickled; it runs in `workers` processes (default:
    one per core; in this process where that is one), or on the cluster of the engine that is chosen. An exception in
    any call ends the whole; finished shards stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [shard for shard in shards if _result(folder, shard) is None]
    workers = min(workers or cores(), max(1, len(waiting)))
    with bar(description, "shards", total=len(shards), initial=len(shards) - len(waiting)) as shown:
        for _ in spread(partial(_one, function, folder), waiting, workers=workers):
            shown.update()
    return [json.loads(_marker(folder, shard).read_text())["result"] for shard in shards]


def _marker(folder: Path, shard: Path) -> Path:
    return folder / f"{shard.stem}.done.json"


def _one(function: Callable[[Path, Path], Result], folder: Path, shard: Path) -> None:
    result = function(shard, folder / shard.name)
    about = {"result": result, "sum": digest(folder / shard.name, json.dumps(result))}
    write_text(json.dumps(about), _marker(folder, shard))


def _result(folder: Path, shard: Path) -> Result | None:
    """What a finished shard's call returned; None where it is not finished, or not as it was written."""
    marker, made = _marker(folder, shard), folder / shard.name
    if not (marker.exists() and made.exists()):
        return None
    try:
        held = json.loads(marker.read_text(encoding="latin-1"))
        result: Result = held["result"]
        sound = held["sum"] == digest(made, json.dumps(result))
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        log.warning("%s is damaged; it is made anew", made)
    return result if sound else None
