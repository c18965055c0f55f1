"""Options and fixtures that several test modules share."""

import fcntl
import gc
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
import pytest

from pipeline.running import engines
from pipeline.running.arithmetic import settle
from pipeline.running.machine import share_cores

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from tests.processes.browser import Page

LONGEST = (
    *("explore/test_in_browser.py", "embedding/test_processes.py", "privacy/test_pseudonyms.py"),
    *("stages/test_leaks.py", "tools/test_tools.py", "stages/test_train.py", "embedding/test_training.py"),
    *("copies/test_looks.py", "privacy/test_erasure.py", "encoding/test_encoders.py", "explore/test_people.py"),
    *("corpus/test_cells.py", "join/test_join.py", "report/test_report.py", "exports/test_formats.py"),
    *("corpus/test_synthetic.py", "split/test_cut.py", "tools/test_pr_report.py", "space/test_sentences.py"),
    *("text/test_lemmas.py", "exports/test_end_to_end.py", "explore/test_map.py", "running/test_arithmetic.py"),
    *("explore/test_load.py", "embedding/test_late_fusion.py", "stages/test_evaluation.py", "ocr/test_reading.py"),
)
"""The files that take longest, by `pytest --durations=60`. Several processes share files out in order: a long one that
comes last would have one process work while the others wait."""

STARTERS = {"tests.processes.started", "tests.processes.commands"}
"""What starts processes, by a server that takes six seconds and a gigabyte to load."""

# As stages do: tests take the code that numba has compiled for these, and the other way round.
settle()
share_cores()

if threads := os.environ.get("OMP_NUM_THREADS"):
    # numba does not heed it, and with its first loop gives the OpenMP that torch shares a thread a core: they wait for
    # each other by spinning, in all tests that the process still has.
    os.environ.setdefault("NUMBA_NUM_THREADS", threads)

_spread = engines.spread


def _sendable(function, jobs, shared=(), workers=None, threads=False, **more):
    """`engines.spread`, which makes sure that work could go to another process: in `make test` it stays in this one."""
    if workers != 1 and not threads:
        cloudpickle.dumps((function, shared))
    return _spread(function, jobs, shared, workers, threads, **more)


engines.spread = _sendable  # before any room imports it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others as they come."""
    place = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get("/".join(item.path.parts[-2:]), len(place)))


@cache
def _starts(path: Path) -> bool:
    """Whether a file of tests starts processes, itself or by what it takes from other tests."""
    named = set(re.findall(r"^from (tests[\w.]*) import", path.read_text(), re.MULTILINE))
    files = (path.parents[2] / f"{name.replace('.', '/')}.py" for name in named)
    return not named.isdisjoint(STARTERS) or any(file.exists() and _starts(file) for file in files)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadFileScheduling | None":
    """A file stays with a process, and those that start processes with one, so that one server forks for them all."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "starts processes" if file in starting else file

    root = Path(__file__).parents[1]
    starting = {path.relative_to(root).as_posix() for path in root.glob("tests/*/test_*.py") if _starts(path)}
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """What is imported stays: without this the collector goes through torch and the like again and again."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--treebank",
        type=Path,
        default=None,
        help="folder of UD_English-EWT (en_ewt-ud-test.conllu and others), for the tests of lemma accuracy",
    )


@pytest.fixture
def treebank(request: pytest.FixtureRequest) -> Path:
    """The treebank's folder; skips the test where none is given."""
    folder: Path | None = request.config.getoption("--treebank")
    if folder is None:
        pytest.skip("lemma accuracy needs UD_English-EWT: pytest --treebank PATH")
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """`made_once(name, make)`: a folder that `make` fills, once for all processes of these tests; the others wait."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, part = base / name, base / f"{name}.part"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                part.mkdir()
                make(part)
                part.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def fabricated(made_once) -> Path:
    """A small complete run, made up (tests/made/run.py). Copy it before changing anything."""
    from tests.made.run import fabricate

    return made_once("made-up-run", fabricate)


@pytest.fixture(scope="session")
def fabricated_space(made_once) -> Path:
    """A small complete run with a trained space, made up (tests/made/space.py). Copy it before changing anything."""
    from tests.made.space import fabricate_space

    return made_once("made-up-space", fabricate_space)


@pytest.fixture(scope="session")
def tab() -> Iterator["Page"]:
    """A browser's tab, one for all tests of a process."""
    from tests.processes import browser

    path = browser.find()
    if path is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(browser.NAMES)} is on the PATH")
    with browser.browser(path) as page:
        yield page


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core 4, fetched once and kept beside other downloads."""
    from pipeline.running.files import write_text
    from pipeline.running.machine import cache_folder

    kept = cache_folder("axe") / "axe.min.js"
    if not kept.exists() and (npm := shutil.which("npm")):
        folder = tmp_path_factory.mktemp("axe")
        subprocess.run(
            [npm, "install", "--no-save", "--silent", "--prefix", str(folder), "axe-core@4"],
            capture_output=True, timeout=90, check=False,
        )  # fmt: skip
        for fetched in folder.glob("node_modules/axe-core/axe.min.js"):
            write_text(fetched.read_text(encoding="utf-8"), kept)
    if not kept.exists():
        pytest.skip("axe-core cannot be had: no npm, or no registry within reach")
    return kept.read_text(encoding="utf-8")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Training on one thread: at the size of a test, threads cost more than they do, the more on a busy machine."""
    import numba
    import torch

    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    numba.set_num_threads(before[1])
