import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.embedding.batches import tokens
from pipeline.embedding.model import JointModel, Trained
from pipeline.embedding.shape import Shape
from pipeline.embedding.vectors import embed_texts
from pipeline.space.questions.spelling import known_parts, spelled
from pipeline.tables.embedding import PARTS
from pipeline.tables.table import strings, vectors
from pipeline.words.subwords import Parts

WORDS = ["flower", "garden", "motor", "wheel"]
PARTS_KNOWN = Parts(["<flo", "flow", "wheel"], np.array([[9, 0, 0], [5, 2, 0], [0, 0, 6]], np.float32))
ROWS = np.array([[8, 1, 0], [7, 2, 0], [0, 8, 1], [0, 1, 8]], np.float32)
WEIGHTS = np.array([1.0, 2.0, 3.0, 1.5], np.float32)


def model_of(words, rows, weights, **shape):
    sizes = {"dim": 7, "image": 2, "word": 3, "text_length": 6, "dropout": 0.0, "word_mean": True, **shape}
    model = JointModel(Shape(**sizes), torch.tensor(rows), torch.zeros(2, 3), seed=3, weights=torch.tensor(weights))
    return Trained(model.eval(), strings(["ann", "bob"]), strings(words))


@pytest.mark.parametrize("shape", [{"windows": (), "filters": ()}, {"windows": (1, 2), "filters": (4, 4)}])
def test_a_text_is_embedded_as_by_a_model_that_had_the_word(shape):
    asked = pa.array([["wheel", "flowers", "xyzzy", "motor"], ["garden"], ["xyzzy"], []], pa.list_(pa.string()))
    small, near = spelled(model_of(WORDS, ROWS, WEIGHTS, **shape), PARTS_KNOWN, asked)
    row = np.mean([[9, 0, 0], [5, 2, 0]], axis=0, dtype=np.float32)[None]
    whole = model_of([*WORDS, "flowers"], np.concatenate([ROWS, row]), np.append(WEIGHTS, np.float32(3)), **shape)
    of_small, of_whole = (tokens(asked, m.vocabulary, 6) for m in (small, whole))
    assert (of_small > 0).sum(axis=1).tolist() == [3, 1, 0, 0]
    np.testing.assert_allclose(embed_texts(small.model, of_small), embed_texts(whole.model, of_whole), atol=1e-6)
    assert near == {"flowers": ("flower", "garden", "motor")}  # by cosine


def test_known_words_leave_the_model_as_it_is():
    trained = model_of(WORDS, ROWS, WEIGHTS, windows=(), filters=())
    asked = pa.array([["flower", "xyzzy"]], pa.list_(pa.string()))
    assert spelled(trained, PARTS_KNOWN, asked) == (trained, {})


def test_parts_of_a_run_and_of_one_without(tmp_path):
    assert known_parts(tmp_path / "parts").spell(["flowers"])[0] == []
    PARTS.write(pa.table({"part": strings([]), "vector": vectors(np.empty((0, 3), np.float32))}), tmp_path / "parts")
    assert known_parts(tmp_path / "parts").spell(["flowers"])[0] == []
    held = pa.table({"part": strings(PARTS_KNOWN.ngrams), "vector": vectors(PARTS_KNOWN.vectors)})
    PARTS.write(held, tmp_path / "parts")
    np.testing.assert_array_equal(known_parts(tmp_path / "parts").spell(["flowers"])[1], [[7, 1, 0]])
