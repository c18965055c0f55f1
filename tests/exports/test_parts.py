"""What the truth of test_formats does not reach: odd files, ids that were rounded, deletions, edges, refusals."""

import json
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from pipeline.exports.columns import Mapped, fitting, of_platform, presets
from pipeline.exports.converting import Settings, convert
from pipeline.exports.platforms import reddit
from pipeline.exports.posts import UNREADABLE, count, micros, plain, rounded
from pipeline.running.errors import UserError


def run(folder, posts, images=(), **settings):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    metrics = convert([posts], list(images), out, out, Settings(**settings))
    return metrics, *(pq.read_table(out / f"{n}.parquet").to_pylist() for n in ("posts", "users", "rejected"))


@pytest.mark.parametrize(
    "written",
    ["1600000000", 1600000000.0, "1600000000000", 1600000000000000, 1_600_000_000 * 10**9, 1.6e18,
     "1600000000000.0", "2020-09-13T12:26:40Z", "2020-09-13 12:26:40",
     "2020-09-13T14:26:40.0000001+02:00", "Sun Sep 13 12:26:40 +0000 2020", "2020-09-13 12:26:40 UTC",
     "Sun, 13 Sep 2020 12:26:40 +0000", "2020-09-13 12:26:40 W. Europe Standard Time", "2020-09-13 12:26:40 EDT",
     datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)],
)  # fmt: skip
def test_times_as_exports_write_them(written):
    assert micros(written) == 1_600_000_000_000_000


def test_what_is_no_time_is_told():
    assert micros("") is None and micros(0) is None and micros(45413) is None
    assert micros(-62_167_219_200) is None and micros("9" * 17) is None  # the year 0, and 5138
    for never in (
        "nan",
        "NaT",
        "None",
        "N/A",
        "NULL",
        "\\N",
        "-",
        ".",
        "0000-00-00 00:00:00",
        "9999-12-31",
        float("nan"),
    ):
        assert micros(never) is None
    with pytest.raises(ValueError, match="yesterday"):
        micros("yesterday")


@pytest.mark.parametrize("written", ["45413.4166666667", "45413", "2024"])
def test_days_of_a_spreadsheet_and_years_are_no_seconds_of_1970(written):
    with pytest.raises(ValueError, match=r"is no Unix time: in a spreadsheet, give the cells the format yyyy-mm-dd"):
        micros(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("20200913122640", 1_600_000_000), (20200913122640, 1_600_000_000), ("202009131226", 1_599_999_960),
     ("20200913", 1_599_955_200)],
)  # fmt: skip
def test_dates_in_figures_alone_are_no_unix_times(written, meant):
    assert micros(written) == meant * 1_000_000


@pytest.mark.parametrize("name", ["5e12", "12e345", "1E5"])
def test_ids_of_reddit_that_look_like_numbers_are_none(name):
    assert not rounded(name)


def test_a_text_that_was_taken_back_is_none_and_a_column_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "id,author,title,selftext,created_utc,subreddit\na,u,t,[removed],1600000000,s\nb,u,[deleted],,1600000000,s\n"
    )
    _, (post,), _, (left,) = run(tmp_path, path)
    assert post["text"] == "t" and left["reason"] == "no text and no picture"
    for lacking in ({"post_id": "number", "user_id": "author"}, {"post_id": "id", "user_id": "writer"}):
        with pytest.raises(
            UserError, match=r"no column (number|writer), which corpus.columns has for (post|user)_id; columns id"
        ):
            run(tmp_path, path, columns=Mapped(text="title", **lacking))


REMOVED = "[ Removed by Reddit ]"


@pytest.mark.parametrize("written", [REMOVED, "[deleted by user]", "nan", "<NA>", "\\N", "None", "null"])
def test_what_stands_in_the_place_of_a_text_is_none_in_exports_as_in_tables(tmp_path, written):
    (tmp_path / "t.csv").write_text(f"post_id,user_id,text,image\n1,u,{written},\n2,u,{written} of it,\n3,\\N,x,\n")
    _, (post,), _, left = run(tmp_path, tmp_path / "t.csv")
    assert post["text"] == f"{written} of it"
    assert [one["reason"] for one in left] == ["no text and no picture", "author unknown"]


def test_a_title_and_a_text_that_reddit_took_away_are_none():
    held = {"id": "a", "subreddit": "s", "author": "ann", "created_utc": 1.6e9}
    assert [one.text for one in reddit.thing({**held, "title": REMOVED, "selftext": REMOVED})] == [None]
    reason = "[ Removed by reddit in response to a copyright notice. ]"
    assert [one.text for one in reddit.thing({**held, "title": "t", "selftext": reason})] == ["t"]


def test_counts_and_html():
    assert (count("1,234"), count(-1), count(""), count("12.0")) == (1234, None, None, 12)
    assert count("1.234") is None and count("1.2K") is None and count("9" * 23) is None
    assert plain("<p>a &lt;b&gt;<br>c</p><p>d <span class='x'>e</span></p>") == "a <b>\nc\nd e"
    assert plain("if a <b and b> c") == "if a <b and b> c"  # no tag


@pytest.mark.parametrize("post_id", ["1.63e+18", "1.234567890123E+18", "1,63E+18", "1234567890123456789.0"])
def test_ids_that_a_spreadsheet_rounded_are_refused(post_id, tmp_path):
    assert rounded(post_id) and not rounded("1234567890123456789") and not rounded("12.0")
    path = tmp_path / "t.csv"
    path.write_text(f"post_id;user_id;text\n{post_id};u;words\n12;u;words\n")
    _, posts, _, rejected = run(tmp_path, path)
    assert [post["post_id"] for post in posts] == ["12"]
    assert rejected[0]["reason"] == "id was rounded by a spreadsheet"


def test_a_csv_of_zeeschuimer_with_semicolons_and_carriage_returns(tmp_path):
    columns = [
        "id",
        "author",
        "author_id",
        "body",
        "unix_timestamp",
        "num_media",
        "media_type",
        "image_urls",
        "num_likes",
    ]
    rows = [
        "C1;ann;7;one\rtwo;1600000000;2;photo;https://x/a.jpg?1,https://x/b.jpg?2;5",
        "C2;ann;7;;1600000000;1;photo;;5",
    ]
    path = tmp_path / "export.csv"
    path.write_bytes((";".join(columns) + "\n" + "\n".join(rows) + "\nC3;short\n").encode())
    (tmp_path / "files").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "files" / name).write_bytes(b"x")
    metrics, (post,), _, rejected = run(tmp_path, path, [tmp_path / "files"])
    assert metrics["recognised"] == {"4CAT, Instagram": 1}
    assert (post["post_id"], post["user_id"], post["text"], post["likes"]) == ("C1", "7", "one two", 5)
    assert [post["image"].split("!/")[1], *(p.split("!/")[1] for p in post["more_images"])] == ["a.jpg", "b.jpg"]
    assert {row["reason"] for row in rejected} == {"no text and no picture", "unreadable row"}


def test_presets_are_told_apart_by_columns_they_need():
    for preset in presets():
        found = of_platform(preset.platform) if preset.platform else fitting([n.split("|")[0] for n in preset.needs])
        assert found == preset, f"{found.name} hides {preset.name}"
        assert preset.post_id and (preset.user_id or preset.handle or preset.of_file)


def test_deletions_and_updates_of_jetstream_are_applied(tmp_path):
    def event(rkey, operation, text, at):
        commit = {"operation": operation, "collection": "app.bsky.feed.post", "rkey": rkey, "rev": "r"}
        if text:
            commit["record"] = {"text": text, "createdAt": "2024-01-01T00:00:00Z"}
        return {"did": "did:plc:a", "time_us": at, "kind": "commit", "commit": commit}

    rows = [event("1", "create", "first", 1), event("2", "create", "gone soon", 2), event("1", "update", "second", 3),
            event("2", "delete", None, 4), event("9", "delete", None, 5)]  # fmt: skip
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, rows)))
    metrics, (post,), _, rejected = run(tmp_path, tmp_path / "e.jsonl")
    assert post["text"] == "second" and metrics["rows_in"] == 5 == 1 + len(rejected)
    assert sorted(row["reason"] for row in rejected) == [
        "deleted by its author", "duplicate of a later collection", "not a post", "not a post",
    ]  # fmt: skip


def test_interests_come_from_edges_and_brands_by_id_or_name(tmp_path):
    rows = [{"id_str": str(k), "full_text": f"words {k}", "created_at": "Sun Sep 13 12:26:40 +0000 2020",
             "user": {"id_str": f"u{k % 4}", "screen_name": f"Name{k % 4}"}} for k in range(8)]  # fmt: skip
    rows[7]["in_reply_to_user_id_str"] = "u0"  # Name3 answers the brand, and this post does not train
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "brands.csv").write_text("target;interest\n@name0;shoes\n99;cars\n")
    (tmp_path / "edges.csv").write_text("user_id,target,kind\nu1,NAME0,follow\nname2,99,comment\nu2,unknown,follow\n")
    metrics, posts, users, rejected = run(
        tmp_path, tmp_path / "t.jsonl", brands=tmp_path / "brands.csv", edges=tmp_path / "edges.csv"
    )
    found = {user["user_id"]: (user["interests"], user["brand"]) for user in users}
    # The reply names the brand by id, the list by name: it does not fit, and is counted.
    assert found == {"u0": ([], True), "u1": (["shoes"], False), "u2": (["cars"], False), "u3": ([], False)}
    assert metrics["edges"]["to nobody among the brands"] == 2 and len(posts) == 8 and not rejected


def test_ids_of_edges_and_brands_are_read_as_those_of_posts_are(tmp_path):
    (tmp_path / "p.csv").write_text("post_id,user_id,text\n1,90,x\n2,91,y\n")
    (tmp_path / "brands.csv").write_text('target,interest\n5.0,shoes\n"=""6""",cars\n')
    edges = tmp_path / "edges.csv"
    edges.write_text("user_id,target\n90.0,5\n91,6\n")
    settings = {"brands": tmp_path / "brands.csv", "edges": edges}
    _, _, users, _ = run(tmp_path, tmp_path / "p.csv", **settings)
    assert {user["user_id"]: user["interests"] for user in users} == {"90": ["shoes"], "91": ["cars"]}
    edges.write_text("user_id,target\n90,5\n1.23457E+17,5\n")
    with pytest.raises(UserError, match=r"edges\.csv: line 3: 1\.23457E\+17 is an id that a spreadsheet rounded"):
        run(tmp_path, tmp_path / "p.csv", **settings)


def test_reposts_and_covers_of_videos_come_where_asked_for(tmp_path):
    row = {"id_str": "1", "full_text": "RT words", "created_at": "", "user": {"id_str": "u"}, "retweeted_status": {},
           "extended_entities": {"media": [{"type": "video", "media_url_https": "https://x/cover.jpg"}]}}  # fmt: skip
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/1-cover.jpg").write_bytes(b"x")
    assert run(tmp_path, tmp_path / "t.jsonl", [tmp_path / "files"])[1] == []
    _, (post,), *_ = run(tmp_path, tmp_path / "t.jsonl", [tmp_path / "files"], reposts=True, video_covers=True)
    assert post["image"].endswith("!/1-cover.jpg") and post["videos"] == 0


def test_what_is_not_known_is_refused_with_what_was_found(tmp_path):
    (tmp_path / "odd.csv").write_text("colour,size\nred,3\n")
    with pytest.raises(
        UserError, match=r"odd\.csv is no export that is known here .*columns colour, size.*exports/README"
    ):
        run(tmp_path, tmp_path / "odd.csv")
    (tmp_path / "odd.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match=r"keys a"):
        run(tmp_path, tmp_path / "odd.json")
    with pytest.raises(UserError, match="does not exist"):
        run(tmp_path, tmp_path / "nowhere")
    (tmp_path / "in/sheets").mkdir(parents=True)
    for name in ("odd.ods", "in/sheets/odd.xlsx"):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
        with pytest.raises(UserError, match=f"{name} is a spreadsheet's own file: save its sheet as CSV"):
            run(tmp_path, tmp_path / name.split("/")[0])


def test_letters_that_are_not_in_utf_8_are_told_not_replaced(tmp_path):
    rows = "post_id,user_id,text\n1,u,schön\n2,u,plain\n"
    (tmp_path / "p.csv").write_bytes(rows.encode("cp1252"))
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "p.csv")
    assert (post["post_id"], left["reason"]) == ("2", UNREADABLE) and "row 2 of" in left["detail"]
    assert "not UTF-8; save the file as UTF-8" in left["detail"]
    (tmp_path / "p.csv").write_bytes(rows.encode("utf-16"))
    assert [post["text"] for post in run(tmp_path, tmp_path / "p.csv")[1]] == ["schön", "plain"]


@pytest.mark.parametrize(
    "held", [b"SQLite format 3\0\x10\0\r\x01\n", b"Rar!\x1a\x07\1\n", b"\x1b[2Ja,b\n", "a,b\n1,2\n".encode("utf-16-le")]
)
def test_what_is_no_text_is_told_without_its_bytes(tmp_path, held):
    (tmp_path / "p.bin").write_bytes(held)
    with pytest.raises(UserError, match="no text in UTF-8") as told:
        run(tmp_path, tmp_path / "p.bin")
    assert str(told.value).isprintable()


def test_rows_that_end_in_a_carriage_return_are_rows_where_the_header_does(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"post_id,user_id,text\r1,u,one\r2,u,two\r")
    assert [post["text"] for post in run(tmp_path, tmp_path / "p.csv")[1]] == ["one", "two"]
