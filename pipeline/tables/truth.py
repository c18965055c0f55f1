"""What a generated corpus was made of: the truth that was planted."""

import pyarrow as pa

from pipeline.tables.table import TEXT, Table, schema

TRUTH_POSTS = Table(
    "truth/posts",
    schema(
        ("post_id", TEXT),
        ("topic", pa.int32()),
        ("colour", pa.int32()),
        ("shown_topic", pa.int32()),
        ("shown_colour", pa.int32()),
        ("author", TEXT),
        ("text_of", TEXT, True),
        ("text_change", TEXT, True),
        ("image_of", TEXT, True),
        ("image_change", TEXT, True),
    ),
    ("post_id",),
)
"""topic, colour: of the post, and unless captions are independent of its text. shown_topic, shown_colour: of its
picture, where it has one. author: whose tastes made the post.
text_of, image_of: the earlier post whose text or picture this one copies, and how."""
TRUTH_USERS = Table(
    "truth/users", schema(("user_id", TEXT), ("topics", pa.list_(pa.float32())), ("language", TEXT)), ("user_id",)
)
"""topics: the user's mixture, the share of posts on each. language: what the user writes, by its two letters."""
