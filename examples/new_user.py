"""Somebody whom training has not seen, without retraining: `python -m examples.new_user [DATA]`, after `dvc repro`.

A row is fitted to the few posts at hand by the loss of training, everything else frozen: tens of milliseconds.
"""

import sys

import numpy as np
import pyarrow as pa

from pipeline.running.utf8 import entry
from pipeline.space.space import Space

POSTS = ("A red rose in the garden", "Tulips, and a bee on every flower", "The first petals of spring")


def like(space: Space, posts: list[str], top: int = 5) -> list[tuple[str, float]]:
    """The people of the corpus nearest to somebody who wrote `posts`, with their cosines."""
    vector = space.new_user([{"text": text} for text in posts])
    people = space.vectors("user")
    cosines = people.values @ vector
    nearest = np.argsort(-cosines, kind="stable")[:top]
    return list(zip(people.ids.take(pa.array(nearest)).to_pylist(), cosines[nearest].tolist(), strict=True))


def main() -> None:
    """Who is like POSTS."""
    for user_id, cosine in like(Space.open(sys.argv[1] if len(sys.argv) > 1 else "data"), list(POSTS)):
        print(f"{cosine:5.2f}  {user_id}")


if __name__ == "__main__":
    entry(main)
