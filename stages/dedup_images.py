"""Stage `dedup_images`: groups of near-copies of images.

Reads   data/corpus/images      one row per image: image_id, bytes, width, height
        data/images/features    one row per image: image_id, vector
Writes  data/images/groups      one row per image: image_id, group_id (the smallest image_id of the group),
                                representative (the largest picture of the group), similarity (highest cosine to
                                another member; 1 in a group of one)
        data/images/edges       one row per confirmed pair: image_id, other_id, kind (copy, derived, related), evidence,
                                score
        metrics/images.json     images, groups, their sizes, pairs per step, what a bound cut off, and the recall audit
"""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.copies.groups import (
    FLAT_BELOW,
    Groups,
    distinct,
    group_images,
    near_pairs,
    ranked,
    recall,
    representatives,
    size_histogram,
)
from pipeline.copies.looks import Looks
from pipeline.copies.votes import voted_pairs
from pipeline.running.checkpoints import keep_in
from pipeline.running.params import load
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES, IMAGE_EDGES, IMAGE_GROUPS
from pipeline.tables.table import matrix, stacked
from stages.runner import resumable, run

IMAGES_PATH = Path("data/corpus/images")
FEATURES_PATH = Path("data/images/features")
GROUPS = Path("data/images/groups")
EDGES = Path("data/images/edges")
METRICS = Path("metrics/images.json")

AUDITED = 1000

log = logging.getLogger("dedup_images")


def main() -> None:
    params = load("seed", "images.min_cosine", "images.neighbours")
    images = params.images
    ids = FEATURES.read(FEATURES_PATH, ["image_id"])["image_id"]
    about = IMAGES.read(IMAGES_PATH, ["image_id", "width", "height"])
    if not about["image_id"].equals(ids):
        raise ValueError(f"{FEATURES_PATH} and {IMAGES_PATH} do not hold the same images")
    vectors = stacked((matrix(part["vector"]) for part in FEATURES.batches(FEATURES_PATH, ["vector"])), len(ids))
    pixels = about["width"].to_numpy().astype(np.int64) * about["height"].to_numpy()

    with resumable("dedup_images") as folder:
        keep = keep_in(folder)
        looks = Looks.of(IMAGES_PATH, folder / "looks")
        near = near_pairs(vectors, images.min_cosine, params.seed, images.neighbours, keep=keep)
        audit = recall(vectors, near, images.min_cosine, images.neighbours, AUDITED, params.seed)
        left, right, votes_cut = voted_pairs(looks, images.neighbours, params.seed, keep)
        keys = distinct(np.concatenate([near.left * len(pixels) + near.right, left * len(pixels) + right]))
        pairs = ranked(vectors, *np.divmod(keys, len(pixels)))
        groups = group_images(len(pixels), pairs, looks.judge, keep=keep)

    names = ids.combine_chunks()
    IMAGE_GROUPS.write(groups_table(names, groups, pixels), GROUPS)
    IMAGE_EDGES.write(edges_table(names, groups), EDGES)
    facts = facts_of(groups)
    proposed = {"by_features": len(near.left), "by_points": len(left), "proposed": len(pairs.left)}
    facts["pairs"] = {**proposed, **facts["pairs"]}
    facts["cut_off_by_neighbours"] = {"images_by_features": int(near.cut.sum()), "pairs_by_points": votes_cut}
    facts["recall_audit"] = {"search": "all with all" if len(pixels) < FLAT_BELOW else "by cells", **audit}
    write_metrics(facts, METRICS)
    log.info("%d images, %d unique; largest group %d", len(pixels), facts["unique_images"], facts["largest_group"])


def groups_table(ids: pa.Array, groups: Groups, pixels: np.ndarray) -> pa.Table:
    """Rows of data/images/groups: each image with its group, and what shows the group."""
    return pa.table(
        {
            "image_id": ids,
            "group_id": ids.take(pa.array(groups.group)),
            "representative": representatives(groups.group, pixels),
            "similarity": groups.similarity,
        }
    )


def edges_table(ids: pa.Array, groups: Groups) -> pa.Table:
    """Rows of data/images/edges: each confirmed pair, and by what."""
    one, other = groups.edges.T
    return pa.table(
        {
            "image_id": ids.take(pa.array(one)),
            "other_id": ids.take(pa.array(other)),
            "kind": pa.array([verdict.kind for verdict in groups.verdicts], pa.string()),
            "evidence": pa.array([verdict.evidence for verdict in groups.verdicts], pa.string()),
            "score": pa.array([verdict.score for verdict in groups.verdicts], pa.float32()),
        }
    )


def facts_of(groups: Groups) -> dict[str, Any]:
    """Images, groups and what became of pairs, as counts."""
    kinds = Counter(f"{verdict.kind}_by_{verdict.evidence}" for verdict in groups.verdicts)
    sizes = np.unique(groups.group, return_counts=True)[1]
    copies = int(sizes.sum() - len(sizes))
    return {
        "images": len(groups.group),
        "unique_images": len(sizes),
        "copies": copies,
        "copies_share": copies / max(1, len(groups.group)),
        "groups_with_copies": int((sizes > 1).sum()),
        "largest_group": int(sizes.max(initial=0)),
        "group_sizes": size_histogram(groups.group),
        "pairs": {
            "confirmed": dict(sorted(kinds.items())),
            "refused": len(groups.refused),
            "already_in_one_group": groups.joined,
        },
    }


if __name__ == "__main__":
    run("dedup_images", main)
