"""Training in several processes, by torch's own means: what each does of a step, and how they come together.

Every process draws the same batch, encodes its part of the batch's texts, images and users, and gathers the vectors of
all: so an anchor's negatives are those of the whole batch, as in one process, and each process takes its part of the
anchors. The gather is differentiable, so gradients come back to whose vector it was. All hold the same weights, and
make the same step with the sum of all gradients.

`TRAIN_PROCESSES` in the environment says how many of this machine, an engine and no param: the results are those of one
process, to rounding. On GPUs (nccl) each has its own; else (gloo) they share the cores. On several machines torchrun
starts the processes, and tells each where the others are.
"""

import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numba
import torch
from torch import Tensor, distributed
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure, record

from pipeline.running.errors import Damaged, UserError
from pipeline.running.machine import cores

WANTED = "TRAIN_PROCESSES"
_PATIENCE = timedelta(days=2)
"""How long a process waits for the others, as while the first reads or validates; one that died is seen at once."""

_LOST = re.compile("gloo|NCCL|[Cc]onnection|[Bb]roken pipe")
"""What torch says where another process of the group no longer answers."""
_ANSWER_S = 4
"""Seconds that processes have to say that they are left, when one has ended."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Part:
    """The `rows` of `total` that are this process's."""

    rows: slice
    total: int


@dataclass(frozen=True)
class Processes:
    """The `count` processes of a training, of which this is number `own`, from 0."""

    count: int = 1
    own: int = 0

    def part(self, total: int) -> Part:
        """Those of `total` rows that are this process's: an equal part, to one row, in order of the processes."""
        begin, end = (total * at // self.count for at in (self.own, self.own + 1))
        return Part(slice(begin, end), total)

    def gather(self, own: Tensor, total: int) -> Tensor:
        """The rows (total, d) of all processes, of which each gives its `part`, (own, d); differentiable."""
        if self.count == 1:
            return own
        gathered: Tensor = _Gather.apply(own, self, total)  # type: ignore[no-untyped-call]
        return gathered

    def sum(self, values: Tensor) -> Tensor:
        """The sum of `values` over the processes, in their place."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def first(self, make: Callable[[], Made]) -> Made:
        """What `make` makes in the first process, told to all."""
        told = [make() if self.own == 0 else None]
        if self.count > 1:
            distributed.broadcast_object_list(told)
        return told[0]  # type: ignore[return-value]


ALONE = Processes()


class _Gather(torch.autograd.Function):
    """A gather whose gradient is the sum of what all processes made of a row, given to the one whose row it is."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, processes: Processes, total: int) -> Tensor:
        ctx.part, ctx.processes = processes.part(total), processes
        most = -(-total // processes.count)
        given = own.new_zeros(most, *own.shape[1:])
        given[: len(own)] = own
        taken = [torch.empty_like(given) for _ in range(processes.count)]
        distributed.all_gather(taken, given)
        parts = (Processes(processes.count, at).part(total).rows for at in range(processes.count))
        return torch.cat([values[: rows.stop - rows.start] for values, rows in zip(taken, parts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return ctx.processes.sum(gradient.clone(memory_format=torch.contiguous_format))[ctx.part.rows], None, None


def by_torchrun() -> bool:
    """Whether this process is one of several that torchrun started, on this machine or on others."""
    return distributed.is_torchelastic_launched()


def join(work: Callable[[Processes], None]) -> None:
    """Call `work` in this process, which torchrun started, with who it is among all that it started.

    Raises UserError as `work` does, where this machine has fewer GPUs than processes, and where another process has
    ended. torchrun's report then says the same.
    """
    beside = int(os.environ["LOCAL_WORLD_SIZE"])
    _one_a_gpu(beside, "torchrun --nproc-per-node")
    machines: list[str] = []
    try:
        _enter(partial(_named, work, machines), logging.getLogger().getEffectiveLevel(), max(1, cores() // beside))
    except RuntimeError as error:
        if not machines or not _LOST.search(str(error)):
            raise
        # First, as to wait for the names may be to be ended by torchrun.
        _reported(UserError("another process of the training has ended, or is out of reach."))
        _reported(told := _ended(machines))
        raise told from None
    except UserError as error:
        _reported(error)
        raise


def _named(work: Callable[[Processes], None], machines: list[str], processes: Processes) -> None:
    """`work`, when each process has told the others the name of its machine."""
    found = [""] * processes.count
    distributed.all_gather_object(found, socket.gethostname())
    machines += found
    work(processes)


def _reported(error: UserError) -> None:
    """Have torchrun's report, the last that it prints, say what `error` does, and not where in the code it was."""
    about = {"message": str(error), "extraInfo": {"py_callstack": str(error), "timestamp": str(int(time.time()))}}
    Path(os.environ["TORCHELASTIC_ERROR_FILE"]).write_text(json.dumps({"message": about}))


def _ended(machines: list[str]) -> UserError:
    """Which of the processes, on these `machines`, have ended: those that do not say within seconds that they are left.

    They say so in the store by which torchrun's processes find each other; the first machine has it, and waits longer.
    """
    names, gone = [f"left {own}" for own in range(len(machines))], [0]
    until = time.monotonic() + _ANSWER_S * (1 if int(os.environ["GROUP_RANK"]) else 2)
    with suppress(RuntimeError):  # else the first machine has ended, and the store with it
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=timedelta(seconds=_ANSWER_S),
        )
        store.set(names[int(os.environ["RANK"])], "")
        while time.monotonic() < until:
            gone = [own for own, name in enumerate(names) if not store.check([name])] or gone
            time.sleep(0.2)
    who = ", ".join(f"number {own} on {machines[own]}" for own in gone)
    return UserError(
        f"another process of the training has ended, or is out of reach, so all end: of {len(machines)}, {who}. What "
        "was printed there last says why. Start torchrun again on each machine: training goes on from its checkpoint."
    )


def launch(work: Callable[[Processes], None]) -> None:
    """Call `work` in as many processes as TRAIN_PROCESSES says, with who they are; in this one where that is one.

    `work` is pickled. Raises UserError as `work` does, where a process was killed, and where there are too few GPUs.
    """
    count = _wanted()
    if count == 1:
        return work(ALONE)
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what failed is told below
    with TemporaryDirectory(prefix="train-") as logs:  # else torch makes one, and leaves it
        settings = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=count, rdzv_backend="c10d", rdzv_endpoint="localhost:0",
            local_addr="localhost", max_restarts=0, run_id="train", logs_specs=DefaultLogsSpecs(log_dir=logs),
        )  # fmt: skip
        try:
            elastic_launch(settings, _enter)(work, logging.getLogger().getEffectiveLevel(), max(1, cores() // count))
        except ChildFailedError as error:
            raise _told(list(error.failures.values())) from error
    return None


def _wanted() -> int:
    text = os.environ.get(WANTED, "") or "1"
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{WANTED} is {text!r} in the environment; it is a number of processes, 1 or more.")
    _one_a_gpu(int(text), f"{WANTED} in the environment")
    return int(text)


def _one_a_gpu(count: int, setting: str) -> None:
    gpus = torch.cuda.device_count()
    if gpus and count > gpus:
        raise UserError(f"{setting} is {count}, and this machine has {gpus} GPU: one process a GPU.")


@record
def _enter(work: Callable[[Processes], None], level: int, threads: int) -> None:
    """One process of a training, as the launcher or torchrun starts it."""
    own = int(os.environ["RANK"])
    logging.basicConfig(format="%(name)s: %(message)s")
    logging.getLogger().setLevel(logging.ERROR if own else level)
    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.get_num_threads()))
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
    try:
        work(Processes(distributed.get_world_size(), own))
    finally:
        with suppress(RuntimeError):
            distributed.destroy_process_group()


def _told(failures: list[ProcessFailure]) -> Exception:
    """What to raise for the processes that failed: what a person can mend, or a kill, before what followed from it."""
    messages: list[Any] = [failure.message for failure in failures]  # what it raised as a dict, else a sentence
    said = [message for message in messages if isinstance(message, dict)]
    for one in said:
        kind, _, sentence = one["message"].partition(": ")
        if kind in (UserError.__name__, Damaged.__name__):
            return UserError(sentence)
    for failure in failures:
        if failure.exitcode < 0:
            return UserError(
                f"process {failure.local_rank} of {WANTED} was ended by {failure.signal_name()}, by hand or for want "
                "of memory; run again, and it goes on from its checkpoint."
            )
    traces = [one["extraInfo"]["py_callstack"] for one in said]
    return RuntimeError("\n".join(["a process of the training failed", *traces]))
