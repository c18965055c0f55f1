"""What `convert_corpus` makes of people's exports, as a source of posts: a table whose pictures lie in several places.

A picture's name there is `PLACE!/NAME`: a folder or zip, and the file in it.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from pipeline.corpus.sources.table import TableCorpus
from pipeline.pictures.finding import opened
from pipeline.pictures.reading import Rejected


class ExportedCorpus(TableCorpus):
    """The tables in a folder that `pipeline.exports.converting` wrote."""

    def __init__(self, folder: Path, links_into: Path | None = None) -> None:
        super().__init__(folder / "posts.parquet", folder, folder / "users.parquet", links_into)

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Rejected]]:
        """The files of these names, place by place as they come."""
        for place, together in groupby(names, key=lambda name: name.partition("!/")[0]):
            with opened(Path(place), self._links_into) as pictures:
                yield from ((name, pictures.read(name.partition("!/")[2])) for name in together)
