"""The pipeline at the sizes of the paper's corpus: time, memory and bytes of each stage, and how they grow.

`python -m benchmarks.scale.posts POSTS …` (`make scale POSTS=…`) runs the stages of dvc.yaml, the same scripts, in a
folder of its own per size, `.scale/<posts>/`, on a synthetic corpus of Twitter's proportions with made features of 2048
numbers. What a stage took is added to `benchmarks/scale/posts.json` when it ends; a stage that is there already is not
run again, but where its tables are missing, so an interrupted run goes on (`--again STAGE …` measures these anew).
Draws `benchmarks/scale/posts.svg` and fits, for each stage, the exponent of its CPU time over the sizes from 100,000
posts on.

`--kill STAGE …` runs these once more where they were run before, kills each with SIGKILL in the middle, runs it again,
and tells what the kill cost and whether the tables are the same. word2vec then runs on one thread, as gensim's vectors
differ from run to run with more.

`--steps N` cuts the trainings (`train`, and the two of `baselines`) to N steps, and word2vec to one pass: for memory,
which is that of a whole training within a few steps, where hours are not at hand. It is kept with the figures.

Users' interests are left out: the paper's Twitter corpus has none, and its interest corpus has 2,900 users.
"""

import hashlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import psutil
from ruamel.yaml import YAML

from benchmarks import ROOT, lay_out, options, print_table, result, write_params, written_by
from pipeline.running.files import write_text
from pipeline.running.utf8 import entry

RESULTS, PICTURE = ROOT / "benchmarks/scale/posts.json", ROOT / "benchmarks/scale/posts.svg"
STAGES = (
    *("check_params", "fetch_corpus", "import_corpus", "clean_text", "image_features", "image_style", "dedup_images"),
    *("split", "audit_split", "image_copies", "word2vec", "train", "embed", "evaluate_retrieval", "clusters"),
    *("queries", "baselines"),
)
SHOWN = tuple(stage for stage in STAGES if stage not in ("check_params", "fetch_corpus", "image_style"))
"""The others have nothing to do here."""
PAPER_POSTS, PAPER_USERS = 9_450_000, 39_808
FIT_FROM = 100_000
"""Posts: below, start-up is most of the time."""
MEMORY_MB, EXPONENT = 20_000, 1.15
EXPONENTS = {"evaluate_retrieval": 2.0}
"""Where more is due: all users are ranked for all queries, and both grow with the posts."""
MINUTES = {
    **dict.fromkeys(("import_corpus", "clean_text"), 30),
    "dedup_images": 60,
    "split": 5,
    "audit_split": 60,
    "word2vec": 60,
    "train": 60,
    "evaluate_retrieval": 30,
}
"""Bounds at the paper's size."""

TRAINED = ("train", "baselines")
CUT = """
import runpy, sys
from pipeline.embedding import training
whole = training.shuffled
training.shuffled = lambda *drawn: whole(*drawn)[:{steps}]
runpy.run_module("stages.{stage}", run_name="__main__")
"""
"""A stage with its trainings cut, in a process of its own as any."""

# What a corpus of this kind asks for: the paper's numbers where openclipart is too small for them; one epoch.
SETTINGS: dict[str, Any] = {
    "corpus": {"source": "synthetic", "min_posts_per_user": 1, "max_posts_per_user": None},
    "corpus.synthetic": {"image_share": 0.133, "text_share": 1.0, "topics": 100, "images": "features"},
    # Made features have no picture to look at: the threshold alone has to tell copies from others of a topic.
    "images": {"encoder": "stored", "min_cosine": 0.9},
    "split": {"val": 0.02, "text_queries": "none", "audit_min_cosine": 0.85},
    "words": {"epochs": 5, "workers": 2},
    "train": {"batch_size": 1000, "epochs": 1},
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("posts", type=int, nargs="+")
    parser.add_argument("--again", nargs="*", default=[], choices=STAGES)
    parser.add_argument("--kill", nargs="*", default=[], choices=STAGES)
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    for posts in given.posts:
        folder = _prepare(posts)
        if given.steps:
            write_params(folder, {"words": {"epochs": 1}}, folder / "params.yaml")
        if given.kill:
            _kill(posts, folder, given.kill)
            continue
        held = _read().get(str(posts), {})
        wanted = [stage for stage in STAGES if stage not in held or stage in given.again]
        for stage in STAGES[: STAGES.index(wanted[-1]) + 1] if wanted else ():
            command = _command(stage, folder, given.steps)
            if stage in wanted:
                print(f"{posts:,} posts: {stage}", file=sys.stderr, flush=True)
                cut = {"steps": given.steps} if given.steps and stage in (*TRAINED, "word2vec") else {}
                _keep(posts, stage, _measured(stage, folder, command) | cut)
            elif not _is_made(stage, folder):
                print(f"{posts:,} posts: {stage}, for its tables alone", file=sys.stderr, flush=True)
                _measured(stage, folder, command)
    if not given.kill:
        _report()


def _kill(posts: int, folder: Path, stages: list[str]) -> None:
    """Kill each stage in the middle of its work, run it again, and compare with the unbroken run."""
    rows, same = [], {}
    write_params(folder, {"words": {"workers": 1}}, folder / "params.yaml")
    for stage in stages:
        shutil.rmtree(folder / ".checkpoints" / stage, ignore_errors=True)
        whole = _measured(stage, folder)["wall_s"]
        before, half = _digest(stage, folder), whole / 2
        with (folder / "log.txt").open("a") as log:
            child = subprocess.Popen(
                _command(stage, folder), cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
            time.sleep(half)
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        rest = _measured(stage, folder)["wall_s"]
        same[stage] = _digest(stage, folder) == before
        rows.append({"stage": stage, "whole s": whole, "killed after s": half, "again s": rest,
                     "lost s": half + rest - whole, "same": same[stage]})  # fmt: skip
    print_table(rows)
    result({"posts": posts, "killed": rows}, {f"{stage}: same tables": held for stage, held in same.items()})


def _digest(stage: str, folder: Path) -> str:
    """A hash of all that a stage writes."""
    digest = hashlib.sha256()
    for out in sorted(written_by(stage, folder)):
        for file in sorted(path for path in (folder / out).rglob("*") if path.is_file()):
            with file.open("rb") as stream:
                digest.update(f"{file.relative_to(folder)}".encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _is_made(stage: str, folder: Path) -> bool:
    """Whether the outputs of a stage are there, as they are not in a new clone."""
    return all((folder / name).exists() for name in written_by(stage, folder))


def _command(stage: str, folder: Path, steps: int | None = None) -> list[str]:
    if steps and stage in TRAINED:
        return [sys.executable, "-c", CUT.format(steps=steps, stage=stage)]
    command = YAML(typ="safe", pure=True).load(folder / "dvc.yaml")["stages"][stage]["cmd"].split()
    return [sys.executable, *command[1:]]


def _prepare(posts: int, folder: Path | None = None) -> Path:
    """The folder of one size: code linked, params written; its tables stay for a rerun."""
    folder = folder or ROOT / ".scale" / str(posts)
    lay_out(folder)
    size = {"posts": posts, "users": max(20, round(posts * PAPER_USERS / PAPER_POSTS))}
    write_params(folder, {**SETTINGS, "corpus.synthetic": SETTINGS["corpus.synthetic"] | size})
    return folder


def _measured(stage: str, folder: Path, command: list[str] | None = None) -> dict[str, float]:
    """Run one stage in `folder`, or `command` in its place.

    Peaks are of all its processes together, what they share counted once.

    `peak_mb` counts what they have mapped of files too, which the system takes back where memory is short; `held_mb`
    does not.
    """
    begun, peak, held, used = time.perf_counter(), 0, 0, {}
    with (folder / "log.txt").open("a") as log:
        child = subprocess.Popen(command or _command(stage, folder), cwd=folder, stdout=log, stderr=log)
        top = psutil.Process(child.pid)
        while child.poll() is None:
            try:
                tree = [top, *top.children(recursive=True)]
                shares = [_memory(process.pid) for process in tree]
                peak = max(peak, sum(share["Pss"] for share in shares))
                held = max(held, sum(share["Pss"] - share["Pss_File"] for share in shares))
                used.update({process.pid: _io(process) for process in tree})
            except (psutil.Error, OSError, KeyError):
                pass  # a process ended between two looks at it
            time.sleep(0.2 if time.perf_counter() - begun < 30 else 1.0)
    if child.returncode:
        lines = (folder / "log.txt").read_text().splitlines()[-5:]
        sys.exit(f"{stage} ended with status {child.returncode}; the end of {folder / 'log.txt'}:\n" + "\n".join(lines))
    timing = json.loads((folder / "timings" / f"{stage}.json").read_text())
    return {
        "wall_s": round(time.perf_counter() - begun, 1),
        "cpu_s": timing["cpu_s"],
        "peak_mb": round(peak / 2**10),
        "held_mb": round(held / 2**10),
        "read_mb": round(sum(read for read, _ in used.values()) / 2**20, 1),
        "written_mb": round(sum(written for _, written in used.values()) / 2**20, 1),
    }


def _memory(pid: int) -> dict[str, int]:
    """What a process has in memory, by kind, in kB: its proportional share of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def _io(process: psutil.Process) -> tuple[int, int]:
    counters = process.io_counters()
    return counters.read_chars, counters.write_chars


def _read() -> dict[str, dict[str, dict[str, float]]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def _keep(posts: int, stage: str, figures: dict[str, float]) -> None:
    held = _read()
    held.setdefault(str(posts), {})[stage] = figures
    ordered = {size: {s: held[size][s] for s in STAGES if s in held[size]} for size in sorted(held, key=int)}
    write_text(json.dumps(ordered, indent=1) + "\n", RESULTS)


def _exponent(held: dict[str, dict[str, dict[str, float]]], stage: str) -> float:
    """The slope of log CPU seconds over log posts; NaN with fewer than two sizes."""
    sizes = [size for size in held if int(size) >= FIT_FROM and held[size].get(stage, {}).get("cpu_s", 0) > 0]
    if len(sizes) < 2:
        return math.nan
    logs = np.log([[float(size), held[size][stage]["cpu_s"]] for size in sizes])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def _report() -> None:
    held = _read()
    rows, bounds = [], {}
    for stage in SHOWN:
        exponent = _exponent(held, stage)
        cells = {
            size: f"{took['wall_s']:,.0f} s {took['peak_mb'] / 1024:.1f} GB"
            for size in held
            if (took := held[size].get(stage))
        }
        rows.append({"stage": stage, **{f"{int(s):,}": cells.get(s, "") for s in held}, "exponent": f"{exponent:.2f}"})
        if not math.isnan(exponent):
            bounds[f"{stage}: exponent"] = exponent <= EXPONENTS.get(stage, EXPONENT)
        largest = held.get(str(PAPER_POSTS), {}).get(stage)
        if largest:
            bounds[f"{stage}: memory"] = largest["peak_mb"] <= MEMORY_MB
            if stage in MINUTES:
                bounds[f"{stage}: minutes"] = largest["wall_s"] <= 60 * MINUTES[stage]
    print_table(rows)
    _draw(held)
    result({"sizes": [int(size) for size in held], "command": shlex.join(sys.argv[1:])}, bounds)


def _draw(held: dict[str, dict[str, dict[str, float]]]) -> None:
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "scale"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axis, figures, title, scale in (
        (axes[0], "wall_s", "Wall time of a stage (minutes)", 60),
        (axes[1], "peak_mb", "Peak memory of a stage (GB)", 1024),
    ):
        for index, stage in enumerate(SHOWN):
            points = [(int(size), held[size][stage][figures] / scale) for size in held if stage in held[size]]
            style = {"marker": "os^Dvx*P<>hpd8"[index], "color": plt.get_cmap("viridis")(index / 14)}
            axis.loglog(*zip(*points, strict=True), label=stage, markersize=4, linewidth=1, **style)
        axis.set(title=title, xlabel="posts")
        axis.grid(alpha=0.3)
    axes[1].legend(fontsize=7, loc="upper left")
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    entry(main)
