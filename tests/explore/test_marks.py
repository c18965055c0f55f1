"""Collections: what is in one, more like it, and what parts it from another."""

import errno
import os
import shutil

import numpy as np
import pytest
from lxml import html

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from pipeline.ranking.vectors import unit
from tests.explore.serving import form, serving
from tests.made.corpus import TOPICS


def test_marks_become_a_table_more_like_these_and_an_interest(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    with serving(folder) as served:
        for user in ("user-00", "user-04", "user-08", "user-12"):
            status, headers, _ = form(served, "/marks", collection=" big  cats ", kind="user", id=user, back="/users")
            assert (status, headers["location"]) == (303, "/users")
        image = served.space.library.images[5].as_py()
        assert form(served, "/marks", collection="big cats", kind="image", id=image)[0] == 303
        held = (folder / "data/marks.csv").read_text()
        assert held.splitlines()[:2] == ["collection,kind,id,note", f"big cats,image,{image},"]
        there = {"collection": "big cats", "kind": "image", "back": "/marks/big%20cats", "do": "remove"}
        assert form(served, "/marks", **there, id=image)[1]["location"] == "/marks/big%20cats"
        assert image not in (folder / "data/marks.csv").read_text()
        found = served.json("/marks/big%20cats.json")
        assert {row["id"] for row in found["members"]} == {"user-00", "user-04", "user-08", "user-12"}
        nearest = [row["id"] for row in found["more"]["users"][:2]]
        assert {int(name[-2:]) % 4 for name in nearest} == {0} and not set(nearest) & {
            r["id"] for r in found["members"]
        }
        form(served, "/marks", collection="single", kind="image", id=image)
        assert b"distinguished" not in served.get("/marks/single")[2], "there is nobody to distinguish"
        gone = form(served, "/marks", **there | {"collection": "single", "back": "/marks/single"}, id=image)
        assert gone[1]["location"] == "/marks", "with the last of it, its page is gone"
        told = served.json("/marks/big%20cats.json?tell=1")["told"]
        assert "at least 10" in told["not_measured"]
        for number in range(1, 24, 2):
            form(served, "/marks", collection="odd", kind="user", id=f"user-{number:02d}")
        told = served.json("/marks/odd.json?tell=1")["told"]
        assert told["users"] == 12 and told["f1"] > told["always_yes"]  # topics 1 and 3 of four
        for wrong in (
            {"collection": "a/b"},
            {"collection": ""},
            {"collection": ".."},
            {"collection": "x" * 61},
            {"kind": "word"},
        ):
            fields = {"collection": "c", "kind": "user", "id": "x"} | wrong
            assert form(served, "/marks", **fields)[0] == 400
        for back in ("//evil.invalid", "http://evil.invalid", "/\\evil.invalid"):
            answer = form(served, "/marks", collection="c", kind="user", id="x", back=back)
            assert answer[1]["location"] == "/marks"
        assert served.get("/marks/c")[0] == 200  # nobody is called x
        assert served.get("/marks")[0] == served.get("/marks/odd")[0] == served.get("/marks.csv")[0] == 200
        assert served.get("/marks/.json")[0] == served.get("/marks/")[0] == 404


@pytest.mark.parametrize("written", [
    "collection,kind,id\na,user,user-00\n".encode("utf-8-sig"),  # as Excel saves it, in several countries
    b"collection;kind;id\r\na;User;user-00\r\n;;\r\n",
    "collection\tkind\tid\tnote\na\tuser\tuser-00\t\n".encode("utf-16"),
    b"id, kind, collection\nuser-00, user,  a \n\n",
    b"",
])  # fmt: skip
def test_a_file_that_was_edited_elsewhere_is_read_and_its_notes_are_kept(written, run_copy):
    _, folder = run_copy
    path = folder / "data/marks.csv"
    path.write_bytes(written)
    with serving(folder) as served:
        form(served, "/marks", collection="a", kind="user", id="user-01", note="=posts at  night")
        form(served, "/marks", collection="a", kind="user", id="user-01")
        held = "collection,kind,id,note\r\n" + "a,user,user-00,\r\n" * bool(written)
        assert path.read_bytes().decode() == held + "a,user,user-01,=posts at night\r\n"
        assert {row["id"]: row["note"] for row in served.json("/marks/a.json")["members"]}[
            "user-01"
        ] == "=posts at night"
        assert b"'=posts at night" in served.get("/marks/a.csv")[2]
        form(served, "/marks", collection="a", kind="user", id="user-01", do="note")
        assert b"night" not in path.read_bytes() and b"user-01" in path.read_bytes()


@pytest.mark.parametrize(("written", "told"), [
    (b"a,b\n1,2\n", "has columns a, b"),
    ("collection,kind,id\nBl\u00fcten,user,user-00\n".encode("latin-1"), "CSV in UTF-8"),
    (b"collection,kind,id\na,users,user-00\n", "line 2 has a mark of kind"),
    (b"collection,kind,id\na,,user-00\n", "line 2 has a mark of kind"),
    (b"collection,kind,id\n<<<<<<< HEAD\na,user,user-00\n", "line 2 has 1 cells"),
    (b"collection,kind,id\na/b,user,user-00\n", "line 2: A collection"),
    (b"collection,kind,id\n..,user,user-00\n", "line 2: A collection"),
])  # fmt: skip
def test_a_broken_file_is_told_stays_as_it_is_and_takes_no_other_page_with_it(written, told, run_copy):
    _, folder = run_copy
    path = folder / "data/marks.csv"
    path.write_bytes(written)
    with serving(folder) as served:
        for address in ("/", "/search?q=tiger", "/user/user-00"):
            status, _, page = served.get(address)
            assert status == 200 and told in html.fromstring(page).text_content()
        for status, _, page in (
            served.get("/marks"),
            form(served, "/marks", collection="b", kind="user", id="user-01"),
        ):
            assert status == 422 and html.fromstring(page).text_content().count(told) == 1
    assert path.read_bytes() == written


def test_where_the_file_cannot_be_written_the_page_says_so(run_copy, monkeypatch):
    _, folder = run_copy

    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "x")

    with serving(folder) as served:
        monkeypatch.setattr("explore.marks.write_text", refuse)
        status, _, page = form(served, "/marks", collection="a", kind="user", id="user-00")
        assert status == 422 and b"marks.csv cannot be written (Read-only file system)" in page


def test_two_collections_are_compared_by_their_means_and_the_words_that_part_them(run_copy):
    library, folder = run_copy
    with serving(folder) as served:
        cats, screens = (library.users.to_pylist()[topic::4] for topic in (0, 3))
        held = {"cats": ("user", cats), "cats & screens": ("user", [cats[0], *screens])}
        images = [int(library.images_of_post(row)[0]) for row in (1, 5, 9)]
        held["seen"] = ("image", [library.images[image].as_py() for image in images])
        for name, (kind, ids) in held.items():
            for one in ids:
                form(served, "/marks", collection=name, kind=kind, id=one)
        found = served.json("/marks/cats.json?with=cats+%26+screens")
        compared = found["compared"]
        own, other = (set(TOPICS[topic].split()) for topic in (0, 3))
        assert set(found["words"]) == set(compared["here"]) == own and set(compared["there"]) == other
        assert compared["in_both"] == 1 and compared["other"] == "cats & screens"
        vectors = [[served.space.vector("user", user) for user in ids] for kind, ids in held.values() if kind == "user"]
        means = [unit(np.mean(one, 0)[None])[0] for one in vectors]
        assert compared["cosine"] == pytest.approx(float(means[0] @ means[1]), abs=1e-4)
        far, alone = compared["apart"], np.stack(vectors[0][1:])  # the first is in both
        assert far["users"] == [len(cats) - 1, len(screens)] and far["p"] <= 0.01
        assert far["between"] == pytest.approx(float((alone @ np.stack(vectors[1][1:]).T).mean()), abs=1e-4)
        assert far["within_here"] > far["between"] < far["within_there"]
        assert "least 5 have to be" in served.json("/marks/cats.json?with=seen")["compared"]["apart"]["not_measured"]
        assert set(served.json("/marks/seen.json")["words"]) <= set(TOPICS[1].split())
        page = served.get("/marks/cats?with=cats+%26+screens")[2].decode()
        assert "Typical of cats &amp; screens, not of cats<" in page and "<option selected>cats &amp; screens<" in page
        status, _, page = served.get("/marks/cats?with=dogs")
        assert status == 404 and b"no collection dogs" in page


def test_all_of_a_list_can_be_added(run_copy):
    _, folder = run_copy
    with serving(folder) as served:
        for path, kind, name in (
            ("/users?contains=tiger&begins=0", "user", "cats"),
            ("/posts?not_by=user-03", "post", "p"),
        ):
            (sent,) = html.fromstring(served.get(path + "&page=1")[2]).xpath("//form[.//input[@name='list']]")
            fields = {one.get("name"): one.get("value") for one in sent.xpath(".//input")} | {"collection": name}
            status, headers, _ = form(served, "/marks", **fields)
            assert (status, headers["location"]) == (303, f"/marks/{name}")
            listed = served.json(path.replace("?", ".json?") + "&top=1000")[f"{kind}s"]
            marked = served.json(f"/marks/{name}.json")["members"]
            assert {one["id"] for one in marked} == {one[f"{kind}_id"] for one in listed} and len(marked) == len(
                listed
            ) > 1
        assert not html.fromstring(served.get("/users?contains=nowhere")[2]).xpath("//input[@name='list']")
        assert form(served, "/marks", collection="x", kind="image", list="/posts")[0] == 400
