"""Further tools and personal downloads, each by the names in its own code or its readers'; what comes of them."""

import json
import zipfile

import pytest

from tests.exports.test_parts import run
from tests.exports.test_tools import BIG, ISO, WHEN, lines, photo, table

CRAWLED = {"id": f"{BIG}\t", "bid": "K", "正文": "words", "原始图片url": f"{photo('p')},{photo('q')}", "位置": "",
           "日期": "2020-09-13T12:26:40", "点赞数": 4, "评论数": 0, "完整日期": WHEN, "是否原创": "True"}  # fmt: skip
SPIDER = {"微博id": "K1", "微博正文": "words", "原始图片url": photo("p"), "是否为原创微博": "True", "微博视频url": "无",
          "发布时间": "2020-09-13 12:26", "点赞数": 4, "转发数": 0, "评论数": 0}  # fmt: skip
ITEM = {"_id": str(BIG), "mblogid": "K1", "created_at": WHEN, "content": "words", "pic_urls": ["https://x/orj960/p"],
        "attitudes_count": 4, "is_retweet": False, "user": {"_id": "7", "nick_name": "a"}}  # fmt: skip
BLOGGED = {"type": "photo", "blog_name": "ann", "blog": {"uuid": "7"}, "id": BIG, "id_string": str(BIG),
           "note_count": 4, "post_url": "https://ann.tumblr.com/1", "timestamp": 1_600_000_000}  # fmt: skip
NPF = {"content": [{"type": "text", "text": "words"}, {"type": "image", "media": [{"url": photo("p")}]}]}
OF_META = {
    "id": str(BIG),
    "timestamp": "2020-09-13T12:26:40+0000",
    "like_count": 4,
    "owner": {"id": "7"},
    "username": "a",
}
PREAMBLE = "Report:,Bulk Mentions Download\nBrand:,x\nFrom:,Wed May 01 00:00:00 UTC 2024\nLabel:,Mentions\n\n\n"
WATCHED = {"Query Id": 1, "Query Name": "q", "Date": f"{WHEN}.0", "Url": "http://twitter.com/a/statuses/1",
           "Author": "a", "Page Type": "twitter", "Title": "t", "Full Text": "words", "X Author ID": 7}  # fmt: skip
MELTED = {"Date": ISO, "Document ID": "d1", "URL": "https://x/1", "Author Handle": "@7", "Author Name": "A",
          "Title": "", "Opening Text": "", "Hit Sentence": "words", "Image": photo("p"), "Likes": 4}  # fmt: skip
MELTED_BEFORE = {"Date": "13-Sep-2020 12:26PM", "Headline": "", "URL": "https://x/1", "Opening Text": "words",
                 "Hit Sentence": "", "Source": "Twitter", "Influencer": "@7"}  # fmt: skip
TALKED = {"url": "https://x/1", "published": WHEN, "title": "wor…", "content": "words", "source_type": "s",
          "lang": "en", "extra_author_attributes.id": 7, "extra_author_attributes.name": "A",
          "article_extended_attributes.twitter_likes": 4, "images.url": photo("p")}  # fmt: skip
COMMENT = {"Comment ID": "c1", "Channel ID": "7", "Comment create timestamp": f"{ISO[:-6]}.123+00:00", "Price": 0,
           "Parent comment ID": "", "Video ID": "v1", "Comment text": '{"text":"wor"},{"text":"ds"}'}  # fmt: skip
OLDER = {"Comment ID": "c1", "Channel ID": "7", "Comment Create Timestamp": ISO, "Video ID": "v1",
         "Parent Comment ID": "", "Comment Text": json.dumps({"takeoutSegments": [{"text": "words"}]})}  # fmt: skip
PAGE = {"data": [OF_META | {"caption": "words", "media_type": "IMAGE", "media_url": photo("p")}], "paging": {}}
ALBUM = {"data": [OF_META | {"caption": "words", "media_type": "CAROUSEL_ALBUM", "media_url": photo("p"), "children": {
    "data": [{"media_type": "IMAGE", "media_url": photo(name)} for name in "pq"]}}], "paging": {}}  # fmt: skip
SAID = {"data": [OF_META | {"text": "words", "media_type": "TEXT_POST", "shortcode": "C1"}], "paging": {}}

OF_PAGES = {"post_id": BIG, "text": "words\n\nshared", "post_text": "words", "shared_text": "shared", "time": WHEN,
            "timestamp": 1_600_000_000, "image": photo("p"), "images": str([photo("p"), photo("q")]), "likes": 4,
            "user_id": 7, "username": "a", "post_url": "https://x/1", "comments": 0}  # fmt: skip
OF_A_PAGE = {"id": BIG, "name": "7", "content": "words", "posted_on": WHEN, "reactions_count": 4, "comments": 0,
             "image": photo("p"), "post_url": "https://x/1"}  # fmt: skip

OF_WEIBO = {"_type": "snscrape.modules.weibo.Post", "url": "https://m.weibo.cn/status/K", "id": str(BIG),
            "text": "words", "user": {"_type": "snscrape.modules.weibo.User", "screenname": "ann", "uid": 7},
            "likesCount": 4, "createdAt": "Sun Sep 13 20:26:40 +0800 2020", "pictures": [photo("p")],
            "repostedPost": None}  # fmt: skip
OF_VK = {"_type": "snscrape.modules.vkontakte.VKontaktePost", "url": "https://vk.com/wall7_5", "date": ISO,
         "content": "words", "photos": [{"variants": [{"url": photo("q")}], "url": photo("p")}],
         "quotedPost": None}  # fmt: skip
OF_FACEBOOK = {"_type": "snscrape.modules.facebook.FacebookPost", "cleanUrl": "https://www.facebook.com/7/posts/1",
               "dirtyUrl": "", "date": ISO, "content": "words", "outlinks": []}  # fmt: skip
TIEBA = {"note_id": "n", "title": "words", "desc": "words", "publish_time": WHEN[:16], "creator_hash": "7",
         "user_nickname": "a*", "tieba_name": "t", "total_replay_num": 3}  # fmt: skip
ZHIHU = {"content_id": "z", "content_type": "answer", "content_text": "words", "title": "a question of another's",
         "desc": "wor", "created_time": 1_600_000_000, "voteup_count": 4, "creator_hash": "7",
         "user_nickname": "a*"}  # fmt: skip
BELOW = {"comment_id": "c", "parent_comment_id": "0", "content": "words", "publish_time": 1_600_000_000,
         "like_count": 4, "sub_comment_count": 0, "content_id": "z", "creator_hash": "7",
         "user_nickname": "a*"}  # fmt: skip
HARVESTED = {"id_str": BIG, "full_text": "words", "user_id_str": 7, "username": "a", "created_at": ISO,
             "image_url": photo("p"), "in_reply_to_screen_name": "", "tweet_url": "https://x/1",
             "favorite_count": 4}  # fmt: skip
CLICKED = {"Name": "A", "Handle": "@7", "Timestamp": ISO, "Content": "words", "Comments": 1, "Likes": 4,
           "Tweet Link": f"https://x.com/a/status/{BIG}", "Tweet ID": f"tweet_id:{BIG}"}  # fmt: skip
SCWEET = {"tweet_id": BIG, "timestamp": "Sun Sep 13 12:26:40 +0000 2020", "user_screen_name": "7", "text": "words",
          "likes": 4, "comments": 1, "tweet_url": "https://x/1", "image_links": json.dumps([photo("p")])}  # fmt: skip
OF_BROWSER = {"id": str(BIG), "created_at": "2020-09-13 14:26:40 +02:00", "full_text": "words", "screen_name": "a",
              "user_id": "7", "media": [{"type": "photo", "url": "https://t.co/x", "original": photo("p")}],
              "in_reply_to": None, "retweeted_status": None, "favorite_count": 4}  # fmt: skip
THREAD = {"url": "https://r/comments/1/t", "author": "7", "timestamp": 1_600_000_000, "title": "words", "text": "",
          "subreddit": "s", "score": 4, "up_ratio": 1, "comments": 2}  # fmt: skip
IN_THREAD = {"url": "https://r/comments/1/t", "author": "7", "timestamp": 1_600_000_000, "score": 4, "comment": "words",
             "comment_id": "1_1"}  # fmt: skip
TUBER = {"authorDisplayName": "@a", "authorChannelId.value": "7", "videoId": "v", "textDisplay": "wo<b>rds",
         "textOriginal": "words", "likeCount": 4, "publishedAt": ISO, "id": "c", "parentId": "NA"}  # fmt: skip
VOSON = {"Comment": "words", "AuthorDisplayName": "@a", "AuthorChannelID": "7", "LikeCount": 4, "PublishedAt": ISO,
         "CommentID": "c", "ParentID": "None", "VideoID": "v"}  # fmt: skip
NOTE = {"id": "9a", "createdAt": ISO, "userId": "7", "user": {"username": "a"}, "text": "words", "visibility": "public",
        "reactionCount": 4, "renoteId": None, "files": [{"type": "image/webp", "url": photo("p")}]}  # fmt: skip
BUSTED = {"postUrl": "https://www.instagram.com/p/C1/", "description": "words", "pubDate": ISO, "username": "7",
          "profileUrl": "https://x", "likeCount": 4, "imgUrl": photo("p"), "type": "Photo"}  # fmt: skip
CHATTED = {"streamer": {}, "video": {}, "comments": [{"_id": "a", "created_at": ISO, "commenter": {"_id": "7"},
                                                      "message": {"body": "words"}}]}  # fmt: skip

CASES = {
    "harvested.csv": (table(HARVESTED, HARVESTED | {"full_text": "RT @b: c"}), "tweet-harvest", "p", 4),
    "clicked.csv": (table(CLICKED), "selenium-twitter-scraper", "", 4),
    "scweet.csv": (table(SCWEET), "Scweet", "p", 4),
    "browser.json": (json.dumps([OF_BROWSER, OF_BROWSER | {"retweeted_status": "5"}]), "twitter-web-exporter", "p", 4),
    "threads.csv": (table(THREAD), "RedditExtractoR, threads", "", 4),
    "in-threads.csv": (table(IN_THREAD), "RedditExtractoR, comments", "", 4),
    "tuber.csv": (table(TUBER), "tuber", "", 4),
    "voson.csv": (table(VOSON), "vosonSML, YouTube", "", 4),
    "notes.json": (json.dumps([NOTE]), "Misskey, notes", "p", 4),
    "busted.csv": (table(BUSTED), "PhantomBuster, Instagram", "p", 4),
    "chat.json": (json.dumps(CHATTED), "TwitchDownloader, a chat", "", None),
    "weibo.jsonl": (lines(OF_WEIBO, OF_WEIBO | {"id": "5", "repostedPost": OF_WEIBO}), "snscrape, Weibo", "p", 4),
    "vk.jsonl": (lines(OF_VK, OF_VK | {"quotedPost": OF_VK}), "snscrape, VK", "p", None),
    "facebook.jsonl": (lines(OF_FACEBOOK), "snscrape, Facebook", "", None),
    "tieba.csv": (table(TIEBA), "MediaCrawler, Tieba", "", None),
    "zhihu.jsonl": (lines(ZHIHU), "MediaCrawler, Zhihu", "", 4),
    "below.csv": (table(BELOW), "MediaCrawler, comments", "", 4),
    "posts.csv": (table(OF_PAGES), "facebook-scraper", "pq", 4),
    "a-page.csv": (table(OF_A_PAGE), "facebook_page_scraper", "p", 4),
    "7.csv": (table(CRAWLED, CRAWLED | {"id": "5", "是否原创": "False"}), "weibo-crawler", "pq", 4),
    "7.of-spider.csv": (table(SPIDER, SPIDER | {"微博id": "K2", "是否为原创微博": "False"}), "weiboSpider", "p", 4),
    "items.jsonl": (lines(ITEM, ITEM | {"_id": "5", "is_retweet": True}), "WeiboSpider", "p", 4),
    "post.json": (json.dumps(BLOGGED | {"caption": "<p>words</p>"}), "Tumblr, posts", "", 4),
    "npf.json": (json.dumps({"response": {"posts": [BLOGGED | NPF]}}), "Tumblr's API", "p", 4),
    "page.json": (json.dumps(PAGE), "Meta's Graph API", "p", 4),
    "album.json": (json.dumps(ALBUM), "Meta's Graph API", "pq", 4),
    "said.json": (json.dumps(SAID), "Meta's Graph API", "", 4),
    "watched.csv": (PREAMBLE + table(WATCHED, WATCHED | {"Url": "u", "Full Text": "RT @b: c"}), "Brandwatch", "", None),
    "melted.csv": (table(MELTED, mark="\t"), "Meltwater", "p", 4),
    "before.csv": (table(MELTED_BEFORE, mark="\t"), "Meltwater, as it was", "", None),
    "talked.csv": (table(TALKED, mark=";"), "Talkwalker", "p", 4),
    "comments.csv": (table(COMMENT), "YouTube, comments", "", None),
    "older.csv": (table(OLDER), "YouTube, comments", "", None),
}


def the_post(folder, name, text, kind, pictures, likes):
    """The one post of a file, by 7, with the names of its `pictures`; why other rows were left out."""
    (folder / name).write_text(text, "utf-8")
    (folder / "pictures").mkdir()
    for file in "pq":
        (folder / f"pictures/{file}.jpg").write_bytes(b"x")
    metrics, (post,), _, rejected = run(folder, folder / name, [folder / "pictures"])
    assert next(iter(metrics["recognised"])).startswith(kind)
    assert (post["text"], post["user_id"], post["likes"]) == ("words", "7", likes)
    assert post["created_at"].strftime("%Y-%m-%d %H:%M") == WHEN[:16]
    found = [place.rpartition("/")[2] for place in (post["image"], *(post["more_images"] or ())) if place]
    assert found == [f"{file}.jpg" for file in pictures] and not post["missing_images"]
    return post, {row["reason"] for row in rejected}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_a_tool_comes_as_it_is(name, tmp_path):
    _, reasons = the_post(tmp_path, name, *CASES[name])
    assert reasons <= {"repost"}


def test_an_id_may_be_of_several_columns(tmp_path):
    other = IN_THREAD | {"url": "https://r/comments/2/t"}
    (tmp_path / "t.csv").write_text(table(IN_THREAD, other, IN_THREAD | {"comment_id": ""}))
    _, posts, _, (left,) = run(tmp_path, tmp_path / "t.csv")
    assert [post["post_id"] for post in posts] == ["https://r/comments/1/t/1_1", "https://r/comments/2/t/1_1"]
    assert left["reason"] == "no id of a post"


def size(name, side):
    return {
        "type": "x",
        "url": f"https://sun9.userapi.com/{name}.jpg?size={side}x{side}",
        "width": side,
        "height": side,
    }


PHOTO = {"type": "photo", "photo": {"id": 3, "owner_id": -9, "sizes": [size("q", 75), size("p", 900), size("q", 100)]}}
CLIP = {"type": "video", "video": {"id": 4, "owner_id": -9, "image": [size("cover", 320)]}}
WALL = {"id": 5, "from_id": 7, "owner_id": -9, "date": 1_600_000_000, "text": "words", "likes": {"count": 4},
        "comments": {"count": 2}, "attachments": [PHOTO, CLIP, {"type": "link", "link": {}}]}  # fmt: skip
ANSWER = {"id": 8, "from_id": 2, "owner_id": -9, "post_id": 5, "date": 1_600_000_001, "text": "yes",
          "thread": {"items": [
    {"id": 9, "from_id": 7, "owner_id": -9, "post_id": 5, "date": 1_600_000_002, "text": "and no", "reply_to_user": 2,
     "reply_to_comment": 8}]}}  # fmt: skip
LEFT = [WALL | {"id": 6, "copy_history": [WALL]}, WALL | {"id": 7, "marked_as_ads": 1},
        WALL | {"id": 11, "friends_only": 1}]  # fmt: skip


@pytest.mark.parametrize("form", ["answer", "list of the library", "items", "lines"])
def test_walls_of_vk_with_their_comments(tmp_path, form):
    items = [WALL, ANSWER, *LEFT]
    held = {"count": 5, "items": items, "profiles": [{"id": 7, "screen_name": "ann"}]}
    text = {"answer": json.dumps({"response": held}), "list of the library": json.dumps(held, indent=1),
            "items": json.dumps(items), "lines": lines(*items)}[form]  # fmt: skip
    (tmp_path / "wall.json").write_text(text)
    (tmp_path / "pictures").mkdir()
    for name in ("p.jpg", "q.jpg"):
        (tmp_path / "pictures" / name).write_bytes(b"x")
    _, posts, users, rejected = run(tmp_path, tmp_path / "wall.json", [tmp_path / "pictures"])
    post, answer, below = posts
    assert (post["post_id"], post["user_id"], post["likes"], post["replies"]) == ("-9_5", "7", 4, 2)
    assert post["image"].endswith("p.jpg") and post["videos"] == 1 and str(post["created_at"]) == WHEN
    assert (answer["answers"], below["answers"], below["reply_to"]) == ("-9_5", "-9_8", "2")
    assert [row["reason"] for row in rejected] == ["repost", "not a post", "private"]
    assert {user["user_id"]: user["name"] for user in users}["7"] == (None if form in ("items", "lines") else "ann")


def test_comments_of_yt_dlp_are_posts_of_their_authors(tmp_path):
    info = {"id": "v1", "title": "title", "description": "words", "extractor": "youtube", "webpage_url": "https://y/v1",
            "uploader": "Ann", "channel_id": "UC7", "timestamp": 1_600_000_000, "thumbnail": photo("t"), "comments": [
                {"id": "c1", "parent": "root", "text": "one", "author": "@b", "author_id": "UCb", "like_count": 4,
                 "timestamp": 1_600_000_001},
                {"id": "c1.2", "parent": "c1", "text": "two", "author": "@c", "author_id": "UCc"}]}  # fmt: skip
    (tmp_path / "a [v1].info.json").write_text(json.dumps(info))
    _, posts, _, _ = run(tmp_path, tmp_path / "a [v1].info.json")
    assert [(p["post_id"], p["user_id"], p["answers"]) for p in posts] == [
        ("v1", "UC7", None), ("c1", "UCb", "v1"), ("c1.2", "UCc", "c1")]  # fmt: skip
    assert posts[0]["videos"] == 1 and posts[1]["likes"] == 4


def test_archives_of_bdfr_with_comments_and_those_who_are_gone(tmp_path):
    comment = {"author": "bob", "id": "c1", "score": 1, "subreddit": "s", "submission": "abc12", "body": "one",
               "created_utc": 1_600_000_001.0, "parent_id": "t3_abc12", "replies": []}  # fmt: skip
    gone = comment | {"author": "DELETED", "id": "c2", "parent_id": "t1_c1"}
    held = {"title": "title", "name": "t3_abc12", "url": "https://i.redd.it/q1.jpg", "selftext": "words", "score": 4,
            "upvote_ratio": 1.0, "permalink": "/r/s/1", "id": "abc12", "author": "ann", "num_comments": 2,
            "created_utc": 1_600_000_000.0, "comments": [comment | {"replies": [gone]}]}  # fmt: skip
    (tmp_path / "s").mkdir()
    (tmp_path / "s/title_abc12.json").write_text(json.dumps(held))
    (tmp_path / "s/title_abc12.jpg").write_bytes(b"x")
    _, (post, below), _, (left,) = run(tmp_path, tmp_path / "s")
    assert (post["post_id"], post["user_id"], post["text"]) == ("t3_abc12", "ann", "title\nwords") and post["image"]
    assert (below["answers"], below["user_id"]) == ("t3_abc12", "bob") and left["reason"] == "author unknown"


def test_comments_that_bdfr_archived_by_themselves_and_its_galleries(tmp_path):
    comment = {"author": "DELETED", "id": "c1abc", "score": 1, "subreddit": "s", "submission": "abc12", "body": "one",
               "created_utc": 1_600_000_000.0, "parent_id": "t3_abc12", "submission_title": "t"}  # fmt: skip
    reply = comment | {"author": "bob", "id": "c2abc", "parent_id": "t1_c1abc", "replies": []}
    album = {"title": "title", "url": "https://www.reddit.com/gallery/abc12", "selftext": "", "upvote_ratio": 1.0,
             "permalink": "/r/s/1", "id": "abc12", "author": "ann", "created_utc": 1_600_000_000.0, "score": 4,
             "subreddit": "s", "comments": []}  # fmt: skip
    (tmp_path / "s").mkdir()
    (tmp_path / "s/c.json").write_text(json.dumps(comment | {"replies": [reply]}))
    (tmp_path / "s/ann_my title_abc12.json").write_text(json.dumps(album))
    for number in (1, 2):
        (tmp_path / f"s/ann_my title_abc12_{number}.jpg").write_bytes(b"x")
    _, (post, below), _, (left,) = run(tmp_path, tmp_path / "s")
    assert post["image"].endswith("_1.jpg") and [name[-6:] for name in post["more_images"]] == ["_2.jpg"]
    assert (below["user_id"], below["answers"]) == ("bob", "t1_c1abc")
    assert (left["id"], left["reason"]) == ("t1_c1abc", "author unknown")


SHARES = (
    "Date,ShareLink,ShareCommentary,SharedUrl,MediaUrl,Visibility\r\n"
    '2024-01-01 10:00:00,https://l/urn%3A1,"One, said ""she""""\n""""\n""Two","https://e/?a=1,2",,MEMBER_NETWORK\r\n'
    '2024-01-02 10:00:00,https://l/urn%3A2,"Apart"\n""\n"in lines",,,PUBLIC\r\n'
    "2024-01-03 10:00:00,https://l/urn%3A3,plain words,,,PUBLIC\r\n"
    "2024-01-04 10:00:00,https://l/urn%3A4,for friends,,,CONNECTIONS\r\n"
    "2024-01-05 10:00:00,https://l/urn%3A5,,https://e,,PUBLIC\r\n"
)


@pytest.mark.parametrize("packed", [True, False])
def test_a_download_of_linkedin_gives_its_lines_whole_and_what_is_for_few_is_left_out(tmp_path, packed):
    files = {
        "Shares.csv": SHARES,
        "Comments_7.csv": "Date,Link,Message\n2024-02-01 10:00:00,https://l/c1,Great, thanks\n",
        "Profile.csv": "First Name,Last Name,Maiden Name\nAnn,Lee,\n",
        "Connections.csv": "Notes:\n\nFirst Name,Last Name\nBob,Ray\n",
    }
    place = tmp_path / "Basic_LinkedInDataExport"
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text, newline="")
    if packed:
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            for name in files:
                archive.write(place / name, name)
    _, posts, users, rejected = run(tmp_path, tmp_path / "p.zip" if packed else place)
    assert [post["text"].split("\n") for post in posts] == [
        ['One, said "she"', "", "Two"], ["Apart", "", "in lines"], ["plain words"], ["Great, thanks"]]  # fmt: skip
    assert [user["user_id"] for user in users] == ["ann lee"]
    assert [row["reason"] for row in rejected] == ["private", "not a post"]


def test_a_download_of_flickr_finds_its_photos_by_the_id_in_their_names(tmp_path):
    shown = {"id": "51123456789", "name": "title", "description": "a <b>tree</b>", "date_taken": WHEN,
             "privacy": "public", "photopage": "https://www.flickr.com/photos/ann/51123456789/",
             "tags": [{"tag": "oak"}], "original": "https://x/1/51123456789_0a1b2c3d4e_o.jpg"}  # fmt: skip
    files = {"meta/photo_51123456789.json": shown, "meta/photo_2.json": shown | {"id": "2", "privacy": "private"},
             "meta/account_profile.json": {"nsid": "7@N0", "screen_name": "ann"}, "meta/albums.json": {}}  # fmt: skip
    for name, held in files.items():
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).write_text(json.dumps(held))
    (tmp_path / "f/title_51123456789_o.jpg").write_bytes(b"x")
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "f")
    assert (
        (post["user_id"], post["text"]) == ("7@N0", "title\na tree\noak")
        and post["image"]
        and not post["missing_images"]
    )
    assert (left["id"], left["reason"]) == ("2", "private")


def test_posts_of_snscrape_of_a_channel_of_telegram(tmp_path):
    held = {
        "_type": "snscrape.modules.telegram.TelegramPost",
        "url": "https://t.me/s/chan/5",
        "date": ISO,
        "content": "words",
    }
    (tmp_path / "t.jsonl").write_text(json.dumps(held))
    _, (post,), _, _ = run(tmp_path, tmp_path / "t.jsonl")
    assert (post["post_id"], post["user_id"], post["text"]) == ("chan-5", "chan", "words")


def test_sizes_as_vk_called_them_before(tmp_path):
    photo = {
        "id": 3,
        "owner_id": -9,
        "photo_75": "https://x/q.jpg",
        "photo_1280": "https://x/p.jpg",
        "photo_604": "https://x/q.jpg",
    }
    wall = WALL | {"attachments": [{"type": "photo", "photo": photo}]}
    (tmp_path / "wall.json").write_text(json.dumps([wall]))
    (tmp_path / "p.jpg").write_bytes(b"x")
    (tmp_path / "q.jpg").write_bytes(b"x")
    _, (post,), _, _ = run(tmp_path, tmp_path / "wall.json", [tmp_path])
    assert post["image"].endswith("p.jpg")


def test_items_of_gab_are_read_in_both_of_their_forms(tmp_path):
    short = {"i": "1", "c": "words", "ca": ISO, "fbc": 4, "author_info": {"i": "7", "un": "ann"},
             "image_info": [{"t": "image", "u": "https://x/p"}, {"t": "video", "u": "https://x/v"}]}  # fmt: skip
    found = {"id": "2", "c": "words", "content": "<p>words</p>", "created_at": ISO, "favourites_count": 4,
             "account": {"id": "7", "username": "ann"}, "media_attachments": []}  # fmt: skip
    items = [{"source_platform": "gab.com", "data": data} for data in (short, found)]
    (tmp_path / "g.ndjson").write_text("\n".join(map(json.dumps, items)))
    _, posts, _, _ = run(tmp_path, tmp_path / "g.ndjson")
    assert [(p["post_id"], p["user_id"], p["text"], p["likes"]) for p in posts] == [
        ("1", "7", "words", 4), ("2", "7", "words", 4)]  # fmt: skip
    assert [(p["missing_images"], p["videos"]) for p in posts] == [(1, 1), (0, 0)]


def test_walls_of_vk_count_their_posts_anew_and_a_row_without_an_id_is_told(tmp_path):
    header = "id,link,body,author_id,author_screen_name,unix_timestamp\n"
    walls = [f"5,https://vk.com/wall-{n}_5,words {n},-{n},club{n},1600000000\n" for n in (1, 2)]
    (tmp_path / "vk.csv").write_text(header + "".join(walls) + ",,words,-3,club3,1600000000\n")
    _, posts, _, (left,) = run(tmp_path, tmp_path / "vk.csv")
    assert [(p["post_id"], p["text"]) for p in posts] == [("wall-1_5", "words 1"), ("wall-2_5", "words 2")]
    assert left["reason"] == "no id of a post" and left["detail"].startswith("row 4 of ")


def test_likes_that_instagram_hides_are_no_number(tmp_path):
    item = {"source_platform": "instagram.com", "data": {
        "code": "C1", "media_type": 1, "taken_at": 1, "user": {"pk": "7"}, "like_count": 3,
        "caption": {"text": "words"}, "like_and_view_counts_disabled": True}}  # fmt: skip
    (tmp_path / "i.ndjson").write_text(json.dumps(item))
    _, (post,), _, _ = run(tmp_path, tmp_path / "i.ndjson")
    assert (post["text"], post["likes"]) == ("words", None)


def test_a_title_that_the_text_repeats_is_said_once(tmp_path):
    info = {"id": "7", "title": "words", "description": "words", "extractor": "TikTok", "webpage_url": "https://x/7",
            "uploader": "ann", "upload_date": "20200913"}  # fmt: skip
    (tmp_path / "7.info.json").write_text(json.dumps(info))
    _, (post,), _, _ = run(tmp_path, tmp_path / "7.info.json")
    assert post["text"] == "words"


def test_of_4cats_telegram_bots_are_left_out_and_voices_and_previews_are_no_pictures(tmp_path):
    header = (
        "id,thread_id,body,author,author_username,author_is_bot,unix_timestamp,attachment_type,attachment_filename\n"
    )
    rows = [f"c-{n},c,words {n},7,ann,{bot},1600000000,{kind},f{n}.jpeg\n" for n, (bot, kind) in enumerate(
        [("no", "photo"), ("no", "image"), ("no", "audio"), ("no", "url"), ("yes", "")])]  # fmt: skip
    (tmp_path / "t.csv").write_text(header + "".join(rows))
    _, posts, _, (left,) = run(tmp_path, tmp_path / "t.csv")
    assert [post["missing_images"] for post in posts] == [1, 1, 0, 0] and left["reason"] == "a known bot"


def test_pictures_of_instagram_and_x_are_found_wherever_their_address_stands(tmp_path):
    seen = {"__typename": "XIGPolarisPhotoMedia", "code": "C1", "id": "1", "user": {"id": "7", "username": "ann"},
            "caption": {"text": "words"}, "display_uri": "https://x/abcde.jpg?stp=1"}  # fmt: skip
    media = [{"type": "photo", "media_url_https": "https://x/fghij.jpg"}]
    tweet = {"rest_id": "9", "legacy": {"full_text": "words", "user_id_str": "7", "entities": {"media": media}}}
    items = [{"source_platform": "instagram.com", "data": seen}, {"source_platform": "x.com", "data": tweet}]
    (tmp_path / "z.ndjson").write_text("\n".join(map(json.dumps, items)))
    for name in ("abcde", "fghij"):
        (tmp_path / f"{name}.jpg").write_bytes(b"x")
    _, posts, _, _ = run(tmp_path, tmp_path / "z.ndjson", [tmp_path])
    assert [post["image"][-9:] for post in posts] == ["abcde.jpg", "fghij.jpg"]
