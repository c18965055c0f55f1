"""Split and audit at 2 million posts by 50,000 users: time and memory, and that no planted copy crosses.

`python -m benchmarks.model.split [--posts N] [--users N]`. The corpus is synthetic, of Twitter's proportions (13 % with
an image, 95 % with a text), its texts cleaned by the real stage, its images given as made features; the groups of
images are the planted ones, so that audit and grouping share nothing. The stages run as they do under DVC, in processes
of their own. The peer, scikit-learn's StratifiedGroupKFold (users as strata, content groups as groups), gets the same
posts and groups under a limit of memory, and says itself what it asks for.

`--cut` makes corpora in which everything hangs together instead, and tells how few posts the cut excludes.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import ROOT, lay_out, options, print_table, result, write_params
from pipeline.common.groups import components
from pipeline.running.files import write_text
from pipeline.running.utf8 import entry
from pipeline.split.sides import EXCLUDED, TEST, VAL, assign, content_groups
from pipeline.tables.corpus import IMAGES, POSTS
from pipeline.tables.images import FEATURES, IMAGE_EDGES, IMAGE_GROUPS
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import positions, vectors
from pipeline.tables.truth import TRUTH_POSTS
from tests.split.percolating import CORPORA, items_on_two_sides

FRACTIONS = {TEST: 0.2, VAL: 0.05}
PEER_MEMORY = 16 << 30


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--posts", type=int, default=2_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--image-share", type=float, default=0.13)
    parser.add_argument("--cut", action="store_true", help="corpora that hang together, instead")
    given = parser.parse_args()
    if given.cut:
        _cut()
        return
    with tempfile.TemporaryDirectory(prefix="split-benchmark-") as folder:
        os.chdir(folder)
        _prepare(given.posts, given.users, given.image_share)
        stages = [_stage(name) for name in ("import_corpus", "clean_text")]
        _features_and_planted_groups()
        stages += [_stage(name) for name in ("split", "audit_split")]
        crossing = _planted_pairs_that_cross()
        split, audit = (json.loads(Path(f"metrics/{name}.json").read_text()) for name in ("split", "audit"))
        peer = _peer()

    print_table([*stages, {"stage": "StratifiedGroupKFold", "seconds": "-", "peak MB": f"asks for {peer}"}])
    print(json.dumps({"posts": split["posts"], "groups": split["groups"], "sides": split["sides"]}, indent=1))
    print(json.dumps({kind: audit[kind] for kind in ("posts", "crossings", "texts", "images")}, indent=1))
    taken = {row["stage"]: row for row in stages}
    result(
        {
            "posts": given.posts,
            "users": given.users,
            "split_seconds": taken["split"]["seconds"],
            "split_peak_mb": taken["split"]["peak MB"],
            "audit_seconds": taken["audit_split"]["seconds"],
            "audit_peak_mb": taken["audit_split"]["peak MB"],
            "peer_asks_for": peer,
            "planted_pairs_that_cross": crossing,
            "crossings_found_by_audit": audit["crossings"]["found"],
        },
        {
            "split_under_a_minute": taken["split"]["seconds"] < 60,
            "split_under_4_gb": taken["split"]["peak MB"] < 4096,
            "no_planted_copy_crosses": crossing == 0 and audit["crossings"]["left"] == 0,
        },
    )


def _cut() -> None:
    """Corpora in which everything hangs together: how few posts are excluded, how near sides come to their shares."""
    rows = []
    for name, generate in CORPORA.items():
        of = generate(1)
        ids = pa.chunked_array([[f"p{i:07d}" for i in range(of.n)]])
        every, fewer = np.ones(of.n, bool), np.random.default_rng(0).random(of.n) < 0.99
        begun = time.perf_counter()
        groups = content_groups(of, ids, every, 0.02, 7)
        seconds = time.perf_counter() - begun
        made = [assign(ids, groups, FRACTIONS, seed) for seed in range(4)]
        part = assign(ids, content_groups(of, ids, fewer, 0.02, 7), FRACTIONS, 0).side
        stay = fewer & (part != EXCLUDED) & (made[0].side != EXCLUDED)
        rows.append(
            {
                "corpus": name,
                "posts": of.n,
                "largest group": float(np.bincount(groups.uncut).max() / of.n),
                "seconds": seconds,
                "items on two sides": sum(items_on_two_sides(of, one.side) for one in made),
                "excluded": float(np.mean([np.mean(one.side == EXCLUDED) for one in made])),
                "train whole": float(groups.trains.mean()),
                "test": float(np.mean([one.shares[TEST]["share"] for one in made])),
                "expected": made[0].shares[TEST]["expected"],
                "furthest (deviations)": max(
                    abs(told["share"] - told["expected"]) / max(told["standard_deviation"], 1e-9)
                    for one in made
                    for told in one.shares.values()
                ),
                "moved": float(np.mean(part[stay] != made[0].side[stay])),
            }
        )
    print_table(rows)
    result(
        {"corpora": rows},
        {
            "nothing_crosses": all(row["items on two sides"] == 0 for row in rows),
            "few_excluded": all(row["excluded"] < 0.03 or row["corpus"] == "star" for row in rows),
        },
    )


def _prepare(posts: int, users: int, image_share: float) -> None:
    """The project's files, with params for this corpus, in the current folder."""
    made = {"posts": posts, "users": users, "topics": 50, "image_share": image_share, "images": "features"}
    changes = {
        "corpus": {"source": "synthetic", "max_posts_per_user": None, "min_posts_per_user": 1},
        "corpus.synthetic": made,
        # Made features have no picture to look at: the threshold alone has to tell copies from others of a topic.
        "images": {"min_cosine": 0.9},
        "split": {"audit_min_cosine": 0.85},
    }
    lay_out(Path())
    write_params(Path(), changes)
    write_text("", Path("data/checked"))
    Path("data/fetched").mkdir()


def _stage(name: str) -> dict[str, object]:
    """Run one stage; what it took, by its own account."""
    subprocess.run([sys.executable, "-m", f"stages.{name}"], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    timing = json.loads(Path(f"timings/{name}.json").read_text())
    return {"stage": name, "seconds": timing["wall_s"], "peak MB": timing["peak_mb"]}


def _features_and_planted_groups() -> None:
    """Features as stored, and the groups of images that the truth tells, in the place of those stages' tables."""
    with FEATURES.writer(Path("data/images/features")) as writer:
        for images in IMAGES.batches(Path("data/corpus/images")):
            values = np.frombuffer(b"".join(images["bytes"].to_pylist()), np.float16).reshape(images.num_rows, -1)
            writer.write(pa.table({"image_id": images["image_id"], "vector": vectors(values)}))
    ids = IMAGES.read(Path("data/corpus/images"), ["image_id"])["image_id"].combine_chunks()
    posts = POSTS.read(Path("data/corpus/posts"), ["post_id", "image_id"])
    truth = TRUTH_POSTS.read(Path("data/truth/posts"), ["post_id", "image_of"])
    truth = truth.filter(pa.compute.is_in(truth["post_id"], posts["post_id"]))
    image = positions(posts["image_id"], ids)
    source = positions(truth["image_of"], posts["post_id"])
    copied = np.flatnonzero((source >= 0) & (image >= 0))
    group = components(len(ids), image[copied], image[source[copied]])
    columns = {
        "image_id": ids,
        "group_id": ids.take(pa.array(group)),
        "representative": group == np.arange(len(ids)),
        "similarity": np.ones(len(ids), np.float32),
    }
    IMAGE_GROUPS.write(pa.table(columns), Path("data/images/groups"))
    IMAGE_EDGES.write(IMAGE_EDGES.empty(), Path("data/images/edges"))


def _planted_pairs_that_cross() -> int:
    """Posts with a copied picture whose source stands on another side."""
    final = ASSIGNED.read(Path("data/split/assigned"), ["post_id", "split"])
    truth = TRUTH_POSTS.read(Path("data/truth/posts"), ["post_id", "image_of"])
    side = final["split"].to_numpy(zero_copy_only=False)
    copy, source = positions(truth["post_id"], final["post_id"]), positions(truth["image_of"], final["post_id"])
    both = (copy >= 0) & (source >= 0)
    return int((side[copy[both]] != side[source[both]]).sum())


def _peer() -> str:
    """What StratifiedGroupKFold asks for, in its own words."""
    process = subprocess.run(
        [sys.executable, "-c", "from benchmarks.model.split import _stratified; _stratified()"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    asked = re.search(r"Unable to allocate ([\d.]+ \w+)", process.stderr)
    return asked[1] if asked else f"under {PEER_MEMORY >> 30} GiB (exit status {process.returncode})"


def _stratified() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    resource.setrlimit(resource.RLIMIT_AS, (PEER_MEMORY, PEER_MEMORY))
    assigned = ASSIGNED.read(Path("data/split/assigned"))
    posts = POSTS.read(Path("data/corpus/posts"), ["post_id", "user_id"])
    user = posts["user_id"].take(pa.array(positions(assigned["post_id"], posts["post_id"])))
    strata = user.combine_chunks().dictionary_encode().indices.to_numpy()
    groups = assigned["group_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    next(StratifiedGroupKFold(5).split(strata, strata, groups))


if __name__ == "__main__":
    entry(main)
