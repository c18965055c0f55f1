"""What is known: kinds of records of JSON, of folders and of zips; and what to do about what lacks something."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.exports import columns
from pipeline.exports.platforms import (
    bluesky,
    discord,
    facebook,
    flickr,
    gallery_dl,
    instagram,
    linkedin,
    mastodon,
    reddit,
    telegram,
    tiktok,
    twitter,
    vk,
    youtube,
    zeeschuimer,
)
from pipeline.exports.posts import NOT_A_POST, ODD, UNREADABLE, Found, Json, Left
from pipeline.exports.sources import Tree


class Kind(NamedTuple):
    """What a record of JSON may be: whether one `fits`, and what it holds."""

    name: str
    fits: Callable[[Json], bool]
    read: Callable[[Json], Found]


JSON = (
    Kind("twarc, pages of API v2", twitter.is_page, twitter.page),
    Kind("Bluesky, events of Jetstream", bluesky.is_event, bluesky.event),
    Kind("Zeeschuimer or 4CAT, items", zeeschuimer.is_item, zeeschuimer.item),
    Kind("Bluesky, answers of the AppView", bluesky.is_view, bluesky.view),
    Kind("Bluesky, records of a repository", bluesky.is_listing, bluesky.listing),
    Kind("tweets of API v1.1", twitter.is_old, twitter.old),
    Kind("tweets of API v1.1", twitter.is_notice, twitter.notice),
    Kind("twarc, flat tweets of API v2", twitter.is_flat, twitter.flat),
    Kind("academictwitteR, what tweets refer to", twitter.is_includes, twitter.includes),
    Kind("Reddit, bdfr's archives", reddit.is_archived, reddit.archived),
    Kind("Reddit, submissions or comments", reddit.is_thing, reddit.thing),
    Kind("Reddit, listings", reddit.is_listing, reddit.listing),
    Kind("RedCaps, annotations", reddit.is_captions, reddit.captions),
    Kind("Mastodon, statuses", mastodon.is_status, mastodon.status),
    Kind("mastodon-archive", mastodon.is_collection, mastodon.collection),
    Kind("Mastodon, an outbox", mastodon.is_outbox, mastodon.outbox),
    Kind("Telegram, one chat", telegram.is_chat, telegram.chat),
    Kind("Telegram, an account", telegram.is_account, telegram.account),
    Kind("Telegram, messages of Telethon", telegram.is_message, telegram.message),
    Kind("Telegram, snscrape", telegram.is_scraped, telegram.scraped),
    Kind("VK, answers of the API", vk.is_answer, vk.answer),
    Kind("VK, posts or comments", vk.is_item, vk.item),
    Kind("yt-dlp, videos", youtube.is_info, youtube.info),
    Kind("yt-dlp, a playlist", youtube.is_playlist, youtube.playlist),
    Kind("YouTube's API, comments", youtube.is_threads, youtube.threads),
    Kind("Discord, a channel", discord.is_channel, discord.channel),
    Kind("Bluesky, events of Tap", bluesky.is_tap, bluesky.tap),
    Kind("Instagram, instagram-scraper", instagram.is_scraped, instagram.scraped),
    Kind("Instagram, posts of its web", instagram.is_graph, instagram.graph),
    Kind("Instagram, TikTok or X, items of their web", zeeschuimer.is_bare, zeeschuimer.bare),
    Kind("TikTok, a person's download", tiktok.is_download, tiktok.download),
)
TREES: tuple[tuple[str, Callable[[Tree], bool], Callable[[Tree], Found]], ...] = (
    ("X, a person's archive", twitter.is_archive, twitter.archive),
    ("academictwitteR, a folder", twitter.is_bound, twitter.bound),
    ("Mastodon, a person's archive", mastodon.is_archive, mastodon.archive),
    ("Bluesky, repositories as folders", bluesky.is_unpacked, bluesky.unpacked),
    ("Telegram, an export", telegram.is_export, telegram.export),
    ("Instagram, a person's download", instagram.is_download, instagram.download),
    ("Facebook, a person's download", facebook.is_download, facebook.download),
    ("LinkedIn, a person's download", linkedin.is_download, linkedin.download),
    ("Flickr, a person's download", flickr.is_download, flickr.download),
    ("Reddit, a person's download", reddit.is_download, reddit.download),
    ("Discord, a person's download", discord.is_download, discord.download),
    ("instaloader, a folder", instagram.is_loaded, instagram.loaded),
    ("gallery-dl, a folder", gallery_dl.is_folder, gallery_dl.folder),
)
BESIDE = {telegram.export: telegram.beside, twitter.bound: twitter.beside}
"""What of a folder of such a kind may be an export of its own; of the others nothing is."""
_TIKTOK = columns.fitting(["id", "username", "video_description", "create_time"])
LACKING = {
    ("Date", "ShareLink", "ShareCommentary"): "LinkedIn's Shares.csv does not say whose it is; name the zip, or the "
    "folder with Profile.csv",
    ("id", "permalink", "gildings", "body"): "reddit's posts.csv and comments.csv do not say whose they are; name the "
    "zip, or the folder with statistics.csv",
    ("tweet_id", "retweeted_status_user_id", "expanded_urls"): "tweets.csv of X's archives of before 2018 does not say "
    "whose it is; name the zip, or the folder with data/js; or call the file by its owner, and say by corpus.columns "
    "what holds what, with of_file: true",
    (
        "photopage",
        "date_taken",
        "privacy",
    ): "Flickr's photos do not say whose they are; unpack all parts of its "
    "download into one folder, as one has account_profile.json",
    ("timestamp", "data"): "if this is of Facebook's download, name the zip, or the folder that it is in",
    ("media",): "if this is of Instagram's download, name the zip, or the folder with personal_information.json",
    (
        "fileIds",
        "visibleUserIds",
        "localOnly",
    ): "Misskey's notes do not say whose they are; call the file by its "
    "owner, and say by corpus.columns what holds what, with of_file: true",
    ("subreddit.id", "subreddit.name", "created_utc"): "SocialGrep's tables of Reddit do not say by whom a post is",
    ("bookmarks", "cursor"): "bookmarks of Bluesky are what somebody kept of others; ask for the feed of an author",
    ("participants", "messages", "title"): "messages of Messenger and Instagram are private, and not read",
    ("AuthorID", "Author", "Date", "Content"): "DiscordChatExporter's CSV has no ids of messages; export as JSON",
    ("From User", "Conversation Stream", "snTypeColumn"): "Sprinklr exports what was chosen; choose a column of ids or "
    "links, and say by corpus.columns what holds what",
}
"""What is to be done about files that are known to lack something, by some of their columns or keys."""
_OF_META = {"title", "media", "creation_timestamp", "timestamp", "data", "attachments", "tags"}
"""Keys of posts of Meta's downloads: a name or two of them are columns of others, too."""
INSTEAD = (
    (r"\.xml$", "XML, such as {}, which is not read: write its rows as CSV or JSON lines"),
    (
        r"\.html?$",
        "web pages, such as {}, which are not read: ask for the download again as JSON, which most platforms offer, or "
        "collect the posts with gallery-dl",
    ),
    (
        r"(^|/)\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_UTC(_\d+)?\.\w+$",
        "instaloader's files, such as {}, without the metadata that say whose they are: run it again without "
        "--no-metadata-json",
    ),
    (
        r"(^|/)(Posts|Comments|Watch History|Like List)\.txt$",
        "what TikTok gives as text, such as {}, which is not read: ask for the download again as JSON",
    ),
    (r"(?i)\.(jpe?g|png|webp|heic|gif)$", "pictures, such as {}, but neither a table nor JSON of posts"),
)
"""What is to be done about folders and zips in which nothing is known, by the name of a file."""
OWNER = (
    r"(account\.js|user_details\.js|actor\.json|personal_information\.json|profile_information\.json|Profile\.csv"
    r"|statistics\.csv|account_profile\.json|user\.json)"
)
"""The file that says whose a person's archive or download is."""
FIRST = rf"({OWNER}|your_posts\w*\.json|posts_1\.json|outbox\.json)"
"""That, and files of which a download has no two of one name: where there are two, there are several downloads."""


def kind_of(record: Json) -> Kind | None:
    """What a record is; None where it is nothing that is known."""
    if isinstance(record.get("data"), Mapping) and isinstance(record["data"].get("videos"), list):
        return Kind("TikTok Research API, pages", _is_tiktok, _tiktok)
    if set(record) <= {"errors", "title", "detail", "type", "__twarc"} and "errors" in record:
        return Kind(JSON[0].name, lambda one: set(one) <= {"errors", "title", "detail", "type", "__twarc"}, _errors)
    return next((kind for kind in JSON if kind.fits(record)), None)


def _is_tiktok(record: Json) -> bool:
    return isinstance(record.get("data"), Mapping) and "videos" in record["data"]


def _tiktok(record: Json) -> Found:
    assert _TIKTOK is not None
    return columns.posts(enumerate(record["data"]["videos"], start=1), _TIKTOK, "a page")


def _errors(record: Json) -> Found:
    yield Left("?", NOT_A_POST, "a response of errors alone")


def read(rows: Iterator[tuple[int, Any]], kind: Kind, path: str) -> Found:
    """What numbered records hold, most of which are of `kind`; those that are of none have their reason."""
    for number, record in rows:
        place = f"row {number} of {path}"
        if not isinstance(record, Mapping):
            yield Left(place, UNREADABLE, f"{place}: {record if isinstance(record, Exception) else 'not an object'}")
            continue
        reader = kind if kind.fits(record) else kind_of(record)
        if reader is None:
            yield Left(place, UNREADABLE, f"{place}: keys {', '.join(record)[:200]}")
            continue
        try:
            yield from list(reader.read(record))
        except ODD as error:
            yield Left(place, UNREADABLE, f"{place}: {type(error).__name__} {error}")


def lacking(held: Iterable[str]) -> str:
    """What is to be done about a file with these columns or keys, if that is known."""
    found = set(held)
    if len(found) == 1 and re.fullmatch(r"\d{8,}|(tweet|status)?_?ids?(_str)?", next(iter(found)), re.IGNORECASE):
        return ": ids alone are no posts yet; get the posts by them, as with `twarc2 hydrate`"
    fitting = (
        why
        for names, why in LACKING.items()
        if set(names) <= found and (len(names) > 2 or found <= {*names, *_OF_META})
    )
    return next((f": {why}" for why in fitting), "")


def instead(names: Iterable[str]) -> str:
    """What is to be done where nothing is known of the files `names`, by the first that tells."""
    held = list(names)
    for pattern, told in INSTEAD:
        if found := next((name for name in held if re.search(pattern, name)), None):
            return f". It holds {told.format(found)}"
    return ""
