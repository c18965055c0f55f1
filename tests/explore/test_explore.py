"""The page, served by its real server to a real browser: every address, hostile content, who may ask."""

import csv
import io
import json
import re
import shutil
import subprocess
import urllib.parse
from html import unescape

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from serving import POST, USER, form, pages, read, serving

from explore import app, ask, networks, new_users
from explore.__main__ import main as serve_command
from explore.forms import as_csv
from explore.guard import HEADERS
from explore.people import People
from explore.views import Views, address
from pipeline.running.errors import UserError
from pipeline.running.files import write_text
from pipeline.running.machine import cache_folder
from pipeline.space.space import Space
from pipeline.tables.corpus import IMAGES
from pipeline.tables.layout import POINTS


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
        assert found == [200, 200]


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


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("whose", ["served", "hostile"])
def test_every_page_fits_is_quiet_and_asks_nobody_else(whose, width, tab, request):
    served = request.getfixturevalue(whose)
    for path in pages(served):
        tab.open(served.url(path), width, dark=width == 390)
        over = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, (path, over)
        # A page that is not there is told so by the browser's console too.
        told = [line for line in tab.console if "404" not in line]
        assert not told, (path, told)
        # The browser draws the cross of a search field from an address of its own, which leaves nowhere.
        assert all(where.startswith((served.url("/"), "data:image/svg")) for where in tab.requests), (
            path,
            tab.requests,
        )
        assert tab.evaluate("document.title") != "owned"
        assert tab.evaluate("document.querySelectorAll('main h1').length") == 1
        assert tab.evaluate("[...document.images].every(i => i.hasAttribute('alt'))")
        unnamed = (
            "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(i => !i.labels.length).length"
        )
        assert tab.evaluate(unnamed) == 0, path


def test_by_keyboard_alone_one_asks_and_opens_an_answer(served, tab):
    tab.open(served.url("/users"), 1440)
    tab.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to content"
    tab.open(served.url("/users"), 1440)
    tab.press("/")
    assert tab.evaluate("document.activeElement.id") == "begins"
    tab.open(served.url("/"), 1440)
    tab.evaluate("new Promise(requestAnimationFrame).then(() => 0)")  # autofocus comes with the first frame
    assert tab.evaluate("document.activeElement.id") == "q"
    for letter in "tiger":
        tab.press(letter)
    tab.await_load(lambda: tab.press("Enter"))
    assert tab.evaluate("location.search") == "?q=tiger"  # what was left as it was is no part of the address
    for _ in range(60):
        tab.press("Tab")
        where = tab.evaluate("document.activeElement.getAttribute('href') || ''")
        if where.startswith("/user/"):
            break
    tab.await_load(lambda: tab.press("Enter"))
    assert tab.evaluate("location.pathname") == where


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
        ("/posts{}?side=test&top=7", lambda d: d["posts"]),
        ("/clusters{}", lambda d: d["clusters"]),
    ):
        rows = listed(served.json(path.format(".json")))
        status, headers, data = served.get(path.format(".csv"))
        found = list(csv.DictReader(io.StringIO(data.decode())))
        assert status == 200 and headers["content-type"].startswith("text/csv")
        assert len(found) == len(rows) > 0, path
        assert served.get(path.format(""))[0] == 200


def test_the_json_of_a_search_has_its_schema(served):
    found = served.json("/search.json?q=tiger+paw+xyzzy&top=3")
    told = {"question", "terms", "notes", "unknown", "from_parts", "answered", "answers", "picture", "narrowed"}
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


def test_several_words_that_are_spelled_wrong_are_mended_at_once(served):
    page = served.get("/search?q=tigr+zebrra&top=3")[2].decode()
    assert "Did you mean" in page and 'href="/search?q=tiger+zebra&amp;top=3"' in page
    assert "Did you mean" not in served.get("/search?q=tigr+zebra")[2].decode()


def test_filters_come_from_the_address_and_a_wrong_one_is_named(served):
    rows = served.json("/search.json?q=tiger&kind=text&side=test&top=100")["answers"]
    assert set(rows) == {"texts"} and {row["side"] for row in rows["texts"]} == {"test"}
    for query in ("cluster=x", "from=yesterday", "least=much", "least=nan", "top=-3", "top=x", "side=left",
                  "likes=many", "replies=-", "answering=perhaps", "described=1"):  # fmt: skip
        status, _, data = served.get(f"/search.json?q=tiger&{query}")
        name = query.partition("=")[0]
        assert status == 400 and (name == "top" or json.loads(data)["message"].startswith(name + "="))
    assert served.get("/search.json?q=" + "x" * 3000)[0] == 400


def upload(served, data, question=""):
    boundary = "x" * 30
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="q"\r\n\r\n{question}\r\n--{boundary}\r\n'
        'Content-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
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
    status, _, page = upload(served, b"GIF89a" + b"\x00" * 40)
    assert status == 422 and b"cannot be read" in page
    assert served.get("/search?picture=" + "0" * 64)[0] == 404
    huge = served.get("/search", "POST", b"", Origin=f"http://127.0.0.1:{served.port}", Content_Length="999999999")
    assert huge[0] == 400


@pytest.mark.parametrize("name", ["a/b", "..", "../x", "a.json", "ü ?&#%", "a\\b", "<i>", "a//b", "."])
def test_any_name_has_an_address(name):
    parts = urllib.parse.urlsplit(address("user", name))
    query = urllib.parse.parse_qs(parts.query)
    assert not {".", ".."} & set(parts.path.split("/"))
    assert query.get("id", [urllib.parse.unquote(parts.path.removeprefix("/user/"))]) == [name]


def test_marks_become_a_table_more_like_these_and_an_interest(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    with serving(folder) as served:
        for user in ("user-00", "user-04", "user-08", "user-12"):
            status, headers, _ = form(served, "/marks", collection=" big  cats ", kind="user", id=user, back="/users")
            assert (status, headers["location"]) == (303, "/users")
        image = served.space.library.images[5].as_py()
        assert form(served, "/marks", collection="big cats", kind="image", id=image)[0] == 303
        held = (folder / "data/marks.csv").read_text()
        assert held.splitlines()[:2] == ["collection,kind,id", f"big cats,image,{image}"]
        form(served, "/marks", collection="big cats", kind="image", id=image, do="remove")
        assert image not in (folder / "data/marks.csv").read_text()
        found = served.json("/marks/big%20cats.json")
        assert {row["id"] for row in found["members"]} == {"user-00", "user-04", "user-08", "user-12"}
        nearest = [row["id"] for row in found["more"]["users"][:2]]
        assert {int(name[-2:]) % 4 for name in nearest} == {0} and not set(nearest) & {
            r["id"] for r in found["members"]
        }
        told = served.json("/marks/big%20cats.json?tell=1")["told"]
        assert "at least 10" in told["not_measured"]
        for number in range(1, 24, 2):
            form(served, "/marks", collection="odd", kind="user", id=f"user-{number:02d}")
        told = served.json("/marks/odd.json?tell=1")["told"]
        assert told["users"] == 12 and told["f1"] > told["always_yes"]  # topics 1 and 3 of four
        for wrong in ({"collection": "a/b"}, {"collection": ""}, {"collection": "x" * 61}, {"kind": "word"}):
            fields = {"collection": "c", "kind": "user", "id": "x"} | wrong
            assert form(served, "/marks", **fields)[0] == 400
        for back in ("//evil.invalid", "http://evil.invalid", "/\\evil.invalid"):
            answer = form(served, "/marks", collection="c", kind="user", id="x", back=back)
            assert answer[1]["location"] == "/marks"
        assert served.get("/marks/c")[0] == 200  # nobody is called x
        assert served.get("/marks")[0] == served.get("/marks/odd")[0] == served.get("/marks.csv")[0] == 200
        (folder / "data/marks.csv").write_text("a,b\n1,2\n")
        assert b"has columns" in served.get("/marks.json")[2]


def test_a_map_of_what_the_corpus_lacks_says_so(run, monkeypatch):
    monkeypatch.setattr(app.Pages, "_counts", lambda self: {"posts": 24, "users": 24, "images": 0})
    with serving(run) as served:
        assert b"The corpus has no images" in served.get("/map?kind=image")[2]
        assert b"The corpus has no" not in served.get("/map")[2]


def test_an_empty_frame_stands_for_a_picture_only_beside_people_who_have_some(run, monkeypatch):
    person = Views.person
    for pictured in (lambda row: row > 0, lambda row: False):
        shown = lambda self, row, has=pictured: person(self, row) | ({} if has(row) else {"image": None})  # noqa: E731
        monkeypatch.setattr(Views, "person", shown)
        with serving(run) as served:
            assert (b'class="blank"' in served.get("/users")[2]) == pictured(1)


def test_the_map_draws_lists_what_a_lasso_holds_and_opens_it(run, tmp_path, tab):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    with serving(folder) as served:
        assert b"This run has no map" in served.get("/map")[2]
    library = Space.open(folder / "data").library
    x = np.linspace(-1, 1, len(library.users)).astype(np.float32)
    POINTS.write(
        pa.table({"kind": ["user"] * len(x), "id": library.users, "x": x, "y": -x,
                  "cluster": pa.array(library.cluster, pa.int32())}),
        folder / "data/map/points",
    )  # fmt: skip
    with serving(folder) as served:
        assert len(served.json("/map.json")["x"]) == 24 and served.get("/map?kind=text")[0] == 400
        assert [t["user_id"] for t in served.json("/map.json?rows=0,3,99")["things"]] == ["user-00", "user-03"]
        for width in (390, 1440):
            tab.open(served.url("/map"), width)
            drawn = "new Promise(r => {const w = () => document.getElementById('map').dataset.drawn ? r(1) : "
            tab.evaluate(drawn + "setTimeout(w, 20); w()})")
            assert tab.console == []
            assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        lasso = """(async () => {
            document.getElementById('lasso').click();
            const c = document.getElementById('map'), b = c.getBoundingClientRect();
            c.setPointerCapture = () => {};
            const at = (kind, x, y) => c.dispatchEvent(new PointerEvent(kind,
                {clientX: b.left + x * b.width, clientY: b.top + y * b.height, pointerId: 1}));
            at('pointerdown', -.01, -.01);
            for (const [x, y] of [[.5, -.01], [.5, .5], [-.01, .5]]) at('pointermove', x, y);
            at('pointerup', -.01, .5);
            for (let i = 0; i < 100 && !document.querySelector('#chosen li'); i++)
                await new Promise(r => setTimeout(r, 50));
            return [...document.querySelectorAll('#chosen li a')].map(a => a.getAttribute('href'));
        })()"""
        assert tab.evaluate(lasso) == [f"/user/user-{i:02d}" for i in range(12)]


def test_no_cell_is_a_formula():
    rows = list(csv.DictReader(io.StringIO(as_csv([{"a": "=1+1", "b": ["x", "y"], "c": None, "d": -0.5}]))))
    assert rows == [{"a": "'=1+1", "b": "x;y", "c": "", "d": "-0.5"}]


def test_from_the_shell(run, tmp_path, capsys):
    assert ask.main(["tiger xyzzy", "--data", str(run / "data"), "--kind", "user"]) == 0
    told = capsys.readouterr().out
    assert "unknown: xyzzy" in told and "user-" in told
    assert ask.main(["xyzzy", "--data", str(run / "data")]) == 1
    capsys.readouterr()
    for asked, said in (
        ([], "nothing is asked"),
        (["--image", "/nowhere.png"], "/nowhere.png: there is no such file"),
        (["tiger", "--where", "colour=red"], "--where colour"),
        (["tiger", "--where", "likes=many"], "likes=many"),
    ):
        assert ask.main([*asked, "--data", str(run / "data")]) == 1
        told = capsys.readouterr()
        assert said in told.err and not told.out
    assert ask.main(["user:user-1", "--data", str(run / "data")]) == 1
    told = capsys.readouterr().out
    assert "There is no user user-1" in told and "user:user-1" in told.partition("Similar names: ")[2]
    assert ask.main(["xyzzy qwxz", "--data", str(run / "data")]) == 1
    told = capsys.readouterr().out
    assert told.count("xyzzy") == 1 and "Nothing is left to ask. Words of this corpus: " in told
    assert ask.main(["tiger", "--where", "by=user-01", "--kind", "text", "--data", str(run / "data")]) == 0
    assert capsys.readouterr().out.count("post-") > 0
    posts = tmp_path / "posts.csv"
    posts.write_text("user_id,text,image\nnew,tulip petal garden,\nnew,,missing.png\nother,xyzzy,\n")
    made = tmp_path / "vectors.parquet"
    assert new_users.main([str(posts), str(made), "--data", str(run / "data")]) == 0
    import pyarrow.parquet as pq

    table = pq.read_table(made)
    assert table["id"].to_pylist() == ["new", "other"]
    lengths = [np.linalg.norm(vector) for vector in table["vector"].to_pylist()]
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    told = capsys.readouterr().err
    assert "row 3: missing" in told and "row 4: neither a known word nor a picture" in told


def test_new_users_are_read_as_the_import_reads_tables(tmp_path):
    lines = {"user_id": ["007", "7", "Null"], "text": ["tulip", "rose; thorn", "petal"]}
    rows = list(zip(*lines.values(), strict=True))
    written = {
        "semicolons.csv": "\ufeffuser_id;text\r\n" + "\r\n".join(f'{user};"{text}"' for user, text in rows),
        "tabs.tsv": "user_id\ttext\n" + "\n".join("\t".join(row) for row in rows),
        "lines.jsonl": "\n".join(json.dumps({"user_id": user, "text": text}) for user, text in rows),
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        posts, refused = new_users.read(tmp_path / name)
        assert [(post["user_id"], post["text"], post["image"]) for post in posts] == [(*row, None) for row in rows]
        assert not refused
    (tmp_path / "some.csv").write_text("user_id,text\nann,tulip\n,rose\n1.2E+17,petal\n")
    posts, refused = new_users.read(tmp_path / "some.csv")
    assert [post["row"] for post in posts] == [2]
    assert [(row, why) for row, why, _ in refused] == [(3, "missing user_id"), (4, "id rounded by a spreadsheet")]
    for name, content, said in (
        ("none.csv", "user_id,text\n", "has no row that is a post; each needs"),
        ("empty.csv", "user_id,text\n,x\n", r"has no row that is a post \(row 2: missing user_id\)"),
        ("other.csv", "user_id,body\nann,tulip\n", "has no row that is a post; each needs"),
        ("names.csv", "name,text\nann,tulip\n", "no column user_id"),
        ("posts.xlsx", "", "spreadsheet"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=said):
            new_users.read(tmp_path / name)
    with pytest.raises(UserError, match=r"nowhere\.csv"):
        new_users.read(tmp_path / "nowhere.csv")


def test_networks_are_well_formed_weighted_and_the_same_again(run, hostile, tmp_path):
    from lxml import etree

    for name in ("one", "two"):
        assert networks.main([str(tmp_path / f"{name}.gexf"), "--data", str(run / "data")]) == 0
    assert (tmp_path / "one.gexf").read_bytes() == (tmp_path / "two.gexf").read_bytes()
    tree = etree.fromstring((tmp_path / "one.gexf").read_bytes())
    nodes = {node.get("id") for node in tree.iter("{*}node")}
    edges = list(tree.iter("{*}edge"))
    assert len(nodes) == 24 and all({e.get("source"), e.get("target")} <= nodes for e in edges)
    assert all(-1 <= float(edge.get("weight")) <= 1 for edge in edges)
    etree.fromstring(networks.gexf(*networks.users(hostile.space, People.of(hostile.space))).encode())
    etree.fromstring(networks.gexf(*networks.hashtags(hostile.space, People.of(hostile.space))).encode())


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The source of axe-core 4, fetched once and kept beside other downloads."""
    kept = cache_folder("axe") / "axe.min.js"
    if not kept.exists() and (npm := shutil.which("npm")):
        folder = tmp_path_factory.mktemp("axe")
        subprocess.run(
            [npm, "install", "--no-save", "--silent", "--prefix", str(folder), "axe-core@4"],
            capture_output=True, timeout=90, check=False,
        )  # fmt: skip
        for fetched in folder.glob("node_modules/axe-core/axe.min.js"):
            write_text(fetched.read_text(encoding="utf-8"), kept)
    if not kept.exists():
        pytest.skip("axe-core cannot be had: no npm, or no registry within reach")
    return kept.read_text(encoding="utf-8")


def test_axe_finds_no_serious_fault(served, tab, axe):
    """All rules on the light page; on the dark one those of colours, as nothing else is another there."""
    faults = (
        "axe.run({resultTypes: ['violations'], ...%s}).then(r => r.violations"
        ".filter(v => ['serious','critical'].includes(v.impact))"
        ".map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3).join(', ')))"
    )
    of_colours = "{runOnly: {type: 'rule', values: ['color-contrast', 'link-in-text-block']}}"
    for path in pages(served):
        tab.open(served.url(path), 1440)
        tab.evaluate(axe + "; 0")
        for dark, rules in ((False, "{}"), (True, of_colours)):
            tab.darken(dark)
            assert (found := tab.evaluate(faults % rules)) == [], (path, dark, found)
