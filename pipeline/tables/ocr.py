"""Words that stand in pictures."""

import pyarrow as pa

from pipeline.tables.table import TEXT, Table, schema

READ = Table(
    "images/words",
    schema(("image_id", TEXT), ("text", TEXT), ("lines", pa.int32()), ("score", pa.float32())),
    ("image_id",),
    32_768,
)
"""What is read in an image, a row for each in whose picture words are: its lines, apart by line breaks, and how many.
score: the mean probability of their characters. Read vectors are FEATURES of the same images as images/features."""
