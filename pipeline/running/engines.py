"""Where spread work runs: in this process, over the cores of this machine, or over the machines of a Ray cluster.

`spread` calls one function for many jobs, each by itself. The environment's ENGINE says by what:

serial    one after the other, in this process
joblib    over the cores of this machine (default)
ray       over the cluster that RAY_ADDRESS names, else over a Ray of this machine's own; needs the extra `cluster`. The
          first minute of a stage's jobs is joblib's, so that short stages start no workers

No engine changes a result, so it is no param, and makes nothing stale: the same functions get the same jobs, and their
results are taken in order.
"""

import gc
import logging
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, Generic, Literal, TypeVar, cast

from pipeline.running.errors import UserError
from pipeline.running.machine import cores

Result = TypeVar("Result")
Made = TypeVar("Made")
Engine = Literal["serial", "joblib", "ray"]

ENGINES = ("serial", "joblib", "ray")
AHEAD = 2
"""Jobs that run or wait, or whose results wait, for each worker: what bounds the memory that results take."""

AFTER_S = 60.0
"""Seconds of a stage's spread work that this machine does before it asks a cluster, unless CLUSTER_AFTER_S is set.

Workers take some 10 s of CPU to start, which a stage of less would not get back (docs/experiments/speed.md).
"""

log = logging.getLogger("engines")

took = {"spread": 0.0, "elsewhere": 0.0, "here": 0.0}
"""CPU seconds of jobs, of ENGINE=serial and of a cluster: what more machines share; those of a cluster, nothing of
which is in this process's own account. Seconds of ENGINE=ray before the cluster was asked."""


def chosen() -> Engine:
    """The engine that the environment names. Raises UserError for another name."""
    name = os.environ.get("ENGINE") or "joblib"
    if name not in ENGINES:
        raise UserError(f"ENGINE is {name!r} in the environment; it has to be one of: {', '.join(ENGINES)}.")
    return cast(Engine, name)


def check() -> None:
    """Raise UserError where the engine that the environment names cannot work: before any work, within seconds."""
    engine, address = chosen(), os.environ.get("RAY_ADDRESS")
    if engine == "ray":
        _after()
        from pipeline.running import cluster

        cluster.check(address)
    elif address and not os.environ.get("ENGINE"):
        log.warning("RAY_ADDRESS is set, but ENGINE is not: work stays on this machine; ENGINE=ray spreads it")


class Anew(Generic[Made]):
    """What cannot be sent to another process, such as a network ready to run: what is sent is how it is made.

    Called, it gives what `make` makes, made once in each process.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._held: list[Made] = []

    def __call__(self) -> Made:
        """What was made."""
        if not self._held:
            self._held.append(self._make())
        return self._held[0]

    def __reduce__(self) -> tuple[type["Anew[Made]"], tuple[Callable[[], Made]]]:
        return type(self), (self._make,)


def spread(
    function: Callable[..., Result],
    jobs: Iterable[Any],
    shared: Sequence[Any] = (),
    workers: int | None = None,
    threads: bool = False,
    cpus: int = 1,
    gpu: bool = False,
) -> Iterator[Result]:
    """Yield `function(job, *shared)` for each of `jobs`, in their order; a few of them are taken ahead.

    On this machine in `workers` (default: one a core), which are threads of this process or, by default, processes. On
    a cluster, for jobs that are not begun here within AFTER_S, as tasks of `cpus` cores and threads each, or as many as
    its largest machine has, with a GPU of their own where `gpu` and the cluster has any; `shared` is laid out once a
    machine. A function that writes has to do so atomically, as it may be called again.

    An exception of any call ends the whole, and is raised as it was there.
    """
    if chosen() != "ray":
        yield from _here(function, jobs, shared, workers, threads)
        return
    from pipeline.running.cluster import by_ray, has_gpus

    jobs, begun, left = iter(jobs), time.monotonic(), _after() - took["here"]
    if left > 0 and not (gpu and has_gpus()):  # which need not be this machine's
        try:
            yield from _here(function, _until(begun + left, jobs), shared, workers, threads)
        finally:
            took["here"] += time.monotonic() - begun
    for job in jobs:
        rest()
        yield from by_ray(function, chain((job,), jobs), shared, cpus, gpu)


def _after() -> float:
    """Seconds of a stage's spread work that this machine does. Raises UserError where the environment has no number."""
    given = os.environ.get("CLUSTER_AFTER_S") or AFTER_S
    try:
        return float(given)
    except ValueError:
        raise UserError(f"CLUSTER_AFTER_S is {given!r} in the environment; it has to be a number of seconds.") from None


def _until(when: float, jobs: Iterator[Any]) -> Iterator[Any]:
    """Those of `jobs` that are asked for in time; the others stay in it."""
    while time.monotonic() < when:
        for job in jobs:
            yield job
            break
        else:
            return


def _here(
    function: Callable[..., Result], jobs: Iterable[Any], shared: Sequence[Any], workers: int | None, threads: bool
) -> Iterator[Result]:
    """What `spread` yields, on this machine."""
    workers = workers or cores()
    if chosen() == "serial" or workers == 1:
        for job in jobs:
            before = cpu_used()
            result = function(job, *shared)
            took["spread"] += cpu_used() - before
            yield result
    elif threads:
        with ThreadPoolExecutor(workers) as pool:
            yield from in_order(lambda job: pool.submit(function, job, *shared).result, jobs, lambda: AHEAD * workers)
    else:
        from joblib import Parallel, delayed

        begun = Parallel(n_jobs=workers, return_as="generator", initializer=gc.disable)
        yield from begun(delayed(_loaded)(function, job, *shared) for job in jobs)


def _loaded(function: Callable[..., Result], *given: Any) -> Result:
    """What `function` returns in a process that has loaded what it takes."""
    collect_again()
    return function(*given)


def collect_again() -> None:
    """Have Python look for garbage again, which `gc.disable` put off until libraries are loaded.

    What they load stays, and is never looked through, not even at the end: that took a third of a start.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def in_turn(work: Callable[..., int], jobs: Iterable[Any], shown: Callable[[int], object], gpu: bool = False) -> None:
    """Do `work(job, told=…)` for one of `jobs` after the other, on all cores; on a cluster each by a task with as many.

    `work` returns how much it did. `shown` hears of it as it is done, by `told`; on a cluster, where that is None, when
    the job is.
    """
    far = chosen() == "ray"
    for count in spread(partial(work, told=None if far else shown), jobs, workers=1, cpus=cores(), gpu=gpu):
        shown(count if far else 0)


def rest() -> None:
    """End this machine's worker processes, which joblib keeps for minutes for more work, with the memory they hold.

    Work that is spread afterwards starts new ones, and what they took before is counted as this process's own.
    """
    # Asking joblib for its workers would start some.
    if workers := getattr(sys.modules.get("joblib.externals.loky.reusable_executor"), "_executor", None):
        workers.shutdown(wait=True)


def in_order(
    submit: Callable[[Any], Callable[[], Result]], jobs: Iterable[Any], ahead: Callable[[], int]
) -> Iterator[Result]:
    """The results of `jobs`, which `submit` begins and whose results it gives a function for, `ahead` of them begun."""
    waiting: deque[Callable[[], Result]] = deque()
    for job in jobs:
        while len(waiting) >= ahead():
            yield waiting.popleft()()
        waiting.append(submit(job))
    while waiting:
        yield waiting.popleft()()


def cpu_used() -> float:
    """CPU seconds of this process, and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
