"""Lemmas, with the models that the project carries; accuracy on the treebank where `--treebank PATH` gives it."""

import re
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.running.errors import UserError
from pipeline.text import lemmas
from pipeline.text.lemmas import lemmatize_sentences, lemmatize_words, models
from pipeline.text.lemmatizer import Lemmatizer

BUNDLED = models("bundled", Path(__file__).parents[2] / "models" / "stanza")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DU2MCE_CACHE", str(tmp_path))
    return tmp_path / "lemmas"


def of(*words):
    return lemmatize_words(pa.array(words, pa.string()), BUNDLED).to_pylist()


def test_each_word_has_its_lemma_in_the_order_asked():
    assert of("dogs", "went", "children", "flowers", "svg") == ["dog", "go", "child", "flower", "svg"]


def test_what_is_not_plain_english_passes_as_it_is():
    foreign = ["niños", "हिन्दी", "1990s", "mp3s", "losangeles2020", "s" * 41, "москвы", "b", "w"]
    assert of(*foreign, "dogs") == [*foreign, "dog"]


def test_the_network_does_not_misspell():
    misspelt = ["throwbackthursdays", "cryptocurrencies", "bbc", "miami", "htc"]
    assert of(*misspelt) == misspelt
    assert lemmatize_sentences([misspelt[2:]], BUNDLED) == [misspelt[2:]]


def test_no_words_at_all():
    assert of() == [] and lemmatize_sentences([], BUNDLED) == [] and lemmatize_sentences([[]], BUNDLED) == [[]]


def test_answers_are_kept_and_the_cache_never_changes_one(cache, monkeypatch):
    first = of("dogs", "cats", "inkscapes")
    (kept,) = cache.iterdir()
    monkeypatch.setattr(lemmas, "_ask", lambda *_: pytest.fail("asked again"))
    assert of("inkscapes", "dogs") == [first[2], first[0]]
    monkeypatch.undo()
    monkeypatch.setenv("DU2MCE_CACHE", str(cache.parent))
    assert of("wolves", "dogs") == ["wolf", "dog"]
    kept.unlink()
    assert of("inkscapes", "wolves", "dogs", "cats") == [first[2], "wolf", first[0], first[1]]


def test_another_model_has_a_cache_of_its_own(tmp_path, cache):
    other = tmp_path / "models" / "en" / "lemma" / "ewt.pt"
    other.parent.mkdir(parents=True)
    other.write_bytes(BUNDLED.lemmatizer.read_bytes() + b"\0")
    of("dogs")
    assert lemmas._hash(other) not in {kept.stem for kept in cache.iterdir()} == {lemmas._hash(BUNDLED.lemmatizer)}


@pytest.fixture(scope="module")
def lemmatizer():
    return Lemmatizer.load(BUNDLED.lemmatizer)


def by_stanza(words, **options):
    """The network's lemmas by Stanza's own pipeline; its dictionary is left out, so that it spells every word."""
    import stanza

    nlp = stanza.Pipeline(
        "en",
        dir=str(BUNDLED.folder),
        package=None,
        processors={"tokenize": "ewt", "lemma": "ewt"},
        tokenize_pretokenized=True,
        lemma_pretagged=True,
        lemma_ensemble_dict=False,
        download_method=None,
        use_gpu=False,
        verbose=False,
        **options,
    )
    return {word.text: word.lemma for sentence in nlp([list(words)]).sentences for word in sentence.words}


def spelled(lemmatizer, words):
    return {word: lemma for batch in lemmatizer.spell(words) for word, lemma in zip(*batch, strict=True)}


def inflected(lemmatizer):
    """Real words, two thousand: forms of the treebank, the irregular among them; and what no one would write."""
    real = [word for word in lemmatizer.dictionary if re.fullmatch(r"[a-z']{2,}", word)]
    ends = ("s", "ies", "ing", "ed", "er", "ings", "men", "ves", "ied", "'s")
    odd = [
        stem + end for stem in ("blorf", "quint", "sars", "vexil", "ab", "", "'", "s" * 36, "xy" * 15) for end in ends
    ]
    return [*real[:: len(real) // 2_000], *odd]


def test_the_network_spells_what_stanzas_own_pipeline_does(lemmatizer):
    words = inflected(lemmatizer)
    expected = by_stanza(words)
    assert spelled(lemmatizer, words) == expected
    # Not only words that stay, or lose their end: some have to be asked about again.
    assert sum(not word.startswith(lemma) for word, lemma in expected.items()) > 20


def test_a_lemma_without_an_end_is_cut_where_stanza_cuts_it(lemmatizer, monkeypatch):
    words = inflected(lemmatizer)[::4]
    whole = spelled(lemmatizer, words)
    monkeypatch.setattr(lemmatizer._trainer.model, "max_dec_len", 5)
    cut = spelled(lemmatizer, words)
    assert all(cut[word] in (whole[word], whole[word][:5]) for word in words)
    assert sum(cut[word] != whole[word] for word in words) > 20


def test_a_model_with_a_beam_is_asked_letter_by_letter(lemmatizer, monkeypatch):
    words = inflected(lemmatizer)[::20]
    monkeypatch.setitem(lemmatizer._trainer.args, "beam_size", 3)
    assert spelled(lemmatizer, words) == by_stanza(words, lemma_beam_size=3)


def test_the_batch_that_a_word_is_in_changes_nothing(lemmatizer, monkeypatch):
    words = inflected(lemmatizer)[::4]
    whole = spelled(lemmatizer, words)
    monkeypatch.setattr("pipeline.text.lemmatizer.BATCH", 7)
    assert spelled(lemmatizer, words[::-1]) == whole


def test_in_a_sentence_the_part_of_speech_decides():
    found = lemmatize_sentences(
        [["I", "am", "meeting", "him", "niños"], [], ["The", "meeting", "was", "long"]], BUNDLED
    )
    assert found == [["i", "be", "meet", "he", "niños"], [], ["the", "meeting", "be", "long"]]


def test_a_long_post_is_tagged_in_pieces_and_comes_back_whole():
    words = ["two", "dogs"] * 300
    assert lemmatize_sentences([words, ["cats"]], BUNDLED) == [["two", "dog"] * 300, ["cat"]]


def test_without_a_connection_download_says_what_to_do(monkeypatch):
    import stanza

    def refused(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(stanza, "download", refused)
    with pytest.raises(UserError, match=r"^text\.stanza is 'download'.*ConnectionError.*bundled\.$"):
        models("download", Path("unused"))


def test_missing_models_are_named(tmp_path):
    with pytest.raises(UserError, match=r"ewt\.pt: no Stanza model"):
        lemmatize_words(pa.array(["dogs"]), models("bundled", tmp_path))


def gold(path):
    """Sentences of a CoNLL-U file, as (form, lower-cased lemma, part of speech) of their words."""
    sentence = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if not line and sentence:
            yield sentence
            sentence = []
        elif len(fields) == 10 and fields[0].isdigit():
            sentence.append((fields[1], fields[2].lower(), fields[3]))


def test_accuracy_on_the_treebank_and_agreement_of_the_modes(treebank, capsys):
    sentences = list(gold(treebank / "en_ewt-ud-test.conllu"))
    distinct = sorted({form.lower() for sentence in sentences for form, _, _ in sentence})
    by_word = dict(zip(distinct, of(*distinct), strict=True))
    in_sentences = lemmatize_sentences([[form for form, _, _ in sentence] for sentence in sentences], BUNDLED)
    rows = [
        (lemma, by_word[form.lower()], tagged)
        for sentence, answers in zip(sentences, in_sentences, strict=True)
        for (form, lemma, tag), tagged in zip(sentence, answers, strict=True)
        if tag != "PUNCT"
    ]
    word_mode = sum(lemma == word for lemma, word, _ in rows) / len(rows)
    sentence_mode = sum(lemma == tagged for lemma, _, tagged in rows) / len(rows)
    agreement = sum(word == tagged for _, word, tagged in rows) / len(rows)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(rows)} words of the EWT test set, right: word mode {word_mode:.4f}, sentence mode "
            f"{sentence_mode:.4f}; the two agree: {agreement:.4f}\n"
        )
    assert word_mode >= 0.970
    assert sentence_mode > word_mode
    assert agreement >= 0.96


def test_a_word_of_sixty_thousand_letters_passes_as_it_is_and_does_not_widen_the_batch(monkeypatch):
    given = []

    def tagged(sentences, _):
        given.extend(sentences)
        return iter([word.lower() for word in words] for words in sentences)

    monkeypatch.setattr(lemmas, "_tagged", tagged)
    long = "Ab" * 30_000
    assert lemmatize_sentences([["Two", long, "dogs"]], BUNDLED) == [["two", long.lower(), "dogs"]]
    assert max(len(word) for words in given for word in words) <= lemmas.LONGEST
