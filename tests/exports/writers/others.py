"""Platforms with a format or two: TikTok, Reddit, Telegram; and corpora that were published."""

import bz2
import html
import json
import tarfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq

from tests.exports import truth
from tests.exports.truth import Truth, Written
from tests.exports.writers.shared import base, handle, lines, media_files, table, x_ids, zeeschuimer


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
    return Written(folder / "tiktok.ndjson", media_files(folder, posts), lambda post: str(post.big), x_ids,
                   "Zeeschuimer or 4CAT, items", lacks={"repost", "reply"}, broken=1)  # fmt: skip


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
                truth.save(folder / "media", f"m{n}.png" if len(post.pictures) > 1 else f"{name}.png", n)
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
            truth.save(folder / "images/pics", f"{name}.jpg", post.pictures[0])
    (folder / "pics_2020.json").write_text(json.dumps({"info": {"url": "…"}, "annotations": notes}))
    return Written(folder / "pics_2020.json", folder / "images", lambda post: f"t3_x{post.number:03}",
                   lambda post: handle(post.user).lower(), "RedCaps, annotations",
                   lacks={"language", "several", "repost", "reply", "earlier", "alt"})  # fmt: skip


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
                    truth.save(export, message["photo"], n)
            messages.append(message)
            number += 1
    messages.append({"id": 9999, "type": "service", "action": "pin", "text": ""})
    chat = {"name": "Town", "type": "public_supergroup", "id": 77, "messages": messages}
    text = json.dumps(chat, ensure_ascii=False).replace("harbour", "har\\x0Bbour")
    (export / "result.json").write_text(text, encoding="utf-8")
    return Written(export, None, lambda post: f"77-{ids[id(post)]}", lambda post: f"user{post.user}", "Telegram, an export",
                   lacks={"language", "likes", "reply", "earlier", "alt"},
                   text=lambda text: text.replace("harbour", "har\x0bbour"))  # fmt: skip


def hugging_face(folder: Path, posts: list[Truth]) -> Written:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    held = [post for post in posts if post.trap not in ("repost", "reply", "earlier")]
    pictures = [
        [{"bytes": truth.picture(n), "path": f"{n}.png"} for n in p.pictures]
        if p.trap not in ("missing", "video")
        else []
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
                for name, data in ((f"{key:09}.png", truth.picture(post.pictures[0])), (f"{key:09}.json", facts)):
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
    return Written(folder / "yfcc100m_dataset.bz2", media_files(folder, posts), lambda post: str(post.big),
                   lambda post: f"{post.user}@N00", "YFCC100M",
                   lacks={"language", "likes", "several", "repost", "reply", "earlier", "alt", "video"},
                   holds=lambda post: post.trap != "video")  # fmt: skip


def vk(folder: Path, posts: list[Truth]) -> Written:
    """A wall by pages of the API, of which the first has no post."""
    pages = [{"response": {"count": 0, "items": []}}]
    for post in posts:
        photos = [{"type": "photo", "photo": {"id": n, "owner_id": -5, "sizes": [
            {"url": "https://sun.example/small.jpg", "width": 75, "height": 75},
            {"url": f"https://sun.example/{base(post, k)}?size=9", "width": 900, "height": 900}]}}
            for k, n in enumerate(post.pictures)]  # fmt: skip
        if post.trap == "video":
            photos = [
                {"type": "video", "video": {"id": 1, "owner_id": -5, "image": [{"url": "https://v.example/cover.jpg"}]}}
            ]
        item = {"id": post.number + 1, "owner_id": -5, "from_id": 0 if post.trap == "gone" else 100 + post.user,
                "date": post.when, "text": post.text, "likes": {"count": post.likes}, "attachments": photos}  # fmt: skip
        if post.trap == "repost":
            item["copy_history"] = [{"id": 1, "owner_id": -6, "text": "of another"}]
        if post.trap == "reply":
            item |= {"post_id": 1, "reply_to_user": 999}
        pages.append({"response": {"count": len(posts), "items": [item]}})
    lines(folder / "wall.jsonl", pages)
    return Written(folder / "wall.jsonl", media_files(folder, posts), lambda post: f"-5_{post.number + 1}",
                   lambda post: str(100 + post.user), "VK, answers of the API", lacks={"language"}, broken=2, brand="999")  # fmt: skip
