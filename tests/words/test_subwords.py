import numpy as np
import pytest
from gensim.models import FastText
from gensim.models.fasttext_inner import ft_hash_bytes

from pipeline.words import subwords
from pipeline.words import vectors as word_vectors
from pipeline.words.subwords import Parts, ngrams
from pipeline.words.vectors import distinct, learn
from tests.words.test_vectors import PARAMS as WITHOUT
from tests.words.test_vectors import killed_and_run_again, texts_of

PARAMS = WITHOUT.model_copy(update={"subwords": True})
TOPICS = ("flower", "engine")


@pytest.fixture(scope="module", autouse=True)
def few_buckets():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_vectors, "BUCKETS", 2**12)
        patch.setattr(subwords, "BUCKETS", 2**12)
        yield


@pytest.fixture(scope="module")
def posts():
    """1,500 texts of eight words, all of one topic: each word is the topic's stem with one of twelve endings."""
    chance = np.random.default_rng(0)
    return [[f"{TOPICS[row % 2]}{'abcdefghijkl'[k]}" for k in chance.integers(0, 12, 8)] for row in range(1500)]


@pytest.fixture(scope="module")
def learned(posts, tmp_path_factory):
    return learn([texts_of(posts)], PARAMS, 7, tmp_path_factory.mktemp("learned"))


def test_the_parts_of_a_word():
    assert ngrams("cat") == ["<ca", "<cat", "<cat>", "at>", "cat", "cat>"]
    assert ngrams("犬") == ["<犬>"] and ngrams("été") == sorted(["<ét", "<été", "<été>", "té>", "été", "été>"])


def test_a_word_that_was_never_seen_lies_with_its_topic(learned):
    spelled, vectors = learned.parts.spell(["flowerz", "enginez", "qqqq"])
    assert spelled == ["flowerz", "enginez"]  # of the third no part is known
    unit = learned.vectors / np.linalg.norm(learned.vectors, axis=1, keepdims=True)
    topic = np.array([word[:6] for word in learned.words.to_pylist()])
    for vector, own in zip(vectors, TOPICS, strict=True):
        cosine = unit @ vector / np.linalg.norm(vector)
        assert cosine[topic == own].min() > cosine[topic != own].max()


def test_parts_of_one_word_alone_tell_nothing_of_others_and_are_not_kept(learned):
    words = [f"<{word}>" for word in learned.words.to_pylist()]
    assert {"<flowe", "engi"} <= set(learned.parts.ngrams)
    assert all(sum(part in word for word in words) >= 2 for part in learned.parts.ngrams)


def test_a_part_is_kept_from_two_words_on():
    model = FastText(vector_size=4, min_count=1, min_n=3, max_n=6, bucket=2**12, seed=1, workers=1)
    model.build_vocab([["cat", "cart", "dog"]])
    assert Parts.of_model(model).ngrams == ["<ca"]


def test_an_unseen_word_is_the_sum_that_gensim_makes_less_the_parts_that_nothing_was_learned_of(posts):
    model = FastText(vector_size=12, min_count=3, min_n=3, max_n=6, bucket=2**12, seed=1, workers=1)
    model.build_vocab(posts)
    model.train(posts, total_examples=len(posts), epochs=1)
    parts, own = Parts.of_model(model), ngrams("flower")
    unknown = [part for part in own if part.endswith(">")]  # each word of the posts ends otherwise
    _, (vector,) = parts.spell(["flower"])
    unlearned = sum(model.wv.vectors_ngrams[ft_hash_bytes(part.encode()) % 2**12] for part in unknown)
    theirs = model.wv.get_vector("flower") * len(own) - unlearned
    np.testing.assert_allclose(vector * (len(own) - len(unknown)), theirs, atol=1e-5)


def test_a_killed_run_goes_on_after_its_last_pass_with_the_same_vectors(posts, learned, tmp_path, monkeypatch):
    again = killed_and_run_again(FastText, [texts_of(posts)], PARAMS, tmp_path, monkeypatch)
    np.testing.assert_array_equal(again.vectors, learned.vectors)
    np.testing.assert_array_equal(again.parts.vectors, learned.parts.vectors)


def test_words_of_other_posts_are_spelled_and_change_nothing_that_was_learned(posts, learned):
    elsewhere = distinct([texts_of([["flowerz", "flowera"], ["qqqq"]]), texts_of([["rareflower"], []])])
    whole = learned.with_spelled(elsewhere, [texts_of([*posts, ["rareflower"]])])
    words = whole.words.to_pylist()
    assert words == sorted([*learned.words.to_pylist(), "flowerz", "rareflower"])
    rows = [words.index(word) for word in learned.words.to_pylist()]
    np.testing.assert_array_equal(whole.vectors[rows], learned.vectors)
    np.testing.assert_array_equal(whole.counts[rows], learned.counts)
    assert [whole.counts[words.index(word)] for word in ("flowerz", "rareflower")] == [0, 1]


def test_scaled_parts_stay_as_long_as_the_words_half_of_joined_vectors():
    scaled = Parts(["<ab", "ab>"], np.array([[2, 0], [0, 4]], np.float32)).scaled(0.5, 3)
    np.testing.assert_array_equal(scaled.vectors, [[1, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(scaled.spell(["ab"])[1], [[0.5, 1, 0]])
