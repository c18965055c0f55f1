"""A person is planted, run, experimented with and erased, and every byte is searched for what told of them."""

import csv
import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks import lay_out, write_params
from pipeline.privacy import erased
from pipeline.privacy.erased import REASON, Tombstones
from pipeline.privacy.keys import Key
from pipeline.running.params import load
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS
from tests.exports.truth import truth
from tests.exports.writers import fourcat_csv, twarc_pages
from tests.exports.writers.shared import handle
from tests.privacy.planted import FIRST, PEOPLE, SMALL, planted, run
from tests.processes import commands
from tests.processes.commands import ROOT
from tests.processes.commands import run as command
from tools import erase
from tools.searching import Search

pytestmark = pytest.mark.timeout(600)  # processes with torch, on a machine that others use too
GONE = PEOPLE[1]


def keep(folder):
    """Params without pseudonyms, and as many posts as are needed without one person."""
    write_params(folder, {"corpus": {"pseudonyms": "keep"}}, folder / "params.yaml")
    return folder


def hits(folder, names):
    search = Search(names)
    for path in sorted(folder.iterdir()):
        if path.name not in ("own", "export", ".private", "params.yaml", ".git") and not path.is_symlink():
            search.folder(path)
    return search.end().hits


@pytest.fixture(params=["keep", "keyed"])
def corpus(request, tmp_path, monkeypatch):
    """The folder of a planted corpus, which is the working directory, and its `corpus.pseudonyms`."""
    folder = planted(tmp_path)
    if request.param == "keep":
        keep(folder)
    monkeypatch.chdir(folder)
    return folder, request.param


def test_who_was_erased_does_not_come_back_at_the_import(corpus):
    folder, _ = corpus
    erased.add([f"@{GONE.upper()}"], [f"{PEOPLE[2]}-post-2"])
    run(folder, FIRST)
    posts = POSTS.read(folder / "data/corpus/posts")
    assert posts.num_rows == 76 - 20 - 1 and USERS.count(folder / "data/corpus/users") == 3
    assert IMAGES.count(folder / "data/corpus/images") == 76 - 20 - 1
    rejected = [row for row in REJECTED.read(folder / "data/corpus/rejected").to_pylist() if row["reason"] == REASON]
    assert len(rejected) == 20 + 1 + 1 and {row["id"] for row in rejected} == set(
        Tombstones.held().hashes
    )  # users' row too
    assert hits(folder, [GONE]) == []  # mentions and links in others' texts are gone too


def test_of_a_table_their_posts_are_looked_for_whoever_is_named_by_the_id_in_it(corpus):
    folder, pseudonyms = corpus
    run(folder, FIRST)
    key, held = Key.held(), POSTS.read(folder / "data/corpus/posts").to_pylist()
    user, post = GONE, f"{PEOPLE[2]}-post-2"
    if pseudonyms == "keyed":
        user, post = key.pseudonym("user", user), key.pseudonym("post", post)
    theirs = {row["post_id"] for row in held if row["user_id"] == user or row["post_id"] == post}
    assert len(theirs) == 20 + 1
    asked = [f"@{GONE}", "nobody at all"], [f"{PEOPLE[2]}-post-2", "no post"]
    hashes = erased.add(*asked)
    (told,) = erase._strangers(*asked, hashes, {})
    assert "of the 4 that you named, 2 are not in the corpus (number 2, 4)" in told
    traces = erase._traces(*asked, {})
    assert traces.posts == theirs and {user, post} <= set(traces.names)
    said = {row["text"] for row in held if row["post_id"] in theirs and row["text"]}
    others = {row["text"] for row in held if row["post_id"] not in theirs}
    assert {text for text in said - others if len(text) >= erase.TEXT} <= set(traces.names)


def test_a_tombstone_knows_a_person_by_name_and_by_pseudonym_and_names_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not Tombstones.held() and not (tmp_path / ".private").exists()
    published = Key.held().pseudonym("user", "carl")
    erased.add(["Anna", published, "Zoe\u0308"], ["p1"])
    found = Tombstones.held()
    assert found.user("@anna") and found.user("carl") and found.post("p1")
    assert found.user("zo\u00eb")  # however the letter is composed
    assert not (found.user("ann") or found.user("p1") or found.post("anna") or found.user(None))
    text = (tmp_path / ".private/tombstones").read_text()
    assert "anna" not in text.lower() and published not in text
    assert stat.S_IMODE((tmp_path / ".private/tombstones").stat().st_mode) == 0o600
    column = pa.chunked_array([["x", "u7", "carl"]])
    assert found.of(column, pa.chunked_array([["p1", "p2", "p3"]]), {"u7": "ANNA"}).null_count == 0


@pytest.mark.parametrize(
    ("writer", "by_name", "pseudonyms"),
    [(fourcat_csv, False, "keep"), *((twarc_pages, one, kind) for one in (False, True) for kind in ("keep", "keyed"))],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_export_keeps_nothing_of_who_was_erased_by_id_or_by_name(writer, by_name, pseudonyms, tmp_path, monkeypatch):
    (tmp_path / "export").mkdir()
    posts = truth(6, 24)
    gone = next(post.user for post in posts if not post.trap)
    others = [k for k, post in enumerate(posts) if post.user != gone and not post.trap]
    for k in others[:4]:
        posts[k] = replace(posts[k], text=f"{posts[k].text} thanks @{handle(gone)}")
    written = writer(tmp_path / "export", posts)
    lay_out(tmp_path)
    corpus = {
        "source": "export", "posts": str(written.posts), "images": str(written.images or tmp_path / "none"),
        "columns": written.columns, "min_posts_per_user": 2, "pseudonyms": pseudonyms,
    }  # fmt: skip
    write_params(tmp_path, {"corpus": corpus, **SMALL})
    run(tmp_path, FIRST[:5])
    monkeypatch.chdir(tmp_path)
    user = written.user_id(next(post for post in posts if post.user == gone))
    ids = {user, Key.held().pseudonym("user", user)}
    table = POSTS.read(tmp_path / "data/corpus/posts")
    theirs = [post["post_id"] for post in table.to_pylist() if post["user_id"] in ids]
    assert theirs and hits(tmp_path, [f"@{handle(gone)}" if pseudonyms == "keep" else max(ids)])
    asked = handle(gone) if by_name else user
    hashes, named = erased.add([asked, "nobody at all"], []), erase._named(load("corpus").corpus)
    traces = erase._traces([asked], [], named)
    monkeypatch.setattr(erase, "CORPUS", tmp_path / "before any run")
    assert not list(erase._strangers([asked, "nobody at all"], [], hashes, {}))
    for corpus in (tmp_path / "before any run", tmp_path / "data/corpus/posts"):
        monkeypatch.setattr(erase, "CORPUS", corpus)
        (told,) = erase._strangers([asked, "nobody at all"], [], hashes, named)
        assert "of the 2 that you named, 1 is not in the corpus (number 2)" in told
    assert traces.posts == set(theirs) and ids & traces.users and ids <= set(traces.names)
    run(tmp_path, FIRST[:5])
    assert [path.name for path in (tmp_path / "data/converted").iterdir()] == ["README"]
    left = POSTS.read(tmp_path / "data/corpus/posts")
    assert left.num_rows == table.num_rows - len(theirs) > 20
    assert (
        hits(tmp_path, [*traces.names, *(name for name in [*ids, *theirs, f"@{handle(gone)}"] if len(name) > 5)]) == []
    )


def test_whom_to_erase_has_to_be_said_and_agreed_to(fabricated, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        erase.main([])
    assert "whom?" in capsys.readouterr().err
    assert "--user" not in command(
        "make", "-n", "erase", at=ROOT
    )  # the login name, which the environment calls USER, is nobody's request
    assert "--user 'anna'" in command("make", "-n", "erase", "USER=anna", at=ROOT)
    monkeypatch.chdir(planted(tmp_path))
    with pytest.raises(SystemExit, match=r"missing\.txt is no file"):
        erase.main(["--list", "missing.txt"])


def test_where_the_rerun_fails_what_held_them_is_gone_all_the_same(tmp_path, monkeypatch):
    folder = keep(planted(tmp_path))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DU2MCE_CACHE", str(folder / "cache"))
    run(folder, FIRST)
    (folder / ".checkpoints/train").mkdir(parents=True)
    (folder / ".checkpoints/train/part").write_text(GONE)
    assert hits(folder, [GONE])
    (told,) = erase._remove_outputs()
    assert "data/corpus/posts" in told and ".checkpoints" in told
    assert hits(folder, [GONE, "wolpertinger"]) == []


@pytest.fixture
def project(tmp_path):
    """A project under Git and DVC, of planted people, committed."""
    folder = keep(planted(tmp_path / "project", count=100))
    for name in ("pipeline", "stages", "models", "dvc.yaml"):
        (folder / name).unlink()
        source = ROOT / name
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__")) if source.is_dir() else (
            shutil.copy(source, folder / name)
        )
    (folder / "tools").mkdir()
    for name in ("__init__.py", "erase.py", "searching.py"):
        shutil.copy(ROOT / "tools" / name, folder / "tools" / name)
    shutil.copy(ROOT / ".gitignore", folder / ".gitignore")
    shutil.copy(ROOT / ".dvcignore", folder / ".dvcignore")
    with (folder / ".gitignore").open("a") as stream:
        stream.write("/own/\n")
    (folder / "paper").mkdir()
    command("git", "init", "-q", "-b", "main", at=folder)
    command("git", "config", "user.name", "a", at=folder)
    command("git", "config", "user.email", "a@example.invalid", at=folder)
    command("dvc", "init", "-q", at=folder)
    command("git", "add", "-A", at=folder)
    command("git", "commit", "-qm", "base", at=folder)
    return folder


def test_marks_of_a_person_go_with_their_notes_and_a_file_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    erase.MARKS.parent.mkdir()
    traces = erase.Traces([GONE], set(), set(), {GONE})
    erase.MARKS.write_text(f"collection;kind;id;note\na;user;{GONE};a friend\n\na;user;x;y\n")
    assert list(erase._remove_marks(traces)) == ["Removed: 1 mark of `make explore`."]
    assert erase.MARKS.read_text().split() == ["collection,kind,id,note", "a,user,x,y"]
    erase.MARKS.write_bytes(b"\xff\xfe\x00")
    (told,) = erase._remove_marks(traces)
    assert told.startswith(erase.FAILED)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_person_is_erased_from_data_cache_experiments_and_marks(project, monkeypatch):
    monkeypatch.setenv("DU2MCE_CACHE", str(project / "user-wide"))
    environment = {"DU2MCE_CACHE": str(project / "user-wide"), "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}
    monkeypatch.setattr(commands, "ENVIRONMENT", commands.ENVIRONMENT | environment)
    target = "clean_text"
    command("dvc", "repro", target, at=project)
    command("git", "add", "-A", at=project)
    command("git", "commit", "-qm", "run", at=project)
    command("dvc", "exp", "run", "-S", "text.min_overlap=0.9", "--name", "mine", target, at=project)
    command("git", "checkout", "-q", "-f", "main", at=project)
    post = f"{GONE}-post-1"
    with (project / "data/marks.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("collection", "kind", "id"), ("a", "user", GONE), ("a", "post", post), ("a", "user", "x")]
        )
    (project / ".checkpoints/train").mkdir(parents=True)
    (project / ".checkpoints/train/part.npz").write_bytes(GONE.encode())
    texts = POSTS.read(project / "data/corpus/posts").to_pylist()
    said = [row["text"] for row in texts if row["user_id"] == GONE]
    before = Search([GONE, post, said[0]])
    before.folder(project, lambda path: "own" in path.parts or ".private" in path.parts)
    places = {Path(hit.path).relative_to(project).parts[0] for hit in before.end().hits}
    assert {"data", ".dvc", ".checkpoints"} <= places

    told = command("python", "-m", "tools.erase", "--user", GONE, "--yes", "--repro", target, at=project)
    assert "Found: nothing." in told and "Removed: 1 experiment, as" in told and "2 marks" in told
    assert "Your own files still hold them" in told
    after = Search([GONE, *said, *(row["post_id"] for row in texts if row["user_id"] == GONE)])
    after.folder(project, lambda path: "own" in path.parts)
    after.git(project)
    assert after.end().hits == []
    (receipt,) = (project / ".private/erasures").iterdir()
    assert receipt.read_text() in told + "\n" and GONE not in receipt.read_text()
    assert not command("dvc", "exp", "list", "--names-only", "--all-commits", at=project).strip()

    # The next export brings them again, and they do not come back.
    with (project / "own/posts.csv").open("a", newline="") as stream:
        csv.writer(stream).writerow(("new-1", GONE, "back again with a new post of mine", "", "2024-06-01", *[""] * 4))
    command("dvc", "repro", target, at=project)
    rejected = json.loads((project / "metrics/import.json").read_text())["rejected"]
    assert rejected[REASON] == len(said) + 1


@pytest.mark.parametrize("works", [True, False], ids=["all goes well", "dvc fails"])
def test_each_step_is_done_and_told_also_where_dvc_fails(works, tmp_path, monkeypatch, capsys):
    """With a stand-in for dvc, so that it takes a second: what is removed, searched and told, and the exit status."""
    folder = keep(planted(tmp_path, count=8))
    stand_in = folder / "bin/dvc"
    stand_in.parent.mkdir()
    fails = "" if works else "repro*|gc*|exp\\ remove*) echo broken >&2; exit 1;;"
    stand_in.write_text(
        f'#!/bin/sh\necho "$*" >> {folder}/called\ncase "$*" in {fails}\n'
        'exp\\ list*) echo mine;; cache\\ dir*) echo .dvc/cache;; remote*) echo "store /mnt/store";; esac\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DU2MCE_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)
    said = f"a text of {GONE} that is long enough to be told"
    columns = {"post_id": ["p1", "p2"], "user_id": [GONE, "other"], "text": [said, "another text"]}
    nothing = {"image_id": pa.nulls(2, pa.string()), "created_at": pa.nulls(2, pa.timestamp("us"))}
    POSTS.write(pa.table({**columns, **nothing}), Path("data/corpus/posts"))
    left = Path("notes.txt")  # of no stage: the search finds it, and nobody removes it
    left.write_text(f"ask {GONE} about it")
    assert erase.main(["--user", GONE, "--yes"]) == 1
    told = capsys.readouterr().out
    assert "Found: in 1 place." in told and "notes.txt" in told and "--remote store" in told
    assert (told.count(erase.FAILED) == 0) == works
    assert not Path("data/corpus/posts").exists() and Tombstones.held().user(GONE)
    called = Path("called").read_text()
    assert all(step in called for step in ("exp remove --all-commits", "repro", "gc --workspace --force"))
    left.unlink()
    assert erase.main(["--user", GONE, "--yes"]) == (0 if works else 1)
    assert GONE not in "".join(path.read_text() for path in Path(".private/erasures").iterdir())
