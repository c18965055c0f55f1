"""Stage `clusters`: clusters of users, their words and the images nearest to them.

Reads   data/embeddings/{users,images}   one row per user, image: its vector in the joint space
        data/split/train       one row per post: users with some are clustered, by its words clusters are described
        data/images/groups     one row per image: copies of an image are shown once
        data/corpus/users      one row per user: interests, that clusters are compared with
Writes  data/clusters/users    one row per user: cluster, cosine to its centroid
        data/clusters/words    top words per cluster, by frequency and by log-odds
        data/clusters/images   images nearest to each centroid
        metrics/clusters.json  clusters, their sizes, silhouette, purity beside chance; or why nothing was clustered
"""

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.evaluation.clusters import cluster, clusters_of, coherence, common_of, nearest_images, top_words
from pipeline.ranking.vectors import Vectors
from pipeline.running.params import load
from pipeline.tables.corpus import USERS
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.evaluation import CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CONTENT
from pipeline.tables.table import positions
from stages.runner import run

CORPUS = Path("data/corpus/users")
TRAIN = Path("data/split/train")
EMBEDDED = Path("data/embeddings")
GROUPS = Path("data/images/groups")
FOUND = Path("data/clusters")
METRICS = Path("metrics/clusters.json")

KINDS = {"users": CLUSTER_USERS, "words": CLUSTER_WORDS, "images": CLUSTER_IMAGES}

log = logging.getLogger("clusters")


def main() -> None:
    params = load("seed", "clusters")
    wanted = params.clusters
    posts = CONTENT.read(TRAIN, ["user_id", "words"])
    users = Vectors.read(EMBEDDED / "users", posts["user_id"].unique())
    others = EMBEDDINGS.count(EMBEDDED / "users") - len(users.ids)
    facts: dict[str, Any] = {"users": len(users.ids), "users_without_train_posts": others}

    found = {name: kind.empty() for name, kind in KINDS.items()}
    words = len(pc.list_flatten(posts["words"]).unique())
    k = clusters_of(len(users.ids)) if wanted.k is None else wanted.k
    common = common_of(words) if wanted.common_words is None else wanted.common_words
    if len(users.ids) < k:
        metrics: dict[str, Any] = {"not_measured": f"{len(users.ids)} users are too few for {k} clusters"}
        log.warning("nothing clustered: %s", metrics["not_measured"])
    else:
        clusters, centroids, similarity = cluster(users.values, k, params.seed)
        images = Vectors.stored(EMBEDDED / "images")
        found = {
            "users": pa.table({"user_id": users.ids, "cluster": clusters, "similarity": similarity}),
            "words": top_words(posts, users.ids, clusters, common, wanted.words),
            "images": nearest_images(centroids, images, IMAGE_GROUPS.read(GROUPS), wanted.images),
        }
        people = USERS.read(CORPUS)
        interests = people["interests"].take(pa.array(positions(users.ids, people["user_id"]))).to_pylist()
        metrics = coherence(users.values, clusters, interests, params.seed) | {"k": k, "common_words": common}
        log.info("%d users in %d clusters: %s", len(clusters), len(centroids), metrics)

    for name, kind in KINDS.items():
        kind.write(found[name], FOUND / name)
    write_metrics({**metrics, **facts}, METRICS)


if __name__ == "__main__":
    run("clusters", main)
