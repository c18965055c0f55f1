"""Sides of the split, what stands on each, what is asked, and what lies close across."""

import pyarrow as pa

from pipeline.tables.table import TEXT, WORD_LIST, Table, schema

ASSIGNED = Table(
    "split/assigned",
    schema(("post_id", TEXT), ("group_id", TEXT), ("split", TEXT), ("reason", TEXT, True)),
    ("post_id",),
)
"""Posts by side: train, val, test, or `excluded`, for a reason. Also the table data/split/posts, after the audit."""
CROSSES_CUT, NEAR_COPY = "bound to two sides of a group that was cut", "near-copy of held-out content"
LARGEST = Table(
    "split/largest",
    schema(
        *(("group_id", TEXT), ("posts", pa.int64()), ("pieces", pa.int64()), ("largest_piece", pa.int64())),
        *(("trains", pa.int64()), ("excluded", pa.int64()), ("post_id", TEXT), ("image_id", TEXT, True)),
    ),
    ("group_id",),
)
"""The largest content groups: their posts; the pieces into which they were cut (1: whole) and the largest of these;
posts that train as they are bound to what is too large to be held out; posts excluded; a post, and the image that most
of them show."""
CONTENT = Table(
    "split content",
    schema(
        *(("post_id", TEXT), ("user_id", TEXT), ("image_id", TEXT, True), ("words", WORD_LIST)),
        ("more_images", WORD_LIST, True),
    ),
    ("post_id",),
    optional=("more_images",),
)
"""The posts of one side of the split, with their content: what a stage that fits is given."""
SETS = Table("split/sets", schema(("split", TEXT), ("task", TEXT), ("post_id", TEXT)), ("split", "task", "post_id"))
"""The queries of the evaluation: for each split (val, test) and task, the posts whose pair is asked for."""
CLOSE = Table(
    "split/close",
    schema(("kind", TEXT), ("held_out_id", TEXT), ("other_id", TEXT), ("similarity", pa.float32()), ("verdict", TEXT)),
    ("kind", "held_out_id", "other_id"),
)
"""Close pairs across the split. kind: text or written (post ids and Jaccard, of cleaned words or as
written), image (image ids and cosine). The closest BELOW the threshold; at it, but judged DIFFERENT by a look at the
pictures, or TAKEN for copies, which then left a side: a random sample of either."""
BELOW, DIFFERENT, TAKEN = "below", "different", "taken"
