"""What the page says may be chance (pipeline.space.chance), held against truth and questions about nothing.

Run where `dvc repro` has made the tables. Asked with are the texts of the test side, of which the author is known,
mixtures of eight of them, and random directions.

Bounds: at most one in ten questions about nothing has a user above the threshold, and of texts that have one the
nearest user is the author more often than of those that have none.
"""

import numpy as np

from benchmarks import print_table, result
from pipeline.ranking.vectors import unit
from pipeline.space.chance import threshold
from pipeline.space.space import Space

DRAWN = 600
MIXED = 8


def main() -> None:
    space = Space.open("data")
    library, users = space.library, space.vectors("user")
    texts = space.vectors("text")
    posts = np.array([library.row_of_post(name) for name in texts.ids.to_pylist()])
    people = {name: row for row, name in enumerate(users.ids.to_pylist())}
    author = np.array([people.get(library.users[int(user)].as_py(), -1) for user in library.author[posts]])
    asked = (library.side[posts] == "test") & (author >= 0)
    values, author = texts.values[asked], author[asked]
    rng = np.random.default_rng(0)
    mixed = unit(np.stack([values[rng.choice(len(values), MIXED)].mean(axis=0) for _ in range(DRAWN)]))
    random = unit(rng.normal(size=(DRAWN, values.shape[1])))
    share = {
        name: {kind: float(above(questions @ space.vectors(kind).values.T).mean()) for kind in ("user", "image")}
        for name, questions in (("texts", values), ("mixtures", mixed), ("random", random))
    }
    print_table([{"question": name, **kinds} for name, kinds in share.items()])
    cosines = values @ users.values.T
    right, over = cosines.argmax(axis=1) == author, above(cosines)
    found = {"author_nearest_above": float(right[over].mean()), "author_nearest_below": float(right[~over].mean())}
    bounds = {
        "nothing": max(share[name]["user"] for name in ("mixtures", "random")) <= 0.1,
        "truth": found["author_nearest_above"] > found["author_nearest_below"],
    }
    result({"texts": len(values), "above": share, **found}, bounds)


def above(cosines: np.ndarray) -> np.ndarray:
    """Whether each question's nearest lies above its threshold."""
    return np.array([row.max() > threshold(row) for row in cosines])


if __name__ == "__main__":
    main()
