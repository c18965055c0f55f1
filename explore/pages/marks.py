"""The pages of collections: what is in one, what is like it, and what parts it from another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from explore.marks import COLUMNS, LONGEST, Mark
from explore.pages.forms import Data
from explore.pages.views import NotFound, Views
from explore.pages.words import MOST
from pipeline.space.answers import direction
from pipeline.space.filters import ALL_POSTS
from pipeline.space.library import Library
from pipeline.space.questions.question import Term
from pipeline.space.space import Asked, Space

FEWEST_USERS, MOST_USERS = 5, 2_000
"""Users of a collection that are compared with those of another; of more, so many are drawn."""
FIELDS = (*COLUMNS, "rows", "list", "do", "back")
"""Of a form that marks: one thing, those at rows of the map, or all of a list."""


def collected(
    views: Views, held: Mapping[str, Sequence[Mark]], name: str, other: str | None, top: int, tell: bool
) -> Data:
    """What is in the collection `name` of those `held`, more like it, and what parts it from an `other`.

    With `tell`, how well its users can be told from all others. Raises NotFound for a collection that is not there.
    """
    missing = next((one for one in (name, other) if one is not None and one not in held), None)
    if missing is not None:
        raise NotFound(f"There is no collection {missing[:LONGEST]}.")
    space, library = views.space, views.library
    show: dict[str, Any] = {"user": views.person, "image": views.image, "post": views.post}
    members = []
    for mark in held[name]:
        row = library.row_of(mark.kind, mark.id)
        told = show[mark.kind](row) if row >= 0 else {"href": None}
        members.append({"kind": mark.kind, "id": views.people.public(mark.kind, mark.id), "note": mark.note, **told})
    return {
        "collection": name,
        "members": members,
        "words": views.telling.words_of(posts_of(library, held[name])),
        "compared": None if other is None else {"other": other} | parted(views, held[name], held[other]),
        "more": views.answers(more_like(space, held[name]), top, ALL_POSTS),
        "told": dict(how_well_told(space, held[name])) if tell else None,
    }


def posts_of(library: Library, marks: Sequence[Mark]) -> Any:
    """Which posts (n,) are marked, are by a marked user, or show a marked image."""
    found = np.zeros(len(library.post_ids), bool)
    of: dict[str, Callable[[int], Any]] = {"user": library.by_user.rows, "image": library.posts_of_image}
    for mark in marks:
        if (row := library.row_of(mark.kind, mark.id)) >= 0:
            found[row if mark.kind == "post" else of[mark.kind](row)] = True
    return found


def parted(views: Views, here: Sequence[Mark], there: Sequence[Mark]) -> Data:
    """How near two collections are to each other, what is in both, and the words that part them."""
    one, other = (more_like(views.space, marks).vector for marks in (here, there))
    words = views.telling.parting_words(posts_of(views.library, here), posts_of(views.library, there), MOST)
    return {
        "cosine": None if one is None or other is None else round(float(one @ other), 4),
        "in_both": len({mark[1:3] for mark in here} & {mark[1:3] for mark in there}),
        "apart": dict(how_far_apart(views.space, here, there)),
        **dict(zip(("here", "there"), words, strict=True)),
    }


def how_far_apart(space: Space, here: Sequence[Mark], there: Sequence[Mark]) -> Mapping[str, Any]:
    """Whether the users of two collections lie apart, without those in both; or `not_measured`, and why."""
    from pipeline.space.apart import apart

    named = [{mark.id for mark in marks if mark.kind == "user"} for marks in (here, there)]
    both, seed = named[0] & named[1], space.reader.params.seed
    groups = []
    for names in named:
        held = [vector for name in sorted(names - both) if (vector := space.vector("user", name)) is not None]
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(len(held))[:MOST_USERS])
        groups.append([held[i] for i in chosen])
    if any(len(group) < FEWEST_USERS for group in groups):
        return {
            "not_measured": f"{len(groups[0])} and {len(groups[1])} users with a vector are in one of them alone; at "
            f"least {FEWEST_USERS} have to be"
        }
    found = apart(np.stack(groups[0]), np.stack(groups[1]), seed)
    cosines = {name: round(value, 4) for name, value in found._asdict().items()}
    return {"users": [len(group) for group in groups], **cosines}


def more_like(space: Space, marks: Sequence[Mark]) -> Asked:
    """A question with the mean of the vectors of `marks`; what is marked is not among the answers."""
    held = [vector for mark in marks if (vector := space.vector(mark.kind, mark.id)) is not None]
    return Asked(tuple(Term(1, mark.kind, mark.id) for mark in marks), direction(held), "user")


def how_well_told(space: Space, marks: Sequence[Mark]) -> Mapping[str, Any]:
    """How well a linear SVM tells the users of a collection from all others, as stage evaluate_interests has it.

    `f1` and `interval_95` of held-out users in repeated folds, `always_yes` beside it; or `not_measured`, and why.
    """
    from pipeline.evaluation.interests import evaluate, predict

    params = space.reader.params
    wanted, users = params.interests, space.vectors("user")
    names = {mark.id for mark in marks if mark.kind == "user"}
    truth = np.array([name in names for name in users.ids.to_pylist()])
    least = max(wanted.folds, wanted.min_positives)
    if truth.sum() < least or (~truth).sum() < least:
        return {
            "not_measured": f"{truth.sum()} of {len(truth)} users are in it; at least {least} have to be in it, "
            f"and {least} not (interests.min_positives and interests.folds of params.yaml)"
        }
    found = predict(
        {"model": users.values}, ["collection"], truth[None], wanted.c, wanted.folds, wanted.repeats, params.seed,
        wanted.scaling,
    )  # fmt: skip
    measured = evaluate(found, params.retrieval.bootstrap, params.seed)["labels"]["collection"]
    return {
        "users": int(truth.sum()),
        "scaling": dict(found.scaling["model"]),
        "f1": measured["model"],
        "interval_95": measured["interval_95"]["model"],
        "always_yes": measured["always_yes"],
    }
