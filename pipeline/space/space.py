"""A trained space to ask from Python: users, images and texts by each other.

    space = Space.open("data")
    space.search("red flower", kind="user")          # the users nearest to a text, each with the posts that tell why
    space.search("beach + user:ann - surf")          # sums and differences; kinds user, image and text
    space.search(image=Path("mine.jpg").read_bytes(), kind="image")
    space.user("ann")                                # a vector, posts by time, nearest users
    space.embed(texts=["red flower"])                # (1, D), unit length
    space.new_user([{"text": "my garden"}])          # the vector of somebody who is not in the corpus

Opening reads nothing but what is asked for, and imports no torch; the first text or picture loads the model.

Shapes: n things of a kind, D numbers per vector.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from pipeline.pictures.reading import Rejected
from pipeline.ranking.vectors import unit
from pipeline.running.errors import UserError
from pipeline.space import index
from pipeline.space.answers import Answer, Asked, Person, direction
from pipeline.space.filters import ALL_POSTS, Filters, posts_taken
from pipeline.space.library import HELD_OUT, Library
from pipeline.space.nearest import Things, Wanted
from pipeline.space.questions.chance import Nothing, coherence
from pipeline.space.questions.question import Term, parse, spelled_nearly
from pipeline.space.reading import Reader
from pipeline.tables.layout import CHANCE
from pipeline.tables.table import positions

Array = np.ndarray[Any, np.dtype[Any]]
__all__ = ["KINDS", "Answer", "Asked", "Filters", "Person", "Space"]
KINDS = ("user", "image", "text")
KEPT_FILTERS = 8
"""Filters of which the posts that they let through are kept, a byte a post."""
WHY = 3
"""Posts that are given to explain a user."""


class Space:
    """See the module."""

    def __init__(self, data: Path, params: Path, models: Path) -> None:
        self.library = Library(data)
        self.reader = Reader(data, params, models)
        self.data = data
        # Each kind of answer asks anew, and some filters read an address, or a language, of every post.
        self._posts_taken = lru_cache(KEPT_FILTERS)(partial(posts_taken, self.library))
        self._groups: dict[str, Array] = {}

    @classmethod
    def open(cls, data: str | Path = "data") -> Self:
        """The space whose tables lie in the folder `data`; params.yaml and models/ lie beside it.

        Raises UserError where there is no trained space.
        """
        folder = Path(data)
        home = folder.resolve().parent
        if not any((folder / "embeddings/users").glob("part-*.parquet")):
            raise UserError(f"{folder / 'embeddings'}: no vectors there; `dvc repro` makes them.")
        return cls(folder, home / "params.yaml", home / "models")

    # ------------------------------------------------------------ vectors
    @cached_property
    def _held(self) -> dict[str, Things]:
        return {kind: index.opened(self.data / f"embeddings/{kind}s", self.data / f"explore/{kind}s") for kind in KINDS}

    def vectors(self, kind: str) -> Things:
        """All things of a kind, at unit length (n, D)."""
        return self._held[kind]

    def ids(self, kind: str) -> pa.Array:
        """The ids of all things of a kind that have a vector."""
        return self._held[kind].ids

    def prepare(self, kind: str) -> None:
        """Read what an answer of `kind` needs, so that the first one does not wait for it."""
        self._taken(kind, Filters(sides=()))
        self._group(kind)

    @cached_property
    def _rows(self) -> dict[str, Array]:
        """For each kind, the row of each vector's thing in the library: of its user, image or post."""
        found = {kind: positions(self.ids(kind), self.library.ids(kind)) for kind in KINDS}
        for kind, rows in found.items():
            if (rows < 0).any():
                raise UserError(
                    f"{self.data / 'embeddings'} has {(rows < 0).sum()} {kind}s that {self.data / 'corpus'} has not: "
                    "they are of different runs. `dvc repro` makes them anew, `dvc checkout` restores what was."
                )
        return found

    @cached_property
    def _places(self) -> dict[str, Array]:
        """The other way: the row of the vector of each user, image or post; -1 where it has none."""
        return {kind: positions(self.library.ids(kind), self.ids(kind)) for kind in KINDS}

    def vector(self, kind: str, name: str) -> Array | None:
        """The vector (D,) of a user, an image, a post, or the text of a post alone; None where it has none."""
        row = self.library.row_of(kind, name)
        if kind == "post":
            return self._post_vector(row) if row >= 0 else None
        place = int(self._places[kind][row]) if row >= 0 else -1
        return self.vectors(kind).at(np.array([place]))[0] if place >= 0 else None

    def _post_vector(self, row: int) -> Array | None:
        """The mean of the vectors of what the post at `row` says and shows, at unit length."""
        places = {"text": self._places["text"][[row]], "image": self._places["image"][self.library.images_of_post(row)]}
        held = np.concatenate([self.vectors(kind).at(at[at >= 0]) for kind, at in places.items()])
        return unit(held.mean(axis=0)[None])[0] if len(held) else None

    # ------------------------------------------------------------ questions
    def ask(self, question: str | Sequence[Term] = "", image: bytes | None = None) -> Asked:
        """The vector of a question, of a picture, or of both together; none where nothing that is wanted is known.

        Raises UserError for a picture that is none.
        """
        terms = parse(question) if isinstance(question, str) else list(question)
        left_out: list[int] = []
        parts: list[tuple[str, Array]] = []
        single: list[Array] = []
        if image is not None:
            (taken,) = self.reader.take_in([image])
            if isinstance(taken, Rejected):
                raise UserError(f"the picture cannot be read: {taken.reason} ({taken.detail}).")
            parts.append(("image", self.reader.pictures([taken.bytes])[0]))
            single.append(parts[0][1][None])
        said = [term.value for term in terms if term.kind == "text"]
        read = self.reader.texts(said) if said else None
        texts = iter(zip(read.vectors, read.single, strict=True) if read else ())
        for place, term in enumerate(terms):
            vector, own = next(texts) if term.kind == "text" else (self.vector(term.kind, term.value), None)
            if vector is None or not vector.any():
                left_out.append(place)
            else:
                parts.append(("text" if term.kind == "post" else term.kind, term.sign * vector))
                single.append(term.sign * (vector[None] if own is None else own))
        wanted = {place for place, term in enumerate(terms) if term.sign > 0}
        if wanted and wanted <= set(left_out) and image is None:
            parts, single = [], []  # far from what was taken away is almost everything: no answer to what was wanted
        unasked = dict.fromkeys(word for words in (read.unknown if read else ()) for word in words)
        unknown = {word: spelled_nearly(word, self.reader.vocabulary) for word in unasked}
        kinds = {kind for kind, _ in parts}
        kind = kinds.pop() if len(kinds) == 1 else "text"
        return Asked(
            tuple(terms), direction([vector for _, vector in parts]), kind, unknown,
            read.from_parts if read else {}, tuple(left_out), sum(map(len, single)),
            coherence(np.concatenate(single)) if kind == "text" and single else 1.0,
        )  # fmt: skip

    def search(
        self, question: str = "", kind: str | None = None, top: int = 10, *,
        image: bytes | None = None, filters: Filters = ALL_POSTS,
    ) -> list[Answer]:  # fmt: skip
        """The `top` things of each kind, or of `kind`, that lie nearest to a question, the nearest first."""
        asked = self.ask(question, image)
        return [answer for one in ([kind] if kind else KINDS) for answer in self.nearest(asked, one, top, filters)]

    def nearest(self, asked: Asked, kind: str, top: int, filters: Filters = ALL_POSTS) -> list[Answer]:
        """The `top` things of `kind` nearest to what was asked, one of each group of copies; not what asked itself.

        Raises ValueError for a `kind` that is not one of KINDS.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; there are {', '.join(KINDS)}")
        if asked.vector is None:
            return []
        things = self.vectors(kind)
        taken = self._taken(kind, filters) if filters.of_posts else None
        least = -np.inf if filters.least is None else filters.least
        wanted = Wanted(top, self._group(kind), self._own(asked, kind), taken, least)
        rows, cosines = things.nearest(asked.vector, wanted)
        null = self.nothing(asked.kind, kind, asked.words)
        chances: Sequence[float | None] = [None] * len(rows)
        if null is not None:
            chances = null.chance(asked.coherence * (cosines - things.at(rows) @ null.mean)).tolist()
        return [
            self._answer(kind, int(row), float(cosine), chance, asked.vector, filters)
            for row, cosine, chance in zip(rows, cosines, chances, strict=True)
        ]

    def nothing(self, asking: str, kind: str, words: int = 1) -> Nothing | None:
        """What questions about nothing, by things of the kind `asking`, find among those of `kind`; texts of so many
        `words`, or the next smaller number there is. None where that is not known.
        """
        if asking == "text":
            words = max((n for of, n, _ in self._nothing if of == asking and n <= words), default=0)
        return self._nothing.get((asking, words if asking == "text" else 1, kind))

    @cached_property
    def _nothing(self) -> dict[tuple[str, int, str], Nothing]:
        path = self.data / "chance"
        rows = CHANCE.read(path).to_pylist() if path.exists() else []
        return {
            (row["asking"], row["words"], row["kind"]): Nothing(
                np.array(row["mean"], np.float32), np.array(row["highest"], np.float32)
            )
            for row in rows
        }

    def _group(self, kind: str) -> Array:
        if kind not in self._groups:
            rows = self._rows[kind]
            own = {"image": self.library.image_group, "text": self.library.text_group}
            self._groups[kind] = own[kind][rows] if kind in own and len(rows) else np.arange(len(rows))
        return self._groups[kind]

    def _own(self, asked: Asked, kind: str) -> Array:
        """The groups of the things of `kind` that ask."""
        library, places = self.library, []
        for term in asked.terms:
            row = -1 if term.kind == "text" else library.row_of(term.kind, term.value)
            if row >= 0 and term.kind == kind:
                places.append(self._places[kind][row])
            elif row >= 0 and term.kind == "post":
                places += [self._places["text"][row]] if kind == "text" else []
                places += list(self._places["image"][library.images_of_post(row)]) if kind == "image" else []
        return self._group(kind)[[place for place in places if place >= 0]]

    def _taken(self, kind: str, filters: Filters) -> Array:
        """Which things of `kind` the filters let through (n,)."""
        library = self.library
        posts = self.posts_taken(filters)
        if kind == "text":
            return posts[self._rows["text"]]
        if kind == "user":
            people = np.zeros(len(library.users), bool)
            people[library.author[posts]] = True
            return people[self._rows["user"]]
        seen = np.zeros(len(library.images) + 1, bool)
        of_post, image = library.shown
        seen[image[posts[of_post]]] = True
        seen[-1] = False
        return seen[self._rows["image"]]

    def posts_taken(self, filters: Filters) -> Array:
        """Which posts the filters let through, a row each; read only, as it is kept for the next question."""
        return self._posts_taken(filters)

    def _answer(
        self, kind: str, place: int, cosine: float, chance: float | None, vector: Array, filters: Filters
    ) -> Answer:
        library, row = self.library, int(self._rows[kind][place])
        name = self.ids(kind)[place].as_py()
        if kind == "user":
            return Answer(kind, name, cosine, chance, because=tuple(self.explain(row, vector, filters)))
        if kind == "image":
            posts, copies = library.posts_of_image(row), len(library.copies_of_image(row)) - 1
        else:
            posts, copies = np.array([row]), len(library.copies_of_text(row)) - 1
        sides = set(library.side[posts])
        return Answer(kind, name, cosine, chance, copies, bool(sides & set(HELD_OUT)) and "train" not in sides)

    def explain(self, user: int, vector: Array, filters: Filters = ALL_POSTS) -> list[str]:
        """Ids of the posts by the user at row `user` of which text or picture lies nearest to `vector` (D,), of those
        that the filters let through.
        """
        library = self.library
        rows = library.by_user.rows(user)
        rows = rows[self.posts_taken(filters)[rows]] if filters.of_posts else rows
        score = self.post_scores(rows, vector)
        order = [int(rows[i]) for i in np.argsort(-score, kind="stable") if np.isfinite(score[i])]
        once: dict[int, int] = {}
        for row in order:
            once.setdefault(int(library.text_group[row]), row)
        return [library.post_ids[row].as_py() for row in list(once.values())[:WHY]]

    def post_scores(self, rows: Array, vector: Array) -> Array:
        """The cosine with `vector` of the text or picture of each post that lies nearer to it; -inf without either."""
        score = np.full(len(rows), -np.inf, np.float32)
        at = self._places["text"][rows]
        score[at >= 0] = self.vectors("text").at(at[at >= 0]) @ vector
        for i, row in enumerate(rows):
            images = self._places["image"][self.library.images_of_post(int(row))]
            if (seen := images[images >= 0]).size:
                score[i] = max(score[i], float((self.vectors("image").at(seen) @ vector).max()))
        return score

    # ------------------------------------------------------------ things
    def user(self, user_id: str, top: int = 10) -> Person:
        """A user of the corpus. Raises UserError where there is none."""
        library, row = self.library, self.library.row_of("user", user_id)
        if row < 0:
            raise UserError(f"there is no user {user_id} among {len(library.users)}.")
        posts = tuple(library.post(int(row)) for row in library.by_time(library.by_user.rows(row)))
        vector = self.vector("user", user_id)
        asked = Asked((Term(1, "user", user_id),), vector, "user")
        cluster = int(library.cluster[row])
        return Person(
            user_id, vector, posts, cluster if cluster >= 0 else None,
            tuple(library.interests.get(user_id, ())), tuple(self.nearest(asked, "user", top)),
        )  # fmt: skip

    def embed(self, texts: Sequence[str] = (), images: Sequence[bytes] = ()) -> Array:
        """Vectors (n, D) of texts, then of pictures, at unit length; a text without a known word is zeros.

        Raises UserError for a file that is no picture.
        """
        parts = [np.empty((0, self.vectors("user").values.shape[1]), np.float32)]
        if texts:
            parts.append(self.reader.texts(texts).vectors)
        if images:
            taken = self.reader.take_in(images)
            for i, found in enumerate(taken):
                if isinstance(found, Rejected):
                    raise UserError(f"picture {i} cannot be read: {found.reason} ({found.detail}).")
            parts.append(self.reader.pictures([found.bytes for found in taken if not isinstance(found, Rejected)]))
        return np.concatenate(parts)

    def new_user(self, posts: Iterable[Mapping[str, Any]]) -> Array:
        """The vector (D,) of somebody who is not in the corpus, by posts with `text`, `image` (bytes), or both."""
        from pipeline.space.newcomers import Newcomers

        vectors, _ = Newcomers(self.reader, self.data).vectors([{"user_id": "", **post} for post in posts])
        return vectors[""]
