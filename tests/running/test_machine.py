import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.running.cluster import _environment
from pipeline.running.machine import cores

ROOT = Path(__file__).parents[2]
NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


@pytest.mark.parametrize(
    ("package", "chosen", "told"),
    [
        ("stages", {}, "GOMP_SPINCOUNT = '1000'"),
        ("explore", {}, "GOMP_SPINCOUNT = '1000'"),
        ("stages", {"GOMP_SPINCOUNT": "7"}, "GOMP_SPINCOUNT = '7'"),
        ("stages", {"OMP_WAIT_POLICY": "passive"}, "GOMP_SPINCOUNT = '0'"),
    ],
)
def test_openmp_itself_says_how_long_its_threads_spin(package, chosen, told):
    """Of torch its OpenMP alone is loaded, which reads the environment then; all of torch takes two seconds more."""
    (place,) = importlib.util.find_spec("torch").submodule_search_locations
    openmp = next(Path(place).glob("lib/libgomp*"), None)
    if openmp is None:
        pytest.skip("this torch has no OpenMP of GNU's")
    free = {name: value for name, value in os.environ.items() if name not in NAMES}
    run = subprocess.run(
        [sys.executable, "-c", f"import {package}, ctypes; ctypes.CDLL({str(openmp)!r})"],
        cwd=ROOT, env=free | chosen | {"OMP_DISPLAY_ENV": "verbose"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told in run.stderr


@pytest.mark.parametrize(
    ("asked", "given"), [("", 3), ("2", 2), ("64", 3), ("0", 3), ("4,2", 3)], ids=lambda value: f"{value}"
)
def test_no_more_cores_are_used_than_are_asked_for_or_there(monkeypatch, asked, given):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 4, 5}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert cores() == given


@pytest.mark.parametrize("chosen", [{"GOMP_SPINCOUNT": "1000"}, {"OMP_WAIT_POLICY": "passive"}, {}])
def test_threads_of_a_worker_on_another_machine_wait_as_those_here(monkeypatch, chosen):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    given = _environment(2)
    assert {name: given[name] for name in NAMES if name in given} == chosen
