"""The pseudonym of an id, for who holds the key: `python -m tools.pseudonym anna`; with --post, of a post's id.

To find a person in the tables, to ask with `user:…` in `report.queries`, or to answer who asks what is held of them.
"""

import argparse
import sys

from pipeline.corpus.names import folded
from pipeline.privacy.keys import Key
from pipeline.running.errors import UserError
from pipeline.running.utf8 import entry


def main(words: list[str] | None = None) -> int:
    """Print it."""
    import pyarrow as pa

    parser = argparse.ArgumentParser(description="The pseudonym of an id under this project's key.")
    parser.add_argument("id", help="as the posts have it")
    parser.add_argument("--post", action="store_true", help="the id is a post's, not a user's")
    asked = parser.parse_args(words)
    try:
        key = Key.held(make=False)
    except UserError as error:
        sys.exit(f"pseudonym: {error}")
    (name,) = folded(pa.array([asked.id])).to_pylist()
    sys.stdout.write(key.pseudonym("post" if asked.post else "user", name) + "\n")
    return 0


if __name__ == "__main__":
    entry(main)
