"""Spread work: atomic shards, resumed where it stopped, and never two processes on one folder."""

import multiprocessing
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.running import checkpoints
from pipeline.running.checkpoints import checkpoint_folder, fingerprint
from pipeline.running.errors import UserError
from pipeline.running.shards import map_shards


def copy(source: Path, target: Path, calls: Path, bad: str = "") -> dict:
    if source.name == bad:
        raise RuntimeError("broken")
    with calls.open("a") as log:
        log.write(source.name + "\n")
    target.write_bytes(source.read_bytes().upper())
    return {"rows": len(source.read_bytes())}


@pytest.fixture
def shards(tmp_path):
    paths = [tmp_path / "in" / f"part-{i:05d}.parquet" for i in range(4)]
    paths[0].parent.mkdir()
    for i, path in enumerate(paths):
        path.write_text("abc"[: i + 1])
    return paths


def test_a_rerun_does_what_is_missing_and_gives_the_same(tmp_path, shards):
    calls = tmp_path / "calls"
    with pytest.raises(RuntimeError, match="broken"):
        map_shards(partial(copy, calls=calls, bad=shards[2].name), shards, tmp_path / "out", "copying", workers=1)
    done = calls.read_text().split()
    assert shards[2].name not in done and done
    results = map_shards(partial(copy, calls=calls), shards, tmp_path / "out", "copying", workers=2)
    assert [r["rows"] for r in results] == [1, 2, 3, 3]
    assert sorted(calls.read_text().split()) == [s.name for s in shards]  # each once, over both runs
    assert [p.read_text() for p in sorted((tmp_path / "out").glob("*.parquet"))] == ["A", "AB", "ABC", "ABC"]


def hold(root: Path, ready, release) -> None:
    with checkpoint_folder("stage", "abc", root):
        ready.set()
        release.wait()


def test_a_second_process_is_told_who_holds_the_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, release))
    other.start()
    assert ready.wait(30)
    with (
        pytest.raises(UserError, match=f"stage is at work in process {other.pid}"),
        checkpoint_folder("stage", "abc", tmp_path),
    ):
        pass
    release.set()
    other.join()
    assert other.exitcode == 0


def test_a_finished_stage_removes_its_folders_and_a_failed_one_keeps_them(tmp_path):
    with pytest.raises(RuntimeError), checkpoint_folder("stage", "one", tmp_path) as folder:
        (folder / "part").touch()
        raise RuntimeError
    assert (tmp_path / "stage/one/part").exists()
    with checkpoint_folder("stage", "two", tmp_path) as folder:
        assert list(folder.iterdir()) == []
    assert [p.name for p in (tmp_path / "stage").iterdir()] == ["lock"]


def test_the_fingerprint_sees_content_names_and_facts(tmp_path):
    (tmp_path / "d").mkdir()
    file = tmp_path / "d/a"
    file.write_text("1")
    prints = [fingerprint([tmp_path / "d"], {"seed": 7})]
    prints.append(fingerprint([tmp_path / "d"], {"seed": 8}))
    file.write_text("2")
    prints.append(fingerprint([tmp_path / "d"], {"seed": 7}))
    file.rename(tmp_path / "d/b")
    prints.append(fingerprint([tmp_path / "d"], {"seed": 7}))
    assert len(set(prints)) == 4
    (tmp_path / "d/__pycache__").mkdir()
    (tmp_path / "d/__pycache__/a.pyc").write_text("as Python left it")
    assert fingerprint([tmp_path / "d"], {"seed": 7}) == prints[-1]


def test_the_fingerprint_sees_versions_and_threads_by_which_results_may_differ(monkeypatch):
    prints = [fingerprint([], {})]
    monkeypatch.setattr(checkpoints, "cores", lambda: 17)
    prints.append(fingerprint([], {}))
    monkeypatch.setattr(checkpoints, "version", lambda name: "0.0" if name == "numpy" else version(name))
    prints.append(fingerprint([], {}))
    assert len(set(prints)) == 3
