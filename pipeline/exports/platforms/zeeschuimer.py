"""Zeeschuimer's NDJSON, and 4CAT's, the same unwrapped: items as the sites have them.

Items of Instagram, Threads, X and TikTok are read here, those of Truth Social as Mastodon's, and those of other sites
by a preset (presets/fourcat.toml).

These are the sites' private formats, which change: what is read is few paths, and an item without them is told. A
picture is found by a file called by the id or shortcode of its post, with the picture's number behind it, or by the
last step of its address.
"""

from typing import Any

from pipeline.exports import columns
from pipeline.exports.platforms import mastodon
from pipeline.exports.posts import (
    NOT_A_POST,
    ODD,
    UNREADABLE,
    Edge,
    Found,
    Json,
    Left,
    Post,
    Shown,
    count,
    dig,
    earlier,
    ids,
    known,
    last,
    micros,
    unescaped,
)

PROMOTED, PARTIAL = "promoted", "partial item"


def is_item(record: Json) -> bool:
    """An item of Zeeschuimer, or the same in an NDJSON of 4CAT."""
    return ("source_platform" in record and isinstance(record.get("data"), dict)) or "__import_meta" in record


def item(record: Json) -> Found:
    """A post of the site that the item says it is of."""
    about = record.get("__import_meta") or record
    data = record if "__import_meta" in record else record["data"]
    collected = micros(about.get("timestamp_collected")) or 0
    platform = str(about.get("source_platform", "")).removeprefix("www.")
    readers = {"instagram.com": instagram, "twitter.com": x, "x.com": x, "tiktok.com": tiktok,
               "tiktok-comments": tiktok_comment, "threads.net": threads, "threads.com": threads}  # fmt: skip
    name = str(about.get("item_id") or data.get("id") or "?")
    if platform not in readers and (mapped := columns.of_platform(platform)):
        one = columns.post(data, mapped, name)
        yield one._replace(collected=collected) if isinstance(one, Post) else one
    elif platform not in readers and mastodon.is_status(data):  # Truth Social
        yield from (found._replace(collected=collected) if isinstance(found, Post) else found
                    for found in mastodon.status(data))  # fmt: skip
    elif platform not in readers:
        yield Left(name, NOT_A_POST, f"items of {platform or 'no platform'} are not read")
    elif data.get("promoted") or data.get("isAd") or data.get("product_type") == "ad":
        yield Left(name, PROMOTED, platform)
    else:
        try:
            found = readers[platform](data)
        except ODD as error:
            found = Left(name, UNREADABLE, f"an item of {platform}: {type(error).__name__} {error}")
        yield found._replace(collected=collected) if isinstance(found, Post) else found
        edits = dig(data, "edit_control") or dig(data, "tweet", "edit_control")
        if isinstance(found, Post) and edits:
            versions = edits.get("edit_tweet_ids") or dig(edits, "edit_control_initial", "edit_tweet_ids")
            yield from earlier(found.post_id, versions)


def is_bare(record: Json) -> bool:
    """An item as its site has it, without what collected it around it."""
    return _site(record) is not None


def bare(record: Json) -> Found:
    """As `item`."""
    yield from item({"source_platform": _site(record), "data": record})


def _site(record: Json) -> str | None:
    held = record.keys()
    if {"id", "desc", "createTime", "author", "stats"} <= held:
        return "tiktok.com"
    if {"pk", "code", "taken_at", "user", "caption"} <= held and "caption_text" not in held:  # instagrapi's has both
        return "threads.net" if record.get("text_post_app_info") else "instagram.com"
    of_x = record["tweet"] if isinstance(record.get("tweet"), dict) else record
    return "x.com" if "rest_id" in of_x and dig(of_x, "legacy", "full_text") is not None else None


def instagram(data: Json) -> Post | Left:
    """An item of Instagram: a list's item (media_type) or a graph's node (__typename), also instaloader's."""
    code, pk = data.get("code") or data.get("shortcode"), data.get("pk") or str(data.get("id", "")).split("_")[0]
    if data.get("_zs_partial") and not data.get("caption"):
        return Left(str(code), PARTIAL, "seen without its caption and time")
    user = data.get("user") or data.get("owner") or data["owner_id"]  # by itself in lists of a profile, as of 2026
    caption = data.get("caption")
    text = caption.get("text") if isinstance(caption, dict) else caption
    text = text or dig(data, "edge_media_to_caption", "edges", 0, "node", "text")
    children = data.get("carousel_media") or [e["node"] for e in dig(data, "edge_sidecar_to_children", "edges") or ()]
    shown = tuple(
        _instagram_picture(child, ids(code, pk, data.get("id")), k if children else None)
        for k, child in enumerate(children or [data], start=1)
    )
    hidden = data.get("like_and_view_counts_disabled")  # what stands there then is no number of likes
    likes = None if hidden else data.get("like_count", dig(data, "edge_media_preview_like", "count"))
    said = dig(data, "edge_media_to_comment", "count") or dig(data, "edge_media_to_parent_comment", "count")
    replies = data.get("comment_count", said or data.get("comments"))
    return Post(
        str(code or pk), known(user.get("pk") or user.get("id")), user.get("username"), text or None,
        micros(data.get("taken_at") or data.get("taken_at_timestamp") or data.get("date")), shown, (), None,
        f"https://www.instagram.com/p/{code}/", count(likes), count(replies),
    )  # fmt: skip


def _instagram_picture(media: Json, names: tuple[str, ...], number: int | None) -> Shown:
    video = media.get("media_type") == 2 or bool(media.get("is_video")) or "Video" in str(media.get("__typename"))
    url = dig(media, "image_versions2", "candidates", 0, "url") or media.get("display_url") or media.get("display_uri")
    behind = ids(*(f"{n}_{number}" for n in names)) if number else ()
    own = ids(media.get("code"), media.get("pk"), media.get("id")) if number else ()
    return Shown((*behind, *own, *(() if number and number > 1 else names), *ids(last(url), url)), video,
                 media.get("accessibility_caption"))  # fmt: skip


def threads(data: Json) -> Post | Left:
    """An item of Threads, which is as Instagram's; a text alone has an empty list of pictures."""
    found = instagram(data)
    if isinstance(found, Left):
        return found
    about = data.get("text_post_app_info") or {}
    pictured = data.get("carousel_media") or dig(data, "image_versions2", "candidates") or data.get("video_versions")
    return found._replace(
        shown=found.shown if pictured else (),
        url=f"https://www.threads.com/@{found.handle}/post/{found.post_id}",
        replies=count(about.get("direct_reply_count")),
        reply_to=known(dig(about, "reply_to_author", "pk") or dig(about, "reply_to_author", "id")),
        repost=dig(about, "share_info", "reposted_post") is not None,
    )


def x(data: Json) -> Post | Left:
    """An item of X: the text from the note where the tweet is long."""
    data = data["tweet"] if isinstance(data.get("tweet"), dict) else data  # with what limits who may see it
    legacy = data.get("legacy") or data
    post_id = str(data.get("rest_id") or legacy["id_str"])
    result = dig(data, "core", "user_results", "result") or {}
    handle = dig(result, "core", "screen_name") or dig(result, "legacy", "screen_name")
    text = dig(data, "note_tweet", "note_tweet_results", "result", "text") or legacy["full_text"]
    media = dig(legacy, "extended_entities", "media") or dig(legacy, "entities", "media") or ()
    shown = tuple(
        Shown(ids(f"{post_id}-{last(m.get('media_url_https'))}", last(m.get("media_url_https")), f"{post_id}_{k}",
                  post_id if k == 1 else None, m.get("media_url_https")),
              m.get("type") != "photo", m.get("ext_alt_text"))
        for k, m in enumerate(media, start=1)
    )  # fmt: skip
    return Post(
        post_id, known(legacy.get("user_id_str") or result.get("rest_id")), handle, unescaped(text),
        micros(legacy.get("created_at")), shown, (), legacy.get("lang"),
        f"https://x.com/{handle or 'i'}/status/{post_id}", count(legacy.get("favorite_count")),
        count(legacy.get("reply_count")), legacy.get("in_reply_to_user_id_str"),
        bool(legacy.get("retweeted_status_result")), answers=legacy.get("in_reply_to_status_id_str"),
    )  # fmt: skip


def tiktok(data: Json) -> Post | Left:
    """An item of TikTok; photo posts have pictures, videos a cover."""
    post_id, author = str(data["id"]), data["author"]
    user, handle = (
        (author.get("id"), author.get("uniqueId")) if isinstance(author, dict) else (data.get("authorId"), author)
    )
    pictures = dig(data, "imagePost", "images") or ()
    shown = [
        Shown(ids(f"{post_id}_{k}", post_id if k == 1 else None, last(dig(one, "imageURL", "urlList", 0)),
                  dig(one, "imageURL", "urlList", 0)))
        for k, one in enumerate(pictures, start=1)
    ]  # fmt: skip
    cover = dig(data, "video", "cover")
    if not shown and cover:
        shown = [Shown(ids(post_id, last(cover), cover), True)]
    stats = data.get("stats") or {}
    return Post(
        post_id, known(user), handle, data.get("desc") or None, micros(data.get("createTime")), tuple(shown), (),
        data.get("textLanguage") or None, f"https://www.tiktok.com/@{handle}/video/{post_id}",
        count(stats.get("diggCount")), count(stats.get("commentCount")),
    )  # fmt: skip


def tiktok_comment(data: Json) -> Edge | Left:
    """A comment: who wrote it, on which video; an edge, and no post."""
    user: Any = dig(data, "user", "uid") or dig(data, "user", "unique_id")
    if not user or not data.get("aweme_id"):
        return Left(str(data.get("cid", "?")), UNREADABLE, "a comment without its author or video")
    return Edge(str(user), f"post:{data['aweme_id']}", "comment")
