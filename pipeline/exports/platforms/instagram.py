"""Instagram: a folder of instaloader, with comments, and the download that a person gets of their account."""

import lzma
import re
from collections.abc import Mapping
from typing import Any

from pipeline.exports.platforms.zeeschuimer import instagram
from pipeline.exports.posts import (
    NOT_A_POST,
    UNREADABLE,
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
from pipeline.exports.sources import Tree, document

META = r"[^/]+\.json(\.xz)?"
PICTURE = r"\.(jpe?g|webp|png|heic)"
_POSTS, _VIDEOS = r"(posts_\d+|media)\.json", r"(reels|igtv_videos)\.json"
_USERNAME = {
    "username", "benutzername", "nom d'utilisateur", "nombre de usuario", "nome utente", "nome de usuário",
    "gebruikersnaam", "nazwa użytkownika", "имя пользователя", "användarnamn", "brugernavn", "brukernavn",
    "kullanıcı adı", "uživatelské jméno", "käyttäjätunnus", "ユーザーネーム", "用户名", "使用者名稱", "사용자 이름",
}  # fmt: skip
"""What a download calls the name of its account, in the language that the app had."""
_THREADS = r"threads_and_replies\.json"


def is_loaded(tree: Tree) -> bool:
    """A folder as instaloader writes it: metadata of which the first says what wrote it."""
    return any(isinstance(_node(tree, name), dict) for name in tree.matching(META)[:20])


def _node(tree: Tree, name: str) -> Any:
    """What instaloader wrote of a post or profile, None where it did not write the file."""
    with tree.open(name) as stream:
        data = stream.read()
    try:
        held = document(lzma.decompress(data) if name.endswith(".xz") else data, name)
    except Exception as error:  # told below, with the file's name
        return error
    return held if isinstance(held, dict) and "instaloader" in held and "node" in held else None


def loaded(tree: Tree) -> Found:
    """Posts with the pictures beside them, and who commented; profiles and stories are no posts."""
    apart = _apart(tree)
    for name in tree.matching(META):
        if name.endswith("_comments.json"):
            continue
        held = _node(tree, name)
        if held is None:
            continue
        if isinstance(held, Exception):
            yield Left(name, UNREADABLE, f"{tree.path}: {held}")
        elif held["instaloader"].get("node_type") != "Post":
            yield Left(name, NOT_A_POST, str(held["instaloader"].get("node_type")))
        else:
            stem = re.sub(r"\.json(\.xz)?$", "", name)
            node = held["node"]
            found = instagram({**node, "owner": node.get("owner") or dig(node, "iphone_struct", "user") or {}})
            if isinstance(found, Post):
                yield found._replace(shown=_beside(tree, stem, found.shown or (), apart))
                owner = dig(node, "owner", "id")
                yield from _comments(tree, f"{stem}_comments.json", str(owner)) if owner else ()
            else:
                yield found


def _apart(tree: Tree) -> Mapping[str, Mapping[str, list[str]]]:
    """Of folders of metadata without pictures, as people sort files by their kind: the pictures that lie in a folder
    without metadata, by what they are called. Those of one name in two folders may be of two people's posts.
    """
    found: dict[str, list[str]] = {}
    for name in tree.names:
        if called := re.fullmatch(rf"(?:.*/)?([^/]+?)(_\d+)?{PICTURE}", name):
            found.setdefault(called[1], []).append(name)
    pictured = {_folder(name) for names in found.values() for name in names}
    described = {_folder(name) for name in tree.matching(META)}
    one = {
        called: names
        for called, names in found.items()
        if len(folders := set(map(_folder, names))) == 1 and not folders & described
    }
    return dict.fromkeys(described - pictured, one)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _beside(
    tree: Tree, stem: str, listed: tuple[Shown, ...], apart: Mapping[str, Mapping[str, list[str]]]
) -> tuple[Shown, ...]:
    """The files of a post in order; what they show as the metadata says."""
    called = stem.rpartition("/")[2]
    own = [n for n in tree.beginning(stem) if re.fullmatch(rf"(_\d+)?{PICTURE}", n[len(stem) :])]
    own = own or apart.get(_folder(stem), {}).get(called, [])
    numbered = {int(m[1]) if (m := re.search(r"_(\d+)\.\w+$", n.rpartition(called)[2])) else 1: n for n in own}
    shown = listed or tuple(Shown(()) for _ in numbered)
    return tuple(
        s._replace(names=(tree.picture(numbered[k]), *s.names) if k in numbered else s.names)
        for k, s in enumerate(shown, start=1)
    )


def _comments(tree: Tree, name: str, owner: str) -> Found:
    if name in tree.held:
        for comment in tree.json(name):
            for one in [comment, *(comment.get("answers") or ())]:
                if who := known(dig(one, "owner", "id")):
                    yield Edge(who, owner, "comment")


def is_scraped(record: Json) -> bool:
    """The metadata file of instagram-scraper, whose pictures are called by the last step of their address."""
    return isinstance(record.get("GraphImages"), list)


def scraped(record: Json) -> Found:
    """The posts of an account."""
    yield from each(record["GraphImages"], lambda node: iter([instagram({**node, "user": _named(node)})]))


def _named(node: Json) -> Json:
    return {"username": node.get("username"), **(node.get("owner") or {})}


def _graph(record: Json) -> Json:
    """The post that an answer of Instagram's web is about."""
    inner = dig(record, "graphql", "shortcode_media") or dig(record, "data", "xdt_shortcode_media")
    found: Json = inner or dig(record, "data", "shortcode_media") or record.get("node") or record
    return found


def is_graph(record: Json) -> bool:
    """A post as Instagram's web had it, by itself or in the answer."""
    node = _graph(record)
    return isinstance(node, dict) and "shortcode" in node and {"edge_media_to_caption", "owner"} <= node.keys()


def graph(record: Json) -> Found:
    """The post. A data set of influencers calls pictures by its author and their ids."""
    found = instagram(_graph(record))
    if isinstance(found, Post) and found.shown and found.handle:
        own = [(*one.names, *(f"{found.handle}-{name}" for name in one.names if name.isdigit())) for one in found.shown]
        found = found._replace(
            shown=tuple(one._replace(names=names) for one, names in zip(found.shown, own, strict=True))
        )
    yield found


def is_download(tree: Tree) -> bool:
    """A person's download, in JSON."""
    names = tree.matching(_POSTS) + tree.matching(_VIDEOS)
    beside = r"(personal_information|account_information|profile|connections)[^/]*.*"
    # Of an archive in parts, one may hold the posts and another who it is of.
    if tree.matching(_THREADS):
        return True
    return bool(names) and bool(tree.matching(beside) or any("your_instagram_activity/" in name for name in names))


def download(tree: Tree) -> Found:
    """Posts, by the account of the zip; a post's id is made of the path of its first picture."""
    owner = _owner(tree)
    for name in tree.matching(_POSTS):
        held = tree.json(name)
        if isinstance(held, dict) and "media" in held:  # the only post
            held = [held]
        if isinstance(held, dict):  # 2020
            held = [{"media": [dict(p, uri=p["path"], title=p.get("caption"), creation_timestamp=p.get("taken_at"))]}
                    for p in held.get("photos") or ()]  # fmt: skip
        yield from each(held, lambda post: _own_post(post, owner, tree))
    for name in tree.matching(_VIDEOS):
        for listed in tree.json(name).values():
            yield from each(listed, lambda post: _own_post(post, owner, tree))
    for name in tree.matching(_THREADS):
        yield from each(
            dig(tree.json(name), "text_post_app_text_posts") or (), lambda post: _own_post(post, owner, tree)
        )
    for name in tree.matching(r"following\.json"):
        for item in dig(tree.json(name), "relationships_following") or ():
            target = dig(item, "string_list_data", 0, "value") or item.get("title")
            if target and owner:
                yield Edge(owner, str(target), "follow")


def _own_post(post: Json, owner: str, tree: Tree) -> Found:
    media = post.get("media") or []
    first: Json = media[0] if media else {}
    text = post.get("title") or (first.get("title") if len(media) == 1 else None)
    seen = [m["uri"] for m in media if m.get("uri")]  # a text of Threads has none
    shown = tuple(shown_at(tree, uri) for uri in seen)
    if not media:
        yield Left(f"{owner} {post.get('creation_timestamp')}", NOT_A_POST, "no picture")
        return
    when = post.get("creation_timestamp") or first.get("creation_timestamp")
    yield Post(f"{owner}/{seen[0] if seen else when}", None, owner, mended(text), micros(when), shown)


def shown_at(tree: Tree, uri: str) -> Shown:
    """A picture or a video of a download of Meta's, by its path there; what has no ending is a video."""
    name = uri.lower().rpartition("/")[2]
    return Shown(ids(tree.picture(uri), uri), name.endswith((".mp4", ".mov")) or "." not in name)


def _owner(tree: Tree) -> str:
    """The name of the account: as the download says, else that of the zip."""
    for name in tree.matching(r"(personal_information|profile)\.json"):
        held = tree.json(name)
        data = dig(held, "profile_user", 0, "string_map_data") or {}
        labels = [label for label in data if (mended(label) or "").lower().replace("’", "'") in _USERNAME]
        found = dig(data, *labels[:1], "value") or held.get("username") if isinstance(held, dict) else None
        if found:
            return str(found)
    return re.sub(r"^instagram-|-\d{4}-\d\d-\d\d.*$", "", tree.path.stem)


def mended(text: str | None) -> str | None:
    """Text whose UTF-8 was written byte by byte, as downloads have it; other text as it is."""
    try:
        return text.encode("latin-1").decode("utf-8") if text else None
    except UnicodeError:
        return text
