"""Files that are kept: sealed, so that a damaged one is made anew; atomic, and swept after a kill; allocated first."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.running.checkpoints import keep_in
from pipeline.running.files import allocate, atomic_file, atomic_folder, sealed_file, stands
from pipeline.running.shards import map_shards

ROOT = Path(__file__).parents[2]
DAMAGES = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[:-3],
    "garbage": lambda whole: bytes(len(whole)),
    "flipped": lambda whole: whole[:9] + bytes([whole[9] ^ 4]) + whole[10:],
}


def seal(path, text):
    with sealed_file(path) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_does_not_stand_and_is_removed(tmp_path, damage):
    path = tmp_path / "part"
    assert not stands(path)
    seal(path, "what was found so far")
    assert stands(path)
    path.write_bytes(damage(path.read_bytes()))
    assert not stands(path) and not path.exists()


def test_a_kill_between_a_file_and_its_sum_costs_neither_the_old_file_nor_the_new(tmp_path, monkeypatch):
    path = tmp_path / "training.pt"
    seal(path, "step 100")

    replace = Path.replace

    def killed(self, target):
        if target == path:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            seal(path, "step 200")
    assert stands(path) and path.read_text() == "step 100"
    seal(path, "step 300")
    assert stands(path) and path.read_text() == "step 300"


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("victim", ["pairs.npz", ".pairs.npz.sum"])
def test_kept_arrays_that_are_damaged_are_made_anew(tmp_path, damage, victim):
    calls = []

    def make():
        calls.append(1)
        return (np.arange(40),)

    for _ in range(2):
        keep_in(tmp_path)("pairs", make)
    assert len(calls) == 1
    (tmp_path / victim).write_bytes(damage((tmp_path / victim).read_bytes()))
    assert keep_in(tmp_path)("pairs", make)[0].tolist() == list(range(40))
    assert len(calls) == 2


def shout(source: Path, target: Path) -> dict[str, int]:
    target.write_text(source.read_text().upper())
    return {"letters": len(source.read_text())}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("victim", ["part-00001.parquet", "part-00001.done.json"])
def test_shards_that_are_damaged_are_made_anew(tmp_path, damage, victim):
    shards = [tmp_path / f"part-0000{i}.parquet" for i in range(3)]
    for i, shard in enumerate(shards):
        shard.write_text("what is said here " * (i + 1))
    out = tmp_path / "out"
    first = map_shards(shout, shards, out, "shouting", workers=1)
    (out / victim).write_bytes(damage((out / victim).read_bytes()))
    assert map_shards(shout, shards, out, "shouting", workers=1) == first
    assert (out / shards[1].name).read_text() == shards[1].read_text().upper()
    assert json.loads((out / "part-00001.done.json").read_text())["result"] == first[1]


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getppid()):
        (tmp_path / f".table.{process}.tmp").write_text("x")
        (tmp_path / f".folder.{process}.ab12.tmp").mkdir()
        (tmp_path / f".folder.{process}.ab12.tmp/part").write_text("x")
    with atomic_file(tmp_path / "table") as temporary, atomic_folder(tmp_path / "folder"):
        temporary.write_text("y")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"table", "folder", f".table.{os.getppid()}.tmp", f".folder.{os.getppid()}.ab12.tmp"}


def test_what_is_written_can_be_read_by_others_of_the_machine(tmp_path):
    """As a cache that several share has to be; a temporary folder cannot."""
    with atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "part").write_text("x")
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


def test_a_file_with_a_hole_gets_its_space(tmp_path):
    path = tmp_path / "mapped"
    with path.open("wb") as stream:
        stream.write(b"head")
        stream.truncate(1 << 22)
    allocate(path)
    assert path.stat().st_size == 1 << 22 and path.stat().st_blocks * 512 >= 1 << 22
    assert path.read_bytes() == b"head" + bytes((1 << 22) - 4)


FULL = """
import resource, sys
import numpy as np
from numpy.lib.format import open_memmap
from stages.runner import run
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
run("train", lambda: open_memmap(sys.argv[1], "w+", np.dtype(np.float32), (1_000_000,)))
"""


def test_a_file_beyond_the_limit_is_a_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "features.npy")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "ulimit -f" in done.stderr and "what earlier stages made is whole" in done.stderr


def test_a_full_disk_is_told_before_a_memory_map_is_written(tmp_path, monkeypatch):
    def full(descriptor, begin, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    (tmp_path / "mapped").write_bytes(b"1234")
    with pytest.raises(OSError, match="mapped") as refused:
        allocate(tmp_path / "mapped")
    assert refused.value.errno == errno.ENOSPC
