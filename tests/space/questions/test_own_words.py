"""Questions in the corpus's own words: words of many users, often said together; nobody's own."""

import pyarrow as pa
import pytest

from pipeline.space.questions.own_words import own_questions

VOCABULARY = pa.array(["car", "cat", "dog", "kitten", "mine", "old", "paw", "secret", "sports"])

SAID = pa.schema({"user_id": pa.string(), "words": pa.list_(pa.string())})


def posts(users, texts):
    rows = [(f"u{u}", text.split()) for u in range(users) for text in texts]
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=SAID)


def test_pairs_share_a_word_and_each_word_stands_in_one_pair():
    found = own_questions(posts(20, ["sports car", "old car", "cat paw", "cat kitten", "dog"]), VOCABULARY, 4)
    assert sorted(map(sorted, found)) == [["kitten cat", "paw cat"], ["old car", "sports car"]]
    assert own_questions(posts(20, ["sports car", "old car", "cat paw", "cat kitten"]), VOCABULARY, 1) == found[:1]


def test_words_of_few_users_and_words_the_model_does_not_know_ask_nothing():
    many = posts(20, ["sports car", "old car"])
    one = posts(1, ["mine secret", "mine secret", "mine secret", "secret car unheard", "mine old"] * 9)
    said = {
        word for pair in own_questions(pa.concat_tables([many, one]), VOCABULARY, 9) for q in pair for word in q.split()
    }
    assert said == {"sports", "old", "car"}


def test_a_question_that_would_be_read_as_other_words_is_not_asked():
    said = posts(20, ["sports car", "old car", "cat paw", "cat kitten"])

    def read(questions):
        return [question.replace("old", "age").split() for question in questions]

    assert sorted(map(sorted, own_questions(said, VOCABULARY, 4, read))) == [["kitten cat", "paw cat"]]


@pytest.mark.parametrize("texts", [[], [""], ["car"], ["car old"]])
def test_little_to_ask_with_gives_no_question(texts):
    assert own_questions(posts(3, texts) if texts else SAID.empty_table(), VOCABULARY, 4) == []
