"""Rows set aside on disk."""

import numpy as np
import pyarrow as pa

from pipeline.corpus.spill import Spill


def test_spilled_rows_come_back_in_any_order(tmp_path):
    schema = pa.schema([("n", pa.int64()), ("t", pa.string())])
    with Spill(tmp_path / "s.arrow", schema) as spill:
        for begin in (0, 1, 40, 40, 100):
            numbers = range(begin, {0: 1, 1: 40, 40: 100, 100: 200}[begin])
            if spill.rows < numbers.stop:
                spill.append(pa.table({"n": numbers, "t": [f"row {n}" for n in numbers]}, schema=schema))
    rows = np.random.default_rng(1).permutation(200)
    taken = spill.take(np.r_[rows, rows[:3]])
    assert taken["n"].to_pylist() == [*rows, *rows[:3]]
    assert taken["t"].to_pylist() == [f"row {n}" for n in [*rows, *rows[:3]]]
    assert spill.take(np.empty(0, np.int64)).num_rows == 0
    assert spill.column("n").to_pylist() == list(range(200))
