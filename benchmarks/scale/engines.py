"""The engines that spread work: the same stages, the same posts, by a loop, by joblib, and by Ray on one machine.

python -m benchmarks.scale.engines 100000            # needs the extras bench and cluster; --nodes 1 2 4: of Ray, a core
                                                     # each; stages that are kept are measured anew by --again STAGE …;
                                                     # the least of --times 3, where other work disturbs
python -m benchmarks.scale.engines --machines 8 32   # what 100 million posts would take, from the figures that are kept

On one machine this shows equality, and what an engine adds, not speed: CPU seconds of all processes, Ray's own too, so
that a busy machine disturbs little. Ray is asked after a minute of a stage's jobs, as it is by default, and at once,
which shows what it costs. From a loop's figures at two sizes (`10000 --nodes`: no Ray) comes the share of what more
posts cost that more machines divide, and from that, by Amdahl's law, the table of --machines: its other input is what
each stage took at the paper's size (benchmarks/scale/posts.json), grown by its exponent.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT, need, options, print_table, result
from pipeline.running.files import write_text
from pipeline.running.utf8 import entry

RESULTS = ROOT / "benchmarks/scale/engines.json"
SPREAD = ("clean_text", "image_features", "dedup_images", "audit_split", "embed", "evaluate_retrieval")
"""Of the stages of benchmarks.scale.posts those that are spread. Its pictures are made vectors: none is decoded."""
MOST_ADDED = 0.15
"""Of a stage's CPU time, at a million posts."""

POSTS, PICTURES, CORES = 100_000_000, 13_000_000, 16
"""What --machines reckons for, and the cores of each."""
PER_PICTURE = {"import_corpus": 0.017, "image_features": 0.014, "dedup_images": 0.034}
"""CPU seconds, seen on openclipart: decoding; the network; points, and looks at pairs (docs/scale.md)."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("posts", type=int, nargs="?")
    parser.add_argument("--nodes", type=int, nargs="*", default=[2])
    parser.add_argument("--again", nargs="*", default=[], choices=SPREAD)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--machines", type=int, nargs="*", default=[])
    given = parser.parse_args()
    if given.posts:
        need("psutil", "ray")
        measured = _measure(given.posts, given.nodes, given.again, given.times)
        _tell(given.posts, measured)
    if given.machines:
        _reckon(given.machines)


def _measure(posts: int, nodes: list[int], again: list[str], times: int) -> dict[str, dict[str, Any]]:
    from benchmarks.scale.posts import _is_made, _prepare

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}  # no worker waits for other work here
    folder = _prepare(posts, ROOT / ".scale" / f"engines-{posts}")
    held = {stage: by for stage, by in _read().get(str(posts), {}).items() if stage not in again}
    for stage in _stages():
        if stage in held or stage not in SPREAD:
            if not _is_made(stage, folder):  # as in a new clone: for its tables alone
                _run(stage, folder, {"ENGINE": "joblib"})
            continue
        rows: dict[str, Any] = {}
        for engine in ("serial", "joblib"):
            rows[engine] = _least(times, stage, folder, {"ENGINE": engine})
        for count in nodes:
            with _cluster(count) as (address, used):
                asked = {"ENGINE": "ray", "RAY_ADDRESS": address, "CLUSTER_AFTER_S": ""}
                rows[f"ray {count}"] = _least(times, stage, folder, asked, used)
                asked["CLUSTER_AFTER_S"] = "0"
                rows[f"ray {count} at once"] = _least(times, stage, folder, asked, used)
        held[stage] = rows
        print(f"{stage}: {rows}", file=sys.stderr, flush=True)
        _keep(posts, held)
    return held


def _stages() -> tuple[str, ...]:
    from benchmarks.scale.posts import STAGES

    return STAGES[: STAGES.index("evaluate_retrieval") + 1]


def _least(
    times: int, stage: str, folder: Path, environment: dict[str, str], used: Callable[[], float] | None = None
) -> dict[str, Any]:
    """Of so many runs the one that took the least CPU, with a sum of its bytes; `used` tells the seconds of all so far.

    Beside other work the same run takes up to half as much again.
    """
    from benchmarks.scale.posts import _digest

    runs: list[dict[str, Any]] = []
    for _ in range(times):
        before = used() if used else 0.0
        took = _run(stage, folder, environment)
        if used:
            took["cpu_s"] = round(used() - before, 2)  # of the stage's own process too
        runs.append(took | {"sum": _digest(stage, folder)})
    if len({run["sum"] for run in runs}) > 1:
        sys.exit(f"{stage}: other bytes each time, with {environment}")
    return min(runs, key=lambda run: run["cpu_s"])


def _run(stage: str, folder: Path, environment: dict[str, str]) -> dict[str, float]:
    shutil.rmtree(folder / ".checkpoints" / stage, ignore_errors=True)
    # Lemmas that an earlier run looked up would be a later one's.
    environment |= {"DU2MCE_CACHE": str(folder / "cache")}
    shutil.rmtree(folder / "cache", ignore_errors=True)
    with (folder / "log.txt").open("a") as log:
        command = [sys.executable, "-m", f"stages.{stage}"]
        code = subprocess.run(
            command, cwd=folder, stdout=log, stderr=log, env=os.environ | environment, check=False
        ).returncode
    if code:
        sys.exit(f"{stage} ended with status {code}: {folder / 'log.txt'}")
    timing: dict[str, float] = json.loads((folder / "timings" / f"{stage}.json").read_text())
    return timing


@contextmanager
def _cluster(nodes: int) -> Iterator[tuple[str, Any]]:
    """A Ray of so many nodes of a core each; its address, and what tells the CPU seconds of all that runs meanwhile."""
    import psutil
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    tries = 0
    while len(cluster.list_all_nodes()) < nodes:
        try:
            cluster.add_node(num_cpus=1, object_store_memory=1 << 30, include_dashboard=False)
        except Exception:  # a bare one, where a busy machine takes longer than Ray waits for a node
            tries += 1
            if tries == 5:
                raise

    held: dict[int, float] = {}
    ended = threading.Event()

    def look() -> None:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                held[process.pid] = sum(process.cpu_times()[:2])

    def watch() -> None:
        while not ended.wait(0.2):  # raylets do not wait for the workers that they end: what these took is lost then
            look()

    def used() -> float:
        look()
        return sum(held.values())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield cluster.address, used
    finally:
        ended.set()
        watching.join()
        cluster.shutdown()


def _read() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def _keep(posts: int, measured: dict[str, dict[str, Any]]) -> None:
    held = _read()
    held[str(posts)] = held.get(str(posts), {}) | measured
    write_text(json.dumps(dict(sorted(held.items(), key=lambda item: int(item[0]))), indent=1) + "\n", RESULTS)


def _tell(posts: int, measured: dict[str, dict[str, Any]]) -> None:
    rows, bounds = [], {}
    for stage, by in measured.items():
        plain = by["joblib"]["cpu_s"]
        others = {name: took for name, took in by.items() if name != "joblib"}
        bounds[f"{stage}: same bytes"] = len({took["sum"] for took in by.values()}) == 1
        bounds |= {
            f"{stage}: {name} adds little": took["cpu_s"] <= (1 + MOST_ADDED) * plain
            for name, took in others.items()
            if name.startswith("ray") and not name.endswith("at once") and posts >= 1_000_000
        }
        rows.append(
            {"stage": stage, "spread %": 100 * _share(by), "joblib CPU s": plain}
            | {f"{name} CPU s": took["cpu_s"] for name, took in others.items()}
            | {"same bytes": bounds[f"{stage}: same bytes"]}
        )
    print_table(rows)
    result({"posts": posts, "stages": rows}, bounds)


def _share(by: dict[str, Any], less: dict[str, Any] | None = None) -> float:
    """The share of a stage's CPU time that is in jobs; of what it takes beyond a smaller size, if `less` is of one."""
    spread, whole = (by["serial"].get(name, 0.0) for name in ("spread_cpu_s", "cpu_s"))
    if less:
        spread -= less["serial"].get("spread_cpu_s", 0.0)
        whole -= less["serial"]["cpu_s"]
    return float(np.clip(spread / max(whole, 0.01), 0.0, 1.0))


def _reckon(machines: list[int]) -> None:
    """The hours that POSTS and PICTURES would take on one machine of CORES, and on `machines`, stage by stage."""
    from benchmarks.scale.posts import PAPER_POSTS, SHOWN, _exponent
    from benchmarks.scale.posts import _read as scale

    if not (kept := _read()):
        sys.exit(f"there is no {RESULTS} to reckon from: `python -m benchmarks.scale.engines 1000000` makes it.")
    # A start grows with nothing: what counts is the share of what more posts add.
    *_, less, largest = {}, *(kept[size] for size in sorted(kept, key=int))
    held = scale()
    rows = []
    for stage in (name for name in SHOWN if name != "image_copies"):
        took = held[str(PAPER_POSTS)][stage]["cpu_s"]
        grown = took * (POSTS / PAPER_POSTS) ** max(1.0, _exponent(held, stage))
        spread = _share(largest[stage], less.get(stage)) * grown if stage in largest else 0.0
        alone, pictures = grown - spread, PER_PICTURE.get(stage, 0) * PICTURES
        hours = {f"{count}": (alone + (spread + pictures) / (count * CORES)) / 3600 for count in (1, *machines)}
        rows.append({"stage": stage, "spread %": 100 * (spread + pictures) / (grown + pictures)} | hours)
    total = {name: sum(row[name] for row in rows) for name in map(str, (1, *machines))}
    rows.append({"stage": "all", "spread %": ""} | total)
    print_table([{n: f"{v:.1f}" if isinstance(v, float) else v for n, v in row.items()} for row in rows])


if __name__ == "__main__":
    entry(main)
