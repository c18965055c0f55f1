"""Pairs of pictures by votes of their points: CPU seconds and memory at sizes that no run here has, and how they grow.

    python -m benchmarks.scale.votes 4000 16000

Pictures are made of points alone, POINTS each: drawn from those of 50 pictures of `benchmarks.scale.pictures`, with
noise, so that each has near ones in others. All are indexed; of SAMPLE pictures the points are searched for, as they
are and mirrored, and what all would take is reckoned from that. `before`: cells as the square root of the points, as
until 2026-11-29, of which a point's search grows as the root too. One thread.
"""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import measure, options, print_table, result
from benchmarks.scale.pictures import PAPER_PICTURES, _file
from pipeline.running.utf8 import entry

POINTS, SAMPLE, PIECE = 150, 250, 250
EXPONENT = 1.2
Piece = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def pool() -> np.ndarray[Any, Any]:
    """Numbers (m, 128) of real points."""
    from pipeline.copies.points import points_of

    files = (_file(number, 400) for number in range(1, 400, 8))
    return np.concatenate([points_of(Image.open(io.BytesIO(file)).convert("RGB")).numbers for file in files])


def pieces(known: np.ndarray[Any, Any], pictures: int) -> Iterator[Piece]:
    """By PIECE pictures, the rows (p,) and the numbers (p, 128) of their points."""
    for begin in range(0, pictures, PIECE):
        random = np.random.default_rng([3, begin])
        rows = np.repeat(np.arange(begin, min(begin + PIECE, pictures)), POINTS)
        drawn = known[random.integers(0, len(known), len(rows))].astype(np.float32)
        drawn += np.abs(random.standard_normal(drawn.shape, np.float32)) * 8
        drawn *= 512 / np.linalg.norm(drawn, axis=1, keepdims=True)
        yield rows, np.minimum(np.rint(drawn), 255).astype(np.uint8)


def work(known: np.ndarray[Any, Any], pictures: int, before: bool) -> dict[str, float]:
    """CPU seconds of the index, and of the search of all points, by a sample."""
    import faiss

    from pipeline.copies import votes

    held: dict[str, Any] = {}

    def keep(name: str, make: Callable[[], Any]) -> Any:
        if name not in held:
            held[name] = make()
        return held[name]

    faiss.omp_set_num_threads(1)
    if before:
        votes.LIST = votes.MANY = 1 << 60
    begun = time.process_time()
    sum(len(rows) for rows, _ in pieces(known, pictures))
    making = time.process_time() - begun
    begun = time.process_time()
    index = votes.Index.of(lambda: pieces(known, pictures), pictures * POINTS, 7, keep)
    indexed = time.process_time() - begun - 3 * making  # pieces are gone through three times
    sample = min(SAMPLE, pictures)
    rows, numbers = next(pieces(known, sample))
    begun = time.process_time()
    index.pairs(pictures, rows, numbers, 10, keep)
    searched = (time.process_time() - begun) * pictures / sample
    return {"cells": index.held.nlist, "index_s": indexed, "search_s": searched, "cpu_s": indexed + searched}


def _one(prepared: tuple[Any, int, bool]) -> dict[str, float]:
    return work(*prepared)


def _ready(pictures: int, before: bool) -> tuple[Any, int, bool]:
    return pool(), pictures, before


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("pictures", type=int, nargs="+")
    given = parser.parse_args()
    rows, bounds = [], {}
    for name, before in (("before", True), ("now", False)):
        took = []
        for pictures in given.pictures:
            run = measure(_one, pictures, before, prepare=_ready)
            took.append(run.value["cpu_s"])
            rows.append({"who": name, "pictures": pictures, **run.value, "peak MB": run.peak_mb})
            print(rows[-1], flush=True)
        if len(took) > 1:
            (small, large), (few, many) = given.pictures[-2:], took[-2:]
            exponent = float(np.log(many / few) / np.log(large / small))
            rows[-1] |= {"exponent": exponent, "hours for 1.26 M": many * (PAPER_PICTURES / large) ** exponent / 3600}
            if not before:
                bounds["exponent"] = exponent <= EXPONENT
    print_table([{**dict.fromkeys(rows[-1], ""), **row} for row in rows])
    result({"pictures": given.pictures, "rows": rows}, bounds)


if __name__ == "__main__":
    entry(main)
