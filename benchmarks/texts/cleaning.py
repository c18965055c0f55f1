"""Cleaning: posts per second and core, shard to shard as the stage does it, and what that makes of 9.45 million posts.

Posts are made here: 4 to 24 words with a natural (Zipf-Mandelbrot) distribution over 300,000, a third of them with a
link, a mention, hashtags, emoji, an emoticon or accents, and one in a hundred broken by double encoding. The rate of a
core is per second of its own time; that of two, and the minutes, are by the clock.

    python -m benchmarks.texts.cleaning [--posts 400000] [--against COMMIT]

With `--against` the same shard is cleaned by an earlier commit too, in the same run: its rates are `before`.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import ROOT, measure, median_seconds, options, print_table, result
from pipeline.running.machine import cores
from pipeline.running.shards import map_shards
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import POSTS
from pipeline.text import cleaning as text
from pipeline.text.languages.by_language import in_own_language, languages

CORPUS, CORES, MINUTES = 9_450_000, 2, 10
VOCABULARY = 300_000


def write_posts(posts: int, folder: Path, shards: int) -> list[Path]:
    generator = np.random.default_rng(1)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = np.array(
        ["".join(generator.choice(letters, size)) for size in generator.integers(2, 11, VOCABULARY)], object
    )
    spice = (
        lambda: f"https://t.co/{''.join(generator.choice(letters, 10))}",
        lambda: f"@{generator.choice(words)}{generator.integers(1000)}",
        lambda: f"#{generator.choice(words[:2000]).title()}{generator.choice(words[:2000]).title()}",
        lambda: str(generator.choice(["😀", "❤️", "👍🏽", "🇫🇷", ":D", "<3", "xD", "&amp;", "don’t", "it's", "café"])),
    )
    share = np.cumsum(1 / (np.arange(VOCABULARY) + 2.7) ** 1.2)
    share /= share[-1]
    paths = []
    for shard in range(shards):
        rows = []
        sizes = generator.integers(4, 25, posts // shards)
        drawn = np.split(words[np.searchsorted(share, generator.random(sizes.sum()))], np.cumsum(sizes)[:-1])
        kinds = generator.random(len(sizes))
        for parts, kind in zip(drawn, kinds, strict=True):
            chosen = list(parts)
            if kind < 1 / 3:
                for _ in range(2):
                    chosen.insert(generator.integers(len(chosen) + 1), spice[generator.integers(len(spice))]())
            if kind > 0.99:
                chosen.append("naïve café".encode().decode("latin-1"))
            rows.append(" ".join(chosen))
        ids = [f"{shard:03d}{row:09d}" for row in range(len(rows))]
        told = {"post_id": ids, "user_id": ["u"] * len(ids), "text": rows}
        columns = [told.get(field.name, pa.nulls(len(ids), field.type)) for field in POSTS.schema]
        table = pa.table(columns, schema=POSTS.schema)
        paths.append(folder / f"part-{shard:05d}.parquet")
        POSTS.write_shard(table, paths[-1])
    return paths


def one_shard(shard: Path, guess: bool = False) -> float:
    """Seconds of this process's time for one shard, with nothing kept from before; with `guess` languages too."""
    text._kept.cache_clear()
    begun = time.process_time()
    tokens = shard.with_suffix(".tokens")
    text.clean_shard(shard, tokens, guess=guess)
    in_own_language(tokens, shard.with_suffix(".cleaned"), languages([tokens], None if guess else ["en"]))
    return time.process_time() - begun


def all_shards(shards: list[Path], workers: int) -> None:
    with tempfile.TemporaryDirectory(dir=shards[0].parent) as folder:
        map_shards(text.clean_shard, shards, Path(folder), "cleaning", workers)


def earlier(commit: str, shard: Path, guess: bool) -> float:
    """Seconds that an earlier commit takes for the same shard."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        call = f"one_shard(Path({str(shard)!r}), {guess})"
        code = f"from pathlib import Path; from benchmarks.texts.cleaning import one_shard; {call}; print({call})"
        ran = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return float(ran.stdout.splitlines()[-1])


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--posts", type=int, default=400_000)
    parser.add_argument("--against", metavar="COMMIT")
    given = parser.parse_args()
    posts = given.posts
    workers = min(CORES, cores())
    with tempfile.TemporaryDirectory() as folder:
        shards = write_posts(posts, Path(folder), shards=4)
        one_shard(shards[0], guess=True)  # what is compiled or read once
        one = statistics.median(one_shard(shards[0]) for _ in range(3))
        guessed = statistics.median(one_shard(shards[0], guess=True) for _ in range(3))
        before = [earlier(given.against, shards[0], guess) if given.against else None for guess in (False, True)]
        all_of_them = median_seconds(lambda: all_shards(shards, workers))
        peak = measure(one_shard, shards[0]).peak_mb
    per_core, together = posts / len(shards) / one, posts / all_of_them
    minutes = CORPUS / together / 60
    print_table(
        [
            {
                "cleaning": "1 core",
                "posts": posts // len(shards),
                "posts per second": per_core,
                "before": posts / len(shards) / before[0] if before[0] else "",
                "peak MB": peak,
            },
            {
                "cleaning": "1 core, languages",
                "posts": posts // len(shards),
                "posts per second": posts / len(shards) / guessed,
                "before": posts / len(shards) / before[1] if before[1] else "",
                "peak MB": "",
            },
            {"cleaning": f"{workers} cores", "posts": posts, "posts per second": together, "peak MB": ""},
        ]
    )
    result(
        {
            "posts_per_second_and_core": round(per_core),
            "with_languages": round(posts / len(shards) / guessed),
            "times_as_fast_as_before": before[0] and round(before[0] / one, 2),
            "with_languages_times_as_fast_as_before": before[1] and round(before[1] / guessed, 2),
            "with_languages_over_english_before": before[0] and round(before[0] / guessed, 2),
            "cores": workers,
            "posts_per_second": round(together),
            "minutes_for_9450000_posts": round(minutes, 2),
            "peak_mb_of_a_shard": round(peak),
        },
        {
            "9450000_posts_within_10_minutes_on_2_cores": minutes <= MINUTES,
            "half_as_fast_with_languages": guessed <= 2 * one,
        },
    )


if __name__ == "__main__":
    entry(main)
