"""Pictures that are no files of their own, in Parquet, Arrow and tar shards, set aside in a zip as the export is read.

The zip is not compressed, and says in `.metadata.json` of which address and which post each picture is, as 4CAT's does.
"""

import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.exports.posts import dig, micros
from pipeline.exports.resolving import ENDINGS, METADATA
from pipeline.running.errors import UserError

_ENDING = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"GIF8", "gif"), (b"RIFF", "webp"), (b"BM", "bmp"))


class Aside:
    """The zip that pictures are set aside in; made when the first is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._about: dict[str, dict[str, object]] = {}

    def keep(self, name: str, data: bytes, url: str | None = None, post_id: str | None = None) -> str:
        """Set a picture aside; returns how the import finds it."""
        if self._zip is None:
            self._zip = zipfile.ZipFile(self.path, "w", zipfile.ZIP_STORED, allowZip64=True)
        ending = next((e for magic, e in _ENDING if data.startswith(magic)), "jpg")
        name = name if name.lower().endswith(ENDINGS) else f"{name}.{ending}"
        if name not in self._zip.NameToInfo:
            self._zip.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        if url or post_id:
            self.tell(name, url or name, post_id)
        return f"{self.path}!/{name}"

    def tell(self, name: str, url: str, post_id: str | None) -> None:
        """Say of which address and post a picture is."""
        posts = [post_id] if post_id else []
        self._about[url] = {"filename": name, "success": True, "post_ids": posts}

    def tars(self, folder: Path) -> None:
        """Set aside what lies in the tar shards of `folder`, or in the tar that it is, by their samples' metadata.

        Raises UserError for a tar that cannot be read.
        """
        found = sorted(folder.rglob("*.tar")) if folder.is_dir() else [folder] if folder.suffix == ".tar" else []
        for path in found:
            try:
                with tarfile.open(path) as shard:
                    self._shard(shard, path)
            except tarfile.TarError as error:
                raise UserError(f"{path} cannot be read as a tar: {error}.") from None

    def _shard(self, shard: tarfile.TarFile, path: Path) -> None:
        pictures: dict[str, list[tuple[str, bytes]]] = {}
        about: dict[str, Any] = {}
        for member in shard:
            folder, _, base = member.name.rpartition("/")
            key, _, ending = base.partition(".")  # up to the first dot, as webdataset has it
            held = shard.extractfile(member) if member.isfile() else None
            if held is not None and f".{ending.rsplit('.', 1)[-1].lower()}" in ENDINGS:
                pictures.setdefault(f"{folder}/{key}", []).append((base, held.read()))
            elif held is not None and ending == "json":
                about[f"{folder}/{key}"] = json.loads(held.read())
        for key, files in pictures.items():
            facts = about.get(key) or {}
            post_id = facts.get("post_id")
            for base, data in files:
                self.keep(f"{path.stem}/{base}", data, facts.get("url"), None if post_id is None else str(post_id))

    def downloads(self, folder: Path) -> Iterator[tuple[str, dict[str, object]]]:
        """Address by address what img2dataset's Parquet says of the files in a folder."""
        for path in sorted(folder.rglob("*.parquet")) if folder.is_dir() else ():
            try:
                names = pq.read_schema(path).names
            except (pa.ArrowInvalid, OSError):  # told where it is read as an export
                continue
            if {"key", "url"} <= set(names) and not {"jpg", "png", "webp"} & set(names):
                kept = [n for n in ("key", "url", "post_id", "status") if n in names]
                for row in pq.read_table(path, columns=kept).to_pylist():
                    inside = path.with_suffix("").relative_to(folder).as_posix()
                    for ending in ("jpg", "png", "webp"):
                        file = f"{inside}/{row['key']}.{ending}"
                        if (folder / file).is_file():
                            posts = [str(row["post_id"])] if row.get("post_id") is not None else []
                            yield row["url"], {"filename": file, "success": True, "post_ids": posts}

    def close(self) -> None:
        """End the zip; without a picture there is none."""
        if self._zip is not None:
            self._zip.writestr(zipfile.ZipInfo(METADATA, (1980, 1, 1, 0, 0, 0)), json.dumps(self._about))
            self._zip.close()
            self._zip = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def arrow_rows(
    stream: IO[bytes], path: str, aside: Aside, mapping: Callable[[list[str]], Any]
) -> tuple[list[str], Iterator[tuple[int, Any]]]:
    """Columns, and rows as dicts with their numbers, of Parquet or Arrow; pictures in them are set aside.

    Of the columns only those are read that `mapping`, given all their names, asks for. Raises UserError for a file
    that cannot be read.
    """
    real = Path(path)
    batches: Iterable[pa.RecordBatch]
    try:
        source: Any = real if real.is_file() and _plain(real) else pa.BufferReader(stream.read())
        if _starts(real, stream, source, b"PAR1"):
            file = pq.ParquetFile(source)
            names = _paths(file.schema_arrow)
            mapped = mapping(names)
            asked = {name.split(".")[0] for name in mapped.asked} | mapped.asked if mapped else set()
            batches = file.iter_batches(256, columns=[name for name in file.schema_arrow.names if name in asked])
            schema = file.schema_arrow
        else:
            opened = pa.memory_map(str(source)) if isinstance(source, Path) else source
            magic = opened.read(6)
            opened.seek(0)
            reader = pa.ipc.open_file(opened) if magic == b"ARROW1" else pa.ipc.open_stream(opened)
            names, schema = _paths(reader.schema), reader.schema
            batches = reader if magic != b"ARROW1" else (reader.get_batch(i) for i in range(reader.num_record_batches))
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet or Arrow: {error}.") from None
    return names, _rows(batches, PurePosixPath(path).stem, aside, _labels(schema))


def _paths(fields: pa.Schema | pa.StructType, before: str = "") -> list[str]:
    """The names of columns, those within structs as dotted paths."""
    found = []
    for field in fields:
        found.append(before + field.name)
        if pa.types.is_struct(field.type):
            found += _paths(field.type, f"{before}{field.name}.")
    return found


def _plain(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in (b"PAR1", b"ARRO", b"\xff\xff\xff\xff")


def _starts(real: Path, stream: IO[bytes], source: Any, magic: bytes) -> bool:
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return opened.read(len(magic)) == magic
    found: bytes = source.read(len(magic))
    source.seek(0)
    return found == magic


def _labels(schema: pa.Schema) -> dict[str, list[str]]:
    """The names of Hugging Face's columns of labels, which the file holds as numbers."""
    facts = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = dig(facts, "info", "features") or {}
    return {name: one["names"] for name, one in features.items() if isinstance(one, dict) and one.get("names")}


def _rows(
    batches: Iterable[pa.RecordBatch], stem: str, aside: Aside, labels: Mapping[str, list[str]]
) -> Iterator[tuple[int, Any]]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            for name, value in row.items():
                row[name] = _without_bytes(value, f"{stem}-{number:09}-{name}", aside)
                if name in labels and isinstance(value, int) and 0 <= value < len(labels[name]):
                    row[name] = labels[name][value]
            yield number, row


def _without_bytes(value: Any, name: str, aside: Aside) -> Any:
    """A value with its pictures set aside; a time as text that is read again."""
    if isinstance(value, list):
        return [_without_bytes(one, f"{name}-{k}", aside) for k, one in enumerate(value, start=1)]
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        if not isinstance(value, dict) and (text := _text(data)) is not None:
            return text
        path = value.get("path") if isinstance(value, dict) else None
        return {"aside": aside.keep(name, data), "path": path, "type": "photo"} if data else None
    return micros(value) if hasattr(value, "tzinfo") else value


def _text(data: bytes) -> str | None:
    """What Hive, Impala and others wrote as bytes that is text; None for a picture."""
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None
