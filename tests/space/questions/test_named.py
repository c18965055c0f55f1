"""Questions that name nobody stop a run before it has begun, and say who there is."""

import shutil
from pathlib import Path

import pytest

from pipeline.running.errors import UserError
from pipeline.space.questions.named import check_named, nearly
from pipeline.space.search import parse
from pipeline.tables.corpus import IMAGES, POSTS

ROOT = Path(__file__).parents[3]

PEOPLE = ["ann", "benji-park", "bob", "zoë"]
PICTURES = ["00aa11", "00ab22", "ff0000"]


@pytest.mark.parametrize(
    "asked", ["red flower", "user:ann", "user:zoë", "image:ff", "image:00aa", "image:00ab22", "post:x"]
)
def test_what_is_there_may_ask(asked):
    check_named(parse([[asked]]), PEOPLE, PICTURES)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("user:benjipark", "no user of the corpus is called; there is benji-park."),
        ("user:an", "no user of the corpus is called; there is ann."),
        ("user:q", "no user of the corpus is called; there is bob, zoë."),
        ("image:00", "and 2 images begin so; there is 00aa11, 00ab22."),
        ("image:dd", "no image of the corpus is called; there is 00ab22, ff0000."),
    ],
)
def test_what_is_not_is_one_sentence_with_the_key_and_what_is_nearest(asked, told):
    with pytest.raises(UserError) as refused:
        check_named(parse([["red flower", "user:ann"], [asked]]), PEOPLE, PICTURES)
    assert str(refused.value).startswith(f"params.yaml: report.queries asks with {asked}, ")
    assert str(refused.value).endswith(told)


def test_a_corpus_without_pictures_says_so():
    with pytest.raises(UserError, match="it has no image at all"):
        check_named(parse([["image:ff"]]), PEOPLE, [])
    assert nearly("x", []) == []


def test_the_stage_looks_into_the_corpus(tmp_path, monkeypatch):
    from stages import check_queries

    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    POSTS.write(POSTS.of([("p", "ann", "a tiger", None, None, None)]), check_queries.POSTS_PATH)
    IMAGES.write(IMAGES.empty(), check_queries.IMAGES_PATH)
    text = Path("params.yaml").read_text()
    check_queries.main()
    assert check_queries.CHECKED.exists()
    Path("params.yaml").write_text(text.replace("  queries: null\n", "  queries: [[tiger, 'user:nobody']]\n"))
    with pytest.raises(UserError, match="asks with user:nobody"):
        check_queries.main()
