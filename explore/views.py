"""What each page tells, as plain data: the HTML, the JSON and the CSV of an address are made of the same.

Ids are given as they are; `href` is the address of a thing. Cosines have four digits.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from pipeline.common.log_odds import log_odds
from pipeline.running.params import validate
from pipeline.space.library import HELD_OUT
from pipeline.space.question import Term, spelled
from pipeline.space.space import KINDS, Answer, Asked, Filters, Space

Data = dict[str, Any]
CONTEXT = 3
"""Posts before and after one, by its author."""
NEIGHBOURS = 10
WORDS = 20
MAPPED = ("user", "image")
PAGE = 60
"""Posts, users or images of one page of a list."""


class NotFound(Exception):
    """There is no such thing; the message says which."""


def address(kind: str, name: str) -> str:
    """The address of a user, an image or a post; behind ?id where a browser would resolve dots between slashes."""
    if {".", ".."} & set(name.split("/")) or not name:
        return f"/{kind}/?id={quote(name, safe='')}"
    return f"/{kind}/{quote(name, safe='')}"


class Views:
    """The pages of one space. `metrics` is the folder of what the stages measured."""

    def __init__(self, space: Space, metrics: Path) -> None:
        self.space, self.library, self.metrics = space, space.library, metrics

    # ------------------------------------------------------------ things in short
    def post(self, row: int) -> Data:
        """A post in short."""
        post = self.library.post(row)
        return {
            "post_id": post.post_id,
            "href": address("post", post.post_id),
            "user_id": post.user_id,
            "user_href": address("user", post.user_id),
            "text": post.text,
            "created_at": post.created_at.isoformat(sep=" ", timespec="minutes") if post.created_at else None,
            "side": post.side,
            "held_out": post.side in HELD_OUT,
            "images": list(post.images),
        }

    def person(self, row: int) -> Data:
        """A user in short, with the first image of theirs."""
        library, name = self.library, self.library.users[row].as_py()
        posts = library.by_user.rows(row)
        image = next((int(i) for post in posts[:50] for i in library.images_of_post(int(post)) if i >= 0), None)
        return {
            "user_id": name,
            "href": address("user", name),
            "posts": len(posts),
            "cluster": int(library.cluster[row]) if library.cluster[row] >= 0 else None,
            "image": library.images[image].as_py() if image is not None else None,
        }

    def image(self, row: int) -> Data:
        """An image in short, with a post that shows it."""
        name, posts = self.library.images[row].as_py(), self.library.posts_of_image(row)
        post = self.library.post(int(posts[0])) if len(posts) else None
        return {
            "image_id": name,
            "href": address("image", name),
            "text": post.text if post else "",
            "user_id": post.user_id if post else None,
            "posts": len(posts),
        }

    def answer(self, answer: Answer) -> Data:
        """An answer with what a reader needs to know of it."""
        told: Data = {
            "kind": answer.kind,
            "id": answer.id,
            "cosine": round(answer.cosine, 4),
            "above_chance": answer.above_chance,
            "copies": answer.copies,
            "held_out": answer.held_out,
        }
        library = self.library
        if answer.kind == "user":
            row = library.row_of_user(answer.id)
            told |= self.person(row) if row >= 0 else {"href": address("user", answer.id), "image": None}
            told["because"] = [self.post(library.row_of_post(name)) for name in answer.because]
        elif answer.kind == "image":
            row = library.row_of_image(answer.id)
            told |= self.image(row) if row >= 0 else {"href": address("image", answer.id), "text": ""}
        else:
            row = library.row_of_post(answer.id)
            told |= self.post(row) if row >= 0 else {"href": address("post", answer.id), "text": ""}
        return told

    def answers(self, asked: Asked, top: int, filters: Filters, kinds: Sequence[str] = KINDS) -> Data:
        """Rows of answers, by kind."""
        return {
            f"{kind}s": [self.answer(answer) for answer in self.space.nearest(asked, kind, top, filters)]
            for kind in kinds
        }

    # ------------------------------------------------------------ pages
    def search(self, question: str, asked: Asked, top: int, filters: Filters, kinds: Sequence[str]) -> Data:
        """What lies nearest to a question."""
        return {
            "question": question,
            "terms": [{"sign": term.sign, "kind": term.kind, "value": term.value} for term in asked.terms],
            "notes": list(asked.notes),
            "unknown": {word: list(alike) for word, alike in asked.unknown.items()},
            "from_parts": {word: list(near) for word, near in asked.from_parts.items()},
            "answered": asked.vector is not None,
            "answers": self.answers(asked, top, filters, kinds),
        }

    def user(self, name: str, page: int) -> Data:
        """A user: words, neighbours, cluster, interests, posts by time."""
        library, row = self.library, self.library.row_of_user(name)
        if row < 0:
            raise NotFound(f"There is no user {name}.")
        rows = library.by_user.rows(row)
        times = library.times[rows]
        rows = rows[np.lexsort((rows, times, np.isnat(times)))]
        vector = self.space.vector("user", name)
        asked = Asked((Term(1, "user", name),), vector, "user")
        found = self.answers(asked, NEIGHBOURS, Filters(), ("user", "image"))
        for near in found["users"]:
            near["shared_words"] = self.shared_words(row, library.row_of_user(near["id"]))
        interests, cluster = library.interests.get(name, []), int(library.cluster[row])
        return {
            "user_id": name,
            "spelled": spelled("user", name),
            "posts_in_all": len(rows),
            "trained_on": int((library.side[rows] == "train").sum()),
            "held_out": int(np.isin(library.side[rows], HELD_OUT).sum()),
            "from": _day(times.min()) if len(times) and not np.isnat(times).any() else None,
            "to": _day(times.max()) if len(times) and not np.isnat(times).any() else None,
            "words": self.words_of(row),
            "interests": list(interests),
            "predicted": self.predicted(asked),
            "cluster": self.cluster_in_short(cluster) if cluster >= 0 else None,
            "has_vector": vector is not None,
            "nearest": found,
            "posts": [self.post(int(r)) for r in _page(rows, page)],
            **_pages(len(rows), page),
        }

    def image_page(self, name: str) -> Data:
        """An image: who posted it, copies, what lies nearest."""
        library, row = self.library, self.library.row_of_image(name)
        if row < 0:
            raise NotFound(f"There is no image {name}.")
        whole = library.images[row].as_py()
        asked = Asked((Term(1, "image", whole),), self.space.vector("image", whole), "image")
        return {
            "image_id": whole,
            "spelled": spelled("image", whole[:12]),
            "posted": [self.post(int(r)) for r in library.posts_of_image(row)],
            "copies": [self.image(int(r)) for r in library.copies_of_image(row) if r != row],
            "nearest": self.answers(asked, NEIGHBOURS, Filters()),
        }

    def post_page(self, name: str) -> Data:
        """A post in its context, and what lies nearest to it."""
        library, row = self.library, self.library.row_of_post(name)
        if row < 0:
            raise NotFound(f"There is no post {name}.")
        own = library.by_user.rows(int(library.author[row]))
        times = library.times[own]
        own = own[np.lexsort((own, times, np.isnat(times)))]
        at = int(np.flatnonzero(own == row)[0])
        asked = Asked((Term(1, "post", name),), self.space.post_vector(row), "text")
        return {
            "post": self.post(row),
            "spelled": spelled("post", name),
            "exported": self._exported(name),
            "by_time": bool(not np.isnat(times).all()),
            "before": [self.post(int(r)) for r in own[max(0, at - CONTEXT) : at]],
            "after": [self.post(int(r)) for r in own[at + 1 : at + 1 + CONTEXT]],
            "copies": [self.post(int(r)) for r in library.copies_of_text(row) if r != row][:PAGE],
            "nearest": self.answers(asked, NEIGHBOURS, Filters()),
        }

    def _exported(self, name: str) -> Data:
        """What an export told of a post; an address only if a browser may follow it, who is answered only if known."""
        told = self.library.exported(name)
        if told:
            answered = told["reply_to"] if self.library.row_of_user(told["reply_to"] or "") >= 0 else None
            told |= {"reply_to": answered, "reply_to_href": answered and address("user", answered)}
            told["url"] = told["url"] if (told["url"] or "").startswith(("https://", "http://")) else None
        return told

    def cluster(self, number: int) -> Data:
        """A cluster: its members, words, images, posts over time, and what parts it from its neighbours."""
        library = self.library
        members = np.flatnonzero(library.cluster == number)
        if not len(members):
            raise NotFound(f"There is no cluster {number}.")
        order = members[np.argsort(-library.cluster_similarity[members], kind="stable")]
        centre = self.centres[number]
        asked = Asked((), centre, "user")
        inside = np.isin(library.author, members)
        others = sorted(
            (other for other in self.centres if other != number), key=lambda other: -float(self.centres[other] @ centre)
        )[:5]
        return {
            **self.cluster_in_short(number),
            "members": [
                self.person(int(r)) | {"cosine": round(float(library.cluster_similarity[r]), 4)} for r in order
            ],
            "nearest": self.answers(asked, 18, Filters(), ("image", "text")),
            "months": _months(library.times[inside]),
            "neighbours": [
                self.cluster_in_short(other)
                | {"cosine": round(float(self.centres[other] @ centre), 4)}
                | dict(zip(("here", "there"), self.parting_words(number, other), strict=True))
                for other in others
            ],
        }

    def clusters(self) -> Data:
        """All clusters in short."""
        return {"clusters": [self.cluster_in_short(number) for number in sorted(self.centres)]}

    def users(self, page: int, begins: str = "") -> Data:
        """All users, those who post most first."""
        library = self.library
        counts = library.by_user.counts()
        rows = np.argsort(-counts, kind="stable")
        if begins:
            wanted = begins.casefold()
            rows = np.array([r for r in rows if wanted in library.users[int(r)].as_py().casefold()], np.int64)
        return {"begins": begins, "users": [self.person(int(r)) for r in _page(rows, page)], **_pages(len(rows), page)}

    def about(self) -> Data:
        """What ran: the settings that matter, what was measured, and how the model was made."""
        params = validate(self.metrics.parent / "params.yaml")
        model = json.loads((self.space.data / "model/config.json").read_text(encoding="utf-8"))
        return {
            "source": params.corpus.source,
            "recipe": params.recipe,
            "seed": params.seed,
            "lambdas": list(params.lambdas),
            "posts": len(self.library.post_ids),
            "users": len(self.library.users),
            "images": len(self.library.images),
            "vectors": {kind: len(self.space.ids(kind)) for kind in KINDS},
            "numbers_per_vector": int(self.space.vectors("user").values.shape[1]),
            "model": model,
            "metrics": {
                name: json.loads(path.read_text(encoding="utf-8"))
                for name in ("import", "text", "split", "audit", "train", "retrieval", "interests", "clusters")
                if (path := self.metrics / f"{name}.json").exists()
            },
        }

    # ------------------------------------------------------------ the map
    @cached_property
    def _points(self) -> dict[str, Any]:
        return {kind: self.library.points(kind).combine_chunks() for kind in MAPPED}

    def map(self, kind: str) -> Data:
        """The points of a kind as whole numbers from 0 to 65535, row by row; names where clusters lie."""
        table = self._points[kind]
        x, y = (table[name].to_numpy() for name in ("x", "y"))
        of = table["cluster"].to_numpy()
        names = [
            {
                "cluster": number,
                "name": self.cluster_in_short(number)["name"],
                "x": int((np.median(x[of == number]) + 1) / 2 * 65535),
                "y": int((np.median(y[of == number]) + 1) / 2 * 65535),
            }
            for number in sorted(set(of.tolist()) - {-1})
        ]
        return {
            "kind": kind,
            "x": ((x + 1) / 2 * 65535).astype(int).tolist(),
            "y": ((y + 1) / 2 * 65535).astype(int).tolist(),
            "cluster": of.tolist(),
            "names": names,
        }

    def map_rows(self, kind: str, rows: Sequence[int]) -> Data:
        """What lies at some rows of the map."""
        ids = self._points[kind]["id"]
        library = self.library
        told, of = (self.person, library.row_of_user) if kind == "user" else (self.image, library.row_of_image)
        return {"things": [told(of(ids[row].as_py())) | {"row": row} for row in rows if 0 <= row < len(ids)]}

    # ------------------------------------------------------------ words
    @cached_property
    def centres(self) -> dict[int, Any]:
        """The centre of each cluster: the mean of its users' vectors, at unit length."""
        vectors, of = self.space.vectors("user"), self.library.cluster
        rows = np.array([self.library.row_of_user(name) for name in vectors.ids.to_pylist()], np.int64)
        at = np.where(rows >= 0, np.append(of, -1)[rows], -1)
        found = {}
        for number in sorted(set(at.tolist()) - {-1}):
            mean = vectors.values[at == number].mean(axis=0)
            found[number] = mean / max(1e-9, float(np.linalg.norm(mean)))
        return found

    def cluster_in_short(self, number: int) -> Data:
        """A cluster by its number, size and words."""
        words = self.library.cluster_words.get(number, [])
        return {
            "number": number,
            "href": f"/cluster/{number}",
            "name": ", ".join(words[:3]) or f"cluster {number}",
            "words": words[:WORDS],
            "users": int((self.library.cluster == number).sum()),
        }

    @cached_property
    def _used(self) -> tuple[Any, Any, Any]:
        """The author of each occurrence of a word, the word's row, and how often each is used in all."""
        names, post, word = self.library.words
        return self.library.author[post], word, np.bincount(word, minlength=len(names))

    def _telling(self, counts: Any, top: int) -> list[str]:
        names = self.library.words[0]
        z = np.zeros(counts.shape[1])
        used = counts.sum(axis=0) > 0
        z[used] = log_odds(counts[:, used])[0]
        order = np.argsort(-z, kind="stable")[:top]
        return [names[int(i)].as_py() for i in order if z[i] > 0 and counts[0, i] > 0]

    def words_of(self, user: int) -> list[str]:
        """The words that tell a user from everybody else, the strongest first."""
        author, word, total = self._used
        if not len(total):
            return []
        own = np.bincount(word[author == user], minlength=len(total))
        return self._telling(np.stack([own, total - own]), WORDS)

    def shared_words(self, left: int, right: int, top: int = 5) -> list[str]:
        """Words that tell two users together from everybody else, of those that both use."""
        author, word, total = self._used
        if not len(total) or right < 0:
            return []
        own, other = (np.bincount(word[author == user], minlength=len(total)) for user in (left, right))
        both = np.minimum(own, other)
        return self._telling(np.stack([both, total - both]), top)

    def parting_words(self, left: int, right: int, top: int = 6) -> tuple[list[str], list[str]]:
        """The words that tell one cluster from another, and the other from the one."""
        author, word, total = self._used
        of = self.library.cluster[author]
        here, there = (np.bincount(word[of == number], minlength=len(total)) for number in (left, right))
        return self._telling(np.stack([here, there]), top), self._telling(np.stack([there, here]), top)

    def predicted(self, asked: Asked) -> list[Data]:
        """Interests that are commoner among the nearest users than in the corpus; the user's own are not looked at."""
        library = self.library
        everybody = Counter(name for names in library.interests.values() for name in names)
        near = [answer.id for answer in self.space.nearest(asked, "user", NEIGHBOURS)]
        found = Counter(name for user in near for name in library.interests.get(user, ()))
        told: list[tuple[float, str]] = []
        for name, n in found.items():
            share = n / len(near)
            if share >= 0.3 and share > everybody[name] / len(library.interests):
                told.append((-share, name))
        return [
            {"interest": name, "of_nearest": -share, "of_all": everybody[name] / len(library.interests)}
            for share, name in sorted(told)
        ]


def rows_of(page: str, data: Data) -> Iterable[Data]:
    """The table that stands for a page in CSV: its answers, or the posts, members or things that it lists."""
    if page == "search":
        return [row for rows in data["answers"].values() for row in rows]
    if page == "post":
        return [
            *(row | {"place": "before"} for row in data["before"]),
            data["post"] | {"place": "this"},
            *(row | {"place": "after"} for row in data["after"]),
            *(row | {"place": "copy"} for row in data["copies"]),
        ]
    if page == "map":
        return [{"x": x, "y": y, "cluster": of} for x, y, of in zip(data["x"], data["y"], data["cluster"], strict=True)]
    if page == "about":
        return [{"metric": name, "value": value} for name, value in flat(data["metrics"])]
    lists = {"user": "posts", "image": "posted", "cluster": "members", "collection": "members"}
    listed: list[Data] = data[lists.get(page, page)]
    return listed


def flat(values: Data, before: str = "") -> Iterable[tuple[str, Any]]:
    """Names, joined by dots, and values of nested data."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _page(rows: Any, page: int) -> Any:
    return rows[(page - 1) * PAGE : page * PAGE]


def _pages(count: int, page: int) -> Data:
    return {"count": count, "page_number": page, "pages": max(1, -(-count // PAGE))}


def _day(time: Any) -> str:
    return str(np.datetime64(time, "D"))


def _months(times: Any) -> list[Data]:
    """Posts by month, of those whose time is known; months without any between the first and the last too."""
    known = times[~np.isnat(times)].astype("datetime64[M]")
    if not len(known):
        return []
    first, last = known.min(), known.max()
    counts = np.bincount((known - first).astype(int), minlength=int((last - first).astype(int)) + 1)
    return [{"month": str(first + i), "posts": int(n)} for i, n in enumerate(counts)]
