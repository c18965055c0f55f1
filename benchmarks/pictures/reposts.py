"""Pictures of a folder as people repost them, through the real stages: what is bound, and what leaks across the split.

    python -m benchmarks.pictures.reposts FOLDER [pictures reposted, default 108] [--show]

Each of so many pictures is reposted in WAYS different kinds, so that every kind comes equally often. They are not the
kinds of `pipeline.copies.planted`, on which limits were chosen. Stages run from the import to the audit, as in a run of
one's own. A repost shows its source, and in some kinds another picture: each is a true pair. By kind the table tells
which share of the pairs are bound as copies or derived, which are in one component over all edges, and how many are on
two sides of the split, before and after the audit. Edges of these two kinds between pictures that show nothing of each
other are wrong, as far as the files of FOLDER show different things: `--show` draws them as reposts.png, to be looked
at, and the pairs that were missed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from benchmarks import ROOT, lay_out, options, print_table, result, write_params
from benchmarks.pictures.image_copies import files_of
from benchmarks.pictures.repost_kinds import KINDS, OTHERS
from pipeline.common.groups import components
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import IMAGES, POSTS
from pipeline.tables.images import COPY, IMAGE_EDGES, RELATED
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import positions
from tools.contact_sheet import sheet

WAYS = 4
STAGES = ("check_params", "list_corpus", "import_corpus", "image_features", "dedup_images", "clean_text", "split",
          "audit_split")  # fmt: skip


def _read(path: Path) -> Image.Image:
    """A source as it may have been posted: RGB, at most 1,024 pixels a side."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    image.thumbnail((1024, 1024))
    return image


def made(folder: Path, number: int, place: Path) -> list[tuple[str, str, str]]:
    """Write the corpus to `place`; returns the true pairs: kind, and the ids of the posts of source and repost."""
    files = files_of(folder)
    chance = np.random.default_rng(3)
    pictures = place / "pictures"
    pictures.mkdir(parents=True)
    for row, file in enumerate(files):
        _read(file).save(pictures / f"s{row:04}.jpg", quality=92)
    chosen, kinds, pairs = chance.permutation(len(files))[:number].tolist(), list(KINDS), []
    posts = [f"s{row:04}" for row in range(len(files))]
    for turn, row in enumerate(chosen):
        for way in range(WAYS):
            kind = kinds[(turn + way * (len(kinds) // WAYS + 1)) % len(kinds)]
            beside = chosen[(turn + 1 + way) % len(chosen)]
            name = f"r{len(posts):04}"
            image = KINDS[kind](_read(files[row]), _read(files[beside]), chance)
            image.save(pictures / f"{name}.jpg", quality=int(chance.integers(60, 90)))
            pairs.append((kind, f"s{row:04}", name))
            if kind in OTHERS:
                pairs.append((OTHERS[kind], f"s{beside:04}", name))
            posts.append(name)
    users = [f"u{n % (len(posts) // 10):03}" for n in chance.permutation(len(posts)).tolist()]
    texts = [f"{name} {''.join(map(chr, chance.integers(97, 123, 8)))} {row}" for row, name in enumerate(posts)]
    columns = {"post_id": posts, "user_id": users, "text": texts, "image": [f"{name}.jpg" for name in posts]}
    pq.write_table(pa.table(columns), place / "posts.parquet")
    return pairs


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int, nargs="?", default=108)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder for the run, instead of one that is removed")
    given = parser.parse_args()
    source, here = given.folder.resolve(), Path.cwd()
    with tempfile.TemporaryDirectory(prefix="reposts-") as temporary:
        place = (given.keep or Path(temporary)).resolve()
        lay_out(place)
        os.chdir(place)
        mine = {"source": "table", "posts": "mine/posts.parquet", "images": "mine/pictures", "min_posts_per_user": 1}
        write_params(place, {"corpus": mine, "split": {"allow_empty": True, "max_excluded_share": 1.0}})
        pairs = made(source, given.number, place / "mine")
        for stage in STAGES:
            run = [sys.executable, "-m", f"stages.{stage}"]
            subprocess.run(run, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=sys.stderr)
        _report(pairs, here, given.show)


def _sides(table: str, ids: pa.Array) -> np.ndarray:
    """The side of each of these posts (p,), by `data/split/<table>`; none for one that is not there."""
    held = ASSIGNED.read(Path("data/split") / table, ["post_id", "split"])
    return np.append(held["split"].to_numpy(zero_copy_only=False), "none")[positions(ids, held["post_id"])]


def _crossing(table: str, ends: list[pa.Array]) -> np.ndarray:
    """Whether one of each pair of posts trains and the other is held out (p,)."""
    one, other = (_sides(table, end) for end in ends)
    held_out = ("val", "test")
    return ((one == "train") & np.isin(other, held_out)) | ((other == "train") & np.isin(one, held_out))


def _report(pairs: list[tuple[str, str, str]], here: Path, show: bool) -> None:
    posts = POSTS.read(Path("data/corpus/posts"), ["post_id", "image_id"])
    images = IMAGES.read(Path("data/corpus/images"), ["image_id", "bytes"])
    edges = IMAGE_EDGES.read(Path("data/images/edges"))
    n = images.num_rows
    ends = [pa.array([pair[at] for pair in pairs]) for at in (1, 2)]
    one, other = (positions(posts["image_id"].take(pa.array(positions(end, posts["post_id"]))), images["image_id"])
                  for end in ends)  # fmt: skip
    left, right = (positions(edges[name], images["image_id"]) for name in ("image_id", "other_id"))
    component, truth = components(n, left, right), components(n, one, other)
    more = edges["kind"].to_numpy(zero_copy_only=False) != RELATED
    related, left, right = int((~more).sum()), left[more], right[more]
    bound = np.isin(np.minimum(one, other) * n + np.maximum(one, other),
                    np.minimum(left, right) * n + np.maximum(left, right)) | (one == other)  # fmt: skip
    together = component[one] == component[other]
    before, after = _crossing("assigned", ends), _crossing("posts", ends)
    kind, rows = np.array([pair[0] for pair in pairs]), []
    for name in dict.fromkeys((*KINDS, *OTHERS.values(), "all")):
        of = (kind == name) | (name == "all")
        if of.any():
            rows.append(
                {
                    "kind": name,
                    "pairs": int(of.sum()),
                    "bound": float(bound[of].mean()),
                    "together": float(together[of].mean()),
                    "across": int(before[of].sum()),
                    "after the audit": int(after[of].sum()),
                }
            )
    print_table(rows)
    wrong = np.flatnonzero(truth[left] != truth[right])
    copies = int(
        (edges["kind"].filter(pa.array(more)).take(pa.array(wrong)).to_numpy(zero_copy_only=False) == COPY).sum()
    )
    print(f"\n{n} pictures, {len(left)} edges, {len(wrong)} beyond what was reposted, {copies} of them copies; "
          f"{related} pairs related; largest component {np.bincount(component).max()}")  # fmt: skip
    if show:
        stored = images["bytes"]
        beyond = [(stored[int(left[row])].as_py(), stored[int(right[row])].as_py()) for row in wrong]
        missed = [(stored[int(one[row])].as_py(), stored[int(other[row])].as_py()) for row in np.flatnonzero(~bound)]
        for name, shown in (("beyond", beyond), ("missed", missed)):
            if shown:
                sheet(shown).save(here / f"reposts_{name}.png")
        print("missed:", ", ".join(kind[~bound]))
    recall = {row["kind"]: row["together"] for row in rows}
    precision = float(1 - len(wrong) / max(1, len(left)))
    result(
        {
            "pairs": len(pairs),
            "together": recall,
            "precision": precision,
            "across": int(before.sum()),
            "across_after_audit": int(after.sum()),
        },
        {
            "together 0.9": recall["all"] >= 0.9,
            "every kind 0.8": min(recall.values()) >= 0.8,
            "precision 0.97": precision >= 0.97,
        },
    )


if __name__ == "__main__":
    entry(main)
