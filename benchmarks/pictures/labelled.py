"""What deduplication, the split and the audit make of pairs labelled by eye, and what that says of all pairs of a run.

The data are of a run of openclipart or of ../shared/corpora/blogs with pictures in full size. The pairs were drawn by
`benchmarks.pictures.draw_pairs` from those that the run compared, in strata, and labelled by the rule in
docs/copies.md: `same`, `part` (they share a large part), `different`, or `unclear`, which are counted but left out of
shares. Labels are of pictures, not of decisions: the code as it is decides anew; but on which sides of the split the
two stand is read from the run. A pair stands for as many as its stratum has for one that is labelled, so shares are of
all pairs that the run compared, and `all` is how many of these. Intervals are Wilson's (95 %), for the effective number
of pairs (Kish: the square of the sum of weights, by the sum of their squares).
"""

import csv
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks import options, print_table, result
from pipeline.common.groups import components
from pipeline.copies.aligned import bond
from pipeline.copies.groups import unit
from pipeline.copies.look import look_of
from pipeline.pictures.storing import to_rgb
from pipeline.running.utf8 import entry
from pipeline.split.pictures import same
from pipeline.split.sides import EXCLUDED
from pipeline.split.sketches import sketch
from pipeline.tables.corpus import IMAGES, POSTS, pictures_of
from pipeline.tables.images import COPY, DERIVED, FEATURES, IMAGE_EDGES, RELATED
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import matrix, positions

FILES = ("openclipart_pairs.csv", "blogs_pairs.csv")
SAME, DIFFERENT, UNCLEAR = "same", "different", "unclear"
AUDIT = "audit"
"""How the strata of pairs begin that the audit compared; deduplication compared the others."""
PRECISION, Z = 0.97, 1.96


@dataclass(frozen=True)
class Labelled:
    """Pairs (p): rows `one` and `other` of IMAGES, of the audit's the held-out one first; stratum, label, weight."""

    one: np.ndarray
    other: np.ndarray
    stratum: np.ndarray
    label: np.ndarray
    weight: np.ndarray

    @property
    def alike(self) -> np.ndarray:
        """Whether the two show the same, or share a large part (p,); of the unclear, nothing."""
        return ~np.isin(self.label, (DIFFERENT, UNCLEAR))

    def of(self, those: np.ndarray) -> "Labelled":
        """The pairs that are `those` (p,)."""
        return Labelled(*(column[those] for column in vars(self).values()))


def read(file: Path, ids: pa.ChunkedArray) -> Labelled | None:
    """The labelled pairs of a file; None where its pictures are not among `ids`."""
    with file.open(newline="") as stream:
        pairs = list(csv.DictReader(stream))
    one, other = (positions(pa.array([pair[end] for pair in pairs]), ids) for end in ("image_id", "other_id"))
    if min(one.min(), other.min()) < 0:
        return None
    stratum, label = (np.array([pair[name] for pair in pairs]) for name in ("stratum", "label"))
    clear = label != UNCLEAR
    number = dict(zip(*np.unique(stratum[clear], return_counts=True), strict=True))
    weight = np.array([int(pair["of"]) / number[pair["stratum"]] for pair in pairs])
    return Labelled(one, other, stratum, label, weight)


def share(hit: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """The weighted share of `hit` (p,), and its 95 % interval; nan of nothing."""
    if not len(hit):
        return (float("nan"),) * 3
    p, n = float(np.average(hit, weights=weight)), float(weight.sum() ** 2 / (weight**2).sum())
    middle, half = p + Z**2 / (2 * n), Z * float(np.sqrt(p * (1 - p) / n + Z**2 / (4 * n * n)))
    return p, max(0.0, round((middle - half) / (1 + Z**2 / n), 9)), min(1.0, (middle + half) / (1 + Z**2 / n))


def row(what: str, pairs: Labelled, of: np.ndarray, hit: np.ndarray) -> dict[str, object]:
    """A row of the table: of the pairs `of` (p,) how many are `hit` (p,), and the share of all that they stand for."""
    clear = of & (pairs.label != UNCLEAR)
    part, low, high = share(hit[clear], pairs.weight[clear])
    counts = {"labelled": int(clear.sum()), "of them": int((hit & clear).sum()), "unclear": int((of & ~clear).sum())}
    return {"": what, **counts, "all": round(pairs.weight[hit & clear].sum()), "share": part, "from": low, "to": high}


def of_deduplication(pairs: Labelled, kind: np.ndarray, together: np.ndarray) -> list[dict[str, object]]:
    """What of the pairs bound as `kind` (p,) ("": not) is right, and what of the alike is bound, or `together` (p,)."""
    copy, derived, bound, identical = kind == COPY, kind == DERIVED, kind != "", pairs.label == SAME
    return [
        row("copies: the same", pairs, copy, identical),
        row("copies: alike", pairs, copy, pairs.alike),
        row("derived: alike", pairs, derived, pairs.alike),
        row("copies and derived: alike", pairs, copy | derived, pairs.alike),
        row("related: alike", pairs, kind == RELATED, pairs.alike),
        row("refused: alike", pairs, ~bound, pairs.alike),
        row("the same: bound", pairs, identical, bound),
        row("alike: bound", pairs, pairs.alike, bound),
        row("alike: in one component", pairs, pairs.alike, together),
    ]


@dataclass(frozen=True)
class Places:
    """Where pairs of pictures (p,) stand in a split: each a mask (p,).

    `out`: one of the two is shown on no side; `together`: both by posts of one group; `apart`: by posts on two sides.
    """

    out: np.ndarray
    together: np.ndarray
    apart: np.ndarray

    @classmethod
    def of(cls, pairs: Labelled, ids: pa.ChunkedArray, posts: pa.Table, split: pa.Table) -> "Places":
        """From the corpus's `posts`, and a table of the split: a post's side and its group."""
        post_of, image_ids = pictures_of(posts)
        at = positions(posts["post_id"].take(pa.array(post_of)), split["post_id"])
        groups: list[set[str]] = [set() for _ in ids]
        sides: list[set[str]] = [set() for _ in ids]
        placed = split.select(["group_id", "split"]).take(pa.array(at[at >= 0]))
        for image, group, side in zip(positions(image_ids, ids)[at >= 0], *placed.to_pydict().values(), strict=True):
            if side != EXCLUDED:
                groups[image].add(group)
                sides[image].add(side)
        ends = list(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True))
        return cls(
            np.array([not (sides[i] and sides[j]) for i, j in ends], bool),
            np.array([bool(groups[i] & groups[j]) for i, j in ends], bool),
            np.array([bool(sides[i] and sides[j]) and len(sides[i] | sides[j]) > 1 for i, j in ends], bool),
        )


def of_split(pairs: Labelled, before: Places, after: Places) -> list[dict[str, object]]:
    """Where the alike and the same stand, `before` the audit and `after` it."""
    told = []
    for name, those in (("alike", pairs.alike), ("the same", pairs.label == SAME)):
        told += [
            row(f"{name}: in one group of the split", pairs, those, before.together),
            row(f"{name}: on two sides, before the audit", pairs, those, before.apart),
            row(f"{name}: one of the two left out", pairs, those, after.out),
            row(f"{name}: on two sides", pairs, those, after.apart),
        ]
    return told


def of_audit(pairs: Labelled, taken: np.ndarray) -> list[dict[str, object]]:
    """What of the pairs that the audit has `taken` (p,) for copies is right, and what of the alike it takes."""
    return [
        row("taken for copies: alike", pairs, taken, pairs.alike),
        row("judged different: alike", pairs, ~taken, pairs.alike),
        row("alike: taken for copies", pairs, pairs.alike, taken),
    ]


def at_precision(pairs: Labelled, score: np.ndarray) -> dict[str, float]:
    """The threshold of `score` (p,) that finds most of the alike at PRECISION, or the one that is nearest to it."""
    clear = pairs.of(pairs.label != UNCLEAR)
    score, alike, weight = score[pairs.label != UNCLEAR], clear.alike, clear.weight
    tries = []
    for limit in np.unique(score[alike]):
        found = score >= limit
        precision = share(alike[found], weight[found])[0]
        tries.append((min(precision, PRECISION), share(found[alike], weight[alike])[0], precision, float(limit)))
    _, recall, precision, limit = max(tries)
    return {"threshold": limit, "alike: found": recall, "found: alike": precision}


def ask(data: Path, hashes: Mapping[str, Callable[[Image.Image], object]]) -> dict[str, object]:
    """Print what deduplication, the audit and peers decide on the labelled pairs of `data`; their shares, {} of none.

    hashes: the bits of a picture, by each peer.
    """
    ids = IMAGES.read(data / "corpus/images", ["image_id"])["image_id"]
    found = (read(Path(__file__).with_name(name), ids) for name in FILES)
    everything = next((pairs for pairs in found if pairs is not None), None)
    if everything is None:
        return {}
    audits = np.char.startswith(everything.stratum, AUDIT)
    stored = IMAGES.read(data / "corpus/images", ["bytes"])["bytes"]

    pairs = everything.of(audits)
    sides = [stored.take(pa.array(end)).to_pylist() for end in (pairs.one, pairs.other)]
    taken = np.array([same(sketch(a), sketch(b, False)) for a, b in zip(*sides, strict=True)])
    audit = of_audit(pairs, taken)

    pairs = everything.of(~audits)
    sides = [[to_rgb(one) for one in stored.take(pa.array(end)).to_pylist()] for end in (pairs.one, pairs.other)]
    verdicts = [bond(look_of(a), look_of(b)) for a, b in zip(*sides, strict=True)]
    edges = IMAGE_EDGES.read(data / "images/edges")
    component = components(len(ids), *(positions(edges[end], ids) for end in ("image_id", "other_id")))
    kind = np.array([verdict.kind if verdict else "" for verdict in verdicts])
    told = of_deduplication(pairs, kind, component[pairs.one] == component[pairs.other])
    if (data / "split/posts").exists():
        posts = POSTS.read(data / "corpus/posts", ["post_id", "image_id", "more_images"])
        splits = (ASSIGNED.read(data / "split" / name) for name in ("assigned", "posts"))
        told += of_split(pairs, *(Places.of(pairs, ids, posts, split) for split in splits))

    vectors = matrix(FEATURES.read(data / "images/features")["vector"])
    scores = {"imagededup CNN (cosine)": (unit(vectors[pairs.one]) * unit(vectors[pairs.other])).sum(axis=1)}
    for name, hashed in hashes.items():
        one, other = (np.stack([np.asarray(hashed(image)).ravel() for image in side]) for side in sides)
        scores[name] = -(one != other).sum(axis=1)
    print()
    print_table([*told, *audit])
    print()
    print_table([{"method": name, **at_precision(pairs, score)} for name, score in scores.items()])
    return {str(row[""]): row["share"] for row in [*told, *audit]}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"))
    figures = ask(parser.parse_args().data, {})
    if not figures:
        sys.exit("No labelled pairs are of these pictures.")
    result(figures, {})


if __name__ == "__main__":
    entry(main)
