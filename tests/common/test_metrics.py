"""Metrics: small JSON that Git keeps; what is asked for and not there is named."""

import numpy as np
import pytest

from pipeline.common.metrics import read_metrics, write_metrics
from pipeline.running.errors import UserError


def test_what_is_written_is_read_rounded_to_significant_digits(tmp_path):
    path = tmp_path / "m.json"
    write_metrics(
        {
            "rank": np.float32(1234.567),
            "share": 0.000123456,
            "posts": np.int64(7),
            "ends": (1, 2.0),
            "known": np.bool_(True),
        },
        path,
    )
    assert read_metrics(path) == {"rank": 1235.0, "share": 0.0001235, "posts": 7, "ends": [1, 2.0], "known": True}


def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"m\.json: a: b is nan"):
        write_metrics({"a": {"b": float("nan")}}, tmp_path / "m.json")


def test_a_key_or_file_that_is_not_there_is_named(tmp_path):
    write_metrics({"posts": {"in": 7}}, tmp_path / "m.json")
    with pytest.raises(UserError, match=r"m\.json: no 'out' among in"):
        read_metrics(tmp_path / "m.json")["posts"]["out"]
    assert read_metrics(tmp_path / "m.json")["posts"].get("out") is None
    with pytest.raises(UserError, match=r"n\.json does not exist"):
        read_metrics(tmp_path / "n.json")
