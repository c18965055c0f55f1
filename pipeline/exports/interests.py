"""Interests as the paper has them: a user has one if they follow, or commented on a post of, one of its brands.

Edges (user_id, target, kind) come from a file, and from the export itself: replies, follows, comments. Brands are a
table (target, interest). A target is matched by id or by name in small letters. The model never sees edges; a post that
is one, a reply to a brand, names the label and does not train.
"""

import contextlib
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.common.nothing import NO_TEXT
from pipeline.exports.posts import Edge, as_id, rounded
from pipeline.exports.separated import HEAD, layout, table
from pipeline.exports.sources import unpacked
from pipeline.running.errors import UserError, of_program

KINDS, OTHER = ("follow", "reply", "comment", "like", "mention", "repost"), "another kind"
"""Kinds of edges that a file may name; any other word is `OTHER`."""
_PROFILE = re.compile(
    r"(?:https?://)?(?:www\.|m\.|mobile\.)?(?:(?:x|twitter|instagram|tiktok|facebook|threads|vk|pinterest)\.(?:com|net)"
    r"|t\.me|bsky\.app/profile|(?:old\.)?reddit\.com/u(?:ser)?|youtube\.com(?=/@))/(@?[\w.-]+)/?(?:[?#].*)?",
    re.IGNORECASE,
)
"""The page of an account, where its name is the same on all servers. A person of Mastodon is their address."""


class Interests:
    """Users' interests, gathered edge by edge; without brands, nothing is."""

    def __init__(self, brands: Path | None) -> None:
        self._of_target: dict[str, set[str]] = {}
        for row in _rows(brands, ("target", "interest")) if brands else ():
            self._of_target.setdefault(key(row["target"]), set()).update(_listed(row["interest"]))
        self.users: dict[str, set[str]] = {}
        self._pending: list[Edge] = []
        self.edges: Counter[str] = Counter()

    def brand(self, *names: str | None) -> bool:
        """Whether one of these ids or names is a brand's."""
        return any(name and key(name) in self._of_target for name in names)

    def add(self, edge: Edge) -> None:
        """Take an edge in; one to a post (`post:ID`) waits until it is known whose that is."""
        if not self._of_target:
            self.edges["not used: corpus.brands is null"] += 1
        elif edge.target.startswith("post:"):
            self._pending.append(edge)
        elif found := self._of_target.get(key(edge.target)):
            self.edges[edge.kind] += 1
            self.users.setdefault(key(edge.user_id), set()).update(found)
        else:
            self.edges["to nobody among the brands"] += 1

    def read(self, path: Path) -> None:
        """Take in a file of edges: user_id, target and, if it has one, kind."""
        for row in _rows(path, ("user_id", "target")):
            kind = row.get("kind") or "follow"
            # It is counted in metrics, which are in Git: what else stands there may name somebody.
            self.add(Edge(row["user_id"], row["target"], kind if kind in KINDS else OTHER))

    @property
    def waits(self) -> bool:
        """Whether there are edges to posts."""
        return bool(self._pending)

    def settle(self, author: Mapping[str, str], names: Mapping[str, str | None]) -> None:
        """Edges to posts, by the posts' authors, whom brands may list by id or by the name in `names`."""
        waiting, self._pending = self._pending, []
        for edge in waiting:
            target = author.get(edge.target.removeprefix("post:"))
            if target is None:
                self.edges["to a post that is not there"] += 1
            else:
                self.add(edge._replace(target=target if self.brand(target) else names.get(target) or target))

    def of(self, *names: str | None) -> list[str]:
        """The interests of a user, by id and name, sorted."""
        return sorted(set().union(*(self.users.get(key(name), set()) for name in names if name)))


def key(name: str) -> str:
    """An id or name as it is compared; of the address of a profile, the name."""
    name = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf").strip()
    profile = _PROFILE.fullmatch(name) if "/" in name else None
    return (profile[1] if profile else name).lstrip("@").lower()


def _listed(cell: str) -> list[str]:
    """The interests in a cell: a list of JSON, or parted by `;`, `|` or lines; what stands for none is none."""
    found: list[object] = list(re.split(r"[;|\n]", html.unescape(cell)))
    if cell.lstrip().startswith("["):
        with contextlib.suppress(ValueError):
            found = json.loads(cell)
    return [name for one in found if one is not None and (name := str(one).strip()) and not re.match(NO_TEXT, name)]


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a table that have all that is `needed`. Raises UserError where one cannot be read."""
    if not path.is_file():
        raise UserError(f"{path} is not a file; expected a CSV with the columns {', '.join(needed)}.")
    if what := of_program(path.suffix.lower()):
        raise UserError(f"{path} is {what}.")
    with unpacked(path.open("rb")) as stream:
        how = layout(stream.peek(HEAD), lambda names: set(needed) <= set(names))
        if missing := [name for name in needed if name not in how.header]:
            raise UserError(f"{path}: no column {missing[0]}; columns found: {', '.join(how.header)}.")
        for number, row in table(stream, how):
            if isinstance(row, Exception):
                raise UserError(f"{path}: row {number}: {row}.")
            if all(row[name].strip() for name in needed):
                ids = {name: as_id(row[name].strip()) for name in ("user_id", "target") if name in needed}
                if lost := next(filter(rounded, ids.values()), None):
                    raise UserError(
                        f"{path}: line {number}: {lost} is an id that a spreadsheet rounded; export the table again "
                        "with ids as text."
                    )
                yield row | ids
