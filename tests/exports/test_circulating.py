"""What circulates beside tools' files: items as sites' web has them, pandas' tables of APIs, data sets, mere ids."""

import json

import pytest

from pipeline.running.errors import UserError
from tests.exports.test_further_tools import the_post
from tests.exports.test_parts import run
from tests.exports.test_tools import BIG, ISO, WHEN, lines, photo, table

OF_TIKTOK = {"id": str(BIG), "desc": "words", "createTime": 1_600_000_000, "author": {"id": "7", "uniqueId": "a"},
             "video": {"cover": photo("c")}, "stats": {"diggCount": 4}}  # fmt: skip
OF_INSTAGRAM = {"pk": "3", "code": "C1", "taken_at": 1_600_000_000, "media_type": 1, "like_count": 4,
                "user": {"pk": "7", "username": "a"}, "caption": {"text": "words"},
                "image_versions2": {"candidates": [{"url": photo("p")}]}}  # fmt: skip
OF_X = {"__typename": "Tweet", "rest_id": "5", "core": {"user_results": {"result": {"rest_id": "7"}}}, "legacy": {
    "full_text": "words", "created_at": "Sun Sep 13 12:26:40 +0000 2020", "favorite_count": 4}}  # fmt: skip
OF_NITTER = {"link": "https://twitter.com/7/status/5#m", "text": "words", "user": {"username": "@7", "profile_id": "9"},
             "date": "Sep 13, 2020 \u00b7 12:26 PM UTC", "is-retweet": False, "stats": {"likes": 4},
             "pictures": [photo("p")]}  # fmt: skip
VERIFIED = {"post_id": 5, "post_text": "words", "user_id": 7, "image_id(s)": "p,q", "username": "a",
            "timestamp": "Sun Sep 13 12:26:40 +0000 2020", "label": "fake"}  # fmt: skip
SKY = {"uri": "at://did:plc:a/app.bsky.feed.post/1", "author.did": "7", "author.handle": "a.b", "likeCount": 4,
       "record.text": "words", "record.createdAt": ISO, "record.langs": "['en', 'de']",
       "embed.images": str([{"fullsize": photo("p"), "alt": "a tree"}])}  # fmt: skip
TOOT = {"id": 1, "created_at": ISO, "uri": "https://m/1", "visibility": "public", "content": "<p>words</p>",
        "reblog": "", "media_attachments": str([{"id": 9, "type": "image", "url": photo("p")}]), "favourites_count": 4,
        "account": "{'id': 7, 'acct': 'a', 'uri': '7', 'at': datetime.datetime(2020, 1, 1)}"}  # fmt: skip
PHOTOGRAPH = {"id": "51", "owner": "7", "secret": "s", "server": "1", "title": "words", "dateupload": "1600000000",
              "url_l": photo("p")}  # fmt: skip
SEEN = {"id": 5, "observed_on": "2020-09-13", "user_id": 7, "user_login": "a", "created_at": f"{WHEN} UTC",
        "image_url": photo("p"), "species_guess": "words", "description": ""}  # fmt: skip
BLOG = {"id": str(BIG), "mid": str(BIG), "text": "wo<span>rds</span><br />",
        "created_at": "Sun Sep 13 20:26:40 +0800 2020", "user": {"id": 7, "screen_name": "a"}, "attitudes_count": 4,
        "pics": [{"url": photo("small"), "large": {"url": photo("p")}}]}  # fmt: skip
OF_TRAKTOK = {"video_id": BIG, "author_name": "7", "like_count": 4, "create_time": WHEN, "video_description": "words",
              "voice_to_text": "NA"}  # fmt: skip

OF_THREADS = OF_INSTAGRAM | {"text_post_app_info": {"share_info": {"reposted_post": None}}}
SHARED = OF_THREADS | {"code": "C2", "text_post_app_info": {"share_info": {"reposted_post": {"pk": "1"}}}}
SUBMITTED = {"id": "abc12", "author": "7", "subreddit": "s", "created_utc": 1_600_000_000, "title": "words",
             "url": photo("p"), "score": 4, "crosspost_parent": ""}  # fmt: skip
OF_TWITTERAPI = {"type": "tweet", "id": str(BIG), "text": "words", "author": {"id": "7", "userName": "a"},
                 "likeCount": 4, "createdAt": "Sun Sep 13 12:26:40 +0000 2020", "retweeted_tweet": None}  # fmt: skip
BEFORE_2020 = {"_": "Message", "id": 5, "to_id": {"_": "PeerChannel", "channel_id": 9}, "date": ISO, "from_id": 7,
               "message": "words", "fwd_from": None, "media": None}  # fmt: skip
R_SKY = {"uri": "at://did:plc:a/app.bsky.feed.post/1", "cid": "b", "author_handle": "7", "text": "words",
         "like_count": 4, "indexed_at": ISO, "created_at": ISO, "in_reply_to": "NA"}  # fmt: skip
R_TOOT = {"id": "1", "uri": "1", "created_at": WHEN, "content": "<p>words</p>", "spoiler_text": "",
          "favourites_count": 4, "account": [{"id": "7", "acct": "a", "url": "7"}], "reblog": [], "media_attachments": [
              [{"id": "9", "type": "image", "url": photo("p")}]]}  # fmt: skip
OF_MINET = {"title": "words", "url": "https://r/comments/a1/w/", "author": "7", "author_text": "", "points": "4",
            "number_comments": 3, "published_date": ISO, "external_link": photo("p")}  # fmt: skip
SAID_BELOW = {"comment_url": "https://r/c1", "author": "7", "id": "c1", "parent": "", "points": "4",
              "published_date": ISO, "comment": "words ![gif](giphy|abc)"}  # fmt: skip
SAID_ON_IG = {"id": 17, "parent_id": "", "text": "words", "comment_like_count": 4, "created_at_utc": 1_600_000_000,
              "username": "a", "user_id": 7}  # fmt: skip
OF_ACTOR = {"id": "t3_a1", "parsedId": "a1", "username": "a", "userId": "7", "title": "words", "body": "", "upVotes": 4,
            "createdAt": ISO, "dataType": "post", "imageUrls": [photo("p")]}  # fmt: skip
BRIGHT = {"user_posted": "a", "user_posted_id": "7", "description": "words", "date_posted": ISO, "shortcode": "C1",
          "photos": [photo("p")], "likes": 4, "num_comments": 0}  # fmt: skip
OF_TWEEPY = {"id": BIG, "text": "words", "author_id": 7, "created_at": ISO, "like_count": 4,
             "referenced_tweets": "[{'type': 'quoted', 'id': '3'}]"}  # fmt: skip
OF_DOUYIN = {"id": BIG, "subject": "Post", "body": "words", "author_user_id": 7, "author_nickname": "a",
             "digg_count": 4, "unix_timestamp": 1_600_000_000, "image_urls": photo("p")}  # fmt: skip
CASES = {
    "atrrr.csv": (table(R_SKY), "atrrr", "", 4),
    "rtoot.json": (json.dumps([R_TOOT, R_TOOT | {"uri": "2", "reblog": [{"id": "3"}]}]), "Mastodon", "p", 4),
    "minet.csv": (table(OF_MINET), "minet, Reddit", "p", 4),
    "comments.csv": (table(SAID_BELOW), "minet, comments on Reddit", "", 4),
    "below.csv": (table(SAID_ON_IG), "minet, comments on Instagram", "", 4),
    "actor.json": (json.dumps([OF_ACTOR]), "Apify, Reddit", "p", 4),
    "bright.json": (json.dumps([BRIGHT]), "Bright Data", "p", 4),
    "tweepy.csv": (
        table(OF_TWEEPY, OF_TWEEPY | {"id": 6, "referenced_tweets": "[{'type': 'retweeted', 'id': '3'}]"}),
        "tweets, by the names",
        "",
        4,
    ),
    "douyin.csv": (table(OF_DOUYIN), "4CAT, Douyin", "p", 4),
    "threads.json": (lines(OF_THREADS, SHARED), "Instagram, TikTok or X", "p", 4),
    "submissions.csv": (
        table(SUBMITTED, SUBMITTED | {"id": "x", "crosspost_parent": "t3_y"}),
        "Reddit, a table",
        "p",
        4,
    ),
    "twitterapi.jsonl": (lines(OF_TWITTERAPI, OF_TWITTERAPI | {"retweeted_tweet": {"id": "3"}}), "Apify, X", "", 4),
    "blogs.jsonl": (lines(BLOG, BLOG | {"retweeted_status": BLOG}), "Weibo, posts of its web", "p", 4),
    "traktok.csv": (table(OF_TRAKTOK), "traktok", "", 4),
    "tiktok.jsonl": (lines(OF_TIKTOK), "Instagram, TikTok or X", "", 4),
    "pages.json": (json.dumps({"itemList": [OF_TIKTOK], "hasMore": False}), "Instagram, TikTok or X", "", 4),
    "instagram.json": (json.dumps({"items": [OF_INSTAGRAM], "status": "ok"}), "Instagram, TikTok or X", "p", 4),
    "x.jsonl": (lines(OF_X, {"tweet": OF_X}), "Instagram, TikTok or X", "", 4),
    "nitter.json": (json.dumps({"tweets": [OF_NITTER], "threads": []}), "ntscraper", "p", 4),
    "verified.txt": (table(VERIFIED, mark="\t"), "MediaEval", "pq", None),
    "sky.csv": (table(SKY), "Bluesky, a table", "p", 4),
    "feed.csv": (table({f"post.{name}": value for name, value in SKY.items()}), "Bluesky, a table", "p", 4),
    "toots.csv": (table(TOOT, TOOT | {"uri": "2", "reblog": "{'id': 3}"}), "Mastodon, a table", "p", 4),
    "photographs.csv": (table(PHOTOGRAPH), "Flickr, photos", "p", None),
    "seen.csv": (table(SEEN), "iNaturalist", "p", None),
}


@pytest.mark.parametrize("name", CASES)
def test_what_circulates_is_read_as_it_is(name, tmp_path):
    post, reasons = the_post(tmp_path, name, *CASES[name])
    assert post["language"] in (None, "en")
    assert reasons <= {"repost", "duplicate of a later collection"}


@pytest.mark.parametrize("name", ["text", "full_text", "post_text", "content", "message"])
def test_a_table_of_nobodys_has_its_words_under_one_of_many_names(name, tmp_path):
    (tmp_path / "t.csv").write_text(f"post_id,user_id,{name}\n5,7,words\n")
    _, (post,), *_ = run(tmp_path, tmp_path / "t.csv")
    assert post["text"] == "words"


def test_a_table_without_words_that_are_known_is_told(tmp_path, caplog):
    (tmp_path / "t.csv").write_text("post_id,user_id,words\n5,7,words\n")
    run(tmp_path, tmp_path / "t.csv")
    assert "which a table with post_id and user_id has for text" in caplog.text


@pytest.mark.parametrize("head", ["", "tweet_id\n", "id\n"])
def test_ids_alone_are_told_as_such(head, tmp_path):
    (tmp_path / "ids.txt").write_text(f"{head}{BIG}\n{BIG + 1}\n")
    with pytest.raises(UserError, match="ids alone are no posts yet"):
        run(tmp_path, tmp_path / "ids.txt")


def test_what_gallery_dl_says_of_a_photo_is_not_taken_for_a_table_of_the_site(tmp_path):
    held = PHOTOGRAPH | {"owner": {"nsid": "7"}, "user": {"nsid": "7", "username": "a"}, "category": "flickr",
                         "subcategory": "user", "date": WHEN, "extension": "jpg", "filename": "51"}  # fmt: skip
    (tmp_path / "data.jsonl").write_text(lines(held))
    _, (post,), (user,), _ = run(tmp_path, tmp_path / "data.jsonl")
    assert (post["user_id"], user["name"], post["text"]) == ("7", "a", "words")


BLOCKS = {"type": "text", "content": "of no use"}
SAID = {"category": "c", "subcategory": "s", "num": 1, "filename": "p", "extension": "jpg", "date": WHEN}
PICTURED = {
    "tiktok": {"id": "5", "desc": "words", "title": "TikTok photo #5", "author": {"id": "7", "uniqueId": "a"}},
    "facebook": {"id": "5", "set_id": "a.1", "user_id": "7", "title": "Photos from a's post", "caption": "words"},
    "deviantart": {"deviationid": "5", "title": "words", "content": {"src": "x"}, "author": {"userid": "7"}},
    "boosty": {"post": {"id": "5", "title": "words", "content": [BLOCKS]}, "user": {"id": 7}},
    "weibo": {"date": None, "status": {"id": 5, "text": "words", "date": WHEN, "user": {"id": 7}}},
    "discord": {"message_id": "5", "message": "words", "author_id": "7", "author": "a"},
    "itaku": {"id": 5, "owner": 7, "owner_username": "a", "description": "words"},
    "lofter": {"id": 5, "blogInfo": {"blogId": 7}, "content": "<p>words</p>"},
    "reddit": {
        "id": "4",
        "subreddit": "s",
        "author": "b",
        "title": "another's",
        "comment": {"id": "5", "body": "words", "author": "a", "author_fullname": "7", "created_utc": 1_600_000_000},
    },
    "misskey": {"id": "5", "userId": "7", "createdAt": ISO, "visibility": "public", "cw": "words", "text": None},
    "status": {
        "statusid": "5",
        "index": 5,
        "title": "Status Update",
        "body": "<p>words</p>",
        "author": {"userid": "7"},
    },
    "newgrounds": {"index": 5, "user": "7", "description": "words"},
    "imgur": {"id": "5", "account_id": 7, "description": "words"},
}


@pytest.mark.parametrize("site", PICTURED)
def test_what_gallery_dl_names_by_itself_is_not_of_the_author(site, tmp_path):
    (tmp_path / "data.jsonl").write_text(lines(SAID | PICTURED[site]))
    _, (post,), *_ = run(tmp_path, tmp_path / "data.jsonl")
    assert (post["text"], post["user_id"], post["created_at"].isoformat()) == ("words", "7", ISO[:19])


OF_OTHERS = {"repost": {"id": 5, "user_id": 7, "content": "theirs", "original_post_id": 4},
             "private": PICTURED["misskey"] | {"visibility": "followers"}}  # fmt: skip


@pytest.mark.parametrize("reason", OF_OTHERS)
def test_reblogs_and_private_notes_that_gallery_dl_saved_are_left_out(reason, tmp_path):
    (tmp_path / "data.jsonl").write_text(lines(SAID | OF_OTHERS[reason]))
    _, posts, _, (left,) = run(tmp_path, tmp_path / "data.jsonl")
    assert not posts and left["reason"] == reason


def test_messages_of_telethon_before_2020_and_repositories_as_folders(tmp_path):
    (tmp_path / "m.jsonl").write_text(lines(BEFORE_2020, BEFORE_2020 | {"id": 6, "fwd_from": {}}))
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "m.jsonl")
    assert (post["user_id"], post["text"], left["reason"]) == ("user7", "words", "repost")
    said = {"text": "words", "createdAt": ISO, "embed": {"images": [{"image": {"ref": {"$link": "bafkreip"}}}]}}
    for did in ("did:plc:a", "did:plc:b"):
        (tmp_path / f"repos/{did}/app.bsky.feed.post").mkdir(parents=True)
        (tmp_path / f"repos/{did}/_commit.json").write_text(json.dumps({"did": did}))
        (tmp_path / f"repos/{did}/app.bsky.feed.post/3k.json").write_text(json.dumps(said))
    _, posts, *_ = run(tmp_path, tmp_path / "repos")
    assert [(post["user_id"], post["missing_images"]) for post in posts] == [("did:plc:a", 1), ("did:plc:b", 1)]


@pytest.mark.parametrize(
    ("site", "title"),
    [("Instagram", "Video by a"), ("twitter", "A - words"), ("Bluesky", "A on Bluesky"), ("TikTok", "TikTok video #5")],
)
def test_titles_that_yt_dlp_makes_are_not_of_the_author(site, title, tmp_path):
    held = {"id": "5", "title": title, "description": "words", "extractor": site, "webpage_url": "u", "uploader": "a",
            "uploader_id": "7", "timestamp": 1_600_000_000}  # fmt: skip
    (tmp_path / "5.info.json").write_text(json.dumps(held))
    _, (post,), *_ = run(tmp_path, tmp_path / "5.info.json")
    assert (post["text"], post["user_id"]) == ("words", "7")
    (tmp_path / "5.info.json").write_text(json.dumps(held | {"extractor": "vimeo", "title": "A film"}))
    _, (post,), *_ = run(tmp_path, tmp_path / "5.info.json")
    assert post["text"] == "A film\nwords"
