"""What the page says may be chance (pipeline.space.chance), held against truth and questions about nothing.

Run where `dvc repro` has made the tables, or with their folder. Asked with are the texts of the test side, of which the
author is known; eight words of as many texts, drawn as often as they are used; the questions about nothing that chance
is measured by, drawn anew; means of eight texts, which may belong together; and random directions.

Bounds: at most one in ten questions of eight words has a user, or an image, that is called more than chance; of texts
that have such a user the nearest is the author more often than of those that have none.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks import print_table, result
from pipeline.ranking.vectors import unit
from pipeline.space.chance import MIXED, SHARE, drawn
from pipeline.space.space import Space

DRAWN = 400


def main() -> None:
    space = Space.open(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data"))
    library, users, texts = space.library, space.vectors("user"), space.vectors("text")
    posts = np.array([library.row_of_post(name) for name in texts.ids.to_pylist()])
    people = {name: row for row, name in enumerate(users.ids.to_pylist())}
    author = np.array([people.get(library.users[int(user)].as_py(), -1) for user in library.author[posts]])
    asked = (library.side[posts] == "test") & (author >= 0)
    values, author = texts.values[asked], author[asked]
    rng = np.random.default_rng(0)
    names, _, said = library.words
    bags = [" ".join(names[int(word)].as_py() for word in rng.choice(said, MIXED)) for _ in range(DRAWN // 2)]
    read = space.reader.texts(bags).vectors
    questions = {
        "texts": values,
        "eight_words": read[read.any(axis=1)],
        "about_nothing": drawn(texts, seed=2)[0],
        "eight_texts": unit(np.stack([texts.at(rng.choice(len(texts.values), MIXED)).mean(axis=0) for _ in bags])),
        "directions": unit(rng.normal(size=(DRAWN, values.shape[1]))),
    }
    above = {
        name: {kind: more(space, kind, asking) for kind in ("user", "image")} for name, asking in questions.items()
    }
    share = {name: {kind: float(found.mean()) for kind, found in kinds.items()} for name, kinds in above.items()}
    print_table([{"question": name, "asked": len(questions[name]), **kinds} for name, kinds in share.items()])
    right, over = (values @ users.values.T).argmax(axis=1) == author, above["texts"]["user"]
    found = {"author_nearest_above": float(right[over].mean()), "author_nearest_below": float(right[~over].mean())}
    bounds = {
        "nothing": max(share["eight_words"].values()) <= 0.1,
        "truth": found["author_nearest_above"] > found["author_nearest_below"],
    }
    result({"texts": len(values), "above": share, **found}, bounds)


def more(space: Space, kind: str, questions: np.ndarray) -> np.ndarray:
    """Whether each question has an answer of `kind` that is more than chance."""
    null, among = space.nothing("text", kind), space.vectors(kind)
    return null.chance(((questions - null.mean) @ among.values.T).max(axis=1)) <= SHARE


if __name__ == "__main__":
    main()
