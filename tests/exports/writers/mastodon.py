"""Mastodon: statuses, and a person's archive."""

import html
import json
import tarfile
import zipfile
from pathlib import Path

from tests.exports import truth
from tests.exports.truth import BRAND, Truth, Written
from tests.exports.writers.shared import base, by_user, handle, media_files, pack


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
    return Written(folder / "statuses.json", media_files(folder, posts), kind="Mastodon, statuses", brand="9", **MASTO)


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
                        pack(archive, path, n)
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
            archive.writestr("avatar.png", truth.picture(99_999))
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
