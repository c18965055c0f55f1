"""Flickr: what a person gets of their account, a JSON a photo, and zips of the photos, called `TITLE_ID_o.jpg`."""

import re

from pipeline.exports.posts import PRIVATE, Found, Left, Post, Shown, count, dig, each, ids, known, last, micros, plain
from pipeline.exports.sources import Tree

_PHOTO = r"photo_\d+\.json"


def is_download(tree: Tree) -> bool:
    """A person's download with photos' metadata."""
    return bool(tree.matching(_PHOTO)) and bool(tree.matching(r"(account_profile|albums)\.json"))


def download(tree: Tree) -> Found:
    """The photos that everybody may see: title, description and tags, as of Flickr's other forms."""
    held = [tree.json(name) for name in tree.matching(r"account_profile\.json")]
    owner, name = (next((one[key] for one in held if one.get(key)), None) for key in ("nsid", "screen_name"))

    def read(path: str) -> Found:
        photo = tree.json(path)
        number = str(photo.get("id") or re.sub(r"\D", "", path.rpartition("/")[2]))
        if photo.get("privacy", "public") != "public":
            yield Left(number, PRIVATE, str(photo["privacy"]))
            return
        page, url = photo.get("photopage"), photo.get("original")
        whose = re.search(r"/photos/([^/]+)/", page or "")
        tags = " ".join(str(dig(one, "tag")) for one in photo.get("tags") or () if dig(one, "tag"))
        text = "\n".join(part for part in (plain(photo.get("name")), plain(photo.get("description")), tags) if part)
        when = photo.get("date_imported") or photo.get("date_upload") or photo.get("date_taken")
        yield Post(number, known(owner), name or (whose[1] if whose else tree.path.stem), text or None, micros(when),
                   (Shown(ids(number, url, last(url))),), (), None, page, count(photo.get("count_faves")),
                   count(photo.get("count_comments")))  # fmt: skip

    yield from each(tree.matching(_PHOTO), read)
