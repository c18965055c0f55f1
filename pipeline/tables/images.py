"""Images' vectors, and groups of copies among images."""

import pyarrow as pa

from pipeline.tables.table import TEXT, VECTOR, Table, schema

# Also the table data/images/style: the same images in the same shards, or no row.
FEATURES = Table("images/features", schema(("image_id", TEXT), ("vector", VECTOR)), ("image_id",), 32_768)
IMAGE_GROUPS = Table(
    "images/groups",
    schema(("image_id", TEXT), ("group_id", TEXT), ("representative", pa.bool_()), ("similarity", pa.float32())),
    ("image_id",),
)
