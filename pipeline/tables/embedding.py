"""Words with their vectors, and vectors by id."""

import pyarrow as pa

from pipeline.tables.table import TEXT, VECTOR, Table, schema

VOCABULARY = Table("words/vocabulary", schema(("word", TEXT), ("count", pa.int64()), ("vector", VECTOR)), ("word",))
PARTS = Table("words/parts", schema(("part", TEXT), ("vector", VECTOR)), ("part",))
"""Character n-grams of words, < and > about the word, where words.subwords asks for them; numbers as in VOCABULARY."""
EMBEDDINGS = Table("embeddings", schema(("id", TEXT), ("vector", VECTOR)), ("id",), 32_768)
"""Vectors by user_id, image_id or post_id; of the joint space, unit length, unless the table's place says otherwise."""
LETTERS = 1024
"""Numbers of a text's letters, in data/text/letters."""
