"""Pictures of real sizes through import, network, copies and audit: time and memory of each stage, and how they grow.

python -m benchmarks.pictures 1000 4000      # --again: stages that are kept are run anew

The pictures are made by code, as JPEG of a megapixel: a ground of coloured noise, shapes on it, blur and grain. One
in eight is an earlier one again: smaller, cropped, or with a bar, and encoded anew. Stages run by `benchmarks.scale`,
with the settings of params.yaml, in `.scale/pictures-<n>/`; what each took is kept in `benchmarks/pictures.json`.
Exponents are of CPU time over pictures.
"""

import argparse
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

from benchmarks import ROOT, lay_out, print_table, result, write_params
from benchmarks.scale import _measured
from pipeline.running.files import write_text

RESULTS = ROOT / "benchmarks/pictures.json"
STAGES = ("check_params", "list_corpus", "import_corpus", "clean_text", "image_features", "image_style", "dedup_images",
          "split", "audit_split")  # fmt: skip
SHOWN = ("import_corpus", "image_features", "dedup_images", "audit_split")
SIZE = 1152, 864
PER_USER, COPIES = 20, 8
EXPONENT = 1.2
Chance = np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=int, nargs="+")
    parser.add_argument("--again", nargs="*", default=[], choices=STAGES)
    arguments = parser.parse_args()
    for count in arguments.pictures:
        folder = _prepared(count)
        for stage in STAGES:
            if stage in _read().get(str(count), {}) and stage not in arguments.again:
                continue
            print(f"{count:,} pictures: {stage}", file=sys.stderr, flush=True)
            held = _read()
            held.setdefault(str(count), {})[stage] = _measured(stage, folder)
            write_text(json.dumps(held, indent=1) + "\n", RESULTS)
    _report()


def _prepared(count: int) -> Path:
    """A folder with a corpus of `count` pictures, a post each."""
    folder = ROOT / ".scale" / f"pictures-{count}"
    lay_out(folder)
    mine = {"source": "table", "posts": "mine/posts.parquet", "images": "mine/pictures", "min_posts_per_user": 1}
    write_params(folder, {"corpus": mine, "sentences": {"encoder": "none"}})
    if not (folder / "mine/posts.parquet").exists():
        shutil.rmtree(folder / "mine", ignore_errors=True)
        (folder / "mine/pictures").mkdir(parents=True)
        for number in range(count):
            (folder / f"mine/pictures/{number:06}.jpg").write_bytes(_file(number))
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


def _file(number: int) -> bytes:
    """The bytes of a picture; one in COPIES shows what one of the fifty before it shows."""
    chance = np.random.default_rng([1, number])
    if number % COPIES or number < COPIES:
        return _encoded(_photograph(np.random.default_rng([0, number])), 88)
    shown = max(1, number - int(chance.integers(1, 50)))
    shown -= not shown % COPIES  # no copy of a copy
    image, change = _photograph(np.random.default_rng([0, shown])), chance.integers(0, 3)
    width, height = image.size
    if change == 0:
        image = image.resize((width * 2 // 3, height * 2 // 3), Image.Resampling.BICUBIC)
    elif change == 1:
        image = image.crop((width // 25, height // 30, width - width // 20, height))
    else:
        ImageDraw.Draw(image).rectangle((0, height - height // 10, width, height), fill="white")
    return _encoded(image, 60)


def _photograph(chance: Chance) -> Image.Image:
    """Something that compresses and has details as a photograph."""
    turned = chance.random() < 0.3
    size = SIZE[::-1] if turned else SIZE
    ground = chance.uniform(0, 255, (3, 4, 3))
    image = Image.fromarray(ground.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(chance.integers(4, 40)):
        middle, reach = chance.uniform(0, 1, 2) * size, chance.uniform(0.02, 0.3) * size[0]
        turns = np.sort(chance.uniform(0, 2 * np.pi, chance.integers(3, 12)))
        tips = middle + reach * chance.uniform(0.4, 1, (len(turns), 1)) * np.c_[np.cos(turns), np.sin(turns)]
        pen.polygon([tuple(tip) for tip in tips], fill=tuple(int(v) for v in chance.integers(0, 256, 3)))
    image = image.filter(ImageFilter.BoxBlur(float(chance.uniform(0, 2))))
    grain = chance.normal(0, chance.uniform(1, 5), (288, 288, 1))
    grained = np.asarray(image) + np.tile(grain.astype(np.int16), (size[1] // 288, size[0] // 288, 1))
    return Image.fromarray(grained.clip(0, 255).astype(np.uint8))


def _encoded(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _read() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def _report() -> None:
    held, rows, bounds = _read(), [], {}
    sizes = sorted(held, key=int)
    for stage in SHOWN:
        took = [held[size][stage] for size in sizes]
        cells = {
            f"{int(s):,}": f"{t['cpu_s']:,.0f} CPU s {t['held_mb'] / 1024:.1f} GB"
            for s, t in zip(sizes, took, strict=True)
        }
        row: dict[str, Any] = {"stage": stage, **cells}
        if len(sizes) > 1:
            slope = np.polyfit(np.log([int(s) for s in sizes]), np.log([t["cpu_s"] for t in took]), 1)[0]
            more = (took[-1]["cpu_s"] - took[0]["cpu_s"]) / (int(sizes[-1]) - int(sizes[0]))
            row |= {"exponent": f"{slope:.2f}", "CPU ms a picture more": round(1000 * more, 1)}
            bounds[f"{stage}: exponent"] = bool(slope <= EXPONENT)
        rows.append(row)
    print_table(rows)
    result({"pictures": [int(size) for size in sizes]}, bounds)


if __name__ == "__main__":
    main()
