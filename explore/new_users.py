"""Vectors of people who are not in the corpus: a table of their posts in, a table of vectors out; nothing is retrained.

    python -m explore.new_users posts.csv vectors.parquet

posts: Parquet, CSV or JSON lines with `user_id` and `text`, `image` (a path in the folder or zip of pictures), or both.
Written are `id` and `vector`, as in data/embeddings/users; what was left out is told on standard error, row by row.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.pictures.finding import opened
from pipeline.pictures.reading import Rejected
from pipeline.running.errors import UserError
from pipeline.running.files import atomic_file
from pipeline.space.newcomers import Newcomers
from pipeline.space.space import Space
from pipeline.tables.table import vectors


def main(arguments: list[str] | None = None) -> int:
    """Write the vectors; exit status 1, and one sentence, where that cannot be."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("posts", type=Path)
    asked.add_argument("vectors", type=Path)
    asked.add_argument("--images", type=Path, help="folder or zip of the pictures; by default where the posts lie")
    asked.add_argument("--data", type=Path, default=Path("data"))
    given = asked.parse_args(arguments)
    try:
        posts = read(given.posts)
        space = Space.open(given.data)
        left_out: list[tuple[int, str, str]] = []
        with opened(given.images or given.posts.resolve().parent) as pictures:
            for row, post in enumerate(posts):
                found = pictures.read(str(post["image"])) if post.get("image") else None
                if isinstance(found, Rejected):
                    left_out.append((row, *found))
                post["image"] = found if isinstance(found, bytes) else None
        made, others = Newcomers(space.reader, space.data).vectors(posts)
    except UserError as error:
        sys.stderr.write(f"new_users: {error}\n")
        return 1
    for row, reason, detail in sorted([*left_out, *others]):
        sys.stderr.write(f"{given.posts}, row {row + 1}: {reason}{f' ({detail})' if detail else ''}\n")
    names = sorted(made)
    table = pa.table({"id": pa.array(names), "vector": vectors(np.stack([made[n] for n in names]))})
    with atomic_file(given.vectors) as temporary:
        pq.write_table(table, temporary)
    sys.stdout.write(f"{len(names)} users, {len(posts)} posts: {given.vectors}\n")
    return 0


def read(path: Path) -> list[dict[str, Any]]:
    """The posts of a table. Raises UserError where it cannot be read or lacks a column."""
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        elif path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str)
        elif path.suffix == ".jsonl":
            table = pd.read_json(path, lines=True)
        else:
            raise UserError(f"{path}: a table of posts is .parquet, .csv or .jsonl.")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if "user_id" not in table.columns or not {"text", "image"} & set(table.columns):
        raise UserError(f"{path} has columns {', '.join(table.columns)}; user_id and text or image are needed.")
    if not len(table) or table["user_id"].isna().any():
        raise UserError(f"{path}: each post needs a user_id, and there has to be one.")
    held = table[[name for name in ("user_id", "text", "image") if name in table.columns]].astype(object)
    return [{str(k): v for k, v in row.items()} for row in held.where(held.notna(), None).to_dict("records")]


if __name__ == "__main__":
    sys.exit(main())
