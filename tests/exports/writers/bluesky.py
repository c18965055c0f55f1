"""Bluesky: events of Jetstream, answers of the AppView, repositories."""

import hashlib
import json
from pathlib import Path

from tests.exports import truth
from tests.exports.truth import BRAND, Truth, Written
from tests.exports.writers.shared import by_user, handle, lines


def link(number: int) -> bytes:
    """The picture's CID in bytes."""
    return b"\x01\x55\x12\x20" + hashlib.sha256(truth.picture(number)).digest()


def cid(number: int) -> str:
    """The picture's CID, as Bluesky names it."""
    import libipld

    return libipld.encode_cid(link(number))


def bsky_record(post: Truth, raw: bool = False) -> dict:
    def blob(number):
        ref = link(number) if raw else {"$link": cid(number)}
        return {"$type": "blob", "ref": ref, "mimeType": "image/png", "size": 9}

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


def bsky_id(post: Truth) -> str:
    return f"at://did:plc:{post.user}/app.bsky.feed.post/3k{post.number:04}"


def bsky_files(folder: Path, posts: list[Truth]) -> Path:
    for post in posts:
        if post.trap not in ("missing", "video"):
            for number in post.pictures:
                truth.save(folder / "blobs", f"did:plc:{post.user}/{cid(number)}.png", number)
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
