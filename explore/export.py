"""A part of the corpus with its vectors, as a table for R, pandas or SPSS: CSV, or Parquet by the name of the file.

    python -m explore.export posts.csv --where cluster=3 --where from=2024-05-01   # filters as in an address
    python -m explore.export people.csv --of users --collection mine

The columns are those of the page's CSV without addresses, then v1, v2, … (in Parquet a list, `vector`). What has no
vector is left out, and counted. The vector of a post is the mean of those of its text and its pictures.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from explore.ask import filtered
from explore.marks import Marks
from explore.pages.forms import Data, Wrong
from explore.pages.lists import Lists
from explore.pages.marks import posts_of
from explore.pages.sheets import as_csv
from explore.pages.views import Views
from pipeline.report.wording import plural
from pipeline.running.errors import UserError
from pipeline.running.files import atomic_file
from pipeline.running.utf8 import entry
from pipeline.space.space import Space
from pipeline.tables.table import vectors

KINDS = ("posts", "texts", "images", "users")


def main(arguments: list[str] | None = None) -> int:
    """Write the table; exit status 1, and one sentence, where that cannot be."""
    asked = argparse.ArgumentParser(
        "python -m explore.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("table", type=Path, help="the file to write, .csv or .parquet")
    asked.add_argument("--of", choices=KINDS, default="posts", help="what a row is; posts")
    asked.add_argument("--where", action="append", default=[], help="a filter, as side=test; may be repeated")
    asked.add_argument("--collection", help="only what is in, by or of what is in a collection of the page")
    asked.add_argument("--data", type=Path, default=Path("data"), help="folder of a run's tables; data")
    given = asked.parse_args(arguments)
    try:
        if given.table.suffix not in (".csv", ".parquet"):
            raise UserError(f"{given.table}: name a file that ends in .csv or .parquet.")
        views = Views(Space.open(given.data))
        taken = views.space.posts_taken(views.filters(filtered(given.where)))
        if given.collection is not None:
            held = Marks(given.data / "marks.csv").collections()
            if given.collection not in held:
                there = f"there are {', '.join(held)}" if held else "there is none yet"
                raise UserError(f"--collection {given.collection}: no such collection; {there}.")
            taken = taken & posts_of(views.library, held[given.collection])
        written, without = _write(views, given.of, taken, given.table)
    except (UserError, Wrong, OSError) as error:
        sys.stderr.write(f"export: {error}\n")
        return 1
    left_out = f" ({without:,} more have no vector)" if without else ""
    sys.stdout.write(f"{plural(written, given.of[:-1])}{left_out}: {given.table}\n")
    return 0


def rows(views: Views, kind: str, posts: Any) -> Iterator[tuple[Data, Any]]:
    """What the page tells of each thing of `kind` that is of some posts (n,), and its vector (D,), or None."""
    space, library, lists = views.space, views.library, Lists(views, Path())
    if kind == "users":
        for row in _in_order(views, "user", np.unique(library.author[posts])):
            yield views.person(int(row)), space.vector("user", library.users[int(row)].as_py())
    elif kind == "images":
        of_post, image = library.shown
        for row in np.unique(image[posts[of_post]]):
            yield views.image(int(row)), space.vector("image", library.images[int(row)].as_py())
    else:
        for row in _in_order(views, "post", np.flatnonzero(posts)).tolist():
            told = views.post(row) | lists.told(row)
            yield told, space.vector("post" if kind == "posts" else "text", library.post_ids[row].as_py())


def _in_order(views: Views, kind: str, held: Any) -> Any:
    """Rows of users or posts by what stands for their ids."""
    order = views.people.order(kind)
    return order[np.isin(order, held)]


def _write(views: Views, kind: str, posts: Any, path: Path) -> tuple[int, int]:
    """How many things were written, and how many have no vector."""
    counts = {True: 0, False: 0}

    def held() -> Iterator[tuple[Data, Any]]:
        for told, vector in rows(views, kind, posts):
            counts[vector is not None] += 1
            if vector is not None:
                yield {name: value for name, value in told.items() if not name.endswith("href")}, vector

    found = held()
    first = next(found, None)
    if first is None:
        more = "; with embed.texts=all in params.yaml every text has one" if kind == "texts" else ""
        raise UserError(f"none of the {kind} that were asked for has a vector, so nothing was written{more}.")
    with atomic_file(path) as temporary:
        if path.suffix == ".csv":
            numbers = [f"v{i + 1}" for i in range(len(first[1]))]
            lines = (told | dict(zip(numbers, vector.tolist(), strict=True)) for told, vector in chain([first], found))
            with temporary.open("wb") as stream:
                stream.writelines(as_csv(lines, [*first[0], *numbers]))
        else:
            told, of = zip(first, *found, strict=True)
            table = pa.Table.from_pylist(list(told)).append_column("vector", vectors(np.stack(of)))
            pq.write_table(table, temporary)
    return counts[True], counts[False]


if __name__ == "__main__":
    entry(main)
