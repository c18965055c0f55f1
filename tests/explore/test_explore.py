"""The page, served by its real server: every address, hostile content, who may ask."""

import csv
import io
import json
import re
import shutil
import urllib.parse
from html import unescape

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from explore import ask
from explore.__main__ import main as serve_command
from explore.guard import HEADERS
from explore.pages.sheets import as_csv
from explore.pages.views import Views, address
from pipeline.space.questions.chance import Nothing
from pipeline.space.space import Space
from pipeline.tables.corpus import IMAGES
from tests.explore.serving import POST, USER, pages, read, serving
from tests.made.corpus import TOPICS


def test_a_post_has_what_its_source_tells_and_no_address_that_is_none(hostile):
    post = hostile.space.library.post_ids[3].as_py()
    told = hostile.json(address("post", post) + ".json")["exported"]
    assert (told["likes"], told["replies"], told["alt"], told["language"]) == (7, 1, [POST], None)
    assert told["url"] is None
    assert told["reply_to"] == {"user_id": USER, "name": USER, "user_href": address("user", USER)}
    page = hostile.get(address("post", post))[2].decode()
    assert "7 likes · 1 reply" in page and "javascript:alert" not in page and "<script>document" not in page
    assert hostile.space.library.told(5) == {}


def test_the_other_forms_of_a_page_are_linked_by_whatever_name(hostile):
    user, post = hostile.space.library.users[0].as_py(), hostile.space.library.post_ids[3].as_py()
    for page in (address("user", USER), address("user", user), address("post", post)):
        links = re.findall(r'href="([^"]+\.(?:json|csv)[^"]*)"', hostile.get(page)[2].decode())
        found = [hostile.get(unescape(link))[0] for link in links if not link.startswith("/static/")]
        assert found == [200, 200, 200]


def test_an_image_has_the_words_that_stand_in_it_where_pictures_are_shown(hostile, run_copy):
    image = hostile.space.library.images[3].as_py()
    assert hostile.json(address("image", image) + ".json")["words"] == ["first line", *POST.splitlines()]
    page = hostile.get(address("image", image))[2].decode()
    assert "first line · " in page and "<script>document" not in page
    other = hostile.space.library.images[4].as_py()
    assert hostile.json(address("image", other) + ".json")["words"] == []
    folder = run_copy[1]
    read(folder, "first line")
    params = (folder / "params.yaml").read_text()
    for shown, words in (("shown", ["first line"]), ("blurred", [])):
        (folder / "params.yaml").unlink()
        (folder / "params.yaml").write_text(params.replace("  pictures: shown", f"  pictures: {shown}"))
        assert Views(Space.open(folder / "data")).image_page(image)["words"] == words


def test_replies_stand_beside_what_they_answer(hostile):
    asked, answer = (hostile.space.library.post_ids[row].as_py() for row in (3, 4))
    first, second = (hostile.json(address("post", one) + ".json") for one in (asked, answer))
    assert first["answers"] is None and [one["post_id"] for one in first["answered_by"]] == [answer]
    assert second["answers"]["post_id"] == asked and second["answered_by"] == []


def test_nothing_needs_a_script(served):
    """Forms are plain, links are links; no page holds a script or a style of its own."""
    from lxml import html

    for path in pages(served):
        tree = html.fromstring(served.get(path)[2])
        assert all(
            script.get("src") in ("/static/page.js", "/static/map.js") and not script.text
            for script in tree.xpath("//script")
        )
        assert not tree.xpath("//*[@style or @onclick or @onload]") and not tree.xpath("//style")
        assert not tree.xpath("//a[not(@href)]")


def test_headers_forbid_what_a_post_could_bring(served):
    for path in ("/", "/search.json?q=tiger", "/static/page.js", "/nowhere", "/thumb/x"):
        _, headers, _ = served.get(path)
        for name, value in HEADERS.items():
            assert headers[name.lower()] == value


def test_other_hosts_other_sites_and_other_methods_are_refused(served):
    assert served.get("/", Host="evil.invalid")[0] == 403
    assert served.get("/", Host="127.0.0.1.evil.invalid:80")[0] == 403
    assert served.get("/", Host=f"localhost:{served.port}")[0] == 200
    assert served.get("/search", "POST", b"", Origin="http://evil.invalid")[0] == 403
    assert served.get("/search", "POST", b"")[0] == 403
    assert served.get("/", "DELETE")[0] == 405
    for path in ("/static/../app.py", "/static/%2e%2e%2fapp.py", "/static/app.py"):
        assert served.get(path)[0] == 404


def test_settings_that_are_not_sound_are_one_sentence(run_copy, capsys):
    _, folder = run_copy
    (folder / "params.yaml").write_text((folder / "params.yaml").read_text().replace("people: shown", "people: some"))
    assert serve_command([str(folder / "data"), "--port", "0"]) == 1
    told = capsys.readouterr()
    assert "report.people" in told.err and not told.out


def test_elsewhere_than_on_this_machine_needs_a_token(run, capsys):
    assert serve_command([str(run / "data"), "--host", "0.0.0.0"]) == 1
    assert "--token" in capsys.readouterr().err
    assert serve_command([str(run / "data"), "--host", "0.0.0.0", "--token", "short"]) == 1
    with serving(run, "a-token-of-some-length") as guarded:
        assert guarded.get("/")[0] == 401 and guarded.get("/user/user-01.json?token=wrong")[0] == 401
        status, headers, _ = guarded.get("/users?page=1&token=a-token-of-some-length")
        assert (status, headers["location"]) == (303, "/users?page=1")
        assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))
        assert guarded.get("/", Cookie=headers["set-cookie"].partition(";")[0])[0] == 200


def test_every_page_is_json_and_csv_too_with_the_same_things(served):
    name = served.space.library.users[2].as_py()
    post = address("post", served.space.library.post_ids[4].as_py())
    image = address("image", served.space.library.images[3].as_py())
    for path, listed in (
        ("/search{}?q=tiger", lambda d: [row for rows in d["answers"].values() for row in rows]),
        (f"/user/{name}{{}}", lambda d: d["posts"]),
        (image + "{}", lambda d: d["posted"]),
        (post + "{}", lambda d: [*d["before"], d["post"], *d["after"], *d["copies"]]),
        ("/cluster/1{}", lambda d: d["members"]),
        ("/users{}", lambda d: d["users"]),
        ("/users{}?side=val", lambda d: d["users"]),
        ("/posts{}?side=test&page=2&top=7", lambda d: d["posts"]),
        ("/posts{}?side=test&top=7", lambda d: d["posts"]),
        ("/clusters{}", lambda d: d["clusters"]),
    ):
        rows = listed(served.json(path.format(".json")))
        status, headers, data = served.get(path.format(".csv"))
        found = list(csv.DictReader(io.StringIO(data.decode())))
        assert status == 200 and headers["content-type"].startswith("text/csv")
        assert len(found) == len(rows) > 0, path
        assert all(set(row) <= set(listed_row) for row, listed_row in zip(rows, found, strict=True)), path
        assert served.get(path.format(""))[0] == 200


def test_a_csv_has_the_whole_list_and_its_header_where_that_is_empty(served):
    library = served.space.library
    rows = list(csv.DictReader(io.StringIO(served.get("/posts.csv")[2].decode())))
    assert [row["post_id"] for row in rows] == library.post_ids.to_pylist() and len(rows) > 60
    for path, columns in (
        ("/posts.csv", rows[0]),
        ("/search.csv", ("kind", "id", "cosine", "name", "image_id", "text")),
    ):
        status, _, data = served.get(f"{path}?q=tiger&contains=nowhere-to-be-found")
        header, *none = data.decode().splitlines()
        assert status == 200 and set(columns) <= set(header.split(",")) and not none
    assert "/posts.csv?contains=tiger&excel=1" in served.get("/posts?contains=tiger&page=1")[2].decode().replace(
        "&amp;", "&"
    )


def test_excel_gets_what_it_opens_and_ids_keep_their_digits(served):
    told = served.get("/posts.csv?top=3&excel=1")[2]
    assert told[:2] == b"\xff\xfe"
    rows = list(csv.DictReader(io.StringIO(told.decode("utf-16")), delimiter="\t"))
    assert [row["post_id"] for row in rows] == [row["post_id"] for row in served.json("/posts.json?top=3")["posts"]]
    ids = {"id": "1729876543210987654", "other": "007", "n": "12", "text": "\u20ac 5\t7"}
    (row,) = csv.DictReader(
        io.StringIO(b"".join(as_csv([ids], list(ids), excel=True)).decode("utf-16")), delimiter="\t"
    )
    assert row == ids | {"id": '="1729876543210987654"', "other": '="007"'}


def test_the_json_of_a_search_has_its_schema(served):
    found = served.json("/search.json?q=tiger+paw+xyzzy&top=3")
    told = {
        "question",
        "terms",
        "notes",
        "unknown",
        "from_parts",
        "answered",
        "answers",
        "tested",
        "picture",
        "narrowed",
    }
    assert set(found) == told
    kinds = {
        "cosine": float, "chance": float, "above_chance": bool, "copies": int, "held_out": bool, "id": str, "href": str,
        "kind": str,
    }  # fmt: skip
    assert set(found["answers"]) == {"users", "images", "texts"} and found["unknown"] == {"xyzzy": []}
    for rows in found["answers"].values():
        assert 0 < len(rows) <= 3
        for row in rows:
            assert all(type(row[name]) is kind for name, kind in kinds.items())
            assert served.get(row["href"])[0] == 200
    assert [row["id"] for row in found["answers"]["users"]] == [
        answer.id for answer in served.space.search("tiger paw xyzzy", kind="user", top=3)
    ]


def test_answers_that_may_be_chance_follow_the_others_and_each_sort_has_the_nearest_first(served, monkeypatch, capsys):
    monkeypatch.setattr(Nothing, "chance", lambda self, surplus: 1.0 - np.arange(len(surplus)) % 2)
    asked = "q=tiger+paw&kind=text&kind=user&top=5"
    answers = served.json(f"/search.json?{asked}")["answers"]
    page = served.get(f"/search?{asked}")[2].decode()
    assert ask.main(["tiger paw", "--kind", "text", "--kind", "user", "--data", str(served.space.data)]) == 0
    shell = capsys.readouterr().out
    for kind, rows in answers.items():
        assert [row["above_chance"] for row in rows] == [False, True] * 2 + [False]
        assert [row["cosine"] for row in rows] == sorted((row["cosine"] for row in rows), reverse=True)
        nearer, further = rows[1::2], rows[::2]
        part = page.partition(f'id="{kind}"')[2].partition("</section>")[0]
        above, note, below = part.partition("may be chance")
        assert note and "The following" in above
        for listed, said in ((nearer, above), (further, below)):
            places = [said.index(f'href="{row["href"]}"') for row in listed]
            assert places == sorted(places)
        lines = shell.partition(f"\n{kind}\n")[2].splitlines()[:5]
        for line, row in zip(lines, [*nearer, *further], strict=True):
            assert row["id"] in line and ("may be chance" in line) == (row in further)


def test_several_words_that_are_spelled_wrong_are_mended_at_once(served):
    page = served.get("/search?q=tigr+zebrra&top=3")[2].decode()
    assert "Did you mean" in page and 'href="/search?q=tiger+zebra&amp;top=3"' in page
    assert "Did you mean" not in served.get("/search?q=tigr+zebra")[2].decode()
    page = served.get("/search?q=Tigr+zebrra+Tigress")[2].decode()
    assert 'href="/search?q=tiger+zebra+Tigress"' in page, "however it is capitalised, and no part of another word"
    page = served.get("/search?q=tiger+rises")[2].decode()
    assert "“rise”, the basic form of a word of yours; similar words that it knows: rose." in page


def test_terms_that_cancel_each_other_out_and_a_page_behind_the_last_say_so(served):
    assert b"cancel each other out" in served.get("/search?q=tiger+-+tiger")[2]
    assert b"cancel" not in served.get("/search?q=xyzzy+-+zyxxy")[2]
    assert b'rel="prev" href="/users?page=1"' in served.get("/users?page=9")[2]


def test_that_chance_cannot_be_told_of_a_single_word_is_said(served, capsys):
    told = [b"cannot be told" in served.get(f"/search?q={words}")[2] for words in ("tiger", "tiger+paw")]
    assert told == [True, False]
    for words in ("tiger", "tiger paw"):
        assert ask.main([words, "--data", str(served.space.data)]) == 0
        assert ("cannot be told for a single word" in capsys.readouterr().out) == (words == "tiger")


def test_that_chance_cannot_be_told_without_its_table_is_said(run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    shutil.rmtree(folder / "data/chance")
    told = "cannot be told in this run, which has no data/chance"
    assert ask.main(["tiger paw", "--data", str(folder / "data")]) == 0 and told in capsys.readouterr().out
    with serving(folder) as served:
        assert told in unescape(served.get("/search?q=tiger+paw")[2].decode())


def test_filters_come_from_the_address_and_a_wrong_one_is_named(served):
    rows = served.json("/search.json?q=tiger&kind=text&side=test&top=100")["answers"]
    assert set(rows) == {"texts"} and {row["side"] for row in rows["texts"]} == {"test"}
    for query in ("cluster=x", "from=yesterday", "least=much", "least=nan", "top=-3", "top=x", "side=left",
                  "likes=many", "replies=-", "answering=perhaps", "described=1", "kind=users", "contain=paw", "least=5",
                  "cluster=99", "likes=20-10", "from=2012-01-02&to=2012-01-01", "by=user-01&by=user-02"):  # fmt: skip
        status, _, data = served.get(f"/search.json?q=tiger&{query}")
        assert status == 400 and json.loads(data)["message"].startswith(query.partition("=")[0] + "="), query
    assert b"page=x is not" in served.get("/posts.json?page=x")[2]
    assert b"did you mean contains" in served.get("/posts.csv?contain=paw")[2]
    assert served.get("/posts.csv?contains=paw&excel=0&side=test&side=val")[2].startswith(b"user_id,")
    assert served.get("/search.json?q=" + "x" * 3000)[0] == 400
    assert b"by=user-1 is no user of the corpus. Similar names: user-" in served.get("/posts?by=user-1")[2]
    page = served.get("/search?q=tiger&least=much")[2].decode()
    assert 'name="q" type="search" value="tiger"' in page and 'name="least" value="much"' in page, "to be mended there"


def test_two_users_are_compared(served):
    found = served.json("/user/user-00.json?with=user-05")["compared"]
    other, (one, another) = found["as_answer"], (set(TOPICS[topic].split()) for topic in (0, 1))
    cosine = served.space.vector("user", "user-00") @ served.space.vector("user", "user-05")
    assert other["id"] == "user-05" and other["because"] and abs(other["cosine"] - cosine) < 1e-4
    wanted = served.space.explain(
        served.space.library.row_of("user", "user-00"), served.space.vector("user", "user-05")
    )
    assert [row["post_id"] for row in found["because"]] == wanted and len(wanted) == 3
    assert set(found["here"]) <= one and set(found["there"]) <= another and found["here"] and found["there"]
    page = served.get("/user/user-00?with=user-05")[2].decode()
    assert "Typical of user-00, not of user-05" in page and 'name="with" value="user-05"' in page
    assert b"Similar names: user-" in served.get("/user/user-00?with=user-5")[2]
    assert served.json("/user/user-00.json?with=user-00")["compared"]["as_answer"] is None


def test_a_fault_of_ours_is_told_in_a_sentence(run, monkeypatch):
    def fails(self):
        raise RuntimeError("no words for it")

    with serving(run) as served:
        monkeypatch.setattr(type(served.app.app.state.pages.lists), "about", fails)
        status, _, page = served.get("/about")
        assert status == 500 and b"a fault of ours" in page and b"no words for it" not in page


def upload(served, data, question=""):
    boundary = "x" * 30
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="q"\r\n\r\n{question}\r\n--{boundary}\r\n'
        'Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    ).encode() + data + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip
    kind = f"multipart/form-data; boundary={boundary}"
    return served.get("/search", "POST", body, Origin=f"http://127.0.0.1:{served.port}", Content_Type=kind)


def test_a_picture_of_ones_own_finds_itself_and_no_picture_is_refused(served, run):
    stored = IMAGES.read(run / "data/corpus/images")
    status, headers, _ = upload(served, stored["bytes"][50].as_py())
    assert status == 303 and headers["location"].startswith("/search?picture=")
    found = served.json(headers["location"].replace("/search?", "/search.json?"))
    assert found["answers"]["images"][0]["id"] == stored["image_id"][50].as_py()
    assert served.get("/picture/" + headers["location"].partition("=")[2])[0] == 200
    status, _, page = upload(served, b"GIF89a" + b"\x00" * 40, "tiger & paw")
    assert status == 422 and b"cannot be read" in page and b'value="tiger &amp; paw"' in page
    assert served.get("/search?picture=" + "0" * 64)[0] == 404
    assert upload(served, b"", "tiger")[0] == 422, "an empty file is no picture"
    huge = served.get("/search", "POST", b"", Origin=f"http://127.0.0.1:{served.port}", Content_Length="999999999")
    assert huge[0] == 400


@pytest.mark.parametrize("name", ["a/b", "..", "../x", "a.json", "ü ?&#%", "a\\b", "<i>", "a//b", "."])
def test_any_name_has_an_address(name):
    parts = urllib.parse.urlsplit(address("user", name))
    query = urllib.parse.parse_qs(parts.query)
    assert not {".", ".."} & set(parts.path.split("/"))
    assert query.get("id", [urllib.parse.unquote(parts.path.removeprefix("/user/"))]) == [name]


def test_an_empty_frame_stands_for_a_picture_only_beside_people_who_have_some(run, monkeypatch):
    person = Views.person
    for pictured in (lambda row: row > 0, lambda row: False):
        shown = lambda self, row, has=pictured: person(self, row) | ({} if has(row) else {"image": None})  # noqa: E731
        monkeypatch.setattr(Views, "person", shown)
        with serving(run) as served:
            assert (b'class="blank"' in served.get("/users")[2]) == pictured(1)


def test_no_cell_is_a_formula():
    row = {"a": "=1+1", "b": ["x", "y"], "c": None, "d": -0.5}
    rows = list(csv.DictReader(io.StringIO(b"".join(as_csv([row], list(row))).decode())))
    assert rows == [{"a": "'=1+1", "b": "x;y", "c": "", "d": "-0.5"}]
