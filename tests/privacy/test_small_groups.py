"""What is told of few is told of a person: of groups of fewer than three, metrics and cards have how many there are."""

import json

import pyarrow as pa
import pytest

from pipeline.exports.interests import OTHER, Interests
from pipeline.report.card import _languages
from pipeline.tables.corpus import POSTS
from pipeline.tables.text import WORDS
from stages import clean_text


@pytest.mark.parametrize("writers", [2, 3])
def test_a_language_that_few_write_is_counted_and_not_named(writers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = [(f"p{n:03}", f"u{n % 10}", "en") for n in range(100)]
    said += [(f"q{n:03}", f"u{n % writers}", "is") for n in range(50)] + [("r", "u1", "fo")]
    posts, users, languages = zip(*said, strict=True)
    none = pa.nulls(len(said))
    told = {"post_id": posts, "user_id": users, "text": none, "image_id": none, "created_at": none}
    told["more_images"] = [[]] * len(said)
    columns = [told[field.name] for field in POSTS.schema]
    POSTS.write(pa.table([pa.array(c).cast(f.type) for c, f in zip(columns, POSTS.schema, strict=True)],
                         schema=POSTS.schema), clean_text.POSTS_PATH)  # fmt: skip
    words = {"post_id": posts, "words": [["a"]] * len(said), "hashtags": [[]] * len(said), "language": languages}
    WORDS.write(pa.table(words, schema=WORDS.schema), clean_text.WORDS_PATH)
    spoken, few = clean_text.by_language()
    assert spoken == ({"en": 100} if writers < 3 else {"en": 100, "is": 50})
    assert few == (2 if writers < 3 else 1)


def test_the_card_counts_languages_of_few_among_the_others():
    held = {name: {"posts": 9} for name in "abcdefghij"}
    assert _languages({"languages": held, "languages_of_few_users": 2}).endswith("h 9, and 4 others.")
    assert _languages({"languages": {"en": {"posts": 1}}, "languages_of_few_users": 0}) == "Posts by language: en 1."
    assert "1 language of fewer than 3 users" in _languages({"languages": {}, "languages_of_few_users": 1})
    assert "none with a text" in _languages({"languages": {}})


def test_a_kind_of_edge_that_a_file_made_up_is_no_key_of_the_metrics(tmp_path):
    (tmp_path / "brands.csv").write_text("target,interest\nnike,sports\n")
    edges = [("a", "nike", ""), ("b", "nike", "reply"), ("c", "nike", "cousin of Anna Quast"), ("d", "puma", "Anna")]
    (tmp_path / "edges.csv").write_text("user_id,target,kind\n" + "".join(",".join(edge) + "\n" for edge in edges))
    interests = Interests(tmp_path / "brands.csv")
    interests.read(tmp_path / "edges.csv")
    assert interests.edges == {"follow": 1, "reply": 1, OTHER: 1, "to nobody among the brands": 1}
    assert interests.of("c") == ["sports"] and "Anna" not in json.dumps(interests.edges)
