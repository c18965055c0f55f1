"""Filters take exactly the posts of which what they ask for is true, and none of which it is not known."""

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest

from pipeline.space.filters import Filters, posts_taken
from pipeline.space.library import Library
from pipeline.tables.corpus import POSTS
from pipeline.tables.details import DETAILS
from pipeline.tables.text import WORDS

TOLD = [
    {"post_id": "a", "language": "pt-BR", "url": "https://www.example.org/u/1", "likes": 0, "replies": None,
     "reply_to": "ann", "answers": None, "alt": ["a tree", ""]},
    {"post_id": "b", "language": "en", "url": "https://example.org:8080/u/2", "likes": 10, "replies": 2,
     "reply_to": None, "answers": "a", "alt": []},
    {"post_id": "c", "language": None, "url": "http://notexample.org/example.org", "likes": 20, "replies": 0,
     "reply_to": None, "answers": None, "alt": ["", ""]},
]  # fmt: skip
"""d and e have no row: nothing is told of them."""
FOUND = {"b": "de", "c": "und", "d": "en"}
SAID = {"a": "A tree.", "b": "ÉTÉ (1.", "c": "streets"}
TIMES = {"a": datetime(2020, 5, 1), "b": datetime(2020, 5, 2, 23, 59), "c": datetime(2020, 5, 3)}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    data = tmp_path_factory.mktemp("filters")
    ids = list("abcde")
    POSTS.write(
        POSTS.of([(name, "ann" if name < "c" else "bea", SAID.get(name), None, TIMES.get(name), None) for name in ids]),
        data / "corpus/posts",
    )
    DETAILS.write(pa.Table.from_pylist(TOLD, DETAILS.schema), data / "corpus/details")
    WORDS.write(WORDS.of([(name, [name], [], code) for name, code in FOUND.items()]), data / "text/words")
    return Library(data)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(), "abcde"),
        (Filters(languages=("pt",)), "a"),
        (Filters(languages=("pt-BR",)), "a"),
        (Filters(languages=("pt-PT",)), ""),
        (Filters(languages=("en",)), "bd"),  # as its source says, and as the cleaning found
        (Filters(languages=("de", "en")), "bd"),
        (Filters(languages=("und",)), "ce"),
        (Filters(link="example.org"), "ab"),
        (Filters(link="www.example.org"), "a"),
        (Filters(link="EXAMPLE.org/"), "ab"),
        (Filters(link="http://notexample.org/"), "c"),
        (Filters(likes=(0, None)), "abc"),
        (Filters(likes=(10, 10)), "b"),
        (Filters(likes=(None, 10)), "ab"),
        (Filters(replies=(0, None)), "bc"),
        (Filters(answering=True), "ab"),
        (Filters(answering=False), "cde"),
        (Filters(answered_user="ann"), "a"),
        (Filters(answered_post="a"), "b"),
        (Filters(answered_post="z"), ""),
        (Filters(described=True), "a"),
        (Filters(described=False), "bcde"),
        (Filters(user="bea"), "cde"),
        (Filters(user="nobody"), ""),
        (Filters(user="ann", likes=(1, None)), "b"),
        (Filters(contains="tree"), "ac"),
        (Filters(contains="été (1."), "b"),
        (Filters(contains="."), "ab"),
        (Filters(lacks="TREE"), "bde"),  # without a text nothing is said
        (Filters(contains="e", lacks="tree"), ""),
        (Filters(other_than=("ann",)), "cde"),
        (Filters(other_than=("ann", "bea")), ""),
        (Filters(until=date(2020, 5, 2)), "ab"),  # the day included; of d and e nobody knows when
        (Filters(since=date(2020, 5, 2)), "bc"),
        (Filters(since=date(2020, 5, 2), until=date(2020, 5, 2)), "b"),
        (Filters(least=0.5), "abcde"),
    ],
)
def test_a_filter_takes_what_it_says(library, filters, wanted):
    assert "".join(np.array(list("abcde"))[posts_taken(library, filters)]) == wanted
    assert filters.of_posts == (filters not in (Filters(), Filters(least=0.5)))


def test_languages_are_counted_once_a_post(library):
    assert library.languages == {"und": 2, "de": 1, "en": 1, "pt": 1}
