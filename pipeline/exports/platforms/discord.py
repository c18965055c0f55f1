"""Discord: the JSON of DiscordChatExporter, a channel a file, and the download that a person gets of their account.

What is of no server is private, and left out.
"""

from pipeline.exports.posts import (
    NOT_A_POST,
    PRIVATE,
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
)
from pipeline.exports.resolving import ENDINGS
from pipeline.exports.separated import table
from pipeline.exports.sources import Tree

_MESSAGES = r"c?\d+/messages\.(json|csv)"
DIRECT = ("DirectTextChat", "DirectGroupTextChat")
WRITTEN = ("Default", "Reply", "ThreadStarterMessage")
_VIDEOS = (".mp4", ".mov", ".webm", ".m4v")


def is_channel(record: Json) -> bool:
    """A channel of a server, or direct messages."""
    return isinstance(record.get("guild"), dict) and "channel" in record and isinstance(record.get("messages"), list)


def channel(record: Json) -> Found:
    """The messages of a channel; notices (joined, pinned) and bots are no posts."""
    guild, channel = record["guild"], record["channel"]
    private = channel.get("type") in DIRECT or str(guild.get("id")) == "0"

    def read(message: Json) -> Found:
        name, kind = str(message["id"]), str(message.get("type", "Default"))
        author = message.get("author") or {}
        if private:
            yield Left(name, PRIVATE, str(channel.get("type")))
        elif kind not in WRITTEN:
            yield Left(name, NOT_A_POST, kind)
        elif author.get("isBot"):
            yield Left(name, "a known bot", str(author.get("name")))
        else:
            likes = sum(int(one.get("count") or 0) for one in message.get("reactions") or ())
            yield Post(
                name, known(author.get("id")), author.get("name"), message.get("content") or None,
                micros(message.get("timestamp")), tuple(_shown(message)), (), None,
                f"https://discord.com/channels/{guild.get('id')}/{channel.get('id')}/{name}", likes, None, None,
                dig(message, "reference", "type") == "Forward", micros(message.get("timestampEdited")) or 0,
                dig(message, "reference", "messageId"),
            )  # fmt: skip

    yield from each(record["messages"], read)


def _shown(message: Json) -> list[Shown]:
    """Pictures and videos among the attachments; with --media their address is the file beside the export."""
    found = []
    for one in message.get("attachments") or ():
        url, name = str(one.get("url") or ""), str(one.get("fileName") or "")
        file = last(name or url).lower()
        if file.endswith(ENDINGS + _VIDEOS):
            names = ids(url, last(url), f"{one.get('id')}-{name}", one.get("id"))
            found.append(Shown(names, file.endswith(_VIDEOS)))
    return found


def is_download(tree: Tree) -> bool:
    """A person's download with messages."""
    return bool(tree.matching(_MESSAGES) and tree.matching(r"user\.json"))


def download(tree: Tree) -> Found:
    """What its owner wrote in channels of servers."""
    user = tree.json(tree.matching(r"user\.json")[0])
    for name in tree.matching(_MESSAGES):
        about = f"{name.rpartition('/')[0]}/channel.json"
        channel = tree.json(about) if about in tree.held else {}
        if not dig(channel, "guild", "id"):
            yield Left(str(channel.get("id") or name), PRIVATE, "a channel of no server that is known")
            continue
        with tree.open(name) as stream:
            rows = tree.json(name) if name.endswith(".json") else [row for _, row in table(stream)]
        yield from each(rows, lambda row: _own(row, user))


def _own(row: Json, user: Json) -> Found:
    urls = str(row.get("Attachments") or "").split()
    attached = {"attachments": [{"url": url, "fileName": last(url)} for url in urls]}
    yield Post(str(row["ID"]), known(user.get("id")), user.get("username"), row.get("Contents") or None,
               micros(row.get("Timestamp")), tuple(_shown(attached)))  # fmt: skip
