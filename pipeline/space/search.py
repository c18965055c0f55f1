"""What lies nearest to a text, an image or a user in the joint space: any of the three, from any of the three.

Shapes: q queries, m candidates, d numbers per vector.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ranking.vectors import Vectors, unit
from pipeline.running.errors import UserError
from pipeline.tables.evaluation import ANSWERS
from pipeline.tables.table import positions

Array = np.ndarray[Any, np.dtype[Any]]

KINDS = ("image", "user", "text")
BLOCK = 1 << 16
"""Candidates whose scores are computed at once."""


class Query(NamedTuple):
    """A question to the joint space: a text, or the id of an image or a user; those of one `pair` are close."""

    pair: int
    kind: str
    value: str


def parse(queries: Sequence[Sequence[str]]) -> list[Query]:
    """The queries of params.yaml, pair by pair: `user:ID`, `image:ID` (or how it begins), anything else is a text."""
    found = []
    for pair, values in enumerate(queries):
        for value in values:
            kind, colon, name = value.partition(":")
            found.append(Query(pair, kind, name) if colon and kind in ("user", "image") else Query(pair, "text", value))
    return found


def row_of(query: Query, among: Vectors) -> int:
    """The row of the user or image that asks. Raises UserError where there is none, or more than one."""
    at = int(positions(pa.array([query.value]), among.ids)[0])
    if at >= 0:
        return at
    begun = np.flatnonzero(np.asarray(pc.starts_with(among.ids, query.value)))
    if query.kind == "image" and len(begun) == 1:
        return int(begun[0])
    what = f"{len(begun)} images begin so" if query.kind == "image" and len(begun) else f"there is no such {query.kind}"
    raise UserError(f"params.yaml: report.queries asks with {query.kind}:{query.value}, but {what}.")


def nearest(
    queries: Array, among: Vectors, top: int, group: Array | None = None, without: Sequence[int] | None = None
) -> list[tuple[list[str], list[float]]]:
    """Ids and cosines of the `top` nearest of `among` (m, d) to each of `queries` (q, d), nearest first.

    Of a `group` (m,) only its nearest is given; `without` (q,) names a group to leave out, -1 for none. Equal cosines
    come in order of the rows.
    """
    groups = np.arange(len(among.ids)) if group is None else group
    asking = unit(queries)
    blocks = [unit(among.values[begin : begin + BLOCK]) @ asking.T for begin in range(0, len(among.values), BLOCK)]
    found = []
    for i, scores in enumerate(np.concatenate([np.empty((0, len(asking)), np.float32), *blocks]).T):
        order = np.argsort(-scores, kind="stable")
        if without is not None:
            order = order[groups[order] != without[i]]
        first = np.sort(np.unique(groups[order], return_index=True)[1])[:top]
        rows = order[first]
        found.append((among.ids.take(pa.array(rows)).to_pylist(), [float(score) for score in scores[rows]]))
    return found


def answer(
    queries: Sequence[Query], vectors: Sequence[Array | None], space: Mapping[str, Vectors], groups: Array, top: int
) -> pa.Table:
    """Rows of ANSWERS: the `top` nearest images (one of each of their `groups`), users and texts of each query.

    vectors (q of (d,)): None for a query without an answer. A user is not among its own nearest, nor an image and its
    copies.
    """
    asked = [i for i, vector in enumerate(vectors) if vector is not None]
    rows: list[tuple[int, str, int, str, float]] = []
    stacked = np.array([vector for vector in vectors if vector is not None])
    for kind in KINDS if asked else ():
        group = groups if kind == "image" else np.arange(len(space[kind].ids))
        own = [int(group[row_of(queries[i], space[kind])]) if queries[i].kind == kind != "text" else -1 for i in asked]
        for i, (names, cosines) in zip(asked, nearest(stacked, space[kind], top, group, own), strict=True):
            rows += [(i, kind, p, name, s) for p, (name, s) in enumerate(zip(names, cosines, strict=True))]
    return ANSWERS.of(rows)
