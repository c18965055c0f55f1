"""Languages of posts, the words that each makes of them, emoji and hashtags."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.text import cleaning as text
from pipeline.text.hashtags import Splitter
from pipeline.text.languages import by_language, inflection
from pipeline.text.languages.detection import OTHERS, ROUNDS, UNKNOWN, Guesses, decide

ENGLISH = ["Old village house", "Gallo bird", "Two dogs in the park", "Tina", "Rain again, of course"]
ITALIAN = ["Il gatto dorme sul divano", "Che bella giornata di sole", "La mia casa in campagna", "Buongiorno"]


def spoken(posts, authors, allowed=None, shares=None):
    tokens = [[token for stretch in text.stretches(post) for token in stretch.tokens] for post in posts]
    return decide(Guesses.of(text.lists(tokens)), np.array(authors), allowed, shares).to_pylist()


def test_a_corpus_in_one_language_is_not_torn_apart_and_an_author_of_another_keeps_theirs():
    posts = ENGLISH * 20 + ITALIAN
    found = spoken(posts, [i % 7 for i in range(len(ENGLISH) * 20)] + [7] * len(ITALIAN))
    assert set(found[: -len(ITALIAN)]) == {"en"}
    assert set(found[-len(ITALIAN) :]) == {"it"}


def mixed_by_loops(scores, author, share):
    """The language (n,) of texts by their scores (n, l): a text's weights are by the author's other texts alone."""
    weight = np.zeros(scores.shape)
    for _ in range(ROUNDS):
        held = np.array([weight[author == one].sum(0) for one in author]) - weight
        weight = scores * (OTHERS * share + held)
        weight /= weight.sum(1, keepdims=True)
        share = weight.mean(0)
    return weight.argmax(1)


def test_a_text_is_decided_by_its_scores_and_by_what_else_its_author_writes():
    names, rng = ["en", "it", "ja"], np.random.default_rng(0)
    for _ in range(20):
        scores, author = rng.dirichlet([0.5] * 3, 40).astype(np.float32), rng.integers(0, 12, 40)
        lists = pa.ListArray.from_arrays(pa.array(range(0, 121, 3), pa.int32()), pa.array(scores.ravel()))
        found = decide(Guesses(text.lists([names] * 40), lists), author, None).to_pylist()
        assert found == [names[at] for at in mixed_by_loops(scores.astype(float), author, scores.mean(0))]


def test_letters_of_another_script_leave_no_doubt():
    posts = [*ENGLISH * 20, "今日は散歩に行きました", "Сегодня хорошая погода", "วันนี้อากาศดีมาก", "오늘 날씨가 좋다"]
    assert spoken(posts, [i % 7 for i in range(len(posts))])[-4:] == ["ja", "ru", "th", "ko"]


def test_only_languages_that_are_allowed():
    posts = ["The weather is nice today", "Das Wetter ist heute schön", "今日は散歩に行きました", "12 34"]
    assert spoken(posts, [0, 1, 2, 3], ["en", "de"])[:3] == ["en", "de", UNKNOWN]
    assert spoken(["Gallo"], [0], ["en", "it"], {"en": 99, "it": 1}) == ["en"]
    assert spoken([], []) == []


@pytest.mark.parametrize(
    ("language", "post", "words"),
    [
        ("fr", "L’école d'aujourd'hui n'est pas à l'Italie", "école italie"),
        ("it", "Dell'arte, un'altra c'è", "arte altra"),
        ("tr", "İstanbul'da IŞIK", "istanbul ışık"),
        ("ar", "مـــرحبا", "مرحبا"),
        ("uk", "м’ята", "мята"),
        ("ja", "今日は橋", "今日 橋"),
        ("ja", "すごーーーい映画を見ました", "すごい 映画 見"),
        ("th", "สนุกมากกกกก เพื่อนๆ", "สนุก เพื่อน"),
        ("ko", "정말 ㅋㅋㅋㅋ ㅠㅠ", "정말"),
        ("ar", "مَدْرَسَة", "مدرسة"),
        ("fa", "كتاب", "کتاب"),
        ("he", "שָׁלוֹם ב-2024", "שלום 2024"),
        ("el", "είναι υπέροχος", "υπέροχος"),
        ("ca", "l'escola col·legi", "escola collegi"),
        ("ro", "Şi oraşe și orașe", "orașe orașe"),
        ("zh", "我們 我们 還有 公園", "公園"),
        ("he", 'צה"ל צה״ל ג׳ירפה', "צהל צהל גירפה"),
        ("ru", "нева́ ёлка", "нева ёлка"),
        ("de", "Ärzt*innen Ärzt:innen Ärzt_innen", "ärztinnen ärztinnen ärztinnen"),
        ("th", "ปี2567 ปี๒๕๖๗ 55555", "ปี 2567 ปี 2567"),
        ("ja", "２０２４年 ｗｗｗ すごいwww", "2024 年 すごい"),
        ("ar", "١٢٣ 123", "123 123"),
        ("und", "the Xyz", "the xyz"),
    ],
)
def test_words_in_their_language(language, post, words):
    tokens = [token for stretch in text.stretches(post) for token in stretch.tokens]
    assert inflection.words_of(tokens, language) == words.split()


def test_lemmas_of_other_languages_and_a_language_without_any():
    assert inflection.lemmas_of(pa.array(["maisons", "jolies", "xyzzy"]), "fr").to_pylist() == [
        "maison",
        "joli",
        "xyzzy",
    ]
    assert inflection.lemmas_of(pa.array(["किताबें", "दोस्तों"]), "hi").to_pylist() == ["किताब", "दोस्त"]
    assert inflection.lemmas_of(pa.array(["ёлки", "елки", "мёд"]), "ru").to_pylist() == ["елка", "елка", "мед"]
    assert inflection.lemmas_of(pa.array(["أحمد", "احمد"]), "ar").to_pylist() == ["احمد", "احمد"]
    assert inflection.lemmas_of(pa.array(["ελλάδα", "ελλαδα"]), "el").to_pylist() == ["ελλαδα", "ελλαδα"]
    assert inflection.lemmas_of(pa.array(["کتابها", "کتابهای"]), "fa").to_pylist() == ["کتاب", "کتاب"]
    assert inflection.lemmas_of(pa.array(["猫", "พูด"]), "ja").to_pylist() == ["猫", "พูด"]
    assert by_language.rules("fr") == {"lemmas": "simplemma", "stopwords": True}
    assert by_language.rules("km") == {"lemmas": "none", "stopwords": False}


def test_english_words_are_those_of_the_first_pass_and_others_are_made_anew(tmp_path):
    rows = [("a", "u", ["sun"], [], ["The", "sun"]), ("b", "v", ["die", "sonne"], [], ["Die", "Sonne"])]
    rows.append(("c", "v", ["der"], [], ["der"]))  # a stopword in German, so no word is left
    columns = dict(zip(("post_id", "user_id", "words", "hashtags", "tokens"), zip(*rows, strict=True), strict=True))
    table = pa.table(
        [list(columns[f.name]) if f.name in columns else pa.nulls(3, f.type) for f in text.TOKENS.schema],
        names=text.TOKENS.schema.names,
    )
    empty = pa.array([[]] * 3, pa.list_(pa.string()))
    for name, column in {"guesses": empty, "scores": empty.cast(pa.list_(pa.float32()))}.items():
        table = table.set_column(table.column_names.index(name), name, column)
    shard = tmp_path / "part-00000.parquet"
    text.TOKENS.write_shard(table, shard)
    found = {shard.name: pa.array(["en", "de", "de"]).dictionary_encode()}
    assert by_language.in_own_language(shard, tmp_path / "out.parquet", found) == {"posts": 2}
    cleaned = text.CLEANED.read(tmp_path / "out.parquet")
    assert cleaned["words"].to_pylist() == [["sun"], ["sonne"]]
    assert cleaned["language"].to_pylist() == ["en", "de"]


def test_emoji_are_words_by_their_names_with_skin_tones_folded_where_that_is_asked_for():
    post = "nice👍🏽 day ❤️❤ 👩🏿‍🚀 🇫🇷 5️⃣"
    words = [word for stretch in text.stretches(post, emoji=True) for word in stretch.words]
    assert words == ["nice", "thumbsup", "day", "redheart", "redheart", "womanastronaut", "france", "keycap5"]
    assert [word for stretch in text.stretches(post) for word in stretch.words] == ["nice", "day"]


def test_hashtags_in_parts():
    counts = {"los": 9, "angeles": 9, "sun": 50, "set": 20, "sunset": 1, "thrown": 5, "own": 3, "the": 99, "beach": 8}
    splitter = Splitter(counts)
    assert splitter.parts("LosAngeles2020") == ["los", "angeles", "2020"]
    assert splitter.parts("losangeles") == ["los", "angeles"]
    assert splitter.parts("NASARocket") == ["nasa", "rocket"]
    assert splitter.parts("throwback") == ["throwback"]  # back is no word here
    assert splitter.parts("東京タワー") == ["東京タワー"] and splitter.parts("桜を見る") == ["桜", "を", "見る"]
    assert splitter.replaced(["sun", "thebeach"], ["TheBeach"], "en") == ["sun", "beach"]
    assert splitter.parts("iPhone15Pro") == ["i", "phone", "15", "pro"]
    assert Splitter({"iphone": 3}).parts("iPhone15Pro") == ["iphone", "15", "pro"]


@pytest.mark.parametrize(
    ("language", "tag", "parts"),
    [
        ("fr", "FêteÀParis2024", "fête paris 2024"),
        ("ru", "ЯЛюблюМоскву", "люблю москву"),
        ("tr", "İstanbulIşığı", "istanbul ışığı"),
        ("vi", "SàiGòn", "sài gòn"),
        ("hi", "दिल्लीMetro", "दिल्ली metro"),
        ("de", "KaffeeUndKuchen", "kaffee kuchen"),
    ],
)
def test_hashtags_in_parts_by_the_capitals_of_any_script_in_the_language_of_the_post(language, tag, parts):
    words = [inflection.word_of(tag, language)]
    assert Splitter({}).replaced(words, [tag], language) == parts.split()


@pytest.mark.parametrize("unit", ["a", "A", "aB", "1a", "日"])
def test_a_long_hashtag_takes_no_quadratic_time(unit):
    assert "".join(Splitter({"aa": 3, "ab": 2}).parts(unit * 20_000)) == (unit * 20_000).lower()
