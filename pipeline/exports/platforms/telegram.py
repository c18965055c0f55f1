"""Telegram Desktop's export, result.json, of one chat or of a whole account, and messages of Telethon.

What is private is left out.

A channel posts as itself. An album is several messages of one second by one author: one post with several pictures.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pipeline.exports.posts import NOT_A_POST, PRIVATE, Found, Json, Left, Post, Shown, dig, each, ids, known, micros
from pipeline.exports.sources import Tree

ALBUM = "picture of an album, which is one post"
OPEN = ("public_channel", "public_supergroup")


def is_export(tree: Tree) -> bool:
    """A folder or zip with result.json."""
    return bool(tree.matching(r"result\.json"))


def beside(tree: Tree) -> list[str]:
    """What lies next to a result.json at the top, and so is not of its chat; what was sent lies in folders."""
    return [name for name in tree.names if "/" not in name and name != "result.json"]


def export(tree: Tree) -> Found:
    """The messages of all public chats; `private_channel` and groups are told as private."""
    for name in tree.matching(r"result\.json"):
        held = tree.json(name)
        for chat in _chats(held) if "chats" in held else [held]:
            yield from _chat(chat, tree, name.removesuffix("result.json"))


def is_account(record: Json) -> bool:
    """All chats of an account, as a file on its own."""
    return isinstance(dig(record, "chats", "list"), list)


def account(record: Json) -> Found:
    """The messages of its public chats, whose pictures lie elsewhere."""
    for chat in _chats(record):
        yield from _chat(chat, None, "")


def _chats(record: Json) -> list[Json]:
    return [*record["chats"]["list"], *(dig(record, "left_chats", "list") or ())]


def is_chat(record: Json) -> bool:
    """One chat, as a file on its own."""
    return isinstance(record.get("messages"), list) and "type" in record and "id" in record


def chat(record: Json) -> Found:
    """The messages of a chat whose pictures lie elsewhere."""
    yield from _chat(record, None, "")


def is_scraped(record: Json) -> bool:
    """A post of a channel, as snscrape writes it."""
    return record.get("_type") == "snscrape.modules.telegram.TelegramPost"


def scraped(record: Json) -> Found:
    """A post of a channel, whose name its address has; its pictures are listed by no version."""
    channel, _, number = str(record["url"]).partition("t.me/")[2].removeprefix("s/").partition("/")
    yield Post(f"{channel}-{number}", None, channel, record.get("content"), micros(record["date"]), url=record["url"])


def is_message(record: Json) -> bool:
    """A message as Telethon writes it, `json.dumps(message.to_dict())`; until 2020 with `to_id`."""
    return (
        record.get("_") in ("Message", "MessageService") and "id" in record and bool({"peer_id", "to_id"} & set(record))
    )


def message(record: Json) -> Found:
    """A message of a channel or group; of messages between two people is told that they are private."""
    peer = record.get("peer_id") or record.get("to_id") or {}
    channel = peer.get("channel_id")
    name = f"{channel or peer.get('chat_id') or peer.get('user_id')}-{record['id']}"
    if channel is None:
        yield Left(name, PRIVATE, str(peer.get("_")))
        return
    if record["_"] != "Message":
        yield Left(name, NOT_A_POST, str(dig(record, "action", "_")))
        return
    sender = record.get("from_id") or {}
    sender = sender if isinstance(sender, dict) else {"user_id": sender}
    author = f"user{sender['user_id']}" if sender.get("user_id") else f"channel{sender.get('channel_id') or channel}"
    media = record.get("media") or {}
    kind = str(dig(media, "document", "mime_type") or "")
    pictured = media.get("_") == "MessageMediaPhoto" or kind.startswith(("image/", "video/"))
    photo = dig(media, "photo", "id") or dig(media, "document", "id")
    names = ids(name, f"{channel}_{record['id']}", photo)
    reply = dig(record, "reply_to", "reply_to_msg_id") or record.get("reply_to_msg_id")
    likes = [int(one.get("count") or 0) for one in dig(record, "reactions", "results") or ()]
    yield Post(
        name, author, record.get("post_author"), record.get("message") or dig(media, "poll", "question", "text"),
        micros(record.get("date")), (Shown(names, kind.startswith("video/")),) if pictured else (), (), None, None,
        sum(likes) if likes else None, dig(record, "replies", "replies"), None, record.get("fwd_from") is not None,
        micros(record.get("edit_date")) or 0, f"{channel}-{reply}" if reply else None,
    )  # fmt: skip


def _chat(chat: Json, tree: Tree | None, folder: str) -> Found:
    if chat.get("type") not in OPEN:
        said = chat.get("messages") or ()
        yield from (Left(f"{chat.get('id')}-{m.get('id')}", PRIVATE, str(chat.get("type"))) for m in said)
        return

    def read(album: list[Json]) -> Found:
        if len(album) > 1 and sum(bool(_text(m)) for m in album) <= 1:
            yield _post(chat, album, tree, folder)
            yield from (Left(f"{chat['id']}-{m['id']}", ALBUM, f"of {chat['id']}-{album[0]['id']}") for m in album[1:])
        else:
            yield from each(album, alone)

    def alone(message: Json) -> Found:
        if message.get("type") == "message":
            yield _post(chat, [message], tree, folder)
        else:
            yield Left(f"{chat['id']}-{message.get('id')}", NOT_A_POST, str(message.get("type")))

    yield from each((list(together) for _, together in groupby(chat["messages"], key=_album)), read)


def _album(message: Json) -> tuple[Any, ...]:
    one = (message.get("photo") or message.get("media_type") == "video_file") and message.get("type") == "message"
    return (
        (message.get("date_unixtime") or message.get("date"), message.get("from_id")) if one else (message.get("id"),)
    )


def _post(chat: Json, album: list[Any], tree: Tree | None, folder: str) -> Post:
    first, author, name = album[0], album[0].get("from_id"), album[0].get("from")
    if chat["type"] == "public_channel":
        author, name = author or f"channel{chat['id']}", name or chat.get("name")
    elif isinstance(author, int):  # before 2021
        author = f"user{author}"
    text = next(filter(None, map(_text, album)), None)
    likes = sum(int(r.get("count", 0)) for r in first.get("reactions") or ()) if "reactions" in first else None
    reply = first.get("reply_to_message_id")
    return Post(
        f"{chat['id']}-{first['id']}", known(author), name, text,
        micros(first.get("date_unixtime") or first.get("date")), tuple(_shown(album, tree, folder)), (), None, None,
        likes, None, None, "forwarded_from" in first,
        micros(first.get("edited_unixtime")) or 0, f"{chat['id']}-{reply}" if reply else None,
    )  # fmt: skip


def _shown(album: list[Any], tree: Tree | None, folder: str) -> Iterator[Shown]:
    for message in album:
        file, kind = message.get("photo"), str(message.get("mime_type", ""))
        if not file and kind.startswith("image/") and message.get("media_type") != "sticker":
            file = message.get("file")
        video = not file and kind.startswith("video/")
        if video:
            file = message.get("thumbnail") or message.get("file")
        if isinstance(file, str):
            # `(File not included…)` names none; it counts as a picture that is not there.
            yield Shown((tree.picture(folder + file),) if tree else (file,), video)


def _text(message: Json) -> str | None:
    text = message.get("text") or ""
    parts = text if isinstance(text, list) else [text]
    written = "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in parts)
    return written or dig(message, "poll", "question")
