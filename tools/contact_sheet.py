"""Write a contact sheet of random copies, to be looked at: how often does the deduplication join what is different?

From each of a random choice of groups with copies, one random member beside the group's representative; so a large
group counts no more than a small one. `n` pairs looked at and none wrong: fewer than 3 / n are, with 95 % confidence.

    python -m tools.contact_sheet [pairs, default 60] [seed, default 1] [file, default contact_sheet.png]

Or of what the audit of the split compared and judged different: pairs of a held-out picture and one on another side,
drawn at random (`data/split/close`). Those that show the same leak; count them, and the share holds of all such pairs.
Or of what it took for copies, so that their posts were left out of train or validation.

    python -m tools.contact_sheet --different [file, default contact_sheet.png]
    python -m tools.contact_sheet --taken [file, default contact_sheet.png]
"""
# ruff: noqa: T201

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageDraw

from pipeline.pictures.storing import to_rgb
from pipeline.report.wording import plural
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CLOSE, DIFFERENT, TAKEN
from pipeline.tables.table import positions

IMAGES_PATH = Path("data/corpus/images")
GROUPS = Path("data/images/groups")
CLOSE_PATH = Path("data/split/close")
AUDIT = Path("metrics/audit.json")
CELL, COLUMNS = 100, 8


def pairs_to_look_at(groups: pa.Table, count: int, seed: int) -> np.ndarray:
    """Rows (p, 2) of IMAGE_GROUPS: the representative of a group and another member, of at most `count` groups."""
    random = np.random.default_rng(seed)
    code = groups["group_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = groups["representative"].to_numpy()
    representative = np.empty(first.sum(), np.int64)
    representative[code[first]] = np.flatnonzero(first)
    others = random.permutation(np.flatnonzero(~first))
    chosen = others[np.sort(np.unique(code[others], return_index=True)[1])][:count]
    return np.column_stack([representative[code[chosen]], chosen])


def sheet(pairs: list[tuple[bytes, bytes]], first: int = 0, cell: int = CELL, columns: int = COLUMNS) -> Image.Image:
    """The pairs of stored pictures side by side, numbered from `first` on, `columns` to a row, `cell` pixels a side."""
    size = columns * (2 * cell + 12), -(-len(pairs) // columns) * (cell + 14)
    whole = Image.new("RGB", size, "grey")  # to see where what is white ends
    pen = ImageDraw.Draw(whole)
    for place, pair in enumerate(pairs):
        left, top = place % columns * (2 * cell + 12), place // columns * (cell + 14)
        pen.text((left, top), str(first + place), fill="white")
        for side, stored in enumerate(pair):
            image = to_rgb(stored)
            scale = cell / max(image.size)
            small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
            whole.paste(small, (left + side * (cell + 2), top + 12))
    return whole


def audited(close: pa.Table, ids: pa.ChunkedArray, verdict: str) -> np.ndarray:
    """Rows (p, 2) of the images `ids`, of the pairs of CLOSE on which the audit gave this verdict."""
    chosen = pc.and_(pc.equal(close["kind"], "image"), pc.equal(close["verdict"], verdict))
    pairs = close.filter(chosen)
    return np.column_stack([positions(pairs[name], ids) for name in ("held_out_id", "other_id")])


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", nargs="*", metavar="pairs seed file")
    which = parser.add_mutually_exclusive_group()
    for verdict, told in ((DIFFERENT, "judged different"), (TAKEN, "took for copies")):
        which.add_argument(
            f"--{verdict}",
            action="store_const",
            const=verdict,
            dest="verdict",
            help=f"what the audit {told}; file alone",
        )
    asked = parser.parse_args()
    given, verdict = asked.given, asked.verdict
    if verdict:
        path = Path(given[0] if given else "contact_sheet.png")
        pairs = audited(CLOSE.read(CLOSE_PATH), IMAGES.read(IMAGES_PATH, ["image_id"])["image_id"], verdict)
    else:
        count, seed = (int(given[place]) if len(given) > place else default for place, default in ((0, 60), (1, 1)))
        path = Path(given[2] if len(given) > 2 else "contact_sheet.png")
        pairs = pairs_to_look_at(IMAGE_GROUPS.read(GROUPS), count, seed)
    if not len(pairs):
        nothing = {
            DIFFERENT: "The audit judged no two pictures different",
            TAKEN: "The audit took no two pictures for copies",
        }
        who = nothing.get(verdict, "dedup_images joined no two pictures")
        print(f"{who}, so there is nothing to look at.")
        return
    rows = np.unique(pairs)
    stored = IMAGES.read(IMAGES_PATH, ["bytes"])["bytes"].take(pa.array(rows)).to_pylist()
    of = dict(zip(rows.tolist(), stored, strict=True))
    sheet([(of[one], of[other]) for one, other in pairs.tolist()]).save(path)
    every = not verdict and len(pairs) < count
    print(f"{plural(len(pairs), 'pair')} in {path}{', one of every group of copies' if every else ''}")
    if verdict:
        audit = json.loads(AUDIT.read_text(encoding="utf-8"))
        counted, told = {DIFFERENT: ("judged_different", "judged different"), TAKEN: ("copies", "taken for copies")}[
            verdict
        ]
        total = sum(block[counted] for block in audit["images"].values())
        print(f"of {total} {told}; k of them alike: about {total / len(pairs):.1f} k in all")


if __name__ == "__main__":
    entry(main)
