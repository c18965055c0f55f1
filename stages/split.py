"""Stage `split`: place every post in train, val or test; nothing that is alike stands on two sides.

Reads   data/corpus/posts      a post: post_id, user_id, image_id, more_images
        data/text/words        a post with words: post_id
        data/text/duplicates   a removed copy: post_id; it binds what it is a copy of, and has no side itself
        data/text/edges        a pair of posts with like texts: post_id, other_id, overlap
        data/images/groups     an image: image_id, group_id
        data/images/edges      a pair of images that share much of what they show: image_id, other_id
Writes  data/split/assigned    a post with words or an image: post_id, group_id, split (train, val, test, or excluded
                               where its group was cut and it is bound to two sides), reason
        data/split/largest     the largest groups, and how they were cut
        metrics/split.json     posts in and out by reason; per side posts, share, expected share and its standard
                               deviation; groups, the largest of them, those cut, and what trains whole as it is past
                               split.max_group_share (posts); queries that the sides hold
"""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.running.params import load
from pipeline.split.bonds import Bonds
from pipeline.split.largest import group_facts, largest
from pipeline.split.sets import Content, check_enough, held_out_queries
from pipeline.split.sides import EXCLUDED, assign, content_groups, held_out_fractions
from pipeline.tables.corpus import POSTS
from pipeline.tables.images import IMAGE_EDGES, IMAGE_GROUPS
from pipeline.tables.split import ASSIGNED, CROSSES_CUT, LARGEST
from pipeline.tables.table import positions
from pipeline.tables.text import DUPLICATES, TEXT_EDGES, WORDS
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
WORDS_PATH = Path("data/text/words")
DUPLICATES_PATH = Path("data/text/duplicates")
TEXT_EDGES_PATH = Path("data/text/edges")
IMAGE_GROUPS_PATH = Path("data/images/groups")
IMAGE_EDGES_PATH = Path("data/images/edges")
ASSIGNED_PATH = Path("data/split/assigned")
LARGEST_PATH = Path("data/split/largest")
METRICS = Path("metrics/split.json")

SHOWN = 12
"""Groups told of one by one, the largest."""

log = logging.getLogger("split")


def main() -> None:
    params = load("seed", "split.test", "split.val", "split.protocol", "split.max_group_share", "split.allow_empty",
                  "split.text_queries", "split.max_image_text_pairs", "train.epochs")  # fmt: skip
    split = params.split
    posts = POSTS.read(POSTS_PATH, ["post_id", "user_id", "image_id", "more_images"])
    image_groups = IMAGE_GROUPS.read(IMAGE_GROUPS_PATH, ["image_id", "group_id"])
    bonds = Bonds.of(posts, TEXT_EDGES.read(TEXT_EDGES_PATH), image_groups, IMAGE_EDGES.read(IMAGE_EDGES_PATH))

    has_words = np.zeros(posts.num_rows, bool)
    has_words[positions(WORDS.read(WORDS_PATH, ["post_id"])["post_id"], posts["post_id"])] = True
    removed = np.zeros(posts.num_rows, bool)
    removed[positions(DUPLICATES.read(DUPLICATES_PATH, ["post_id"])["post_id"], posts["post_id"])] = True
    content = has_words | posts["image_id"].is_valid().to_numpy()
    kept = content & ~removed

    groups = content_groups(bonds, posts["post_id"], kept, split.max_group_share, params.seed)
    fractions = held_out_fractions(split.test, split.val, split.protocol)
    assignment = assign(posts["post_id"], groups, fractions, params.seed)
    few = split.allow_empty or params.train.epochs == 1
    everything = Content.of(posts, has_words, image_groups)
    _, asked = held_out_queries(
        everything, assignment.side, split.text_queries, split.max_image_text_pairs, few, params.seed
    )

    side, of = assignment.side[kept], groups.of[kept]
    post_ids = posts["post_id"].filter(pa.array(kept))
    assigned = {
        "post_id": post_ids,
        "group_id": posts["post_id"].take(pa.array(of)),
        "split": pa.array(side, pa.string()),
        "reason": pc.if_else(pa.array(side == EXCLUDED), CROSSES_CUT, pa.scalar(None, pa.string())),
    }
    ASSIGNED.write(pa.table(assigned), ASSIGNED_PATH)
    LARGEST.write(largest(posts, groups, assignment.side, SHOWN), LARGEST_PATH)
    write_metrics(
        {
            "posts": {
                "in": posts.num_rows,
                "assigned": int(kept.sum()),
                "removed_duplicates": int(removed.sum()),
                "without_words_and_image": int((~content & ~removed).sum()),
                "excluded": {CROSSES_CUT: int((side == EXCLUDED).sum())},
            },
            "sides": assignment.shares,
            "groups": group_facts(groups),
            "queries": {name: {task: len(rows) for task, rows in of.rows.items()} for name, of in asked.items()},
        },
        METRICS,
    )
    log.info("%s", {name: int(told["posts"]) for name, told in assignment.shares.items()})
    if not split.allow_empty:
        gone = {
            "are near-copies of an earlier text": int(removed.sum()),
            "have neither a word nor a picture": int((~content & ~removed).sum()),
        }
        check_enough(asked, side, fractions, params.train.epochs, gone)


if __name__ == "__main__":
    run("split", main)
