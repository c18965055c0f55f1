"""What the page says may be chance (pipeline.space.questions.chance), held against questions about nothing and posts.

Run where `dvc repro` has made the tables, or with their folder. Asked is with words of the test side's texts, of which
the author is known: so many of a text's words, drawn anew, and all; and, as often, with as many words of as many
texts, drawn as often as all texts use them, held-out ones too. Beside them what every question was held against
before, the mean of eight texts that lie apart.

Bounds: of questions about nothing at most one in ten, at each number of words, has an answer that is more than chance
(5 % are said; 400 are drawn, and 400 measured by), and 6 % on the whole; the nearest user is the author more often
where it is.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import options, print_table, result
from pipeline.ranking.vectors import unit
from pipeline.running.utf8 import entry
from pipeline.space.questions.chance import LENGTHS, SHARE, by_things, coherence, nulls, words_drawn
from pipeline.space.reading import embedded
from pipeline.space.space import KINDS, Space

DRAWN, MOST, WHOLE = 400, 800, 1 << 20


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"), help="the folder of the tables")
    space = Space.open(parser.parse_args().data)
    library, people, rng = space.library, space.ids("user").to_pylist(), np.random.default_rng(1)
    names, post, word = library.words
    known = np.isin(names.to_pylist(), space.reader.trained.vocabulary.to_pylist())
    counts = np.bincount(word[known[word]], minlength=len(names))
    texts = np.flatnonzero(library.side == "test")
    held = {int(row): np.unique(word[(post == row) & known[word]]) for row in texts}
    author = {
        row: people.index(name) for row in held if (name := library.users[int(library.author[row])].as_py()) in people
    }
    values = {kind: np.asarray(space.vectors(kind).values, np.float32) for kind in KINDS}
    apart = by_things(values["text"], np.arange(len(values["text"])), 0)
    before = {kind: nulls({("text", 0): apart}, kind, [values[kind]])["text", 0] for kind in ("user", "image")}
    rows: list[dict[str, object]] = []
    own = [row for row in author if len(held[row]) > 1]
    for words in (*LENGTHS, WHOLE):
        asked = np.array([row for row in own if words == WHOLE or len(held[row]) >= words], np.int64)
        if space.nothing("text", "user", words) is None or len(asked) < 20:
            continue
        asked = rng.permutation(asked)[:MOST]
        said = [held[row] if words == WHOLE else rng.permutation(held[row])[:words] for row in asked]
        nothing = [] if words == WHOLE else list(words_drawn(counts, words, DRAWN, rng))
        questions = {
            name: vectors(space, names, part) for name, part in (("nothing", nothing), ("texts", said)) if part
        }
        row: dict[str, object] = {"words": "all" if words == WHOLE else words, "texts": len(asked)}
        for kind in KINDS:
            for name, (asking, weight) in questions.items():
                if kind == "text" == name[:-1]:
                    continue  # a text is among those that answer
                row[f"{kind}: {name}"] = share(more := above(space, kind, values[kind], asking, weight, said, name))
            if kind == "user":
                right = (questions["texts"][0] @ values[kind].T).argmax(axis=1) == [author[int(one)] for one in asked]
                row |= {"author nearest, above": share(right[more]), "below": share(right[~more])}
        for kind, null in before.items() if "nothing" in questions else ():
            surplus = (questions["nothing"][0] - null.mean) @ values[kind].T
            row[f"{kind}: nothing, before"] = share(null.chance(surplus.max(axis=1)) <= SHARE)
        rows.append(row)
    print_table(rows)
    told = np.array([[row[f"{kind}: nothing"] for kind in KINDS] for row in rows if row["words"] != "all"])
    author_above = [row["author nearest, above"] > row["below"] for row in rows]  # type: ignore[operator]
    bounds = {"nothing": told.max() <= 0.1 and told.mean() <= 0.06, "author": all(author_above)}
    result({"by_words": rows}, bounds)


def above(space: Space, kind: str, among: np.ndarray, asking: np.ndarray, weight: np.ndarray, said: list[np.ndarray],
          name: str) -> np.ndarray:  # fmt: skip
    """Whether each question has an answer of `kind` that is more than chance, by its own number of words."""
    lengths = [len(words) for words in said] if name == "texts" else [len(said[0])] * len(asking)
    found = np.zeros(len(asking), bool)
    for length in set(lengths):
        rows = np.flatnonzero(np.array(lengths) == length)
        null = space.nothing("text", kind, length)
        assert null is not None
        found[rows] = null.chance(weight[rows] * ((asking[rows] - null.mean) @ among.T).max(axis=1)) <= SHARE
    return found


def share(found: np.ndarray) -> float | None:
    """The share of what is so; None of nothing."""
    return round(float(found.mean()), 3) if len(found) else None


def vectors(space: Space, names: pa.Array, rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (b, D) of b questions of words, rows of `names`, and their coherence (b,)."""
    reader, distinct = space.reader, np.unique(np.concatenate(rows))

    def read(lists: list[list[str]]) -> np.ndarray:
        return embedded(
            reader.trained,
            pa.array(lists, pa.list_(pa.string())),
            reader.sentences([" ".join(words) for words in lists]),
        )

    single = unit(read([[name] for name in names.take(pa.array(distinct)).to_pylist()]))
    found = read([names.take(pa.array(row)).to_pylist() for row in rows])
    return found, np.array([coherence(single[np.searchsorted(distinct, row)]) for row in rows])


if __name__ == "__main__":
    entry(main)
