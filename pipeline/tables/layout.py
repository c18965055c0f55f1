"""What the pages of `make explore` show beside answers: where things lie in the plane, what may be chance."""

import pyarrow as pa

from pipeline.tables.table import TEXT, VECTOR, Table, schema

POINTS = Table(
    "map/points",
    schema(("kind", TEXT), ("id", TEXT), ("x", pa.float32()), ("y", pa.float32()), ("cluster", pa.int32())),
    ("kind", "id"),
)
"""A user, or an image of each group of copies: kind `user` or `image`, each kind a plane of its own, from -1 to 1.
cluster: that of the user, of an image that of the nearest centre; -1 where there are no clusters."""

CHANCE = Table(
    "chance",
    schema(("asking", TEXT), ("words", pa.int32()), ("kind", TEXT), ("mean", VECTOR), ("highest", VECTOR)),
    ("asking", "words", "kind"),
)
"""What questions about nothing find (pipeline/space/questions/chance.py): by what asks (`text`, with so many words;
`user` or `image`, 1) and the kind that answers, the questions' mean vector, and how much the nearest to each has,
ascending."""
