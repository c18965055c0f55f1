"""Are the users and images that questions name in the corpus? And which are called nearly so?"""

from bisect import bisect_left
from collections.abc import Sequence
from difflib import get_close_matches

from pipeline.running.errors import UserError
from pipeline.space.search import Query

TOLD = 3
"""Ids that are told of those that there are."""


def check_named(queries: Sequence[Query], users: Sequence[str], images: Sequence[str]) -> None:
    """Raises UserError for the first query of report.queries with a user or an image that is not there, or with how
    more than one image begins. users, images: all ids, sorted.
    """
    for query in queries:
        if query.kind == "text":
            continue
        ids = users if query.kind == "user" else images
        begun = _beginning(ids, query.value)
        if query.value in begun or (query.kind == "image" and len(begun) == 1):
            continue
        what, told = f"which no {query.kind} of the corpus is called", nearly(query.value, ids)
        if query.kind == "image" and begun:
            what, told = f"and {len(begun)} images begin so", list(begun[:TOLD])
        near = f"there is {', '.join(told)}" if told else f"it has no {query.kind} at all"
        raise UserError(f"params.yaml: report.queries asks with {query.kind}:{query.value}, {what}; {near}.")


def nearly(name: str, ids: Sequence[str]) -> list[str]:
    """Those of `ids`, sorted, that are spelled most like `name`; where none is, those beside its place."""
    alike = get_close_matches(name, ids, n=TOLD, cutoff=0.6)
    place = bisect_left(ids, name)
    return alike or list(ids[max(0, place - 1) : max(0, place - 1) + TOLD])


def _beginning(ids: Sequence[str], name: str) -> Sequence[str]:
    """Those of sorted `ids` that begin with `name`."""
    begin = end = bisect_left(ids, name)
    while end < len(ids) and ids[end].startswith(name):
        end += 1
    return ids[begin:end]
