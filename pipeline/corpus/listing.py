"""What of a corpus of one's own the import depends on, told without handing its files to DVC or Git.

The tables by a hash of their bytes; of the pictures those alone that posts name, by size and time of change (in a zip:
size and checksum), which costs no reading. As long as the listing stays the same, so does what the import would make.
"""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.table import TableCorpus


def listing(source: TableCorpus) -> dict[str, object]:
    """Hashes of the tables, and one of the names and facts of all pictures that posts name."""
    digest, names = hashlib.blake2b(digest_size=16), 0
    with source.opened_pictures() as pictures:
        for rows, _ in source.rows():
            named = [*rows["image"].chunks, *pc.list_flatten(rows["more_images"]).chunks]
            for name in pc.unique(pa.chunked_array(named, pa.string())).drop_null().to_pylist():
                digest.update(f"{name}\0{pictures.facts(name)}\n".encode(errors="surrogateescape"))
                names += 1
    tables = {path.name: _hash(path) for path in source.tables if path.exists()}
    return {"tables": tables, "pictures_named": names, "pictures": digest.hexdigest()}


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
