"""A generator for each format, made after its published schema: one truth in, an export on disk out."""

import bz2
import csv
import gzip
import html
import json
import lzma
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
from exports.truth import BRAND, Truth, Written, picture, save


def handle(user: int) -> str:
    return f"Person_{user}"


def lines(path: Path, rows: list, broken: str = '{"half": ', opener=open) -> None:
    with opener(path, "wb") as stream:
        for k, row in enumerate(rows):
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            if k == 2 and broken:
                stream.write(broken.encode() + b"\n")


def base(post: Truth, k: int) -> str:
    return f"E{post.number}x{k}.png"


def x_files(folder: Path, posts: list[Truth], name=lambda post, k: base(post, k)) -> Path:
    for post in posts:
        if post.trap not in ("missing", "video"):
            for k, number in enumerate(post.pictures):
                save(folder / "pictures", name(post, k), number)
    (folder / "pictures").mkdir(exist_ok=True)
    return folder / "pictures"


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


def x_ids(post: Truth) -> str:
    return str(5_000_000_000_000_000_001 + post.user)


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
    return Written(folder / "results.jsonl", x_files(folder, posts), kind="twarc, pages of API v2", broken=1, **X)


def twarc_flat(folder: Path, posts: list[Truth]) -> Written:
    rows = []
    for k, post in enumerate(posts):
        tweet, users, media = v2_tweet(post)
        if media:
            tweet["attachments"]["media"] = media
        rows.append({**tweet, "author": users[0] if users else {},
                     "__twarc": {"retrieved_at": f"2022-01-01T{k // 60:02}:{k % 60:02}:00Z"}})  # fmt: skip
    lines(folder / "flat.jsonl.gz", rows, opener=gzip.open)
    images = x_files(folder, posts, lambda post, k: f"{post.big}-{base(post, k)}")
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
    return Written(folder / "tweets.jsonl.xz", x_files(folder, posts), kind="tweets of API v1.1", broken=1, **X)


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
    return Written(folder / "tweets.csv", x_files(folder, posts), kind="twarc-csv", **X)


def table(path: Path, rows: list[dict], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def by_user(posts: list[Truth]) -> dict[int, list[Truth]]:
    found: dict[int, list[Truth]] = {}
    for post in posts:
        found.setdefault(post.user, []).append(post)
    return found


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
                        archive.writestr(f"data/tweets_media/{post.big}-{base(post, k)}", picture(number))
            js("tweets", tweets)
            js("following", [{"following": {"accountId": X["brand"], "userLink": "…"}}] if user == 0 else [])
    return Written(folder / "donations", None, kind="X, a person's archive", lacks={"gone"}, **X)


def cid(number: int) -> str:
    """A CID of the picture, as Bluesky names it."""
    import hashlib

    import libipld

    return libipld.encode_cid(b"\x01\x55\x12\x20" + hashlib.sha256(picture(number)).digest())


def bsky_record(post: Truth, raw: bool = False) -> dict:
    import libipld

    def blob(number):
        ref = cid(number)
        link = ref if not raw else _raw(libipld, number)
        return {"$type": "blob", "ref": link if raw else {"$link": ref}, "mimeType": "image/png", "size": 9}

    record = {"$type": "app.bsky.feed.post", "text": post.text, "createdAt": post.iso, "langs": [post.language]}
    if post.trap == "video":
        record["embed"] = {"$type": "app.bsky.embed.video", "video": blob(post.pictures[0])}
    elif post.pictures:
        images = {"$type": "app.bsky.embed.images",
                  "images": [{"alt": f"alt {n}", "image": blob(n)} for n in post.pictures]}  # fmt: skip
        quoted = {"$type": "app.bsky.embed.recordWithMedia", "media": images, "record": {"record": {"uri": "at://x"}}}
        record["embed"] = quoted if post.number % 2 else images
    if post.trap == "reply":
        parent = {"uri": f"at://did:plc:{BRAND}/app.bsky.feed.post/1", "cid": "b"}
        record["reply"] = {"root": parent, "parent": parent}
    return record


def _raw(libipld, number):
    import hashlib

    return b"\x01\x55\x12\x20" + hashlib.sha256(picture(number)).digest()


def bsky_id(post: Truth) -> str:
    return f"at://did:plc:{post.user}/app.bsky.feed.post/3k{post.number:04}"


def bsky_files(folder: Path, posts: list[Truth]) -> Path:
    for post in posts:
        if post.trap not in ("missing", "video"):
            for number in post.pictures:
                save(folder / "blobs", f"did:plc:{post.user}/{cid(number)}.png", number)
    return folder / "blobs"


BSKY = {"post_id": bsky_id, "user_id": lambda post: f"did:plc:{post.user}", "brand": f"did:plc:{BRAND}"}


def jetstream(folder: Path, posts: list[Truth]) -> Written:
    events = []
    for k, post in enumerate(posts):
        collection = "app.bsky.feed.repost" if post.trap == "repost" else "app.bsky.feed.post"
        record = {"subject": {"uri": "at://a/b/c"}} if post.trap == "repost" else bsky_record(post)
        commit = {"rev": "r", "operation": "create" if post.trap != "later" else "update", "collection": collection,
                  "rkey": bsky_id(post).rsplit("/", 1)[-1], "record": record, "cid": "b"}  # fmt: skip
        events.append({"did": f"did:plc:{post.user}", "time_us": 10**15 + k, "kind": "commit", "commit": commit})
    events.append({"did": "did:plc:0", "time_us": 2 * 10**15, "kind": "identity", "identity": {"did": "did:plc:0"}})
    lines(folder / "events.jsonl", events)
    return Written(folder / "events.jsonl", bsky_files(folder, posts), kind="Bluesky, events of Jetstream",
                   lacks={"likes", "gone"}, broken=1, **BSKY)  # fmt: skip


def appview(folder: Path, posts: list[Truth]) -> Written:
    feed = []
    for k, post in enumerate(posts):
        item = {"post": {"uri": bsky_id(post), "cid": "b", "author": {"did": f"did:plc:{post.user}", "handle": handle(post.user)},
                         "record": bsky_record(post), "likeCount": post.likes, "replyCount": 1,
                         "indexedAt": f"2024-01-01T{k // 60:02}:{k % 60:02}:00Z"}}  # fmt: skip
        if post.trap == "repost":
            item["reason"] = {"$type": "app.bsky.feed.defs#reasonRepost", "by": {"did": "did:plc:77"}}
        feed.append(item)
    (folder / "feed.json").write_text(json.dumps({"feed": feed, "cursor": "c"}, indent=1))
    return Written(folder / "feed.json", bsky_files(folder, posts), kind="Bluesky, answers of the AppView",
                   lacks={"gone"}, **BSKY)  # fmt: skip


def cars(folder: Path, posts: list[Truth]) -> Written:
    import hashlib

    import libipld

    (folder / "repos").mkdir()
    for user, own in by_user(posts).items():
        blocks = {}

        def put(value, blocks=blocks):
            data = libipld.encode_dag_cbor(value)
            link = b"\x01\x71\x12\x20" + hashlib.sha256(data).digest()
            blocks[link] = data
            return link

        entries, before = [], b""
        keyed = {}
        for post in own:
            name = "app.bsky.feed.repost" if post.trap == "repost" else "app.bsky.feed.post"
            record = (
                {"subject": {"uri": "at://a", "cid": "b"}} if post.trap == "repost" else bsky_record(post, raw=True)
            )
            keyed[f"{name}/{bsky_id(post).rsplit('/', 1)[-1]}"] = record
        if user == 0:
            keyed["app.bsky.graph.follow/1"] = {"subject": f"did:plc:{BRAND}", "createdAt": own[0].iso}
        for key in sorted(keyed):
            shared = 0
            while shared < min(len(before), len(key)) and before[shared] == key.encode()[shared]:
                shared += 1
            entries.append({"p": shared, "k": key.encode()[shared:], "v": put(keyed[key]), "t": None})
            before = key.encode()
        half = len(entries) // 2
        # The right half is a subtree behind the last entry of the left: keys there share nothing with a left neighbour.
        right = [dict(e) for e in entries[half:]]
        whole = sorted(keyed)[half]
        right[0] |= {"p": 0, "k": whole.encode()}
        entries[half - 1]["t"] = put({"l": None, "e": right})
        root = put({"l": None, "e": entries[:half]})
        commit = put({"did": f"did:plc:{user}", "rev": "r", "data": root, "version": 3, "sig": b"s", "prev": None})
        header = libipld.encode_dag_cbor({"roots": [commit], "version": 1})
        body = b"".join(varint(len(link) + len(data)) + link + data for link, data in blocks.items())
        (folder / f"repos/{user}.car").write_bytes(varint(len(header)) + header + body)
    return Written(folder / "repos", bsky_files(folder, posts), kind="Bluesky, a repository (CAR)",
                   lacks={"likes", "gone", "earlier"}, **BSKY)  # fmt: skip


def varint(number: int) -> bytes:
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def code(post: Truth) -> str:
    return f"C{post.number:05}_-"


def instagram_item(post: Truth) -> dict:
    def one(k, number):
        return {"media_type": 1, "pk": f"{post.big}{k}", "accessibility_caption": f"alt {number}",
                "image_versions2": {"candidates": [{"url": f"https://cdn.example/{base(post, k)}?x=1"}]}}  # fmt: skip

    item = {"code": code(post), "pk": str(post.big), "id": f"{post.big}_{x_ids(post)}", "taken_at": post.when,
            "caption": {"text": post.text} if post.text else None, "like_count": post.likes, "comment_count": 1,
            "user": {"pk": "" if post.trap == "gone" else x_ids(post), "username": handle(post.user)}}  # fmt: skip
    if post.trap == "gone":
        item["user"] = {"pk": None, "username": ""}
    if len(post.pictures) > 1:
        return item | {"media_type": 8, "carousel_media": [one(k, n) for k, n in enumerate(post.pictures)]}
    if post.pictures:
        return item | one(0, post.pictures[0]) | {"pk": str(post.big), "media_type": 2 if post.trap == "video" else 1}
    return item | {"media_type": 8, "carousel_media": []}


def zeeschuimer(platform: str, items: list[dict]) -> list[dict]:
    return [
        {"nav_index": "1:2:3", "item_id": 12, "id": k, "timestamp_collected": 1_700_000_000_000 + k, "last_updated": 1,
         "source_platform": platform, "source_platform_url": "https://…", "user_agent": "…", "data": item}
        for k, item in enumerate(items)
    ]  # fmt: skip


def zeeschuimer_instagram(folder: Path, posts: list[Truth]) -> Written:
    lines(
        folder / "zeeschuimer-export-instagram.com.ndjson",
        zeeschuimer("instagram.com", [instagram_item(p) for p in posts]),
    )
    for post in posts:
        if post.trap not in ("missing", "video"):
            for k, number in enumerate(post.pictures, start=1):
                save(folder / "images", f"{code(post)}{f'_{k}' if len(post.pictures) > 1 else ''}.jpg", number)
    return Written(folder, None, lambda post: code(post), x_ids, "Zeeschuimer or 4CAT, items",
                   lacks={"language", "repost", "reply"}, broken=1)  # fmt: skip


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
        folder / "twitter-4cat.ndjson", x_files(folder, posts), kind="Zeeschuimer or 4CAT, items", broken=1, **X
    )


def tiktok(folder: Path, posts: list[Truth]) -> Written:
    items = []
    for post in posts:
        item = {"id": str(post.big), "desc": post.text, "createTime": str(post.when), "textLanguage": post.language,
                "author": {"id": "" if post.trap == "gone" else x_ids(post), "uniqueId": "" if post.trap == "gone" else handle(post.user)},
                "stats": {"diggCount": post.likes, "commentCount": 1}}  # fmt: skip
        if post.trap == "video":
            item["video"] = {"cover": "https://cdn.example/cover.jpg"}
        elif post.pictures:
            item["imagePost"] = {"images": [{"imageURL": {"urlList": [f"https://cdn.example/{base(post, k)}?e=1"]}}
                                            for k in range(len(post.pictures))]}  # fmt: skip
        items.append(item)
    lines(folder / "tiktok.ndjson", zeeschuimer("tiktok.com", items))
    return Written(folder / "tiktok.ndjson", x_files(folder, posts), lambda post: str(post.big), x_ids,
                   "Zeeschuimer or 4CAT, items", lacks={"repost", "reply"}, broken=1)  # fmt: skip


def fourcat_csv(folder: Path, posts: list[Truth]) -> Written:
    rows, about = [], {}
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for post in posts:
            urls = [f"https://CDN.example/{base(post, k)}?q=1" for k in range(len(post.pictures))]
            rows.append({
                "id": code(post), "thread_id": code(post), "author": "REDACTED" if post.trap == "gone" else handle(post.user),
                "author_id": "REDACTED" if post.trap == "gone" else x_ids(post), "body": post.text,
                "timestamp": "2020-01-01 00:00:00", "unix_timestamp": post.when, "url": "https://…",
                "num_likes": post.likes, "num_comments": 1, "num_media": len(urls),
                "media_type": "video" if post.trap == "video" else "photo", "image_urls": ",".join(urls),
            })  # fmt: skip
            for k, (url, number) in enumerate(zip(urls, post.pictures, strict=True)):
                there = post.trap not in ("missing", "video")
                name = f"file-{post.number}-{k}.png"
                about[url] = {"filename": name, "url": url, "success": there, "post_ids": [code(post)]}
                if there:
                    archive.writestr(name, picture(number))
        archive.writestr(".metadata.json", json.dumps(about))
    table(folder / "instagram-search.csv", rows)
    return Written(folder / "instagram-search.csv", folder / "images.zip", code, x_ids, "4CAT, Instagram",
                   lacks={"language", "repost", "reply"})  # fmt: skip


def reddit(folder: Path, posts: list[Truth]) -> Written:
    import zstandard

    rows = []
    for k, post in enumerate(posts):
        name = f"x{post.number:03}"
        row = {"id": name, "name": f"t3_{name}", "author": "[deleted]" if post.trap == "gone" else handle(post.user),
               "subreddit": "pics", "title": html.escape(post.text, quote=False), "selftext": "[removed]" if k % 3 else "",
               "created_utc": str(post.when) if k % 2 else post.when, "score": post.likes, "num_comments": 1,
               "permalink": f"/r/pics/{name}", "url": "https://reddit.example/r/pics", "retrieved_on": post.when + k}  # fmt: skip
        if post.trap != "gone":
            row["author_fullname"] = f"t2_{post.user}"
        if post.trap == "repost":
            row["crosspost_parent"] = "t3_other"
        if post.trap == "video":
            row |= {"is_video": True, "url": "https://v.redd.it/1"}
        elif len(post.pictures) > 1:
            media = [f"m{n}" for n in post.pictures]
            row |= {"is_gallery": True, "gallery_data": {"items": [{"media_id": m, "id": 1} for m in media]},
                    "media_metadata": {m: {"status": "valid", "e": "Image", "s": {"u": "https://preview.redd.it/a.jpg?a&amp;b"}}
                                       for m in reversed(media)}}  # fmt: skip
        elif post.pictures:
            row |= {"post_hint": "image", "url": "https://i.redd.it/abc.png"}
        rows.append(row)
        if post.trap not in ("missing", "video"):
            for n in post.pictures:
                save(folder / "media", f"m{n}.png" if len(post.pictures) > 1 else f"{name}.png", n)
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    (folder / "RS_2020-08.zst").write_bytes(zstandard.ZstdCompressor(compression_params=parameters).compress(data))
    return Written(folder / "RS_2020-08.zst", folder / "media", lambda post: f"t3_x{post.number:03}",
                   lambda post: f"t2_{post.user}", "Reddit, submissions or comments", lacks={"language", "reply"})  # fmt: skip


def redcaps(folder: Path, posts: list[Truth]) -> Written:
    notes = []
    for post in posts:
        name = f"x{post.number:03}"
        notes.append({"image_id": name, "author": "None" if post.trap == "gone" else handle(post.user), "subreddit": "Pics",
                      "url": "https://i.redd.it/abc.jpg", "raw_caption": post.text, "caption": post.text.lower(),
                      "score": post.likes, "created_utc": post.when, "permalink": f"/r/pics/{name}"})  # fmt: skip
        if post.trap not in ("missing", "video") and post.pictures:
            save(folder / "images/pics", f"{name}.jpg", post.pictures[0])
    (folder / "pics_2020.json").write_text(json.dumps({"info": {"url": "…"}, "annotations": notes}))
    return Written(folder / "pics_2020.json", folder / "images", lambda post: f"t3_x{post.number:03}",
                   lambda post: handle(post.user).lower(), "RedCaps, annotations",
                   lacks={"language", "several", "repost", "reply", "earlier", "alt"})  # fmt: skip


def instaloader(folder: Path, posts: list[Truth]) -> Written:
    target = folder / "loaded"
    target.mkdir()
    for post in posts:
        stem = f"2020-09-13_12-{post.number:02}-00_UTC"
        node = {"__typename": "GraphImage", "id": str(post.big), "shortcode": code(post), "taken_at_timestamp": post.when,
                "owner": {"id": x_ids(post), "username": handle(post.user)}, "edge_media_preview_like": {"count": post.likes},
                "edge_media_to_caption": {"edges": [{"node": {"text": post.text}}] if post.text else []},
                "edge_media_to_comment": {"count": 1}, "is_video": post.trap == "video"}  # fmt: skip
        if post.trap == "gone":
            node["owner"] = {"id": ""}
        if len(post.pictures) > 1:
            node["__typename"] = "GraphSidecar"
            node["edge_sidecar_to_children"] = {
                "edges": [{"node": {"is_video": False, "display_url": "https://…", "accessibility_caption": f"alt {n}"}}
                          for n in post.pictures]
            }  # fmt: skip
        elif not post.pictures:
            node |= {"__typename": "GraphSidecar", "edge_sidecar_to_children": {"edges": []}, "is_video": True}
        else:
            node["accessibility_caption"] = f"alt {post.pictures[0]}"
        held = {"node": node, "instaloader": {"version": "4.14", "node_type": "Post"}}
        (target / f"{stem}.json.xz").write_bytes(lzma.compress(json.dumps(held).encode(), check=lzma.CHECK_NONE))
        if post.trap not in ("missing", "video"):
            for k, n in enumerate(post.pictures, start=1):
                save(target, f"{stem}_{k}.jpg" if len(post.pictures) > 1 else f"{stem}.jpg", n)
    profile = {"node": {"id": "1"}, "instaloader": {"version": "4", "node_type": "Profile"}}
    (target / "someone_1.json.xz").write_bytes(lzma.compress(json.dumps(profile).encode()))
    return Written(target, None, code, x_ids, "instaloader, a folder",
                   lacks={"language", "repost", "reply", "earlier"})  # fmt: skip


def masto_user(user: int) -> str:
    return f"https://social.example/users/{handle(user)}"


def masto_html(text: str) -> str:
    return "<p>" + "<br />".join(html.escape(line) for line in text.split("\n")) + "</p>" if text else ""


MASTO = {
    "post_id": lambda post: f"{masto_user(post.user)}/statuses/{post.big}",
    "user_id": lambda post: masto_user(post.user),
}


def mastodon(folder: Path, posts: list[Truth]) -> Written:
    statuses = []
    for k, post in enumerate(posts):
        media = [{"id": f"{n}", "type": "video" if post.trap == "video" else "image", "description": f"alt {n}",
                  "url": f"https://files.example/original/{base(post, j)}"} for j, n in enumerate(post.pictures)]  # fmt: skip
        statuses.append({
            "id": str(k), "uri": MASTO["post_id"](post), "url": "https://…", "created_at": post.iso, "language": post.language,
            "content": masto_html(post.text), "spoiler_text": "", "visibility": "public", "media_attachments": media,
            "account": {"acct": handle(post.user), "uri": "" if post.trap == "gone" else masto_user(post.user)},
            "favourites_count": post.likes, "replies_count": 1, "reblog": {"id": "1"} if post.trap == "repost" else None,
            "in_reply_to_account_id": "9" if post.trap == "reply" else None,
        })  # fmt: skip
        if post.trap == "gone":
            statuses[-1]["account"]["acct"] = ""
    statuses.append({**statuses[0], "uri": "https://social.example/private", "visibility": "private"})
    (folder / "statuses.json").write_text(json.dumps(statuses, indent=2))
    return Written(folder / "statuses.json", x_files(folder, posts), kind="Mastodon, statuses", brand="9", **MASTO)


def mastodon_archives(folder: Path, posts: list[Truth]) -> Written:
    (folder / "archives").mkdir()
    for user, own in by_user(posts).items():
        items = []
        with zipfile.ZipFile(folder / f"archives/archive-{user}.zip", "w") as archive:
            for post in own:
                if post.trap == "repost":
                    items.append({"type": "Announce", "id": f"boost-{post.big}", "object": "https://other"})
                    continue
                media = []
                for k, n in enumerate(post.pictures):
                    path = f"media_attachments/files/{post.number}/{base(post, k)}"
                    kind = "video/mp4" if post.trap == "video" else "image/png"
                    media.append({"type": "Document", "mediaType": kind, "url": f"/system/{path}", "name": f"alt {n}"})
                    if post.trap not in ("missing", "video"):
                        archive.writestr(path, picture(n))
                reply = f"{masto_user(BRAND)}/statuses/1" if post.trap == "reply" else None
                note = {"type": "Note", "id": MASTO["post_id"](post), "content": masto_html(post.text), "attachment": media,
                        "contentMap": {post.language: ""}, "published": post.iso, "inReplyTo": reply,
                        "to": ["https://www.w3.org/ns/activitystreams#Public"], "cc": []}  # fmt: skip
                items.append(
                    {"type": "Create", "id": "a", "actor": masto_user(user), "object": note, "published": post.iso}
                )
            private = (
                {**items[-1]["object"], "id": "direct", "to": ["https://someone"]}
                if "content" in str(items[-1])
                else None
            )
            if private:
                items.append({"type": "Create", "object": private})
            archive.writestr("outbox.json", json.dumps({"orderedItems": items}))
            archive.writestr("actor.json", json.dumps({"id": masto_user(user), "preferredUsername": handle(user)}))
            archive.writestr("avatar.png", picture(99_999))
    return Written(folder / "archives", None, kind="Mastodon, a person's archive", brand=masto_user(BRAND),
                   lacks={"likes", "gone"}, **MASTO)  # fmt: skip


def mastodon_tars(folder: Path, posts: list[Truth]) -> Written:
    written = mastodon_archives(folder, posts)
    for path in sorted(written.posts.glob("*.zip")):
        with zipfile.ZipFile(path) as old, tarfile.open(path.with_suffix(".tar.gz"), "w:gz", compresslevel=1) as new:
            for name in old.namelist():
                member = tarfile.TarInfo(f"./{name}")
                member.size = old.getinfo(name).file_size
                new.addfile(member, old.open(name))
        path.unlink()
    return written


def telegram(folder: Path, posts: list[Truth]) -> Written:
    export = folder / "ChatExport_2024-01-01"
    (export / "photos").mkdir(parents=True)
    messages, number = [], 1
    ids = {}
    for post in posts:
        ids[id(post)] = number
        for k, n in enumerate(post.pictures or (None,)):
            parts = [post.text[:5], {"type": "hashtag", "text": post.text[5:]}] if k == 0 and post.text else ""
            message = {"id": number, "type": "message", "date": "2020-01-01T00:00:00", "date_unixtime": str(post.when),
                       "from": None if post.trap == "gone" else handle(post.user),
                       "from_id": None if post.trap == "gone" else f"user{post.user}", "text": parts}  # fmt: skip
            if post.trap == "repost":
                message["forwarded_from"] = "Someone"
            if post.trap == "video":
                message |= {"file": "(File not included.)", "mime_type": "video/mp4", "media_type": "video_file"}
            elif n is not None:
                message["photo"] = f"photos/photo_{number}.jpg"
                if post.trap != "missing":
                    save(export, message["photo"], n)
            messages.append(message)
            number += 1
    messages.append({"id": 9999, "type": "service", "action": "pin", "text": ""})
    chat = {"name": "Town", "type": "public_supergroup", "id": 77, "messages": messages}
    text = json.dumps(chat, ensure_ascii=False).replace("harbour", "har\\x0Bbour")
    (export / "result.json").write_text(text, encoding="utf-8")
    return Written(export, None, lambda post: f"77-{ids[id(post)]}", lambda post: f"user{post.user}", "Telegram, an export",
                   lacks={"language", "likes", "reply", "earlier", "alt"},
                   text=lambda text: text.replace("harbour", "har\x0bbour"))  # fmt: skip


def instagram_downloads(folder: Path, posts: list[Truth]) -> Written:
    (folder / "donated").mkdir()

    def moji(text):
        return text.encode().decode("latin-1")

    for user, own in by_user(posts).items():
        with zipfile.ZipFile(folder / f"donated/instagram-{handle(user)}-2024-01-01-abc.zip", "w") as archive:
            rows = []
            for post in own:
                media = [{"uri": f"media/posts/2020/{post.number}_{k}.{'mp4' if post.trap == 'video' else 'jpg'}",
                          "creation_timestamp": post.when, "title": ""} for k in range(len(post.pictures))]  # fmt: skip
                if len(media) == 1:
                    media[0]["title"] = moji(post.text)
                    rows.append({"media": media})
                else:
                    rows.append({"title": moji(post.text), "creation_timestamp": post.when, "media": media})
                if post.trap not in ("missing", "video"):
                    for one, n in zip(media, post.pictures, strict=True):
                        archive.writestr(one["uri"], picture(n))
            archive.writestr("your_instagram_activity/media/posts_1.json", json.dumps(rows))
            about = {"profile_user": [{"string_map_data": {"Username": {"value": handle(user)}}}]}
            archive.writestr("personal_information/personal_information/personal_information.json", json.dumps(about))
    return Written(folder / "donated", None, lambda post: f"{handle(post.user)}/media/posts/2020/{post.number}_0.jpg",
                   lambda post: handle(post.user).lower(), "Instagram, a person's download",
                   lacks={"language", "likes", "repost", "reply", "gone", "empty", "alt", "video"},
                   holds=lambda post: bool(post.pictures))  # fmt: skip


def hugging_face(folder: Path, posts: list[Truth]) -> Written:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    held = [post for post in posts if post.trap not in ("repost", "reply", "earlier")]
    pictures = [
        [{"bytes": picture(n), "path": f"{n}.png"} for n in p.pictures] if p.trap not in ("missing", "video") else []
        for p in held
    ]
    columns = {
        "tweet": pa.array([p.big for p in held]), "who": pa.array([None if p.trap == "gone" else x_ids(p) for p in held]),
        "caption": pa.array([p.text for p in held]), "when": pa.array([p.when * 10**6 for p in held], pa.timestamp("us")),
        "lang": pa.array([p.language for p in held]), "pics": pa.array(pictures, pa.list_(image)),
        "hearts": pa.array([p.likes for p in held]),
    }  # fmt: skip
    (folder / "data").mkdir()
    pq.write_table(pa.table(columns), folder / "data/train-00000-of-00001.parquet")
    mapped = {"post_id": "tweet", "user_id": "who", "text": ["caption"], "created_at": "when", "language": "lang",
              "images": "pics", "likes": "hearts"}  # fmt: skip
    return Written(folder / "data", None, lambda post: str(post.big), x_ids, "corpus.columns", columns=mapped,
                   lacks={"repost", "reply", "earlier", "missing", "video", "alt"})  # fmt: skip


def tar_shards(folder: Path, posts: list[Truth]) -> Written:
    rows = [{"post_id": p.big, "user_id": "" if p.trap == "gone" else x_ids(p), "caption": p.text, "created_at": p.iso,
             "lang": p.language} for p in posts if p.trap != "earlier"]  # fmt: skip
    table(folder / "posts.csv", rows, ";")
    (folder / "shards").mkdir()
    key = 0
    with tarfile.open(folder / "shards/00000.tar", "w") as shard:
        for post in posts:
            if post.pictures and post.trap not in ("missing", "video", "earlier"):
                facts = json.dumps({"url": f"https://cdn.example/{base(post, 0)}", "post_id": str(post.big)}).encode()
                for name, data in ((f"{key:09}.png", picture(post.pictures[0])), (f"{key:09}.json", facts)):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    shard.addfile(member, BytesIO(data))
                key += 1
    mapped = {
        "post_id": "post_id",
        "user_id": "user_id",
        "text": "caption",
        "created_at": "created_at",
        "language": "lang",
    }
    return Written(folder / "posts.csv", folder / "shards", lambda post: str(post.big), x_ids, "corpus.columns", columns=mapped,
                   lacks={"several", "likes", "repost", "reply", "earlier", "missing", "video", "alt"})  # fmt: skip


def yfcc(folder: Path, posts: list[Truth]) -> Written:
    rows = []
    for post in posts:
        url = f"https://farm.example/{base(post, 0)}" if post.pictures else "https://farm.example/none.jpg"
        row = [post.number, post.big, f"{post.number:032x}", "" if post.trap == "gone" else f"{post.user}@N00",
               "" if post.trap == "gone" else handle(post.user), post.iso, post.when, "", quote_plus(post.text), "", "", "", "",
               "", "", "https://…", url, "CC", "…", 1, 2, "s", "o", "jpg", 1 if post.trap == "video" else 0]  # fmt: skip
        rows.append("\t".join(map(str, row)))
    (folder / "yfcc100m_dataset.bz2").write_bytes(bz2.compress(("\n".join(rows) + "\n").encode()))
    return Written(folder / "yfcc100m_dataset.bz2", x_files(folder, posts), lambda post: str(post.big),
                   lambda post: f"{post.user}@N00", "YFCC100M",
                   lacks={"language", "likes", "several", "repost", "reply", "earlier", "alt", "video"},
                   holds=lambda post: post.trap != "video")  # fmt: skip


def crowdtangle(folder: Path, posts: list[Truth]) -> Written:
    rows = [{
        "Account": "N", "User Name": "" if p.trap == "gone" else handle(p.user), "Followers at Posting": "1",
        "Post Created": p.iso[:19].replace("T", " ") + " UTC", "Type": "Video" if p.trap == "video" else "Photo",
        "Likes": f"{p.likes:,}", "Comments": "1", "URL": f"https://www.instagram.com/p/{code(p)}/", "Link": "",
        "Photo": f"https://cdn.example/{base(p, 0)}" if p.pictures else "", "Title": "", "Description": p.text,
    } for p in posts]  # fmt: skip
    table(folder / "crowdtangle.csv", rows)
    return Written(folder / "crowdtangle.csv", x_files(folder, posts), code, lambda post: handle(post.user).lower(),
                   "CrowdTangle, Instagram", lacks={"language", "several", "repost", "reply", "earlier", "alt"})  # fmt: skip


WRITERS = (
    twarc_pages, twarc_flat, twarc_old, twarc_csv, x_archives, jetstream, appview, cars, zeeschuimer_instagram, fourcat_x,
    tiktok, fourcat_csv, reddit, redcaps, instaloader, mastodon, mastodon_archives, mastodon_tars, telegram, instagram_downloads,
    hugging_face, tar_shards, yfcc, crowdtangle,
)  # fmt: skip
