"""dvc.lock as `make repro` writes it is to the byte as DVC does, with real DVC."""

import pytest
from commands import ROOT, run
from dvc.utils.serialize import dumps_yaml
from hypothesis import given
from hypothesis import strategies as st

from tools import repro

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=90)
LEAVES = st.none() | st.booleans() | st.integers() | st.decimals(-1000, 1000, places=5).map(float) | st.just("") | TEXTS
VALUES = st.recursive(LEAVES, lambda held: st.lists(held, max_size=3) | st.dictionaries(TEXTS, held, max_size=3))


@given(VALUES)
def test_any_value_of_params_is_written_as_dvc_does(value):
    lock = {"schema": "2.0", "stages": {"a": {"cmd": "true", "params": {"params.yaml": {"key": value}}}}}
    assert repro.written(lock) == dumps_yaml(lock)


@pytest.mark.parametrize("name", ["dvc.lock", "paper/dvc.lock"])
def test_the_locks_of_the_project_stay_as_they_are(name):
    text = (ROOT / name).read_text()
    assert repro.written(repro.parsed(text)) == text


STAGES = """# A comment: dvc.yaml is the user's.
stages:
  one:
    cmd: cp params.yaml one
    params: [k, of]
    outs: [one]
  two:
    cmd: cat one > two; echo >> runs
    deps: [one]
    outs: [two]
"""


def test_what_ran_by_the_one_is_up_to_date_for_the_other(tmp_path):
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "params.yaml").write_text("k: null\nof: {low: 1.0e-05, name: it's, list: [a, 2, true]}\n")
    run("dvc", "init", "-q", "--no-scm", at=tmp_path)
    run("python", "-m", "tools.repro", "-q", at=tmp_path)
    ours = (tmp_path / "dvc.lock").read_text()
    assert "up to date" in run("dvc", "repro", at=tmp_path)
    (tmp_path / "dvc.lock").unlink()
    run("dvc", "repro", "-q", at=tmp_path)
    assert (tmp_path / "dvc.lock").read_text() == ours
    assert (tmp_path / "dvc.yaml").read_text() == STAGES


def test_a_zip_of_the_project_is_told_what_it_lacks(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    assert "Run once: git init" in repro.without_git(tmp_path / "a/b")
    (tmp_path / ".git").write_text("gitdir: elsewhere")  # as in a worktree
    assert repro.without_git(tmp_path / "a/b") is None
