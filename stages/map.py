"""Stage `map`: users laid out in the plane by what they post, and images by what they show.

Reads   data/embeddings/{users,images}   a user's, an image's vector
        data/images/groups     copies of an image are one point
        data/clusters/users    the cluster of a user
        data/split/train       users with posts there are laid out
        data/corpus/posts      a text of each image, to be read on the map
Writes  data/map/points        a user or an image: where it lies
        data/map/atlas         users.parquet and images.parquet, which Embedding Atlas opens
        metrics/map.json       how many points; the share of the 15 nearest neighbours that are among the 15 nearest in
                               the plane
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.common.groups import image_groups
from pipeline.common.hashing import unit_hash
from pipeline.common.metrics import write_metrics
from pipeline.layout.plane import kept, lay_out
from pipeline.ranking.vectors import Vectors, unit
from pipeline.running.files import atomic_folder
from pipeline.running.params import load
from pipeline.tables.corpus import POSTS, pictures_of
from pipeline.tables.evaluation import CLUSTER_USERS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.layout import POINTS
from pipeline.tables.split import CONTENT
from pipeline.tables.table import positions
from stages.runner import run

EMBEDDED = Path("data/embeddings")
GROUPS = Path("data/images/groups")
CLUSTERS = Path("data/clusters/users")
TRAIN = Path("data/split/train")
POSTS_PATH = Path("data/corpus/posts")
POINTS_PATH = Path("data/map/points")
ATLAS = Path("data/map/atlas")
METRICS = Path("metrics/map.json")

LISTED = 15
"""Neighbours that the tables for Embedding Atlas list."""

log = logging.getLogger("map")


def main() -> None:
    params = load("seed", "map")
    users = Vectors.read(EMBEDDED / "users", CONTENT.read(TRAIN, ["user_id"])["user_id"].unique())
    images = Vectors.read(EMBEDDED / "images")
    group = image_groups(images.ids, IMAGE_GROUPS.read(GROUPS))
    one_each = np.sort(np.unique(group, return_index=True)[1])
    alone = Vectors(images.ids.take(pa.array(one_each)), images.values[one_each])

    clusters = CLUSTER_USERS.read(CLUSTERS)
    cluster = np.append(clusters["cluster"].to_numpy(), -1)[positions(users.ids, clusters["user_id"])]
    metrics: dict[str, Any] = {}
    parts, atlas = [], {}
    for kind, things in ("user", users), ("image", alone):
        chosen = drawn(things, params.map.most, params.seed)
        points, near, distances = lay_out(chosen.values, params.map.perplexity, params.seed)
        of = cluster[positions(chosen.ids, users.ids)] if kind == "user" else nearest_centre(chosen, users, cluster)
        parts.append(
            pa.table(
                {"kind": pa.array([kind] * len(points), pa.string()), "id": chosen.ids, "x": points[:, 0],
                 "y": points[:, 1], "cluster": pa.array(of, pa.int32())}
            )
        )  # fmt: skip
        texts = chosen.ids if kind == "user" else shown_with(chosen.ids)
        atlas[f"{kind}s"] = with_neighbours(parts[-1], texts, near[:, :LISTED], distances[:, :LISTED])
        metrics[f"{kind}s"] = {
            "points": len(points),
            "left_out": len(things.ids) - len(points),
            **({"neighbours_kept": kept(chosen.values, points)} if len(points) > LISTED else {}),
        }
    POINTS.write(pa.concat_tables(parts), POINTS_PATH)
    with atomic_folder(ATLAS) as folder:
        for name, table in atlas.items():
            pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    write_metrics(metrics, METRICS)
    log.info("%s", metrics)


def drawn(things: Vectors, most: int, seed: int) -> Vectors:
    """At most `most` of `things`, by a hash of their ids: the same ones whatever else there is; sorted by id."""
    rows = np.arange(len(things.ids))
    if len(rows) > most:
        rows = np.argsort(unit_hash(things.ids.to_pylist(), seed, "map"), kind="stable")[:most]
    names = things.ids.take(pa.array(rows)).to_pylist()
    rows = rows[np.array(sorted(range(len(rows)), key=names.__getitem__), np.int64)]
    return Vectors(things.ids.take(pa.array(rows)), things.values[rows])


def nearest_centre(images: Vectors, users: Vectors, cluster: np.ndarray) -> np.ndarray:
    """The cluster of users whose centre lies nearest to each image; -1 where there are none."""
    numbers = sorted(set(cluster.tolist()) - {-1})
    if not numbers:
        return np.full(len(images.ids), -1)
    people = unit(users.values)
    centres = unit(np.stack([people[cluster == number].mean(axis=0) for number in numbers]))
    return np.asarray(np.array(numbers)[(unit(images.values) @ centres.T).argmax(axis=1)])


def shown_with(images: pa.Array) -> pa.Array:
    """The text of the first post that shows each image; empty where there is none."""
    posts = POSTS.read(POSTS_PATH, ["post_id", "text", "image_id", "more_images"])
    rows, ids = pictures_of(posts)
    text = posts["text"].to_pylist()
    of: dict[str, str] = {}
    for row, image in zip(rows.tolist(), ids.to_pylist(), strict=True):
        of.setdefault(image, text[row] or "")
    return pa.array([of.get(image, "") for image in images.to_pylist()], pa.string())


def with_neighbours(points: pa.Table, texts: pa.Array, near: np.ndarray, distances: np.ndarray) -> pa.Table:
    """`points` as Embedding Atlas opens them: --x x --y y --text text --neighbors neighbors, rows of this table."""
    lists = [
        {"ids": ids, "distances": away}
        for ids, away in zip(near.tolist(), distances.astype(float).tolist(), strict=True)
    ]
    kind = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float64()))])
    return points.append_column("text", texts).append_column("neighbors", pa.array(lists, kind))


if __name__ == "__main__":
    run("map", main)
