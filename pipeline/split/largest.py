"""What a person wants to know of the groups of the split: how many there are, and what became of the largest."""

import numpy as np
import pyarrow as pa

from pipeline.split.sides import EXCLUDED, Groups
from pipeline.tables.split import LARGEST


def group_facts(groups: Groups) -> dict[str, int]:
    """Counts of groups and of posts, for the metrics."""
    kept = groups.of >= 0
    sizes = np.bincount(groups.uncut[kept])
    pieces = np.unique(np.column_stack([groups.uncut[kept], groups.of[kept]]), axis=0)[:, 0]
    pieces = np.bincount(pieces)[np.flatnonzero(sizes)] if len(pieces) else sizes
    return {
        "all": int((sizes > 0).sum()),
        "of_more_than_one_post": int((sizes > 1).sum()),
        "largest": int(sizes.max(initial=0)),
        "oversized": int((sizes > groups.limit).sum()),
        "posts_in_oversized": int(sizes[sizes > groups.limit].sum()),
        "cut": int((pieces > 1).sum()),
        "pieces": int(pieces[pieces > 1].sum()),
        "posts_bound_to_two_pieces": len(np.unique(groups.post)),
        "posts_that_train_whole": int(groups.trains.sum()),
    }


def largest(posts: pa.Table, groups: Groups, side: np.ndarray, most: int) -> pa.Table:
    """The `most` largest of the content groups that hold more than one post, as rows of LARGEST."""
    kept = groups.of >= 0
    sizes = np.bincount(groups.uncut[kept], minlength=len(kept))
    chosen = np.argsort(-sizes, kind="stable")[:most]
    rows = []
    for group in chosen[sizes[chosen] > 1]:
        members = np.flatnonzero(kept & (groups.uncut == group))
        pieces = np.unique(groups.of[members], return_counts=True)[1]
        shown = posts["image_id"].take(pa.array(members)).drop_null().value_counts().to_pylist()
        image = max(shown, key=lambda of: (of["counts"], of["values"]))["values"] if shown else None
        post_id = posts["post_id"][int(members[0])].as_py()
        trains, out = int(groups.trains[members].sum()), int((side[members] == EXCLUDED).sum())
        name = posts["post_id"][int(group)].as_py()
        rows.append((name, len(members), len(pieces), int(pieces.max()), trains, out, post_id, image))
    return LARGEST.of(rows)
