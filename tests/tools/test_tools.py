"""With real DVC, in a project of two stages: refusals, a stale lock, and the report for a pull request."""

import shutil
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from tests.processes.commands import ROOT, run
from tools import check_lock


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A committed project: the real check_params, and a stage downstream of it whose metric is lambda1."""
    project = tmp_path_factory.mktemp("project")
    for folder in ("pipeline", "stages", "tools"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", project)
    yaml = YAML(typ="safe", pure=True)
    entry = yaml.load(ROOT / "dvc.yaml")["stages"]["check_params"]
    echo = {
        "cmd": "mkdir -p metrics data && grep ^lambda1 params.yaml | tee data/kept > metrics/echo.yaml",
        "deps": ["data/checked"],
        "params": ["lambda1"],
        "outs": ["data/kept"],
        "metrics": [{"metrics/echo.yaml": {"cache": False}}],
    }
    with (project / "dvc.yaml").open("w") as stream:
        yaml.dump({"stages": {"check_params": entry, "echo": echo}}, stream)
    (project / ".gitignore").write_text("__pycache__/\n")
    run("git", "init", "-q", "-b", "main", at=project)
    run("git", "config", "user.email", "a@b", at=project)
    run("git", "config", "user.name", "a", at=project)
    run("dvc", "init", "-q", at=project)
    run("dvc", "repro", at=project)
    run("git", "add", "-A", at=project)
    run("git", "commit", "-qm", "base", at=project)
    return project


@pytest.fixture
def project(base):
    yield base
    run("git", "checkout", "-q", ".", at=base)  # each DVC command takes seconds: whoever changes outputs restores them


def edit(project, old, new):
    text = (project / "params.yaml").read_text()
    assert old in text
    (project / "params.yaml").write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("lambda1: 0.1", "lambda1: 1.5", "lambda1 is 1.5; it has to be less than or equal to 1."),
        ("  window: 5", "  windw: 5", "words.windw is not a known key"),
    ],
)
def test_a_bad_value_is_refused_before_any_work_and_outputs_stand(project, old, new, sentence):
    edit(project, old, new)
    assert sentence in run("dvc", "repro", at=project, status=255)
    assert (project / "data/checked").exists() and (project / "data/kept").read_text() == "lambda1: 0.1\n"


def test_a_stale_lock_fails_without_data_and_a_current_one_does_not(project):
    shutil.rmtree(project / "data")
    shutil.rmtree(project / ".dvc/cache")
    check = (sys.executable, "-m", "tools.check_lock")
    assert "dvc.lock is current" in run(*check, at=project)
    edit(project, "lambda1: 0.1", "lambda1: 0.2")
    assert "dvc.lock is stale" in run(*check, at=project, status=1)
    run("git", "checkout", "-q", ".", at=project)
    run("dvc", "repro", at=project)


def test_a_stage_that_would_run_is_stale_although_dvc_ends_well(monkeypatch, capsys):
    said = "Running stage 'list_corpus':\n> python -m stages.list_corpus\nRunning stage 'train':\n"
    monkeypatch.setattr(subprocess, "run", lambda command, **given: subprocess.CompletedProcess(command, 0, said, ""))
    assert check_lock.main() == 1
    told = capsys.readouterr().err
    assert "'train'" in told and "list_corpus" not in told and "dvc.lock is stale" in told


def test_a_reviewer_reads_the_change_of_a_metric_and_its_parameter(project):
    report = (sys.executable, "-m", "tools.pr_report")
    assert "No metric changed." in run(*report, "main", at=project)
    edit(project, "lambda1: 0.1", "lambda1: 0.3")
    run("dvc", "repro", at=project)
    text = run(*report, "main", at=project)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert ["`metrics/echo.yaml`", "`lambda1`", "0.1", "0.3"] in rows
    assert ["`params.yaml`", "`lambda1`", "0.1", "0.3"] in rows
    assert "nosuch is no revision here" in run(*report, "nosuch", at=project, status=1)
    run("git", "checkout", "-q", ".", at=project)
    run("dvc", "checkout", "-q", at=project)
