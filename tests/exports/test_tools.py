"""Files as common tools write them, each by the keys and nesting of its own code; what comes of them, post by post."""

import csv
import io
import json
import sqlite3

import pytest

from pipeline.exports.posts import dig
from pipeline.running.errors import UserError
from tests.exports.test_parts import run

BIG = 1_234_567_890_123_456_789
WHEN, ISO = "2020-09-13 12:26:40", "2020-09-13T12:26:40+00:00"


def table(*rows, mark=","):
    """Rows, dicts by column, as a CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter=mark)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def lines(*rows):
    return "\n".join(map(json.dumps, rows))


def photo(name):
    return f"https://x/media/{name}.jpg"


def snscrape(number, text, **more):
    return {"_type": "snscrape.modules.twitter.Tweet", "url": f"https://twitter.com/ann/status/{number}",
            "date": ISO, text: f"words {number}", "id": number, "replyCount": 0, "likeCount": 4,
            "user": {"_type": "snscrape.modules.twitter.User", "username": "ann", "id": 7}, "lang": "en", "media": None,
            "retweetedTweet": None, "inReplyToTweetId": None, "inReplyToUser": None} | more  # fmt: skip


PHOTO = {"_type": "snscrape.modules.twitter.Photo", "previewUrl": "https://x/s", "fullUrl": photo("p"), "altText": "a"}
VIDEO = {"_type": "snscrape.modules.twitter.Video", "thumbnailUrl": photo("cover"), "variants": []}
TWINT = {"id": BIG, "conversation_id": BIG, "created_at": f"{WHEN} W. Europe Standard Time", "date": "2020-09-13",
         "user_id": 7, "username": "ann", "tweet": "words", "language": "en", "photos": f"['{photo('p')}']",
         "likes_count": 4, "replies_count": 0, "link": "https://x/1", "retweet": False, "user_rt_id": ""}  # fmt: skip
TAGS = {"id_str": BIG, "from_user": "ann", "text": "words", "created_at": "Sun Sep 13 12:26:40 +0000 2020",
        "from_user_id_str": 7, "in_reply_to_user_id_str": "", "status_url": "https://x/1"}  # fmt: skip
TCAT = {"id": BIG, "time": 1_600_000_000, "created_at": WHEN, "from_user_name": "ann", "text": "words", "lang": "en",
        "favorite_count": 4, "to_user_name": "", "in_reply_to_status_id": "", "from_user_id": 7}  # fmt: skip
MINET = {"id": BIG, "timestamp_utc": "1600000000.0", "user_screen_name": "ann", "text": "words", "like_count": 4,
         "lang": "en", "to_userid": "", "to_tweetid": "", "user_id": 7, "match_query": 1, "retweeted_id": "",
         "media_urls": f"{photo('p')}|https://x/v.mp4", "media_types": "photo|video"}  # fmt: skip
RTWEET = {"user_id": "x7", "status_id": f"x{BIG}", "created_at": ISO, "screen_name": "ann",
          "text": "words", "favorite_count": 4, "is_retweet": "FALSE", "media_url": photo("p"),
          "ext_media_url": f"{photo('p')} {photo('q')}", "lang": "en"}  # fmt: skip
OF_APIFY = {"shortCode": "C1", "ownerUsername": "ann", "ownerId": "7", "caption": "words", "displayUrl": photo("p"),
            "timestamp": ISO, "likesCount": 4, "type": "Image"}  # fmt: skip
INSTAGRAPI = {"pk": str(BIG), "code": "C1", "taken_at": ISO, "media_type": 8, "caption_text": "words",
              "user": {"pk": "7", "username": "ann"}, "like_count": 4, "comment_count": 0, "thumbnail_url": None,
              "resources": [{"pk": "1", "media_type": 1, "thumbnail_url": photo("p")},
                            {"pk": "2", "media_type": 2, "thumbnail_url": photo("cover")}]}  # fmt: skip
SCRAPED = {"id": str(BIG), "shortcode": "C1", "__typename": "GraphImage", "taken_at_timestamp": 1_600_000_000,
           "edge_media_to_caption": {"edges": [{"node": {"text": "words"}}]}, "owner": {"id": "7"}, "username": "ann",
           "display_url": photo("p"), "edge_media_preview_like": {"count": 4}, "is_video": False}  # fmt: skip
WEIBO = {"id": BIG, "bid": "K", "user_id": 7, "用户昵称": "ann", "微博正文": "words", "点赞数": 4, "评论数": 0,
         "发布时间": "2020-09-13 12:26", "微博图片url": f"{photo('p')},{photo('q')}", "retweet_id": ""}  # fmt: skip
XHS = {"note_id": "n1", "type": "normal", "title": "title", "desc": "words", "time": 1_600_000_000_000,
       "nickname": "ann", "creator_hash": "7", "liked_count": "4", "image_list": photo("p")}  # fmt: skip
TELETHON = {"_": "Message", "id": 5, "peer_id": {"_": "PeerChannel", "channel_id": 9}, "date": ISO,
            "message": "words", "from_id": None, "fwd_from": None,
            "media": {"_": "MessageMediaPhoto", "photo": {"id": 3}},
            "reply_to": {"_": "MessageReplyHeader", "reply_to_msg_id": 2}}  # fmt: skip
CHANNEL = {"guild": {"id": "1", "name": "G"}, "channel": {"id": "2", "type": "GuildTextChat"}, "messages": [
    {"id": str(BIG), "type": "Default", "timestamp": ISO, "content": "words",
     "author": {"id": "7", "name": "ann", "isBot": False}, "reactions": [{"emoji": {}, "count": 4}],
     "attachments": [{"id": "3", "url": "c.json_Files/p-5F.jpg", "fileName": "p.jpg"}]},
    {"id": "8", "type": "GuildMemberJoin", "timestamp": ISO, "author": {"id": "8"}},
    {"id": "9", "type": "Default", "content": "beep", "author": {"id": "9", "name": "b", "isBot": True}}]}  # fmt: skip
TWSCRAPE = snscrape(BIG, "rawContent", id_str=str(BIG), media={"photos": [{"url": photo("p")}], "videos": [
    {"thumbnailUrl": photo("cover"), "variants": [], "duration": 1}], "animated": []})  # fmt: skip
RETWEET = snscrape(5, "rawContent", retweetedTweet={"id": 6})
OF_X = {"type": "tweet", "id": str(BIG), "text": "cut …", "fullText": "words", "createdAt": TAGS["created_at"],
        "author": {"userName": "ann", "id": "7"}, "likeCount": 4, "isRetweet": False,
        "media": [photo("p")]}  # fmt: skip
SLIDES = {"id": str(BIG), "text": "words", "createTimeISO": ISO, "isAd": False, "diggCount": 4,
          "authorMeta": {"id": "7", "name": "ann"}, "webVideoUrl": "https://x/1", "isSlideshow": True,
          "slideshowImageLinks": [{"tiktokLink": photo("p")}], "videoMeta": {"coverUrl": photo("cover")}}  # fmt: skip
CLIP = {"videoId": "v1", "channelId": "7", "channelTitle": "ann", "publishedAt": ISO, "likeCount": 4,
        "videoTitle": "title", "videoDescription": "words", "thumbnail_maxres": photo("cover")}  # fmt: skip
SAID = {"id": "c1", "replyCount": 0, "likeCount": 4, "publishedAt": WHEN, "authorName": "ann",
        "text": "words", "authorChannelId": "7", "isReplyTo": ""}  # fmt: skip
OF_YOUTUBE = {"kind": "youtube#videoListResponse", "pageInfo": {}, "items": [
    {"id": "v1", "statistics": {"likeCount": "4"}, "snippet": {
        "publishedAt": ISO, "channelId": "7", "channelTitle": "ann", "title": "title", "description": "words",
        "thumbnails": {"high": {"url": photo("cover")}}}}]}  # fmt: skip
DUMPED = {"author": "u/ann", "title": "title", "score": 4, "created": "2020-09-13 12:26", "link": "https://r/1",
          "text": "words", "url": "https://elsewhere"}  # fmt: skip
SUBMITTED = {"id": "abc12", "author": "ann", "subreddit": "s", "created_utc": "1600000000", "title": "title",
             "score": 4, "selftext": "words", "url": "https://elsewhere", "author_fullname": "t2_7"}  # fmt: skip
OF_FLICKR = {"photos": {"page": 1, "photo": [{"id": "51", "owner": "7", "ownername": "ann", "title": "words",
             "dateupload": "1600000000", "url_l": photo("p"), "tags": ""}]}, "stat": "ok"}  # fmt: skip
OF_TUMBLR = {"meta": {}, "response": {"posts": [{"id": BIG, "id_string": str(BIG), "blog_name": "ann", "note_count": 4,
             "blog": {"uuid": "7"}, "timestamp": 1_600_000_000, "caption": "<p>words</p>", "photos": [
                 {"original_size": {"url": photo("p")}}, {"original_size": {"url": photo("q")}}]}]}}  # fmt: skip

BLOG = {"user": {"id": "7", "screen_name": "ann"}, "weibo": [
    {"id": BIG, "user_id": 7, "screen_name": "ann", "text": "words", "pics": f"{photo('p')},{photo('q')}",
     "created_at": WHEN[:10], "full_created_at": WHEN, "attitudes_count": 4},
    {"id": 5, "user_id": 7, "screen_name": "ann", "text": "x", "created_at": WHEN, "retweet": {"id": 6}}]}  # fmt: skip
AWEME = {"aweme_id": str(BIG), "desc": "words", "title": "words", "create_time": 1_600_000_000, "creator_hash": "7",
         "nickname": "a*", "liked_count": "4", "comment_count": "0", "note_download_url": photo("p")}  # fmt: skip
REMARK = {"comment_id": "c1", "create_time": 1_600_000_000_000, "note_id": "n1", "content": "words", "like_count": 4,
          "creator_hash": "7", "nickname": "a*", "sub_comment_count": 0, "parent_comment_id": 0}  # fmt: skip
TIDY = {"tweet_id": BIG, "user_username": "ann", "text": "words", "author_id": 7, "created_at": ISO, "like_count": 4,
        "lang": "en", "sourcetweet_type": "NA"}  # fmt: skip
SAID_OF = {"id": "c1", "postUrl": "https://i/p/C1/", "ownerUsername": "ann", "text": "words", "timestamp": ISO,
           "repliesCount": 0, "likesCount": 4, "owner": {"id": "7"}}  # fmt: skip
SAID_BELOW = {"cid": "c1", "videoWebUrl": "https://t/1", "text": "words", "uniqueId": "ann", "uid": "7", "diggCount": 4,
              "createTimeISO": ISO}  # fmt: skip
SAID_ON = {"id": "c1", "facebookUrl": "https://f/1", "text": "words", "date": ISO, "profileId": "7",
           "profileName": "Ann", "likesCount": "4"}  # fmt: skip
SAID_TO = {"pk": "c1", "text": "words", "user": {"pk": "7", "username": "ann"}, "created_at_utc": ISO, "like_count": 4}
OF_REDDIT = {"_type": "snscrape.modules.reddit.Submission", "author": "ann", "date": ISO, "id": "t3_abc12",
             "subreddit": "s", "title": "title", "selftext": "words", "url": "https://r/1", "link": None}  # fmt: skip
TOOT = {"_type": "snscrape.modules.mastodon.Toot", "url": "https://m/@ann/1", "user": {"account": "@ann@m"},
        "date": ISO, "text": "words", "spoilerText": None, "attachments": [{"url": photo("p")}]}  # fmt: skip
OF_V2 = {"id": BIG, "text": "words", "author_id": 7, "created_at": ISO, "like_count": 4, "image": "p.jpg"}

CASES = {
    "blog.json": (json.dumps(BLOG, indent=1), "weibo-crawler"),
    "v2.csv": (table(OF_V2), "tweets, by the names of API v2"),
    "minet.csv": (table(MINET, MINET | {"id": 2, "match_query": 0}, MINET | {"id": 3, "retweeted_id": 1}), "minet or"),
    "snscrape.jsonl": (lines(snscrape(BIG, "rawContent", content="words", media=[PHOTO, VIDEO]), RETWEET), "snscrape"),
    "snscrape-of-2021.jsonl": (lines(snscrape(BIG, "content", media=[PHOTO, VIDEO])), "snscrape"),
    "twscrape.jsonl": (lines(TWSCRAPE), "snscrape"),
    "twint.csv": (table(TWINT, mark="\t"), "Twint"),
    "tags.csv": (table(TAGS, TAGS | {"id_str": 2, "text": "RT @b: c"}), "TAGS"),
    "tcat.csv": (table(TCAT, TCAT | {"id": 2, "text": "RT @b: c"}), "DMI-TCAT"),
    "rtweet.csv": (table(RTWEET), "rtweet"),
    "tweets.json": (json.dumps([OF_X, OF_X | {"id": "2", "isRetweet": True}]), "Apify, X"),
    "instagram.json": (json.dumps([OF_APIFY | {"images": [photo("p"), photo("q")]}]), "Apify, Instagram"),
    "instagram.csv": (table(OF_APIFY | {"images/0": photo("p"), "images/1": photo("q")}), "Apify, Instagram"),
    "tiktok.json": (json.dumps([SLIDES, SLIDES | {"id": "2", "isAd": True}]), "Apify, TikTok"),
    "instagrapi.json": (json.dumps([INSTAGRAPI]), "instagrapi"),
    "ann.json": (json.dumps({"GraphImages": [SCRAPED]}), "Instagram, instagram-scraper"),
    "weibo.csv": (table(WEIBO), "weibo-search"),
    "xhs.csv": (table(XHS), "MediaCrawler, Xiaohongshu"),
    "telethon.jsonl": (lines(TELETHON, TELETHON | {"peer_id": {"_": "PeerUser", "user_id": 1}}), "Telegram, messages"),
    "discord.json": (json.dumps(CHANNEL), "Discord"),
    "videos.csv": (table(CLIP), "YouTube Data Tools, videos"),
    "comments.csv": (table(SAID), "YouTube Data Tools, comments"),
    "youtube.json": (json.dumps(OF_YOUTUBE, indent=1), "YouTube's API"),
    "dumps.csv": (table(DUMPED), "Reddit, tables of PushshiftDumps"),
    "reddit.csv": (table(SUBMITTED), "Reddit, a table of submissions"),
    "flickr.json": (json.dumps(OF_FLICKR), "Flickr's API"),
    "tumblr.json": (json.dumps(OF_TUMBLR), "Tumblr's API"),
    "of-instagram.json": (json.dumps([SAID_OF]), "Apify, comments on Instagram"),
    "of-tiktok.json": (json.dumps([SAID_BELOW]), "Apify, comments on TikTok"),
    "of-facebook.json": (json.dumps([SAID_ON]), "Apify, comments on Facebook"),
    "of-instagrapi.json": (json.dumps([SAID_TO]), "instagrapi, comments"),
    "of-reddit.jsonl": (lines(OF_REDDIT), "snscrape, Reddit"),
    "toots.jsonl": (lines(TOOT), "snscrape, Mastodon"),
    "aweme.jsonl": (lines(AWEME), "MediaCrawler, Douyin"),
    "remarks.csv": (table(REMARK), "MediaCrawler, comments"),
    "tidy.csv": (table(TIDY, TIDY | {"tweet_id": 5, "sourcetweet_type": "retweeted"}), "academictwitteR, tidy"),
}  # fmt: skip
TWO = {"blog.json", "rtweet.csv", "instagram.json", "instagram.csv", "weibo.csv", "tumblr.json"}
NO_PICTURE = {
    "of-instagram.json",
    "of-tiktok.json",
    "of-facebook.json",
    "of-instagrapi.json",
    "of-reddit.jsonl",
    "remarks.csv",
    "tidy.csv",
    "tags.csv",
    "tcat.csv",
    "comments.csv",
    "videos.csv",
    "youtube.json",
    "dumps.csv",
    "reddit.csv",
}
WITH_VIDEO = {"minet.csv", "snscrape.jsonl", "snscrape-of-2021.jsonl", "twscrape.jsonl", "instagrapi.json",
              "videos.csv", "youtube.json"}  # fmt: skip
TITLED = {"of-reddit.jsonl", "videos.csv", "youtube.json", "dumps.csv", "reddit.csv", "xhs.csv"}
NO_LIKES = {"of-reddit.jsonl", "toots.jsonl", "tags.csv", "telethon.jsonl", "flickr.json"}
KEPT_OUT = {
    "minet.csv": ["only referred to", "repost"], "snscrape.jsonl": ["repost"], "tags.csv": ["repost"],
    "tcat.csv": ["repost"], "tweets.json": ["repost"], "tiktok.json": ["promoted"], "telethon.jsonl": ["private"],
    "discord.json": ["a known bot", "not a post"], "tidy.csv": ["repost"], "blog.json": ["repost"],
}  # fmt: skip
AUTHORS = {"dumps.csv": "u/ann", "reddit.csv": "t2_7", "telethon.jsonl": "channel9",
           "of-reddit.jsonl": "ann", "toots.jsonl": "ann@m"}  # fmt: skip
"""Those other than 7."""
PICTURED = {"telethon.jsonl": ["9_5.jpg"], "discord.json": ["p-5F.jpg"]}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_a_common_tool_comes_as_it_is(name, tmp_path):
    text, kind = CASES[name]
    (tmp_path / name).write_text(text, "utf-8")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for file in ("p.jpg", "q.jpg", "cover.jpg", "p-5F.jpg", "9_5.jpg"):
        (pictures / file).write_bytes(b"x")
    metrics, posts, _, rejected = run(tmp_path, tmp_path / name, [pictures])
    assert next(iter(metrics["recognised"])).startswith(kind) and len(posts) == 1
    (post,) = posts
    words = post["text"].removesuffix(f" {BIG}")
    assert words == ("title\nwords" if name in TITLED else "words") and post["user_id"] == AUTHORS.get(name, "7")
    assert post["created_at"].isoformat(" ") == (
        WHEN if name not in ("weibo.csv", "dumps.csv") else "2020-09-13 12:26:00"
    )
    assert post["likes"] == (None if name in NO_LIKES else 4)
    found = [place.rpartition("/")[2] for place in (post["image"], *(post["more_images"] or ())) if place]
    want = [] if name in NO_PICTURE else PICTURED.get(name, ["p.jpg", "q.jpg"][: 1 + (name in TWO)])
    assert found == want and not post["missing_images"]
    assert post["videos"] == (name in WITH_VIDEO)
    assert sorted(row["reason"] for row in rejected) == KEPT_OUT.get(name, [])


def test_records_of_gallery_dl_are_one_post_each_beside_files_and_printed(tmp_path):
    about = {"category": "twitter", "subcategory": "media", "tweet_id": BIG, "retweet_id": 0, "reply_id": 0, "num": 1,
             "date": WHEN, "author": {"id": 7, "name": "ann", "nick": "Ann"}, "user": {"id": 8}, "lang": "en",
             "content": "words", "favorite_count": 4, "count": 2, "filename": "p", "extension": "jpg"}  # fmt: skip
    records = [about, about | {"num": 2, "filename": "q", "description": "a drawing"},
               about | {"num": 3, "filename": "v", "extension": "mp4"}]  # fmt: skip
    shared = about | {"tweet_id": 5, "retweet_id": 6, "num": 1}
    folder = tmp_path / "twitter/ann"
    folder.mkdir(parents=True)
    for one in (*records, shared):
        file = f"{one['tweet_id']}_{one['num']}.{one['extension']}"
        (folder / file).write_bytes(b"x")
        (folder / f"{file}.json").write_text(json.dumps(one))
    printed = [[2, about | {"extension": "", "num": 0}], *([3, photo(one["filename"]), one] for one in records)]
    profile = {"category": "twitter", "subcategory": "info", "id": 7, "name": "ann", "description": "a life in words"}
    (folder / "info.json").write_text(json.dumps(profile))
    (tmp_path / "printed.json").write_text(json.dumps(printed))
    for posts_at, images in ((tmp_path / "twitter", []), (tmp_path / "printed.json", [tmp_path / "twitter"])):
        _, (post,), _, rejected = run(tmp_path, posts_at, images)
        assert (post["post_id"], post["user_id"], post["text"], post["likes"]) == (str(BIG), "7", "words", 4)
        assert [place.rpartition("_")[2] for place in (post["image"], *post["more_images"])] == ["1.jpg", "2.jpg"]
        assert post["alt"] == ["", "a drawing"] and post["videos"] == 1 and post["answers"] is None
        assert sorted(row["reason"] for row in rejected) == (["not a post", "repost"] if not images else [])


ITEMS = {
    "9gag.com": {"id": "a1", "title": "words", "creationTs": 1_600_000_000, "creator": {"username": "ann"},
                 "promoted": 0, "images": {"image700": {"url": photo("p")}}, "type": "Photo"},
    "imgur.com": {"id": "a1", "title": "words", "account_id": 7, "created_at": ISO, "is_ad": False,
                  "cover": {"url": photo("p"), "type": "image"}, "description": ""},
    "pinterest.com": {"entityId": "1", "title": "words", "pinner": {"id": "7", "username": "ann"}, "isVideo": False,
                      "imageSpec_orig": {"url": photo("p")}, "createdAt": "Sun, 13 Sep 2020 12:26:40 +0000"},
    "xiaohongshu.com": {"id": "n1", "note_card": {
        "display_title": "words", "user": {"user_id": "7", "nick_name": "ann"}, "time": 1_600_000_000_000,
        "image_list": [{"info_list": [{"url": photo("p")}]}]}},
    "douyin.com": {"aweme_id": "1", "desc": "words", "author_user_id": 7, "create_time": 1_600_000_000,
                   "images": [{"url_list": [photo("p")]}], "video": {"cover": {"url_list": [photo("q")]}}},
}  # fmt: skip


@pytest.mark.parametrize("site", ITEMS)
def test_items_of_zeeschuimer_of_every_site_that_it_knows(site, tmp_path):
    item = {"source_platform": site, "timestamp_collected": 1_700_000_000_000, "item_id": "1", "data": ITEMS[site]}
    (tmp_path / "items.ndjson").write_text(json.dumps(item))
    (tmp_path / "p.jpg").write_bytes(b"x")
    _, (post,), _, rejected = run(tmp_path, tmp_path / "items.ndjson", [tmp_path])
    assert (post["text"], post["user_id"]) == ("words", "ann" if site == "9gag.com" else "7") and not rejected
    assert post["created_at"].isoformat(" ") == WHEN and post["image"].endswith("p.jpg") and not post["videos"]


ON = "2020-09-13T12:26:40+0000"
NODES = [
    ("page", "seed", None, None),
    ("7_1", "data", "Facebook:/<page-id>/posts", {"message": 'words; "more"', "created_time": ON}),
    ("8_2", "data", "Facebook:/<page-id>/feed", {"message": "of a visitor", "created_time": ON, "from": {"id": "9"}}),
    ("1_3", "data", "Facebook:/<post-id>/comments", {"message": "of nobody", "created_time": ON}),
    ("v1", "data", "YouTube:/search", {"snippet": {"title": "a video", "channelId": "UC1", "publishedAt": ON}}),
    ("page", "offcut", "Facebook:/<page-id>/posts", {"paging": {}}),
]
CHOSEN = ["message", "created_time", "from.id", "snippet.title", "snippet.channelId", "snippet.publishedAt"]


def test_facepager_gives_the_same_by_its_table_and_by_its_database(tmp_path):
    with sqlite3.connect(tmp_path / "nodes.db") as made:
        made.execute("CREATE TABLE Nodes (id INTEGER PRIMARY KEY, objectid, objecttype, querytype, response)")
        rows = [(*node[:3], json.dumps(node[3]) if node[3] else None) for node in NODES]
        made.executemany("INSERT INTO Nodes VALUES (NULL, ?, ?, ?, ?)", rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL)
    head = ["level", "id", "parent_id", "object_id", "object_type", "object_key", "query_status", "query_time"]
    writer.writerow([*head, "query_type", *CHOSEN])
    for name, kind, query, answer in NODES:
        cells = [dig(answer, *column.split(".")) for column in CHOSEN]
        writer.writerow(list(map(str, [1, 2, 1, name, kind, None, "fetched (200)", WHEN, query, *cells])))
    (tmp_path / "nodes.csv").write_text("\ufeff" + text.getvalue(), newline="")
    found = []
    for name in ("nodes.db", "nodes.csv"):
        (tmp_path / name[-3:]).mkdir()
        metrics, posts, _, rejected = run(tmp_path / name[-3:], tmp_path / name)
        found.append([(p["post_id"], p["user_id"], p["text"], p["created_at"].isoformat()) for p in posts])
        assert metrics["rejected"] == {"not a post": 2, "author unknown": 1} and len(rejected) == 3
    assert (
        found[0]
        == found[1]
        == [
            (*row, ON[:19])
            for row in [("7_1", "7", 'words; "more"'), ("8_2", "9", "of a visitor"), ("v1", "UC1", "a video")]
        ]
    )


def test_a_database_of_something_else_is_told_and_a_damaged_one_refused(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as made:
        made.execute("CREATE TABLE places (id INTEGER)")
    with pytest.raises(UserError, match=r"x\.db is no export that is known here .*no text in UTF-8"):
        run(tmp_path, tmp_path / "x.db")
    with sqlite3.connect(tmp_path / "nodes.db") as made:
        made.execute("CREATE TABLE Nodes (id INTEGER PRIMARY KEY, objectid, objecttype, querytype, response)")
        made.executemany("INSERT INTO Nodes VALUES (NULL, '1', 'data', 'q', ?)", [("x" * 4000,)] * 50)
    whole = (tmp_path / "nodes.db").read_bytes()
    (tmp_path / "nodes.db").write_bytes(whole[:-80_000] + b"\xff" * 80_000)
    with pytest.raises(UserError, match="cannot be read to its end"):
        run(tmp_path, tmp_path / "nodes.db")


def test_pictures_of_a_wall_of_vk_are_of_one_post_and_long_posts_of_weibo_are_whole(tmp_path):
    wall = {"category": "vk", "subcategory": "wall", "user": {"id": "-7", "name": "g"}, "date": WHEN,
            "extension": "jpg", "wall": {"id": "21", "description": "words"}}  # fmt: skip
    status = {"id": BIG, "text_raw": "cut …", "longText": {"content": "words"}, "user": {"id": 7, "screen_name": "a"}}
    post = {"category": "weibo", "subcategory": "user", "status": status, "date": WHEN, "num": 1, "extension": "jpg"}
    records = {f"21_{n}.jpg": wall | {"id": f"45{n}", "num": n} for n in (1, 2)} | {f"{BIG}_01.jpg": post}
    for name, held in records.items():
        (tmp_path / "g").mkdir(exist_ok=True)
        (tmp_path / "g" / name).write_bytes(b"x")
        (tmp_path / "g" / f"{name}.json").write_text(json.dumps(held))
    _, posts, _, _ = run(tmp_path, tmp_path / "g")
    assert {(p["post_id"], p["user_id"], p["text"]) for p in posts} == {("21", "-7", "words"), (str(BIG), "7", "words")}
    assert [len(p["more_images"] or ()) for p in posts if p["post_id"] == "21"] == [1]


def test_what_a_search_on_mastodon_answers_and_reposts_on_threads(tmp_path):
    status = {"id": "1", "uri": "https://m/1", "content": "<p>words</p>", "media_attachments": [],
              "visibility": "public", "account": {"acct": "ann", "uri": "https://m/ann"}}  # fmt: skip
    thread = {"id": "2", "username": "bob", "text": "words", "media_type": "TEXT_POST", "timestamp": ISO}
    page = {"data": [thread, thread | {"id": "3", "media_type": "REPOST_FACADE"}], "paging": {}}
    (tmp_path / "in").mkdir()
    (tmp_path / "in/m.json").write_text(json.dumps({"accounts": [], "statuses": [status], "hashtags": []}))
    (tmp_path / "in/t.json").write_text(json.dumps(page))
    _, posts, _, (left,) = run(tmp_path, tmp_path / "in")
    assert {post["user_id"] for post in posts} == {"https://m/ann", "bob"} and left["reason"] == "repost"


def test_pictures_of_a_forum_and_of_a_blog_are_of_their_posts(tmp_path):
    forum = {
        "category": "xenforo",
        "subcategory": "thread",
        "extension": "jpg",
        "filename": "a",
        "type": "inline",
        "post": {"id": "51", "author": "ann", "author_id": "7", "content": "<p>words</p>", "date": WHEN},
    }
    blog = {
        "category": "blogspot",
        "subcategory": "post",
        "extension": "jpg",
        "filename": "b",
        "blog": {"id": "3"},
        "post": {"id": "61", "author": {"displayName": "bob"}, "title": "title", "content": "words", "date": WHEN},
    }
    note = {"category": "misskey", "subcategory": "note", "extension": "jpg", "filename": "c", "id": "71",
            "text": "words", "user": {"id": "9", "username": "eve"}, "date": WHEN}  # fmt: skip
    records = {"a1": forum | {"id": 1}, "a2": forum | {"id": 2}, "b": blog | {"num": 1}, "c": note}
    (tmp_path / "g").mkdir()
    for name, held in records.items():
        (tmp_path / "g" / f"{name}.jpg").write_bytes(b"x")
        (tmp_path / "g" / f"{name}.jpg.json").write_text(json.dumps(held))
    _, posts, _, _ = run(tmp_path, tmp_path / "g")
    assert [(p["post_id"], p["user_id"], p["text"], len(p["more_images"] or ())) for p in posts] == [
        ("51", "7", "words", 1), ("61", "bob", "title\nwords", 0), ("71", "9", "words", 0)]  # fmt: skip
