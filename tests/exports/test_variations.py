"""Exports as other versions of the tools, other systems and mishaps leave them; each is small and made by hand."""

import gzip
import json
import zipfile

import pytest

from pipeline.exports.platforms import bluesky, mastodon, reddit, telegram, twitter, zeeschuimer
from pipeline.exports.posts import Deleted, Left, Post
from pipeline.running.errors import UserError
from tests.exports.test_parts import run
from tests.exports.test_tools import table


def tweet(number, **more):
    return {"id_str": str(number), "full_text": f"words {number}", "created_at": "Sun Sep 13 12:26:40 +0000 2020",
            "user": {"id_str": "u", "screen_name": "U"}} | more  # fmt: skip


LINES = "\n".join(json.dumps(tweet(number)) for number in range(1, 6)) + "\n"
HALVES = LINES.encode().split(b"\n", 2)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bom.jsonl", b"\xef\xbb\xbf" + LINES.encode()),
        ("crlf.jsonl", LINES.replace("\n", "\r\n").encode()),
        ("powershell.jsonl", LINES.encode("utf-16")),
        ("blank.jsonl", b"\n\n" + LINES.replace("\n", "\n\n").encode()),
        ("members.jsonl.gz", b"".join(gzip.compress(part + b"\n") for part in HALVES)),
        ("commas.jsonl", LINES.replace("\n", ",\n").encode()),
        ("joined.json", b"".join(json.dumps([tweet(n) for n in some]).encode() for some in ((1, 2), (3, 4, 5)))),
        ("beside.jsonl", LINES.replace("\n", "").encode()),
        ("printed.json", "\n".join(json.dumps(tweet(n), indent=2) for n in range(1, 6)).encode()),
        ("halves.jsonl", LINES.replace("words", "words \\ud83d").encode()),
        ("list-with-bom.json", b"\xef\xbb\xbf" + json.dumps([tweet(n) for n in range(1, 6)], indent=1).encode()),
    ],
)
def test_all_comes_whatever_the_system_that_wrote_it(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    _, posts, _, rejected = run(tmp_path, tmp_path / name)
    assert [post["post_id"] for post in posts] == list("12345") and not rejected


def test_a_file_that_was_cut_off_gives_what_it_has_and_says_so(tmp_path):
    many = "\n".join(json.dumps(tweet(number, noise=f"{number * 7919 % 10007:x}" * 40)) for number in range(3000))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(many.encode())[:-500])
    _, posts, _, rejected = run(tmp_path, tmp_path / "cut.jsonl.gz")
    assert len(posts) > 1000 and rejected[-1]["reason"] == "unreadable row" and "cut off" in rejected[-1]["detail"]
    (tmp_path / "list.json").write_text(json.dumps([tweet(number) for number in range(9)])[:-20])
    _, posts, _, (left,) = run(tmp_path, tmp_path / "list.json")
    assert [post["post_id"] for post in posts] == list("01234567") and "broken or cut off" in left["detail"]
    (tmp_path / "half.jsonl").write_text(LINES + LINES[:40])
    _, posts, _, (left,) = run(tmp_path, tmp_path / "half.jsonl")
    assert len(posts) == 5 and left["reason"] == "unreadable row"


def test_what_macos_leaves_in_zips_is_nothing_and_a_part_may_hold_pictures_alone(tmp_path):
    post = {"title": "a day", "creation_timestamp": 1_600_000_000, "media": [
        {"uri": f"media/posts/202009/{n}.jpg", "creation_timestamp": 1_600_000_000} for n in (1, 2)]}  # fmt: skip
    (tmp_path / "parts").mkdir()
    with zipfile.ZipFile(tmp_path / "parts/instagram-ann-2024-01-01-part_1.zip", "w") as archive:
        archive.writestr("your_instagram_activity/media/posts_1.json", json.dumps(post))
        archive.writestr("__MACOSX/your_instagram_activity/media/._posts_1.json", b"\0\5\x16\7")
        archive.writestr("media/posts/202009/1.jpg", b"x")
    with zipfile.ZipFile(tmp_path / "parts/instagram-ann-2024-01-01-part_2.zip", "w") as archive:
        archive.writestr("media/posts/202009/2.jpg", b"y")
        archive.writestr("__MACOSX/media/posts/202009/._2.jpg", b"\0")
    metrics, (found,), _, rejected = run(tmp_path, tmp_path / "parts")
    assert (found["text"], found["user_id"], found["missing_images"]) == ("a day", "ann", 0)
    assert "part_1" in found["image"] and "part_2" in found["more_images"][0]
    assert metrics["pictures"]["on_disk"] == 2 and not rejected


def test_a_tar_whose_name_does_not_say_so_is_refused_with_what_to_do(tmp_path):
    import tarfile

    with tarfile.open(tmp_path / "archive.gz", "w:gz") as archive:
        archive.add(__file__, "outbox.json")
    with pytest.raises(UserError, match=r"is a tar: let its name end in \.tar\.gz"):
        run(tmp_path, tmp_path / "archive.gz")


def test_tweets_of_other_years_and_versions():
    long = {"id": "1", "author_id": "u", "text": "cut …", "note_tweet": {"text": "all of it &amp; more"}}
    assert next(twitter.page({"data": [long], "meta": {}})).text == "all of it & more"
    (old,) = twitter.old(tweet(1, retweeted_status=None, entities={"media": [{"media_url": "http://x/a.jpg"}]}))
    assert not old.repost and old.shown[0].names[1] == "a.jpg"
    (gone,) = twitter.notice({"delete": {"status": {"id": 1, "id_str": "1"}}})
    assert gone == Deleted("1") and isinstance(next(twitter.notice({"limit": {"track": 1}})), Left)


@pytest.mark.parametrize("first", ["cut", "whole"])
def test_of_a_tweet_and_the_same_cut_off_the_whole_one_is_kept_whichever_comes_last(tmp_path, first):
    copies = {"cut": tweet(1, truncated=True, full_text="all \u2026"), "whole": tweet(1, full_text="all of it")}
    ordered = [copies.pop(first), *copies.values()]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, ordered)))
    _, (post,), _, _ = run(tmp_path, tmp_path / "t.jsonl")
    assert post["text"] == "all of it"


def test_a_deletion_in_a_stream_is_applied(tmp_path):
    rows = [{"delete": {"status": {"id": 2, "id_str": "2"}, "timestamp_ms": "1"}}, tweet(1), tweet(2)]
    (tmp_path / "stream.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _, posts, _, rejected = run(tmp_path, tmp_path / "stream.jsonl")
    assert [post["post_id"] for post in posts] == ["1"]
    assert sorted(row["reason"] for row in rejected) == ["deleted by its author", "not a post"]


def test_a_note_of_an_archive_that_does_not_say_whose_it_is(tmp_path):
    text = "a long tale " * 40
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, held in (
            ("account", [{"account": {"accountId": "7", "username": "ann"}}]),
            ("tweets", [{"tweet": tweet(1, full_text=text[:270] + "… https://t.co/x")}, {"tweet": tweet(2)}]),
            ("note-tweet", [{"noteTweet": {"noteTweetId": "9", "core": {"text": text}}}]),
        ):
            archive.writestr(f"twitter-2024/data/{name}.js", f"window.YTD.{name}.part0 = {json.dumps(held)}")
    _, posts, *_ = run(tmp_path, tmp_path / "a.zip")
    assert [post["text"] for post in posts] == [text, "words 2"]


def seen(platform, data):
    (found,) = zeeschuimer.item({"source_platform": platform, "timestamp_collected": 1, "item_id": "1", "data": data})
    return found


def test_items_of_threads_truth_social_and_limited_tweets():
    text = {"code": "C1", "pk": "1", "user": {"pk": "7", "username": "ann"}, "caption": {"text": "hello"},
            "taken_at": 1, "image_versions2": {"candidates": []}, "media_type": 19, "like_count": 3,
            "text_post_app_info": {"direct_reply_count": 2, "reply_to_author": {"pk": "8"}}}  # fmt: skip
    found = seen("threads.net", text)
    assert (found.text, found.shown, found.replies, found.reply_to) == ("hello", (), 2, "8")
    truth = {"id": "1", "uri": "https://t/1", "content": "<p>a</p>", "account": {"acct": "ann", "url": "https://t/@ann"},
             "media_attachments": [], "created_at": "2024-01-01T00:00:00Z"}  # fmt: skip
    assert (seen("truthsocial.com", truth).text, seen("truthsocial.com", truth).user_id) == ("a", "https://t/@ann")
    limited = {"__typename": "TweetWithVisibilityResults",
               "tweet": {"rest_id": "5", "legacy": {"full_text": "b", "user_id_str": "7"}}}  # fmt: skip
    assert seen("x.com", limited).post_id == "5"
    assert seen("tiktok.com", {"id": "1", "author": "a", "isAd": True}).reason == "promoted"


def view(number, **more):
    return {"uri": f"at://did:plc:a/app.bsky.feed.post/{number}", "cid": "c", "author": {"did": "did:plc:a"},
            "record": {"text": f"t{number}", "createdAt": "2024-01-01T00:00:00Z"} | more}  # fmt: skip


def test_threads_of_posts_link_cards_and_lists_without_a_cursor_of_bluesky():
    stub = {"$type": "app.bsky.feed.defs#blockedPost", "uri": "at://x", "blocked": True}
    thread = {"thread": {"post": view(2), "parent": {"post": view(1), "parent": stub},
                         "replies": [{"post": view(3), "replies": []}, stub]}}  # fmt: skip
    assert bluesky.is_view(thread) and {post.text for post in bluesky.view(thread)} == {"t1", "t2", "t3"}
    assert bluesky.is_view({"posts": [view(1)]}) and len(list(bluesky.view({"posts": [view(1)]}))) == 1
    card = view(1, embed={"$type": "app.bsky.embed.external", "external": {"uri": "https://x", "thumb": {"ref": "b"}}})
    assert next(bluesky.view(card)).shown == ()


def test_listings_of_reddit_with_replies_and_galleries_without_pictures():
    def thing(kind, name, **more):
        held = {"id": name, "subreddit": "s", "author": "ann", "created_utc": 1.6e9} | more
        return {"kind": kind, "data": held}

    replies = {"kind": "Listing", "data": {"children": [thing("t1", "c2", body="b", parent_id="t1_c1", replies="")]}}
    comments = [thing("t1", "c1", body="a", parent_id="t3_p", replies=replies), {"kind": "more", "data": {"id": "c9"}}]
    asked = thing("t3", "p", title="t", is_gallery=True, gallery_data=None, media_metadata=None)
    page = [{"kind": "Listing", "data": {"children": [asked]}}, {"kind": "Listing", "data": {"children": comments}}]
    found = [one for part in page for one in reddit.listing(part)]
    assert [one.post_id for one in found if isinstance(one, Post)] == ["t3_p", "t1_c1", "t1_c2"]
    assert [one.answers for one in found if isinstance(one, Post)] == [None, "t3_p", "t1_c1"]
    assert reddit.is_listing({"data": [asked["data"]]}) and found[0].shown == ()


def test_albums_with_a_video_polls_and_forwards_of_those_who_are_gone():
    def message(number, **more):
        return {"id": number, "type": "message", "date_unixtime": "1600000000", "from_id": "user1", "text": ""} | more

    album = [message(1, photo="a.jpg"), message(2, file="b.mp4", media_type="video_file", mime_type="video/mp4"),
             message(3, photo="c.jpg", text="a trip")]  # fmt: skip
    others = [message(4, poll={"question": "which?", "answers": []}, date_unixtime="1600000009"),
              message(5, text="old", forwarded_from=None, date_unixtime="1600000019"),
              message(6, file="s.webp", media_type="sticker", mime_type="image/webp", date_unixtime="1600000029"),
              message(7, text="so", reply_to_message_id=2, date_unixtime="1600000039")]  # fmt: skip
    found = list(telegram.chat({"type": "public_supergroup", "id": 9, "messages": album + others}))
    posts = {one.post_id: one for one in found if isinstance(one, Post)}
    assert (posts["9-1"].text, [one.video for one in posts["9-1"].shown]) == ("a trip", [False, True, False])
    assert posts["9-4"].text == "which?" and posts["9-5"].repost and posts["9-6"].shown == ()
    assert posts["9-7"].answers == "9-2" and len(posts) == 5


def test_statuses_with_a_warning_a_boost_and_nothing_where_there_may_be_null(tmp_path):
    status = {"id": "1", "uri": "https://s/1", "content": "<p>b :blobcat:</p>", "account": {"acct": "ann", "uri": "https://s/ann"},
              "media_attachments": [], "created_at": "2024-01-01T00:00:00.000Z", "spoiler_text": "a", "edited_at": None,
              "language": None, "reblog": None, "poll": None}  # fmt: skip
    (found,) = mastodon.status(status)
    assert (found.text, found.language, found.repost) == ("a\nb :blobcat:", None, False)
    held = {"account": status["account"], "statuses": [status, status | {"uri": "https://s/2", "reblog": {"id": "9"}}],
            "favourites": [], "following": [{"acct": "brand@t", "url": "https://t/brand"}]}  # fmt: skip
    (tmp_path / "ann.json").write_text(json.dumps(held))
    (tmp_path / "brands.csv").write_text("target,interest\nhttps://t/brand,tea\n")
    metrics, posts, users, rejected = run(tmp_path, tmp_path / "ann.json", brands=tmp_path / "brands.csv")
    assert metrics["recognised"] == {"mastodon-archive": 1} and users[0]["interests"] == ["tea"]
    assert [post["post_id"] for post in posts] == ["https://s/1"] and rejected[0]["reason"] == "repost"


def test_files_of_img2dataset_are_found_by_address_and_by_post(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "pictures/00000").mkdir(parents=True)
    rows = [(f"00000000{n}", f"https://x/{n}.jpg?s=1", n, "success" if n else "failed_to_download") for n in range(3)]
    columns = dict(zip(("key", "url", "post_id", "status"), map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "pictures/00000.parquet")
    for key, _, number, _ in rows:
        if number:
            (tmp_path / f"pictures/00000/{key}.jpg").write_bytes(b"x")
    lines = [f"{n},u,words,{url if n != 2 else 'https://moved/2.jpg'}" for _, url, n, _ in rows]
    (tmp_path / "t.csv").write_text("post_id,user_id,text,image_url\n" + "\n".join(lines))
    _, posts, *_ = run(tmp_path, tmp_path / "t.csv", [tmp_path / "pictures"])
    assert [(post["image"] or "").rpartition("/")[2] for post in posts] == ["", "000000001.jpg", "000000002.jpg"]


def test_a_reply_to_a_brands_post_that_is_known_by_the_post_alone_does_not_train(tmp_path):
    def thing(name, who, **more):
        return {"id": name, "subreddit": "s", "author": who, "created_utc": 1.6e9} | more

    rows = [thing("c", "ann", body="love it", parent_id="t3_p"), thing("p", "Brand", title="new shoes"),
            thing("d", "ann", body="else", parent_id="t3_q"), thing("q", "bob", title="a walk")]  # fmt: skip
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "brands.csv").write_text("target,interest\nbrand,shoes\n")
    _, posts, users, rejected = run(tmp_path, tmp_path / "r.jsonl", brands=tmp_path / "brands.csv")
    assert {post["post_id"]: post["reply_to"] for post in posts} == {"t3_p": None, "t1_d": "bob", "t3_q": None}
    assert [(row["id"], row["reason"]) for row in rejected] == [("t1_c", "reply to a brand")]
    assert {user["user_id"]: user["interests"] for user in users} == {"ann": ["shoes"], "brand": [], "bob": []}


def test_a_table_of_ones_own_has_its_interests_from_edges_and_brands_too(tmp_path):
    rows = [
        "post_id,user_id,text,image,reply_to,likes",
        "1,ann,love it,,brand,3",
        "2,ann,a walk,,,",
        "3,bob,rain,,ann,1",
    ]
    (tmp_path / "posts.csv").write_text("\n".join(rows))
    (tmp_path / "brands.csv").write_text("target,interest\nbrand,shoes\ntea house,tea\n")
    (tmp_path / "edges.csv").write_text("user_id,target\nbob,Tea House\n")
    files = {name: tmp_path / f"{name}.csv" for name in ("brands", "edges")}
    _, posts, users, rejected = run(tmp_path, tmp_path / "posts.csv", **files)
    assert {user["user_id"]: user["interests"] for user in users} == {"ann": ["shoes"], "bob": ["tea"]}
    assert [(post["post_id"], post["reply_to"], post["likes"]) for post in posts] == [
        ("2", None, None),
        ("3", "ann", 1),
    ]
    assert [row["reason"] for row in rejected] == ["reply to a brand"]


def test_an_outbox_and_records_of_a_repository_without_the_archive_around_them(tmp_path):
    whose, public = "https://m/users/ann", "https://www.w3.org/ns/activitystreams#Public"
    note = {"id": f"{whose}/1", "content": "<p>hello</p>", "to": [public], "published": "2024-05-01T10:00:00Z",
            "attachment": [{"mediaType": "image/png", "url": "https://m/files/a.png", "name": "a cat"}]}  # fmt: skip
    items = [{"id": "1", "type": "Create", "actor": whose, "to": [public], "object": note},
             {"id": "2", "type": "Announce", "actor": whose, "object": "https://m/3"},
             {"id": "4", "type": "Create", "actor": whose, "object": note | {"id": "4", "to": ["me"]}}]  # fmt: skip
    (tmp_path / "outbox.json").write_text(json.dumps({"type": "OrderedCollection", "orderedItems": items}))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(b"x")
    _, (post,), _, left = run(tmp_path, tmp_path / "outbox.json", [tmp_path / "pictures"])
    assert (post["user_id"], post["text"], post["alt"]) == (whose, "hello", ["a cat"])
    assert post["image"].endswith("a.png") and [row["reason"] for row in left] == ["repost", "private"]
    record = {"text": "t1", "createdAt": "2024-01-01T00:00:00Z"}
    held = [
        {"uri": f"at://did:plc:a/app.bsky.feed.{kind}/1", "cid": "c", "value": record} for kind in ("post", "repost")
    ]
    (found,) = [one for one in bluesky.listing({"records": held}) if isinstance(one, Post)]
    assert (found.user_id, found.text) == ("did:plc:a", "t1") and bluesky.is_listing({"records": held})


def test_the_author_of_an_item_of_instagram_is_known_wherever_it_stands(tmp_path):
    item = {"code": "C1", "pk": "1", "caption": {"text": "sea"}, "taken_at": 1714557600, "media_type": 1}
    about = {"source_platform": "instagram.com", "timestamp_collected": 1714557600000, "item_id": "1"}
    places = ({"user": {"pk": "7"}}, {"user": None, "owner_id": {"pk": "7"}}, {"owner": {"id": "7"}}, {"user": None})
    lines = [json.dumps({**about, "data": {**item, "code": f"C{at}", **whose}}) for at, whose in enumerate(places)]
    (tmp_path / "z.ndjson").write_text("\n".join(lines))
    _, posts, _, (left,) = run(tmp_path, tmp_path / "z.ndjson")
    assert [(post["post_id"], post["user_id"]) for post in posts] == [("C0", "7"), ("C1", "7"), ("C2", "7")]
    assert "owner" in left["detail"]


def edited(post_id, versions, text):
    return {"id": post_id, "text": text, "author_id": "u", "edit_history_tweet_ids": versions}


def of_archive(post_id, versions, text):
    first = {"editTweetIds": versions}
    info = {"initial": first} if post_id == versions[0] else {"edit": {"editControlInitial": first}}
    return tweet(post_id, full_text=text, edit_info=info)


def of_page(post_id, versions, text):
    control = {"edit_tweet_ids": versions}
    control = control if post_id == versions[0] else {"edit_control_initial": control}
    legacy = {"full_text": text, "user_id_str": "u", "id_str": post_id}
    return {"source_platform": "x.com", "data": {"rest_id": post_id, "edit_control": control, "legacy": legacy}}


@pytest.mark.parametrize("write", [edited, of_archive, of_page], ids=["v2", "v1.1", "Zeeschuimer"])
def test_of_a_tweet_that_was_edited_the_last_version_is_the_post(write, tmp_path):
    versions = ["10", "11", "12"]
    held = [write("12", versions, "last"), write("10", versions, "frist"), write("20", ["20"], "other")]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, held)))
    metrics, posts, _, (left,) = run(tmp_path, tmp_path / "t.jsonl")
    assert [post["text"] for post in posts] == ["last", "other"] and metrics["rows_in"] == 3
    assert (left["id"], left["reason"]) == ("10", "an earlier version of an edited post")


@pytest.mark.parametrize("written", [json.dumps, str], ids=["twarc-csv", "pandas"])
def test_tables_tell_the_versions_of_a_tweet_too(written, tmp_path):
    rows = [
        edited(name, written(["10", "12"]), name) | {"created_at": "2022-10-01", "lang": "en"} for name in ("12", "10")
    ]
    (tmp_path / "t.csv").write_text(table(*rows))
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "t.csv")
    assert (post["text"], left["id"], left["reason"]) == ("12", "10", "an earlier version of an edited post")
