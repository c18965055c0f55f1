"""Draw pairs of a run's pictures to be labelled by eye: of those bound, of those refused, of those that the audit saw.

    cd RUN; python -m benchmarks.pictures.draw_pairs OUT

RUN holds `data` and `params.yaml` of a run up to `audit_split`. Its pairs are proposed and judged again, as the stages
do it, and drawn at random in each of STRATA, the difficult ones more densely. OUT gets pairs.csv and sheets of pairs,
00.png and on, in which all strata are mixed and none is told: who labels does not know what was decided. Then the
column `label` is filled in, by the rule in docs/copies.md. `benchmarks.pictures.labelled` counts.
"""

import csv
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import options
from pipeline.copies.groups import distinct, exact_cosine, near_pairs
from pipeline.copies.looks import Looks
from pipeline.copies.points import lie
from pipeline.copies.votes import voted_pairs
from pipeline.running.checkpoints import made
from pipeline.running.params import load
from pipeline.running.utf8 import entry
from pipeline.split.audit import AGAINST, SIDES
from pipeline.split.corner_votes import voted
from pipeline.split.exact_search import search_images, unit
from pipeline.split.pictures import confirm
from pipeline.split.sketches import Sketches
from pipeline.tables.corpus import IMAGES, POSTS, pictures_of
from pipeline.tables.images import COPY, DERIVED, FEATURES, RELATED
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import matrix, positions
from tools.contact_sheet import sheet

IMAGES_PATH = Path("data/corpus/images")
NEAR, MANY = 0.95, 12
"""What is told apart is difficult from this cosine on, or from so many points on that lay one picture on the other."""
STRATA = {
    "copy": 60,
    "derived": 100,
    "related": 60,
    "refused, difficult": 90,
    "refused, others": 100,
    "audit, copy": 60,
    "audit, different, difficult": 40,
    "audit, different, others": 80,
}
"""Pairs drawn of each, at most."""
COLUMNS = ("image_id", "other_id", "stratum", "of", "label")
"""Of pairs.csv. of: how many pairs its stratum has; label: same, part, different or unclear."""
CELL, ACROSS, ON_A_SHEET = 300, 3, 12
"""Pixels of a picture's longer side, pairs side by side, and on a sheet."""

Rows = np.ndarray


def difficult(looks: Looks, cosine: np.ndarray, pairs: Rows) -> np.ndarray:
    """Which of the pairs (p, 2) of this `cosine` (p,) look alike to features or to points."""

    def points(i: int, j: int) -> int:
        one, other = looks.look(i), looks.look(j)
        if one is None or other is None:
            return 0
        found = (lie(face, other.points) for face in (one.points, one.points.mirrored))
        return max(laid.points if laid else 0 for laid in found)

    told = [near >= NEAR or points(*pair) >= MANY for near, pair in zip(cosine.tolist(), pairs.tolist(), strict=True)]
    return np.array(told, bool)


def deduplicated(looks: Looks, vectors: np.ndarray) -> Iterator[tuple[str, Rows]]:
    """By stratum, the pairs (p, 2) that deduplication looks at."""
    params = load("seed", "images.min_cosine", "images.neighbours")
    near = near_pairs(vectors, params.images.min_cosine, params.seed, params.images.neighbours)
    left, right, _ = voted_pairs(looks, params.images.neighbours, params.seed, made)
    n = len(vectors)
    pairs = np.column_stack(np.divmod(distinct(np.concatenate([near.left * n + near.right, left * n + right])), n))
    kind = np.array([verdict.kind if verdict else "" for verdict in looks.judge(*pairs.T)])
    yield COPY, pairs[kind == COPY]
    yield DERIVED, pairs[kind == DERIVED]
    yield RELATED, pairs[kind == RELATED]
    refused = pairs[kind == ""]
    hard = difficult(looks, exact_cosine(vectors, *refused.T), refused)
    yield "refused, difficult", refused[hard]
    yield "refused, others", refused[~hard]


def audited(looks: Looks, vectors: np.ndarray, folder: Path) -> Iterator[tuple[str, Rows]]:
    """By stratum, the pairs (p, 2) across sides that the audit of the split looks at."""
    params = load("seed", "images.min_cosine", "images.neighbours")
    posts = POSTS.read(Path("data/corpus/posts"), ["post_id", "image_id", "more_images"])
    assigned = ASSIGNED.read(Path("data/split/assigned"))
    post_of, ids = pictures_of(posts.take(pa.array(positions(assigned["post_id"], posts["post_id"]))))
    image_of = positions(ids, IMAGES.read(IMAGES_PATH, ["image_id"])["image_id"])
    side = assigned["split"].to_numpy(zero_copy_only=False)[post_of]
    on = {name: np.unique(image_of[side == name]) for name in SIDES}
    held_out = np.isin(np.arange(len(vectors)), np.concatenate([on[name] for name in AGAINST]))
    sketches = Sketches.of(IMAGES_PATH, held_out, folder)
    found = []
    least, most = params.images.min_cosine, params.images.neighbours
    for name, others in AGAINST.items():
        asking, asked = on[name], np.unique(np.concatenate([on[other] for other in others]))
        near = search_images(unit(vectors[asking]), [vectors[asked]], least, least, most, len(asked))
        query, target, _ = voted(sketches, asking, asked, params.seed)
        found += [np.column_stack([asking[q], asked[t]]) for q, t in ((near.query, near.target), (query, target))]
    pairs = np.unique(np.concatenate(found), axis=0)
    copy = confirm(sketches, *pairs.T)
    yield "audit, copy", pairs[copy]
    different = pairs[~copy]
    hard = difficult(looks, exact_cosine(vectors, *different.T), different)
    yield "audit, different, difficult", different[hard]
    yield "audit, different, others", different[~hard]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("labelled", type=Path, nargs="?", help="pairs.csv of what is labelled already")
    given = parser.parse_args()
    out, chance, known = given.out, np.random.default_rng(1), {}
    if given.labelled:
        with given.labelled.open(newline="") as stream:
            known = {frozenset((row["image_id"], row["other_id"])): row["label"] for row in csv.DictReader(stream)}
    features = FEATURES.read(Path("data/images/features"))
    vectors, ids = matrix(features["vector"]), features["image_id"].to_pylist()
    drawn: dict[frozenset[str], list[tuple[str, ...]]] = {}
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        looks = Looks.of(IMAGES_PATH, Path(folder) / "looks")
        strata = deduplicated(looks, vectors), audited(looks, vectors, Path(folder) / "sketches")
        for name, pairs in chain(*strata):
            print(f"{name}: {len(pairs)}", flush=True)
            for one, other in chance.permutation(pairs)[: STRATA[name]].tolist():
                pair = ids[one], ids[other]
                drawn.setdefault(frozenset(pair), []).append((*pair, name, str(len(pairs))))
    out.mkdir(exist_ok=True)
    order = [list(drawn)[at] for at in chance.permutation(len(drawn))]
    order.sort(key=lambda pair: pair in known)
    stored = dict(zip(ids, IMAGES.read(IMAGES_PATH, ["bytes"])["bytes"], strict=True))
    unseen = [drawn[pair][0][:2] for pair in order if pair not in known]
    for begin in range(0, len(unseen), ON_A_SHEET):
        files = [(stored[one].as_py(), stored[other].as_py()) for one, other in unseen[begin : begin + ON_A_SHEET]]
        sheet(files, begin, CELL, ACROSS).save(out / f"{begin // ON_A_SHEET:02}.png")
    with (out / "pairs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for pair in order:
            writer.writerows((*row, known.get(pair, "")) for row in drawn[pair])
    print(f"{len(order)} pairs in {out}, {len(unseen)} of them on sheets")


if __name__ == "__main__":
    entry(main)
