"""The audit of a split: does anything held out have a near-copy on another side?

The groups that the split keeps whole come from other code and, for images, from an approximate index; here all held-out
texts and images are searched again, exactly (`exact_search`). A copy in val or train of what test holds, or in
train of what val holds, is a crossing, and its post leaves the corpus. Close pairs below the threshold, and images at
it that the second check tells apart, are counted, and stay; the closest of the one, and a sample of the other, are kept
to be looked at, as is one of the copies: what is judged different may still be alike, and what is taken may not.

Shapes: n posts, or of images n pictures of posts; an item is a distinct text (set of words) or a distinct image, of
which each has one or none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipeline.running.errors import UserError
from pipeline.split.exact_search import Found
from pipeline.split.sides import EXCLUDED, TEST, TRAIN, VAL
from pipeline.tables.split import BELOW, CLOSE, DIFFERENT, TAKEN

SIDES = (TEST, TRAIN, VAL)
AGAINST = {TEST: (VAL, TRAIN), VAL: (TRAIN,)}
SHOWN, SAMPLE = 10, 60
"""Closest pairs told that are below the threshold, and pairs judged different or taken for copies, drawn at random; per
kind.
"""

MOST = {BELOW: SHOWN, DIFFERENT: SAMPLE, TAKEN: SAMPLE}
RANKED = CLOSE.schema.append(pa.field("rank", pa.float64()))
"""Rows of CLOSE, and which of a verdict come first."""

Search = Callable[[np.ndarray, np.ndarray], Found]
Confirm = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Finding:
    """What was found of one kind.

    `excluded` (n,) posts; `copies` (p, 2) items, held out and other, that crossed, and the ids of one such pair as
    `example`; `counts` for the metrics; `close` rows of CLOSE.
    """

    excluded: np.ndarray
    copies: np.ndarray
    example: tuple[str, str] | None
    counts: dict[str, dict[str, int]]
    close: pa.Table


def across(
    kind: str, side: np.ndarray, item: np.ndarray, ids: pa.ChunkedArray, search: Search, confirm: Confirm | None = None
) -> Finding:
    """Search the held-out items among those of the sides they must not meet.

    side (n,) train, val, test; item (n,) the post's item, -1: none; ids (n,) how an item is shown: of a post of its
    side. `search` is given item numbers of queries and targets, both ascending; `confirm` those of p pairs at the
    threshold, and says which are copies, (p,) bool (default: all).
    """
    excluded = np.zeros(len(side), bool)
    counts, copies = {}, [np.empty((0, 2), np.int64)]
    close = [RANKED.empty_table()]
    example = None
    for held_out, others in AGAINST.items():
        asking = np.flatnonzero((item >= 0) & (side == held_out))
        asked = np.flatnonzero((item >= 0) & np.isin(side, others))
        queries, query_post = np.unique(item[asking], return_index=True)
        targets, target_post = np.unique(item[asked], return_index=True)
        found = search(queries, targets)
        pairs = np.column_stack([queries[found.query], targets[found.target]])
        copy = confirm(pairs[:, 0], pairs[:, 1]) if confirm and len(pairs) else np.ones(len(pairs), bool)

        excluded |= np.isin(item, pairs[copy, 1]) & np.isin(side, others)
        copies.append(pairs[copy])
        counts[held_out] = {
            "nothing_to_compare": int(((item < 0) & (side == held_out)).sum()),
            "searched": len(queries),
            "among": len(targets),
            "copies": int(copy.sum()),
            "judged_different": int((~copy).sum()),
            "grey": int((found.close > 0).sum()),
            "grey_pairs": int(found.close.sum()),
        }
        shown_query, shown_target = ids.take(pa.array(asking[query_post])), ids.take(pa.array(asked[target_post]))
        if example is None and copy.any():
            pair = int(copy.argmax())
            example = (
                f"{shown_query[int(found.query[pair])]} of {held_out}",
                f"{shown_target[int(found.target[pair])]}",
            )
        chance = np.random.default_rng([int((~copy).sum()), SIDES.index(held_out)])
        close += _close(kind, found, copy, shown_query, shown_target, chance)
    return Finding(excluded, np.concatenate(copies), example, counts, _first(pa.concat_tables(close)))


def _close(
    kind: str, found: Found, copy: np.ndarray, queries: pa.ChunkedArray, targets: pa.ChunkedArray,
    chance: np.random.Generator,
) -> Iterator[pa.Table]:  # fmt: skip
    """Rows of RANKED to be looked at: of each query the nearest below the threshold, samples of pairs (p,) by `copy`.

    `queries`, `targets`: how these are shown.
    """
    grey = np.flatnonzero(found.close)
    # A pair below the threshold that corners proposed has been looked at: it is told by what was seen.
    places = found.query * len(targets) + found.target
    grey = grey[~np.isin(grey * len(targets) + found.nearest[grey], places)]
    apart, taken = np.flatnonzero(~copy), np.flatnonzero(copy)
    for verdict, rank, query, target, similarity in (
        (BELOW, -found.nearest_similarity[grey], grey, found.nearest[grey], found.nearest_similarity[grey]),
        (DIFFERENT, chance.random(len(apart)), found.query[apart], found.target[apart], found.similarity[apart]),
        (TAKEN, chance.random(len(taken)), found.query[taken], found.target[taken], found.similarity[taken]),
    ):
        top = np.lexsort((target, query, rank))[: MOST[verdict]]
        columns = {
            "kind": pa.repeat(kind, len(top)),
            "held_out_id": queries.take(pa.array(query[top])),
            "other_id": targets.take(pa.array(target[top])),
            "similarity": similarity[top].astype(np.float32),
            "verdict": pa.repeat(verdict, len(top)),
            "rank": rank[top].astype(np.float64),
        }
        yield pa.table(columns).cast(RANKED)


def with_pairs(found: Found, query: np.ndarray, target: np.ndarray, similarity: np.ndarray) -> tuple[Found, np.ndarray]:
    """`found` and these pairs (p,), each once, by query and target; which of them (all) are of these alone."""
    pairs = [np.concatenate(column) for column in ((found.query, query), (found.target, target))]
    order = np.lexsort((np.arange(len(pairs[0])), pairs[1], pairs[0]))
    same = (np.diff(pairs[0][order], prepend=-1) == 0) & (np.diff(pairs[1][order], prepend=-1) == 0)
    order = order[~same]
    both = np.concatenate([found.similarity, similarity])[order]
    return replace(found, query=pairs[0][order], target=pairs[1][order], similarity=both), order >= len(found.query)


def _first(close: pa.Table) -> pa.Table:
    """Of each verdict the first over both held-out sides, by rank."""
    order = [("rank", "ascending"), ("held_out_id", "ascending"), ("other_id", "ascending")]
    ordered = close.group_by(CLOSE.schema.names).aggregate([("rank", "min")]).rename_columns(close.column_names)
    ordered = ordered.sort_by(order).drop_columns(["rank"])
    verdict = ordered["verdict"].to_numpy(zero_copy_only=False)
    rows = np.concatenate([np.flatnonzero(verdict == name)[:most] for name, most in MOST.items()])
    return ordered.take(pa.array(rows))


def remaining(finding: Finding, side: np.ndarray, item: np.ndarray) -> int:
    """How many of the crossings found are left on the sides `side` (n,)."""
    held, other = finding.copies.T

    def stands(copies: np.ndarray, sides: tuple[str, ...]) -> np.ndarray:
        return np.isin(copies, item[np.isin(item, copies) & np.isin(side, sides)])

    return sum(int((stands(held, (name,)) & stands(other, others)).sum()) for name, others in AGAINST.items())


def check_groups_whole(group_ids: pa.ChunkedArray, side: np.ndarray) -> None:
    """Raises UserError for a content group with posts on two of the sides (n,)."""
    group = group_ids.combine_chunks().dictionary_encode()
    code = group.indices.to_numpy()
    standing = np.stack([np.bincount(code[side == name], minlength=len(group.dictionary)) > 0 for name in SIDES])
    cut = np.flatnonzero(standing.sum(axis=0) > 1)
    if len(cut):
        sides = ", ".join(name for name, there in zip(SIDES, standing[:, cut[0]], strict=True) if there)
        raise UserError(
            f"data/split/assigned: {len(cut)} content groups are divided, the first of them "
            f"{group.dictionary[int(cut[0])].as_py()} between {sides}; a group has to stand on one side."
        )


def exclude(side: np.ndarray, excluded: np.ndarray, max_share: float, worst: str) -> np.ndarray:
    """The final sides (n,): `excluded` (n,) where a post left.

    Raises UserError where more than `max_share` of the train posts would leave: then the groups are at fault, and to
    leave out what was found would hide it. `worst` describes one crossing.
    """
    train = max(1, int((side == TRAIN).sum()))
    leaving = int((excluded & (side == TRAIN)).sum())
    if leaving > max_share * train:
        raise UserError(
            f"{leaving} of {train} train posts are near-copies of held-out ones, more than split.max_excluded_share "
            f"({max_share:g}) allows, as {worst}: the groups of near-copies are incomplete. "
            "A lower text.min_overlap or images.min_cosine binds more; of few posts a few are much: a larger "
            "split.max_excluded_share leaves these out of train and goes on."
        )
    return np.where(excluded, EXCLUDED, side)
