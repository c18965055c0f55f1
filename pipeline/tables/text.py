"""Texts' words, and near-duplicates among texts."""

import pyarrow as pa

from pipeline.tables.table import TEXT, VECTOR, WORD_LIST, Table, schema

WORDS = Table(
    "text/words",
    schema(("post_id", TEXT), ("words", WORD_LIST), ("hashtags", WORD_LIST), ("language", TEXT)),
    ("post_id",),
)
"""hashtags as written, without the sign; language by its two letters (three where it has no two), `und`: not known."""
DUPLICATES = Table(
    "text/duplicates", schema(("post_id", TEXT), ("duplicate_of", TEXT), ("overlap", pa.float32())), ("post_id",)
)
TEXT_GROUPS = Table("text/groups", schema(("post_id", TEXT), ("group_id", TEXT)), ("post_id",))
TEXT_VECTORS = Table("text/vectors", schema(("post_id", TEXT), ("vector", VECTOR)), ("post_id",), 32_768)
"""A post's text as a sentence encoder has it, unit length; no row without a text, or without an encoder."""
