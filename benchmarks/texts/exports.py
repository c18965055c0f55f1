"""Rows a second of `convert_corpus`, for each format, on exports that the tests' generators write.

    python -m benchmarks.texts.exports 200000 twarc_pages    # one format, of so many posts

The bound: the paper's 9.45 million posts as twarc's pages within an hour, by CPU time of one core.
"""

import tempfile
import time
from functools import cache
from pathlib import Path

from benchmarks import options, result
from pipeline.exports.columns import Mapped
from pipeline.exports.converting import Settings, convert
from pipeline.running.utf8 import entry
from tests.exports import truth, writers

PAPER = 9_450_000


def main() -> None:
    formats = [writer.__name__ for writer in writers.WRITERS]
    parser = options(__doc__)
    parser.add_argument("posts", type=int, nargs="?", default=10_000, help="of each format")
    parser.add_argument("formats", nargs="*", metavar="format", default=formats, help=f"of {', '.join(formats)}")
    given = parser.parse_args()
    if unknown := set(given.formats) - set(formats):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(formats)}")
    few = cache(truth.picture)
    truth.picture = lambda number: few(number % 20)
    truth.save = lambda folder, name, number: None  # readers look at names of pictures alone
    rates = {}
    for name in given.formats:
        with tempfile.TemporaryDirectory() as folder:
            rate(getattr(writers, name), Path(folder) / "warm", 100)
            rates[name] = rate(getattr(writers, name), Path(folder) / "all", given.posts)
        print(f"{name:24}{rates[name]:>10,.0f} rows a second")
    hours = PAPER / rates["twarc_pages"] / 3600 if "twarc_pages" in rates else None
    result({"rows_a_second": rates, "hours_of_9450000_tweets": hours}, {"an hour": hours is None or hours < 1})


def rate(writer, folder: Path, posts: int) -> float:
    """Rows in a CPU second."""
    made = folder / "export"
    made.mkdir(parents=True)
    written = writer(made, truth.truth(100, posts // 100))
    (folder / "out").mkdir()
    columns = Mapped(**written.columns) if written.columns else None
    images = [written.images] if written.images and written.images.exists() else []
    begun = time.process_time()
    found = convert([written.posts], images, folder / "out", folder / "out", Settings(columns=columns))
    return found["rows_in"] / (time.process_time() - begun)


if __name__ == "__main__":
    entry(main)
