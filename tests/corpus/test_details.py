"""What a source tells of a post beside its content: read where it can be, else none, and no reason to leave."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.corpus import details
from pipeline.corpus.sources.table import TableCorpus
from pipeline.tables.details import TOLD


def read(**columns):
    found = details.read(pa.table(columns), Path("t.parquet"))
    return {name: found[name].to_pylist() for name in columns}


@pytest.mark.parametrize(
    ("name", "written", "known"),
    [
        ("likes", ["7", "1,234", "12.0", "-1", "1.2K", "", None], [7, 1234, 12, None, None, None, None]),
        ("likes", [7.0, 1e6, 0.5, float("nan"), -1.0, float("inf")], [7, 1_000_000, None, None, None, None]),
        ("replies", [0, 5], [0, 5]),
        ("replies", [["a reply"], []], [None, None]),
        ("language", ["en", "pt-BR", "und", "qme", "a language", None], ["en", "pt-BR", *[None] * 4]),
        ("url", ["https://x.example/1", "javascript:alert(1)", "x.example", "https://" + "x" * 3000],
         ["https://x.example/1", None, None, None]),
        ("reply_to", ["u1", " ", "1.2e+18", None], ["u1", None, None, None]),
        ("answers", [1_234_567_890_123_456_789, 5], ["1234567890123456789", "5"]),
        ("alt", [["a cat", ""], None], [["a cat", ""], None]),
        ("alt", ['["a cat", "a dog"]', "a cat, asleep", None], [["a cat", "a dog"], ["a cat, asleep"], None]),
        ("alt", [{"a": 1}], [None]),
    ],
)  # fmt: skip
def test_what_can_be_read_is_known_and_the_rest_is_none(name, written, known):
    assert read(**{name: written}) == {name: known}


def test_texts_are_known_of_whatever_kind_of_arrow_s():
    columns = {
        "alt": pa.array([["a cat"]], pa.list_(pa.large_string())),
        "language": pa.array(["en"], pa.string_view()),
        "url": pa.array(["https://x.example/1"], pa.large_string()).dictionary_encode(),
    }
    assert read(**columns) == {"alt": [["a cat"]], "language": ["en"], "url": ["https://x.example/1"]}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_tells_of_its_posts_and_odd_cells_cost_no_post(kind, tmp_path):
    text = {
        "csv": "post_id,user_id,text,image,likes,reply_to\n1,u,words,,5,v\n2,u,words,,many,\n",
        "jsonl": '{"post_id": "1", "user_id": "u", "text": "words", "image": "", "likes": 5, "reply_to": "v"}\n'
        '{"post_id": "2", "user_id": "u", "text": "words", "image": "", "likes": {"n": 5}, "reply_to": [1]}\n',
    }[kind]
    (tmp_path / f"posts.{kind}").write_text(text)
    corpus = TableCorpus(tmp_path / f"posts.{kind}", tmp_path, tmp_path / "users.csv")
    rows = pa.concat_tables([rows for rows, refused in corpus.rows() if not refused.num_rows])
    told = details.known(rows).to_pylist()
    assert rows.num_rows == 2
    assert told == [dict.fromkeys(TOLD) | {"post_id": "1", "likes": 5, "reply_to": "v"}]
