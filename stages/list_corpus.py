"""Stage `list_corpus`: look at one's own posts, users and pictures, so that a change in them reruns the import.

It always runs, and costs a look at each picture that posts name. One's own files are deps of no stage: DVC would hash
all that lies beside them, and put them into experiments' commits. Where they lie in the repository, Git is told to
ignore them.

Reads   corpus.posts, corpus.images, corpus.users, where corpus.source is table; where it is export, corpus.posts,
        corpus.images, corpus.users, corpus.edges and corpus.brands
Writes  data/listing   JSON: hashes of the tables, and of the names, sizes and times of the pictures; for another
        source, a constant. And, where people have pseudonyms or were erased, what changes with the key and the list
        of the erased
"""

import json
from pathlib import Path

from pipeline.corpus.listing import listing, listing_of_exports, places
from pipeline.corpus.sources.table import TableCorpus
from pipeline.privacy.erased import Tombstones
from pipeline.privacy.guard import guarded
from pipeline.privacy.keys import Key
from pipeline.running import own_files
from pipeline.running.errors import UserError
from pipeline.running.files import write_text
from pipeline.running.params import load
from pipeline.running.private import keep_out_of_git
from stages.runner import run

LISTING = Path("data/listing")
WITHOUT_PICTURES = (
    "{} names {} pictures, and there are none: corpus.images names no folder or zip, and there is no folder images "
    "beside the posts. Set it; or corpus.missing_images to text, to keep the posts for their texts."
)


def main() -> None:
    params = load("corpus")
    corpus = params.corpus
    own_files.check(corpus)  # they may be gone since check_params, which runs where params.yaml was changed
    facts: dict[str, object] = {}
    keys = {"table": ("posts", "images", "users"), "export": ("posts", "images", "users", "edges", "brands")}
    own = {key: getattr(corpus, key) for key in keys.get(corpus.source, ())}
    table = TableCorpus.of(corpus) if corpus.source == "table" else None
    if table:  # where params.yaml names none, they may lie beside the posts
        own |= {"images": table.images, "users": table.tables.get("users")}
    keyed = corpus.pseudonyms == "keyed"
    for key, named in own.items():
        for path in _whose(corpus.source, named, keyed) if named else ():
            keep_out_of_git({f"corpus.{key}": path})
    with guarded(keyed):
        if table:
            facts = listing(table)
            if facts["pictures_named"] and not table.images and corpus.missing_images != "text":
                raise UserError(WITHOUT_PICTURES.format(table.name, facts["pictures_named"]))
        if corpus.source == "export":
            facts = listing_of_exports(own)
    if keyed:
        facts["key"] = Key.held().fingerprint()
    if tombstones := Tombstones.held():
        facts["erased"] = tombstones.fingerprint()
    write_text(json.dumps(facts, indent=2) + "\n", LISTING)


def _whose(source: str, named: str, keyed: bool) -> list[Path]:
    """What Git is to be kept from: the files there are; of a pattern, where names are not to be told, their folder."""
    if source == "table":
        return [Path(named)]
    if keyed and "*" in named:
        parts = Path(named).parts
        return [Path(*parts[: next(at for at, part in enumerate(parts) if "*" in part)])]
    return [path for path in places(named) if path.exists()]


if __name__ == "__main__":
    run("list_corpus", main)
