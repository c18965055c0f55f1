"""Cells as other programs write them: ids, times, lists, what is missing, and what a spreadsheet left."""

import csv
import json
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.reading import files
from pipeline.corpus.reading.cells import LOST, MAX_TEXT, NO_TIME, lists, split_lists, truth
from pipeline.corpus.rounded import ROUNDED
from pipeline.corpus.sources.table import TableCorpus
from tests.corpus.tables import HEADER, read, table_of, written


def ids_of(path, name="user_id"):
    rows, refused = read(path)
    return [row[name] for row in rows], {reason for reason, _ in refused.values()}


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        *[("100001.0", "100001"), ("100001.", "100001"), ("123456789012345.0", "123456789012345"), (" 7 ", "7")],
        *[("120034000001000000", "120034000001000000"), ('"=""123"""', "123"), ("'123", "123"), ("b'abc'", "abc")],
        *[("1e5", "1e5"), ("4E4", "4E4"), ("null", "null"), ("NA", "NA"), ("O'Neill", "O'Neill"), ("v1.0.2", "v1.0.2")],
        ('"=HYPERLINK(""https://x.org/ann"",""ann"")"', "ann"),
        *[('"=(""8445162064354"")"', "8445162064354"), ("'@ann", "@ann"), ("'-9", "-9"), ("'tis", "'tis")],
        *[("1.20034E+17", ROUNDED), ("1.2e17", ROUNDED), ("1e+17", ROUNDED), ("120034000001000000.0", ROUNDED)],
        *[('"1,20034E+17"', ROUNDED), ("nan", None), ("NaN", None), ("<NA>", None)],
        *[("1.42328311883123e-189", ROUNDED), ("1e-5", "1e-5")],  # bit64's numbers as floats
    ],
)
def test_ids_are_kept_mended_without_loss_or_refused(tmp_path, cell, meant):
    rows, refused = read(written(tmp_path / "p.csv", f"{HEADER}p1,{cell},x,\n"))
    if meant == ROUNDED:
        ((reason, detail),) = refused.values()
        assert reason == ROUNDED and detail.startswith("row 2 of p.csv: user_id is 1") and "as text" in detail
    else:
        assert [row["user_id"] for row in rows] == [meant]


def test_ids_of_any_kind_of_column(tmp_path):
    one = uuid.UUID("12345678123456781234567812345678")
    for values, meant, reasons in (
        (pa.array([100001.0, None, float("nan")]), ["100001", None, None], set()),
        (pa.array([2.0**53, 1.2e17, 1.5]), [], {ROUNDED}),
        (pa.array([Decimal("120034000001000000"), Decimal(7)]), ["120034000001000000", "7"], set()),
        (pa.array([Decimal("120034000001000000.00")]), ["120034000001000000"], set()),
        (pa.array([one.bytes], pa.binary(16)), [str(one)], set()),
        (pa.array([2**63], pa.uint64()), [str(2**63)], set()),
        (pa.array([b"caf\xc3\xa9", b"x"], pa.binary()), ["café", "x"], set()),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"], set()),
    ):
        texts = pa.array(["x"] * len(values))
        table = {
            "post_id": pa.array(range(len(values))),
            "user_id": values,
            "text": texts,
            "image": pa.nulls(len(values)),
        }
        pq.write_table(pa.table(table), tmp_path / "p.parquet")
        assert ids_of(tmp_path / "p.parquet") == (meant, reasons)


def test_missing_values_as_pandas_has_them(tmp_path):
    frame = pd.DataFrame({"post_id": [1, 2], "user_id": [1.0, 2.0], "text": ["x", np.nan], "image": [np.nan, np.nan]})
    frame.to_parquet(tmp_path / "p.parquet")
    lines = "\n".join(map(json.dumps, frame.to_dict("records")))
    frame.astype(str).to_csv(tmp_path / "p.csv", index=False)
    for path in (tmp_path / "p.parquet", written(tmp_path / "p.jsonl", lines), tmp_path / "p.csv"):
        rows, refused = read(path)
        assert [(row["user_id"], row["text"], row["image"]) for row in rows] == [("1", "x", None), ("2", None, None)]
        assert not refused
    assert "NaN" in lines


def test_bytes_that_were_written_as_text_are_texts(tmp_path):
    pd.DataFrame({"post_id": [1, 2], "user_id": ["u", "v"], "text": ["é 'x'".encode(), b"y"], "image": ""}).to_csv(
        tmp_path / "p.csv", index=False
    )
    assert [row["text"] for row in read(tmp_path / "p.csv")[0]] == ["é 'x'", "y"]
    mixed = HEADER + "1,u,b'x',\n2,u,other,\n"
    assert [row["text"] for row in read(written(tmp_path / "q.csv", mixed))[0]] == ["b'x'", "other"]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["['art', 'music']", '["art", "food"]', "[]", None], [["art", "music"], ["art", "food"], [], None]),
        (["['art' 'music']", "['art'\n 'food']"], [["art", "music"], ["art", "food"]]),
        (["{art,music}", '{"street art",music}'], [["art", "music"], ["street art", "music"]]),
        (["art, music", "food"], [["art", "music"], ["food"]]),
        (["arts, crafts; music", "a, b"], [["arts, crafts", "music"], ["a, b"]]),
        (
            ["array(['art', 'music'], dtype=object)", "frozenset({'food'})", "set()", "[nan]"],
            [["art", "music"], ["food"], [], []],
        ),
        (["art|street food", "a, b"], [["art", "street food"], ["a, b"]]),
        (["芸術、音楽", "食，art", "فن، سفر"], [["芸術", "音楽"], ["食", "art"], ["فن", "سفر"]]),
        (["فن، سفر؛ art"], [["فن، سفر", "art"]]),
        (['c("art", "music")', "c('food')", "list(art)"], [["art", "music"], ["food"], ["art"]]),
        (["WrappedArray(art, music)", "Index(['art'], dtype='object')"], [["art", "music"], ["art"]]),
        (["Counter({'art': 3})", "art (12)", "art(12)"], ["{'art': 3}", ["art (12)"], ["art(12)"]]),
        (['c("art", "music")', "a; b"], [["art", "music"], ["a", "b"]]),
        (
            ['"[\\"art\\", \\"music\\"]"', '"street food"', '"art", "food"', '""'],
            [["art", "music"], ["street food"], ["art", "food"], []],
        ),
        (
            ["[“art”, “music”]", "„art“, ‘food’", "rock 'n' roll"],
            [["art", "music"], ["art", "food"], ["rock 'n' roll"]],
        ),
        (["art\tfood", "music"], [["art", "food"], ["music"]]),
        (["art\t; food", "a"], [["art", "food"], ["a"]]),
        (['a:1:{i:0;s:3:"art";}'], ['a:1:{i:0;s:3:"art";}']),
        (
            ['{"art": 1}', '[{"name": "art"}]', "['art', ...]", '["art","mus'],
            ['{"art": 1}', '[{"name": "art"}]', "['art', ...]", '["art","mus'],
        ),
        (["('art', 'music')", "{'food'}", "[art, music]"], [["art", "music"], ["food"], ["art", "music"]]),
        (['["it\'s", "a, b"]', "[1, null]"], [["it's", "a, b"], ["1"]]),
        (["[art, 'rock, pop']", "[it's]"], [["art", "rock, pop"], ["it's"]]),
        (["[" * 10_000, "[__import__('os')]"], [[], ["__import__('os')"]]),
    ],
)
def test_lists_as_text(cells, names):
    found = split_lists(cells)
    assert found[1:] == names[1:] and (found[0] == names[0] or len(cells[0]) == 10_000)


def test_more_text_than_a_column_holds_is_read_in_parts_and_a_long_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 1 << 20)
    text = "word " * 20_000
    columns = {"post_id": pa.array(range(100)), "user_id": ["u"] * 100, "image": pa.nulls(100)}
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 100, pa.int32()), pa.array([text]))
    pq.write_table(pa.table(columns | {"text": shared}), tmp_path / "p.parquet")
    pieces = [good for good, _ in TableCorpus(tmp_path / "p.parquet", tmp_path, tmp_path).rows()]
    assert [row for piece in pieces for row in piece["row"].to_pylist()] == list(range(1, 101))
    assert max(piece["text"].nbytes for piece in pieces) < 1.2e6 and len(pieces) == 10
    rows, refused = read(written(tmp_path / "p.csv", HEADER + f"a,u,{'x' * (MAX_TEXT + 1)},\nb,u,x,\n"))
    assert [row["post_id"] for row in rows] == ["b"] and refused["a"][0] == "too long a text"


@pytest.mark.parametrize("error", ["#NAME?", "#REF!", "#N/A", "#VALUE!", "####", "#NOM?", "#ERROR!", "Err:508"])
def test_what_a_spreadsheet_left_of_a_formula_is_no_id(tmp_path, error):
    rows, refused = read(written(tmp_path / "p.csv", f"{HEADER}p1,{error},x,\np2,u,#art #food,\n"))
    assert [row["post_id"] for row in rows] == ["p2"]
    assert refused["p1"][0] == LOST and f"user_id is {error}" in refused["p1"][1]


def test_a_text_that_was_taken_for_a_formula_is_told(tmp_path):
    rows, refused = read(written(tmp_path / "p.csv", f"{HEADER}p1,u,#NAME?,\np2,u,####,\np3,u,#WOW!,\n"))
    assert [row["text"] for row in rows] == ["####", "#WOW!"] and refused["p1"][0] == LOST


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        *[("0", None), ("-1", None), ("1970-01-01T00:00:00Z", None), ("1970-01-01", None), ("NA", None), ("-", None)],
        *[
            ("20240501", 0),
            ("2024-5-1 9:05", 9),
            ("2024/5/1", 0),
            ("2024-05-01 22:00:00 CEST", 20),
            ("20241301", NO_TIME),
        ],
        *[("2024-05-01 10:00:00 EST", 15), ("2024-05-01 10:00:00 CST", NO_TIME), ("2024-5-1T9:05:07", 9)],
        *[("20240501T220000Z", 22), ("2024/05/01 22:00:00", 22), ("Wednesday, May 1, 2024 10:00 PM", 22)],
        *[
            ("May 1, 2024 12:05 am", 0),
            ("1 May 2024", 0),
            ("May 1, 2024 10:00pm", 22),
            ("0000-00-00 00:00:00", None),
            (".", None),
        ],
        *[("01may2024 22:00:00", 22), ("01MAY2024:22:00:00", 22), ("01MAY2024", 0)],  # Stata, SAS
        *[("638501976000000000", 22), ("133590744000000000", 22)],  # .NET, Windows
        *[("05/01/2024 10:00", NO_TIME), ("1.5.2024", NO_TIME), ("2024-02-30", NO_TIME), ("45413", NO_TIME)],
        *[("2024-05-01T22:00:00,000Z", 22), ("1403-02-12 10:00", NO_TIME), ("1445-10-22", NO_TIME)],  # Iran's, Islam's
        *[("May 1, 2024 13:00 PM", NO_TIME), ("2024", NO_TIME), ("1.7145576E+09", NO_TIME)],
    ],
)
def test_times_are_read_or_refused_and_never_taken_for_others(tmp_path, written_as, meant):
    rows, refused = read(written(tmp_path / "p.csv", f'{HEADER[:-1]},created_at\np1,u,x,,"{written_as}"\n'))
    if meant == NO_TIME:
        assert refused["p1"][0] == NO_TIME
    else:
        found = rows[0]["created_at"]
        assert found == (None if meant is None else found.replace(2024, 5, 1, hour=meant)), found


def test_images_that_are_a_list_as_text_are_the_posts_images(tmp_path):
    given = [
        ["p1", "u", "x", "['a.png', 'b.png']", "c.png"],
        ["p2", "u", "x", "[a].png", ""],
        ["p3", "u", "x", "", "d.png"],
    ]
    with (tmp_path / "p.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([[*HEADER.strip().split(","), "more_images"], *given])
    rows, refused = read(tmp_path / "p.csv")
    found = [(row["image"], row["more_images"]) for row in rows]
    assert found == [("a.png", ["b.png", "c.png"]), ("[a].png", None), (None, ["d.png"])] and not refused


def test_na_without_quotes_is_none_where_r_wrote_the_table_and_a_name_elsewhere(tmp_path):
    head = '"post_id","user_id","text","image","created_at"'
    rows, refused = read(
        table_of(tmp_path / "p.csv", head, [['"a"', "NA", "NA", "NA", "NA"], ['"b"', '"NA"', '"NA"', '""', ""]])
    )
    assert not refused and [(row["user_id"], row["text"], row["image"]) for row in rows] == [
        (None, None, None),
        ("NA", None, None),
    ]
    # readr writes no quotes at all: an author may be called so, but a whole text says nothing.
    rows, refused = read(table_of(tmp_path / "p.csv", head.replace('"', ""), [["a", "NA", "NA", "NA", "NA"]]))
    assert not refused and [(row["user_id"], row["text"], row["image"], row["created_at"]) for row in rows] == [
        ("NA", None, None, None)
    ]


@pytest.mark.parametrize(
    "cell", ["[]", "[ ]", "[None]", "{}", "nan", "None", "N/A", "-", ".", "character(0)", "undefined", "False"]
)
def test_what_programs_write_for_no_picture_is_none(tmp_path, cell):
    ((row,), refused) = read(written(tmp_path / "p.csv", f"{HEADER}p1,u,x,{cell}\n"))
    assert row["image"] is None and not refused


def test_names_on_lines_of_their_own_are_a_list():
    assert split_lists(["art\nsport; outdoors\n", "music"]) == [["art", "sport; outdoors"], ["music"]]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["Arts &amp; Crafts; Sport", "R&D;Art"], [["Arts & Crafts", "Sport"], ["R&D", "Art"]]),
        (["Arts &#38; Crafts, Sport", "a; b &lt;3"], [["Arts & Crafts, Sport"], ["a", "b <3"]]),
        (["- art\n- rock-pop\n", "• music\n•food", "* a\n*b", "1. FC Köln"],
         [["art", "rock-pop"], ["music", "food"], ["a", "*b"], ["1. FC Köln"]]),
    ],
)  # fmt: skip
def test_interests_have_no_bullets_and_the_end_of_an_entity_separates_none(cells, labels):
    values, wrong = lists(pa.chunked_array([cells]), Path("users.csv"), "interests")
    assert values.to_pylist() == labels and not wrong.drop_null()
    names, _ = lists(pa.chunked_array([["- a&amp;b.png"]]), Path("posts.csv"), "more_images")
    assert names.to_pylist() == [["- a&amp", "b.png"]]  # of files nothing is known but their names


def test_lists_of_bytes_are_text_and_empty_lists_alone_are_none(tmp_path):
    for held, meant in (([[b"art"], []], [["art"], []]), ([[], None], [None, None])):
        found, wrong = lists(pa.chunked_array([pa.array(held)]), tmp_path, "interests")
        assert found.to_pylist() == meant and not wrong.drop_null()


def test_true_and_false_in_the_words_of_spreadsheets_and_people():
    yes = ("TRUE", "IGAZ", "Pravda", "ΑΛΗΘΗΣ", "はい", "نعم", "हाँ", "-1", "x", "✓", " 1.0 ", Decimal(1))
    no = ("FALSE", "HAMIS", "nepravda", "ΨΕΥΔΗΣ", "いいえ", "لا", "नहीं", "0", "", None, "☐", Decimal(0))
    assert {truth(one) for one in yes} == {True} and {truth(one) for one in no} == {False} and truth("brand") is None
