"""The report of a pull request: what changed first, never longer than GitHub takes, whatever a corpus is called."""

import json
import subprocess

import pytest
from lxml import html
from markdown_it import MarkdownIt

from tests.made.run import edit
from tools import pr_report

HOSTILE = (
    "</details><script>alert(1)</script>",
    "@everyone and @somebody/team, see #1",
    "![x](http://evil.invalid/x.png) [here](http://evil.invalid) http://evil.invalid",
    "\n\n# heading\n\n| a | b |\n|---|---|\n",
    "```\n`code` ``more``",
    "=cmd|' /C calc'!A1",
    "\u202eesrever\u202c \x00\x1b[31m &#64;all &lt;img src=x onerror=alert(1)&gt;",
    "W" * 50_000,
    "macro",
)


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


def worsened(repository):
    def change(found):
        found["joint_performance"] = found["interval_95"]["joint_performance"][0]  # just inside
        found["text_to_user"].update(mean_median_rank=1.0)
        found["text_to_user"]["interval_95"]["mean_median_rank"] = [0.9, 1.1]
        found["image_to_text"].update(mean_median_rank=20.0)
        found["image_to_text"]["interval_95"]["mean_median_rank"] = [19, 21]
        found["image_to_user"]["queries"] += 1

    edit(repository / "metrics/retrieval.json", change)
    edit(
        repository / "metrics/interests.json",
        lambda found: found["macro"].update(model=0.1, interval_95={"model": [0.05, 0.15]}),
    )


def test_what_changed_is_told_with_its_interval_and_what_is_worse_comes_first(repository):
    assert pr_report.changes("main") == [] and pr_report.summary([]) == "No headline metric changed."
    worsened(repository)
    found = pr_report.changes("main")
    verdicts = {change.headline.name: change.verdict for change in found}
    assert verdicts["joint performance"] == "within the interval"
    assert verdicts["text to user, mean median rank"] == "better"
    assert verdicts["image to text, mean median rank"] == verdicts["interests, macro F1"] == "worse"
    assert "image to user, mean median rank" not in verdicts and verdicts["test queries, image to user"] == "changed"
    assert [change.verdict for change in found[:3]] == ["worse", "worse", "better"]
    assert "1 (0.9 to 1.1)" in found[2].row() and "**better**" in found[2].row()
    told = pr_report.summary(found)
    assert told.startswith("**Worse**: image to text, mean median rank; interests, macro F1. **Better**: text to user")
    assert "1 moved within the interval" in told and "asks other queries" in told


def test_one_interval_that_holds_the_other_value_is_enough_for_no_change():
    headline = pr_report.Headline("rank", "retrieval", (), "rank", "lower")
    with_one, without = pr_report.Figure(10, (8, 12)), pr_report.Figure(9, None)
    assert {pr_report.Change(headline, *pair).verdict for pair in ((with_one, without), (without, with_one))} == {
        "within the interval"
    }
    assert pr_report.Change(headline, with_one, pr_report.Figure(7, None)).verdict == "better"


def test_of_two_corpora_neither_is_better(repository, monkeypatch):
    worsened(repository)
    params = [("params.yaml", "corpus.posts", "a.csv", "b.csv")]
    monkeypatch.setattr(pr_report, "_diff", lambda kind, base: params if kind == "params" else [])
    told = pr_report.report("main").partition("### Parameters")[0]
    assert "results of another corpus" in told and "1 (0.9 to 1.1)" in told
    assert "**better**" not in told and "**worse**" not in told and "within the interval" not in told
    monkeypatch.setattr(pr_report, "_diff", lambda kind, base: [])
    assert "**better**" in pr_report.report("main")


def test_figures_that_are_new_or_gone_or_none_at_all_stop_nothing(repository):
    edit(repository / "metrics/interests.json", lambda found: (found.clear(), found.update(not_measured="nobody")))
    (repository / "metrics/retrieval.json").write_text("[1, 2]")
    found = pr_report.changes("main")
    assert {change.verdict for change in found} == {"gone"}
    assert any(change.headline.name == "interests, macro F1" for change in found)
    (repository / "metrics/retrieval.json").write_text("{")
    assert pr_report.changes("main") == found


def rendered(text):
    return html.fromstring(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


@pytest.mark.parametrize("labels", [HOSTILE, [f"interest {i} " + "é" * 100 for i in range(4000)]], ids=["odd", "many"])
@pytest.mark.parametrize("limit", [pr_report.COMMENT, 150_000])
def test_no_name_breaks_out_of_the_report_nor_makes_it_too_long(repository, monkeypatch, labels, limit):
    worsened(repository)
    figures = {f"labels.{label}.model": {"old": 0.25, "new": 0.5} for label in labels}
    settings = {f"report.{label}": {"old": label, "new": [label, label]} for label in labels}
    by_kind = {"metrics": {"metrics/interests.json": figures}, "params": {"params.yaml": settings}}
    plain = subprocess.run

    def dvc(command, **options):
        if command[0] == "dvc":
            return subprocess.CompletedProcess(command, 0, json.dumps(by_kind[command[1]]), "")
        return plain(command, **options)

    monkeypatch.setattr(subprocess, "run", dvc)
    assert len(pr_report.report("main", pr_report.SUMMARY).encode()) <= pr_report.SUMMARY
    text = pr_report.report("main", limit)
    assert len(text.encode()) <= limit and (limit > 65_536 or len(text) < 65_536)
    page = rendered(text)
    assert {e.tag for e in page.iter()} <= {
        "div", "h2", "h3", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "details", "summary",
    }  # fmt: skip
    assert len(page.xpath("//h2")) == 1 and len(page.xpath("//h3")) == 3 and len(page.xpath("//details")) == 1
    assert all(len(row.xpath("./td")) == len(row.xpath("../../thead/tr/th")) for row in page.xpath("//tbody/tr"))
    outside = "".join(page.xpath("//text()[not(ancestor::code)]"))
    assert not any(word in outside for word in ("@", "evil", "script", "calc", "#1", "WWW", "\u202e", "\x1b"))
    (first, *_) = page.xpath("//table")
    assert len(first.xpath(".//tr")) <= pr_report.ROWS + 1
    assert (" more" in text) == (len(labels) > 1000)


def test_what_dvc_cannot_tell_is_said(repository, monkeypatch):
    plain = subprocess.run

    def dvc(command, **options):
        failed = subprocess.CompletedProcess(command, 255, "", "ERROR: unexpected")
        return failed if command[0] == "dvc" else plain(command, **options)

    monkeypatch.setattr(subprocess, "run", dvc)
    text = pr_report.report("main")
    assert "DVC could not compare them; `dvc metrics diff main` says why." in text and "`dvc params diff main`" in text
