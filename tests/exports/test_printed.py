"""Tables whose cells hold what Python printed of objects, and names of files and addresses that need a second look."""

import base64
import csv
import io
import json

import pytest

from pipeline.exports.cells import spelled
from pipeline.exports.columns import fitting
from tests.exports.test_parts import run

OF_SNSCRAPE = ["url", "date", "content", "id", "user", "replyCount", "likeCount", "media"]
PHOTO = (
    "[Photo(previewUrl='https://x.org/AAA?format=jpg&name=small', fullUrl='https://x.org/AAA?format=jpg&name=large')]"
)
VIDEO = "[Video(thumbnailUrl='https://x.org/AAA.jpg', variants=[VideoVariant(contentType='video/mp4', bitrate=1)])]"


def table(folder, header, *rows):
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    (folder / "t.csv").write_text(text.getvalue())
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("user", "who"),
    [
        ("{'username': 'ann', 'id': 11, 'created': datetime.datetime(2010, 3, 1, tzinfo=datetime.timezone.utc)}", "11"),
        ("User(username='ann', id=11, displayname='A (b)', created=datetime.datetime(2010, 3, 1))", "11"),
        ("https://twitter.com/ann", "ann"),
    ],
)
@pytest.mark.parametrize(("media", "found", "videos"), [("", 0, 0), (PHOTO, 1, 0), (VIDEO, 0, 1)])
def test_what_pandas_writes_of_snscrapes_objects(user, who, media, found, videos, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/AAA.jpg").write_bytes(b"x")
    row = ["https://x.com/ann/status/1", "2024-05-01 10:00:00+00:00", "hello", "1500000000000000001", user, 0, 3, media]
    _, (post,), _, _ = run(tmp_path, table(tmp_path, OF_SNSCRAPE, row), [tmp_path / "pictures"])
    assert post["user_id"] == who and (post["image"] is not None) == bool(found) and post["videos"] == videos


@pytest.mark.parametrize(
    "cell", ["[ann]", "[deleted]", "{broken", "A(b=", "Sum(x=1) of all", "[x for x in y]", "F(**a)"]
)
def test_a_cell_that_is_no_print_of_an_object_stays_as_it_is(cell):
    assert spelled(cell) == cell


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("thanks u/ann_b, and /u/Bob-9!", "thanks @ann_b, and @Bob-9!"),
        (r"u/ann\_b", "@ann_b"),
        (
            "w/u/ann r/u/x https://reddit.com/u/ann 3u/month u/me",
            "w/u/ann r/u/x https://reddit.com/u/ann 3u/month u/me",
        ),
    ],
)
def test_people_are_mentioned_on_reddit_as_elsewhere(text, kept, tmp_path):
    row = {"id": "a1", "author": "eve", "subreddit": "s", "created_utc": 1714557600, "body": text}
    (tmp_path / "c.jsonl").write_text(json.dumps(row))
    _, (of_json,), _, _ = run(tmp_path, tmp_path / "c.jsonl")
    _, (of_table,), _, _ = run(tmp_path, table(tmp_path, list(row), list(row.values())))
    assert of_json["text"] == of_table["text"] == kept


def test_a_redditor_is_told_by_name_however_printed(tmp_path):
    header = ["id", "author", "subreddit", "created_utc", "title", "selftext"]
    rows = [["a1", "Redditor(name='ann')", "s", 1714557600.0, "x", ""], ["a2", "ann", "s", 1714557600.0, "y", ""]]
    _, _, (user,), _ = run(tmp_path, table(tmp_path, header, *rows))
    assert (user["user_id"], user["posts"]) == ("ann", 2)


def test_posts_of_a_page_that_is_asked_for_them_are_told_apart(tmp_path):
    header = ["User Name", "Facebook Id", "Post Created", "URL", "Message"]
    urls = ["permalink.php?story_fbid=11&id=1", "permalink.php?story_fbid=12&id=1", "watch/?v=13", "photo.php?fbid=14",
            "ann/posts/15?comment_id=1", "ann/posts/15"]  # fmt: skip
    rows = [["ann", "1", "2021-05-01 10:00:00 EDT", f"https://www.facebook.com/{url}", url] for url in urls]
    _, posts, _, rejected = run(tmp_path, table(tmp_path, header, *rows))
    assert sorted(post["text"] for post in posts) == sorted([*urls[:4], urls[5]]) and len(rejected) == 1


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("date,username,to,replies,retweets,favorites,text,geo,mentions,hashtags,id,permalink", "GetOldTweets"),
        ("username,date,retweets,favorites,text,geo,mentions,hashtags,id,permalink", "GetOldTweets"),
        ("screen_name,username,user_id,tweet_id,tweet_url,timestamp,timestamp_epochs,text,img_urls", "twitterscraper"),
        ("coordinates,created_at,hashtags,media,id,retweet_id,text,tweet_url,user_id,user_screen_name", "Hydrator"),
    ],
)
def test_tables_of_older_collectors_are_known(header, name):
    assert fitting(header.split(",")).name == name


def test_pictures_by_titles_and_ids_in_their_names(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    video = {"title": "A day", "extractor": "youtube", "webpage_url": "https://y.org", "uploader": "Ann",
             "channel_id": "UC1", "thumbnail": "https://y.org/maxres.webp"}  # fmt: skip
    files = {"A day [abcdefghi-1].webp": "abcdefghi-1", "A day-abcdefghi_x.jpg": "abcdefghi_x"}
    for name, post in files.items():
        (folder / name).write_bytes(b"x")
        about = video | {"id": post, "timestamp": None, "upload_date": "20240501"}
        (folder / f"{name.rpartition('.')[0]}.info.json").write_text(json.dumps(about))
    (folder / "Ann - Videos [UC1].info.json").write_text(json.dumps(video | {"id": "UC1", "_type": "playlist"}))
    _, posts, _, (left,) = run(tmp_path, folder, video_covers=True)
    assert {post["image"].rpartition("/")[2]: post["post_id"] for post in posts} == files
    assert {str(post["created_at"]) for post in posts} == {"2024-05-01 00:00:00"} and left["reason"] == "not a post"


def test_titles_of_bdfr_have_blanks_and_gallery_dl_may_describe_posts_alone(tmp_path):
    post = {"title": "Hello sea", "url": "https://i.redd.it/z.jpg", "selftext": "", "score": 3, "upvote_ratio": 1,
            "permalink": "/r/s/1", "id": "abc123", "author": "ann", "created_utc": 1714557600.0,
            "comments": []}  # fmt: skip
    (tmp_path / "r").mkdir()
    (tmp_path / "r/ann_Hello sea_abc123.json").write_text(json.dumps(post))
    (tmp_path / "r/ann_Hello sea_abc123.jpg").write_bytes(b"x")
    _, (found,), _, _ = run(tmp_path, tmp_path / "r")
    assert found["image"].endswith("abc123.jpg")

    tweet = {"category": "twitter", "subcategory": "timeline", "tweet_id": 1500000000000000001, "content": "hi",
             "author": {"id": 11, "name": "ann"}, "date": "2024-05-01 10:00:00"}  # fmt: skip
    (tmp_path / "g").mkdir()
    (tmp_path / "g/1500000000000000001.json").write_text(json.dumps(tweet))
    for number in (1, 2):
        (tmp_path / f"g/1500000000000000001_{number}.jpg").write_bytes(b"x")
    _, (found,), _, _ = run(tmp_path, tmp_path / "g")
    assert found["image"].endswith("_1.jpg") and found["more_images"][0].endswith("_2.jpg")


def test_a_playlist_is_its_videos(tmp_path):
    video = {"extractor": "youtube", "webpage_url": "u", "uploader": "Ann", "channel_id": "UC1", "title": "x"}
    said = {"id": "c1", "text": "nice", "author_id": "UC2", "author": "Bob", "timestamp": 1714557600}
    entries = [video | {"id": "v1"}, None, video | {"id": "v2", "comments": [said]}, {"_type": "url", "id": "v3"}]
    (tmp_path / "p.json").write_text(json.dumps(video | {"id": "PL1", "_type": "playlist", "entries": entries}))
    _, posts, _, (left,) = run(tmp_path, tmp_path / "p.json")
    assert [post["post_id"] for post in posts] == ["v1", "v2", "c1"] and left["id"] == "v3"


LETTERS = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()


@pytest.mark.parametrize(
    ("image", "found", "missing"),
    [
        ({"url": "https://x.org/1.jpg", "path": "full/abcdef12.jpg"}, True, 0),  # as Scrapy keeps it
        ({"bytes": None, "path": "full/abcdef12.jpg"}, True, 0),
        ({"bytes": "iVBORw0KGgo=", "path": None}, False, 1),
        ({"bytes": LETTERS, "path": None}, True, 0),
        (LETTERS, True, 0),
        (f"data:image/png;base64,{LETTERS}", True, 0),
        (None, False, 0),
    ],
)
def test_a_picture_in_a_record_is_found_by_its_path_and_none_is_lost_silently(image, found, missing, tmp_path):
    (tmp_path / "img/full").mkdir(parents=True)
    (tmp_path / "img/full/abcdef12.jpg").write_bytes(b"x")
    (tmp_path / "t.jsonl").write_text(json.dumps({"post_id": "p", "user_id": "u", "text": "x", "image": [image]}))
    _, (post,), _, _ = run(tmp_path, tmp_path / "t.jsonl", [tmp_path / "img"])
    assert (post["image"] is not None) == found and post["missing_images"] == missing


def test_replies_that_youtube_gives_below_a_comment_are_posts(tmp_path):
    def comment(name, author):
        said = {"authorDisplayName": author, "authorChannelId": {"value": f"UC{author}"},
                "textOriginal": f"by {author}", "publishedAt": "2024-05-01T10:00:00Z"}  # fmt: skip
        return {"kind": "youtube#comment", "id": name, "snippet": said}

    thread = {"kind": "youtube#commentThread", "id": "c1", "snippet": {"topLevelComment": comment("c1", "ann")},
              "replies": {"comments": [comment("c1.r1", "bob"), comment("c1.r2", "eve")]}}  # fmt: skip
    page = {"kind": "youtube#commentThreadListResponse", "pageInfo": {}, "items": [thread, None]}
    for held in (page, thread):
        (tmp_path / "y.json").write_text(json.dumps(held))
        _, posts, _, rejected = run(tmp_path, tmp_path / "y.json")
        assert [(post["user_id"], post["text"], post["answers"], post["reply_to"]) for post in posts] == [
            ("UCann", "by ann", None, None),
            ("UCbob", "by bob", "c1", "UCann"),
            ("UCeve", "by eve", "c1", "UCann"),
        ]
        assert len(rejected) == ("items" in held)
