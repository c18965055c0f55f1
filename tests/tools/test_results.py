"""What `make repro` prints at its end: the figures of metrics/*.json, and what is missing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.made.run import edit
from tools import results

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(fabricated, tmp_path, monkeypatch):
    shutil.copytree(fabricated / "metrics", tmp_path / "metrics")
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text("page")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_holds_what_the_metrics_hold(run, capsys):
    assert results.main() == 0
    out = capsys.readouterr().out
    model = json.loads((run / "metrics/retrieval.json").read_text())
    rows = {line.split("  ")[1]: line.split()[-4:] for line in out.splitlines() if line.startswith("  ")}
    wanted = [*(model[task]["mean_median_rank"] for task in results.TASKS), model["joint_performance"]]
    assert [float(cell) for cell in rows["this model"]] == pytest.approx(wanted, rel=0.01)
    assert rows["random"] == ["12.5", "12.5", "12.5", "1.56"]
    assert rows["Avg-Text"][1:] == ["-", "-", "-"] and rows["Avg-Image"][0] == "-"
    means = json.loads((run / "metrics/encoder_means.json").read_text())["encoder_mean_whitened"]
    assert float(rows["Pretrained means"][0]) == pytest.approx(means["text_to_user"]["mean_median_rank"], rel=0.01)
    assert f"Report: {(run / 'report/index.html').resolve()}\nSearch and browse: make explore." in out
    assert "nothing is left of 1 near-copy that it found across sides (1 post left out)" in out
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith("Report"))


def test_what_is_missing_or_not_measured_is_said(run, capsys):
    (run / "metrics/baselines.json").unlink()
    shutil.rmtree(run / "report")
    edit(
        run / "metrics/interests.json",
        lambda found: (found.clear(), found.update(not_measured="no user has interests")),
    )
    edit(run / "metrics/audit.json", lambda found: found["crossings"].update(left=3))
    assert results.main() == 1
    out = capsys.readouterr().out
    assert "Missing: metrics/baselines.json" in out and "No report at" in out and "this model" in out
    assert "not measured, as no user has interests" in out and "THE SPLIT LEAKS: 3" in out


def test_it_is_quick_and_loads_no_library(run):
    code = (
        "import sys, tools.results as r; r.main(); print([m for m in ('torch', 'numpy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert done.stdout.splitlines()[-1] == "[]"
