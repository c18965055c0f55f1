"""What of a corpus of one's own the import depends on, told without handing its files to DVC or Git.

The tables by a hash of their bytes; of the pictures those alone that posts name, by size and time of change (in a zip:
size and checksum), which costs no reading. As long as the listing stays the same, so does what the import would make.
Of exports, which are large and of many files, all files by size and time of change.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.sources.table import TableCorpus


def listing(source: TableCorpus) -> dict[str, object]:
    """Hashes of the tables, and one of the names and facts of all pictures that posts name."""
    digest, names = hashlib.blake2b(digest_size=16), 0
    source.check_users()
    with source.opened_pictures() as pictures:
        for rows, _ in source.rows():
            named = [*rows["image"].chunks, *pc.list_flatten(rows["more_images"]).chunks]
            for name in pc.unique(pa.chunked_array(named, pa.string())).drop_null().to_pylist():
                digest.update(f"{name}\0{pictures.facts(name)}\n".encode(errors="surrogateescape"))
                names += 1
    tables = {name: _hash(path) for name, path in source.tables.items()}
    return {"tables": tables, "pictures_named": names, "pictures": digest.hexdigest()}


def listing_of_exports(named: Mapping[str, str | None]) -> dict[str, object]:
    """The number of files at the places that keys name, and a hash of their paths, sizes and times."""
    digest, files = hashlib.blake2b(digest_size=16), 0
    for key, one in named.items():
        for place in places(one) if one else ():
            for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if path.is_file():
                    facts = path.stat()
                    digest.update(
                        f"{key}\0{path}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode(errors="surrogateescape")
                    )
                    files += 1
    return {"files": files, "hash": digest.hexdigest()}


def places(named: str) -> list[Path]:
    """The paths that a key names: one, or all that fit a pattern with `*`, sorted."""
    path = Path(named)
    if "*" not in named:
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
