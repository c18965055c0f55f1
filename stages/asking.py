"""Who is asked for, and with which posts: what stages read of the split that ask, without what training needs."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ranking.retrieval import TASKS
from pipeline.running.errors import UserError
from pipeline.tables.split import CONTENT, SETS

SPLIT = Path("data/split")
SETS_PATH = SPLIT / "sets"


def authors(train: Path) -> pa.Array:
    """The users with posts in train, sorted: the users that a model has, and the candidates of retrieval.

    Raises UserError where there are none.
    """
    found: Iterable[pa.Array] = [part["user_id"].unique() for part in CONTENT.batches(train, ["user_id"])]
    users = pc.unique(pa.chunked_array(list(found), pa.string()))
    if not len(users):
        raise UserError(f"{train} has no posts, so there is nothing to train on; see metrics/split.json.")
    return users.take(pc.array_sort_indices(users))


def active(train: Path) -> dict[str, int]:
    """How many posts in train each user has, of those who have some."""
    counted = CONTENT.read(train, ["user_id"])["user_id"].value_counts()
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def asked(split: str, content: pa.Table) -> dict[str, pa.Table]:
    """The rows of `content` that each task of `split` asks with."""
    sets = SETS.read(SETS_PATH)
    sets = sets.filter(pc.equal(sets["split"], split))
    return {
        task: content.filter(pc.is_in(content["post_id"], sets.filter(pc.equal(sets["task"], task))["post_id"]))
        for task in TASKS
    }
