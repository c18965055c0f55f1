"""What Facebook, Reddit and Threads send a person of their own account."""

import json
import zipfile

from tests.exports.test_parts import run


def archive(path, files):
    with zipfile.ZipFile(path, "w") as packed:
        for name, held in files.items():
            packed.writestr(name, held if isinstance(held, str) else json.dumps(held))


def test_a_download_of_facebook_gives_its_posts_with_repaired_text(tmp_path):
    posts = "your_facebook_activity/posts/"
    media = {"uri": f"{posts}media/Mobile/1.jpg", "creation_timestamp": 1, "description": "at the sea"}
    clip = {"uri": f"{posts}media/Mobile/2.mp4"}
    held = [
        {"timestamp": 1_600_000_000, "data": [{"post": "caf\u00c3\u00a9"}, {"update_timestamp": 2}],
         "attachments": [{"data": [{"media": media}, {"media": clip}]}], "title": "Ann B updated her status."},
        {"timestamp": 1_600_000_060, "data": [{"update_timestamp": 2}], "attachments": [{"data": [{"media": media}]}]},
        {"timestamp": 1_600_000_120, "title": "Ann B shared a link.",
         "attachments": [{"data": [{"external_context": {"url": "https://x"}}]}]},
    ]  # fmt: skip
    about = {"profile_v2": {"name": {"full_name": "Ann B"}, "username": "ann.b"}}
    archive(tmp_path / "facebook-annb-2024-01-01-x.zip", {
        f"{posts}your_posts__check_ins__photos_and_videos_1.json": held, f"{posts}media/Mobile/1.jpg": "x",
        "personal_information/profile_information/profile_information.json": about})  # fmt: skip
    metrics, (first, second), _, (left,) = run(tmp_path, tmp_path / "facebook-annb-2024-01-01-x.zip")
    assert metrics["recognised"] == {"Facebook, a person's download": 1} and first["user_id"] == "ann.b"
    assert (first["text"], first["videos"], first["missing_images"]) == ("café", 1, 0)
    assert first["image"].endswith("1.jpg") and first["created_at"].isoformat() == "2020-09-13T12:26:40"
    assert second["text"] == "at the sea" and left["detail"] == "Ann B shared a link."


def test_a_download_of_reddit_gives_posts_and_comments_of_its_account(tmp_path):
    archive(tmp_path / "export_ann_20240101.zip", {
        "statistics.csv": "statistic,value\naccount name,Ann\nexport time,2024-01-01 00:00:00 UTC\n",
        "posts.csv": "id,permalink,date,ip,subreddit,gildings,title,url,body\n"
                     "p1,https://r/p1,2020-09-13 12:26:40 UTC,,s,0,a title,https://i.redd.it/pic.jpg,[deleted]\n",
        "comments.csv": "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n"
                        "c1,https://r/c1,2020-09-13 12:26:40 UTC,,s,0,https://www.reddit.com/r/s/comments/p1/x/,,words,\n"
                        "c2,https://r/c2,2020-09-13 12:26:40 UTC,,s,0,https://r/comments/p9/x/,c1,more words,\n",
        "messages.csv": "id,body\n1,secret\n"})  # fmt: skip
    metrics, posts, _, rejected = run(tmp_path, tmp_path / "export_ann_20240101.zip")
    assert metrics["recognised"] == {"Reddit, a person's download": 1} and not rejected
    assert {post["post_id"]: (post["text"], post["answers"]) for post in posts} == {
        "t3_p1": ("a title", None), "t1_c1": ("words", "t3_p1"), "t1_c2": ("more words", "t1_c1")}  # fmt: skip
    assert {post["user_id"] for post in posts} == {"ann"} and posts[-1]["missing_images"] == 1


def test_a_download_of_instagram_gives_what_was_said_on_threads_too(tmp_path):
    said = {"media": [{"uri": "", "creation_timestamp": 1_600_000_000, "title": "words"}]}
    shown = {"media": [{"uri": "media/posts/1.jpg", "creation_timestamp": 1_600_000_060, "title": "a picture"}]}
    archive(tmp_path / "instagram-ann-2024-01-01-x.zip", {
        "your_instagram_activity/threads/threads_and_replies.json": {"text_post_app_text_posts": [said, shown]},
        "media/posts/1.jpg": "x"})  # fmt: skip
    _, posts, _, rejected = run(tmp_path, tmp_path / "instagram-ann-2024-01-01-x.zip")
    assert [(post["text"], bool(post["image"]), post["missing_images"]) for post in posts] == [
        ("words", False, 0), ("a picture", True, 0)] and not rejected  # fmt: skip


def test_photos_of_albums_on_facebook_that_no_post_shows_are_posts(tmp_path):
    posts = "your_facebook_activity/posts/"
    first, second = ({"uri": f"{posts}media/Sea_1/{n}.jpg", "creation_timestamp": 1_600_000_000} for n in (1, 2))
    said = [{"timestamp": 1_600_000_060, "data": [{"post": "words"}], "attachments": [{"data": [{"media": first}]}]}]
    album = {"name": "Sea", "photos": [first, second | {"description": "caf\u00c3\u00a9"}], "cover_photo": first}
    archive(tmp_path / "facebook-annb-2024-01-01-x.zip", {
        f"{posts}your_posts_1.json": said, f"{posts}album/0.json": album,
        f"{posts}media/Sea_1/1.jpg": "x", f"{posts}media/Sea_1/2.jpg": "y"})  # fmt: skip
    _, found, _, rejected = run(tmp_path, tmp_path / "facebook-annb-2024-01-01-x.zip")
    assert [(post["text"], post["image"][-5:]) for post in found] == [("words", "1.jpg"), ("café", "2.jpg")]
    assert not rejected


def test_linkedins_download_of_2018_is_read(tmp_path):
    columns = ("Date", "Share Title", "Share Description", "Share Link", "Share Commentary", "Shared URL", "Media URL",
               "Type", "Visibility")  # fmt: skip
    said = ("2018/05/01 10:00:00 UTC", "", "", "https://l/s1", 'one, ""two""\nthree', "", "", "DISCUSSION")
    rows = ["\t".join(f'"{cell}"' for cell in row) for row in (columns, (*said, "PUBLIC"), (*said, "CONNECTIONS"))]
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as packed:
        packed.writestr("Profile.csv", "First Name,Last Name\nAnn,Lee\n")
        packed.writestr("Shares.csv", "\n".join(rows).encode("utf-16"))
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "l.zip")
    assert (post["user_id"], post["text"]) == ("ann lee", 'one, "two"\nthree')
    assert post["created_at"].isoformat() == "2018-05-01T10:00:00" and left["reason"] == "private"


def test_notes_on_facebook_are_posts_with_their_pictures(tmp_path):
    note = {"title": "Sea", "text": "a long day", "media": [{"uri": "posts/media/1.jpg", "creation_timestamp": 1}]}
    held = [{"timestamp": 1_600_000_000, "attachments": [{"data": [{"note": note}]}], "data": []}]
    archive(tmp_path / "facebook-annb.zip", {"posts/your_posts_1.json": held, "posts/media/1.jpg": "x"})
    _, (post,), _, _ = run(tmp_path, tmp_path / "facebook-annb.zip")
    assert post["text"] == "Sea\na long day" and post["image"].endswith("1.jpg")


def test_the_account_of_an_instagram_download_is_known_in_the_language_of_its_app(tmp_path):
    held = {"media": [{"uri": "media/posts/1.jpg", "creation_timestamp": 1_600_000_000, "title": "words"}]}
    for label in ("Username", "Benutzername", "Nom d\u00e2\u0080\u0099utilisateur"):
        about = {"profile_user": [{"string_map_data": {"Name": {"value": "Ann B"}, label: {"value": "ann"}}}]}
        archive(tmp_path / "download.zip", {
            "personal_information/personal_information.json": about, "media/posts_1.json": [held],
            "media/posts/1.jpg": "x"})  # fmt: skip
        _, (post,), _, _ = run(tmp_path, tmp_path / "download.zip")
        assert post["user_id"] == "ann"


def test_words_of_reels_and_photos_of_no_album_come_too(tmp_path):
    reel = {"media": [{"uri": "media/reels/2.mp4", "creation_timestamp": 1_600_000_000, "title": "a reel"}]}
    hidden = {"media": [{"uri": "media/other/3.jpg", "creation_timestamp": 1_600_000_000, "title": "hidden"}]}
    archive(tmp_path / "instagram-ann-2025-01-01-x.zip", {
        "your_instagram_activity/media/reels.json": {"ig_reels_media": [reel]},
        "your_instagram_activity/media/archived_posts.json": {"ig_archived_post_media": [hidden]}})  # fmt: skip
    _, (post,), _, _ = run(tmp_path, tmp_path / "instagram-ann-2025-01-01-x.zip")
    assert (post["user_id"], post["text"], post["videos"]) == ("ann", "a reel", 1)
    photo = {"uri": "posts/media/1.jpg", "creation_timestamp": 1_600_000_000, "description": "a lake"}
    archive(tmp_path / "facebook-ann-2024-01-01-x.zip", {
        "posts/your_posts_1.json": [{"timestamp": 1_600_000_000, "data": [{"post": "words"}]}],
        "posts/your_uncategorized_photos.json": {"other_photos_v2": [photo]}, "posts/media/1.jpg": "x"})  # fmt: skip
    _, posts, _, _ = run(tmp_path, tmp_path / "facebook-ann-2024-01-01-x.zip")
    assert [(post["text"], bool(post["image"])) for post in posts] == [("words", False), ("a lake", True)]


MEDIA = {"media_url_https": "https:\\/\\/pbs.twimg.com\\/media\\/p.png"}
BEFORE = {"id_str": "517", "id": 517, "text": "a &amp; b", "created_at": "2020-09-13 12:26:40 +0000", "geo": {},
          "entities": {"media": [MEDIA], "urls": []}, "user": {"screen_name": "ann", "id_str": "7"}}  # fmt: skip


def test_an_archive_of_x_of_before_2018_has_a_file_of_tweets_a_month(tmp_path):
    shared = BEFORE | {"id_str": "518", "text": "RT @bo: words", "retweeted_status": BEFORE}
    archive(tmp_path / "tweets.zip", {
        "data/js/user_details.js": 'var user_details =  {\n"screen_name" : "ann",\n"bio" : "a = b",\n"id" : "7"\n}',
        "data/js/tweet_index.js": "var tweet_index =  [ ]", "index.html": "<html>", "tweets.csv": '"tweet_id"\n"517"\n',
        "data/js/tweets/2020_09.js": f"Grailbird.data.tweets_2020_09 = \n {json.dumps([BEFORE, shared])}"})  # fmt: skip
    _, (post,), (user,), (left,) = run(tmp_path, tmp_path / "tweets.zip")
    assert (post["user_id"], user["name"], post["text"], post["missing_images"]) == ("7", "ann", "a & b", 1)
    assert str(post["created_at"]) == "2020-09-13 12:26:40" and left["reason"] == "repost"


NAMES = "{}-ID,Kanal-ID,Zeitstempel,Preis,Übergeordnete {}-ID,Beitrags-ID,Video-ID,{}text,{}-ID der obersten Ebene"


def test_comments_of_a_takeout_are_known_in_the_language_of_the_account(tmp_path):
    """And live chats are comments, too; videos that few may see are none."""
    first, mine, said = "Ugx" + "a" * 23, "UC" + "b" * 22, '"{""text"":""wor""},{""text"":""ds""}"'
    place, when = "Takeout/YouTube und YouTube Music", "2020-09-13T12:26:40.897233+00:00"
    video = f"v1,60,words,{mine},title"
    archive(tmp_path / "takeout-1.zip", {
        f"{place}/Kommentare/Kommentare.csv": f"{NAMES.format(*['Kommentar'] * 4)}\n"
        f"{first},{mine},{when},0,,,cX_uOoBhxqI,{said},\n{first}.9i,{mine},{when},0,{first},,cX_uOoBhxqI,{said},{first}\n",
        f"{place}/chats.csv": "Live Chat ID,Channel ID,Live Chat Create Timestamp,Price,Video ID,Live Chat Text\n"
        f"chat,{mine},{when},0,v1,{said}\n",
        f"{place}/videos.csv": "Video ID,Approx Duration (ms),Video Description (Original),Channel ID,"
        f"Video Title (Original),Privacy,Video Create Timestamp\n{video},Public,{when}\n{video},Unlisted,{when}\n",
        f"{place}/Abos/Abos.csv": "Kanal-ID,Kanal-URL,Kanaltitel\nUC1,u,t\n"})  # fmt: skip
    _, posts, _, (left,) = run(tmp_path, tmp_path / "takeout-1.zip")
    assert {post["post_id"]: (post["text"], post["answers"]) for post in posts} == {
        first: ("words", "cX_uOoBhxqI"), f"{first}.9i": ("words", first), "chat": ("words", "v1"),
        "v1": ("title\nwords", None)}  # fmt: skip
    assert {post["user_id"] for post in posts} == {mine} and left["reason"] == "private"


def test_a_download_of_discord_gives_what_its_owner_wrote_on_servers(tmp_path):
    """Messages are JSON, and were CSV before 2024."""
    picture, when = "https://cdn.discordapp.com/attachments/1/2/p.png?ex=1", "2020-09-13 12:26:40"
    archive(tmp_path / "package.zip", {
        "account/user.json": {"id": "7", "username": "ann"}, "messages/index.json": {"1": "general"},
        "messages/c1/channel.json": {"id": "1", "type": 0, "guild": {"id": "2", "name": "G"}},
        "messages/c1/messages.json": [{"ID": 5, "Timestamp": when, "Contents": "words", "Attachments": ""}],
        "messages/c3/channel.json": {"id": "3", "guild": {"id": "2"}},
        "messages/c3/messages.csv": f'ID,Timestamp,Contents,Attachments\n6,{when},"a, b",{picture}\n',
        "messages/c4/channel.json": {"id": "4", "type": 1, "recipients": ["7", "8"]},
        "messages/c4/messages.json": [{"ID": 9, "Timestamp": when, "Contents": "secret"}]})  # fmt: skip
    _, posts, _, (left,) = run(tmp_path, tmp_path / "package.zip")
    assert [(p["post_id"], p["user_id"], p["text"], p["missing_images"]) for p in posts] == [
        ("5", "7", "words", 0), ("6", "7", "a, b", 1)]  # fmt: skip
    assert (left["id"], left["reason"]) == ("4", "private")
