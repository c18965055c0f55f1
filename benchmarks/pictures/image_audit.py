"""Leaks planted for the audit of the split: which of them each kind of proposal finds, and what the look confirms.

Pictures are copied in the ways of `pipeline.copies.planted.KINDS`, as held-out pictures; their sources stand among
those that train. So many are proposed by the features (the nearest, from 0.8 on), by votes of corners, by either; and
so many are found in the end, where the audit's look at the two has to agree. Two kinds are searched for at a time.

`--show` writes what is taken for a copy beyond sources and their groups as image_audit.png, to be looked at.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import options, print_table, result
from benchmarks.pictures.image_copies import MIN_COSINE, NEIGHBOURS, asked, encoded, jpeg, plant
from pipeline.copies.planted import KINDS
from pipeline.encoding.encoders import load_encoder
from pipeline.running.utf8 import entry
from pipeline.split.corner_votes import voted
from pipeline.split.pictures import same
from pipeline.split.sketches import Sketches
from pipeline.tables.corpus import IMAGES
from tools.contact_sheet import sheet


def main() -> None:
    given = asked(options(__doc__), 24)
    stored, vectors, chosen, known, whole = plant(given, 5)
    n, copies = len(stored), list(map(jpeg, whole))
    source, kind = chosen.repeat(len(KINDS)), np.arange(len(copies)) % len(KINDS)
    cosine = encoded(load_encoder("efficientnet_lite0"), copies) @ vectors.T
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :NEIGHBOURS]
    by_features = {(c, int(o)) for c, near in enumerate(nearest) for o in near if cosine[c, o] >= MIN_COSINE}

    with tempfile.TemporaryDirectory() as place:
        sides = np.ones(n + len(copies), np.int32)
        columns = {"image_id": [f"{row:09}" for row in range(len(sides))], "bytes": [*stored, *copies]}
        IMAGES.write(pa.table(columns | {"width": sides, "height": sides}), Path(place) / "images")
        taken = [time.process_time()]
        sketches = Sketches.of(Path(place) / "images", np.arange(len(sides)) >= n, Path(place) / "sketches")
        taken.append(time.process_time())
        by_corners = set()
        for turn in range(len(KINDS) // 2):
            rows = np.flatnonzero(kind % (len(KINDS) // 2) == turn)
            query, target, _ = voted(sketches, rows + n, np.arange(n), 7)
            by_corners |= set(zip(rows[query].tolist(), target.tolist(), strict=True))
        taken.append(time.process_time())
        truth = set(enumerate(source.tolist()))
        pairs = sorted(by_features | by_corners)
        alike = {(c, o) for c, o in {*pairs, *truth} if same(sketches.sketch(c + n), sketches.sketch(o))}  # type: ignore[arg-type]
        taken.append(time.process_time())

    steps = {
        "proposed by features": by_features,
        "proposed by corners": by_corners,
        "proposed by either": by_features | by_corners,
        "the look confirms": alike,
        "found by features": by_features & alike,
        "found by either": (by_features | by_corners) & alike,
    }
    rows, recall = [], {}
    for name, those in steps.items():
        hit = np.array([pair in those for pair in enumerate(source.tolist())])
        recall[name] = float(hit.mean())
        rows.append(
            {"": name, "all": recall[name], **dict(zip(KINDS, hit.reshape(-1, len(KINDS)).mean(0), strict=True))}
        )
    print_table(rows)
    beyond = [(c, o) for c, o in pairs if (c, o) in alike and not known[c // len(KINDS), o]]
    cost = dict(zip(("sketches", "votes", "pairs"), np.round(np.diff(taken), 1).tolist(), strict=True))
    print(f"\n{len(copies)} copies among {n} pictures; CPU seconds: {cost}")
    print(f"pairs: {len(by_features)} by features, {len(by_corners)} by corners, {len(pairs)} in all")
    print(f"alike beyond the sources: {len(beyond)}")
    if given.show and beyond:
        sheet([(copies[c], stored[o]) for c, o in beyond]).save("image_audit.png")
    result(
        {"recall": recall, "pairs": len(pairs), "beyond": len(beyond), "copies": len(copies)},
        {"corners find what features do not": recall["found by either"] > recall["found by features"]},
    )


if __name__ == "__main__":
    entry(main)
