"""`make explore` at the paper's size, made up: 1.5 million texts, 1.26 million images, 40,000 users, 1,024 numbers.

    python -m benchmarks.page.explore 1.0 --keep /tmp/space  # a share of that size; --keep leaves the space where it is

Vectors are of 2,000 themes, some of them large (Zipf), two themes a thing beside noise of a strength of its own:
neither parted cleanly nor alike in all directions, as those of a trained space. Questions are made in the same way.
Beside `Space`, in the same run on the same questions: every cosine by numpy, reading the tables, which tells what is
found of the nearest 12 (recall), and FAISS's flat index, of as many texts as --flat says.

Bounds: a recall of .99 for each kind; the answers to nineteen in twenty questions, all three kinds, within half a
second of this process's CPU time, a start within ten. The whole size takes 17 GB of disk.
"""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import options, print_table, result
from explore.pages.views import Views
from pipeline.running.utf8 import entry
from pipeline.space import index
from pipeline.space.nearest import Wanted
from pipeline.space.space import KINDS, Asked, Filters, Space
from pipeline.tables.corpus import IMAGES, POSTS
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.evaluation import CLUSTER_USERS
from pipeline.tables.split import ASSIGNED
from pipeline.tables.table import matrix, vectors
from pipeline.tables.text import WORDS

SIZE = {"user": 40_000, "image": 1_260_000, "text": 1_500_000}
DIM, THEMES, ASKED, TOP, BLOCK = 1024, 2000, 40, 12, 32_768


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("share", type=float, nargs="?", default=0.05)
    parser.add_argument("--flat", type=int, default=60_000, help="texts in FAISS's flat index, in memory")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    size = {kind: int(given.share * count) for kind, count in SIZE.items()}
    index.MANY = min(index.MANY, size["image"])
    folder = given.keep or Path(tempfile.mkdtemp(prefix="explore-"))
    try:
        themes = Themes()
        if not (folder / "data/embeddings/texts").exists():
            corpus(folder, size)
            for kind, count in size.items():
                embedded(folder / f"data/embeddings/{kind}s", kind, count, themes)
        questions = themes.draw(ASKED, np.random.default_rng(99))
        figures, recall = measured(folder, questions, size, given.flat)
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    bounds = {"recall": min(recall.values()) >= 0.99, "answer": figures["answer_p95_cpu_s"] <= 0.5}
    result({**figures, "recall": recall}, bounds | {"start": figures["start_cpu_s"] <= 10})


class Themes:
    """What vectors are drawn from."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.centres = rng.standard_normal((THEMES, DIM), np.float32) / np.float32(DIM**0.5)
        self.share = 1 / np.arange(1, THEMES + 1) ** 0.7
        self.share /= self.share.sum()
        self.noise = rng.standard_normal((BLOCK, DIM), np.float32) / np.float32(DIM**0.5)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Vectors (count, D) at unit length, at most BLOCK; the noise is one block's, turned about anew."""
        one, other = (rng.choice(THEMES, count, p=self.share) for _ in range(2))
        found = self.centres[one] + self.centres[other] * rng.random((count, 1), np.float32)
        rows = rng.permutation(BLOCK)[:count]
        noise = np.roll(self.noise[rows], int(rng.integers(DIM)), axis=1)
        found += noise * (np.float32(0.5) + rng.random((count, 1), np.float32))
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def names(kind: str, count: int) -> pa.Array:
    """Ids in order: as long as hashes for images."""
    return pa.array([f"{i:064x}" if kind == "image" else f"{kind}-{i:08d}" for i in range(count)])


def embedded(path: Path, kind: str, count: int, themes: Themes) -> None:
    """Write the vectors of a kind."""
    rng, ids = np.random.default_rng(KINDS.index(kind)), names(kind, count)
    with EMBEDDINGS.writer(path) as writer:
        for begin in range(0, count, BLOCK):
            own = ids.slice(begin, BLOCK)
            writer.write(pa.table({"id": own, "vector": vectors(themes.draw(len(own), rng))}))


def corpus(folder: Path, size: dict[str, int]) -> None:
    """Write what is told of posts: author, text, words, picture, time, side; of users: a cluster."""
    rng, data = np.random.default_rng(7), folder / "data"
    n, people = size["text"], names("user", size["user"])
    data.mkdir(parents=True)
    for name in ("params.yaml", "models"):
        (folder / name).symlink_to(Path(name).resolve())
    words = np.array([f"word{i}" for i in range(20_000)])
    drawn = rng.zipf(1.3, (n, 8)) % len(words)
    said = words[drawn]
    images = names("image", size["image"])
    shown = np.arange(n) % max(1, len(images))
    columns = {
        "post_id": names("text", n),
        "user_id": people.take(pa.array(rng.integers(0, len(people), n))),
        "text": pa.array([" ".join(row) for row in said]),
        "image_id": images.take(pa.array(shown, mask=np.arange(n) >= len(images))),
        "created_at": pa.array(rng.integers(1.4e15, 1.6e15, n), pa.timestamp("us")),
    }
    POSTS.write(pa.table(columns), data / "corpus/posts")
    lists = pa.ListArray.from_arrays(
        np.arange(0, 8 * n + 1, 8, np.int32), pa.array(words).take(pa.array(drawn.ravel()))
    )
    empty = pa.ListArray.from_arrays(np.zeros(n + 1, np.int32), pa.array([], pa.string()))
    told = {"post_id": columns["post_id"], "words": lists, "hashtags": empty, "language": pa.array(["en"] * n)}
    WORDS.write(pa.table(told), data / "text/words")
    side = np.array(["train", "train", "train", "val", "test"])[np.arange(n) % 5]
    split = {
        "post_id": columns["post_id"],
        "group_id": columns["post_id"],
        "split": side,
        "reason": pa.nulls(n, "string"),
    }
    ASSIGNED.write(pa.table(split), data / "split/posts")
    zero = pa.array(np.zeros(len(images), np.int32))
    bare = {"image_id": images, "bytes": pa.array([b""] * len(images)), "width": zero, "height": zero}
    IMAGES.write(pa.table(bare), data / "corpus/images")
    cluster = pa.array(np.arange(len(people)) % 49, pa.int32())
    near = pa.array(np.full(len(people), 0.5, np.float32))
    CLUSTER_USERS.write(pa.table({"user_id": people, "cluster": cluster, "similarity": near}), data / "clusters/users")


def measured(
    folder: Path, questions: np.ndarray, size: dict[str, int], flat: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds, of wall and of CPU, and the recall of each kind."""
    figures: dict[str, float] = dict(size)
    figures["made_s"], figures["made_cpu_s"], _ = timed(lambda: opened(folder))
    figures["start_s"], figures["start_cpu_s"], views = timed(lambda: opened(folder))
    each = [timed(lambda q=q: views.answers(Asked((), q, "text"), TOP, Filters())) for q in questions]
    sides = Filters(sides=("test",))
    narrowed = [timed(lambda q=q: views.answers(Asked((), q, "text"), TOP, sides)) for q in questions[:10]]
    for name, found in (("answer", each), ("narrowed", narrowed)):
        for at, unit in enumerate(("s", "cpu_s")):
            seconds = [one[at] for one in found]
            figures |= {f"{name}_median_{unit}": float(np.median(seconds))}
            figures |= {f"{name}_p95_{unit}": float(np.quantile(seconds, 0.95))}
    recall, rows = {}, []
    for kind in KINDS:
        things = views.space.vectors(kind)
        wanted = Wanted(TOP, np.arange(len(things.values)), np.empty(0))
        wall, cpu, found = timed(lambda t=things, w=wanted: [t.nearest(q, w)[0] for q in questions])
        _, brute, truth = timed(lambda k=kind: exact(folder / f"data/embeddings/{k}s", questions))
        recall[kind] = float(np.mean([np.isin(true, own).mean() for true, own in zip(truth, found, strict=True)]))
        rows.append({"of": f"{kind}s", "things": size[kind], "wall s a question": wall / ASKED,
                     "CPU s a question": cpu / ASKED, "numpy, all questions at once, CPU s": brute,
                     "recall": recall[kind]})  # fmt: skip
    print_table(rows)
    figures["faiss_flat_texts"], figures["faiss_flat_cpu_s"] = faiss_flat(folder, questions, flat)
    return figures, recall


def opened(folder: Path) -> Views:
    """As `python -m explore` opens a space."""
    space = Space.open(folder / "data")
    for kind in KINDS:
        space.prepare(kind)
    return Views(space)


def exact(table: Path, questions: np.ndarray) -> np.ndarray:
    """The rows (q, TOP) of the highest cosines, of all, in float32."""
    best, rows, begin = np.empty((len(questions), 0), np.float32), np.empty((len(questions), 0), np.int64), 0
    for shard in EMBEDDINGS.batches(table, ["vector"]):
        values = matrix(shard["vector"])
        best = np.concatenate([best, questions @ values.T], axis=1)
        new = np.tile(np.arange(begin, begin + len(values)), (len(questions), 1))
        rows, begin = np.concatenate([rows, new], axis=1), begin + len(values)
        top = np.argsort(-best, axis=1, kind="stable")[:, :TOP]
        best, rows = np.take_along_axis(best, top, 1), np.take_along_axis(rows, top, 1)
    return rows


def faiss_flat(folder: Path, questions: np.ndarray, most: int) -> tuple[int, float]:
    """How many texts FAISS's flat index was given, and its CPU seconds for one question."""
    import faiss

    flat = faiss.IndexFlatIP(DIM)
    for shard in EMBEDDINGS.batches(folder / "data/embeddings/texts", ["vector"]):
        flat.add(matrix(shard["vector"])[: most - flat.ntotal])
        if flat.ntotal >= most:
            break
    _, cpu, _ = timed(lambda: [flat.search(question[None], TOP) for question in questions])
    return flat.ntotal, cpu / len(questions)


def timed(work):  # type: ignore[no-untyped-def]
    """Seconds of wall time and of this process's CPU time, and what `work` gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = work()
    return time.perf_counter() - wall, time.process_time() - cpu, value


if __name__ == "__main__":
    entry(main)
