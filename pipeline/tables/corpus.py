"""What a corpus is made of: posts, users, pictures, and what was left out."""

import pyarrow as pa

from pipeline.tables.table import TEXT, WORD_LIST, Table, schema

POSTS = Table(
    "corpus/posts",
    schema(
        ("post_id", TEXT),
        ("user_id", TEXT),
        ("text", TEXT, True),
        ("image_id", TEXT, True),
        ("created_at", pa.timestamp("us"), True),
    ),
    ("post_id",),
)
USERS = Table("corpus/users", schema(("user_id", TEXT), ("interests", WORD_LIST), ("brand", pa.bool_())), ("user_id",))
IMAGES = Table(
    "corpus/images",
    schema(("image_id", TEXT), ("bytes", pa.binary()), ("width", pa.int32()), ("height", pa.int32())),
    ("image_id",),
    2_000,
)
REJECTED = Table("rejected", schema(("id", TEXT), ("reason", TEXT), ("detail", TEXT)), ("id", "reason", "detail"))
