"""Near-duplicate texts: the exact join against rensa and datasketch, on posts made here.

Posts have 3 to 19 distinct words, drawn with a natural (Zipf-Mandelbrot) distribution from 200,000; a tenth of them are
copies of an earlier post with one word changed. All start from the same arrays of word numbers and end with the pairs
at Jaccard >= 0.8, exact: the peers' candidates are verified word by word. rensa is used at its fastest for that, with
digests of all posts as one matrix, then objects of those flagged alone. datasketch, the slow one, runs on 100,000
posts, beside ours on the same.

    python -m benchmarks.texts.text_join [--posts 1000000]

Writes timings/text_join_growth.png.
"""

import statistics
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from benchmarks import Measured, measure, need, options, print_table, result
from pipeline.join.pairs import Pairs, near_pairs, pairs_of_posts
from pipeline.join.sets import Sets, distinct_sets
from pipeline.running.utf8 import entry

THRESHOLD = 0.8
VOCABULARY = 200_000
PERMUTATIONS, BANDS = 128, 16
REPEATS = 3
PLOT = Path("timings/text_join_growth.png")


def corpus(posts: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Word numbers of posts, each word of a post once: offsets, tokens; and of each post the one it copies, or -1."""
    generator = np.random.default_rng(seed)
    share = np.cumsum(1 / (np.arange(VOCABULARY) + 10) ** 1.05)
    share /= share[-1]
    sizes = generator.integers(3, 20, posts)
    drawn = np.searchsorted(share, generator.random((posts, 32))).astype(np.int32)
    # The first `size` distinct words of 32 draws.
    rank = np.argsort(drawn, axis=1, kind="stable")
    ordered = np.take_along_axis(drawn, rank, 1)
    repeated = np.zeros_like(drawn, bool)
    np.put_along_axis(repeated, rank[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    sizes = np.minimum(sizes, 32 - repeated.sum(1))
    front = np.argsort(repeated, axis=1, kind="stable")
    words = np.take_along_axis(drawn, front, 1)
    # A tenth copies a post before it, with its last word changed to one drawn anew; copies of copies included.
    copy_of = np.where(generator.random(posts) < 0.1, (generator.random(posts) * np.arange(posts)).astype(int), -1)
    copy_of[0] = -1
    for post in np.flatnonzero(copy_of >= 0):
        words[post], sizes[post] = words[copy_of[post]], sizes[copy_of[post]]
        while True:
            other = np.searchsorted(share, generator.random())
            if other not in words[post, : sizes[post]]:
                break
        words[post, generator.integers(sizes[post])] = other
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return offsets, words[np.arange(32) < sizes[:, None]], copy_of


def ours(data: tuple) -> tuple[Sets, Pairs]:
    sets = distinct_sets(data[0], data[1])
    return sets, near_pairs(sets, THRESHOLD)


def counted(data: tuple) -> int:
    """How many pairs of posts we find, those of identical posts included."""
    return pairs_of_posts(*ours(data))


def compiled(posts: int) -> tuple:
    """The corpus, with the join compiled."""
    ours(corpus(200))
    return corpus(posts)


def by_rensa(data: tuple) -> int:
    from rensa import RMinHash, RMinHashLSH

    offsets, tokens, _ = data
    hashes = (tokens.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(29)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), PERMUTATIONS, 1)
    lsh = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)
    flags = np.asarray(lsh.query_duplicate_flags_matrix_one_shot(matrix))
    del matrix
    flagged = np.flatnonzero(flags)
    words = [tokens[offsets[post] : offsets[post + 1]].tolist() for post in flagged]
    minhashes = RMinHash.from_token_sets([[str(word) for word in post] for post in words], PERMUTATIONS, 1)
    lsh.insert_many(minhashes)
    return verified(lsh.query_all(minhashes), words)


def by_datasketch(data: tuple) -> int:
    from datasketch import MinHash, MinHashLSH

    offsets, tokens, _ = data
    words = [tokens[begin:end].tolist() for begin, end in pairwise(offsets)]
    lsh = MinHashLSH(params=(BANDS, PERMUTATIONS // BANDS), num_perm=PERMUTATIONS)
    minhashes = MinHash.bulk([[str(word).encode() for word in post] for post in words], num_perm=PERMUTATIONS)
    with lsh.insertion_session() as session:
        for post, minhash in enumerate(minhashes):
            session.insert(post, minhash)
    return verified((lsh.query(minhash) for minhash in minhashes), words)


def verified(candidates, words: list[list[int]]) -> int:
    """Candidate pairs whose exact overlap reaches the threshold."""
    sets = [frozenset(post) for post in words]
    found = 0
    for post, others in enumerate(candidates):
        mine = sets[post]
        for other in others:
            if other > post:
                shared = len(mine & sets[other])
                found += shared / (len(mine) + len(sets[other]) - shared) >= THRESHOLD
    return found


def pairs_of(sets: Sets, pairs: Pairs) -> set[tuple[int, int]]:
    """Our pairs, as pairs of posts."""
    members: dict[int, list[int]] = {}
    for post, number in enumerate(sets.of.tolist()):
        members.setdefault(number, []).append(post)
    found = {pair for posts in members.values() for pair in combinations(posts, 2)}
    for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        found |= {(min(a, b), max(a, b)) for a in members[left] for b in members[right]}
    return found


def brute_force(posts: int) -> set[tuple[int, int]]:
    """All pairs at the threshold, from the product of all posts' words with all posts' words."""
    offsets, tokens, _ = corpus(posts)
    words = csr_array((np.ones(len(tokens), np.int32), tokens, offsets), shape=(posts, VOCABULARY))
    sizes = np.diff(offsets)
    found: set[tuple[int, int]] = set()
    for begin in range(0, posts, 1000):
        shared = (words[begin : begin + 1000] @ words.T).toarray()
        close = shared / (sizes[begin : begin + 1000, None] + sizes - shared) >= THRESHOLD
        rows, columns = np.nonzero(close)
        found |= {(a, b) for a, b in zip((rows + begin).tolist(), columns.tolist(), strict=True) if a < b}
    return found


def planted_found(posts: int) -> tuple[int, int]:
    """How many planted copies reach the threshold with what they copy, and how many of those the join found."""
    offsets, tokens, copy_of = corpus(posts)
    sets, pairs = ours((offsets, tokens))
    keys = np.sort(pairs.left.astype(np.int64) << 32 | pairs.right)
    planted = found = 0
    for post in np.flatnonzero(copy_of >= 0).tolist():
        mine = set(tokens[offsets[post] : offsets[post + 1]].tolist())
        other = set(tokens[offsets[copy_of[post]] : offsets[copy_of[post] + 1]].tolist())
        if len(mine & other) / len(mine | other) >= THRESHOLD:
            planted += 1
            left, right = sorted((int(sets.of[post]), int(sets.of[copy_of[post]])))
            at = np.searchsorted(keys, left << 32 | right)
            found += left == right or (at < len(keys) and keys[at] == left << 32 | right)
    return planted, int(found)


def median(work, posts: int, prepare=corpus) -> Measured:
    """The median of several runs, each in a process of its own."""
    runs = [measure(work, posts, prepare=prepare) for _ in range(REPEATS)]
    return Measured(
        runs[0].value, statistics.median(run.seconds for run in runs), statistics.median(run.peak_mb for run in runs)
    )


def draw(growth: dict[int, float], exponent: float) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 4))
    axes.loglog(list(growth), list(growth.values()), "o-")
    axes.set(xlabel="posts", ylabel="seconds", title=f"exact join at {THRESHOLD}: time as n^{exponent:.2f}")
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=120, bbox_inches="tight")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000, help="posts of the largest run")
    largest = parser.parse_args().posts
    need("rensa", "datasketch")
    small = min(100_000, largest)

    same = pairs_of(*ours(corpus(20_000))) == brute_force(20_000)
    planted, found = planted_found(largest)
    sizes = sorted({*(n for n in (10_000, 30_000, 100_000, 300_000) if n < largest), largest})
    growth = {n: median(counted, n, compiled) for n in sizes}
    seconds = [growth[n].seconds for n in sizes]
    exponent, last_exponent = (float(np.polyfit(np.log(sizes[k:]), np.log(seconds[k:]), 1)[0]) for k in (0, -2))
    draw(dict(zip(sizes, seconds, strict=True)), exponent)
    mine, rensa = growth[largest], median(by_rensa, largest)
    mine_small = growth.get(small) or median(counted, small, compiled)
    datasketch = median(by_datasketch, small)

    rows = [("this project", n, run, run) for n, run in growth.items()]
    rows += [("rensa, verified", largest, rensa, mine), ("datasketch, verified", small, datasketch, mine_small)]
    print_table(
        [
            {
                "join": name,
                "posts": n,
                "seconds": run.seconds,
                "peak MB": run.peak_mb,
                "pairs": run.value,
                "recall": run.value / own.value,
                "times ours": run.seconds / own.seconds,
            }
            for name, n, run, own in rows
        ]
    )
    result(
        {
            "posts": largest,
            "seconds": round(mine.seconds, 2),
            "peak_mb": round(mine.peak_mb),
            "pairs": mine.value,
            "planted_at_threshold": planted,
            "planted_found": found,
            "exponent": round(exponent, 3),
            "exponent_between_the_two_largest": round(last_exponent, 3),
            "rensa_seconds": round(rensa.seconds, 2),
            "rensa_peak_mb": round(rensa.peak_mb),
            "rensa_recall": round(rensa.value / mine.value, 4),
            "datasketch_posts": small,
            "datasketch_seconds": round(datasketch.seconds, 2),
            "seconds_on_datasketch_posts": round(mine_small.seconds, 2),
            "times_faster_than_rensa": round(rensa.seconds / mine.seconds, 1),
            "times_faster_than_datasketch": round(datasketch.seconds / mine_small.seconds, 1),
            "memory_over_rensa": round(mine.peak_mb / rensa.peak_mb, 3),
        },
        {
            "same_pairs_as_brute_force_on_20000": same,
            "all_planted_pairs_at_the_threshold": found == planted,
            "faster_than_rensa": mine.seconds < rensa.seconds,
            "faster_than_datasketch": mine_small.seconds < datasketch.seconds,
            "at_most_half_of_rensas_memory": mine.peak_mb <= rensa.peak_mb / 2,
        },
    )


if __name__ == "__main__":
    entry(main)
