"""Letters as numbers: what is written counts, as it is written, and nothing else."""

import numpy as np

from pipeline.tables.embedding import LETTERS
from pipeline.words.letters import letters

TEXT = "The quick brown fox, it jumps over the lazy dog!"


def cosine(one, other):
    return float(np.dot(*letters([one, other]).astype(np.float64)))


def test_case_punctuation_and_spelling_are_told_apart_in_any_script_and_an_empty_text_is_zeros():
    found = letters([TEXT, "", "Привет, мир 🙂", "今日は"])
    assert found.shape == (4, LETTERS) and found.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(found.astype(float), axis=1), [1, 0, 1, 1], atol=1e-3)
    for other in (TEXT.lower(), TEXT.replace("!", "..."), TEXT.replace("jumps", "jmups"), TEXT + " 🙂"):
        assert 0.5 < cosine(TEXT, other) < 0.99
    assert cosine(TEXT, TEXT.replace(" ", "  \n")) > 0.999
    assert abs(cosine(TEXT, "今日は")) < 0.2


def test_a_text_is_the_same_numbers_alone_and_among_many():
    texts = [f"{TEXT} {number}" for number in range(5000)]
    np.testing.assert_array_equal(letters(texts)[[7, 4500]], letters([texts[7], texts[4500]]))


def test_what_is_said_often_counts_by_its_logarithm():
    found = np.sort(np.abs(letters(["aaab"])[0].astype(float)))
    found = found[found > 0]  # b, ab, aaa, aab once, aa twice, a three times
    np.testing.assert_allclose(found / found[0], np.log([2, 2, 2, 2, 3, 4]) / np.log(2), rtol=2e-3)
