"""The map as data: the points of a kind, the names of clusters, and what lies at a point."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from explore.pages.forms import Data, Wrong
from explore.pages.views import Views

Array = np.ndarray[Any, np.dtype[Any]]
MAPPED = ("user", "image")
CELLS = 12
"""Cells a side, of which the fullest of a cluster has its name."""


class Plane:
    """The map of one space."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self.points = lru_cache(None)(self._read)

    def _read(self, kind: str) -> pa.Table:
        """The points of a kind; where people are not shown, users in no order that tells of their ids.

        Raises Wrong for a kind that has no map.
        """
        if kind not in MAPPED:
            raise Wrong(f"{kind[:40]} has no map; there are {', '.join(MAPPED)}.")
        table = self.views.library.points(kind).combine_chunks()
        if kind == "user" and not self.views.people.shown:
            table = table.take(pa.array(self.views.people.sorted(kind, table["id"].to_pylist()), pa.int64()))
        return table.combine_chunks()

    def ids(self, kind: str, rows: Sequence[int]) -> list[str]:
        """The ids of what lies at some rows of the map; rows that it does not have are left out."""
        ids = self.points(kind)["id"]
        return [ids[row].as_py() for row in rows if 0 <= row < len(ids)]

    def public_ids(self, kind: str) -> list[str]:
        """What stands for the id of each point."""
        return [self.views.people.public(kind, name) for name in self.points(kind)["id"].to_pylist()]

    def map(self, kind: str) -> Data:
        """The points of a kind row by row, at whole numbers from 0 to 65535; names where clusters are densest, those
        with most points first.
        """
        table = self.points(kind)
        x, y = (table[name].to_numpy() for name in ("x", "y"))
        of = table["cluster"].to_numpy()
        names = []
        for number in set(of.tolist()) & set(self.views.described):
            there = of == number
            a, b = densest(x[there], y[there])
            name = self.views.cluster_in_short(number)["name"]
            place = {"x": int((a + 1) / 2 * 65535), "y": int((b + 1) / 2 * 65535)}
            names.append({"cluster": number, "name": name, "points": int(there.sum()), **place})
        names.sort(key=lambda one: (-one["points"], one["cluster"]))
        return {
            "kind": kind,
            "x": ((x + 1) / 2 * 65535).astype(int).tolist(),
            "y": ((y + 1) / 2 * 65535).astype(int).tolist(),
            "cluster": of.tolist(),
            "names": names,
        }

    def map_rows(self, kind: str, rows: Sequence[int]) -> Data:
        """What lies at some rows of the map."""
        ids = self.points(kind)["id"]
        views, library = self.views, self.views.library
        told = views.person if kind == "user" else views.image
        held = [(row, library.row_of(kind, ids[row].as_py())) for row in rows if 0 <= row < len(ids)]
        return {"things": [told(at) | {"row": row} for row, at in held]}


def densest(x: Array, y: Array) -> tuple[float, float]:
    """The middle of the points in the fullest of CELLS by CELLS cells, which a median of two heaps is in neither of."""
    cell = [np.clip(((values + 1) / 2 * CELLS).astype(int), 0, CELLS - 1) for values in (x, y)]
    code = cell[0] * CELLS + cell[1]
    inside = code == np.bincount(code).argmax()
    return float(x[inside].mean()), float(y[inside].mean())
