"""With real DVC: an empty or truncated dvc.lock, and outputs with a flipped bit, in data/ and in the cache."""

import py_compile
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.processes.commands import ROOT, run
from tools import mend

MEND = ("python", "-m", "tools.mend")
MAKE = "mkdir -p data/t && for i in 1 2 3; do seq $i 500 > data/t/part-0000$i.parquet; done && echo ran >> runs"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A committed project of one stage, whose output is linked to DVC's cache."""
    tmp_path = tmp_path_factory.mktemp("project")
    (tmp_path / "tools").mkdir()
    for name in ("__init__.py", "mend.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    (tmp_path / "given").write_text("a dep: DVC's run cache knows no stage without one\n")
    with (tmp_path / "dvc.yaml").open("w") as stream:
        stage = {"cmd": MAKE, "deps": ["given"], "outs": ["data/t"]}
        YAML(typ="safe", pure=True).dump({"stages": {"make": stage}}, stream)
    (tmp_path / ".gitignore").write_text("__pycache__/\nruns\n")
    run("git", "init", "-q", "-b", "main", at=tmp_path)
    run("dvc", "init", "-q", at=tmp_path)
    run("dvc", "config", "cache.type", "hardlink", at=tmp_path)
    run("dvc", "repro", "-q", at=tmp_path)
    run("git", "add", "-A", at=tmp_path)
    run("git", "-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-qm", "base", at=tmp_path)
    return tmp_path


def test_bytecode_that_was_cut_off_goes_and_other_stays(project):
    held = {}
    for name in ("whole", "cut"):
        source = project / f"pipeline/{name}.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text("def answer():\n    return 'forty-two'\n")
        held[name] = Path(py_compile.compile(str(source), doraise=True))
    held["cut"].write_bytes(held["cut"].read_bytes()[:-20])
    run("python", "-c", "import pipeline.cut", at=project, status=1)  # what it mends
    assert f"{held['cut'].relative_to(project)} was cut off" in run(*MEND, "--lock", at=project)
    assert held["whole"].exists() and not held["cut"].exists()
    run("python", "-c", "import pipeline.cut, pipeline.whole", at=project)


def contents(project):
    return {path.name: path.read_bytes() for path in (project / "data/t").iterdir()}


def flip(path: Path):
    path.chmod(0o644)
    with path.open("r+b") as stream:  # in place: what is linked to the same bytes changes with it
        first = stream.read(1)
        stream.seek(0)
        stream.write(bytes([first[0] ^ 1]))


def test_a_lock_that_a_kill_cut_off_is_that_of_head_again(project):
    lock = project / "dvc.lock"
    whole = lock.read_bytes()
    for left in (b"", whole[: whole.index(b"md5") + 2], b"\x00" * 40):
        lock.write_bytes(left)
        assert "the one of HEAD is put in its place" in run(*MEND, "--lock", at=project)
        assert lock.read_bytes() == whole
    assert run(*MEND, "--lock", at=project) == ""
    lock.write_bytes(b"")
    run("dvc", "repro", at=project, status=255)  # what it mends
    run(*MEND, "--lock", at=project)
    run("dvc", "repro", at=project)
    assert (project / "runs").read_text() == "ran\n"


def test_notes_of_dvc_that_a_kill_cut_off_go(project):
    notes = project / ".dvc/tmp/rwlock"
    for left in ("", '{"data/t": {"wri'):
        notes.write_text(left)
        assert "rwlock was damaged" in run(*MEND, "--lock", at=project) and not notes.exists()
    notes.write_text("")
    run("dvc", "repro", at=project, status=255)  # what it mends
    run(*MEND, "--lock", at=project)
    notes.write_text("{}")
    assert run(*MEND, "--lock", at=project) == "" and notes.exists()
    run("dvc", "repro", at=project)


def test_a_flipped_bit_in_data_and_cache_is_found_and_the_stage_makes_it_anew(project):
    before = contents(project)
    part = project / "data/t/part-00002.parquet"
    assert part.stat().st_nlink == 2
    flip(part)
    told = run(*MEND, at=project)
    assert "part-00002.parquet was damaged" in told and "Run `dvc repro`" in told and told.count("was damaged") == 1 + 1
    run("dvc", "repro", at=project)
    assert contents(project) == before
    assert (project / "runs").read_text() == "ran\nran\n"
    assert run(*MEND, at=project) == "Nothing is damaged.\n"


def test_what_is_damaged_in_the_workspace_alone_comes_back_from_the_cache(project):
    before, runs = contents(project), (project / "runs").read_text()
    part = project / "data/t/part-00002.parquet"
    part.unlink()
    part.write_text("mine")  # the cache is sound: no run is needed
    assert run(*MEND, at=project).count("was damaged") == 1
    run("dvc", "repro", at=project)
    assert contents(project) == before and (project / "runs").read_text() == runs


def test_a_zip_of_the_project_is_told_what_it_lacks(tmp_path):
    below = tmp_path / "a/b"
    (below / ".dvc").mkdir(parents=True)
    assert "Run once: git init" in mend.without_git(below)
    (below / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    assert mend.without_git(below) is None
    (below / ".dvc/config").unlink()
    (tmp_path / ".git").write_text("gitdir: elsewhere")  # as in a worktree
    assert mend.without_git(below) is None
