"""twitwi, which others maintain, reads the generated tweets and posts as this project's own readers do."""

from datetime import UTC, datetime

import pytest

from pipeline.exports.platforms import bluesky, twitter
from tests.exports.truth import truth
from tests.exports.writers.bluesky import bsky_id, bsky_record
from tests.exports.writers.shared import handle
from tests.exports.writers.x import v1_tweet, v2_tweet

POSTS = [post for post in truth() if not post.trap]
WHOLE = {"description": "", "location": "", "verified": False, "protected": False, "name": "N", "url": None}


def same(ours, theirs, text):
    assert ours.post_id == theirs["id"] and ours.user_id == theirs["user_id"]
    assert text(ours.text) == text(theirs["text"])
    assert ours.created_at == theirs["timestamp_utc"] * 1_000_000
    assert [
        any(name.split("?")[0] in url for url in theirs["media_urls"]) for s in ours.shown for name in s.names[1:2]
    ] == [True for _ in ours.shown]


def unquoted(text):
    return " ".join(text.split())


def test_tweets_of_api_v1(twitwi):
    for post in POSTS:
        tweet = v1_tweet(post)
        counts = dict.fromkeys(
            ("followers_count", "friends_count", "statuses_count", "listed_count", "favourites_count"), 1
        )
        tweet["user"] |= {**WHOLE, **counts, "created_at": post.rfc, "profile_image_url_https": ""}
        tweet |= {"entities": {"hashtags": [], "urls": [], "user_mentions": []}, "source": "", "display_text_range": [0, 9],
                  "is_quote_status": False, "place": None, "coordinates": None, "possibly_sensitive": False,
                  "in_reply_to_status_id_str": None, "in_reply_to_screen_name": None, "in_reply_to_user_id_str": None}  # fmt: skip
        for one in (tweet.get("extended_entities") or {}).get("media", ()):
            one |= {"id_str": "1", "expanded_url": "https://x.com/a/status/1/photo/1", "url": "https://t.co/1",
                    "sizes": {}, "indices": [0, 1]}  # fmt: skip
        (ours,) = twitter.old(tweet)
        same(ours, twitwi.normalize_tweet(tweet), unquoted)


def test_tweets_of_api_v2(twitwi):
    for post in POSTS:
        tweet, users, media = v2_tweet(post)
        metrics = {"followers_count": 1, "following_count": 1, "tweet_count": 1, "listed_count": 1}
        users[0] |= {**WHOLE, "created_at": post.iso, "public_metrics": metrics, "profile_image_url": ""}
        tweet |= {"source": "", "entities": {}, "possibly_sensitive": False, "conversation_id": tweet["id"]}
        page = {"data": [tweet], "includes": {"users": users, "media": media}}
        (ours,) = twitter.page(page)
        (theirs,) = twitwi.normalize_tweets_payload_v2(page)
        same(ours, theirs, unquoted)


def test_posts_of_bluesky():
    normalize = pytest.importorskip("twitwi.bluesky").normalize_post
    for post in POSTS:
        record = bsky_record(post)
        images = list((record.get("embed") or {}).get("images", ()))
        shown = {"$type": "app.bsky.embed.images#view", "images": [
            {"thumb": f"https://cdn/{one['image']['ref']['$link']}@jpeg", "fullsize": f"https://cdn/{one['image']['ref']['$link']}@jpeg",
             "alt": one["alt"]} for one in images
        ]}  # fmt: skip
        if record.get("embed") and not images:
            continue  # twitwi asks for the quoted post, which is not made here
        author = {"did": f"did:plc:{post.user}", "handle": f"{handle(post.user)}.example", "displayName": "N", "avatar": "",
                  "createdAt": post.iso}  # fmt: skip
        view = {"uri": bsky_id(post), "cid": "b", "author": author, "record": record, "likeCount": post.likes, "replyCount": 1,
                "repostCount": 0, "quoteCount": 0, "indexedAt": post.iso, "labels": []}  # fmt: skip
        if images:
            view["embed"] = shown
        (ours,) = bluesky.view(view)
        theirs = normalize(view)
        said = theirs["text"].split(" https://cdn")[0]  # it puts the pictures' addresses behind the text
        moment = datetime.fromisoformat(theirs["local_time"]).replace(tzinfo=UTC)
        assert (ours.post_id, ours.user_id, unquoted(ours.text)) == (theirs["uri"], theirs["user_did"], unquoted(said))
        assert ours.created_at == int(moment.timestamp()) * 1_000_000 and ours.likes == theirs["like_count"]
        assert [one.alt for one in ours.shown] == theirs["media_alt_texts"]


@pytest.fixture
def twitwi():
    return pytest.importorskip("twitwi")
