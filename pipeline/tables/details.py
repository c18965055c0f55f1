"""What is known of a post beside its content."""

import pyarrow as pa

from pipeline.tables.table import TEXT, WORD_LIST, Table, schema

DETAILS = Table(
    "corpus/details",
    schema(
        ("post_id", TEXT),
        ("language", TEXT, True),
        ("url", TEXT, True),
        ("likes", pa.int64(), True),
        ("replies", pa.int64(), True),
        ("reply_to", TEXT, True),
        ("answers", TEXT, True),
        ("alt", WORD_LIST, True),
    ),
    ("post_id",),
)
"""For posts of which any is known. reply_to: the user who is answered; answers: the post. A table of its own, which no
stage that learns depends on: a like more retrains nothing."""
TOLD = tuple(DETAILS.schema.names[1:])
