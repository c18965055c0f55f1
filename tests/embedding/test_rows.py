"""Rows of a file: as of the array, without the file in memory."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.embedding.rows import FileRows, on_disk

RANDOM = np.random.default_rng(0)


@pytest.fixture
def saved(tmp_path):
    values = RANDOM.random((50, 7)).astype(np.float16)
    np.save(tmp_path / "rows.npy", values)
    return values, tmp_path / "rows.npy"


def test_rows_and_columns_are_those_of_the_array(saved):
    values, path = saved
    rows = on_disk(path)
    assert rows.shape == values.shape and len(rows) == 50 and rows.dtype == values.dtype
    places = np.array([3, 49, 0, 3], np.int32)
    for found, expected in (
        (rows[places], values[places]), (rows[10:20], values[10:20]), (rows[places[:0]], values[:0]),
        (rows[:, 2:], values[:, 2:]), (rows[:, -3:][places], values[places, -3:]), (rows[:, 1:][:, :2], values[:, 1:3]),
        (np.asarray(rows, float), values.astype(float)),
    ):  # fmt: skip
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
    assert rows[:, 2:].shape == (50, 5)


def test_what_is_written_is_read_and_the_rest_stays(saved):
    values, path = saved
    places, new = np.array([40, 2]), RANDOM.random((2, 7)).astype(np.float32)
    FileRows(path, writable=True)[places] = new
    values[places] = new
    np.testing.assert_array_equal(np.load(path), values)


@pytest.mark.parametrize("place", [50, -1])
def test_a_row_that_there_is_not_fails(saved, place):
    with pytest.raises(IndexError, match="50"):
        on_disk(saved[1])[np.array([place])]


def test_a_file_that_ends_early_fails(saved):
    rows = on_disk(saved[1])
    with saved[1].open("r+b") as stream:
        stream.truncate(saved[1].stat().st_size - 1)
    assert len(rows[:49]) == 49
    with pytest.raises(OSError, match=r"rows\.npy"):
        rows[49:]


@pytest.mark.parametrize("shape", [(0, 7), (7, 0)])
def test_of_an_empty_array_there_are_none(tmp_path, shape):
    np.save(tmp_path / "none.npy", np.empty(shape, np.float16))
    assert on_disk(tmp_path / "none.npy")[:].shape == shape


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell what is mapped")
def test_no_part_of_the_file_stays_in_memory(tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((4096, 1024), np.float32))
    rows = on_disk(tmp_path / "large.npy")
    rows[np.arange(0, 4096, 3)]
    assert "large.npy" not in Path("/proc/self/smaps").read_text()
