"""Where things lie in the plane."""

import pyarrow as pa

from pipeline.tables.table import TEXT, Table, schema

POINTS = Table(
    "map/points",
    schema(("kind", TEXT), ("id", TEXT), ("x", pa.float32()), ("y", pa.float32()), ("cluster", pa.int32())),
    ("kind", "id"),
)
"""A user, or an image of each group of copies: kind `user` or `image`, each kind a plane of its own, from -1 to 1.
cluster: that of the user, of an image that of the nearest centre; -1 where there are no clusters."""
