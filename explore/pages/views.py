"""What each page tells, as plain data: the HTML, the JSON and the CSV of an address are made of the same.

Ids are given as they are, or as `people` has it; `href` is the address of a thing. Cosines have four digits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from explore.pages.forms import PAGE, Data, Part, Wrong, filters_of
from explore.pages.people import People
from explore.pages.words import MOST, Telling
from pipeline.common.metrics import FEWEST
from pipeline.ranking.vectors import unit
from pipeline.space.filters import ALL_POSTS, Filters
from pipeline.space.library import HELD_OUT
from pipeline.space.questions.question import Term, not_known, parse, spelled
from pipeline.space.space import KINDS, Answer, Asked, Space
from pipeline.tables.ocr import READ

CONTEXT = 3
"""Posts before and after one, by its author."""
NEIGHBOURS = 10


class NotFound(Exception):
    """There is no such thing; the message says which."""


def address(kind: str, name: str) -> str:
    """The address of a user, an image or a post; behind ?id where a browser would resolve dots between slashes."""
    if {".", ".."} & set(name.split("/")) or not name:
        return f"/{kind}/?id={quote(name, safe='')}"
    return f"/{kind}/{quote(name, safe='')}"


def chance_untold(data: Path) -> str:
    """Why of no answer it can be told whether it may be chance; `data` is the folder of a run's tables."""
    if (data / "chance").exists():
        return "for a single word or a post"
    return "in this run, which has no data/chance: `dvc repro chance` makes it"


class Views:
    """The pages of one space.

    Things are asked for by what stands for them in addresses (`explore.pages.people`).
    """

    def __init__(self, space: Space) -> None:
        self.space, self.library = space, space.library
        self.people, self.telling = People.of(space), Telling(space.library)

    def address(self, kind: str, name: str) -> str:
        """The address of the thing with this id."""
        return address(kind, self.people.public(kind, name))

    def row(self, kind: str, public: str) -> int:
        """The row of a user, an image or a post. Raises NotFound where there is none."""
        if not public:
            raise NotFound(f"Which {kind}? The address of one ends in its id.")
        name = self.people.find(kind, public)
        row = -1 if name is None else self.library.row_of(kind, name)
        if row < 0:
            raise NotFound(f"There is no {kind} {public}.{self._similar(public) if kind == 'user' else ''}")
        return row

    def _author(self, user_id: str) -> Data:
        """A user as posts, images and answers name one."""
        public = self.people.public("user", user_id)
        return {"user_id": public, "name": self.people.name(user_id), "user_href": address("user", public)}

    # ------------------------------------------------------------ things in short
    def post(self, row: int) -> Data:
        """A post in short."""
        post = self.library.post(row)
        return {
            "post_id": self.people.public("post", post.post_id),
            "href": self.address("post", post.post_id),
            **self._author(post.user_id),
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
            "user_id": self.people.public("user", name),
            "name": self.people.name(name),
            "href": self.address("user", name),
            "posts": len(posts),
            "cluster": self.described_as(int(library.cluster[row])),
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
            "user_id": self.people.public("user", post.user_id) if post else None,
            "posts": len(posts),
        }

    def answer(self, answer: Answer) -> Data:
        """An answer with what a reader needs to know of it."""
        told: Data = {
            "kind": answer.kind,
            "id": self.people.public("post" if answer.kind == "text" else answer.kind, answer.id),
            "cosine": round(answer.cosine, 4),
            "chance": None if answer.chance is None else round(answer.chance, 4),
            "above_chance": answer.above_chance,
            "copies": answer.copies,
            "held_out": answer.held_out,
        }
        library = self.library
        if answer.kind == "user":
            told |= self.person(library.row_of("user", answer.id))
            told["because"] = [self.post(library.row_of("post", name)) for name in answer.because]
        elif answer.kind == "image":
            told |= self.image(library.row_of("image", answer.id))
        else:
            told |= self.post(library.row_of("post", answer.id))
        return told

    def answers(self, asked: Asked, top: int, filters: Filters, kinds: Sequence[str] = KINDS) -> Data:
        """Rows of answers, by kind."""
        return {
            f"{kind}s": [self.answer(answer) for answer in self.space.nearest(asked, kind, top, filters)]
            for kind in kinds
        }

    def terms(self, question: str) -> list[Term]:
        """The terms of a question, by ids; what nobody goes by is a name that nothing has."""
        found = [(term, self.people.find(term.kind, term.value)) for term in parse(question)]
        return [term._replace(value="\0" if name is None else name) for term, name in found]

    def filters(self, query: Any) -> Filters:
        """The filters of an address, by ids. Raises Wrong where nobody goes by what is given as a post's author.

        Whom a post answers need not be of the corpus: by what nobody goes by nothing is found.
        """
        found = filters_of(query)
        if wrong := [number for number in found.clusters or () if not self._is_cluster(number)]:
            raise Wrong(f"cluster={wrong[0]} is no cluster of this run.")
        others = found.other_than or ()
        authors = [("by", found.user)] if found.user else []
        for key, user in (*authors, *(("not_by", name) for name in others)):
            if self.library.row_of("user", self.people.find("user", user) or "\0") < 0:
                raise Wrong(f"{key}={user[:60]} is no user of the corpus.{self._similar(user)}")
        if found.link is not None and not self.people.shown:
            raise Wrong("link is no filter here: it tells who posted, and people are not shown (report.people).")
        names = {"user": found.user, "answered_user": found.answered_user, "answered_post": found.answered_post}
        ids: dict[str, Any] = {
            key: self.people.find("post" if key == "answered_post" else "user", name) or "\0"
            for key, name in names.items()
            if name is not None
        }
        if others:
            ids["other_than"] = tuple(self.people.find("user", name) or "\0" for name in others)
        return replace(found, **ids)

    def _not_known(self, term: Term) -> str:
        """That a term was left out, and who is called nearly so, where people are shown."""
        told = not_known(term)
        if term.kind == "user" and (alike := self._alike(term.value)):
            told += f" Similar names: {', '.join(spelled('user', name) for name in alike)}."
        return told

    def _similar(self, user: str) -> str:
        alike = self._alike(user)
        return f" Similar names: {', '.join(alike)}." if alike else ""

    def _alike(self, user: str) -> list[str]:
        """Who is called nearly so, where people are shown."""
        known = self.library.users.to_pylist() if self.people.shown else []
        known = [name for name in known if name[:1].casefold() == user[:1].casefold()]
        return [name for name in get_close_matches(user, known) if name != user]

    # ------------------------------------------------------------ pages
    def search(self, question: str, asked: Asked, top: int, filters: Filters, kinds: Sequence[str]) -> Data:
        """What lies nearest to a question, as it was typed; `asked` is what `terms` made of it."""
        typed = parse(question)
        return {
            "question": question,
            "terms": [{"sign": term.sign, "kind": term.kind, "value": term.value} for term in typed],
            "notes": [self._not_known(typed[place]) for place in asked.left_out],
            "unknown": {word: list(alike) for word, alike in asked.unknown.items()},
            "from_parts": {word: list(near) for word, near in asked.from_parts.items()},
            "answered": asked.vector is not None,
            "answers": self.answers(asked, top, filters, kinds),
        }

    def user(self, public: str, part: Part, filters: Filters = ALL_POSTS, other: str | None = None) -> Data:
        """A user: words, neighbours, cluster, interests, posts by time, of those that the filters let through.

        And, with an `other` user, how the two differ.
        """
        library, row = self.library, self.row("user", public)
        name = library.users[row].as_py()
        rows = library.by_time(library.by_user.rows(row))
        times = library.times[rows]
        listed = rows[self.space.posts_taken(filters)[rows]] if filters.of_posts else rows
        vector, own = self.space.vector("user", name), library.author == row
        asked = Asked((Term(1, "user", name),), vector, "user")
        found = self.answers(asked, NEIGHBOURS, ALL_POSTS, ("user", "image"))
        for near in found["users"]:
            near["shared_words"] = self.telling.shared_words(own, library.author == self.row("user", near["id"]))
        interests, cluster = library.interests.get(name, []), self.described_as(int(library.cluster[row]))
        return {
            "user_id": self.people.public("user", name),
            "name": self.people.name(name),
            "spelled": spelled("user", self.people.public("user", name)),
            "posts_in_all": len(rows),
            "trained_on": int((library.side[rows] == "train").sum()),
            "held_out": int(np.isin(library.side[rows], HELD_OUT).sum()),
            "from": _day(times.min()) if len(times) and not np.isnat(times).any() else None,
            "to": _day(times.max()) if len(times) and not np.isnat(times).any() else None,
            "words": self.telling.words_of(own),
            "interests": list(interests),
            "predicted": self.predicted(asked),
            "cluster": self.cluster_in_short(cluster) if cluster is not None else None,
            "has_vector": vector is not None,
            "compared": None if other is None else self._compared(asked, row, other),
            "nearest": found,
            **part.of("posts", listed, self.post),
        }

    def _compared(self, asked: Asked, row: int, public: str) -> Data:
        """Another user, as an answer to the one at `row` who asks, and the words that part them."""
        library, other = self.library, self.row("user", public)
        name, (here, there) = library.users[other].as_py(), (library.author == one for one in (row, other))
        words = self.telling.parting_words(here, there, MOST)
        found = [self.answer(answer) for answer in self.space.nearest(asked, "user", 1, Filters(user=name))]
        return {
            "name": self.people.name(name),
            "as_answer": found[0] | {"shared_words": self.telling.shared_words(here, there)} if found else None,
            "because": [] if not found else self._because(row, name),
            **dict(zip(("here", "there"), words, strict=True)),
        }

    def _because(self, row: int, other: str) -> list[Data]:
        """The posts of the user at `row` that lie nearest to another user."""
        vector = self.space.vector("user", other)
        names = self.space.explain(row, vector) if vector is not None else []
        return [self.post(self.library.row_of("post", name)) for name in names]

    def image_page(self, name: str) -> Data:
        """An image: who posted it, copies, what lies nearest."""
        library, row = self.library, self.row("image", name)
        whole = library.images[row].as_py()
        asked = Asked((Term(1, "image", whole),), self.space.vector("image", whole), "image")
        return {
            "image_id": whole,
            "spelled": spelled("image", whole[:12]),
            "words": self._words_in(whole),
            "posted": [self.post(int(r)) for r in library.posts_of_image(row)],
            "copies": [self.image(int(r)) for r in library.copies_of_image(row) if r != row],
            "nearest": self.answers(asked, NEIGHBOURS, ALL_POSTS),
        }

    def _words_in(self, image: str) -> list[str]:
        """The lines that were read in a picture, where pictures are shown as they are."""
        read = self.library.data / "images/words"
        if self.space.reader.params.report.pictures != "shown" or not any(read.glob("part-*.parquet")):
            return []
        found = READ.find(read, [image], ["text"]).get(image)
        return found["text"].splitlines() if found else []

    def post_page(self, public: str) -> Data:
        """A post in its context, and what lies nearest to it."""
        library, row = self.library, self.row("post", public)
        name = library.post_ids[row].as_py()
        own = library.by_time(library.by_user.rows(int(library.author[row])))
        at = int(np.flatnonzero(own == row)[0])
        asked = Asked((Term(1, "post", name),), self.space.vector("post", name), "text")
        return {
            "post": self.post(row),
            "spelled": spelled("post", self.people.public("post", name)),
            "exported": self._exported(row),
            "copy_of": self.post(int(library.copied_from[row])) if library.copied_from[row] >= 0 else None,
            "answers": self.post(int(library.parents[row])) if library.parents[row] >= 0 else None,
            "answered_by": [self.post(int(r)) for r in library.answers_to(row)[:PAGE]],
            "by_time": bool(not np.isnat(library.times[own]).all()),
            "before": [self.post(int(r)) for r in own[max(0, at - CONTEXT) : at]],
            "after": [self.post(int(r)) for r in own[at + 1 : at + 1 + CONTEXT]],
            "copies": [self.post(int(r)) for r in library.copies_of_text(row) if r != row][:PAGE],
            "nearest": self.answers(asked, NEIGHBOURS, ALL_POSTS),
        }

    def _exported(self, row: int) -> Data:
        """What its source told of a post; an address only if a browser may follow it, who is answered only if known.

        An address as a rule has its author's name.
        """
        told = self.library.told(row)
        if told:
            del told["post_id"], told["answers"]
            answered, url = told.pop("reply_to") or "", told["url"] or ""
            told["reply_to"] = self._author(answered) if self.library.row_of("user", answered) >= 0 else None
            told["url"] = url if self.people.shown and url.startswith(("https://", "http://")) else None
        return told

    # ------------------------------------------------------------ words
    @cached_property
    def centres(self) -> dict[int, Any]:
        """The centre of each cluster: the mean of its users' vectors, at unit length."""
        vectors, of = self.space.vectors("user"), self.library.cluster
        rows = np.array([self.library.row_of("user", name) for name in vectors.ids.to_pylist()], np.int64)
        at = np.where(rows >= 0, np.append(of, -1)[rows], -1)
        numbers = sorted(set(at.tolist()) - {-1})
        return {number: unit(vectors.at(at == number).mean(axis=0)[None])[0] for number in numbers}

    def described_as(self, number: int) -> int | None:
        """A cluster's number; None where there is none, or too few are in it to tell of it, so that nobody is shown."""
        few = not self.people.shown and self._sizes[number] < FEWEST
        return None if number < 0 or few else number

    def _is_cluster(self, number: int) -> bool:
        """Whether a cluster has a page."""
        return 0 <= number < len(self._sizes) and self._sizes[number] > 0 and self.described_as(number) is not None

    @cached_property
    def _sizes(self) -> Any:
        return np.bincount(self.library.cluster[self.library.cluster >= 0], minlength=1)

    @cached_property
    def described(self) -> list[int]:
        """The clusters that have a page."""
        return [number for number in sorted(self.centres) if self.described_as(number) is not None]

    def cluster_in_short(self, number: int) -> Data:
        """A cluster by its number, size and words."""
        words = self.library.cluster_words.get(number, [])
        return {
            "number": number,
            "href": f"/cluster/{number}",
            "name": ", ".join(words[:3]) or f"cluster {number}",
            "words": words[:MOST],
            "users": int(self._sizes[number]),
        }

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


def _day(time: Any) -> str:
    return str(np.datetime64(time, "D"))
