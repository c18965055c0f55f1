import pytest

from pipeline.space.questions.question import Term, parse, spelled


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("red flower", [(1, "text", "red flower")]),
        ("beach + user:ann - surf", [(1, "text", "beach"), (1, "user", "ann"), (-1, "text", "surf")]),
        ("beach + user:ann \u2212 surf", [(1, "text", "beach"), (1, "user", "ann"), (-1, "text", "surf")]),
        ("beach -surf", [(1, "text", "beach"), (-1, "text", "surf")]),
        ("- surf", [(-1, "text", "surf")]),
        ("T-shirt of AC-DC", [(1, "text", "T-shirt of AC-DC")]),
        ("user:Ann Smith + image:09a2", [(1, "user", "Ann Smith"), (1, "image", "09a2")]),
        ('user:"a - b" + cat', [(1, "user", "a - b"), (1, "text", "cat")]),
        ("post:animals/2_dogs", [(1, "post", "animals/2_dogs")]),
        ("time: noon", [(1, "text", "time: noon")]),
        ("user:", [(1, "text", "user:")]),
        ("  ", []),
        ("+ - +", []),
        ("-- x", [(1, "text", "-- x")]),
    ],
)
def test_a_question_is_read_as_it_is_meant(typed, terms):
    assert parse(typed) == [Term(*term) for term in terms]


@pytest.mark.parametrize("name", ["ann", "a - b", "Ann Smith", "x+y", "a:b", "-dash", "ünï"])
def test_what_is_spelled_is_read_again(name):
    assert parse(f"cat - {spelled('user', name)}") == [Term(1, "text", "cat"), Term(-1, "user", name)]


def test_a_book_is_no_question():
    with pytest.raises(ValueError, match="at most"):
        parse("word " * 1000)
