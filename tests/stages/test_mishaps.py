"""Whole runs, killed again and again or on a full disk: in the end there are the bytes of a run in peace."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from examples import own_posts
from tests.processes.commands import ENVIRONMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]

TARGETS = os.environ.get("MISHAP_TARGET", "").split()
"""Stages to run, with what they need; all where none is named."""
KILLS, LONGEST = 15, 25.0
"""Kills, and s of work after which the last comes: the earlier ones sooner, so that all stages are met."""
ROOM = (1, 3, 6, 12, 20)
"""MiB that are left of the disks that are too small."""


def hashes(folder):
    """Of all that stages write, but data/listing, which holds the times of files: each run here has its own."""
    paths = [path for name in ("data", "metrics", "plots", "report") for path in (folder / name).rglob("*")]
    held = {str(path.relative_to(folder)): path for path in paths if path.is_file() and path.name != "listing"}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in held.items()}


def prepared(folder, monkeypatch):
    """A project on the posts of examples/own_posts.py, nothing run yet."""
    own_posts.write_posts(folder / "mine")
    with monkeypatch.context() as patch:
        patch.setattr(own_posts.subprocess, "run", lambda *_, **__: None)
        own_posts.run(folder)
    subprocess.run(["dvc", "init", "--quiet", "--no-scm"], cwd=folder, env=ENVIRONMENT, check=True)
    return folder


def log_of(folder):
    """Not on its disk, which may be full."""
    return folder.parent.parent / f"{folder.name}.log"


def repro(folder, **settings):
    own = {"DVC_SITE_CACHE_DIR": str(folder.parent.parent / "site"), "OMP_NUM_THREADS": "1"}
    environment = ENVIRONMENT | own | settings
    with log_of(folder).open("ab") as log:
        return subprocess.Popen(
            ["dvc", "repro", *TARGETS], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def mended(folder):
    """What `make repro` does first."""
    subprocess.run([sys.executable, "-m", "tools.mend", "--lock"], cwd=folder, env=ENVIRONMENT, check=True)


@pytest.fixture(scope="module")
def in_peace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = prepared(tmp_path_factory.mktemp("peace") / "here/project", patch)
    assert repro(folder).wait() == 0, log_of(folder).read_text()
    return hashes(folder)


def test_killed_at_random_moments_a_run_ends_with_the_same_bytes(in_peace, tmp_path, monkeypatch, record_property):
    folder, draw, kills = prepared(tmp_path / "here/project", monkeypatch), random.Random(5), 0
    while kills < KILLS:
        running = repro(folder)
        begun, lasts = time.monotonic(), draw.uniform(0, LONGEST * (kills + 1) / KILLS)
        while running.poll() is None and time.monotonic() - begun < lasts:
            time.sleep(0.05)
        if running.poll() is not None:
            assert running.returncode == 0, log_of(folder).read_text()[-3000:]
            break
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        kills += 1
        mended(folder)
    record_property("kills", kills)
    assert repro(folder).wait() == 0, log_of(folder).read_text()[-3000:]
    assert kills > 3 and hashes(folder) == in_peace


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, and what leaves so many MiB free there; skips where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(*options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if shutil.which("mount") is None or not mounted("size=1g"):
        pytest.skip("no disk may be mounted here")
    yield folder, lambda room: mounted("remount", f"size={(shutil.disk_usage(folder).used >> 10) + 1024 * room}k")
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_on_a_full_disk_a_run_ends_in_a_sentence_and_goes_on_once_there_is_room(in_peace, small_disk, monkeypatch):
    disk, leave = small_disk
    folder, failed = prepared(disk / "project", monkeypatch), 0
    for room in ROOM:
        assert leave(room)
        log_of(folder).unlink(missing_ok=True)
        if repro(folder, PYTHONDONTWRITEBYTECODE="1").wait():  # as the Makefile has it where so little is free
            failed += 1
            told = log_of(folder).read_text()
            assert "Traceback" not in told and ("no space is left" in told or "No space left" in told), told[-3000:]
        mended(folder)
    assert failed and leave(1 << 10)
    assert repro(folder).wait() == 0, log_of(folder).read_text()[-3000:]
    assert hashes(folder) == in_peace
