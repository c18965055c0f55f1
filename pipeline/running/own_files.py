"""Whether the files of one's own that params.yaml names are there.

An experiment from DVC's queue runs in a copy of the commit, in which nothing is that Git ignores, such as data/own.
"""

from pathlib import Path

from pipeline.running.errors import UserError
from pipeline.running.schema import Corpus

WITHOUT = {
    "images": "; if no post has a picture, set it to null",
    "users": "; if nothing is told of users, set it to null",
}
HINTS = {
    "://": " It is an address: download the file first.",
    "*": " A table is one file: write all one behind the other (cat), or set corpus.source to export: it reads many.",
    "~/": " Write the path in full: ~ stands for your home in a shell alone.",
}


def check(corpus: Corpus) -> None:
    """Raise UserError, which names the key, where a file or folder of one's own is not there, or is the other."""
    if corpus.source == "table":
        for key in ("posts", "images", "users"):
            named = getattr(corpus, key)
            if named is not None and not Path(named).exists():
                told = f"params.yaml: corpus.{key} is {named!r}, which does not exist{WITHOUT.get(key, '')}."
                hint = next((hint for sign, hint in HINTS.items() if sign in named), "")
                raise UserError(told + hint + _in_a_copy(key))
            if key != "images" and named is not None and not Path(named).is_file():
                kind = "a folder" if Path(named).is_dir() else "a pipe or a device, which cannot be read twice"
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, {kind}; expected the file of a table.")
    if corpus.source == "export":
        for key in ("posts", "images", "users", "edges", "brands"):
            named = getattr(corpus, key)
            if named is not None and "*" not in named and not Path(named).exists():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, where there is nothing.{_in_a_copy(key)}")


def _in_a_copy(key: str) -> str:
    if "/.dvc/tmp/exps/" not in Path.cwd().as_posix() + "/":
        return ""
    return (
        " An experiment from the queue runs in a copy of the project without the files that Git ignores: name them by "
        f"their whole paths (-S corpus.{key}=/home/…)."
    )
