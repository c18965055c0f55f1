"""How the stages that train run in several processes: of this machine by TRAIN_PROCESSES, of several by torchrun."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pipeline.embedding.processes import Processes, by_torchrun, join, launch
from stages.runner import resumable

Work = Callable[[Path, Processes], None]


def in_processes(stage: str, work: Work) -> None:
    """Call `work` in each process that is asked for, with the stage's folder of checkpoints and who it is of them all.

    `work` is pickled where this starts others. Raises what `launch` and `join` raise.
    """
    if by_torchrun():
        return join(partial(_as_one, stage, work))
    with resumable(stage) as folder:
        launch(partial(work, folder))
    return None


def _as_one(stage: str, work: Work, processes: Processes) -> None:
    """One of the processes that torchrun started: the first holds the folder, for all."""
    with ExitStack() as holding:
        work(processes.first(lambda: holding.enter_context(resumable(stage))), processes)
