"""Nobody's own files enter Git: by `git add -A`, by `git commit -a`, or by an experiment of DVC."""

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.running.errors import UserError
from pipeline.running.private import keep_out_of_git

ROOT = Path(__file__).parents[2]


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository with the files that Git keeps of this one."""
    folder = tmp_path / "clone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("pipeline", "stages", "dvc.yaml", "params.yaml", ".gitignore", ".dvcignore", ".dvc/config"):
        source = ROOT / name
        (folder / name).parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for key, value in {"user.name": "t", "user.email": "t@t", "init.defaultBranch": "main"}.items():
        monkeypatch.setenv("GIT_CONFIG_COUNT", "3")
        number = ("user.name", "user.email", "init.defaultBranch").index(key)
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    git("init", "--quiet")
    git("add", "-A")
    git("commit", "--quiet", "-m", "as it comes")
    return folder


def own_corpus(folder):
    """Posts, users and pictures of one's own, in `folder`."""
    (folder / "my pictures").mkdir(parents=True)
    (folder / "my pictures/a.png").write_text("a picture")
    (folder / "posts [1].jsonl").write_text('{"post_id": "p", "user_id": "u", "text": "private", "image": "a.png"}\n')
    (folder / "users.jsonl").write_text('{"user_id": "u", "interests": [], "brand": false}\n')
    return {"corpus.posts": folder / "posts [1].jsonl", "corpus.images": folder / "my pictures"}


def test_what_lies_in_the_repository_is_ignored_from_then_on_and_told_once(clone, caplog):
    paths = own_corpus(Path())
    keep_out_of_git(paths)
    keep_out_of_git(paths)
    assert len(caplog.messages) == 2 and "posts [1].jsonl is now ignored by Git" in caplog.messages[0]
    git("add", "-A")
    assert git("diff", "--cached", "--name-only") == "users.jsonl\n"  # of which it was not told


def test_a_rule_has_a_line_of_its_own_below_rules_that_end_without_one(clone):
    exclude = clone / ".git/info/exclude"
    exclude.write_text("*.bak")
    keep_out_of_git({"corpus.users": Path("people.jsonl")})
    assert exclude.read_text() == "*.bak\n/people.jsonl\n"


def test_data_own_is_ignored_without_a_word(clone, caplog):
    keep_out_of_git(own_corpus(Path("data/own")))
    assert not caplog.messages
    git("add", "-A")
    assert git("status", "--porcelain") == ""


def test_what_git_follows_is_refused_with_what_to_do(clone):
    paths = own_corpus(Path())
    git("add", "-A")
    with pytest.raises(UserError, match=r"corpus\.posts is 'posts \[1\]\.jsonl'.*data/own/.*git rm -r --cached"):
        keep_out_of_git(paths)
    with pytest.raises(UserError, match=r"corpus\.images is '\.'"):
        keep_out_of_git({"corpus.images": Path()})


def test_outside_a_repository_nothing_happens(tmp_path, monkeypatch, clone):
    keep_out_of_git(own_corpus(tmp_path / "elsewhere"))
    assert git("status", "--porcelain") == ""
    monkeypatch.chdir(tmp_path)
    keep_out_of_git({"corpus.posts": Path("x.csv")})


def test_no_stage_has_ones_own_files_as_deps():
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    assert not [dep for entry in stages.values() for dep in entry.get("do", entry)["deps"] if "${corpus" in dep]


@pytest.mark.slow
def test_an_experiment_commits_none_of_ones_own_files(clone):
    own_corpus(Path())
    settings = {"source": "table", "posts": "posts [1].jsonl", "images": "my pictures", "users": "users.jsonl"}
    overrides = [word for key, value in settings.items() for word in ("-S", f'corpus.{key}="{value}"')]
    done = subprocess.run(
        ["dvc", "exp", "run", *overrides, "--name", "mine", "list_corpus"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (experiment,) = git("for-each-ref", "--format=%(refname)", "refs/exps/*/*/mine").splitlines()
    held = git("ls-tree", "-r", "--name-only", experiment)
    assert "dvc.lock" in held and not [
        name for name in ("posts [1].jsonl", "users.jsonl", "my pictures") if name in held
    ]
