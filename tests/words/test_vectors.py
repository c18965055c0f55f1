import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from gensim.models import Word2Vec
from scipy.sparse import csr_array

from pipeline.running.errors import UserError
from pipeline.running.params import validate
from pipeline.running.schema import Words
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix
from pipeline.words import vectors as word_vectors
from pipeline.words.vectors import SMOOTHING, join, learn, mean_by_user, occurrences, usage
from stages import word2vec

ROOT = Path(__file__).parents[2]
PARAMS = Words(min_count=3, size=12, skip_gram=True, window=5, epochs=5, negative=5, usage=0, subwords=False, workers=1)
LISTS = pa.list_(pa.string())


def learned_from(texts, seed=7):
    with tempfile.TemporaryDirectory() as folder:
        return learn(texts, PARAMS, seed, Path(folder))


def texts_of(rows):
    return pa.chunked_array([pa.array(rows, LISTS)])


def test_the_rate_falls_evenly_over_all_passes(tmp_path):
    class Model:
        alpha, min_alpha, corpus_count, corpus_total_words = 0.025, 0.001, 1, 1

        def __init__(self):
            self.rates = []

        def train(self, start_alpha, end_alpha, **_):
            self.rates.append((start_alpha, end_alpha))

    model = Model()
    word_vectors._make_passes(model, tmp_path / "corpus.txt", 4, tmp_path / "passes.npz")
    steps = np.linspace(0.025, 0.001, 5)
    np.testing.assert_allclose(model.rates, np.column_stack([steps[:-1], steps[1:]]))


@pytest.fixture(scope="module")
def topical():
    """2,000 texts of ten words, each from one of two sets of twenty words, and now and then a rare one."""
    chance = np.random.default_rng(0)
    return [
        [f"{'ab'[row % 2]}{k}" for k in chance.integers(0, 20, 10)] + ([f"rare{row % 700}"] if row < 1400 else [])
        for row in range(2000)
    ]


def test_the_same_arguments_give_the_same_vectors_and_another_seed_others(topical):
    first, again = learned_from([texts_of(topical)], 7), learned_from([texts_of(topical)], 7)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert not np.allclose(first.vectors, learned_from([texts_of(topical)], 8).vectors)


def killed_and_run_again(kind, texts, params, folder, monkeypatch):
    """What is learned by a model of gensim's `kind` whose training was killed after three passes and begun again."""
    monkeypatch.setattr(word_vectors, "CHECKPOINT_EVERY", 0.0)
    train, passes = kind.train, []

    def killed(model, **kwargs):
        if len(passes) == 3:
            raise KeyboardInterrupt
        passes.append(train(model, **kwargs))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(kind, "train", killed)
        learn(texts, params, 7, folder)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "train", lambda model, **kwargs: passes.append(train(model, **kwargs)))
        again = learn(texts, params, 7, folder)
    assert len(passes) == params.epochs
    return again


def test_a_killed_run_goes_on_after_its_last_pass_with_the_same_vectors(topical, tmp_path, monkeypatch):
    again = killed_and_run_again(Word2Vec, [texts_of(topical)], PARAMS, tmp_path, monkeypatch)
    np.testing.assert_array_equal(again.vectors, learned_from([texts_of(topical)], 7).vectors)


def test_vectors_do_not_depend_on_the_shards(topical):
    whole = learned_from([texts_of(topical)], 7)
    parts = learned_from([texts_of(topical[:700]), texts_of(topical[700:])], 7)
    np.testing.assert_array_equal(whole.vectors, parts.vectors)


def test_the_vocabulary_is_sorted_and_counts_every_occurrence(topical):
    learned = learned_from([texts_of(topical)], 7)
    words = learned.words.to_pylist()
    assert words == sorted(f"{letter}{k}" for letter in "ab" for k in range(20))  # rare words occur twice, of 3 needed
    flat = [word for text in topical for word in text]
    assert dict(zip(words, learned.counts.tolist(), strict=True)) == {word: flat.count(word) for word in words}


def test_words_of_a_topic_are_nearer_to_each_other_than_to_those_of_another(topical):
    learned = learned_from([texts_of(topical)], 7)
    unit = learned.vectors / np.linalg.norm(learned.vectors, axis=1, keepdims=True)
    cosine, topic = unit @ unit.T, np.array([word[0] for word in learned.words.to_pylist()])
    same = topic[:, None] == topic
    assert cosine[same].mean() > cosine[~same].mean() + 0.3


def test_words_beyond_ascii_and_posts_beyond_ten_thousand_words():
    long = [["naïve", "नमस्ते", "今日"] * 5000]
    learned = learned_from([texts_of(long)], 7)
    assert learned.words.to_pylist() == ["naïve", "नमस्ते", "今日"] and learned.counts.tolist() == [5000] * 3


def test_too_few_words_are_one_sentence():
    with pytest.raises(UserError, match=r"no word occurs 3 times in the 2 words .* lower words\.min_count"):
        learned_from([texts_of([["a"], [], ["b"]])], 7)


def test_users_are_the_means_of_all_their_known_words():
    words, vectors = pa.array(["a", "b"]), np.array([[1, 0], [0, 3]], np.float32)
    parts = [
        pa.table({"user_id": ["u2", "u1"], "words": pa.array([["a", "a", "x"], []], LISTS)}),
        pa.table({"user_id": ["u3", "u2", "u4"], "words": pa.array([["x"], ["b"], ["b"]], LISTS)}),
    ]
    users, counts = occurrences(parts, words)
    assert users.to_pylist() == ["u2", "u4"] and counts.toarray().tolist() == [[2, 1], [0, 1]]
    np.testing.assert_allclose(mean_by_user(counts, vectors), [[2 / 3, 1], [0, 3]])


def test_users_agree_with_a_slow_mean(topical):
    learned = learned_from([texts_of(topical)], 7)
    authors = [f"u{k}" for k in np.random.default_rng(1).integers(0, 30, len(topical))]
    table = pa.table({"user_id": authors, "words": pa.array(topical, LISTS)})
    users, counts = occurrences([table.slice(0, 900), table.slice(900)], learned.words)
    means = mean_by_user(counts, learned.vectors)
    vector_of = dict(zip(learned.words.to_pylist(), learned.vectors, strict=True))
    for user, mean in zip(users.to_pylist(), means, strict=True):
        own = [
            vector_of[w] for a, text in zip(authors, topical, strict=True) if a == user for w in text if w in vector_of
        ]
        np.testing.assert_allclose(mean, np.mean(own, axis=0), atol=1e-5)


def log_odds(counts):
    """In plain loops."""
    share, total = counts.sum(axis=0) / counts.sum(), counts.sum(axis=1)
    smoothed = [[(n + SMOOTHING * p) / (t + SMOOTHING) for n, p in zip(row, share, strict=True)]
                for row, t in zip(counts, total, strict=True)]  # fmt: skip
    return np.log(np.array(smoothed) / share)


def test_usage_holds_the_log_odds_with_enough_numbers_and_comes_near_with_fewer():
    counts = np.random.default_rng(3).poisson(2, (9, 40)) * (np.arange(40) % 9 != np.arange(9)[:, None])
    expected, errors = log_odds(counts), []
    for size in (1, 3, 8, 9, 300):
        words, users = usage(csr_array(counts), size)
        assert words.shape == (40, min(size + 1, 9)) and users.shape == (9, min(size + 1, 9))
        np.testing.assert_allclose(words.T @ words, users.T @ users, atol=1e-5)
        errors.append(np.abs(users @ words.T - expected).max())
        np.testing.assert_array_equal(words, usage(csr_array(counts), size)[0])
    assert errors == sorted(errors, reverse=True) and errors[-1] == errors[-2] < 1e-6 < errors[0]


def test_usage_tells_authors_apart_whose_words_are_as_frequent_in_the_corpus():
    """Each of twenty users has two words of their own; mean words by usage alone find the author of every pair."""
    counts = np.zeros((20, 50), int)
    counts[:, 40:] = 30
    counts[np.repeat(np.arange(20), 2), np.arange(40)] = 3
    words, users = usage(csr_array(counts), 300)
    texts = words[:40].reshape(20, 2, -1).mean(axis=1) + words[40:].mean(axis=0)
    cosine = (texts / np.linalg.norm(texts, axis=1)[:, None]) @ (users / np.linalg.norm(users, axis=1)[:, None]).T
    np.testing.assert_array_equal(cosine.argmax(axis=1), np.arange(20))


@pytest.mark.parametrize("counts", [np.ones((1, 5), int), np.ones((5, 1), int), np.ones((6, 9), int)])
def test_one_user_one_word_or_users_alike_are_no_trouble(counts):
    words, users = usage(csr_array(counts), 300)
    assert words.shape == (counts.shape[1], 0) and users.shape == (counts.shape[0], 0)
    for joined in join(np.full((counts.shape[1], 2), 3.0), words, np.full((counts.shape[0], 2), 5.0), users):
        np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1)


def test_joined_halves_weigh_the_same_and_keep_their_directions():
    random = np.random.default_rng(5)
    halves = [random.normal(size=size) * 7 for size in ((30, 4), (30, 3), (6, 4), (6, 3))]
    word, user = join(*halves)
    for found, whole in ((word[:, :4], halves[0]), (word[:, 4:], halves[1])):
        np.testing.assert_allclose(found * np.linalg.norm(whole, axis=1).mean(), whole)
    for found, whole in ((user[:, :4], halves[2]), (user[:, 4:], halves[3])):
        np.testing.assert_allclose(found * np.linalg.norm(whole, axis=1)[:, None], whole)


def test_the_stage_sees_the_fitting_posts_and_nothing_else(topical, tmp_path, monkeypatch):
    """Whatever else stands under data/, what is fitted is a function of data/split/fit."""
    params = validate(ROOT / "params.yaml").model_copy(update={"words": PARAMS})
    monkeypatch.setattr(word2vec, "load", lambda *keys: params)
    monkeypatch.setattr(word2vec, "resumable", contextmanager(lambda stage: iter([tmp_path])))
    monkeypatch.chdir(tmp_path)
    columns = {"post_id": [f"p{i:04d}" for i in range(2000)], "user_id": [f"u{i % 9}" for i in range(2000)]}
    content = pa.table(columns | {"image_id": pa.nulls(2000, pa.string()), "words": pa.array(topical, LISTS)})
    CONTENT.write(content, Path("data/split/fit"))
    word2vec.main()
    vocabulary, users = VOCABULARY.read(word2vec.VOCABULARY_PATH), EMBEDDINGS.read(word2vec.USERS_PATH)
    learned = learned_from([content["words"]], params.seed)
    np.testing.assert_array_equal(matrix(vocabulary["vector"]), learned.vectors)
    assert users["id"].to_pylist() == [f"u{i}" for i in range(9)]
