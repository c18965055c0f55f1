"""What a corpus is made of: posts, users, pictures, and what was left out."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import TEXT, WORD_LIST, Table, schema

POSTS = Table(
    "corpus/posts",
    schema(
        ("post_id", TEXT),
        ("user_id", TEXT),
        ("text", TEXT, True),
        ("image_id", TEXT, True),
        ("created_at", pa.timestamp("us"), True),
        ("more_images", WORD_LIST, True),
    ),
    ("post_id",),
    optional=("more_images",),
)
"""image_id: the first picture, null where there is none; more_images: the others, in order, null where there is none.
`pictures_of` tells all of them."""
USERS = Table("corpus/users", schema(("user_id", TEXT), ("interests", WORD_LIST), ("brand", pa.bool_())), ("user_id",))
IMAGES = Table(
    "corpus/images",
    schema(("image_id", TEXT), ("bytes", pa.binary()), ("width", pa.int32()), ("height", pa.int32())),
    ("image_id",),
    2_000,
)
REJECTED = Table("rejected", schema(("id", TEXT), ("reason", TEXT), ("detail", TEXT)), ("id", "reason", "detail"))


def pictures_of(posts: pa.Table) -> tuple["np.ndarray[Any, np.dtype[np.int64]]", pa.Array]:
    """Every picture of every post: rows of `posts` (p,), ascending, and image ids (p,), a post's own in their order.

    `posts` has image_id and, where some have several, more_images.
    """
    first = posts["image_id"].combine_chunks() if posts.num_rows else pa.array([], TEXT)
    row = np.flatnonzero(first.is_valid().to_numpy(zero_copy_only=False))
    ids = first.drop_null()
    if "more_images" not in posts.column_names or posts["more_images"].null_count == posts.num_rows:
        return row, ids
    more = posts["more_images"].combine_chunks()
    other = pc.list_parent_indices(more).to_numpy().astype(np.int64)
    both = np.concatenate([row, other])
    order = np.argsort(both, kind="stable")  # the first picture before the others
    return both[order], pa.concat_arrays([ids, pc.list_flatten(more)]).take(pa.array(order))
