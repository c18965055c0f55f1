"""The stage `dedup_images`, and what each of its steps took: a child of `benchmarks.scale.pictures`.

    python -m benchmarks.scale.dedup_steps      # in the folder of a run

Writes steps.json there: by step, CPU seconds (of this process and of those that have ended; where OMP_NUM_THREADS=1
no other works) and the most memory of this process in the step, without mapped files, in MB.
"""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stages.dedup_images as stage
from benchmarks import options
from pipeline.copies.looks import Looks
from pipeline.running.engines import cpu_used
from stages.runner import run

STEPS = ("near_pairs", "recall", "voted_pairs", "ranked", "group_images")
took: dict[str, dict[str, float]] = {}


def timed(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    """`step`, which notes what it takes."""

    def call(*args: Any, **options: Any) -> Any:
        before, most, done = cpu_used(), [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                most[0] = max(most[0], _held_mb())

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            return step(*args, **options)
        finally:
            done.set()
            watching.join()
            took[name] = {"cpu_s": round(cpu_used() - before, 2), "held_mb": round(max(most[0], _held_mb()))}

    return call


def _held_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def main() -> None:
    options(__doc__).parse_args()
    Looks.of = timed("looks", Looks.of)  # type: ignore[method-assign]
    for name in STEPS:
        setattr(stage, name, timed(name, getattr(stage, name)))
    stage.main()
    Path("steps.json").write_text(json.dumps(took, indent=1) + "\n")


if __name__ == "__main__":
    run("dedup_images", main)
