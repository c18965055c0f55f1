"""What every benchmark shares: medians, memory peaks, a project folder of its own, the table and the RESULT line.

Each benchmark is `make bench NAME=…`, which installs the peers (the extra `bench`), or `python -m benchmarks.NAME`: it
does the same work with this project and with peers in one run, prints a table and, last, one line `RESULT {json}` with
the figures, each bound and `holds`.
"""

import argparse
import ctypes
import gc
import importlib.util
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def options(about: str | None) -> argparse.ArgumentParser:
    """What reads a benchmark's arguments; to `--help` it says all that the module does, `about`."""
    return argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)


def lay_out(folder: Path) -> None:
    """What stages need to run in `folder`, but for params.yaml: code, models and dvc.yaml as links."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pipeline", "stages", "models", "dvc.yaml"):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / name)


def written_by(stage: str, folder: Path, *kinds: str) -> list[str]:
    """What the stage writes of these `kinds` in dvc.yaml, by default its outs."""
    entry = YAML(typ="safe", pure=True).load(folder / "dvc.yaml")["stages"][stage]
    held = (one for kind in kinds or ("outs",) for one in entry.get(kind, ()))
    return [one if isinstance(one, str) else next(iter(one)) for one in held]


def write_params(folder: Path, changes: Mapping[str, Mapping[str, Any]], source: Path = ROOT / "params.yaml") -> None:
    """`source` as `folder`/params.yaml, with these values changed, by section: `train`, `corpus.synthetic`, ""."""
    yaml = YAML(typ="safe")  # by libyaml; comments are lost, and nobody reads them here
    params = yaml.load(source)
    for section, values in changes.items():
        held = params
        for part in filter(None, section.split(".")):
            held = held[part]
        held.update(values)
    yaml.dump(params, folder / "params.yaml")


def need(*peers: str) -> None:
    """End in one sentence where a package to compare with is not installed: first in `main`, before minutes of work."""
    missing = [peer for peer in peers if importlib.util.find_spec(peer) is None]
    if missing:
        name = ".".join(Path(sys.argv[0]).with_suffix("").parts[-2:])
        sys.exit(f"{name} compares with {', '.join(missing)}, not installed here: `make bench NAME={name}` does both.")


def median_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Median wall time of `work` in seconds, over `repeats` calls."""
    seconds = []
    for _ in range(repeats):
        gc.collect()
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


@dataclass(frozen=True)
class Measured:
    """What `measure` saw of one call: its value, wall time in seconds, and memory peak in MB above its imports."""

    value: Any
    seconds: float
    peak_mb: float


def measure(work: Callable[..., Any], *args: Any, prepare: Callable[..., Any] | None = None) -> Measured:
    """Call `work(*args)` once in a fresh process and measure it.

    With `prepare`, the process first calls `prepare(*args)` (imports, compilation, building the input) and then
    `work(prepared)`: what `prepare` leaves in memory lies below the line from which the peak is counted. Both are
    functions at the top of a module; `value` has to be picklable and small.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sender, work, prepare, args))
    process.start()
    sender.close()
    try:
        measured = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{work.__qualname__} ended with exit code {process.exitcode}") from None
    process.join()
    return measured


def _measured(sender: Any, work: Callable[..., Any], prepare: Callable[..., Any] | None, args: Sequence[Any]) -> None:
    inputs = (prepare(*args),) if prepare else args
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what `prepare` freed goes back, so that `work` cannot use it uncounted
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts over
    before = _kilobytes("VmRSS")
    begun = time.perf_counter()
    value = work(*inputs)
    seconds = time.perf_counter() - begun
    sender.send(Measured(value, seconds, max(0, _kilobytes("VmHWM") - before) / 1024))


def _kilobytes(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1])


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print `rows` as an aligned table; the columns are the keys of the first row."""
    head = list(rows[0])
    cells = [head, *([_shown(row.get(name, "")) for name in head] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if type(value) is int else str(value)


def result(figures: Mapping[str, object], bounds: Mapping[str, bool]) -> None:
    """Print the last line, `RESULT {json}`: the figures, each bound by name, and `holds`, true where all of them do."""
    held = {name: bool(value) for name, value in bounds.items()}
    line = {**figures, "bounds": held, "holds": all(held.values())}
    print("RESULT " + json.dumps(line, ensure_ascii=False), flush=True)
