"""What a GPU does, held against the CPU beside it: training, embedding and the encoder of pictures, in a few minutes.

The same steps of training from the same weights on the same batches (those of `benchmarks.model.train_step`, on the
paper's sizes): losses in float32 and in bfloat16 beside the CPU's in float32, posts a second, and the share that the
products of a step reach of the device's own peak, which is measured too. Then texts and images embedded, and pictures
encoded by efficientnet_lite0, as fast as they go and how far from the CPU's; ranks of both embeddings, which the CPU
counts.

Without a GPU the CPU is held against itself, on fewer steps: that the script runs, and no more.

    python -m benchmarks.scale.gpu [--steps 30]
"""

import time
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch

from benchmarks import options, print_table, result
from benchmarks.model.train_step import BATCH, IMAGES, RATE, corpus, distinct_words, products, trainer, untrained
from pipeline.embedding.batches import Posts, cut
from pipeline.embedding.model import JointModel
from pipeline.embedding.vectors import embed_images, embed_texts
from pipeline.encoding.encoders import _lite0
from pipeline.encoding.networks import from_pixels, in_onnxruntime, in_torch
from pipeline.ranking.ranks import ranks
from pipeline.running.utf8 import entry

FIRST = 3
"""Steps that pay for compilation and memory, and are not timed."""
PICTURES = 512
HALVES = [0.5, 0.5, 0.5]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def seconds(device: torch.device, work: Callable[[], object], repeats: int = 1) -> float:
    """Wall time of `repeats` calls, to the end of what they have the device do."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    begun = time.perf_counter()
    for _ in range(repeats):
        work()
    wait()
    return (time.perf_counter() - begun) / repeats


def train(device: torch.device, precision: str, posts: Posts, features: np.ndarray) -> tuple[JointModel, list, float]:
    """The model after a step on each batch, the losses before each step, and seconds a step."""
    training = trainer(untrained().to(device), precision, posts, features)
    batches = [cut(posts, features, rows) for rows in np.arange(len(posts)).reshape(-1, BATCH)]
    losses = [training.take_step(batch, RATE) for batch in batches[:FIRST]]
    took = seconds(device, lambda: losses.extend(training.take_step(batch, RATE) for batch in batches[FIRST:]))
    return training.model, losses, took / (len(batches) - FIRST)


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Products of matrices on `device`, in 1e9 operations a second: the fastest of a few sizes."""
    found = []
    for side in (1024, 2048) if device.type == "cpu" else (4096, 8192):
        one = torch.randn(side, side, device=device).to(dtype)
        torch.mm(one, one)
        found.append(2 * side**3 / seconds(device, lambda one=one: torch.mm(one, one), 5) / 1e9)
    return max(found)


def encoded(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Vectors of `pixels` by batches of 64, and pictures a second; the first batch is not timed."""
    run(pixels[:64])
    begun = time.perf_counter()
    vectors = np.concatenate([run(pixels[start : start + 64]) for start in range(0, len(pixels), 64)])
    return vectors, len(pixels) / (time.perf_counter() - begun)


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    """How far rows are from those wanted, at most, by their length."""
    distance = np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1)
    return float(distance.max())


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=30)
    steps = parser.parse_args().steps
    there = torch.cuda.is_available()
    cpu, device = torch.device("cpu"), torch.device("cuda" if there else "cpu")
    if not there:
        steps = min(steps, 2 * FIRST)
        print("no GPU here: the CPU beside itself, which says that the script runs, and nothing of a GPU")
    name = torch.cuda.get_device_name() if there else None
    print(f"{name or 'the CPU'} beside {torch.get_num_threads()} threads of the CPU")

    posts, features = corpus(steps, uniform=False)
    done = products(distinct_words(posts))
    model, wanted, alone = train(cpu, "float32", posts, features)
    rows, figures = [{"step": "CPU, float32", "posts a second": BATCH / alone, "of the peak": "", "loss off": 0.0}], {}
    for precision, dtype in DTYPES.items():
        trained, losses, took = train(device, precision, posts, features)
        share = done / took / peak(device, dtype)
        wrong = float(np.max(np.abs(np.array(losses) / np.array(wanted) - 1)))
        rows.append({"step": f"{device.type}, {precision}", "posts a second": BATCH / took,
                     "of the peak": share, "loss off": wrong})  # fmt: skip
        figures[precision] = {"posts_a_second": BATCH / took, "share_of_peak": share, "loss_off": wrong}
        del trained
    print_table(rows)

    beside = deepcopy(model).to(device)
    asked, shown = posts.tokens[: 4 * BATCH], features[: int(4 * BATCH * IMAGES)]
    ways = {name: (embed_texts(one, asked), embed_images(one, shown)) for name, one in (("cpu", model), ("it", beside))}
    texts, images = (off(ways["it"][at], ways["cpu"][at]) for at in (0, 1))
    truth = np.arange(len(shown))
    one, other = (ranks(i, t[: len(truth)], truth) for t, i in (ways["cpu"], ways["it"]))
    moved = float(np.abs(one - other).max())
    fast = BATCH * 4 / seconds(device, lambda: embed_texts(beside, asked))
    print(
        f"embedded: {fast:,.0f} texts a second; texts off by {texts:.1g}, images by {images:.1g}, a rank by {moved:g}"
    )

    pixels = np.random.default_rng(1).integers(0, 256, (PICTURES if there else 64, 224, 224, 3), np.uint8)
    whole = _lite0()
    on_cpu, slow = encoded(in_onnxruntime(from_pixels(whole, HALVES, HALVES), 224), pixels)
    lines = [{"pictures": "CPU, ONNX Runtime", "a second": slow, "off": 0.0}]
    for precision, dtype in DTYPES.items() if there else ():
        vectors, rate = encoded(in_torch(_lite0(), 224, HALVES, HALVES, dtype), pixels)
        lines.append({"pictures": f"cuda, {precision}", "a second": rate, "off": off(vectors, on_cpu)})
        figures[precision] |= {"pictures_a_second": rate, "pictures_off": lines[-1]["off"]}
    print_table(lines)
    result(
        figures | {"gpu": name, "texts_a_second": fast},
        {
            "losses in float32 within 1e-3 of the CPU's": figures["float32"]["loss_off"] <= 1e-3,
            "embedded within 1e-4": max(texts, images) <= 1e-4,
            "pictures within 1e-3": figures["float32"].get("pictures_off", 0.0) <= 1e-3,
        },
    )


if __name__ == "__main__":
    entry(main)
