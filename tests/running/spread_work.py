"""Jobs to spread: functions that another process, on this machine or in a cluster, can import."""

import gc
import os
import signal
import time
from pathlib import Path

import numpy as np

from pipeline.running.errors import Damaged, UserError


def scaled(job: int, values: np.ndarray) -> np.ndarray:
    return values * job


def noted(job: int, folder: Path) -> int:
    """Leaves a file that tells that the job was begun."""
    (folder / f"{job:03}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return job


def worker(job: int) -> int:
    """The process that does it."""
    return os.getpid()


def collecting(job: int) -> tuple[bool, bool]:
    """Whether garbage is looked for, and not in what was loaded."""
    return gc.isenabled(), gc.get_freeze_count() > 0


def refuses(job: int) -> int:
    if job == 3:
        raise UserError("posts.csv, row 3: no user.")
    return job


def damaged(job: int) -> int:
    raise Damaged("data/words", "cut\noff")


def dies_once(job: int, folder: Path) -> int:
    """Job 2 is killed as kill -9 does, the first time."""
    noted(job, folder)
    if job == 2 and len(list(folder.glob("002-*"))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def dies(job: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return job


def slow(job: int, folder: Path) -> tuple[int, str]:
    """The job, and the node that it ran on."""
    import ray

    time.sleep(0.3)
    return job, str(ray.get_runtime_context().get_node_id())


def unhurried(job: int) -> tuple[int, bool]:
    """The job, and whether a worker of a cluster did it."""
    time.sleep(0.1)
    return job, os.environ["ENGINE"] == "serial"


def threads(job: int) -> list[str | int | None]:
    from pipeline.running.engines import chosen
    from pipeline.running.machine import cores

    return [os.environ.get("OMP_NUM_THREADS"), os.environ.get("MKL_NUM_THREADS"), cores(), chosen(), str(Path.cwd())]


def large(job: int, folder: Path) -> np.ndarray:
    noted(job, folder)
    return np.full(1 << 20, job, np.float64)  # 8 MB


def shouted(source: Path, target: Path) -> dict[str, int]:
    """A shard's work."""
    target.write_bytes(source.read_bytes().upper())
    return {"bytes": len(source.read_bytes())}


def with_killed_workers(stage: str, noted: Path) -> None:
    """Run a stage on a cluster. The first job to begin is killed with -9 at work; the next, when it has done its work
    and nobody knows; each leaves a file in `noted`.
    """
    from pipeline.running import cluster
    from tests.processes.started import stages

    plain = cluster._task

    def deadly():
        task = plain()

        def deadly_task(*given):
            import os
            import signal
            import threading
            from contextlib import suppress

            def first(name):
                with suppress(FileExistsError):
                    os.close(os.open(f"{noted}/{name}", os.O_CREAT | os.O_EXCL))
                    return True
                return False

            if first("at work"):
                threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGKILL)).start()
                task(*given)
                threading.Event().wait()  # sooner done than killed
            result = task(*given)
            if first("at its end"):
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return deadly_task

    cluster._task = deadly
    stages(stage)
