"""Very many things of a kind, of which every cosine would take too long: found by their signs, ranked by their vectors.

An index in `data/explore` holds a bit a number (RaBitQ, in FAISS: Gao and Long, 2024), all of which are looked through;
the RANKED that seem nearest are ranked by their vectors, which are mapped from a file as float16. The same vectors give
the same bytes. It is made where it is missing or the table of vectors is another, by size and time of its files.

Shapes: n things, D numbers per vector, b questions.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from pipeline.ranking.vectors import Vectors, unit
from pipeline.running.files import atomic_folder
from pipeline.space.nearest import Array, Things
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.table import matrix

MANY = 200_000
"""Things from which on there is an index."""
RANKED = 2_000
"""Things that are ranked by their vectors, for each question, or four times as many as are wanted."""
FEW = 50_000
"""Things up to which those that filters leave are all ranked by their vectors."""
_TRAINED = 100_000
VALUES, INDEX, MADE_OF = "values.npy", "index.faiss", "made_of.json"

log = logging.getLogger("explore")


def opened(table: Path, folder: Path) -> Things:
    """The things of a table of EMBEDDINGS, at unit length; from MANY on by their index in `folder`."""
    if sum(EMBEDDINGS.count(shard) for shard in EMBEDDINGS.shards(table)) >= MANY:
        return Indexed.of(table, folder)
    held = Vectors.read(table)
    return Things(held.ids, unit(held.values))


class Indexed(Things):
    """As `Things`; `values` are mapped, and not all of them are looked at."""

    def __init__(self, ids: pa.Array, folder: Path) -> None:
        import faiss

        super().__init__(ids, np.load(folder / VALUES, mmap_mode="r"))
        self._index: Any = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)

    @classmethod
    def of(cls, table: Path, folder: Path) -> Self:
        """The things of a table of EMBEDDINGS; their index lies, or is made, in `folder`."""
        made_of = _made_of(table)
        held = folder / MADE_OF
        if not held.exists() or held.read_text(encoding="utf-8") != made_of:
            log.warning("%s: an index of %s is made, once; minutes for a million", folder, table)
            make(table, folder)
        return cls(EMBEDDINGS.read(table, ["id"])["id"].combine_chunks(), folder)

    def _asker(self, vector: Array, taken: Array | None) -> Callable[[int], tuple[Array, Array]]:
        asked = np.ascontiguousarray(vector, np.float32)
        within = None if taken is None else np.flatnonzero(taken)

        def ask(most: int) -> tuple[Array, Array]:
            if within is not None and len(within) <= FEW:
                rows = within
            else:
                rows = np.sort(self._seeming(asked, max(RANKED, 4 * most), taken))
            cosines = self.at(rows) @ asked
            order = np.lexsort((rows, -cosines))[:most]
            return rows[order], cosines[order]

        return ask

    def _seeming(self, vector: Array, most: int, taken: Array | None) -> Array:
        """At most so many rows that seem nearest to `vector` (D,), of those taken."""
        import faiss

        asked = faiss.RaBitQSearchParameters()
        if taken is not None:
            bits = np.packbits(taken, bitorder="little")
            chosen = faiss.IDSelectorBitmap(len(taken), faiss.swig_ptr(bits))
            asked.sel = chosen
        found: Array = self._index.search(vector[None], min(most, len(self.values)), params=asked)[1][0]
        return found[found >= 0]  # -1 where there are no more


def make(table: Path, folder: Path) -> None:
    """Make the index of a table of EMBEDDINGS in `folder`; memory stays at one shard and a bit a number."""
    import faiss

    folder.parent.mkdir(parents=True, exist_ok=True)
    count = sum(EMBEDDINGS.count(shard) for shard in EMBEDDINGS.shards(table))
    with atomic_folder(folder) as new:
        index: Any = None
        values: Any = None
        begin = 0
        for shard in EMBEDDINGS.batches(table, ["vector"]):
            vectors = unit(matrix(shard["vector"]))
            if index is None:
                index = faiss.IndexRaBitQ(vectors.shape[1], faiss.METRIC_INNER_PRODUCT)
                index.train(vectors[:: max(1, len(vectors) // _TRAINED)])
                shape = count, vectors.shape[1]
                values = np.lib.format.open_memmap(new / VALUES, "w+", np.float16, shape)
            index.add(vectors)
            values[begin : begin + len(vectors)] = vectors
            begin += len(vectors)
        values.flush()
        faiss.write_index(index, str(new / INDEX))
        (new / MADE_OF).write_text(_made_of(table), encoding="utf-8")


def _made_of(table: Path) -> str:
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in EMBEDDINGS.shards(table)]
    return json.dumps(files) + "\n"
