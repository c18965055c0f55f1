"""Stage `image_copies`: evidence on copies, planted among the corpus's own pictures and searched for.

Reads   data/corpus/images          an image: image_id, bytes, width
        data/images/features        an image: image_id, vector
        data/images/groups          an image: image_id, group_id
Writes  plots/image_copies.csv      a threshold, by the cosine alone or with the second check: precision, recall
        metrics/image_copies.json   copies planted, negatives per positive, precision and recall at min_cosine, and what
                                    share of each kind of copies is found

With the second check means as `dedup_images` finds them: proposed by features or by points, and looked at.
"""

import csv
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.copies.aligned import judge
from pipeline.copies.groups import unit
from pipeline.copies.look import Look, look_of
from pipeline.copies.planted import KINDS, SHOW_OTHERS, THRESHOLDS, curve, one_colour, planted, propose, recall_by_kind
from pipeline.copies.votes import voted_for
from pipeline.encoding.encoders import load_encoder
from pipeline.encoding.networks import Encoder
from pipeline.pictures.storing import to_rgb
from pipeline.running.files import write_text
from pipeline.running.machine import cores
from pipeline.running.params import load
from pipeline.running.progress import progress
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES, IMAGE_GROUPS
from pipeline.tables.table import matrix
from stages.runner import run

IMAGES_PATH = Path("data/corpus/images")
FEATURES_PATH = Path("data/images/features")
GROUPS = Path("data/images/groups")
PLOT = Path("plots/image_copies.csv")
METRICS = Path("metrics/image_copies.json")

COPIED = 15
AMONG = 300
"""Pictures that are copied, and pictures among which their copies are searched: a stage of seconds at any size."""


def main() -> None:
    params = load("seed", "images.encoder", "images.weights", "images.weights_sha256", "images.precision",
                  "images.min_cosine", "images.neighbours")  # fmt: skip
    images = params.images
    with_pixels = np.concatenate([part["width"].to_numpy() > 0 for part in IMAGES.batches(IMAGES_PATH, ["width"])])
    random = np.random.default_rng(params.seed)
    among = np.sort(random.permutation(np.flatnonzero(with_pixels))[:AMONG])
    pictures = _pictures(among)
    drawn = (row for row in random.permutation(len(among)).tolist() if not one_colour(to_rgb(pictures[row])))
    chosen = np.fromiter(islice(drawn, COPIED), np.int64)
    chosen = chosen[: len(chosen) if len(chosen) > SHOW_OTHERS else 0]  # by fewer nothing can be told
    shown = [np.roll(chosen, -place)[: 1 + SHOW_OTHERS] for place in range(len(chosen))]

    copies = [
        copy
        for source, *others in shown
        for copy in planted(to_rgb(pictures[source]), [to_rgb(pictures[row]) for row in others], random)
    ]
    rows: list[dict[str, float | str]] = []
    facts: dict[str, object] = {}
    if len(chosen):
        looks, copied = _each(lambda stored: look_of(to_rgb(stored)), pictures), _each(look_of, copies)
        voted = voted_for(copied, looks, images.neighbours, params.seed)
        weights = Path(images.weights) if images.weights is not None else None
        encoder = load_encoder(images.encoder, weights, images.weights_sha256, images.precision)
        codes = IMAGE_GROUPS.read(GROUPS, ["group_id"])["group_id"].combine_chunks().dictionary_encode()
        group = codes.indices.to_numpy()[among]
        unknown = np.stack([np.isin(group, group[rows]) for rows in shown]).repeat(len(KINDS), axis=0)
        cosine = _encoded(encoder, copies) @ unit(_vectors(among)).T
        pairs = propose(
            cosine,
            voted,
            chosen.repeat(len(KINDS)),
            unknown,
            images.neighbours,
            lambda copy, original: judge(copied[copy], looks[original]) is not None,
        )
        rows = curve(pairs, len(copies))
        at = [row for row in rows if row["min_cosine"] == min(THRESHOLDS, key=lambda t: abs(t - images.min_cosine))]
        facts = {str(row["check"]): {name: row[name] for name in ("precision", "recall")} for row in at}
        facts["recall_by_copy"] = recall_by_kind(pairs, len(copies), images.min_cosine)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["check", "min_cosine", "precision", "recall"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(text.getvalue(), PLOT)
    write_metrics({"copies": len(copies), "negatives_per_positive": max(0, len(among) - 1), **facts}, METRICS)


def _pictures(rows: np.ndarray) -> list[bytes]:
    """The stored pictures at `rows`, ascending."""
    shards = IMAGES.at(IMAGES_PATH, rows, ["bytes"])
    return [stored for shard, here in shards for stored in shard["bytes"].take(pa.array(here)).to_pylist()]


def _each(look: Callable[[Any], Look], pictures: list[Any]) -> list[Look]:
    with ThreadPoolExecutor(cores()) as threads:
        return list(progress(threads.map(look, pictures), "looks", "images", total=len(pictures)))


def _vectors(rows: np.ndarray) -> np.ndarray:
    """The features at `rows`, ascending."""
    shards = FEATURES.at(FEATURES_PATH, rows, ["vector"])
    return np.concatenate([matrix(shard["vector"])[here] for shard, here in shards])


def _encoded(encoder: Encoder, images: list) -> np.ndarray:
    """Unit vectors of pictures that are not stored anywhere."""
    vectors = []
    for start in progress(range(0, len(images), 32), "planted copies", "batches", total=-(-len(images) // 32)):
        stored = []
        for image in images[start : start + 32]:
            stream = io.BytesIO()
            image.save(stream, "PNG", compress_level=1)
            stored.append(encoder.prepare(stream.getvalue()))
        vectors.append(encoder.encode(stored))
    return unit(np.concatenate(vectors))


if __name__ == "__main__":
    run("image_copies", main)
