"""Work on the machines of a Ray cluster: `pipeline.running.engines` with ENGINE=ray.

The folder of the run has to be at the same path on each machine, from storage that all share: each machine is asked
before it gets work, and each task makes sure of it before it works.
"""

import gc
import importlib.util
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pipeline.running.arithmetic import settled
from pipeline.running.engines import AHEAD, collect_again, cpu_used, in_order, took
from pipeline.running.errors import UserError
from pipeline.running.machine import cores

Result = TypeVar("Result")

RETRIES = 3
"""How often a job begins anew whose worker died."""
ANSWER_S = 10
"""Seconds that the head of a cluster has to answer in; Ray itself waits for minutes."""
SEEN = ".checkpoints/.shared"
"""What a run on a cluster writes, so that each machine can tell whether it sees the same storage."""

NO_RAY = "ENGINE=ray needs the extra `cluster`: `make cluster` installs it."

log = logging.getLogger("engines")


def by_ray(
    function: Callable[..., Result], jobs: Iterable[Any], shared: Sequence[Any], cpus: int, gpu: bool
) -> Iterator[Result]:
    """What `engines.spread` yields, by tasks of the cluster."""
    ray = connected()
    _check_once(ray)
    root = str(Path.cwd())
    about = ray.put((root, _token(root), ray.cloudpickle.dumps(function)))
    given = [ray.put(value) for value in shared]
    gpus = 1 if gpu and has_gpus() else 0
    # What no machine can hold would wait for ever, and say nothing.
    cpus = min(cpus, max([1, *(int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])]))
    options = {
        "num_cpus": cpus, "num_gpus": gpus, "max_retries": RETRIES, "runtime_env": {"env_vars": _environment(cpus)}
    }  # fmt: skip
    task = ray.remote(_task()).options(**options)
    begun: set[Any] = set()

    def submit(job: Any) -> Callable[[], Result]:
        reference = task.remote(about, job, *given)
        begun.add(reference)

        def result() -> Result:
            value, used = _told(ray, reference)
            begun.discard(reference)
            took["spread"] += used
            took["elsewhere"] += used
            return cast(Result, value)

        return result

    try:
        yield from in_order(submit, jobs, _ahead(ray, cpus))
    finally:
        for reference in begun:
            ray.cancel(reference, force=True)


def _ahead(ray: Any, cpus: int) -> Callable[[], int]:
    """How many jobs to have begun, by the cores that the cluster has now: machines come and go."""
    asked, found = 0.0, 1

    def ahead() -> int:
        nonlocal asked, found
        if time.monotonic() - asked > 1:
            asked, found = time.monotonic(), max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus)
        return AHEAD * found

    return ahead


def _environment(cpus: int) -> dict[str, str]:
    """Of a worker: modules, arithmetic and waiting as in this process, a thread a core of its task, no engine."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    path = os.pathsep.join(filter(None, sys.path))
    waiting = {name: os.environ[name] for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT") if name in os.environ}
    return {"ENGINE": "serial", "PYTHONPATH": path} | dict.fromkeys(names, str(cpus)) | settled() | waiting


def _task() -> Callable[..., tuple[Any, float]]:
    # A function within a function is sent as it is: a worker that does not see the storage can still say so.
    def task(about: tuple[str, str, bytes], job: Any, *shared: Any) -> tuple[Any, float]:
        import os
        import socket

        root, token, function = about
        if not os.path.exists(os.path.join(root, token)):  # noqa: PTH110, PTH118
            raise FileNotFoundError(f"{socket.gethostname()} does not see {root}/{token}")
        os.chdir(root)
        from pipeline.running.cluster import call

        return call(function, job, shared)

    return task


def call(function: bytes, job: Any, shared: Sequence[Any]) -> tuple[Any, float]:
    """What a worker does: the result of a pickled function, and the CPU seconds that it took."""
    before = cpu_used()
    return _unpickled(function)(job, *shared), cpu_used() - before


@lru_cache(1)
def _unpickled(function: bytes) -> Callable[..., Any]:
    import pickle

    gc.disable()
    try:
        found: Callable[..., Any] = pickle.loads(function)
    finally:
        collect_again()
    return found


def _told(ray: Any, reference: Any) -> tuple[Any, float]:
    """The result of a task. Raises what it raised, and UserError where it could not be run."""
    try:
        found: tuple[Any, float] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, FileNotFoundError) and SEEN in str(error.cause):
            raise _unshared(str(error.cause)) from None
        raise error.cause from error
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        raise UserError(
            f"a job was begun {RETRIES + 1} times and its worker died each time; the last time: "
            f"{' '.join(str(error).split())[:400]} Finished shards are kept."
        ) from error
    return found


def check(address: str | None) -> None:
    """Raise UserError where there is no Ray, or no head of a cluster at `address`."""
    if importlib.util.find_spec("ray") is None:
        raise UserError(NO_RAY)
    if address:
        _reach(address)


def has_gpus() -> bool:
    """Whether any machine of the cluster has a GPU."""
    return bool(connected().cluster_resources().get("GPU"))


def connected() -> Any:
    """The module ray, in touch with the cluster. Raises UserError where there is no Ray, or no cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UserError(NO_RAY) from None
    if not ray.is_initialized():
        _connect(ray)
    return ray


def _connect(ray: Any) -> None:
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _reach(address)
    own: dict[str, Any] = {} if address else {"num_cpus": cores(), "include_dashboard": False}
    try:
        ray.init(address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise UserError(
            f"no Ray cluster answers at RAY_ADDRESS {address} ({' '.join(str(error).split())}); one that was started "
            "with a token needs RAY_AUTH_MODE=token here too."
        ) from error


def _reach(address: str) -> None:
    """Raise UserError where no head of a cluster answers at `address` within ANSWER_S."""
    if address.startswith("ray://"):
        raise UserError(
            f"RAY_ADDRESS is {address}, Ray's client; run on a machine of the cluster, with its host:port instead."
        )
    if address in ("auto", "local"):  # Ray's own words: the cluster that this machine is of; one of its own
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UserError(f"RAY_ADDRESS is {address}; expected host:port, as `ray start --head` tells it.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S) as head:
            found = _HTTP2 if os.environ.get("RAY_USE_TLS") == "1" else _greeted(head)
    except OSError as error:
        raise UserError(
            f"nothing answers at RAY_ADDRESS {address} ({error}): is that the address of the head (`ray status` tells "
            f"it there), does it run (`ray start --head --port {port}`), and is its port open to this machine?"
        ) from None
    if not found.startswith(_HTTP2):
        raise UserError(
            f"what answers at RAY_ADDRESS {address} is no head of a Ray cluster; `ray status` tells its address there."
        )


_HTTP2 = b"\x04\0\0\0\0\0"
"""Kind, flags and stream of the frame with which a server of HTTP/2 greets, after its length of three bytes."""


def _greeted(head: socket.socket) -> bytes:
    """What a server of gRPC, which speaks HTTP/2, says to a client's first words, without the length."""
    head.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _HTTP2)
    found = b""
    while len(found) < 9 and (more := head.recv(9 - len(found))):
        found += more
    return found[3:]


@lru_cache(1)
def _check_once(ray: Any) -> None:
    _check(ray)
    log.info("%d cores of %d machines", ray.cluster_resources().get("CPU", 0), len(ray.nodes()))


def _check(ray: Any) -> None:
    """Raise UserError where a machine does not see what is written here, or has other versions than this one."""
    from importlib.metadata import version

    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from pipeline.running.checkpoints import LIBRARIES

    root = str(Path.cwd())
    here = f"{root}/{_token(root)}"
    mine = {name: version(name) for name in LIBRARIES}

    def look(path: str, names: list[str]) -> tuple[bool, dict[str, str]]:
        import os
        from importlib.metadata import distributions

        found = {name: [one.version for one in distributions(name=name)] for name in names}
        return os.path.exists(path), {name: (held or ["none"])[0] for name, held in found.items()}  # noqa: PTH110

    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = ray.remote(look)
    alike = {"env_vars": _environment(1)}  # as for a job: the workers that start for this are those that work
    looks = {
        node["NodeManagerHostname"] + " " + node["NodeID"][:8]: asked.options(
            num_cpus=0,
            runtime_env=alike,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
        ).remote(here, list(mine))
        for node in nodes
    }
    for node, reference in looks.items():
        seen, theirs = ray.get(reference)
        if not seen:
            raise _unshared(f"{node} does not see {here}")
        if theirs != mine:
            other = ", ".join(f"{name} {theirs[name]} for {mine[name]}" for name in mine if theirs[name] != mine[name])
            raise UserError(f"the machine {node} has other versions: {other}; install the same locked ones on each.")


def _unshared(what: str) -> UserError:
    return UserError(
        f"{what}: a cluster needs the folder of the run at the same path on each machine, from storage that all "
        "share (docs/cluster.md)."
    )


@lru_cache(1)
def _token(root: str) -> str:
    """The path, from the folder `root` of the run, of a file that this process wrote there."""
    import atexit

    name = f"{SEEN}-{uuid.uuid4().hex}"
    path = Path(root) / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    atexit.register(path.unlink, missing_ok=True)
    return name
