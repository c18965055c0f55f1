"""Lists and their filters: the page, the JSON and the CSV of an address hold the same, and only what was asked for."""

import csv
import io
import json
import shutil
from datetime import datetime

import pyarrow as pa
import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from lxml import html

from pipeline.space.space import Space
from pipeline.tables.corpus import POSTS, REJECTED
from tests.explore.serving import details, serving


@pytest.fixture(scope="module")
def told(run, tmp_path_factory):
    """A run whose source told of each third post: how often it was liked, in which language, whom it answers."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("told") / "run", symlinks=True)
    ids = Space.open(folder / "data").library.post_ids.to_pylist()
    details(
        folder,
        [
            {"post_id": name, "language": "pt-BR", "url": f"https://example.org/{i}", "likes": i, "replies": i % 5,
             "reply_to": "user-03" if i % 2 else None, "alt": ["a tiger"] if i % 4 == 0 else None}
            for i, name in enumerate(ids)
            if i % 3 == 0
        ],
    )  # fmt: skip
    with serving(folder) as found:
        yield found


QUERIES = {
    "language=pt": lambda i: i % 3 == 0,
    "likes=30-90": lambda i: i % 3 == 0 and 30 <= i <= 90,
    "likes=-6": lambda i: i % 3 == 0 and i <= 6,
    "replies=4": lambda i: i % 3 == 0 and i % 5 == 4,
    "answering=yes": lambda i: i % 6 == 3,
    "answers=user-03": lambda i: i % 6 == 3,
    "answers=user:user-03&language=pt": lambda i: i % 6 == 3,
    "answers=post:x": lambda i: False,
    "link=example.org": lambda i: i % 3 == 0,
    "described=yes": lambda i: i % 12 == 0,
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_filter_of_the_address_holds_in_every_list(told, query):
    library = told.space.library
    wanted = {name for i, name in enumerate(library.post_ids.to_pylist()) if QUERIES[query](i)}
    found = told.json(f"/posts.json?{query}&top=1000")
    assert {row["post_id"] for row in found["posts"]} == wanted and found["count"] == len(wanted)
    texts = told.json(f"/search.json?q=tiger&kind=text&top=1000&{query}")["answers"]["texts"]
    assert {row["post_id"] for row in texts} <= wanted and bool(texts) == bool(wanted)
    authors = {row["user_id"] for row in found["posts"]}
    people = told.json(f"/users.json?{query}")["users"]
    assert {row["user_id"] for row in people} == authors
    assert sum(row["matching"] for row in people) == len(wanted)
    own = told.json(f"/user/user-01.json?{query}")
    assert {row["post_id"] for row in own["posts"]} == {
        row["post_id"] for row in found["posts"] if row["user_id"] == "user-01"
    }
    members = told.json(f"/cluster/1.json?{query}")["members"]
    assert {row["user_id"] for row in members} <= authors
    rows = list(csv.DictReader(io.StringIO(told.get(f"/posts.csv?{query}&top=1000")[2].decode())))
    assert [row["post_id"] for row in rows] == [row["post_id"] for row in found["posts"]]


def test_posts_come_in_the_order_that_is_asked_for(told):
    rows = told.json("/posts.json?order=likes&top=1000")["posts"]
    likes = [row["likes"] for row in rows]
    known = [n for n in likes if n is not None]
    assert known == sorted(known, reverse=True) and likes[len(known) :] == [None] * (len(likes) - len(known))
    assert told.get("/posts?order=luck")[0] == 400
    first, second = (told.json(f"/posts.json?page={page}")["posts"] for page in (1, 2))
    assert len(first) == 60 and not {r["post_id"] for r in first} & {r["post_id"] for r in second}


def test_the_form_has_the_filters_that_the_source_tells_of_and_keeps_what_was_chosen(told, served):
    names = {"link", "likes", "replies", "answering", "answers", "described", "language"}
    form = html.fromstring(told.get("/posts?likes=3&answering=yes&language=pt")[2]).xpath("//form[@role='search']")[0]
    assert names <= set(form.xpath(".//@name"))
    assert form.xpath(".//input[@name='likes']/@value") == ["3"]
    assert form.xpath(".//select[@name='answering']/option[@selected]/@value") == ["yes"]
    assert form.xpath(".//details[@open]")
    plain = html.fromstring(served.get("/posts")[2])
    assert not (names - {"language"}) & set(plain.xpath("//form//@name")) and not plain.xpath("//details[@open]")
    assert form.xpath(".//select[@name='order']/option/text()") == [
        "by their ids",
        "most likes first",
        "most replies first",
    ]


def test_days_are_asked_for_where_any_post_has_one(served, run_copy):
    _, folder = run_copy
    posts = POSTS.read(folder / "data/corpus/posts")
    times = pa.array([None] * (len(posts) - 1) + [datetime(2024, 5, 1)], posts["created_at"].type)
    posts = posts.set_column(posts.column_names.index("created_at"), "created_at", times)
    POSTS.write(posts, folder / "data/corpus/posts")
    with serving(folder) as dated:
        for one, offered in (served, set()), (dated, {"from", "to", "order"}):
            assert {"from", "to", "order"} & set(
                html.fromstring(one.get("/posts")[2]).xpath("//form//@name")
            ) == offered


def test_what_is_typed_finds_posts_by_their_text_and_users_by_name_and_text(told):
    library = told.space.library
    texts = dict(zip(library.post_ids.to_pylist(), library.posts["text"].to_pylist(), strict=True))
    wanted = {name for name, text in texts.items() if "tiger" in text.lower()}
    assert {row["post_id"] for row in told.json("/posts.json?contains=TIGER&top=1000")["posts"]} == wanted
    authors = {row["user_id"] for row in told.json("/users.json?contains=tiger&begins=user-0")["users"]}
    assert authors == {"user-00", "user-04", "user-08"}
    page = html.fromstring(told.get("/users?contains=tiger&begins=user-0")[2])
    (form,) = page.xpath("//form[@role='search']")
    assert form.xpath(".//input[@name='begins']/@value") == ["user-0"], "one form keeps both"
    assert form.xpath(".//input[@name='contains']/@value") == ["tiger"]
    (form,) = html.fromstring(told.get("/posts?contains=tiger")[2]).xpath("//form[@role='search']")
    assert form.xpath(".//input[@name='contains']/@type") == ["search"]


def test_a_search_shows_more_of_a_kind_and_which_texts_it_searches(told, run_copy):
    page = html.fromstring(told.get("/search?q=tiger&side=train")[2])
    assert "/search?q=tiger&side=train&top=24#images" in page.xpath("//section[@id='images']//a/@href")
    assert not html.fromstring(told.get("/search?q=tiger&top=100&kind=user")[2]).xpath("//a[contains(., 'Show more')]")
    assert b"can be found here" in told.get("/search?q=tiger")[2]
    _, folder = run_copy
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").unlink()
    (folder / "params.yaml").write_text(params.replace("  texts: sets", "  texts: all"))
    with serving(folder) as served:
        assert b"can be found here" not in served.get("/search?q=tiger")[2]


def test_a_search_without_a_question_leads_to_the_posts(told):
    page = told.get("/search?q=&likes=30&kind=text")[2].decode()
    assert 'href="/posts?likes=30"' in page


def test_where_people_are_not_shown_no_address_can_be_asked_for(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("people: shown", "people: hidden"))
    ids = Space.open(folder / "data").library.post_ids.to_pylist()
    details(
        folder, [{"post_id": ids[3], "url": "https://example.org/user-03", "reply_to": "user-02", "answers": ids[2]}]
    )
    with serving(folder) as served:
        status, _, data = served.get("/posts.json?link=example.org")
        assert status == 400 and b"report.people" in data and b'name="link"' not in served.get("/posts")[2]
        assert served.json("/posts.json?answers=user-02")["count"] == 0
        people = served.app.app.state.pages.people
        for who in (people.public("user", "user-02"), "post:" + people.public("post", ids[2])):
            assert served.json(f"/posts.json?answers={who}")["count"] == 1


def test_what_is_not_wanted_is_left_out_and_what_was_left_out_is_found(served):
    library = served.space.library
    image = served.json(f"/image/{library.images[3].as_py()}.json")
    owner = image["posted"][0]["user_id"]
    page = html.fromstring(served.get(f"/image/{image['image_id']}")[2])
    (others,) = page.xpath("//a[contains(., 'posts of others')]/@href")
    others = others.replace("/search?", "/search.json?").replace(image["spelled"][6:], image["image_id"])
    assert f"not_by={owner}" in others
    found = served.json(others + "&kind=image&top=1000")["answers"]["images"]
    authors = [{row["user_id"] for row in served.json(f"/image/{one['id']}.json")["posted"]} for one in found]
    assert found and all(names - {owner} for names in authors)
    people = served.json(f"/search.json?q=tiger&kind=user&top=99&not_by={owner}&not_by=user-05")["answers"]["users"]
    assert len(people) == len(library.users) - len({owner, "user-05"})
    assert b"not_by=eve is no user of the corpus" in served.get("/posts?not_by=eve")[2]
    texts = [row["text"] for row in served.json("/posts.json?contains=tiger&not_contains=paw&top=1000")["posts"]]
    lower = {text: text.lower() for text in library.posts["text"].to_pylist()}
    said = [text for text in library.posts["text"].to_pylist() if "tiger" in lower[text] and "paw" not in lower[text]]
    assert sorted(texts) == sorted(said) and texts
    count = served.json("/posts.json?side=left_out")["count"]
    assert count == sum(side in ("excluded", "") for side in library.side)
    form = html.fromstring(served.get("/posts?side=left_out&not_by=user-05&not_by=user-01")[2]).xpath("//form")[0]
    assert form.xpath(".//input[@name='side'][@checked]/@value") == ["left_out"]
    assert form.xpath(".//input[@name='not_by']/@value") == ["user-05", "user-01"]


def test_what_the_import_left_out_is_listed_with_its_reason_and_names_nobody(run_copy):
    _, folder = run_copy
    rows = [("row 7", "no text", ""), ("row 8", "no text", "of user-07"), ("row 9", "image: missing", "a.png")]
    REJECTED.write(REJECTED.of(rows), folder / "data/corpus/rejected")
    with serving(folder) as served:
        told = served.json("/left_out.json?reason=no%20text")
        assert [row["id"] for row in told["rows"]] == ["row 7", "row 8"] and told["count"] == 2
        assert told["reasons"] == [{"reason": "no text", "rows": 2}, {"reason": "image: missing", "rows": 1}]
        assert told["excluded"] + told["no_side"] == served.json("/posts.json?side=left_out")["count"]
        assert len(html.fromstring(served.get("/left_out")[2]).xpath("//section[@id='rows']//tbody/tr")) == 3
        found = csv.DictReader(io.StringIO(served.get("/left_out.csv")[2].decode()))
        assert [tuple(row.values()) for row in found] == rows
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").unlink()
    (folder / "params.yaml").write_text(params.replace("people: shown", "people: hidden"))
    with serving(folder) as served:
        told = served.json("/left_out.json?reason=no%20text")
        assert not told["rows"] and told["reasons"][0]["rows"] == 2
        assert b"user-07" not in served.get("/left_out")[2] + served.get("/left_out.csv")[2]


def test_posts_of_a_list_are_counted_by_month_beside_all(run_copy):
    _, folder = run_copy
    posts = POSTS.read(folder / "data/corpus/posts")
    days = [datetime(2024, 1 + i // 4 % 4, 1 + i % 28) if i % 5 else None for i in range(len(posts))]
    times = pa.array(days, posts["created_at"].type)
    posts = posts.set_column(posts.column_names.index("created_at"), "created_at", times)
    POSTS.write(posts, folder / "data/corpus/posts")
    wanted = [day.month for day, text in zip(days, posts["text"].to_pylist(), strict=True) if day and "iger" in text]
    with serving(folder) as served:
        months = served.json("/posts.json?contains=tiger&top=3")["months"]
        assert [(one["month"], one["posts"], one["of"]) for one in months] == [
            (f"2024-{month:02}", wanted.count(month), sum(day is not None and day.month == month for day in days))
            for month in range(min(wanted), max(wanted) + 1)
        ]
        assert b"Posts by month" in served.get("/posts?contains=tiger")[2]


def test_a_search_says_how_often_its_like_was_right_in_the_test(run_copy):
    _, folder = run_copy
    measured = {"queries": 580, "candidates": 90, "recall_at_10": 0.72, "interval_95": {"recall_at_10": [0.6, 0.81]}}
    (folder / "metrics").mkdir(exist_ok=True)
    (folder / "metrics/retrieval.json").unlink(missing_ok=True)
    (folder / "metrics/retrieval.json").write_text(json.dumps({"text_to_user": measured}))
    with serving(folder) as served:
        said = " ".join(html.fromstring(served.get("/search?q=tiger")[2]).text_content().split())
        assert "its author among the first 10 of 90 in 72 % of 580 cases (60 % to 81 %)" in said
        assert b"How sure" not in served.get("/search?q=tiger&side=test")[2] + served.get("/search?q=user:user-01")[2]
        assert served.json("/search.json?q=tiger")["tested"]["users"]["among_ten"] == 0.72
