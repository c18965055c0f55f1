"""Ranks of the ground truth."""

import pyarrow as pa

from pipeline.tables.table import TEXT, Table, schema

RANKS = Table(
    "evaluation/ranks",
    schema(("task", TEXT), ("query_id", TEXT), ("truth_id", TEXT), ("user_id", TEXT), ("rank", pa.float64())),
    ("task", "query_id"),
)
"""One query each: query_id is the post whose text or image asks, with the image's id behind it for all images of a post
but its first; truth_id is the user or post looked for; rank 1 is best."""
