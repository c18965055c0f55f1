"""A model of your own on the same queries: `python -m examples.own_model FOLDER`, after `dvc repro`.

FOLDER has users.parquet, images.parquet and texts.parquet, each with the columns `id` (user_id, image_id or post_id)
and `vector`. Vectors are compared by cosine. Printed is the mean median rank of each task beside the project's model,
and their difference with a 95 % interval over users (docs/compare.md).
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ranking.estimates import estimates
from pipeline.ranking.retrieval import TASKS, rank_task
from pipeline.ranking.vectors import Vectors, unit
from pipeline.running.errors import UserError
from pipeline.running.utf8 import entry
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT
from stages.asking import asked, authors

SPLIT, MODEL_RANKS = Path("data/split"), Path("data/evaluation/ranks")
RESAMPLES, SEED = 1000, 7


def read(path: Path) -> Vectors:
    """The ids (n,) and vectors (n, d), scaled to unit length, of a Parquet file."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; docs/compare.md says what it holds.")
    rows = pd.read_parquet(path, columns=["id", "vector"])
    return Vectors(pa.array(rows["id"], pa.string()), unit(np.stack(rows["vector"].tolist())))


def rank(folder: Path) -> pa.Table:
    """Rows of RANKS: each query of test, by the vectors in `folder`.

    Raises UserError where a candidate has no vector: among fewer users a rank would be easier to reach.
    """
    users, images, texts = (read(folder / f"{kind}.parquet") for kind in ("users", "images", "texts"))
    candidates = authors(SPLIT / "train")
    missing = candidates.filter(pc.invert(pc.is_in(candidates, users.ids)))
    if len(missing):
        raise UserError(
            f"{folder / 'users.parquet'}: no vector of {len(missing)} of {len(candidates)} users, such as {missing[0]};"
            " each user with posts in data/split/train is a candidate."
        )
    queries = asked("test", CONTENT.read(SPLIT / "test"))
    ranked = [rank_task(task, queries[task], users.among(candidates), images, texts) for task in TASKS]
    return pa.concat_tables(found.rows for found in ranked)


def compare(folder: Path) -> list[str]:
    """A line a task: mean median ranks of the vectors in `folder` and of the model, and their difference."""
    figures = estimates({"mine": rank(folder), "model": RANKS.read(MODEL_RANKS)}, RESAMPLES, SEED)
    lines = []
    for task, mine in figures["mine"].items():
        model = figures["model"][task]
        less = (mine - model).shown()
        low, high = less["interval_95"]
        lines.append(f"{task:14} mine {mine.value:6.1f}  model {model.value:6.1f}  mine less model {less['value']:g} "
                     f"({low:g} to {high:g})")  # fmt: skip
    return lines


def main() -> None:
    """Compare what the command line names."""
    if len(sys.argv) != 2:
        sys.exit("python -m examples.own_model FOLDER")
    print("\n".join(compare(Path(sys.argv[1]))))


if __name__ == "__main__":
    entry(main)
