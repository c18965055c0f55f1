"""Near pairs among image vectors, against imagededup's own search (`CNN.find_duplicates`, its default workers).

30,000 × 512 vectors, a tenth of them planted copies, threshold 0.9: both make the same pairs from the same vectors.
Then 1,000,000 × 512 by this project alone: imagededup holds all cosines at once, 2 TB there.
Peaks of memory are counted above each one's imports and the vectors themselves.
"""

from typing import Any

import numpy as np

from benchmarks import measure, need, options, print_table, result
from pipeline.running.utf8 import entry

DIM, MIN_COSINE = 512, 0.9


def planted(n: int) -> np.ndarray:
    """(n, DIM) unit vectors: the first tenth are copies, at cosine about 0.96, of the second."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((n, DIM), np.float32)
    tenth = n // 10
    vectors[:tenth] = vectors[tenth : 2 * tenth] + 0.3 * random.standard_normal((tenth, DIM), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def prepare_ours(n: int) -> Any:
    import pipeline.copies.groups  # noqa: F401

    return planted(n)


def ours(vectors: np.ndarray) -> dict[str, float]:
    from pipeline.copies.groups import near_pairs

    pairs = near_pairs(vectors, MIN_COSINE, seed=7)
    return {"pairs": len(pairs.left), "planted": int((pairs.right - pairs.left == len(vectors) // 10).sum())}


def recall_of_exact(n: int) -> float:
    """Recall against exact search: all pairs for small n, those of a sample of 2,000 for large."""
    from pipeline.copies.groups import UNBOUNDED, near_pairs, recall

    vectors = planted(n)
    found = near_pairs(vectors, MIN_COSINE, seed=7)
    return float(recall(vectors, found, MIN_COSINE, UNBOUNDED, n if n <= 30_000 else 2_000, seed=1)["recall"])


def prepare_imagededup(n: int) -> Any:
    import torch
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel

    finder = CNN(verbose=False, model_config=CustomModel("none", torch.nn.Identity(), lambda image: image))
    return finder, {str(row): vector for row, vector in enumerate(planted(n))}


def imagededup(prepared: Any) -> dict[str, float]:
    finder, vectors = prepared
    found = finder.find_duplicates(encoding_map=vectors, min_similarity_threshold=MIN_COSINE)
    pairs = {(min(int(a), int(b)), max(int(a), int(b))) for a, others in found.items() for b in others}
    return {"pairs": len(pairs), "planted": sum(b - a == len(vectors) // 10 for a, b in pairs)}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--small", action="store_true", help="without the million")
    small = parser.parse_args().small
    need("imagededup")
    repeats = 3
    runs = {
        "imagededup": [measure(imagededup, 30_000, prepare=prepare_imagededup) for _ in range(repeats)],
        "this project": [measure(ours, 30_000, prepare=prepare_ours) for _ in range(repeats)],
    }
    median = {
        name: {
            "seconds": float(np.median([run.seconds for run in several])),
            "peak_mb": float(np.median([run.peak_mb for run in several])),
            **several[0].value,
        }
        for name, several in runs.items()
    }
    recall = recall_of_exact(30_000)
    rows = [{"who": name, "vectors": 30_000, **figures} for name, figures in median.items()]
    if not small:
        million = measure(ours, 1_000_000, prepare=prepare_ours)
        figures = {"seconds": million.seconds, "peak_mb": million.peak_mb, **million.value}
        median["this project, a million"] = figures
        rows.append({"who": "this project", "vectors": 1_000_000, **figures})
    print_table(rows)
    speed = median["imagededup"]["seconds"] / median["this project"]["seconds"]
    memory = median["imagededup"]["peak_mb"] / median["this project"]["peak_mb"]
    print(f"\n{speed:.1f} times as fast, 1/{memory:.1f} of the memory; recall of exact search {recall:.4f}")
    result(
        {"median": median, "speed": speed, "memory": memory, "recall": recall},
        {"5 times as fast": speed >= 5, "a tenth of the memory": memory >= 10, "recall 0.999": recall >= 0.999},
    )


if __name__ == "__main__":
    entry(main)
