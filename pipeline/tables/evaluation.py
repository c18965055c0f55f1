"""Folds of interests, clusters, answers."""

import pyarrow as pa

from pipeline.tables.table import TEXT, WORD_LIST, Table, schema

INTERESTS = Table(
    "evaluation/interests",
    schema(
        ("method", TEXT),
        ("label", TEXT),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("true_positives", pa.int32()),
        ("false_positives", pa.int32()),
        ("false_negatives", pa.int32()),
    ),
    ("method", "label", "repeat", "fold"),
)
"""One fold held out each: what the classifier of a label, on the vectors of a method, got right and wrong there."""

CLUSTER_USERS = Table(
    "clusters/users", schema(("user_id", TEXT), ("cluster", pa.int32()), ("similarity", pa.float32())), ("user_id",)
)
"""similarity: cosine to the centroid. Cluster 0 is the largest."""
CLUSTER_WORDS = Table(
    "clusters/words",
    schema(
        ("cluster", pa.int32()),
        ("measure", TEXT),
        ("position", pa.int32()),
        ("word", TEXT),
        ("weight", pa.float64()),
        ("count", pa.int64()),
    ),
    ("cluster", "measure", "position"),
)
"""Words of a cluster, position 0 first. measure `frequency`: weight = count; `log_odds`: weight = z-score."""
CLUSTER_IMAGES = Table(
    "clusters/images",
    schema(("cluster", pa.int32()), ("position", pa.int32()), ("image_id", TEXT), ("similarity", pa.float32())),
    ("cluster", "position"),
)
"""Images nearest to a cluster's centroid, one of each group of copies."""

ASKED = Table(
    "queries/asked",
    schema(
        ("query", pa.int32()),
        ("pair", pa.int32()),
        ("kind", TEXT),
        ("value", TEXT),
        ("known_words", WORD_LIST),
        ("unknown_words", WORD_LIST),
    ),
    ("query",),
)
"""Queries of the report. kind text: value is what was typed, split into words that the model knows and others, and
without a known word there is no answer; kind image or user: value is an id. Queries of one `pair` belong together."""
ANSWERS = Table(
    "queries/answers",
    schema(("query", pa.int32()), ("kind", TEXT), ("position", pa.int32()), ("id", TEXT), ("similarity", pa.float32())),
    ("query", "kind", "position"),
)
"""What lies nearest to a query, position 0 first: kind text (id is a post_id), image or user."""
