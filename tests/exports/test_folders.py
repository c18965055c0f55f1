"""Folders and zips as people have them: of several people, of several tools, and of what is no export at all."""

import io
import json
import zipfile

import pytest

from pipeline.exports.columns import Mapped
from pipeline.running.errors import UserError
from tests.exports.test_parts import run
from tests.exports.test_variations import LINES

SAID = {"id": 1, "type": "message", "date_unixtime": "1714557600", "from": "C", "from_id": "channel5", "text": "hello"}
CHAT = {"name": "C", "type": "public_channel", "id": 5, "messages": [SAID]}


def put(folder, files):
    for name, held in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(held if isinstance(held, str) else json.dumps(held))
    return folder


def archive_of_x(user, post):
    account = [{"account": {"accountId": user, "username": user}}]
    tweet = {"id_str": post, "full_text": f"words {post}", "created_at": "Sun Sep 13 12:26:40 +0000 2020"}
    return {
        "data/account.js": f"window.YTD.account.part0 = {json.dumps(account)}",
        "data/tweets.js": f"window.YTD.tweets.part0 = {json.dumps([{'tweet': tweet}])}",
        "assets/words.json": {"like": "Like"},
    }


def people(*names):
    return {f"{user}/{name}": held for user in names for name, held in archive_of_x(user, f"1{user}").items()}


def test_a_folder_of_several_peoples_archives_is_by_each_of_them(tmp_path):
    put(tmp_path / "all/2024", people("ann", "bob"))
    packed(tmp_path / "all/2024/eve.zip", archive_of_x("eve", "1eve"))
    _, posts, _, _ = run(tmp_path, tmp_path / "all")
    assert {post["user_id"]: post["post_id"] for post in posts} == {"ann": "1ann", "bob": "1bob", "eve": "1eve"}


def packed(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, held in files.items():
            archive.writestr(name, held if isinstance(held, str) else json.dumps(held))


@pytest.mark.parametrize(("top", "beside"), [("", []), ("all/", []), ("all/", ["readme.txt"])])
def test_a_zip_of_several_peoples_archives_is_by_each_of_them(top, beside, tmp_path):
    """Below a folder all were by the first of them."""
    shown = [("tweets_media/1ann-p.jpg", "x")]
    held = people("ann", "bob") | {f"ann/data/{name}": data for name, data in shown}
    packed(tmp_path / "all.zip", {top + name: data for name, data in held.items()} | dict.fromkeys(beside, "words"))
    metrics, posts, _, _ = run(tmp_path, tmp_path / "all.zip")
    assert {post["user_id"]: post["post_id"] for post in posts} == {"ann": "1ann", "bob": "1bob"}
    assert metrics["pictures"]["on_disk"] == 1


def test_downloads_that_do_not_say_whose_they_are_are_by_their_folders(tmp_path):
    said = "your_facebook_activity/posts/your_posts_1.json"
    posts = {
        f"facebook-{who}/{said}": [{"timestamp": 1_600_000_000, "data": [{"post": who}]}] for who in ("ann", "bob")
    }
    packed(tmp_path / "all.zip", posts)
    _, found, _, _ = run(tmp_path, tmp_path / "all.zip")
    assert [(post["user_id"], post["text"]) for post in found] == [("ann", "ann"), ("bob", "bob")]


@pytest.mark.parametrize("chat", ["ChatExport_1/result.json", "result.json"])
def test_a_chat_and_an_archive_hide_nothing_beside_them(chat, tmp_path):
    put(tmp_path / "all", {chat: CHAT, "tweets.jsonl": LINES, chat.replace("result", "files/sent"): {"x": 1}})
    metrics, posts, _, _ = run(tmp_path, tmp_path / "all")
    assert len(posts) == 6 and set(metrics["recognised"]) == {"Telegram, an export", "tweets of API v1.1"}
    put(tmp_path / "more", archive_of_x("ann", "1ann") | {"tweets.jsonl": LINES})
    _, posts, _, _ = run(tmp_path, tmp_path / "more")
    assert len(posts) == 6


def test_files_that_are_left_out_are_named_unless_names_are_private(tmp_path, caplog):
    put(tmp_path / "e", {"a.jsonl": LINES, "notes of Ann.csv": "Kennung,Inhalt\n1,hallo\n", "b.sav": "x"})
    for private in (False, True):
        caplog.clear()
        run(tmp_path, tmp_path / "e", private=private)
        (message,) = caplog.messages
        assert message.startswith("2 files beside are no export") and ("Kennung, Inhalt" in message) != private
        assert ("a file of SPSS: write its table as CSV" in message) != private


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ann/2024-05-01_10-00-00_UTC.txt", "run it again without --no-metadata-json"),
        ("TikTok/Post/Posts.txt", "ask for the download again as JSON"),
        ("photos/a.jpg", "neither a table nor JSON of posts"),
        ("chat/messages.html", "ask for the download again as JSON"),
    ],
)
def test_what_is_no_export_is_told_with_what_to_do(name, told, tmp_path):
    with pytest.raises(UserError, match=told):
        run(tmp_path, put(tmp_path / "e", {name: "x"}))


@pytest.mark.parametrize(
    ("name", "program"), [("p.rds", "R"), ("p.dta", "Stata"), ("p.pkl", "Python"), ("p.sav", "SPSS")]
)
def test_files_of_other_programs_are_told(name, program, tmp_path):
    with pytest.raises(UserError, match=rf"is a file of {program}.*: write its table as CSV UTF-8 or Parquet"):
        run(tmp_path, put(tmp_path / "e", {name: "x"}) / name)


def test_a_column_of_the_settings_that_a_table_lacks_is_told(tmp_path, caplog):
    put(tmp_path, {"t.csv": "a,b,c\n1,u,hi\n2,v,yo\n"})
    columns = Mapped(post_id="a", user_id="b", text=["c", "d"], created_at=["day", "time"])
    _, posts, _, _ = run(tmp_path, tmp_path / "t.csv", columns=columns)
    assert len(posts) == 2
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "no column day, time, which corpus.columns has for created_at; columns a, b, c"
    ]


def test_all_chats_of_an_account_are_read_from_the_file_alone(tmp_path):
    private = CHAT | {"type": "personal_chat", "id": 6}
    chats = [CHAT, private, {"name": "odd"}]
    put(tmp_path, {"export.json": {"chats": {"list": chats}, "left_chats": {"list": [CHAT | {"id": 7}]}}})
    _, posts, _, (left,) = run(tmp_path, tmp_path / "export.json")
    assert [post["post_id"] for post in posts] == ["5-1", "7-1"] and (left["id"], left["reason"]) == ("6-1", "private")


def test_messages_of_metas_downloads_are_named(tmp_path):
    said = {"participants": [{"name": "A"}], "messages": [{"sender_name": "A", "content": "x"}], "title": "A"}
    with pytest.raises(UserError, match="messages of Messenger and Instagram are private, and not read"):
        run(tmp_path, put(tmp_path / "e", {"messages/inbox/a_1/message_1.json": said}))


def zipped(files):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data if isinstance(data, str | bytes) else json.dumps(data))
    return held.getvalue()


def test_zips_in_a_zip_are_read_and_of_them_pictures_alone_are_kept(tmp_path):
    donors = {f"donors/{user}.zip": zipped(archive_of_x(user, f"1{user}")) for user in ("ann", "bob")}
    item = {"code": "C1", "taken_at": 1, "user": {"pk": "7"}, "caption": {"text": "words"}, "media_type": 1,
            "image_versions2": {"candidates": [{"url": "https://x/p.jpg"}]},
            "__import_meta": {"source_platform": "instagram.com"}}  # fmt: skip
    about = {"https://x/p.jpg": {"filename": "1.jpg", "success": True, "post_ids": ["C1"]}}
    of_4cat = {"a.ndjson": item, "images.zip": zipped({"1.jpg": b"x", ".metadata.json": about}), "odd.zip": b"PK"}
    (tmp_path / "all.zip").write_bytes(zipped(donors | of_4cat))
    _, posts, _, _ = run(tmp_path, tmp_path / "all.zip")
    assert {post["post_id"]: post["user_id"] for post in posts} == {"1ann": "ann", "1bob": "bob", "C1": "7"}
    (image,) = (post["image"] for post in posts if post["image"])
    kept = [name for place in (tmp_path / "out").glob("*.zip") for name in zipfile.ZipFile(place).namelist()]
    assert image.endswith("!/1.jpg") and kept == ["1.jpg"]


def test_a_folder_of_academictwitter_has_tweets_apart_from_what_they_refer_to(tmp_path):
    said = {"id": "50", "text": "words", "author_id": "7", "created_at": "2020-09-13T12:26:40.000Z"}
    shown = {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/p.jpg"}
    held = {
        "tweets": [said | {"id": "4", "author_id": "9"}],
        "users": [{"id": "7", "username": "ann"}],
        "media": [shown],
    }
    put(tmp_path / "all", {"data_5.json": [said | {"attachments": {"media_keys": ["3_1"]}}], "users_5.json": held,
                           "query": "words", "m/p.jpg": "x", "tweets.jsonl": LINES})  # fmt: skip
    _, posts, users, _ = run(tmp_path, tmp_path / "all")
    assert len(posts) == 6 and posts[0]["image"].endswith("p.jpg")
    assert {user["user_id"]: user["name"] for user in users} == {"7": "ann", "u": "U"}
    put(tmp_path / "alone", {"users_5.json": held})
    _, posts, _, (left,) = run(tmp_path, tmp_path / "alone")
    assert not posts and left["detail"] == "what tweets refer to: tweets, users, media"


def test_a_text_that_begins_with_a_bracket_is_no_json(tmp_path):
    (tmp_path / "chat.txt").write_text("[LINE] Chat history with Bo\nSaved on: 2021/03/14\n")
    with pytest.raises(UserError, match=r"no export that is known here .*columns \[LINE\] Chat history"):
        run(tmp_path, tmp_path / "chat.txt")


LOADED = {"instaloader": {"node_type": "Post"}, "node": {"shortcode": "A", "owner": {"id": "7"}, "date": 1_600_000_000,
          "__typename": "GraphImage", "caption": "words"}}  # fmt: skip
SAVED = {"category": "twitter", "subcategory": "timeline", "tweet_id": 50, "content": "words", "author": {"id": 7},
         "date": "2020-09-13 12:26:40", "num": 1, "extension": "jpg"}  # fmt: skip
WRITTEN = [{"timestamp": 1_600_000_000, "data": [{"post": "words"}]}]


@pytest.mark.parametrize(
    "files",
    [
        {"ann/2015-08-20_05-35-51_UTC.json": LOADED},
        {"twitter/ann/50_1.jpg.json": SAVED, "twitter/ann/50_1.jpg": "x"},
        {"your_facebook_activity/posts/your_posts_1.json": WRITTEN},
        archive_of_x("ann", "50"),
    ],
    ids=["instaloader", "gallery-dl", "Facebook", "X"],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_an_export_hides_nothing_that_lies_beside_it(files, zipped, tmp_path):
    """Nor another one; what belongs to a download, as the words of X's page, is not told."""
    held = files | {"tweets.jsonl": LINES, "profiles/bo/2015-08-20_05-35-52_UTC.json": LOADED}
    if zipped:
        packed(tmp_path / "all.zip", held)
    _, posts, *_ = run(tmp_path, tmp_path / "all.zip" if zipped else put(tmp_path / "all", held))
    assert len(posts) == (6 if LOADED in files.values() else 7)
