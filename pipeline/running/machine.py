"""What this machine offers."""

import ctypes
import logging
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("machine")

SLOWER = 1.3
"""Beyond what the clock of a busy machine gives by itself."""


def cores() -> int:
    """Cores that this process may use; OMP_NUM_THREADS, where set, is respected."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, int(limit)) if limit.isdigit() and int(limit) > 0 else available


def share_cores() -> None:
    """Have OpenMP's threads (torch, numba, FAISS, scikit-learn) spin but shortly while they wait, then sleep.

    To be called before any of these is loaded. By default they spin for milliseconds. Where another process wants the
    cores too, they so use up the turn of the very thread that they wait for: beside a busy process training took eight
    times as long (docs/experiments). A choice in the environment stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def keep_freed_memory() -> None:
    """Let this process keep what large arrays leave, where its C library is glibc; elsewhere nothing happens.

    Arrays of megabytes that come and go are else mapped anew each time, and the system clears their pages.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD, at its highest
        mallopt(-1, 256 * 2**20)  # M_TRIM_THRESHOLD


def warn_if_slow(setting: str, asked: Callable[[], object], plain: Callable[[], object]) -> float:
    """Say so where what `setting` asks for takes longer here than `plain`, the same in float32; returns how many times.

    A processor without the arithmetic (bfloat16: AMX or AVX-512 BF16) emulates it, at up to fourteen times the time.
    """
    times = _seconds(asked) / _seconds(plain)
    if times > SLOWER:
        log.warning("%s takes %.1f times as long as float32 on this processor, by a short probe", setting, times)
    return times


def _seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def cache_folder(name: str) -> Path:
    """A folder that outlives clones and runs, for downloads and lookups that any run may reuse.

    `$DU2MCE_CACHE`, else `$XDG_CACHE_HOME/du2mce`, else `~/.cache/du2mce`. What lies there never changes a result:
    each entry is verified or keyed by the hash of what made it.
    """
    root = os.environ.get("DU2MCE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "du2mce"
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
