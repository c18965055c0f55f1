"""Pictures of real sizes through import, network, copies and audit: time and memory of each stage, and how they grow.

python -m benchmarks.scale.pictures 2500 5000 10000 20000 --side 400     # --again: stages that are kept are run anew

The pictures are made by code, as JPEG of `--side` pixels (default 1152, a megapixel): a ground of coloured noise,
shapes on it, blur and grain. One in eight is an earlier one again: smaller, cropped, or with a bar, and encoded anew.
Stages run by `benchmarks.scale.posts`, with the settings of params.yaml, in `.scale/pictures-<side>-<n>/`; what each
took is kept in `benchmarks/scale/pictures.json`, of `dedup_images` on one core (OMP_NUM_THREADS=1) its steps too
(`benchmarks.scale.dedup_steps`).
Exponents are of CPU time over pictures, between all sizes and between the two largest; by the latter is what 1.26
million would take.
"""

import io
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFilter

from benchmarks import ROOT, lay_out, options, print_table, result, write_params
from benchmarks.scale.posts import _measured
from pipeline.running.files import atomic_file, write_text
from pipeline.running.machine import cores
from pipeline.running.utf8 import entry

RESULTS = ROOT / "benchmarks/scale/pictures.json"
STAGES = ("check_params", "list_corpus", "import_corpus", "image_features", "image_style", "dedup_images", "clean_text",
          "split", "audit_split")  # fmt: skip
SHOWN = ("import_corpus", "image_features", "dedup_images", "audit_split")
STEPS = ("looks", "near_pairs", "recall", "voted_pairs", "ranked", "group_images")
"""Of `dedup_images`, as `benchmarks.scale.dedup_steps` times them."""
PER_USER, COPIES = 20, 8
EXPONENT = 1.2
PAPER_PICTURES, CORES, NIGHT_H = 1_260_000, 2, 12
Chance = np.random.Generator


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("pictures", type=int, nargs="+")
    parser.add_argument("--side", type=int, default=1152)
    parser.add_argument("--again", nargs="*", default=[], choices=STAGES)
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1])
    given = parser.parse_args()
    side = given.side
    for count in given.pictures:
        folder = _prepared(count, side)
        for stage in STAGES[: STAGES.index(given.until) + 1]:
            if stage in _read(side).get(str(count), {}) and stage not in given.again:
                continue
            print(f"{count:,} pictures: {stage}", file=sys.stderr, flush=True)
            took = _took(stage, folder)
            held = _read()
            held.setdefault(str(side), {}).setdefault(str(count), {})[stage] = took
            write_text(json.dumps(held, indent=1) + "\n", RESULTS)
    _report(side)


def _took(stage: str, folder: Path) -> dict[str, Any]:
    if stage != "dedup_images" or cores() > 1:  # other processes work then, which the steps do not count
        return _measured(stage, folder)
    took = _measured(stage, folder, [sys.executable, "-m", "benchmarks.scale.dedup_steps"])
    return took | {"steps": json.loads((folder / "steps.json").read_text())}


def _prepared(count: int, side: int) -> Path:
    """A folder with a corpus of `count` pictures of `side` pixels, a post each."""
    folder = ROOT / ".scale" / f"pictures-{side}-{count}"
    lay_out(folder)
    if not (folder / "benchmarks").exists():
        (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    mine = {"source": "table", "posts": "mine/posts.parquet", "images": "mine/pictures", "min_posts_per_user": 1}
    write_params(folder, {"corpus": mine, "sentences": {"encoder": "none"}})
    if not (folder / "mine/posts.parquet").exists():
        shutil.rmtree(folder / "mine", ignore_errors=True)
        (folder / "mine/pictures").mkdir(parents=True)
        for number in range(count):
            name = f"{number:06}.jpg"
            made = ROOT / ".scale" / f"pictures-{side}" / name  # the same one in a corpus of any size
            if not made.exists():
                with atomic_file(made) as temporary:
                    temporary.write_bytes(_file(number, side))
            (folder / "mine/pictures" / name).hardlink_to(made)
        numbers = range(count)
        words = np.random.default_rng(0).integers(0, 26, (count, 6, 5)) + 97
        posts = {
            "post_id": [f"p{n:06}" for n in numbers],
            "user_id": [f"u{n % math.ceil(count / PER_USER):05}" for n in numbers],
            "text": [" ".join(bytes(word).decode() for word in said) for said in words.astype(np.uint8)],
            "image": [f"{n:06}.jpg" for n in numbers],
        }
        pq.write_table(pa.table(posts), folder / "mine/posts.parquet")
    return folder


def _file(number: int, side: int) -> bytes:
    """The bytes of a picture of `side` pixels; one in COPIES shows what one of the fifty before it shows."""
    chance = np.random.default_rng([1, number])
    if number % COPIES or number < COPIES:
        return _encoded(_photograph(np.random.default_rng([0, number]), side), 88)
    shown = max(1, number - int(chance.integers(1, 50)))
    shown -= not shown % COPIES  # no copy of a copy
    image, change = _photograph(np.random.default_rng([0, shown]), side), chance.integers(0, 3)
    width, height = image.size
    if change == 0:
        image = image.resize((width * 2 // 3, height * 2 // 3), Image.Resampling.BICUBIC)
    elif change == 1:
        image = image.crop((width // 25, height // 30, width - width // 20, height))
    else:
        ImageDraw.Draw(image).rectangle((0, height - height // 10, width, height), fill="white")
    return _encoded(image, 60)


def _photograph(chance: Chance, side: int) -> Image.Image:
    """Something that compresses and has details as a photograph, of `side` × 3/4 `side` pixels or upright."""
    turned = chance.random() < 0.3
    size = (side * 3 // 4, side) if turned else (side, side * 3 // 4)
    ground = chance.uniform(0, 255, (3, 4, 3))
    image = Image.fromarray(ground.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(chance.integers(4, 40)):
        middle, reach = chance.uniform(0, 1, 2) * size, chance.uniform(0.02, 0.3) * size[0]
        turns = np.sort(chance.uniform(0, 2 * np.pi, chance.integers(3, 12)))
        tips = middle + reach * chance.uniform(0.4, 1, (len(turns), 1)) * np.c_[np.cos(turns), np.sin(turns)]
        pen.polygon([tuple(tip) for tip in tips], fill=tuple(int(v) for v in chance.integers(0, 256, 3)))
    image = image.filter(ImageFilter.BoxBlur(float(chance.uniform(0, 2)) * side / 1152))
    grain = chance.normal(0, chance.uniform(1, 5), (288, 288, 1))
    tiled = np.tile(grain.astype(np.int16), (-(-size[1] // 288), -(-size[0] // 288), 1))
    grained = np.asarray(image) + tiled[: size[1], : size[0]]
    return Image.fromarray(grained.clip(0, 255).astype(np.uint8))


def _encoded(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _read(side: int | None = None) -> dict[str, dict[str, Any]]:
    """What is kept, by side and number of pictures; with `side`, of that one."""
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return held if side is None else held.get(str(side), {})


def _report(side: int) -> None:
    held, rows, bounds = _read(side), [], {}
    sizes = sorted(held, key=int)
    for name, took in _shown([held[size] for size in sizes]):
        of = [int(size) for size, one in zip(sizes, took, strict=True) if one]
        took = [one for one in took if one]
        cells = {
            f"{size:,}": f"{one['cpu_s']:,.1f} CPU s {one.get('held_mb', one.get('peak_mb', 0)) / 1024:.1f} GB"
            for size, one in zip(of, took, strict=True)
        }
        row: dict[str, Any] = {"": name, **{f"{int(size):,}": cells.get(f"{int(size):,}", "") for size in sizes}}
        if len(of) > 1 and min(one["cpu_s"] for one in took) > 0:
            logs = np.log([[size, one["cpu_s"]] for size, one in zip(of, took, strict=True)])
            slope, last = (float(np.polyfit(*part.T, 1)[0]) for part in (logs, logs[-2:]))
            whole = took[-1]["cpu_s"] * (PAPER_PICTURES / of[-1]) ** max(1.0, last) / CORES / 3600
            row |= {"exponent": f"{slope:.2f}", "of the last two": f"{last:.2f}", "hours for 1.26 M": f"{whole:.1f}"}
            if name in SHOWN:
                bounds |= {f"{name}: exponent": last <= EXPONENT, f"{name}: a night": whole <= NIGHT_H}
        rows.append(row)
    print_table(rows)
    result({"side": side, "pictures": [int(size) for size in sizes]}, bounds)


def _shown(held: list[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Of each stage shown, and each step of `dedup_images`, what it took at each size; None where it has not run."""
    shown = []
    for stage in SHOWN:
        shown.append((stage, [one.get(stage) for one in held]))
        if stage == "dedup_images":
            steps = [one.get(stage, {}).get("steps") for one in held]
            shown += [(f"- {step}", [one and one.get(step) for one in steps]) for step in STEPS]
    return shown


if __name__ == "__main__":
    entry(main)
