"""Stage `image_features`: one vector per image, from a frozen ImageNet network.

Reads   data/corpus/images      one row per image: image_id, bytes
Writes  data/images/features    one row per image: image_id, vector (float16 or float32)
        metrics/features.json   the encoder, images in, vectors out, numbers per vector
"""

from functools import partial
from pathlib import Path

from pipeline.common.metrics import write_metrics
from pipeline.encoding.encoders import load_encoder
from pipeline.encoding.features import write_features
from pipeline.running.params import load
from stages.runner import resumable, run

IMAGES = Path("data/corpus/images")
FEATURES = Path("data/images/features")
METRICS = Path("metrics/features.json")


def main() -> None:
    params = load("images.encoder", "images.weights", "images.weights_sha256", "images.precision", "images.dtype",
                  "images.batch_size")  # fmt: skip
    images = params.images
    weights = Path(images.weights) if images.weights is not None else None
    with resumable("image_features") as finished:
        load_it = partial(load_encoder, images.encoder, weights, images.weights_sha256, images.precision)
        counts = write_features(IMAGES, FEATURES, load_it, images.batch_size, images.dtype, finished)
    write_metrics({"encoder": images.encoder, **counts}, METRICS)


if __name__ == "__main__":
    run("image_features", main)
