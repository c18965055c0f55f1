"""The same bytes on another maker's processor: stages of a small corpus here, and on an AMD EPYC that QEMU emulates.

python -m benchmarks.scale.processors                  # of all stages; an hour, as each start is emulated too
python -m benchmarks.scale.processors train embed      # --processor Haswell: another of `qemu-x86_64 -cpu help`

Needs qemu-x86_64 (apt: qemu-user) of at least version 8: 7.2 computes some of AVX2 wrongly. What runs emulated is asked
for AVX2 as any stage is (pipeline.running.arithmetic), and has one thread. Its inputs are those made here, so that each
stage is judged by itself. Processes that a stage starts run as they are, so decoding is not emulated.
"""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import ROOT, lay_out, options, print_table, result, write_params, written_by
from pipeline.running.utf8 import entry

SETTINGS: dict[str, dict[str, Any]] = {
    "corpus": {"source": "synthetic", "min_posts_per_user": 1},
    "corpus.synthetic": {"posts": 300, "users": 40, "topics": 6, "images": "pixels"},
    "split": {"val": 0.15, "allow_empty": True, "max_excluded_share": 0.5},
    "words": {"epochs": 2, "min_count": 1},
    "train": {"epochs": 2},
    "retrieval": {"bootstrap": 100},
    "interests": {"repeats": 2, "min_positives": 3, "folds": 3},
}
COMPUTE = (
    *("clean_text", "text_vectors", "image_features", "dedup_images", "split", "audit_split", "word2vec", "train"),
    *("embed", "evaluate_retrieval", "evaluate_interests", "encoder_means", "baselines", "clusters", "queries", "map"),
    *("membership", "evaluate_neighbours", "chance"),
)
"""Stages that compute with numbers that are not whole."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("stages", nargs="*", choices=[*COMPUTE, []], metavar="STAGE")
    parser.add_argument("--processor", default="EPYC")
    given = parser.parse_args()
    if not shutil.which("qemu-x86_64"):
        sys.exit("benchmarks.scale.processors needs qemu-x86_64: apt install qemu-user, of version 8 or later.")
    folder = ROOT / ".scale/processors"
    here, there = folder / "here", folder / "there"
    _prepare(here)
    rows = []
    for stage in given.stages or COMPUTE:
        paths = written_by(stage, here, "outs", "metrics")
        _copy(here, there, paths)
        emulated = ["qemu-x86_64", "-cpu", given.processor, sys.executable, "-m", f"stages.{stage}"]
        with (folder / f"{stage}.log").open("w") as log:
            code = subprocess.run(
                emulated, cwd=there, stdout=log, stderr=log, check=False,
                env=os.environ | {"ENGINE": "serial", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            ).returncode  # fmt: skip
        other = [name for name in paths for name in _other(here / name, there / name, name)] if not code else []
        rows.append({"stage": stage, "same bytes": not code and not other, "other": " ".join(other) or "-"})
        print(rows[-1], "" if not code else f"ended with {code}: {log.name}", file=sys.stderr, flush=True)
    print_table(rows)
    result({"processor": given.processor, "stages": rows}, {f"{row['stage']}: same": row["same bytes"] for row in rows})


def _prepare(here: Path) -> None:
    """All stages, on this processor, one after the other as dvc.yaml has them."""
    shutil.rmtree(here, ignore_errors=True)
    lay_out(here)
    write_params(here, SETTINGS)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q", *COMPUTE]):
        subprocess.run(command, cwd=here, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def _copy(here: Path, there: Path, without: list[str]) -> None:
    """What a stage reads; what it writes is left out, with what it could go on from."""
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(here, there, symlinks=True, ignore=shutil.ignore_patterns(".checkpoints", ".cache", ".git", ".dvc"))
    for name in without:
        path = there / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _other(one: Path, other: Path, name: str) -> list[str]:
    """The files of an output that differ."""
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()] if one.is_dir() else [Path()]
    return [f"{name}/{file}" for file in files if not _same(one / file, other / file)]


def _same(one: Path, other: Path) -> bool:
    return other.exists() and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    entry(main)
