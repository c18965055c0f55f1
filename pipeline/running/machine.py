"""What this machine offers."""

import os
from pathlib import Path


def cores() -> int:
    """Cores that this process may use; OMP_NUM_THREADS, where set, is respected."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, int(limit)) if limit.isdigit() and int(limit) > 0 else available


def cache_folder(name: str) -> Path:
    """A folder that outlives clones and runs, for downloads and lookups that any run may reuse.

    `$DU2MCE_CACHE`, else `$XDG_CACHE_HOME/du2mce`, else `~/.cache/du2mce`. What lies there never changes a result:
    each entry is verified or keyed by the hash of what made it.
    """
    root = os.environ.get("DU2MCE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "du2mce"
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
