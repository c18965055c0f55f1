"""Vectors of people who are not in the corpus: a table of their posts in, a table of vectors out; nothing is retrained.

    python -m explore.new_users posts.csv vectors.parquet

posts: a table as the import takes one (docs/own-corpus.md), with `user_id` and `text`, `image` (a path in the folder or
zip of pictures), or both.
Written are `id` and `vector`, as in data/embeddings/users; what was left out is told on standard error, row by row.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus.reading import cells, files
from pipeline.pictures.finding import opened
from pipeline.pictures.reading import Rejected
from pipeline.report.wording import plural
from pipeline.running.errors import UserError
from pipeline.running.files import atomic_file
from pipeline.running.utf8 import entry
from pipeline.space.newcomers import Newcomers
from pipeline.space.space import Space
from pipeline.tables.table import vectors


def main(arguments: list[str] | None = None) -> int:
    """Write the vectors; exit status 1, and one sentence, where that cannot be."""
    asked = argparse.ArgumentParser(
        "python -m explore.new_users", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("posts", type=Path, help="table of their posts")
    asked.add_argument("vectors", type=Path, help="the Parquet file to write")
    asked.add_argument("--images", type=Path, help="folder or zip of the pictures; by default where the posts lie")
    asked.add_argument("--data", type=Path, default=Path("data"), help="folder of a run's tables; data")
    given = asked.parse_args(arguments)
    try:
        posts, refused = read(given.posts)
        space = Space.open(given.data)
        left_out: list[tuple[int, str, str]] = []
        with opened(given.images or given.posts.resolve().parent) as pictures:
            for row, post in enumerate(posts):
                found = pictures.read(post["image"]) if post["image"] else None
                if isinstance(found, Rejected):
                    left_out.append((row, *found))
                post["image"] = found if isinstance(found, bytes) else None
        made, others = Newcomers(space.reader, space.data).vectors(posts)
    except UserError as error:
        sys.stderr.write(f"new_users: {error}\n")
        return 1
    told = [*refused, *((posts[at]["row"], reason, detail) for at, reason, detail in (*left_out, *others))]
    for row, reason, detail in sorted(told):
        sys.stderr.write(f"{given.posts}, row {row}: {reason}{f' ({detail})' if detail else ''}\n")
    names = sorted(made)
    table = pa.table({"id": pa.array(names), "vector": vectors(np.stack([made[n] for n in names]))})
    with atomic_file(given.vectors) as temporary:
        pq.write_table(table, temporary)
    sys.stdout.write(f"{plural(len(names), 'user')}, {plural(len(posts), 'post')}: {given.vectors}\n")
    return 0


def read(path: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    """The posts of a table, with their `row`, as the import reads a table, and the rows that cannot be read.

    Raises UserError where the table cannot be read, lacks a column or has no post.
    """
    posts: list[dict[str, Any]] = []
    refused: list[tuple[int, str, str]] = []
    try:
        pieces = list(files.read(path, ("user_id",), ("text", "image")))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    for rows, unread in pieces:
        held = {"user_id": cells.ids(rows["user_id"], path, "user_id")}
        held |= {name: cells.texts(rows[name], path, name) for name in ("text", "image")}
        wrong = pc.coalesce(*(found for _, found in held.values()))
        wrong = pc.if_else(pc.and_(pc.is_null(wrong), pc.is_null(held["user_id"][0])), "missing user_id", wrong)
        table = pa.table({"row": rows["row"], "wrong": wrong, **{name: values for name, (values, _) in held.items()}})
        for post in table.to_pylist():
            if why := post.pop("wrong"):
                refused.append((post["row"], *why.partition(": ")[::2]))
            else:
                posts.append(post)
        told = zip(unread["id"].to_pylist(), unread["reason"].to_pylist(), unread["detail"].to_pylist(), strict=True)
        refused += [(int(name.split()[1]), reason, detail) for name, reason, detail in told]
    if not any(post["text"] or post["image"] for post in posts):
        raise UserError(
            f"{path} has no row that is a post"
            + (f" (row {refused[0][0]}: {refused[0][1]} {refused[0][2]}".rstrip() + ")" if refused else "")
            + "; each needs a user_id, and text or image."
        )
    return posts, refused


if __name__ == "__main__":
    entry(main)
