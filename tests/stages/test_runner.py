import errno
import json
import logging
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed

from stages import runner


def refused(error):
    def main():
        raise error

    with pytest.raises(SystemExit) as told:
        runner.run("split", main)
    return str(told.value)


def test_a_stage_that_starts_looks_for_garbage_only_when_its_libraries_are_loaded(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, gc\nlooked = []\n"
        "gc.callbacks.append(lambda phase, _: looked.append(gc.get_freeze_count() > 0))\n"
        "atexit.register(lambda: print(gc.isenabled(), looked.count(False), flush=True))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
    command = [sys.executable, "-m", "stages.check_params"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    enabled, before = done.stdout.split()
    assert "params.yaml" in done.stderr and enabled == "True" and int(before) < 50  # by default some 300


def test_ctrl_c_is_a_sentence():
    assert refused(KeyboardInterrupt()).startswith("split: stopped by Ctrl-C")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_numpys_own_word_for_a_full_disk_is_a_sentence_too():
    """/dev/full takes nothing, as a full disk does."""
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="requested") as error:
        np.ones(100_000).tofile(full)
    assert error.value.errno is None  # else this test, and what it is of, can go
    assert "no space is left" in refused(error.value)


def test_a_full_disk_is_a_sentence_also_behind_another_error():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "data/x")
        except OSError as cause:
            raise ValueError("could not write") from cause
    except ValueError as error:
        assert refused(error).startswith("split: no space is left for data/x")


@pytest.mark.parametrize("error", [ValueError("x"), OSError("12 requested"), OSError("nothing to do with disks")])
def test_other_errors_keep_their_traceback(error):
    def main():
        raise error

    with pytest.raises(type(error)):
        runner.run("split", main)


@pytest.mark.parametrize(
    ("message", "arguments", "read"),
    [
        ("%d posts; %s", (7458, {"left_out": {"no_text": 4, "copy": 0}, "largest": 1234}),
         "7458 posts; left out (no text 4, copy 0), largest 1,234"),
        ("%s", ({"epochs": 30, "validation": {"text_to_user": 0.18396464646, "all": 0.5}, "best": None, "on": True},),
         "epochs 30, validation (text to user 0.184, all 0.5), best None, on True"),
        ("%d without: %s", (0, []), "0 without: none"),
        ("asked: %s", ([["hard work", "common work"], ["tool use", "often use"]],),
         "asked: (hard work, common work), (tool use, often use)"),
        ("%(users)d users", ({"users": 3},), "3 users"),
        ("F1: %s", ({"interval_95": {"a": [0.41999, 0.58]}, "of": {}},), "F1: interval 95 a (0.42, 0.58), of none"),
        ("nothing", (), "nothing"),
    ],
)  # fmt: skip
def test_figures_are_printed_as_one_reads_them(message, arguments, read):
    record = logging.LogRecord("split", logging.INFO, "split.py", 1, message, arguments, None)
    before = record.getMessage()
    assert runner.Readable("%(name)s: %(message)s").format(record) == f"split: {read}"
    assert record.getMessage() == before  # for other handlers it stays as it was


def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_processes_took_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    of_others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    runner.run("split", lambda: Parallel(n_jobs=2)(delayed(busy)(0.3) for _ in range(2)))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert json.loads((tmp_path / "timings/split.json").read_text())["cpu_s"] > own + of_others + 0.5


def test_a_full_disk_of_which_no_file_is_known_is_still_a_sentence():
    assert refused(OSError(errno.ENOSPC, "No space left on device")).startswith("split: no space is left on the disk;")


def test_what_may_not_be_read_is_told_apart_from_what_may_not_be_written(tmp_path, monkeypatch):
    (tmp_path / "posts.csv").write_text("x")
    denied = {str(tmp_path / "posts.csv")}
    real = runner.os.access
    monkeypatch.setattr(runner.os, "access", lambda path, mode: str(path) not in denied and real(path, mode))

    def told(name):
        return refused(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / name)))

    assert "posts.csv may not be read (Permission denied): see its permissions" in told("posts.csv")
    assert "new.tmp may not be written" in told("new.tmp")
    denied.add(str(tmp_path))
    assert "hidden.csv may not be read" in told("hidden.csv")
