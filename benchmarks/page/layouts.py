"""Users and images in the plane: openTSNE, as stage `map` has it, beside UMAP and PaCMAP, on the same vectors.

    python -m benchmarks.page.layouts data            # the folder of a run's tables; more of them: one after the other

Of each method, by its defaults but for the seed and one thread: the share of the 15, and of the 50, nearest by cosine
that are among as many nearest in the plane; whether of three things, two near in the plane and one far, the cosines say
the same (triplets: half is chance); seconds of CPU; whether the same things give the same bytes again, and in another
order of rows. Stage `map` sorts by id before, so another order of the corpus is none there.

Bound: openTSNE keeps at least as many of the 15 nearest as either, on each kind of each run.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import need, options, print_table, result
from pipeline.common.groups import image_groups
from pipeline.layout.plane import kept, lay_out
from pipeline.ranking.vectors import Vectors, unit
from pipeline.running.utf8 import entry
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CONTENT

SEED, TRIPLETS = 7, 20_000
Array = np.ndarray[Any, np.dtype[Any]]


def opentsne(values: Array) -> Array:
    return lay_out(values, 30.0, SEED)[0]


def umap(values: Array) -> Array:
    from umap import UMAP

    return UMAP(metric="cosine", random_state=SEED, n_jobs=1).fit_transform(values)


def pacmap(values: Array) -> Array:
    from pacmap import PaCMAP

    return PaCMAP(random_state=SEED).fit_transform(unit(values))


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    given = parser.parse_args()
    need("umap", "pacmap")
    rows = []
    for data in given.data:
        for kind, values in things(data).items():
            for method in (opentsne, umap, pacmap):
                method(values[:100])  # what is compiled at the first call is not counted
                rows.append({"run": str(data), "of": f"{len(values)} {kind}", **measured(method, values)})
    print_table(rows)
    ours = {(row["run"], row["of"]): row["kept of 15"] for row in rows if row["method"] == "opentsne"}
    best = all(row["kept of 15"] <= ours[row["run"], row["of"]] for row in rows)
    result({"rows": rows}, {"opentsne_keeps_most": best})


def things(data: Path) -> dict[str, Array]:
    """What stage `map` lays out: users with a post in train, and one image of each group of copies."""
    users = Vectors.read(data / "embeddings/users", CONTENT.read(data / "split/train", ["user_id"])["user_id"].unique())
    images = Vectors.read(data / "embeddings/images")
    group = image_groups(images.ids, IMAGE_GROUPS.read(data / "images/groups"))
    return {"users": users.values, "images": images.values[np.sort(np.unique(group, return_index=True)[1])]}


def measured(method: Any, values: Array) -> dict[str, Any]:
    begun = time.process_time()
    points = np.asarray(method(values), np.float32)
    seconds = time.process_time() - begun
    order = np.random.default_rng(0).permutation(len(values))
    moved = np.asarray(method(values[order]), np.float32)
    back = np.empty_like(moved)
    back[order] = moved
    return {
        "method": method.__name__,
        "kept of 15": round(kept(values, points, 15), 3),
        "kept of 50": round(kept(values, points, 50), 3) if len(values) > 100 else None,
        "triplets": round(triplets(values, points), 3),
        "CPU s": round(seconds, 1),
        "again": np.array_equal(points, np.asarray(method(values), np.float32)),
        "in another order": np.array_equal(points, back),
        "kept of 15 in it": round(kept(values, back, 15), 3),
    }


def triplets(values: Array, points: Array) -> float:
    """Of random triplets, the share of which the nearer of two in the plane is the nearer by cosine."""
    one, two, three = np.random.default_rng(1).integers(0, len(values), (3, TRIPLETS))
    vectors = unit(values)
    nearer = (vectors[one] * (vectors[two] - vectors[three])).sum(1) > 0
    there = ((points[one] - points[two]) ** 2).sum(1) < ((points[one] - points[three]) ** 2).sum(1)
    taken = (two != three) & (one != two) & (one != three)
    return float((nearer == there)[taken].mean())


if __name__ == "__main__":
    entry(main)
