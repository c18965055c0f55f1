"""Sides of the split, what stands on each, what is asked, and what lies close across."""

import pyarrow as pa

from pipeline.tables.table import TEXT, WORD_LIST, Table, schema

ASSIGNED = Table("split/assigned", schema(("post_id", TEXT), ("group_id", TEXT), ("split", TEXT)), ("post_id",))
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
"""Close pairs across the split that are no copies. kind text: post ids and Jaccard; kind image: image ids and cosine.
verdict: `below` the threshold, or `different`, at the threshold but told apart by the second check of images."""
