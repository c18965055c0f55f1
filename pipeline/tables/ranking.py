"""Ranks of the ground truth."""

import pyarrow as pa

from pipeline.tables.table import TEXT, Table, schema

RANKS = Table(
    "evaluation/ranks",
    schema(("task", TEXT), ("query_id", TEXT), ("truth_id", TEXT), ("user_id", TEXT), ("rank", pa.float64())),
    ("task", "query_id"),
)
"""One query each: query_id is the post whose text or image asks,
truth_id the user or post looked for; rank 1 is best."""
