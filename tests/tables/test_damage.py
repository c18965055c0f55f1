"""Flipped bits, cut files, garbage: what is read is what was written, or an error that names the file."""

import random
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.running.errors import Damaged, UserError
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES, IMAGE_GROUPS
from pipeline.tables.table import vectors
from pipeline.tables.text import WORDS

ROWS = 300
NAMES = [f"{i:032x}" for i in range(ROWS)]


def tables():
    draw = np.random.default_rng(3)
    words = [[str(w) for w in draw.integers(0, 40, draw.integers(0, 9))] for _ in NAMES]
    posts = {"post_id": NAMES, "words": words, "hashtags": [[] for _ in NAMES], "language": ["en"] * ROWS}
    yield WORDS, pa.table(posts, schema=WORDS.schema)
    yield FEATURES, pa.table({"image_id": NAMES, "vector": vectors(draw.normal(size=(ROWS, 40)).astype(np.float16))})
    pictures = [draw.bytes(int(draw.integers(20, 400))) for _ in NAMES]
    sides = pa.array([9] * ROWS, pa.int32())
    yield IMAGES, pa.table({"image_id": NAMES, "bytes": pictures, "width": sides, "height": sides})
    alike = pa.array(draw.random(ROWS), pa.float32())
    first = pa.array([True] * ROWS)
    yield IMAGE_GROUPS, pa.table({"image_id": NAMES, "group_id": NAMES, "representative": first, "similarity": alike})


@pytest.mark.parametrize(("kind", "rows"), list(tables()), ids=lambda value: getattr(value, "name", ""))
def test_no_flipped_bit_gives_other_rows(tmp_path, kind, rows):
    kind.write(rows, tmp_path / "t")
    (shard,) = kind.shards(tmp_path / "t")
    whole, written = shard.read_bytes(), kind.read(tmp_path / "t")
    draw = random.Random(5)
    about = pq.read_metadata(shard).row_group(0)
    columns = [about.column(i) for i in range(about.num_columns)]
    starts = [column.dictionary_page_offset or column.data_page_offset for column in columns]
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    places = [draw.randrange(len(whole)) for _ in range(150)]
    places += [start + draw.randrange(40) for start in starts for _ in range(20)]  # the headers of pages
    places += [draw.randrange(len(whole) - footer, len(whole)) for _ in range(150)]
    noticed = 0
    for place in places:
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << draw.randrange(8)]) + whole[place + 1 :])
        for some in (None, kind.schema.names[-1:]):
            try:
                found = kind.read(tmp_path / "t", some)
            except UserError as error:
                assert shard.name in str(error) and "dvc repro" in str(error)
                noticed += some is None
            else:  # a statistic, say, that nothing reads
                assert found.equals(written.select(found.column_names)), (place, len(whole))
    assert noticed > len(places) / 2


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b[:-1], lambda b: b"x" * len(b)]
)
def test_what_is_cut_off_or_garbage_is_told_by_name(tmp_path, damage):
    kind, rows = next(tables())
    kind.write(rows, tmp_path / "t")
    (shard,) = kind.shards(tmp_path / "t")
    shard.write_bytes(damage(shard.read_bytes()))
    for read in (kind.read, kind.count, lambda path: kind.find(path, NAMES[:2], ["words"])):
        with pytest.raises(Damaged, match=r"part-00000\.parquet is damaged .*dvc repro"):
            read(tmp_path / "t")


def test_a_footer_that_tells_two_numbers_of_rows_is_damaged(tmp_path, monkeypatch):
    kind, rows = next(tables())
    kind.write(rows, tmp_path / "t")
    (shard,) = kind.shards(tmp_path / "t")
    footer = SimpleNamespace(num_rows=ROWS + 1, num_row_groups=1, row_group=pq.read_metadata(shard).row_group)
    monkeypatch.setattr(pq, "read_metadata", lambda path: footer)
    with pytest.raises(Damaged, match="300 rows in its groups and 301 in all"):
        kind.count(tmp_path / "t")
