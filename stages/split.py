"""Stage `split`: place every post in train, val or test, keeping each group of near-copies whole.

Reads   data/corpus/posts      a post: post_id, image_id
        data/text/words        a post with words: post_id
        data/text/duplicates   a removed copy: post_id; it binds what it is a copy of, and has no side itself
        data/text/groups       a post with a near-copy: post_id, group_id
        data/images/groups     an image: image_id, group_id
Writes  data/split/assigned    a post with words or an image: post_id, group_id, split (train, val, test)
        metrics/split.json     posts in and out by reason; per side posts, share, expected share and its standard
                               deviation; groups, the largest of them, and those past split.max_group_share (posts)
"""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.running.params import load
from pipeline.split.sides import assign, content_groups, held_out_fractions
from pipeline.tables.corpus import POSTS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import positions
from pipeline.tables.text import DUPLICATES, TEXT_GROUPS, WORDS
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
WORDS_PATH = Path("data/text/words")
DUPLICATES_PATH = Path("data/text/duplicates")
TEXT_GROUPS_PATH = Path("data/text/groups")
IMAGE_GROUPS_PATH = Path("data/images/groups")
ASSIGNED_PATH = Path("data/split/assigned")
METRICS = Path("metrics/split.json")

log = logging.getLogger("split")


def main() -> None:
    params = load("seed", "split.test", "split.val", "split.protocol", "split.max_group_share")
    split = params.split
    posts = POSTS.read(POSTS_PATH, ["post_id", "image_id", "more_images"])
    text_groups, image_groups = TEXT_GROUPS.read(TEXT_GROUPS_PATH), IMAGE_GROUPS.read(IMAGE_GROUPS_PATH)

    group = content_groups(posts, text_groups, image_groups)

    removed = np.zeros(posts.num_rows, bool)
    removed[positions(DUPLICATES.read(DUPLICATES_PATH, ["post_id"])["post_id"], posts["post_id"])] = True
    content = posts["image_id"].is_valid().to_numpy()
    content[positions(WORDS.read(WORDS_PATH, ["post_id"])["post_id"], posts["post_id"])] = True
    kept = content & ~removed

    leaders, group_of_kept, counts = np.unique(group[kept], return_inverse=True, return_counts=True)
    names = posts["post_id"].take(pa.array(leaders))
    fractions = held_out_fractions(split.test, split.val, split.protocol)
    assignment = assign(names.to_pylist(), counts, fractions, split.max_group_share, params.seed)

    assigned = {
        "post_id": posts["post_id"].filter(pa.array(kept)),
        "group_id": names.take(pa.array(group_of_kept)),
        "split": pa.array(assignment.side, pa.string()).take(pa.array(group_of_kept)),
    }
    ASSIGNED.write(pa.table(assigned), ASSIGNED_PATH)
    shares = assignment.shares()
    write_metrics(
        {
            "posts": {
                "in": posts.num_rows,
                "assigned": int(kept.sum()),
                "removed_duplicates": int(removed.sum()),
                "without_words_and_image": int((~content & ~removed).sum()),
            },
            "sides": shares,
            "groups": {
                "all": len(counts),
                "of_more_than_one_post": int((counts > 1).sum()),
                "largest": int(counts.max(initial=0)),
                "oversized": int(assignment.oversized.sum()),
                "posts_in_oversized": int(counts[assignment.oversized].sum()),
            },
        },
        METRICS,
    )
    log.info("%d posts in %d groups: %s", kept.sum(), len(counts), {s: int(v["posts"]) for s, v in shares.items()})


if __name__ == "__main__":
    run("split", main)
