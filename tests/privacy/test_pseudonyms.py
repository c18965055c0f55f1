"""Names, planted in people's own files, and looked for in every byte of what the stages make of them."""

import csv
import errno
import json
import os
import re
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import lay_out, write_params
from pipeline.privacy.guard import guarded
from pipeline.privacy.keys import Key
from pipeline.running.errors import UserError
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS
from pipeline.tables.details import DETAILS
from tests.exports.truth import truth
from tests.exports.writers import fourcat_csv, twarc_pages
from tests.privacy.planted import FIRST, PEOPLE, PLANTED, SMALL, found, planted, run
from tools.searching import Search

pytestmark = pytest.mark.timeout(600)  # processes with torch, on a machine that others use too
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = planted(tmp_path_factory.mktemp("keyed"))
    return folder, run(folder, FIRST)


def test_no_byte_of_what_is_written_or_printed_has_a_planted_name(imported):
    folder, printed = imported
    assert found(folder, printed) == []
    metrics = json.loads((folder / "metrics/import.json").read_text())
    out = metrics["taken_out_of_texts"]
    assert (out["links"], out["telephone_numbers"]) == (160 + 80, 240)  # alt texts have 80, and 80 mentions
    assert (
        out["emails"] + out["mentions"] == 320 + 80 and out["mentions"] >= 140 + 80
    )  # RT@bert.wolpertinger is as good as either
    assert metrics["rejected"] == {
        "image: missing": 4, "created_at is no time": 1, "duplicate post_id": 1, "missing post_id": 1,
        "user with too few posts": 1,
    }  # fmt: skip


def test_the_search_finds_what_is_planted_in_every_packing(imported, tmp_path):
    folder, _ = imported
    plain = planted(tmp_path / "plain")
    write_params(plain, {"corpus": {"pseudonyms": "keep"}}, folder / "params.yaml")
    hits = found(plain, run(plain, FIRST))
    assert {"column user_id", "column post_id", "column text", "column detail"} <= {hit.inside for hit in hits}
    assert {PLANTED[hit.name] for hit in hits} >= {*PEOPLE, "+49 171 5550123", "17:23:41", "a1b2c3d4", "emil_ohnepost"}


def test_what_is_told_of_people_still_fits_together(imported):
    folder, _ = imported
    key = Key(bytes.fromhex((folder / ".private/key").read_text().strip()))
    posts, users = POSTS.read(folder / "data/corpus/posts"), USERS.read(folder / "data/corpus/users")
    names = {key.pseudonym("user", person): person for person in PEOPLE}
    assert set(users["user_id"].to_pylist()) == set(names) == set(posts["user_id"].to_pylist())
    labels = {names[row["user_id"]]: row["interests"] for row in users.to_pylist()}
    assert labels == {person: ["art", "music"] if k % 2 else ["art"] for k, person in enumerate(PEOPLE)}
    row = next(row for row in posts.to_pylist() if row["post_id"] == key.pseudonym("post", f"{PEOPLE[0]}-post-0"))
    assert (
        f"@{key.pseudonym('user', PEOPLE[1])}" in row["text"] and "On 2024-05-06 about 1 000 000 saw 0" in row["text"]
    )
    assert str(row["created_at"]) == "2024-05-01 00:00:00" and row["image_id"]
    told = {row["post_id"]: row for row in DETAILS.read(folder / "data/corpus/details").to_pylist()}[row["post_id"]]
    assert (told["reply_to"], told["answers"]) == (
        key.pseudonym("user", PEOPLE[1]),
        key.pseudonym("post", f"{PEOPLE[1]}-post-1"),
    )
    assert told["url"] is None and told["alt"][0].split() == [f"@{told['reply_to']}", "by"]
    assert IMAGES.count(folder / "data/corpus/images") == 76
    lost = [
        row for row in REJECTED.read(folder / "data/corpus/rejected").to_pylist() if row["reason"] == "image: missing"
    ]
    assert {row["id"] for row in lost} == {key.pseudonym("post", f"{PEOPLE[n % 4]}-post-{n}") for n in (7, 27, 47, 67)}


def test_the_same_key_gives_the_same_pseudonyms_and_another_one_others(imported, tmp_path):
    folder, _ = imported

    def people(project):
        return set(USERS.read(project / "data/corpus/users")["user_id"].to_pylist())

    for at, text in (("same", (folder / ".private/key").read_text()), ("other", None)):
        project = planted(tmp_path / at, count=40)
        if text:
            (project / ".private").mkdir(mode=0o700)
            (project / ".private/key").touch(0o600)
            (project / ".private/key").write_text(text)
        run(project, FIRST[:5])
        assert (people(project) == people(folder)) == (at == "same")


def test_ids_that_a_program_rounded_are_known_under_pseudonyms_too(tmp_path):
    folder = planted(tmp_path)
    text = (folder / "own/posts.csv").read_text()
    for number in range(40):
        own, rounded = f"\n{PEOPLE[number % 4]}-post-{number},", f"{1234567890 + 37 * number}12345{'0' * 4}"
        text = text.replace(own, f"\n{rounded},", 1)  # at the beginning of a line: a reply names others' posts
    (folder / "own/posts.csv").write_text(text)
    printed = run(folder, FIRST[:5])
    rejected = json.loads((folder / "metrics/import.json").read_text())["rejected"]
    assert rejected["id rounded by a spreadsheet"] == 40
    assert found(folder, printed, [*PLANTED, "123456789012345"]) == []


@pytest.mark.parametrize("writer", [twarc_pages, fourcat_csv], ids=lambda writer: writer.__name__)
def test_an_export_leaves_no_name_either(writer, tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    told = truth(6, 24)
    written = writer(export, told)
    lay_out(tmp_path)
    (tmp_path / "brands.csv").write_text(f"target,interest\n{written.brand or 'nobody'},sports\n")
    corpus = {
        "source": "export", "posts": str(written.posts), "images": written.images and str(written.images),
        "columns": written.columns, "brands": str(tmp_path / "brands.csv"), "min_posts_per_user": 2,
        "pseudonyms": "keyed",
    }  # fmt: skip
    write_params(tmp_path, {"corpus": corpus, **SMALL})
    printed = run(tmp_path, FIRST)
    metrics = json.loads((tmp_path / "metrics/import.json").read_text())
    assert metrics["rows_out"] > 50 and metrics["posts"]["with_image"] > 20 and metrics["converted"]["rows_in"]
    assert sorted(p.name for p in (tmp_path / ".private").iterdir()) == ["key"]
    names = _names(export)
    assert len(names) > 50
    assert found(tmp_path, printed, names) == []


def _names(export):
    """Ids and handles of people and posts, as the export has them."""
    found: set[str] = set()
    for path in export.rglob("*"):
        if path.suffix == ".csv":
            with path.open(encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    found |= {row[k] for k in ("id", "author", "author_id", "author_username", "url") if row.get(k)}
        elif path.suffix in (".jsonl", ".json"):
            for line in path.read_text(encoding="utf-8").splitlines():
                found |= set(re.findall(r'"(?:id|author_id|username)": ?"(\w+)"', line))
    return sorted(name for name in found if len(name) > 5)


def test_an_error_about_own_files_quotes_nothing_and_says_where_it_is_told(tmp_path):
    folder = planted(tmp_path)
    (folder / "own/posts.csv").write_text("zwirbel,hello there\nbert.wolpertinger,how are you\n")
    printed = run(folder, ("check_params", "list_corpus"), status=1)
    assert "your own files cannot be read" in printed and "last-error.txt" in printed
    assert found_printed(printed) == []
    told = folder / ".private/last-error.txt"
    assert "no column post_id; columns found: zwirbel" in told.read_text()
    assert stat.S_IMODE(told.stat().st_mode) == 0o600


def test_an_error_of_the_disk_is_told_and_of_any_other_no_traceback_quotes_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error, guarded():
        raise FileNotFoundError(errno.ENOENT, "No such file", "zwirbel.png")
    assert "zwirbel" not in "".join(traceback.format_exception(error.value))
    assert "zwirbel" in (tmp_path / ".private/last-error.txt").read_text()
    with pytest.raises(OSError, match="No space left"), guarded():
        raise OSError(errno.ENOSPC, "No space left")


def found_printed(printed):
    search = Search(PLANTED)
    search.text(printed, "printed")
    return search.end().hits


def pages(folder):
    """Write what `make explore` answers, in each form, and the networks, into a folder of the project."""
    pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
    from explore import networks
    from tests.explore.serving import serving

    (folder / "pages").mkdir()
    with serving(folder) as served:
        library = served.space.library
        paths = ["/", "/users", "/posts?order=newest", "/clusters", "/about", "/map", "/map?rows=0,1,2", "/marks"]
        paths += ["/search?q=river+castle", f"/search?q=user:{library.users[0]}", "/cluster/0", "/cluster/77"]
        paths += [f"/user/{name}" for name in library.users.to_pylist()]
        paths += [f"/post/{name}" for name in library.post_ids.to_pylist()[:40]]
        paths += [f"/image/{name}" for name in library.images.to_pylist()[:20]]
        for number, path in enumerate(paths):
            stem, _, query = path.partition("?")
            for form in ("", ".json", ".csv") if stem != "/" else ("",):
                status, headers, data = served.get(f"{stem}{form}?{query}")
                assert status in (200, 404) and (status == 200 or stem.startswith("/cluster/")), (path, form)
                (folder / f"pages/{number}{form}").write_bytes(str(headers).encode() + data)
    for of in ("users", "hashtags"):
        assert networks.main([str(folder / f"pages/{of}.gexf"), "--of", of, "--data", str(folder / "data")]) == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_whole_run_has_no_planted_name(tmp_path):
    folder = planted(tmp_path, count=200)
    printed = run(folder, YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"])
    assert (folder / "report/index.html").exists()
    pages(folder)
    assert found(folder, printed) == []

    # What is packed for others is searched for what the source has, and refused once a name is in it.
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    share = [sys.executable, "-m", "tools.share", "--vectors"]
    done = subprocess.run(share, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert found(folder, done.stdout) == []  # share/share.zip is among what is searched
    (folder / "metrics/note.json").write_text(json.dumps({"by": PEOPLE[1]}))
    done = subprocess.run(share, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "metrics/note.json: 1 ids or names of files" in done.stderr
    assert found_printed(done.stderr) == []
