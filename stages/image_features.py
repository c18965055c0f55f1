"""Stage `image_features`: one vector per image, from a frozen ImageNet network.

Reads   data/corpus/images      one row per image: image_id, bytes
Writes  data/images/features    one row per image: image_id, vector (float16 or float32)
        metrics/features.json   the encoder, images in, vectors out, numbers per vector
"""

from pathlib import Path

from pipeline.encoders import load_encoder
from pipeline.features import write_features
from pipeline.metrics import write_metrics
from pipeline.params import load
from stages.runner import resumable, run

IMAGES = Path("data/corpus/images")
FEATURES = Path("data/images/features")
METRICS = Path("metrics/features.json")


def main() -> None:
    params = load(
        "images.encoder",
        "images.weights",
        "images.weights_sha256",
        "images.precision",
        "images.dtype",
        "images.batch_size",
    ).images
    weights = Path(params.weights) if params.weights is not None else None
    with resumable("image_features") as finished:
        encoder = load_encoder(params.encoder, weights, params.weights_sha256, params.precision)
        counts = write_features(IMAGES, FEATURES, encoder, params.batch_size, params.dtype, finished)
    write_metrics({"encoder": params.encoder, **counts}, METRICS)


if __name__ == "__main__":
    run("image_features", main)
