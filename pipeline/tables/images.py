"""Images' vectors, pairs of images of which one shows what the other does, and groups of copies."""

import pyarrow as pa

from pipeline.tables.table import TEXT, VECTOR, Table, schema

# Also the table data/images/style: the same images in the same shards, or no row.
FEATURES = Table("images/features", schema(("image_id", TEXT), ("vector", VECTOR)), ("image_id",), 32_768)
IMAGE_GROUPS = Table(
    "images/groups",
    schema(("image_id", TEXT), ("group_id", TEXT), ("representative", pa.bool_()), ("similarity", pa.float32())),
    ("image_id",),
)
COPY, DERIVED, RELATED = "copy", "derived", "related"
IMAGE_EDGES = Table(
    "images/edges",
    schema(("image_id", TEXT), ("other_id", TEXT), ("kind", TEXT), ("evidence", TEXT), ("score", pa.float32())),
    ("image_id", "other_id"),
)
"""Confirmed pairs, image_id < other_id. kind: `copy`, the same picture (IMAGE_GROUPS are made of these), `derived`, one
shows a large part of the other (recoloured, captioned, collage), or `related`, they share about half of what both draw;
the split binds all three. evidence: what confirmed it; score: its number, the more the surer."""
