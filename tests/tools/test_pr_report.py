"""The few figures at the head of a pull request's report; the rest of it is tested with DVC in test_tools.py."""

import subprocess

import pytest
from fabricate import edit

from tools import pr_report


@pytest.fixture
def repository(fabricated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    for name in ("retrieval", "interests"):
        (tmp_path / f"metrics/{name}.json").write_bytes((fabricated / f"metrics/{name}.json").read_bytes())
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "base")):
        subprocess.run(["git", *command], check=True, capture_output=True)
    return tmp_path


def test_what_changed_is_told_with_its_interval_and_whether_it_is_better(repository):
    assert pr_report.headlines("main") == ""

    def change(found):
        found["joint_performance"] = found["interval_95"]["joint_performance"][0]  # just inside
        found["text_to_user"].update(mean_median_rank=1.0)
        found["text_to_user"]["interval_95"]["mean_median_rank"] = [0.9, 1.1]
        found["image_to_text"].update(mean_median_rank=20.0)
        found["image_to_text"]["interval_95"]["mean_median_rank"] = [19, 21]

    edit(repository / "metrics/retrieval.json", change)
    edit(
        repository / "metrics/interests.json",
        lambda found: found["macro"].update(model=0.1, interval_95={"model": [0.05, 0.15]}),
    )
    rows = {line.split(" | ")[0].lstrip("| "): line for line in pr_report.headlines("main").splitlines()[2:]}
    assert len(rows) == 4 and "image to user, mean median rank" not in rows
    assert rows["joint performance"].endswith("within the interval |")
    assert rows["text to user, mean median rank"].endswith("| 1 (0.9 to 1.1) | better |")
    assert rows["image to text, mean median rank"].endswith("| 20 (19 to 21) | worse |")
    assert rows["users' interests, macro F1"].endswith("| worse |")


def test_a_base_without_metrics_or_interests_that_were_not_measured_say_nothing(repository):
    edit(
        repository / "metrics/interests.json", lambda found: (found.clear(), found.update(not_measured="no interests"))
    )
    subprocess.run(["git", "rm", "-q", "--cached", "metrics/retrieval.json"], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-qm", "b"], check=True)
    assert pr_report.headlines("HEAD") == ""
