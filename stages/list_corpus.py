"""Stage `list_corpus`: look at one's own posts, users and pictures, so that a change in them reruns the import.

It always runs, and costs a look at each picture that posts name. One's own files are deps of no stage: DVC would hash
all that lies beside them, and put them into experiments' commits. Where they lie in the repository, Git is told to
ignore them.

Reads   corpus.posts, corpus.images, corpus.users, where corpus.source is table; where it is export, corpus.posts,
        corpus.images, corpus.edges and corpus.brands
Writes  data/listing   JSON: hashes of the tables, and of the names, sizes and times of the pictures; for another
        source, a constant
"""

import json
from pathlib import Path

from pipeline.corpus.listing import listing, listing_of_exports, places
from pipeline.corpus.table import TableCorpus
from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.running.private import keep_out_of_git
from stages.runner import run

LISTING = Path("data/listing")


def main() -> None:
    params = load("corpus")
    corpus = params.corpus
    facts: dict[str, object] = {}
    if corpus.source == "table":
        keys = ("posts", "images", "users")
        keep_out_of_git({f"corpus.{key}": Path(getattr(corpus, key)) for key in keys})
        facts = listing(TableCorpus.of(corpus))
    if corpus.source == "export":
        named = {key: getattr(corpus, key) for key in ("posts", "images", "edges", "brands")}
        for key, one in named.items():
            for path in places(one) if one else ():
                if path.exists():
                    keep_out_of_git({f"corpus.{key}": path})
        facts = listing_of_exports(named)
    write_text(json.dumps(facts, indent=2) + "\n", LISTING)


if __name__ == "__main__":
    run("list_corpus", main)
