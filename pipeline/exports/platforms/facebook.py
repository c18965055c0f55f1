"""Facebook: the download that a person gets of their account, in JSON.

It says neither the id of a post nor who could see it: most posts of most people are for friends, and who gives their
download gives them knowingly.
"""

import hashlib
import re
from typing import Any

from pipeline.exports.platforms.instagram import mended, shown_at
from pipeline.exports.posts import NOT_A_POST, Edge, Found, Json, Left, Post, dig, each, micros
from pipeline.exports.sources import Tree

_POSTS = r"(your_posts(__check_ins__photos_and_videos)?|your_facebook_activity_posts)(_\d+)?\.json"
_ALBUMS = r"((posts|photos_and_videos)/album/\d+|your_uncategorized_photos)\.json"


def is_download(tree: Tree) -> bool:
    """A person's download with posts or albums."""
    return bool(tree.matching(_POSTS) or tree.matching(_ALBUMS))


def download(tree: Tree) -> Found:
    """Posts, by the account of the zip; a post's id is made of its time, and the name of its first picture or, as apps
    post several in one second, a hash of its words. A photo of an album that no post shows is one by itself.
    """
    owner = _owner(tree)
    posted: set[str] = set()
    for name in tree.matching(_POSTS):
        held = tree.json(name)
        within = [one for listed in _lists(held) for one in listed] if "timestamp" not in held else []
        for post in held if isinstance(held, list) else within or [held]:
            posted.update(one["uri"] for one in _media(post))
            yield from each([post], lambda post: _post(post, owner, tree))
    for name in tree.matching(_ALBUMS):
        listed = [one for held in _lists(tree.json(name)) for one in held]
        photos = [one for one in listed if one.get("uri") and one["uri"] not in posted]
        yield from each(photos, lambda photo: _post(_of_album(photo), owner, tree))
    for name in tree.matching(r"(pages_you_follow|pages_you've_liked|who_you_follow|following)\.json"):
        for listed in _lists(tree.json(name)):
            yield from (Edge(owner, mended(str(one)) or "", "follow") for one in map(_followed, listed) if one)


def _lists(held: Any) -> list[list[Json]]:
    return [one for one in held.values() if isinstance(one, list)] if isinstance(held, dict) else []


def _followed(item: Json) -> str | None:
    return dig(item, "data", 0, "name") or item.get("name") or item.get("title")


def _post(post: Json, owner: str, tree: Tree) -> Found:
    media = _media(post)
    notes = [note for attached in post.get("attachments") or () for one in attached.get("data") or ()
             if (note := one.get("note"))]  # fmt: skip
    said = next(filter(None, (one.get("post") for one in post.get("data") or ())), None)
    said = said or "\n".join(filter(None, (dig(notes, 0, "title"), dig(notes, 0, "text")))) or None
    said = said or next(filter(None, (one.get("description") for one in media)), None)
    when = post.get("timestamp")
    if not said and not media:
        yield Left(f"{owner}/{when}", NOT_A_POST, mended(post.get("title")) or "neither words nor a picture")
        return
    shown = tuple(shown_at(tree, one["uri"]) for one in media)
    told = media[0]["uri"].rsplit("/", 1)[-1] if media else hashlib.sha256(str(said).encode()).hexdigest()[:8]
    name = "/".join((owner, str(when), told))
    yield Post(name, None, owner, mended(said), micros(when), shown)


def _media(post: Any) -> list[Json]:
    """The pictures and videos that a post shows."""
    attached = [one for part in dig(post, "attachments") or () for one in dig(part, "data") or ()]
    media = [one for part in attached for one in (dig(part, "media"), *(dig(part, "note", "media") or ()))]
    return [one for one in media if dig(one, "uri")]


def _of_album(photo: Json) -> Json:
    """A photo of an album as a post that shows it."""
    return {"timestamp": photo.get("creation_timestamp"), "attachments": [{"data": [{"media": photo}]}]}


def _owner(tree: Tree) -> str:
    """The name of the account: as the download says, else that of the zip."""
    for name in tree.matching(r"profile_information\.json"):
        held = tree.json(name)
        about = (held.get("profile_v2") or held.get("profile") or {}) if isinstance(held, dict) else {}
        found = about.get("username") or dig(about, "name", "full_name") or about.get("name")
        if isinstance(found, str):
            return mended(found) or found
    return re.sub(r"^facebook-|-\d{4}-\d\d-\d\d.*$", "", tree.path.stem)
