"""Tables: one schema, key and order each; equal content, equal bytes; nothing half-written."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.running.errors import Damaged, UserError
from pipeline.tables import table as table_of
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.images import FEATURES
from pipeline.tables.table import TEXT, WORD_LIST, Table, content_bytes, matrix, positions, schema, stacked, vectors

SMALL = Table("small", schema(("post_id", TEXT), ("group_id", TEXT)), ("post_id",), shard_rows=3)


def groups(*ids):
    return pa.table({"post_id": list(ids), "group_id": ["g"] * len(ids)})


def contents(path):
    return [file.read_bytes() for file in sorted(path.iterdir())]


def test_equal_content_gives_equal_bytes_however_it_was_cut(tmp_path):
    ids = [f"{i:03d}" for i in range(10)]
    SMALL.write(groups(*np.random.default_rng(0).permutation(ids)), tmp_path / "whole")
    with SMALL.writer(tmp_path / "pieces") as writer:
        for cut in (ids[:1], ids[1:8], [], ids[8:]):
            writer.write(groups(*cut))
    assert contents(tmp_path / "whole") == contents(tmp_path / "pieces")
    assert len(SMALL.shards(tmp_path / "whole")) == 4
    assert SMALL.read(tmp_path / "pieces")["post_id"].to_pylist() == ids


def test_a_repeated_key_is_refused_within_and_across_shards(tmp_path):
    with pytest.raises(ValueError, match="without a repeated key"):
        SMALL.write(groups("a", "a"), tmp_path / "t")
    with pytest.raises(ValueError, match="follows"), SMALL.writer(tmp_path / "t") as writer:
        writer.write(groups("b"))
        writer.write(groups("b"))
    assert not (tmp_path / "t").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_earlier_table(tmp_path):
    SMALL.write(groups("a"), tmp_path / "t")
    with pytest.raises(RuntimeError), SMALL.writer(tmp_path / "t") as writer:
        writer.write(groups("b"))
        raise RuntimeError
    assert SMALL.read(tmp_path / "t")["post_id"].to_pylist() == ["a"]


def test_columns_are_checked_when_written_and_when_read(tmp_path):
    with pytest.raises(ValueError, match=r"missing columns \['group_id'\], unexpected columns \['x'\]"):
        SMALL.write(pd.DataFrame({"post_id": ["a"], "x": [1]}), tmp_path / "t")
    with pytest.raises(ValueError, match=r"small\.group_id allows no nulls; found 1"):
        SMALL.write(pa.table({"post_id": ["a"], "group_id": pa.array([None], pa.string())}), tmp_path / "t")
    SMALL.write(groups("a"), tmp_path / "t")
    other = Table("other", pa.schema([pa.field("post_id", pa.int64(), nullable=False)]), ("post_id",))
    with pytest.raises(UserError, match="column post_id of other is string; expected int64"):
        other.read(tmp_path / "t")
    with pytest.raises(UserError, match="no table small there"):
        SMALL.read(tmp_path / "nothing")


def test_an_empty_table_is_a_table(tmp_path):
    SMALL.write(SMALL.empty(), tmp_path / "t")
    assert SMALL.read(tmp_path / "t").num_rows == SMALL.count(tmp_path / "t") == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_vectors_come_back_bit_for_bit_whatever_the_shards(tmp_path, dtype):
    values = np.random.default_rng(0).normal(size=(7, 5)).astype(dtype)
    table = Table("features", FEATURES.schema, FEATURES.key, shard_rows=2)
    table.write(pa.table({"image_id": list("gfedcba"), "vector": vectors(values)}), tmp_path / "t")
    back = matrix(table.read(tmp_path / "t")["vector"])
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, values[::-1])
    sliced = matrix(table.read(tmp_path / "t")["vector"].slice(3, 2))
    np.testing.assert_array_equal(sliced, values[::-1][3:5])


def test_positions_are_rows_and_minus_one_is_nowhere():
    found = positions(pa.chunked_array([["b", None], ["z", "a"]]), pa.array(["a", "b"]))
    assert found.tolist() == [1, -1, -1, 0]


def test_rows_are_found_by_id_over_all_shards(tmp_path):
    SMALL.write(groups(*(f"{i:03d}" for i in range(10))), tmp_path / "t")
    found = SMALL.find(tmp_path / "t", {"008", "001", "nowhere"}, ["post_id", "group_id"])
    assert found == {name: {"post_id": name, "group_id": "g"} for name in ("001", "008")}
    assert SMALL.find(tmp_path / "t", [], ["group_id"]) == {}


def test_a_shard_ends_with_the_row_that_brings_its_text_to_the_bound_however_it_was_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(table_of, "SHARD_BYTES", 1000)
    kind = Table("wordy", schema(("id", TEXT), ("text", TEXT, True), ("words", WORD_LIST, True)), ("id",), shard_rows=7)
    draw = np.random.default_rng(0)
    rows = pa.table(
        {
            "id": [f"{i:03d}" for i in range(60)],
            "text": [None if i % 9 == 0 else "x" * int(draw.choice([0, 3, 400, 1500])) for i in range(60)],
            "words": pa.array([None if i % 7 == 0 else ["y" * 50] * (i % 5) for i in range(60)], WORD_LIST),
        }
    )
    kind.write(rows, tmp_path / "whole")
    for size in (1, 2, 3, 5, 30):
        with kind.writer(tmp_path / f"by {size}") as writer:
            for begin in range(0, 60, size):
                writer.write(rows.slice(begin, size))
        assert contents(tmp_path / f"by {size}") == contents(tmp_path / "whole")
    assert kind.read(tmp_path / "whole").equals(rows.cast(kind.schema))
    shards = [kind.read(shard) for shard in kind.shards(tmp_path / "whole")]
    assert 10 < len(shards) < 60 and max(shard.num_rows for shard in shards) == 7
    for shard in shards:
        held = [len(r["id"]) + len(r["text"] or "") + sum(map(len, r["words"] or [])) for r in shard.to_pylist()]
        assert content_bytes(shard).tolist() == held and sum(held[:-1]) < 1000
        assert shard is shards[-1] or len(held) == 7 or sum(held) >= 1000


def test_bytes_of_rows_are_those_of_what_a_dictionary_repeats():
    repeated = pa.array(["a", None, "bcd", "a"]).dictionary_encode()
    nothing = pa.array([None] * 4, pa.string()).dictionary_encode()
    rows = pa.table({"text": repeated, "none": nothing, "number": range(4), "data": [b"", b"xy", None, b"z"]})
    assert content_bytes(rows).tolist() == [1, 2, 3, 2] and content_bytes(rows.slice(1, 2)).tolist() == [2, 3]


def test_rows_are_found_in_their_shards_and_no_other_is_read(tmp_path):
    table, path = replace(EMBEDDINGS, shard_rows=3), tmp_path / "t"
    values = np.arange(16, dtype=np.float32).reshape(8, 2)
    table.write(pa.table({"id": list("abcdefgh"), "vector": vectors(values)}), path)
    (path / "part-00001.parquet").write_bytes(b"")
    with pytest.raises(Damaged):
        list(table.at(path, np.array([0, 7]), ["vector"]))
    table.write(pa.table({"id": list("abcdefgh"), "vector": vectors(values)}), path)
    for rows in ([0, 2, 6], [7], list(range(8)), []):
        pieces = [matrix(shard["vector"])[here] for shard, here in table.at(path, np.array(rows, int), ["vector"])]
        assert len(pieces) == max(1, len({row // 3 for row in rows}))
        np.testing.assert_array_equal(stacked(pieces, len(rows)), values[rows])
