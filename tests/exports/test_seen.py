"""What files held that people had exported, and shared, beyond what the documents of their tools say."""

import json

import pytest

from pipeline.exports.platforms.instagram import shown_at
from pipeline.exports.sources import Tree
from pipeline.running.errors import UserError
from tests.exports.test_parts import run
from tests.exports.test_tools import BIG, ISO, PHOTO, RTWEET, VIDEO, WHEN, lines, photo, snscrape, table

OF_R = {"text": "words", "favoriteCount": 4, "replyToSN": "NA", "created": ISO, "replyToSID": "NA", "id": BIG,
        "replyToUID": "NA", "statusSource": "<a>web</a>", "screenName": "ann", "isRetweet": "FALSE"}  # fmt: skip
EMPTY = {"is_retweet": "NA", "reply_to_user_id": "NA", "reply_to_status_id": "NA", "media_url": "NA",
         "ext_media_url": "NA", "lang": "NA", "status_url": "NA", "reply_count": "NA"}  # fmt: skip
ARCHIVED = {"id": BIG, "author_id": 7, "text": "words", "created_at": ISO, "referenced_tweets.retweeted.id": "NA",
            "referenced_tweets.replied_to.id": "NA", "public_metrics.like_count": 4}  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [[OF_R, OF_R | {"id": 5, "isRetweet": "TRUE"}], [RTWEET | EMPTY], [ARCHIVED]],
    ids=["twitteR", "rtweet", "v2"],
)
def test_what_r_writes_where_there_is_nothing_is_nothing(rows, tmp_path):
    (tmp_path / "of-r.csv").write_text(table(*rows))
    _, (post,), _, rejected = run(tmp_path, tmp_path / "of-r.csv")
    assert (post["text"], post["likes"], post["created_at"].isoformat(" ")) == ("words", 4, WHEN)
    assert [post[name] for name in ("reply_to", "answers", "language", "url", "replies")] == [None] * 5
    assert not post["missing_images"] and [row["reason"] for row in rejected] == ["repost"] * (len(rows) - 1)


def test_somebody_may_be_called_as_r_calls_nothing(tmp_path):
    (tmp_path / "of-r.csv").write_text(table(OF_R | {"screenName": "NA"}, OF_R | {"id": 5, "text": "NA"}))
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "of-r.csv")
    assert post["user_id"] == "na" and left["reason"] == "no text and no picture"


SEEN = {"ownerUsername": "ann", "caption": "words", "url": "https://x/p/C1/", "likesCount": 4, "timestamp": ISO,
        "commentsCount": 0, "firstComment": ""}  # fmt: skip
PLAYED = {"authorMeta.name": "ann", "text": "words", "diggCount": 4, "createTimeISO": ISO,
          "webVideoUrl": "https://x/@ann/video/C1"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"),
    [("o.json", json.dumps([SEEN])), ("o.csv", "\ufeff" + table(SEEN)), ("t.csv", table(PLAYED))],
)
def test_overviews_of_apify_tell_a_post_by_its_address(name, data, tmp_path):
    (tmp_path / name).write_text(data, "utf-8")
    _, (post,), *_ = run(tmp_path, tmp_path / name)
    assert (post["post_id"], post["user_id"], post["text"], post["likes"]) == ("C1", "ann", "words", 4)


def test_what_pandas_writes_of_nested_records_is_read_as_the_records_are(tmp_path):
    """And what is answered has lost its last digits, as other rows answer nothing."""
    record = snscrape(BIG, "rawContent", media=[PHOTO, VIDEO], inReplyToUser={"username": "bo", "id": 9})
    record |= {"inReplyToTweetId": 1.2345678901234568e18, "user": record["user"] | {"displayname": 'it\'s "Ann"'}}
    (tmp_path / "t.jsonl").write_text(lines(record | {"inReplyToTweetId": None}))
    (tmp_path / "t.csv").write_text(table(record))
    (of_lines,), (of_table,) = (run(tmp_path, tmp_path / name)[1] for name in ("t.jsonl", "t.csv"))
    assert of_table | {"export": ""} == of_lines | {"export": ""}
    assert (of_table["user_id"], of_table["missing_images"], of_table["reply_to"]) == ("7", 1, "9")


@pytest.mark.parametrize("cell", ["[" * 9_999, "{" * 9_999, "[1, 2", "{'a': nan}", "{'a'}", "[(1, 2)]", "{}", "[]"])
def test_a_cell_that_begins_as_something_nested_costs_nothing_else(cell, tmp_path):
    record = snscrape(BIG, "rawContent") | {"media": cell, "inReplyToUser": cell}
    (tmp_path / "t.csv").write_text(table(record))
    _, (post,), *_ = run(tmp_path, tmp_path / "t.csv")
    assert post["text"] == f"words {BIG}" and post["reply_to"] is None


def test_a_picture_on_bluesky_is_one_whatever_kind_its_app_gave_it(tmp_path):
    kinds = {"a.jpg": "image/jpeg", "b": "*/*", "c": "text/html; charset=utf-8", "d.m3u8": "*/*", "e.gif": "video/gif"}
    row = {"uri": "at://did:plc:a/app.bsky.feed.post/1", "user_did": "did:plc:a", "timestamp_utc": "1600000000",
           "original_text": "words", "media_urls": "|".join(f"https://x/{name}" for name in kinds),
           "media_types": "|".join(kinds.values())}  # fmt: skip
    (tmp_path / "minet.csv").write_text(table(row))
    _, (post,), *_ = run(tmp_path, tmp_path / "minet.csv")
    assert (post["missing_images"], post["videos"]) == (3, 2)


@pytest.mark.parametrize("shared", ["SharedUrl,MediaUrl", "SharedURL,MediaURL"])
def test_linkedin_by_its_headers_of_several_years_and_what_is_quoted_in_comments(shared, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "Profile.csv").write_text("First Name,Last Name\nAnn,Bo\n")
    share = '2021-06-15 08:40:56,https://x/s1,"said ""so""",,,MEMBER_NETWORK\n'
    (folder / "Shares.csv").write_text(f"Date,ShareLink,ShareCommentary,{shared},Visibility\n{share}")
    (folder / "Comments.csv").write_text('Date,Link,Message\n2021-06-15 08:41:56,https://x/c1,"\\"No\\", she said"\n')
    _, posts, *_ = run(tmp_path, folder)
    assert sorted(p["text"] for p in posts) == ['"No", she said', 'said "so"']


def test_two_posts_of_one_second_on_facebook_are_two(tmp_path):
    said = [{"timestamp": 1_600_000_000, "data": [{"post": text}]} for text in ("one", "two", "two")]
    (tmp_path / "your_posts_1.json").write_text(json.dumps(said))
    (tmp_path / "in").mkdir()
    (tmp_path / "your_posts_1.json").rename(tmp_path / "in" / "your_posts_1.json")
    _, posts, _, rejected = run(tmp_path, tmp_path / "in")
    assert sorted(p["text"] for p in posts) == ["one", "two"] and len(rejected) == 1


def test_pictures_of_instaloader_in_a_folder_of_their_own_are_found_unless_they_may_be_anothers(
    tmp_path,
):
    folder = tmp_path / "in"
    for place in ("meta", "media/ann", "media/bo", "whole"):
        (folder / place).mkdir(parents=True)
    several = {"edges": [{"node": {"__typename": "GraphImage", "display_url": photo(name)}} for name in "pq"]}
    names = [("meta", "A", "2015-08-20_05-35-51_UTC"), ("meta", "B", "2015-08-20_05-35-52_UTC"),
             ("whole", "C", "2015-08-20_05-35-53_UTC")]  # fmt: skip
    for place, code, name in names:
        node = {"shortcode": code, "__typename": "GraphSidecar", "owner": {"id": "7"}, "date": 1_600_000_000,
                "edge_sidecar_to_children": several, "caption": "words"}  # fmt: skip
        held = {"instaloader": {"node_type": "Post"}, "node": node}
        (folder / place / f"{name}.json").write_text(json.dumps(held))
    for file in ("ann/{0}_1.jpg", "ann/{0}_2.jpg", "ann/{1}_1.jpg", "bo/{1}_2.jpg", "bo/{2}_1.jpg"):
        (folder / "media" / file.format(*(name for *_, name in names))).write_bytes(b"x")
    (folder / "whole" / "2015-08-20_05-35-54_UTC.jpg").write_bytes(b"x")
    _, posts, *_ = run(tmp_path, folder)
    assert {p["post_id"]: p["missing_images"] for p in posts} == {"A": 0, "B": 2, "C": 2}


def test_photos_of_tiktok_are_pictures_and_what_has_no_ending_on_instagram_is_a_video(tmp_path):
    cover = "https://p16-sign.tiktokcdn.com/tos-alisg-{}/1~tplv-origin.image?dr=1"
    items = [{"Date": f"2024-01-0{day} 03:04:05", "Title": "words", "WhoCanView": "Everyone",
              "CoverImage": cover.format(kind)} for day, kind in ((1, "i-photomode-sg"), (2, "p-0068"))]  # fmt: skip
    held = {"Your Activity": {}, "Profile": {"Profile Info": {"ProfileMap": {"userName": "ann"}}},
            "Post": {"Posts": {"VideoList": items}}}  # fmt: skip
    (tmp_path / "user_data_tiktok.json").write_text(json.dumps(held))
    _, posts, *_ = run(tmp_path, tmp_path / "user_data_tiktok.json")
    assert [(p["missing_images"], p["videos"]) for p in sorted(posts, key=lambda p: p["created_at"])] == [
        (1, 0),
        (0, 1),
    ]
    names = ("media/posts/201502/1_n.jpg", "media/posts/201711/ZGFzaF9i_179", "media/posts/201502/2.MP4")
    assert [shown_at(Tree(tmp_path), name).video for name in names] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("x.jsonl", "", "is empty"),
        ("x.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        ("comments.csv", "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n", "with statistics.csv"),
        ("your_posts_1.json", json.dumps([{"timestamp": 1, "data": [], "title": "t"}]), "if this is of Facebook's"),
        ("posts_1.json", json.dumps([{"media": [{"uri": "media/1.jpg"}]}]), "if this is of Instagram's"),
    ],
)
def test_a_file_without_what_it_was_beside_or_without_anything_is_refused_with_what_to_do(name, data, why, tmp_path):
    (tmp_path / name).write_text(data)
    with pytest.raises(UserError, match=why):
        run(tmp_path, tmp_path / name)
