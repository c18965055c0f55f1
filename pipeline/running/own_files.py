"""Whether the files of one's own that params.yaml names are there."""

from pathlib import Path

from pipeline.running.errors import UserError
from pipeline.running.schema import Corpus

WITHOUT = {
    "images": "; if no post has a picture, set it to null",
    "users": "; if nothing is told of users, set it to null",
}


def check(corpus: Corpus) -> None:
    """Raise UserError, which names the key, where a file or folder of one's own is not there, or is the other."""
    if corpus.source == "table":
        for key in ("posts", "images", "users"):
            named = getattr(corpus, key)
            if named is not None and not Path(named).exists():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, which does not exist{WITHOUT.get(key, '')}.")
            if key != "images" and named is not None and Path(named).is_dir():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, a folder; expected the file of a table.")
    if corpus.source == "export":
        for key in ("posts", "images", "edges", "brands"):
            named = getattr(corpus, key)
            if named is not None and "*" not in named and not Path(named).exists():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, where there is nothing.")
