"""X, formerly Twitter: twarc's pages and flat tweets (API v2), tweets of API v1.1, and a person's own archive.

Pictures are not in the first three: a file is found by the last step of the picture's address, with or without the
tweet's id before it, or by the media key. Tweets that others refer to (`includes.tweets`) are no posts of the
collection.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.exports.posts import (
    NOT_A_POST,
    UNKNOWN,
    Deleted,
    Edge,
    Found,
    Json,
    Left,
    Post,
    Shown,
    count,
    dig,
    each,
    earlier,
    ids,
    known,
    last,
    micros,
    unescaped,
)
from pipeline.exports.sources import Tree

_ACCOUNT, _DETAILS, _MONTH = r"account\.js", r"user_details\.js", r"tweets/\d{4}_\d\d\.js"
_ARCHIVES = ((_ACCOUNT, r"tweets?\.js"), (_DETAILS, _MONTH))
"""Files of X's archives, of today and of before 2018, that say whose they are, and those of the tweets."""
_DATA = r"data_\d+\.json"
_BEGIN = 100
"""Letters by which a long tweet of an archive and its note are known to be one."""


def is_page(record: Json) -> bool:
    """A response of API v2, as `twarc2 search` writes it a line, or a stream."""
    return "data" in record and any(k in record for k in ("includes", "meta", "__twarc", "matching_rules"))


def page(record: Json) -> Found:
    """The tweets of a response; of a response of users, edges to whom the request was about."""
    data = record["data"] if isinstance(record["data"], list) else [record["data"]]
    includes = record.get("includes") or {}
    media = {m.get("media_key"): m for m in includes.get("media") or ()}
    users = {u.get("id"): u for u in includes.get("users") or ()}
    about = re.search(r"/2/users/(\d+)/(followers|following)", dig(record, "__twarc", "url") or "")
    collected = micros(dig(record, "__twarc", "retrieved_at")) or 0

    def read(item: Json) -> Found:
        if about and "text" not in item:
            pair = (item["id"], about[1]) if about[2] == "followers" else (about[1], item["id"])
            yield Edge(pair[0], pair[1], "follow")
        elif "text" in item:
            yield _v2(item, users.get(item.get("author_id")) or {}, media, collected)
            yield from earlier(str(item["id"]), item.get("edit_history_tweet_ids"))
        else:
            yield Left(str(item.get("id", "?")), NOT_A_POST, "a user")

    yield from each(data, read)


def is_flat(record: Json) -> bool:
    """A tweet of API v2 with what it refers to in its place, as `twarc2 flatten` writes it."""
    return "text" in record and "author_id" in record and "id" in record and "user" not in record


def flat(record: Json) -> Found:
    """One tweet of `twarc2 flatten`, or of 4CAT's own collection through the API."""
    media = {m.get("media_key"): m for m in dig(record, "attachments", "media") or ()}
    media |= {m.get("media_key"): m for m in dig(record, "attachments", "media_keys") or () if isinstance(m, dict)}
    author = record.get("author") or record.get("author_user") or {}
    yield _v2(record, author, media, micros(dig(record, "__twarc", "retrieved_at")) or 0)
    yield from earlier(str(record["id"]), record.get("edit_history_tweet_ids"))


def _v2(item: Json, author: Json, media: dict[Any, Any], collected: int) -> Post:
    refs = {ref.get("type"): ref for ref in item.get("referenced_tweets") or ()}
    keys = dig(item, "attachments", "media_keys") or list(media if "media" in (item.get("attachments") or {}) else ())
    shown = []
    for k, key in enumerate(keys, start=1):
        found = (key if isinstance(key, dict) else media.get(key)) or {"media_key": key}
        shown.append(_picture(item["id"], k, found, found.get("url") or found.get("preview_image_url")))
    metrics, name = item.get("public_metrics") or {}, author.get("username")
    return Post(
        str(item["id"]), known(item.get("author_id")), name,
        unescaped(dig(item, "note_tweet", "text") or item.get("text")),
        micros(item.get("created_at")), tuple(shown), (), item.get("lang"),
        f"https://x.com/{name or 'i'}/status/{item['id']}", metrics.get("like_count"), metrics.get("reply_count"),
        item.get("in_reply_to_user_id"), "retweeted" in refs, collected, dig(refs, "replied_to", "id"),
    )  # fmt: skip


def _picture(post_id: object, number: int, media: Json, url: str | None) -> Shown:
    base = last(url)
    names = ids(f"{post_id}-{base}" if base else None, base, media.get("media_key"), url, f"{post_id}_{number}",
                post_id if number == 1 else None)  # fmt: skip
    return Shown(names, media.get("type", "photo") != "photo", media.get("alt_text") or media.get("ext_alt_text"))


def is_bound(tree: Tree) -> bool:
    """A folder of academictwitteR: what was asked for as data_ID.json, what that refers to as users_ID.json."""
    names = [name for name in tree.matching(_DATA) if _referred(name) in tree.held]
    return bool(names) and "author_id" in (dig(tree.json(names[0]), 0) or {})


def bound(tree: Tree) -> Found:
    """As `page`, of each pair."""
    for name in tree.matching(_DATA):
        includes = tree.json(_referred(name)) if _referred(name) in tree.held else {}
        yield from page({"data": tree.json(name), "includes": includes})


def beside(tree: Tree) -> list[str]:
    """What lies in such a folder beside its files."""
    own = set(tree.matching(rf"({_DATA}|{_referred(_DATA)}|query)"))
    return [name for name in tree.names if name not in own]


def _referred(name: str) -> str:
    return "users_".join(name.rsplit("data_", 1))


def is_includes(record: Json) -> bool:
    """What tweets of API v2 refer to, without these."""
    return isinstance(record.get("users"), list) and set(record) <= {"users", "tweets", "media", "places", "polls"}


def includes(record: Json) -> Found:
    """None of it is a post of the collection."""
    yield Left("?", NOT_A_POST, f"what tweets refer to: {', '.join(record)}")


def is_old(record: Json) -> bool:
    """A tweet of API v1.1."""
    return "id_str" in record and isinstance(record.get("user"), dict) and ("full_text" in record or "text" in record)


def old(record: Json, owner: Json | None = None) -> Found:
    """One tweet of API v1.1, as `twarc search` and streams write it a line."""
    longer = record.get("extended_tweet") or record
    text = longer.get("full_text") or record.get("full_text") or record.get("text")
    user = owner or record["user"]
    places = ((longer, "extended_entities"), (record, "extended_entities"), (longer, "entities"), (record, "entities"))
    media = next(filter(None, (dig(where, name, "media") for where, name in places)), ())  # the last two before 2014
    post_id, name = record["id_str"], user.get("screen_name")
    yield Post(
        post_id, known(user.get("id_str") or user.get("id")), name, unescaped(text), micros(record.get("created_at")),
        tuple(_picture(post_id, k, m, m.get("media_url_https") or m.get("media_url"))
              for k, m in enumerate(media, start=1)), (),
        record.get("lang"), f"https://x.com/{name or 'i'}/status/{post_id}",
        count(record.get("favorite_count")), count(record.get("reply_count")), record.get("in_reply_to_user_id_str"),
        record.get("retweeted_status") is not None or (owner is not None and (text or "").startswith("RT @")),
        collected=-1 if record.get("truncated") and longer is record else 0,  # any other copy of it is the better one
        answers=record.get("in_reply_to_status_id_str"),
    )  # fmt: skip
    edits = dig(record, "edit_info", "initial") or dig(record, "edit_info", "edit", "editControlInitial")
    yield from earlier(post_id, dig(edits, "editTweetIds"))


def is_notice(record: Json) -> bool:
    """What a stream of API v1.1 says beside its tweets."""
    return len(record) <= 2 and bool({"delete", "limit", "scrub_geo", "status_withheld", "user_withheld"} & set(record))


def notice(record: Json) -> Found:
    """A deletion, which is applied; the others are no posts."""
    gone = dig(record, "delete", "status", "id_str")
    yield Deleted(str(gone)) if gone else Left("?", NOT_A_POST, f"a notice: {', '.join(record)}")


def is_archive(tree: Tree) -> bool:
    """The zip that X gives a person of their own account; before 2018 it had a file of tweets a month."""
    return any(tree.matching(whose) and tree.matching(tweets) for whose, tweets in _ARCHIVES)


def archive(tree: Tree) -> Found:
    """Tweets, community tweets and whom the owner follows; long tweets by their note."""
    owner = _owner(tree)
    for following in tree.matching(r"following(-part\d+)?\.js"):
        yield from (Edge(owner["id_str"], item["following"]["accountId"], "follow") for item in tree.json(following))
    notes: dict[str, str] = {}
    for name in tree.matching(r"note-tweet(-part\d+)?\.js"):
        for note in (item["noteTweet"] for item in tree.json(name)):
            text = dig(note, "noteTweetResults", "text") or dig(note, "core", "text") or ""
            notes[note.get("tweetId") or text[:_BEGIN]] = text
    pictures = {name.rsplit("/", 1)[-1]: tree.picture(name) for name in tree.matching(r"tweets?_media/[^/]+")}
    for name in tree.matching(rf"((tweets?|community-tweet)(-part\d+)?\.js|{_MONTH})"):
        yield from each(
            tree.json(name),
            lambda item: _in_archive(_of_archive(item.get("tweet", item), owner), pictures, notes),
        )


def _owner(tree: Tree) -> Json:
    """Whose an archive is, as a user of API v1.1."""
    if before := tree.matching(_DETAILS):
        details = tree.json(before[0])
        return {"id_str": details["id"], "screen_name": details.get("screen_name")}
    account = tree.json(tree.matching(_ACCOUNT)[0])[0]["account"]
    return {"id_str": account["accountId"], "screen_name": account.get("username")}


def _of_archive(tweet: Json, owner: Json) -> Found:
    if "id_str" not in tweet:
        yield Left(str(tweet.get("id", "?")), UNKNOWN, "no id_str")
        return
    yield from old(tweet, owner)


def _in_archive(found: Found, pictures: Mapping[str, str], notes: Mapping[str, str]) -> Found:
    for one in found:
        yield _whole(one, pictures, notes) if isinstance(one, Post) else one


def _whole(post: Post, pictures: Mapping[str, str], notes: Mapping[str, str]) -> Post:
    shown = tuple(s._replace(names=ids(*map(pictures.get, s.names), *s.names)) for s in post.shown or ())
    cut = "…" in (post.text or "")[_BEGIN:]  # a note that does not say whose it is begins as the tweet that was cut
    text = notes.get(post.post_id) or (notes.get((post.text or "")[:_BEGIN]) if cut else None)
    return post._replace(shown=shown, text=text or post.text)
