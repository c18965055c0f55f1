"""Methods that are compared have to be asked of the same users."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ranking.vectors import Vectors
from pipeline.tables.table import positions

Array = np.ndarray[Any, np.dtype[Any]]


def everywhere(users: pa.Table, methods: Mapping[str, Vectors]) -> tuple[pa.Table, dict[str, Array]]:
    """The rows of USERS `users`, brands left out, that every method has a vector of; and these vectors, each (n, d)."""
    people = users.filter(pc.invert(users["brand"]))
    rows = {name: positions(people["user_id"], held.ids) for name, held in methods.items()}
    known = np.all([at >= 0 for at in rows.values()], axis=0)
    return people.filter(pa.array(known)), {name: held.values[rows[name][known]] for name, held in methods.items()}
