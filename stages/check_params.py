"""Stage `check_params`: refuse a bad params.yaml before any other stage starts, while all earlier outputs still stand.

Reads   params.yaml
Writes  data/checked   a constant, so that what depends on it does not rerun
"""

from pathlib import Path

from pipeline.running.errors import UserError
from pipeline.running.files import write_text
from pipeline.running.params import validate
from stages.runner import run

CHECKED = Path("data/checked")
WITHOUT_PICTURES = "; if no post has a picture, set it to null"
WITHOUT_USERS = "; if nothing is told of users, set it to null"


def main() -> None:
    corpus = validate().corpus
    if corpus.source == "table":
        for key, else_ in {"posts": "", "images": WITHOUT_PICTURES, "users": WITHOUT_USERS}.items():
            named = getattr(corpus, key)
            if named is not None and not Path(named).exists():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, which does not exist{else_}.")
            if key != "images" and named is not None and Path(named).is_dir():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, a folder; expected the file of a table.")
    if corpus.source == "export":
        for key in ("posts", "images", "edges", "brands"):
            named = getattr(corpus, key)
            if named is not None and "*" not in named and not Path(named).exists():
                raise UserError(f"params.yaml: corpus.{key} is {named!r}, where there is nothing.")
    write_text("params.yaml is valid\n", CHECKED)


if __name__ == "__main__":
    run("check_params", main)
