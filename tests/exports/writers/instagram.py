"""Instagram, as five tools and a person's own download hold it."""

import json
import lzma
import zipfile
from pathlib import Path

from tests.exports import truth
from tests.exports.truth import Truth, Written
from tests.exports.writers.shared import base, by_user, handle, lines, media_files, pack, table, x_ids, zeeschuimer


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


def zeeschuimer_instagram(folder: Path, posts: list[Truth]) -> Written:
    lines(
        folder / "zeeschuimer-export-instagram.com.ndjson",
        zeeschuimer("instagram.com", [instagram_item(p) for p in posts]),
    )
    for post in posts:
        if post.trap not in ("missing", "video"):
            for k, number in enumerate(post.pictures, start=1):
                truth.save(folder / "images", f"{code(post)}{f'_{k}' if len(post.pictures) > 1 else ''}.jpg", number)
    return Written(folder, None, lambda post: code(post), x_ids, "Zeeschuimer or 4CAT, items",
                   lacks={"language", "repost", "reply"}, broken=1)  # fmt: skip


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
                    pack(archive, name, number)
        archive.writestr(".metadata.json", json.dumps(about))
    table(folder / "instagram-search.csv", rows)
    return Written(folder / "instagram-search.csv", folder / "images.zip", code, x_ids, "4CAT, Instagram",
                   lacks={"language", "repost", "reply"})  # fmt: skip


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
                truth.save(target, f"{stem}_{k}.jpg" if len(post.pictures) > 1 else f"{stem}.jpg", n)
    profile = {"node": {"id": "1"}, "instaloader": {"version": "4", "node_type": "Profile"}}
    (target / "someone_1.json.xz").write_bytes(lzma.compress(json.dumps(profile).encode()))
    return Written(target, None, code, x_ids, "instaloader, a folder",
                   lacks={"language", "repost", "reply", "earlier"})  # fmt: skip


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
                        pack(archive, one["uri"], n)
            archive.writestr("your_instagram_activity/media/posts_1.json", json.dumps(rows))
            about = {"profile_user": [{"string_map_data": {"Username": {"value": handle(user)}}}]}
            archive.writestr("personal_information/personal_information/personal_information.json", json.dumps(about))
    return Written(folder / "donated", None, lambda post: f"{handle(post.user)}/media/posts/2020/{post.number}_0.jpg",
                   lambda post: handle(post.user).lower(), "Instagram, a person's download",
                   lacks={"language", "likes", "repost", "reply", "gone", "empty", "alt", "video"},
                   holds=lambda post: bool(post.pictures))  # fmt: skip


def crowdtangle(folder: Path, posts: list[Truth]) -> Written:
    rows = [{
        "Account": "N", "User Name": "" if p.trap == "gone" else handle(p.user), "Followers at Posting": "1",
        "Post Created": p.iso[:19].replace("T", " ") + " UTC", "Type": "Video" if p.trap == "video" else "Photo",
        "Likes": f"{p.likes:,}", "Comments": "1", "URL": f"https://www.instagram.com/p/{code(p)}/", "Link": "",
        "Photo": f"https://cdn.example/{base(p, 0)}" if p.pictures else "", "Title": "", "Description": p.text,
    } for p in posts]  # fmt: skip
    table(folder / "crowdtangle.csv", rows)
    return Written(folder / "crowdtangle.csv", media_files(folder, posts), code, lambda post: handle(post.user).lower(),
                   "CrowdTangle, Instagram", lacks={"language", "several", "repost", "reply", "earlier", "alt"})  # fmt: skip
