"""Texts' words, removed near-duplicates, and pairs of texts of which one says what the other does."""

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
TEXT_VECTORS = Table("text/vectors", schema(("post_id", TEXT), ("vector", VECTOR)), ("post_id",), 32_768)
"""A post's text as a sentence encoder has it, unit length; no row without a text, or without an encoder."""
COPY, DERIVED = "copy", "derived"
TEXT_EDGES = Table(
    "text/edges",
    schema(("post_id", TEXT), ("other_id", TEXT), ("kind", TEXT), ("overlap", pa.float32())),
    ("post_id", "other_id"),
)
"""Pairs of posts that may not stand on two sides of the split, removed ones included. overlap: Jaccard of their sets of
cleaned words; posts with the same set (1) have an edge to the first of them, and stand for it in the pairs with other
sets, all of which are here. kind: `copy`, near-duplicates by their words as written too, or `derived`."""
