"""The map as data: the points of a kind, the names of clusters, and what lies at a point."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from explore.forms import Data
from explore.views import Views

MAPPED = ("user", "image")


class Plane:
    """The map of one space."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._points = lru_cache(None)(self._read)

    def _read(self, kind: str) -> pa.Table:
        """The points of a kind; where people are not shown, users in no order that tells of their ids."""
        table = self.views.library.points(kind).combine_chunks()
        if kind == "user" and not self.views.people.shown:
            table = table.take(pa.array(self.views.people.sorted(kind, table["id"].to_pylist()), pa.int64()))
        return table.combine_chunks()

    def map(self, kind: str) -> Data:
        """The points of a kind as whole numbers from 0 to 65535, row by row; names where clusters lie."""
        table = self._points(kind)
        x, y = (table[name].to_numpy() for name in ("x", "y"))
        of = table["cluster"].to_numpy()
        names = [
            {
                "cluster": number,
                "name": self.views.cluster_in_short(number)["name"],
                "x": int((np.median(x[of == number]) + 1) / 2 * 65535),
                "y": int((np.median(y[of == number]) + 1) / 2 * 65535),
            }
            for number in sorted(set(of.tolist()) & set(self.views.described))
        ]
        return {
            "kind": kind,
            "x": ((x + 1) / 2 * 65535).astype(int).tolist(),
            "y": ((y + 1) / 2 * 65535).astype(int).tolist(),
            "cluster": of.tolist(),
            "names": names,
        }

    def map_rows(self, kind: str, rows: Sequence[int]) -> Data:
        """What lies at some rows of the map."""
        ids = self._points(kind)["id"]
        views, library = self.views, self.views.library
        told, of = (views.person, library.row_of_user) if kind == "user" else (views.image, library.row_of_image)
        return {"things": [told(of(ids[row].as_py())) | {"row": row} for row in rows if 0 <= row < len(ids)]}
