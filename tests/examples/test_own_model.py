"""A model of one's own is asked what the project's model was asked."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from examples import own_model
from pipeline.ranking.retrieval import TASKS
from pipeline.running.errors import UserError
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CONTENT, SETS

PEOPLE = ("ann", "bob", "eve")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """What `dvc repro` leaves of a corpus of three people, a post of each on the test side, and a folder of vectors."""
    monkeypatch.chdir(tmp_path)
    for side in ("train", "test"):
        rows = [{"post_id": f"{name}-{side}", "user_id": name, "image_id": f"{name}-{side}.png", "words": ["rose"],
                 "more_images": None} for name in PEOPLE]  # fmt: skip
        CONTENT.write(pa.Table.from_pylist(rows, schema=CONTENT.schema), tmp_path / "data/split" / side)
    asked = [{"split": "test", "task": task, "post_id": f"{name}-test"} for task in sorted(TASKS) for name in PEOPLE]
    SETS.write(pa.Table.from_pylist(asked, schema=SETS.schema), tmp_path / "data/split/sets")
    write(tmp_path / "mine", np.eye(3))
    RANKS.write(own_model.rank(tmp_path / "mine").sort_by([(k, "ascending") for k in RANKS.key]), own_model.MODEL_RANKS)
    return tmp_path


def write(folder, users, people=PEOPLE):
    """Vectors: each post at its author's axis, users at the rows of `users`; images of train too, which do not ask."""
    folder.mkdir(exist_ok=True)
    own = dict(zip(PEOPLE, np.eye(3), strict=True))
    tables = {
        "users": dict(zip(people, users, strict=True)),
        "texts": {f"{name}-test": 5 * vector for name, vector in own.items()},
        "images": {f"{name}-{side}.png": vector for name, vector in own.items() for side in ("train", "test")},
    }
    for kind, rows in tables.items():
        pd.DataFrame({"id": list(rows), "vector": list(rows.values())}).to_parquet(folder / f"{kind}.parquet")


def test_who_finds_everybody_is_ranked_first(run):
    assert set(own_model.rank(run / "mine")["rank"].to_pylist()) == {1.0}


def test_the_difference_is_of_the_same_queries(run):
    write(run / "mine", np.eye(3)[[1, 0, 2]] + 0.1)  # ann and bob each at the other's axis
    told = {line.split()[0]: line for line in own_model.compare(run / "mine")}
    assert set(told) == set(TASKS)
    assert "mine    2.0  model    1.0  mine less model 1 " in told["text_to_user"]  # ranks 2.5, 2.5 (ties) and 1
    assert "mine    1.0" in told["image_to_text"]


def test_a_file_that_is_not_there_is_named(run):
    with pytest.raises(UserError, match=r"nowhere/users\.parquet: there is no such file"):
        own_model.rank(run / "nowhere")


def test_a_candidate_without_a_vector_is_refused(run):
    write(run / "mine", np.eye(3)[:2], people=("ann", "eve"))
    with pytest.raises(UserError, match="1 of 3 users, such as bob"):
        own_model.rank(run / "mine")
