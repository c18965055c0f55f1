"""X, as twarc, 4CAT and a person's archive hold it."""

import gzip
import html
import json
import lzma
import zipfile
from pathlib import Path

from tests.exports.truth import BRAND, Truth, Written
from tests.exports.writers.shared import base, by_user, handle, lines, media_files, pack, table, x_ids


def v2_tweet(post: Truth) -> tuple[dict, list[dict], list[dict]]:
    media = [
        {"media_key": f"3_{post.number}{k}", "type": "photo", "url": f"https://pbs.example/media/{base(post, k)}",
         "alt_text": f"alt {number}"}
        for k, number in enumerate(post.pictures)
    ]  # fmt: skip
    if post.trap == "video":
        media = [{"media_key": "7_1", "type": "video", "preview_image_url": "https://pbs.example/cover.jpg"}]
    tweet = {
        "id": str(post.big), "author_id": "" if post.trap == "gone" else str(5_000_000_000_000_000_001 + post.user),
        "text": html.escape(post.text, quote=False), "created_at": post.iso, "lang": post.language,
        "public_metrics": {"like_count": post.likes, "reply_count": 1, "retweet_count": 0, "quote_count": 0},
        "edit_history_tweet_ids": [str(post.big)],
    }  # fmt: skip
    if media:
        tweet["attachments"] = {"media_keys": [m["media_key"] for m in media]}
    if post.trap == "repost":
        tweet["referenced_tweets"] = [{"type": "retweeted", "id": "1"}]
    if post.trap == "reply":
        tweet |= {"in_reply_to_user_id": str(5_000_000_000_000_000_001 + BRAND)}
    users = [{"id": tweet["author_id"], "username": handle(post.user), "name": "N"}] if tweet["author_id"] else []
    return tweet, users, media


X = {"post_id": lambda post: str(post.big), "user_id": x_ids, "brand": str(5_000_000_000_000_000_001 + BRAND)}


def twarc_pages(folder: Path, posts: list[Truth]) -> Written:
    pages = []
    for k, begin in enumerate(range(0, len(posts), 5)):
        part = [v2_tweet(post) for post in posts[begin : begin + 5]]
        pages.append({
            "data": [tweet for tweet, _, _ in part],
            "includes": {"users": [u for _, users, _ in part for u in users], "media": [m for *_, ms in part for m in ms],
                         "tweets": [{"id": "1", "text": "another's", "author_id": "2"}]},
            "__twarc": {"url": "https://api.example/2/tweets/search", "retrieved_at": f"2022-01-01T{k // 60:02}:{k % 60:02}:00Z"},
        })  # fmt: skip
    lines(folder / "results.jsonl", pages)
    return Written(folder / "results.jsonl", media_files(folder, posts), kind="twarc, pages of API v2", broken=1, **X)


def twarc_flat(folder: Path, posts: list[Truth]) -> Written:
    rows = []
    for k, post in enumerate(posts):
        tweet, users, media = v2_tweet(post)
        if media:
            tweet["attachments"]["media"] = media
        rows.append({**tweet, "author": users[0] if users else {},
                     "__twarc": {"retrieved_at": f"2022-01-01T{k // 60:02}:{k % 60:02}:00Z"}})  # fmt: skip
    lines(folder / "flat.jsonl.gz", rows, opener=gzip.open)
    images = media_files(folder, posts, lambda post, k: f"{post.big}-{base(post, k)}")
    return Written(folder / "flat.jsonl.gz", images, kind="twarc, flat tweets of API v2", broken=1, **X)


def v1_tweet(post: Truth) -> dict:
    media = [{"type": "photo", "media_url_https": f"https://pbs.example/media/{base(post, k)}", "ext_alt_text": f"alt {n}"}
             for k, n in enumerate(post.pictures)]  # fmt: skip
    if post.trap == "video":
        media = [{"type": "video", "media_url_https": "https://pbs.example/cover.jpg"}]
    tweet = {
        "id": float(post.big), "id_str": str(post.big), "full_text": html.escape(post.text, quote=False),
        "created_at": post.rfc, "lang": post.language, "favorite_count": post.likes, "retweet_count": 0,
        "user": {"id_str": "" if post.trap == "gone" else x_ids(post), "screen_name": "" if post.trap == "gone" else handle(post.user)},
    }  # fmt: skip
    if media:
        tweet["extended_entities"] = {"media": media}
    if post.trap == "repost":
        tweet["retweeted_status"] = {"id_str": "1"}
    if post.trap == "reply":
        tweet["in_reply_to_user_id_str"] = X["brand"]
    return tweet


def twarc_old(folder: Path, posts: list[Truth]) -> Written:
    lines(folder / "tweets.jsonl.xz", [v1_tweet(post) for post in posts], opener=lzma.open)
    return Written(folder / "tweets.jsonl.xz", media_files(folder, posts), kind="tweets of API v1.1", broken=1, **X)


def twarc_csv(folder: Path, posts: list[Truth]) -> Written:
    rows = []
    for post in posts:
        tweet, users, media = v2_tweet(post)
        rows.append({
            "id": tweet["id"], "author_id": tweet["author_id"], "author.username": users[0]["username"] if users else "",
            "text": tweet["text"].replace("\n", "\\n"), "created_at": tweet["created_at"], "lang": tweet["lang"],
            "referenced_tweets.retweeted.id": "1" if post.trap == "repost" else "",
            "in_reply_to_user_id": tweet.get("in_reply_to_user_id", ""), "public_metrics.like_count": post.likes,
            "public_metrics.reply_count": 1, "attachments.media": json.dumps(media) if media else "",
        })  # fmt: skip
    table(folder / "tweets.csv", rows)
    return Written(folder / "tweets.csv", media_files(folder, posts), kind="twarc-csv", **X)


def x_archives(folder: Path, posts: list[Truth]) -> Written:
    (folder / "donations").mkdir()
    for user, own in by_user(posts).items():
        with zipfile.ZipFile(folder / f"donations/twitter-{user}.zip", "w") as archive:

            def js(name, value, archive=archive):
                archive.writestr(f"data/{name}.js", f"window.YTD.{name.replace('-', '_')}.part0 = " + json.dumps(value))

            js("account", [{"account": {"accountId": x_ids(own[0]), "username": handle(user)}}])
            tweets = []
            for post in own:
                tweet = v1_tweet(post)
                del tweet["user"]
                tweet.pop("retweeted_status", None)
                if post.trap == "repost":
                    tweet["full_text"] = "RT @other: " + tweet["full_text"]
                tweets.append({"tweet": tweet | {"favorite_count": str(post.likes)}})
                if post.trap not in ("missing", "video"):
                    for k, number in enumerate(post.pictures):
                        pack(archive, f"data/tweets_media/{post.big}-{base(post, k)}", number)
            js("tweets", tweets)
            js("following", [{"following": {"accountId": X["brand"], "userLink": "…"}}] if user == 0 else [])
    return Written(folder / "donations", None, kind="X, a person's archive", lacks={"gone"}, **X)


def x_item(post: Truth) -> dict:
    legacy = v1_tweet(post)
    legacy.pop("user")
    item = {"rest_id": str(post.big), "legacy": legacy | {"user_id_str": "" if post.trap == "gone" else x_ids(post)},
            "core": {"user_results": {"result": {"core": {"screen_name": "" if post.trap == "gone" else handle(post.user)}}}}}  # fmt: skip
    if legacy.pop("retweeted_status", None):
        item["legacy"]["retweeted_status_result"] = {"result": {}}
    if len(post.text) > 20:
        item["note_tweet"] = {"note_tweet_results": {"result": {"text": post.text}}}
        item["legacy"]["full_text"] = "cut …"
    return item


def fourcat_x(folder: Path, posts: list[Truth]) -> Written:
    rows = [
        {**x_item(post), "__import_meta": {"item_id": post.big, "timestamp_collected": 1_700_000_000_000 + k,
                                           "source_platform": "twitter.com"}}
        for k, post in enumerate(posts)
    ]  # fmt: skip
    lines(folder / "twitter-4cat.ndjson", rows)
    return Written(
        folder / "twitter-4cat.ndjson", media_files(folder, posts), kind="Zeeschuimer or 4CAT, items", broken=1, **X
    )
