"""Stage `image_style`: beyond the paper, numbers that tell the manner in which an image is made.

Reads   data/corpus/images     one row per image: image_id, bytes
Writes  data/images/style      one row per image: image_id, vector (float16 or float32); no row where images.style is
                               false, or where images are made vectors (images.encoder: stored)
        metrics/style.json     images in, vectors out, numbers per vector
"""

import logging
from functools import partial
from pathlib import Path

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.encoding.encoders import load_style_encoder
from pipeline.encoding.features import write_features
from pipeline.running.params import load
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES
from stages.runner import resumable, run

IMAGES_PATH = Path("data/corpus/images")
STYLE = Path("data/images/style")
METRICS = Path("metrics/style.json")

log = logging.getLogger("image_style")


def main() -> None:
    params = by_recipe(load("recipe", "best.style", "images.encoder", "images.style", "images.precision",
                            "images.dtype", "images.batch_size"))  # fmt: skip
    images = params.images
    if images.style and images.encoder != "stored":
        with resumable("image_style") as finished:
            load_it = partial(load_style_encoder, images.precision)
            counts = write_features(IMAGES_PATH, STYLE, load_it, images.batch_size, images.dtype, finished)
    else:
        FEATURES.write(FEATURES.empty(), STYLE)
        counts = {"images": IMAGES.count(IMAGES_PATH), "vectors": 0, "dim": 0}
        log.info("made vectors have no style" if images.style else "images.style is false: no numbers of style")
    write_metrics(counts, METRICS)


if __name__ == "__main__":
    run("image_style", main)
