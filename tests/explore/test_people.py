"""Where people are not shown no byte that leaves the server has an id of a user or a post, and all works by handles."""

import csv
import re
import shutil
import urllib.parse

import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from lxml import html

from benchmarks import write_params
from explore import ask, export, networks, schema
from explore.pages.people import People
from pipeline.space.space import Space
from pipeline.tables.evaluation import CLUSTER_USERS
from pipeline.tables.layout import POINTS
from tests.explore.serving import form, serving, tell
from tests.made.space import fabricate_space

NAMED = re.compile(rb"(?i)user-\d\d|post-\d\d\d|ottilie|wunderlich|example\.org")
PLANTED = "Ottilie Wunderlich"
EACH = 3
"""Pages of a kind that are looked through."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A run with a planted person, alone in a cluster, an export that tells of her, and a map."""
    folder = tmp_path_factory.mktemp("planted") / "run"
    folder.mkdir()
    fabricate_space(folder, user=PLANTED)
    tell(folder, {"url": "https://example.org/ottilie/1", "reply_to": PLANTED, "likes": 7, "replies": 1, "alt": None})
    users = Space.open(folder / "data").library.users.to_pylist()
    POINTS.write(
        POINTS.of([("user", name, i / 24, 0.0, 1) for i, name in enumerate(users)]), folder / "data/map/points"
    )
    clusters = CLUSTER_USERS.read(folder / "data/clusters/users").to_pandas()
    clusters.loc[clusters["user_id"] == PLANTED, "cluster"] = 77
    CLUSTER_USERS.write(clusters, folder / "data/clusters/users")
    return folder


@pytest.fixture(scope="module", params=["initials", "hidden"])
def unnamed(request, planted, tmp_path_factory):
    """The pages of that run, which show nobody."""
    folder = shutil.copytree(planted, tmp_path_factory.mktemp(request.param) / "run", symlinks=True)
    write_params(folder, {"report": {"people": request.param}}, folder / "params.yaml")
    with serving(folder) as served:
        form(served, "/marks", collection="c", kind="user", id=People.of(served.space).public("user", PLANTED))
        yield request.param, folder, served


def crawl(served):
    """Every answer that is reached from the first page, the first few of a kind, in each form."""
    waiting, seen, counts = ["/", "/map.json?rows=0,1,2", "/marks/c?tell=1", "/cluster/77"], set(), {}
    while waiting:
        path = waiting.pop(0)
        kind = path.split("?")[0].split("/")[1]
        if path in seen or counts.get(kind, 0) >= EACH:
            continue
        seen.add(path)
        counts[kind] = counts.get(kind, 0) + 1
        status, headers, data = served.get(path)
        yield path, status, str(headers).encode() + data
        if headers.get("content-type", "").startswith("text/html"):
            tree = html.fromstring(data)
            waiting += [link for link in tree.xpath("//a/@href") if link.startswith("/")]
            for end in (".json", ".csv"):
                stem, _, query = path.partition("?")
                _, headers, data = served.get(f"{stem}{end}?{query}")
                yield f"{stem}{end}?{query}", 200, str(headers).encode() + data


def test_no_byte_names_anybody(unnamed):
    _, _, served = unnamed
    found = list(crawl(served))
    kinds = {path.split("?")[0].split("/")[1].split(".")[0] for path, *_ in found}
    assert {"search", "user", "image", "post", "cluster", "users", "clusters", "map", "marks", "about"} <= kinds
    for path, _, data in found:
        assert not NAMED.search(data), (path, NAMED.search(data))
    assert {status for path, status, _ in found if path == "/cluster/77"} == {404}


def test_handles_ask_open_filter_and_mark_and_ids_do_nothing(unnamed):
    people_are, folder, served = unnamed
    people = People.of(Space.open(folder / "data"))  # by the key that is kept
    handle = people.public("user", PLANTED)
    assert re.fullmatch("u[0-9a-f]{16}", handle) and people.find("user", handle) == PLANTED
    found = served.json(f"/user/{handle}.json")
    schema.PAGES["user"].model_validate(found)
    assert (
        found["name"] == ("O. W." if people_are == "initials" else f"user {handle[1:7]}") and found["cluster"] is None
    )
    assert served.get(f"/user/{urllib.parse.quote(PLANTED)}")[0] == 404
    post = served.space.library.post(3).post_id
    assert served.json(f"/post/{people.public('post', post)}.json")["exported"]["url"] is None
    assert served.get(f"/post/{post}")[0] == 404
    rows = served.json(f"/search.json?q=tiger&kind=text&by={handle}")["answers"]["texts"]
    assert rows and {row["user_id"] for row in rows} == {handle}
    assert served.json("/search.json?q=user:user-01")["answered"] is False
    for name in ("user-01", "nobody"):  # alike, whether they are of the corpus or not
        status, _, told = served.get(f"/search.json?q=tiger&by={name}")
        assert status == 400 and f'"by={name} is no user of the corpus."' in told.decode()
    assert served.json(f"/search.json?q=user:{handle}")["answered"] is True
    assert PLANTED in (folder / "data/marks.csv").read_text()
    assert [row["id"] for row in served.json("/marks/c.json")["members"]] == [handle]
    assert form(served, "/marks", collection="c", kind="user", id=PLANTED)[0] == 404
    form(served, "/marks", collection="c", kind="user", id=handle, do="remove")
    assert PLANTED not in (folder / "data/marks.csv").read_text()
    form(served, "/marks", collection="c", kind="user", id=handle)


def test_commands_name_nobody_either_and_no_order_tells_who_is_who(unnamed, tmp_path, capsys):
    _, folder, served = unnamed
    data = str(folder / "data")
    assert networks.main([str(tmp_path / "users.gexf"), "--data", data]) == 0
    assert ask.main(["tiger", "--data", data]) == 0 and ask.main(["tiger", "--json", "--data", data]) == 0
    told = capsys.readouterr().out.replace(str(tmp_path), "").encode()
    assert not NAMED.search(told + (tmp_path / "users.gexf").read_bytes())
    for kind, name in ("users", "user_id"), ("posts", "post_id"), ("images", "user_id"):
        made = tmp_path / f"{kind}.csv"
        assert export.main([str(made), "--of", kind, "--data", data]) == 0
        with made.open(encoding="utf-8", newline="") as stream:
            ids = [row[name] for row in csv.DictReader(stream)]
        assert (kind == "images" or ids == sorted(ids)) and not NAMED.search(made.read_bytes())
    listed = [row["user_id"] for row in served.json("/users.json")["users"]]
    drawn = [row["user_id"] for row in served.json(f"/map.json?rows={','.join(map(str, range(24)))}")["things"]]
    assert drawn == sorted(listed) and len(drawn) == 24
    by_id = [People.of(served.space).public("user", name) for name in served.space.library.users.to_pylist()]
    assert drawn != by_id


def test_shown_people_go_by_their_ids_and_no_key_is_made(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    people = People.of(Space.open(folder / "data"))
    assert people.public("user", "user-01") == people.find("user", "user-01") == people.name("user-01") == "user-01"
    assert not (folder / "data/explore").exists()
