"""Rows of JSON, however they were printed, joined, wrapped or cut off."""

import gzip
import json

import pytest

from pipeline.running.errors import UserError
from tests.corpus.tables import read, written

ROWS = [{"post_id": f"p{n}", "user_id": "u", "text": f"x {n}", "image": None, "likes": n} for n in range(4)]
COLUMNS = {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]}


def test_json_in_one_list_whatever_the_name_and_what_is_no_row_is_told(tmp_path):
    row = {"post_id": "p1", "user_id": "u", "text": "x", "image": None}
    assert len(read(written(tmp_path / "p.jsonl", json.dumps([row, row])))[0]) == 2
    rows, refused = read(written(tmp_path / "q.jsonl", f"[1,\n{json.dumps(row)}"))
    assert len(rows) == 1 and list(refused) == ["row 1 of q.jsonl"]
    for content in (repr(row), repr([row, row]), "{" * 9):
        with pytest.raises(UserError, match=r"r\.jsonl: no row is an object of JSON, one a line.*; row 1: "):
            read(written(tmp_path / "r.jsonl", content))
    _, refused = read(written(tmp_path / "s.jsonl", json.dumps(row | {"text": 1.5})))
    assert refused["row 1 of s.jsonl"][1].endswith("text is of the kind float")


@pytest.mark.parametrize("name", ["p.json", "p.jsonl", "p.ndjson.gz"])
@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS[:2]) + json.dumps(ROWS[2:]),  # `cat` of two
        f"{json.dumps(ROWS[:2])}\n{json.dumps(ROWS[2:])}\n",  # a page a line
        "\n".join(json.dumps(row, indent=2) for row in ROWS),  # `jq .`
        "".join(f"{json.dumps(row)},\n" for row in ROWS),
        "[\n" + ",\n".join(map(json.dumps, ROWS)),  # never closed
        "".join(map(json.dumps, ROWS)),
        "\x1e".join(["", *(json.dumps(row) + "\n" for row in ROWS)]),  # RFC 7464
        json.dumps({"count": 4, "errors": [], "posts": ROWS}),
        json.dumps({"meta": {}, "data": ROWS}, indent=1),
        json.dumps(COLUMNS),  # pandas, by default
        json.dumps({"columns": list(ROWS[0]), "index": [0, 1, 2, 3], "data": [list(row.values()) for row in ROWS]}),
    ],
)
def test_rows_of_json_however_they_were_joined_printed_or_wrapped(tmp_path, name, content):
    rows, refused = read(written(tmp_path / name, gzip.compress(content.encode()) if "gz" in name else content))
    assert [(row["post_id"], row["text"], row["likes"]) for row in rows] == [(f"p{n}", f"x {n}", n) for n in range(4)]
    assert not refused


@pytest.mark.parametrize("indent", [None, 1])
def test_what_was_cut_off_or_broken_in_a_document_costs_itself_alone(tmp_path, indent):
    held = [json.dumps(row, indent=indent) for row in ROWS]
    rows, refused = read(written(tmp_path / "p.json", "[" + ",\n".join([*held[:2], held[2][:-9]])))
    assert [row["post_id"] for row in rows] == ["p0", "p1"] and list(refused) == ["row 3 of p.json"]
    rows, refused = read(written(tmp_path / "p.json", "[" + ",\n".join([held[0], '{"post_id": }', *held[2:]]) + "]"))
    assert [row["post_id"] for row in rows] == ["p0", "p2", "p3"] and list(refused) == ["row 2 of p.json"]
    assert "line" in refused["row 2 of p.json"][1] and "broken or cut off" in refused["row 2 of p.json"][1]


def test_values_in_boxes_as_r_writes_them_are_those_in_them(tmp_path):
    boxed = [{name: [] if value is None else [value] for name, value in row.items()} for row in ROWS]
    for content in (json.dumps(boxed), "\n".join(map(json.dumps, boxed))):
        rows, refused = read(written(tmp_path / "p.jsonl", content))
        assert [(row["post_id"], row["text"]) for row in rows] == [(f"p{n}", f"x {n}") for n in range(4)]
        assert not refused
