"""Made points of a map, as /map.json has them, for tests of its page and for benchmarks/page/map_frames.py."""

import numpy as np

DRAWN = (
    "new Promise(r => {const w = () => document.getElementById('map').dataset.drawn ? r(1) : setTimeout(w, 20); w()})"
)
"""Waits, in the page, until the map is drawn."""


def made(count, clusters, seed=0, within=(8_000, 57_000), spread=2_500):
    """The answer of /map.json for points of clusters that lie one in another, about centres `within` the plane."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, clusters, count)
    at = rng.uniform(*within, (clusters, 2))[of] + rng.normal(0, spread, (count, 2))
    x, y = at.clip(0, 65_535).astype(int).T
    names = [
        {"cluster": i, "name": f"word {i}, another, third", "points": int((of == i).sum()),
         "x": int(x[of == i].mean()), "y": int(y[of == i].mean())}
        for i in range(clusters)
    ]  # fmt: skip
    return {"kind": "user", "x": x.tolist(), "y": y.tolist(), "cluster": of.tolist(), "names": names}
