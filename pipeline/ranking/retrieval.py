"""The three retrieval tasks of the paper's section 4, and their metrics.

text_to_user   asks with a post's text for its author, among all users that have posts in train
image_to_user  asks with a post's image for its author, among the same users
image_to_text  asks with the image of a post for its text, among the texts of all the pairs that are asked with

All methods are asked the same. Where one has no vector of what asks, the rank is that of chance; a text that it has no
vector of stands behind all that it has, as it would never be shown. The metrics count how often.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import FEWEST
from pipeline.ranking.bootstrap import interval, resamples, rounded
from pipeline.ranking.ranks import rank_pieces, ranks
from pipeline.ranking.rivals import Rivals
from pipeline.ranking.vectors import Vectors
from pipeline.running.schema import Retrieval
from pipeline.tables.corpus import pictures_of
from pipeline.tables.ranking import RANKS
from pipeline.tables.table import positions, strings

TASKS = ("text_to_user", "image_to_text", "image_to_user")
ACTIVITY = ("few", "some", "many")

Array = np.ndarray[Any, np.dtype[Any]]


LEFT = ("not_asked", "at_chance", "ranked_last")
Left = dict[str, dict[str, int]]
"""Numbers of queries by reason: those `not_asked`, of any method; `at_chance`, as a method has nothing to ask with; and
those whose truth is `ranked_last`, as it has nothing to find it by."""


class Ranked(NamedTuple):
    """What one task found: rows of RANKS, numbers of queries by `Left`, and of candidates."""

    rows: pa.Table
    left: Left
    candidates: int


def rank_task(task: str, queries: pa.Table, users: Vectors, images: Vectors, texts: Vectors) -> Ranked:
    """Rank the ground truth of each of `queries`, rows with post_id, user_id and images, in one of TASKS.

    Each image of a post is a query of its own. Texts are looked up by post_id. Every method is asked the same. Of m
    candidates u are texts without a vector: they stand behind the others and tie, at rank m - (u - 1) / 2. Asked with a
    text or an image without one, the others tie, at (m - u + 1) / 2. So the first ranks are what a person would see,
    and a method that tells nothing apart has a mean rank of chance, whatever it knows. An author without posts in train
    is no candidate, and is not asked for.
    """
    prepared, candidates = _prepared(task, _asking(task, queries), users, images, texts)
    vectors = texts if task.startswith("text") else images
    return prepared.ranked(ranks(vectors.values, candidates, prepared.truth, rows=prepared.asking))


def _asking(task: str, posts: pa.Table) -> pa.Table:
    """The queries that `posts` ask, with query_id as RANKS has it: one each, or one for each image, image_id."""
    if task.startswith("text"):
        return posts.append_column("query_id", posts["post_id"])
    row, images = pictures_of(posts)
    rows = posts.take(pa.array(row))
    first = np.append(True, row[1:] != row[:-1])[: len(row)]
    named = pc.if_else(pa.array(first), rows["post_id"], pc.binary_join_element_wise(rows["post_id"], images, " "))
    return rows.drop_columns("image_id").append_column("image_id", images).append_column("query_id", named)


@dataclass(frozen=True)
class _Prepared:
    """Queries to rank: `rows` of RANKS, whose `rank` (n,) is known but where they are `scored` (n,).

    Of those, `asking` and `truth` (s,) are the rows of the vectors that ask, and of the candidates.
    """

    rows: pa.Table
    rank: Array
    scored: Array
    asking: Array
    truth: Array
    left: Left
    candidates: int

    def ranked(self, found: Array) -> Ranked:
        """What `rank_task` returns, given the ranks (s,) of those that are scored."""
        rank = self.rank.copy()
        rank[self.scored] = found
        rows = self.rows.append_column("rank", pa.array(rank)).cast(RANKS.schema)
        return Ranked(rows, self.left, self.candidates)


def _prepared(task: str, queries: pa.Table, users: Vectors, images: Vectors, texts: Vectors) -> tuple[_Prepared, Array]:
    """What is to be ranked, and among which candidates (m, d)."""
    asks, _, wants = task.partition("_to_")
    sides = {
        "text": (positions(queries["post_id"], texts.ids), texts, "post_id", "text_without_known_word"),
        "image": (positions(queries["image_id"], images.ids), images, "image_id", "image_without_vector"),
        "user": (positions(queries["user_id"], users.ids), users, "user_id", "author_not_in_train"),
    }
    asking, _, _, no_query = sides[asks]
    truth, among, truth_column, no_truth = sides[wants]
    asked = truth >= 0 if wants == "user" else np.ones(len(truth), bool)
    values, count = among.values, len(among.values)
    if wants == "text":  # candidates are the texts of the set alone
        rows, truth = np.unique(truth, return_inverse=True)
        unknown = int(rows[0] < 0) if len(rows) else 0
        values, truth = values[rows[unknown:]], truth - unknown
        count = pc.count_distinct(queries["post_id"]).as_py()
    scored = asked & (asking >= 0) & (truth >= 0)
    last = asked & (truth < 0)
    rank = np.where(last, (len(values) + count + 1) / 2, (len(values) + 1) / 2)
    chosen = queries.filter(pa.array(asked))
    found = pa.table(
        {
            "task": strings([task] * chosen.num_rows),
            "query_id": chosen["query_id"],
            "truth_id": chosen[truth_column],
            "user_id": chosen["user_id"],
        }
    )
    left = {
        "not_asked": {} if wants == "text" else {no_truth: int((~asked).sum())},
        "at_chance": {no_query: int((asked & ~last & (asking < 0)).sum())},
        "ranked_last": {no_truth: int(last.sum())} if wants == "text" else {},
    }
    return _Prepared(found, rank[asked], scored[asked], asking[scored], truth[scored], left, count), values


def rank_users(task: str, queries: pa.Table, users: Vectors, pieces: Iterable[Vectors]) -> Ranked:
    """What `rank_task` finds for text_to_user or image_to_user, with the texts or images in `pieces`.

    Pieces are taken one by one, as they are ranked: memory stays at a few.
    """
    nothing = Vectors(pa.array([], pa.string()), np.empty((0, users.values.shape[1]), np.float32))
    named = {"text_to_user": "post_id", "image_to_user": "image_id"}[task]
    asked = _asking(task, queries)
    prepared = []

    def asking() -> Iterator[tuple[Array, Array, Array]]:
        waiting = asked
        for piece in pieces:
            here = pc.is_in(waiting[named], piece.ids)
            one, _ = _prepared(task, waiting.filter(here), users, piece, piece)
            prepared.append(one)
            yield piece.values, one.asking, one.truth
            waiting = waiting.filter(pc.invert(here))
        prepared.append(_prepared(task, waiting, users, nothing, nothing)[0])

    rank = rank_pieces(asking(), Rivals.of(users.values, asked.num_rows))
    ends = np.cumsum([len(one.truth) for one in prepared])
    found = [one.ranked(part) for one, part in zip(prepared, np.split(rank, ends[:-1]), strict=True)]
    rows = pa.concat_tables(part.rows for part in found)
    place = positions(asked["query_id"], rows["query_id"])
    left: Left = {
        what: {reason: sum(part.left[what][reason] for part in found) for reason in reasons}
        for what, reasons in found[0].left.items()
    }
    return Ranked(rows.take(pa.array(place[place >= 0])), left, found[0].candidates)


def left_out(ranked: Mapping[str, Ranked]) -> dict[str, dict[str, dict[str, int]]]:
    """Each of `Left`, by task, as metrics have it."""
    return {what: {task: found.left[what] for task, found in ranked.items()} for what in LEFT}


def summarize(found: pa.Table, candidates: int) -> dict[str, float]:
    """Metrics of one task's rows of RANKS.

    mean_median_rank     the median rank per ground truth, and the mean of these (where each has one query, as in
                         image_to_text of posts with one image, the same as mean_rank)
    median_rank, mean_rank, mean_reciprocal_rank    over all queries
    recall_at_k          share of queries whose ground truth ranks k or better
    queries, candidates  how many; without a query, these two alone
    random               the rank to expect of chance, (candidates + 1) / 2
    """
    counts = {"queries": found.num_rows, "candidates": candidates}
    if not found.num_rows:
        return {**counts}
    rank = found["rank"].to_numpy()
    return {
        "mean_median_rank": _mean_median(found),
        "median_rank": float(np.median(rank)),
        "mean_rank": float(rank.mean()),
        "mean_reciprocal_rank": float((1 / rank).mean()),
        **{f"recall_at_{k}": float((rank <= k).mean()) for k in (1, 5, 10)},
        **counts,
        "random": (candidates + 1) / 2,
    }


def _mean_median(found: pa.Table) -> float:
    """The mean over ground truths of the median rank of each one's queries, of rows of RANKS."""
    truth = pd.factorize(found["truth_id"].to_pandas())[0]
    return float(pd.Series(found["rank"].to_numpy()).groupby(truth).median().mean())


def joint_performance(blocks: Mapping[str, Mapping[str, float]]) -> float:
    """The sum over tasks of mean_median_rank / candidates (the paper's footnote 5); lower is better.

    A task without queries adds nothing. Raises ValueError where no task has any.
    """
    measured = [block for block in blocks.values() if block["queries"]]
    if not measured:
        raise ValueError("no task has a query, so there is no joint performance")
    return sum(block["mean_median_rank"] / block["candidates"] for block in measured)


def evaluate(ranked: Mapping[str, Ranked], posts: Mapping[str, int], settings: Retrieval, seed: int) -> dict[str, Any]:
    """The metrics of what is `ranked`, by task, with 95 % intervals over resamples of users.

    Per task what `summarize` gives, `interval_95` of each metric, and `by_activity` the mean_median_rank of users with
    few posts in train, some and many, by the bounds `settings.activity`, but of fewer than FEWEST users how many they
    are and no more; `posts` are these per user. All tasks share the resamples, so that joint_performance has an
    interval too. A number keeps the digits that its interval supports.
    """
    found = {task: rows for task, (rows, _, _) in ranked.items()}
    groups = {
        (task, name): rows.filter(pa.array(_activity(rows, posts, settings.activity) == i))
        for task, rows in found.items()
        for i, name in enumerate(ACTIVITY)
    }
    drawn = _resampled(found, groups, settings.bootstrap, seed)
    blocks = {task: summarize(rows, candidates) for task, (rows, _, candidates) in ranked.items()}
    metrics: dict[str, Any] = {}
    measured = [task for task in found if found[task].num_rows]
    if measured:
        joint = np.sum([drawn[task]["mean_median_rank"] / ranked[task].candidates for task in measured], axis=0)
        metrics |= _with_interval({"joint_performance": joint_performance(blocks)}, {"joint_performance": joint})
    for task, block in blocks.items():
        metrics[task] = _with_interval(block, drawn.get(task, {}))
        metrics[task]["by_activity"] = {
            name: _of_group(rows, drawn[task, name]) for name in ACTIVITY if (rows := groups[task, name]).num_rows
        }
    return metrics


def _of_group(rows: pa.Table, drawn: Mapping[str, Array]) -> dict[str, Any]:
    """What is told of a group of users: of fewer than FEWEST how many they are, as metrics are in Git."""
    users = len(rows["user_id"].unique())
    if users < FEWEST:
        return {"users": users}
    block = {"mean_median_rank": _mean_median(rows)}
    return {"users": users, "queries": rows.num_rows, **_with_interval(block, drawn)}


def _activity(rows: pa.Table, posts: Mapping[str, int], bounds: Sequence[int]) -> Array:
    counts = rows["user_id"].to_pandas().map(posts).fillna(0).to_numpy()
    level: Array = np.searchsorted(bounds, counts, side="right")
    return level


def _with_interval(block: Mapping[str, float], drawn: Mapping[str, Array]) -> dict[str, Any]:
    result: dict[str, Any] = dict(block)
    intervals = {}
    for name in block.keys() & drawn.keys():
        result[name], *intervals[name] = rounded(block[name], *interval(drawn[name]))
    return {**result, "interval_95": {name: intervals[name] for name in block if name in intervals}}


def _resampled(
    tasks: Mapping[Any, pa.Table], groups: Mapping[Any, pa.Table], count: int, seed: int
) -> dict[Any, dict[str, Array]]:
    """Of rows of RANKS, by name, the metrics of `summarize` for `tasks`, and for `groups` of their rows the
    mean_median_rank alone: each (count,), all of the same resamples of users.
    """
    users = pd.Index(pd.concat([rows["user_id"].to_pandas() for rows in tasks.values()]).unique()).sort_values()
    asked = {name: _Asked(rows, users) for name, rows in {**tasks, **groups}.items() if rows.num_rows}
    if not asked:
        return {}
    parts = [
        {name: one.metrics(drawn) if name in tasks else one.mean_median(drawn) for name, one in asked.items()}
        for drawn in resamples(len(users), count, seed)
    ]
    return {
        name: {metric: np.concatenate([part[name][metric] for part in parts]) for metric in parts[0][name]}
        for name in asked
    }


class _Asked:
    """The queries of one set, summed per user, so that a resample costs one product of its draws with the sums."""

    def __init__(self, rows: pa.Table, users: pd.Index) -> None:
        frame = pd.DataFrame({"rank": rows["rank"].to_numpy(), "truth": rows["truth_id"].to_pandas()})
        frame["user"] = users.get_indexer(rows["user_id"].to_pandas())
        frame = frame.sort_values("rank", kind="stable")
        self._rank, self._user = frame["rank"].to_numpy(), frame["user"].to_numpy()
        each = {
            "mean_rank": self._rank,
            "mean_reciprocal_rank": 1 / self._rank,
            **{f"recall_at_{k}": self._rank <= k for k in (1, 5, 10)},
        }
        self._sums = {name: self._per_user(self._user, len(users), values) for name, values in each.items()}
        self._queries = self._per_user(self._user, len(users))
        medians = frame.groupby("truth", sort=False).agg({"rank": "median", "user": "first"})
        self._medians = self._per_user(medians["user"].to_numpy(), len(users), medians["rank"].to_numpy())
        self._truths = self._per_user(medians["user"].to_numpy(), len(users))

    @staticmethod
    def _per_user(user: Array, users: int, values: Array | None = None) -> Array:
        return np.bincount(user, values, minlength=users).astype(np.float64)

    def mean_median(self, drawn: Array) -> dict[str, Array]:
        """The mean_median_rank alone, as `metrics` has it."""
        weights = drawn.astype(np.float64)
        with np.errstate(invalid="ignore"):
            return {"mean_median_rank": (weights @ self._medians) / (weights @ self._truths)}

    def metrics(self, drawn: Array) -> dict[str, Array]:
        """Each metric (b,) of the resamples `drawn` (b, users); NaN where no query was drawn."""
        weights = drawn.astype(np.float64)
        with np.errstate(invalid="ignore"):
            return {
                **self.mean_median(drawn),
                "median_rank": _weighted_medians(self._rank, self._user, drawn),
                **{name: (weights @ sums) / (weights @ self._queries) for name, sums in self._sums.items()},
            }


@numba.njit(cache=True, parallel=True)  # type: ignore[misc]
def _weighted_medians(rank: Array, user: Array, drawn: Array) -> Array:
    result = np.full(drawn.shape[0], np.nan)
    for i in numba.prange(drawn.shape[0]):
        weight = drawn[i]
        total = 0
        for j in range(rank.shape[0]):
            total += weight[user[j]]
        lower, seen = np.nan, 0
        for j in range(rank.shape[0]):
            seen += weight[user[j]]
            if np.isnan(lower) and 2 * seen >= total and seen:
                lower = rank[j]
            if 2 * seen > total:
                result[i] = (lower + rank[j]) / 2
                break
    return result


def cumulative(ranked: Mapping[str, Ranked]) -> pd.DataFrame:
    """Share of each task's queries whose ground truth ranks within a share of the candidates, beside chance.

    Columns: share_of_candidates, one per task, random. Steps are finer below 0.1, where models differ.
    """
    shares = np.concatenate([np.arange(0, 100) / 1000, np.arange(10, 101) / 100])
    curves = {
        task: np.searchsorted(np.sort(rows["rank"].to_numpy()), shares * candidates + 1e-9, side="right")
        / rows.num_rows
        for task, (rows, _, candidates) in ranked.items()
        if rows.num_rows
    }
    return pd.DataFrame({"share_of_candidates": shares, **curves, "random": shares})
