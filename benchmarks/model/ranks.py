"""Ranks of 100,000 queries among 40,000 candidates of 1024 numbers, against sorting.

Peers, on a sample of the same queries, scaled up by their number:
- vsepp's loop (fartashf/vsepp, evaluation.py, i2t): query by query, numpy.dot, argsort, where
- the same in blocks of 256 queries
- torchmetrics' RetrievalMRR, at a size where it finishes, beside ours at that size
Made vectors: a query is its ground truth and noise, so that the median rank is about 1 % of the candidates, as it is in
the paper.

Bounds of the issue: at least 8 times as fast as vsepp's loop; at least 60 % of the rate of a float32 matrix product in
the same run; memory under 2 GB above the inputs; ranks identical, to each other and to float64's.
"""

from statistics import median
from typing import Any

import numpy as np

from benchmarks import measure, median_seconds, need, options, print_table, result
from pipeline.ranking.ranks import ranks
from pipeline.ranking.vectors import unit
from pipeline.running.utf8 import entry

SIZE = (100_000, 40_000, 1024)
SMALL = (4_000, 5_000, 256)
SAMPLE = 256
TORCHMETRICS = (500, 2_000, 256)
NOISE = 14.0


def data(n: int, m: int, d: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(7)
    candidates = unit(rng.standard_normal((m, d), dtype=np.float32))
    truth = rng.integers(0, m, n)
    queries = np.empty((n, d), np.float32)
    for start in range(0, n, 4096):
        rows = truth[start : start + 4096]
        noise = rng.standard_normal((len(rows), d), dtype=np.float32) * np.float32(NOISE / np.sqrt(d))
        queries[start : start + 4096] = unit(candidates[rows] + noise)
    return queries, candidates, truth


def prepared(size: tuple[int, int, int]) -> tuple[Any, ...]:
    """The inputs, with everything compiled and imported."""
    ranks(np.eye(3), np.eye(3), np.arange(3))
    return data(*size)


def ours(inputs: tuple[Any, ...]) -> Any:
    return ranks(*inputs)


def product_rate(queries: Any, candidates: Any) -> float:
    """float32 multiplications and additions a second, of blocks that fit the memory, on all cores."""
    x, y = queries[:2048], candidates[:8192]
    out = np.empty((len(x), len(y)), np.float32)
    return 2 * out.size * x.shape[1] / median_seconds(lambda: np.matmul(x, y.T, out=out), 9)


def by_vsepp(queries: Any, candidates: Any, truth: Any) -> Any:
    found = np.zeros(len(queries))
    for i in range(len(queries)):
        scores = np.dot(queries[i].reshape(1, -1), candidates.T).flatten()
        order = np.argsort(scores)[::-1]
        found[i] = np.where(order == truth[i])[0][0]
    return found + 1


def by_blocks(queries: Any, candidates: Any, truth: Any) -> Any:
    found = []
    for start in range(0, len(queries), 256):
        order = np.argsort(-(queries[start : start + 256] @ candidates.T), axis=1)
        found.append(np.argmax(order == truth[start : start + 256, None], axis=1) + 1)
    return np.concatenate(found)


def by_torchmetrics(queries: Any, candidates: Any, truth: Any) -> float:
    import torch
    from torchmetrics.retrieval import RetrievalMRR

    # Above 0, as torchmetrics 1.9 takes what scores 0 or less for not retrieved.
    scores = torch.from_numpy((queries @ candidates.T).astype(np.float64) + 2)
    target = torch.zeros(scores.shape, dtype=torch.bool)
    target[torch.arange(len(truth)), torch.from_numpy(truth)] = True
    indexes = torch.arange(len(truth))[:, None].expand_as(scores)
    return float(RetrievalMRR()(scores.flatten(), target.flatten(), indexes=indexes.flatten()))


def in_float64(queries: Any, candidates: Any, truth: Any) -> Any:
    scores = unit(queries).astype(np.float64) @ unit(candidates).astype(np.float64).T
    own = scores[np.arange(len(truth)), truth][:, None]
    return 1 + (scores > own + 1e-14).sum(1) + ((abs(scores - own) <= 1e-14).sum(1) - 1) / 2


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--small", action="store_const", const=SMALL, default=SIZE, help="for a quick look")
    size = parser.parse_args().small
    need("torchmetrics")
    n, m, d = size
    queries, candidates, truth = data(*size)
    rate = [product_rate(queries, candidates)]
    exact = measure(ours, size, prepare=prepared)
    rate.append(product_rate(queries, candidates))
    rows = [{"what": "ours", "seconds": exact.seconds, "queries timed": n, "peak MB": exact.peak_mb}]

    sample = queries[:SAMPLE], candidates, truth[:SAMPLE]
    scale = n / len(sample[0])
    vsepp = median_seconds(lambda: by_vsepp(*sample)) * scale
    blocks = median_seconds(lambda: by_blocks(*sample)) * scale
    rows += [
        {"what": "vsepp's loop, scaled", "seconds": vsepp, "queries timed": SAMPLE},
        {"what": "blocked argsort, scaled", "seconds": blocks, "queries timed": SAMPLE},
    ]
    small = data(*TORCHMETRICS)
    few, slow = ranks(*small), by_torchmetrics(*small)
    theirs, same_size = median_seconds(lambda: by_torchmetrics(*small)), median_seconds(lambda: ranks(*small))
    name = " x ".join(map(str, TORCHMETRICS))
    rows += [
        {"what": f"torchmetrics RetrievalMRR, {name}", "seconds": theirs, "queries timed": TORCHMETRICS[0]},
        {"what": f"ours, {name}", "seconds": same_size, "queries timed": TORCHMETRICS[0]},
    ]
    print_table(rows)

    speed = 2 * n * m * d / exact.seconds
    figures = {
        "size": size,
        "seconds": round(exact.seconds, 2),
        "median_rank": float(np.median(exact.value)),
        "float32_product_gflops": round(median(rate) / 1e9, 1),
        "float32_product_gflops_range": [round(min(rate) / 1e9, 1), round(max(rate) / 1e9, 1)],
        "share_of_float32_product": round(speed / median(rate), 3),
        "times_vsepp": round(vsepp / exact.seconds, 1),
        "times_blocked_argsort": round(blocks / exact.seconds, 1),
        "times_torchmetrics": round(theirs / same_size, 1),
        "peak_mb": round(exact.peak_mb),
        "same_rank_as_vsepp": float(np.mean(by_vsepp(*sample) == exact.value[:SAMPLE])),
    }
    bounds = {
        "8_times_vsepp": vsepp / exact.seconds >= 8,
        "60_percent_of_product": speed / median(rate) >= 0.6,
        "under_2_gb": exact.peak_mb < 2000,
        "ranks_identical": np.array_equal(in_float64(*sample), exact.value[:SAMPLE]),
        "same_mrr_as_torchmetrics": abs(float((1 / few).mean()) - slow) < 1e-5,
    }
    result(figures, bounds)


if __name__ == "__main__":
    entry(main)
