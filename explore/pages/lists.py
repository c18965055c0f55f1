"""Pages that list: users, posts, clusters and their members, what ran. As `explore.pages.views`, plain data.

Filters take users, and members, of whom they let a post through.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from explore.pages.forms import Data, Part, Wrong
from explore.pages.views import NotFound, Views
from pipeline.common.metrics import FEWEST
from pipeline.running.errors import UserError
from pipeline.space.filters import ALL_POSTS, Filters
from pipeline.space.space import KINDS, Asked
from pipeline.tables.details import TOLD

ORDERS = ("oldest", "newest", "likes", "replies")


class Lists:
    """The lists of one space. `metrics` is the folder of what the stages measured."""

    def __init__(self, views: Views, metrics: Path) -> None:
        self.views, self.space, self.library, self.metrics = views, views.space, views.library, metrics
        self.people = views.people

    @cached_property
    def filterable(self) -> set[str]:
        """What the source told of any post: the filters that there are for it."""
        library = self.space.library
        timed = {"created_at"} if library.posts["created_at"].null_count < len(library.post_ids) else set()
        return timed | {name for name in TOLD if library.detail(name).null_count < len(library.post_ids)}

    @cached_property
    def some_texts(self) -> tuple[int, int] | None:
        """How many texts can be found, of how many, where that is not all that can be read."""
        texts = self.space.library.posts["text"]
        some = self.space.reader.params.embed.texts == "sets"
        return (len(self.space.ids("text")), len(texts) - texts.null_count) if some else None

    def posts(self, part: Part, filters: Filters, order: str) -> Data:
        """All posts that the filters let through, with what their source told of them."""
        if order not in ORDERS:
            raise Wrong(f"order={order[:40]} is not one of {', '.join(ORDERS)}.")
        rows = np.flatnonzero(self.space.posts_taken(filters))
        rows = rows[np.lexsort((self._tie[rows], *self._sorting(rows, order)))]
        return {
            "order": order,
            **part.of("posts", rows, lambda row: self.views.post(row) | self.told(row)),
            "months": self._months(rows),
        }

    def _months(self, posts: Any) -> list[Data]:
        """Posts by month, of those whose time is known; months without any between the first and the last too."""
        months = self.library.times.astype("datetime64[M]")
        known = months[posts]
        known = known[~np.isnat(known)]
        if not len(known):
            return []
        first, last = known.min(), known.max()
        within = months[(months >= first) & (months <= last)]
        counts, of = (
            np.bincount((some - first).astype(int), minlength=int((last - first).astype(int)) + 1)
            for some in (known, within)
        )
        return [
            {"month": str(first + i), "posts": int(n), "of": int(m)}
            for i, (n, m) in enumerate(zip(counts, of, strict=True))
        ]

    def _sorting(self, rows: Any, order: str) -> tuple[Any, Any]:
        """What to sort rows by, as lexsort has it; posts of which it is not known come last."""
        if order in ("likes", "replies"):
            values = self.library.detail(order)
            known = values.is_valid().to_numpy(zero_copy_only=False)[rows]
            return -pc.fill_null(values, 0).to_numpy()[rows], ~known
        times = self.library.times[rows]
        at = times.astype(np.int64)
        return (-at if order == "newest" else at), np.isnat(times)

    @cached_property
    def _tie(self) -> Any:
        """What parts posts that are alike: their ids, or what stands for these."""
        return np.argsort(self.people.order("post"))

    def told(self, row: int) -> Data:
        """The language, likes and replies of a post, as far as known."""
        language = self.library.language[row].as_py()
        counts = {name: self.library.detail(name)[row].as_py() for name in ("likes", "replies")}
        return {"language": None if language == "und" else language, **counts}

    def cluster(self, number: int, filters: Filters = ALL_POSTS) -> Data:
        """A cluster: its members, words, images, posts over time, and what parts it from its neighbours.

        Filters choose among members and the posts over time; the rest is of the whole cluster.
        """
        library = self.library
        members = np.flatnonzero(library.cluster == number)
        if not len(members) or self.views.described_as(number) is None:
            few = f" of {FEWEST} users or more; smaller ones are not described, as people are not shown"
            raise NotFound(f"There is no cluster {number}{'' if self.people.shown else few}.")
        order = members[np.argsort(-library.cluster_similarity[members], kind="stable")]
        centre = self.views.centres[number]
        asked = Asked((), centre, "user")
        matching = self._matching(filters)
        order = order[matching[order] > 0]
        posts = library.cluster[library.author] == number
        others = sorted(
            (other for other in self.views.described if other != number),
            key=lambda other: -float(self.views.centres[other] @ centre),
        )[:5]
        return {
            **self.views.cluster_in_short(number),
            "members": [
                self._listed(int(r), matching) | {"cosine": round(float(library.cluster_similarity[r]), 4)}
                for r in order
            ],
            "nearest": self.views.answers(asked, 18, ALL_POSTS, ("image", "text")),
            "months": self._months(np.flatnonzero(posts & self.space.posts_taken(filters))),
            "neighbours": [
                self.views.cluster_in_short(other)
                | {"cosine": round(float(self.views.centres[other] @ centre), 4)}
                | dict(zip(("here", "there"), words, strict=True))
                for other in others
                for words in [self.views.telling.parting_words(posts, library.cluster[library.author] == other)]
            ],
        }

    def clusters(self) -> Data:
        """All clusters in short."""
        return {"clusters": [self.views.cluster_in_short(number) for number in self.views.described]}

    def users(self, part: Part, begins: str = "", filters: Filters = ALL_POSTS) -> Data:
        """All users, those first who have most posts that the filters let through; those without one are left out."""
        matching = self._matching(filters)
        rows = self._users(begins, matching)
        return {"begins": begins, **part.of("users", rows, lambda row: self._listed(row, matching))}

    def _users(self, begins: str, matching: Any) -> Any:
        """Rows of users with a post of those counted, and `begins` in their name, those first who have most."""
        order = self.people.order("user")
        rows = order[np.argsort(-matching[order], kind="stable")]
        rows = rows[matching[rows] > 0]
        wanted = begins.casefold()
        return np.array([r for r in rows if wanted in self._names[r].casefold()], np.int64) if begins else rows

    def chosen(self, kind: str, query: Any) -> list[str]:
        """The ids of all users, or posts, of the list that has this query."""
        filters = self.views.filters(query)
        if kind == "user":
            rows = self._users(query.get("begins", "").strip(), self._matching(filters))
            return [self.library.users[int(row)].as_py() for row in rows]
        if kind != "post":
            raise Wrong(f"There is no list of kind {kind[:40]} to add.")
        return [self.library.post_ids[int(row)].as_py() for row in np.flatnonzero(self.space.posts_taken(filters))]

    def _matching(self, filters: Filters) -> Any:
        """How many posts of each user the filters let through."""
        taken = self.space.posts_taken(filters)
        return np.bincount(self.library.author[taken], minlength=len(self.library.users))

    def _listed(self, row: int, matching: Any) -> Data:
        return self.views.person(row) | {"matching": int(matching[row])}

    @cached_property
    def _names(self) -> list[str]:
        return [self.people.name(user) for user in self.library.users.to_pylist()]

    def left_out(self, part: Part, reason: str = "") -> Data:
        """What the import left out, all or for a `reason`, and what came to no side of the split.

        Rows have names in them, so there are none where people are not shown.
        """
        told, library = self.library.rejected, self.library
        counted = told["reason"].value_counts().to_pylist()
        chosen = pc.equal(told["reason"], reason) if reason else pc.is_valid(told["reason"])
        rows = np.flatnonzero(chosen.to_numpy()) if self.people.shown else np.empty(0, np.int64)
        return {
            "reason": reason,
            "reasons": [
                {"reason": row["values"], "rows": row["counts"]}
                for row in sorted(counted, key=lambda row: (-row["counts"], row["values"]))
            ],
            **part.of("rows", rows, lambda row: dict(told.slice(row, 1).to_pylist()[0])),
            "excluded": int((library.side == "excluded").sum()),
            "no_side": int((library.side == "").sum()),
            "copies": int(((library.copied_from >= 0) & (library.side == "")).sum()),
        }

    def tested(self, asking: str) -> Data:
        """How often the evaluation found the right answer among the first ten, by the kind of answer, of questions of
        the kind `asking` (text or image); nothing where it did not ask so.
        """
        path = self.metrics / "retrieval.json"
        measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return {
            f"{kind}s": {
                "queries": found["queries"],
                "candidates": found["candidates"],
                "among_ten": found["recall_at_10"],
                "interval_95": found.get("interval_95", {}).get("recall_at_10"),
            }
            for kind in KINDS
            if (found := measured.get(f"{asking}_to_{kind}")) and "recall_at_10" in found
        }

    def about(self) -> Data:
        """What ran: the settings that matter, what was measured, and how the model was made."""
        params = self.space.reader.params
        path = self.space.data / "model/config.json"
        if not path.exists():  # as while a run makes it anew
            raise UserError(f"{path} is not there: a run is making the model anew, or `dvc repro` makes it.")
        model = json.loads(path.read_text(encoding="utf-8"))
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
