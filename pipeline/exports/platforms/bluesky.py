"""Bluesky: Jetstream's events, JSON of the AppView (feeds, posts, follows), and a person's repository as CAR.

A picture is known by its CID, which is what a downloader calls the file. Records are the same in all three.
"""

from collections.abc import Iterator
from typing import Any

from pipeline.exports.posts import (
    NOT_A_POST,
    PRIVATE,
    REPOST,
    UNREADABLE,
    Deleted,
    Edge,
    Found,
    Json,
    Left,
    Post,
    Shown,
    dig,
    each,
    ids,
    known,
    micros,
)
from pipeline.exports.sources import Tree
from pipeline.running.errors import UserError

_COMMIT = r"_commit\.json"
POST, REPOSTED, FOLLOW = "app.bsky.feed.post", "app.bsky.feed.repost", "app.bsky.graph.follow"


def is_event(record: Json) -> bool:
    """An event of Jetstream."""
    return "did" in record and record.get("kind") in ("commit", "identity", "account")


def event(record: Json) -> Found:
    """A post, its deletion, a repost or a follow; other events (likes, profiles) are no posts."""
    commit, did = record.get("commit") or {}, record["did"]
    collection, name = commit.get("collection", ""), f"at://{did}/{commit.get('collection')}/{commit.get('rkey')}"
    if commit.get("operation") == "delete":
        yield Deleted(name) if collection == POST else Left(name, NOT_A_POST, f"deletes a {collection}")
    elif collection == POST:
        yield _post(name, did, None, commit["record"], commit.get("cid"), int(record.get("time_us") or 0))
    else:
        yield _other(name, did, collection or str(record.get("kind")), commit.get("record") or {})


def is_tap(record: Json) -> bool:
    """An event of Tap, which has what Jetstream's has, one level higher."""
    return record.get("type") in ("record", "identity") and isinstance(record.get(record["type"]), dict)


def tap(record: Json) -> Found:
    """As `event`."""
    inner = record[record["type"]]
    commit = {"operation": inner.get("action")} | inner if record["type"] == "record" else {}
    yield from event({"did": inner["did"], "kind": record["type"], "commit": commit})


def _other(name: str, did: str, collection: str, record: Json) -> Left | Edge:
    if collection == FOLLOW:
        return Edge(did, str(record.get("subject")), "follow")
    if collection == REPOSTED:
        return Left(name, REPOST, str(dig(record, "subject", "uri")))
    return Left(name, NOT_A_POST, collection)


def is_view(record: Json) -> bool:
    """What the AppView answers: a feed, posts, one post, or follows."""
    return (
        isinstance(record.get("feed"), list)
        or ("subject" in record and ("follows" in record or "followers" in record))
        or (isinstance(record.get("posts"), list) and ("cursor" in record or _is_post(dig(record, "posts", 0))))
        or _is_post(dig(record, "thread", "post"))
        or _is_post(dig(record, "thread", 0, "value", "post"))
        or (isinstance(record.get("post"), dict) and "uri" in record["post"])
        or _is_post(record)
    )


def _is_post(value: Any) -> bool:
    return (
        isinstance(value, dict) and str(value.get("uri", "")).startswith("at://") and {"record", "author"} <= {*value}
    )


def _of_thread(thread: Any) -> Iterator[Json]:
    """The posts of a thread: what is answered, the post, its answers; stubs of what may not be seen are none. Since
    2025 it is a list.
    """
    waiting = [dig(item, "value") for item in thread] if isinstance(thread, list) else [thread]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("post"), dict):
                yield node["post"]
            waiting += [*(node.get("replies") or ()), node.get("parent")]


def view(record: Json) -> Found:
    """The posts of an answer; a repost is told as such, parents of replies are no posts of the collection."""
    yield from each(record.get("feed") or record.get("posts") or _of_thread(record.get("thread")), view)
    if "subject" in record:
        who = record["subject"]["did"]
        yield from (Edge(who, other["did"], "follow") for other in record.get("follows") or ())
        yield from (Edge(other["did"], who, "follow") for other in record.get("followers") or ())
    elif isinstance(record.get("post"), dict):
        reason = record.get("reason") or {}
        if str(reason.get("$type") or reason.get("py_type")).endswith("reasonRepost"):
            by = str(dig(reason, "by", "did"))
            yield Left(f"{by} {record['post']['uri']}", REPOST, record["post"]["uri"])
        else:
            yield from view(record["post"])
    elif "record" in record:
        author = record["author"]
        labels = {label.get("val") for label in [*(author.get("labels") or ()), *(record.get("labels") or ())]}
        if "!no-unauthenticated" in labels:
            yield Left(record["uri"], PRIVATE, "asked not to be shown to those who are not logged in")
            return
        post = _post(record["uri"], author["did"], author.get("handle"), record["record"], record.get("cid"), 0)
        likes, replies = (
            record.get(a, record.get(b)) for a, b in (("likeCount", "like_count"), ("replyCount", "reply_count"))
        )
        yield post._replace(likes=likes, replies=replies, collected=_when(record.get("indexedAt")) or 0)


def _post(uri: str, did: str, handle: str | None, record: Json, cid: str | None, collected: int) -> Post:
    rkey = uri.rsplit("/", 1)[-1]
    moment = _when(record.get("createdAt") or record.get("created_at"))
    parent = dig(record, "reply", "parent", "uri") or ""
    langs = record.get("langs") or [None]
    return Post(
        uri, known(did), handle, record.get("text"), moment, _shown(record.get("embed")), (), langs[0],
        f"https://bsky.app/profile/{did}/post/{rkey}", None, None,
        parent.split("/")[2] if parent.startswith("at://") else None, False, collected, parent or None,
    )  # fmt: skip


def _when(written: object) -> int | None:
    """A time; None where the clock of an odd client, whose time the AppView repeats, gave none (the year 0)."""
    try:
        return micros(written)
    except ValueError:
        return None


def _shown(embed: Any) -> tuple[Shown, ...]:
    """The pictures of a record's embed, also beside a quote; a link's card is none."""
    if not isinstance(embed, dict):
        return ()
    inner: dict[str, Any] = embed["media"] if isinstance(embed.get("media"), dict) else embed
    found = [
        Shown(_cid(one.get("image")), False, one.get("alt"))
        for one in [*_list(inner, "images"), *_list(inner, "items")]
    ]
    if isinstance(inner.get("video"), dict):
        found.append(Shown(_cid(inner["video"]), True, inner.get("alt")))
    return tuple(found)


def _list(embed: Json, key: str) -> list[Any]:
    value = embed.get(key)
    return value if isinstance(value, list) else []


def _cid(blob: Any) -> tuple[str, ...]:
    ref = dig(blob, "ref")
    link = ref.get("$link") or ref.get("link") if isinstance(ref, dict) else ref
    return ids(link, dig(blob, "cid"))


def is_listing(record: Json) -> bool:
    """What `com.atproto.repo.listRecords` answers."""
    first = dig(record, "records", 0)
    return isinstance(first, dict) and {"uri", "value"} <= {*first} and str(first["uri"]).startswith("at://")


def listing(record: Json) -> Found:
    """Posts, reposts and follows of one account, which their addresses name."""

    def read(one: Json) -> Found:
        uri = str(one["uri"])
        _, did, collection, _ = uri.removeprefix("at:/").split("/")
        if collection == POST:
            yield _post(uri, did, None, one["value"], one.get("cid"), 0)
        else:
            yield _other(uri, did, collection, one["value"])

    yield from each(record["records"], read)


def is_unpacked(tree: Tree) -> bool:
    """Repositories that `goat repo unpack` wrote as folders: a file a record, and one that says whose they are."""
    return bool(tree.matching(_COMMIT)) and bool(tree.matching(r"app\.bsky\.[\w.]+/[^/]+\.json"))


def unpacked(tree: Tree) -> Found:
    """As `car`, of each."""
    for commit in tree.matching(_COMMIT):
        folder, did = commit.removesuffix("_commit.json"), str(tree.json(commit)["did"])
        for name in tree.beginning(folder):
            key = name.removeprefix(folder).removesuffix(".json")
            if name.endswith(".json") and key.count("/") == 1:
                yield from each([tree.json(name)], lambda record: iter([_keyed(key, did, record)]))  # noqa: B023


def _keyed(key: str, did: str, record: Json) -> Post | Left | Edge:
    """A record of a repository by its key, which begins with what it is of."""
    name, collection = f"at://{did}/{key}", key.split("/")[0]
    return _post(name, did, None, record, None, 0) if collection == POST else _other(name, did, collection, record)


def is_car(head: bytes) -> bool:
    """Whether a file begins as a CAR does."""
    return b"eroots" in head[:48] and b"gversion" in head[:128]


def car(data: bytes, path: str) -> Found:
    """The records of a repository, by its tree of keys. Raises UserError where its root, or libipld, is missing."""
    try:
        import libipld
    except ImportError:
        raise UserError(f"{path} is a CAR: install the extra `exports`, pip install libipld.") from None
    header, blocks = libipld.decode_car(data)

    block = blocks.get
    commit = block(header["roots"][0])
    if commit is None:
        raise UserError(f"{path}: the CAR does not hold its own root.")
    did = commit["did"]
    for key, link in _keys(commit["data"], block):
        record = block(link)
        if record is None:
            yield Left(f"at://{did}/{key}", UNREADABLE, "its block is not in the CAR")
        else:
            yield _keyed(key, did, _texts(record, libipld))


def _keys(root: Any, block: Any) -> Any:
    """Keys and links of a Merkle search tree, in order; each entry shares `p` bytes with the one before."""
    node, key = block(root), b""
    if node is None:
        return
    if node["l"]:
        yield from _keys(node["l"], block)
    for entry in node["e"]:
        key = key[: entry["p"]] + entry["k"]
        yield key.decode(), entry["v"]
        if entry["t"]:
            yield from _keys(entry["t"], block)


def _texts(record: Any, libipld: Any) -> Any:
    """A record with its links as text."""
    if isinstance(record, dict):
        return {key: _texts(value, libipld) for key, value in record.items()}
    if isinstance(record, list):
        return [_texts(value, libipld) for value in record]
    return libipld.encode_cid(record) if isinstance(record, bytes) and record[:1] == b"\x01" else record
