"""Mastodon: statuses as the API gives them, also mastodon-archive's file, and a person's archive."""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.exports.posts import (
    NOT_A_POST,
    PRIVATE,
    REPOST,
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
    last,
    micros,
    plain,
)
from pipeline.exports.sources import Tree

PUBLIC = ("as:Public", "https://www.w3.org/ns/activitystreams#Public", "Public")


def is_status(record: Json) -> bool:
    """A status of the API."""
    return "content" in record and "account" in record and "media_attachments" in record


def status(record: Json) -> Found:
    """One status; `uri` is its id, as `id` is one server's own."""
    account, *_ = _unboxed([record["account"]])
    who, name = (
        account.get("uri") or account.get("url") or account.get("acct"),
        str(record.get("uri") or record.get("id")),
    )
    if record.get("visibility") in ("private", "direct"):
        yield Left(name, PRIVATE, record["visibility"])
        return
    text = "\n".join(t for t in (plain(record.get("spoiler_text")), plain(record["content"])) if t) or None
    shown = tuple(
        Shown(ids(last(m.get("url")), last(m.get("remote_url")), m.get("id"), m.get("url")),
              m.get("type") in ("video", "gifv"), m.get("description"))
        for m in _unboxed(record["media_attachments"])
        if m.get("type") in ("image", "video", "gifv", "unknown")
    )  # fmt: skip
    yield Post(
        name, known(who), account.get("acct"), text, micros(record.get("created_at")), shown, (),
        record.get("language"), record.get("url"), record.get("favourites_count"), record.get("replies_count"),
        _text(record.get("in_reply_to_account_id")), bool(record.get("reblog")),
        micros(record.get("edited_at")) or 0,
    )  # fmt: skip


def _unboxed(held: list[Any]) -> list[Json]:
    """Objects, each by itself or in a list, as R writes what its tables hold."""
    return [inner for one in held for inner in (one if isinstance(one, list) else [one])]


def _text(value: Any) -> str | None:
    return str(value) if value else None


def is_collection(record: Json) -> bool:
    """A file of mastodon-archive, or what a search answers."""
    statuses = record.get("statuses")
    return isinstance(statuses, list) and (isinstance(record.get("account"), dict) or is_status(dig(statuses, 0) or {}))


def collection(record: Json) -> Found:
    """The statuses of an account, and whom it follows."""
    owner = record.get("account") or {}
    yield from each(record["statuses"], lambda one: status({"account": owner, **one}))
    who = owner.get("uri") or owner.get("url") or owner.get("acct")
    yield from (
        Edge(str(who), str(f.get("uri") or f.get("url") or f["acct"]), "follow") for f in record.get("following") or ()
    )


def is_archive(tree: Tree) -> bool:
    """A person's archive."""
    return bool(tree.matching(r"outbox\.json") and tree.matching(r"actor\.json"))


def archive(tree: Tree) -> Found:
    """Public notes of the outbox; boosts are told, and what was for followers alone is left out."""
    actor = tree.json(tree.matching(r"actor\.json")[0])
    held = {_tail(name): name for name in tree.names}
    items = tree.json(tree.matching(r"outbox\.json")[0])["orderedItems"]
    yield from each(items, lambda item: _activity(item, actor, tree, held))
    for name in tree.matching(r"following_accounts\.csv"):
        with tree.open(name) as stream:
            rows = stream.read().decode("utf-8-sig").splitlines()[1:]
        yield from (Edge(actor["id"], row.split(",")[0].strip('"'), "follow") for row in rows if row)


def is_outbox(record: Json) -> bool:
    """The outbox of an archive alone, or of any account by ActivityPub."""
    first = dig(record, "orderedItems", 0)
    return isinstance(first, dict) and "actor" in first and "object" in first


def outbox(record: Json) -> Found:
    """As `archive`; who wrote a note its activity tells."""
    yield from each(record["orderedItems"], lambda item: _activity(item, {"id": known(item["actor"])}, None, {}))


def _activity(item: Json, actor: Json, tree: Tree | None, held: Mapping[str, str]) -> Found:
    note = item.get("object")
    if item.get("type") == "Announce":
        yield Left(str(item.get("id")), REPOST, str(note))
    elif item.get("type") != "Create" or not isinstance(note, dict):
        yield Left(str(item.get("id")), NOT_A_POST, str(item.get("type")))
    elif not any(to in PUBLIC for to in [*(note.get("to") or ()), *(note.get("cc") or ())]):
        yield Left(note["id"], PRIVATE, "for followers, or those named, alone")
    else:
        yield _note(note, item, actor, tree, held)


def _tail(path: str) -> str:
    """A path without the bucket, `system/` or folder that stands before it at times."""
    return re.sub(r"^.*?(media_attachments/)", r"\1", path).lstrip("/")


def _note(note: Json, item: Json, actor: Json, tree: Tree | None, held: Mapping[str, str]) -> Post:
    text = "\n".join(t for t in (plain(note.get("summary")), plain(note.get("content"))) if t) or None
    shown = []
    for one in note.get("attachment") or ():
        tail = _tail(one.get("url") or "")
        inside = held.get(tail, tail)
        kind = str(one.get("mediaType", ""))
        if kind.startswith(("image", "video")):
            shown.append(
                Shown(
                    ids(tree.picture(inside) if tree else one["url"], last(tail)),
                    kind.startswith("video"),
                    one.get("name"),
                )
            )
    reply = str(note.get("inReplyTo") or "")
    to = re.match(r"(https?://[^/]+/users/[^/]+)/", reply)
    return Post(
        note["id"], actor["id"], actor.get("preferredUsername"), text,
        micros(note.get("published") or item.get("published")),
        tuple(shown), (), next(iter(note.get("contentMap") or ()), None), note.get("url") or note["id"], None,
        dig(note, "replies", "totalItems"), to[1] if to else None, answers=reply or None,
    )  # fmt: skip
