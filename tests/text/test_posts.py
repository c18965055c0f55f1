"""The stage's two passes over shards, on a corpus small enough to check by hand, and the stage itself."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.running.errors import UserError
from pipeline.split.as_written import written_words
from pipeline.split.exact_search import search_texts
from pipeline.split.word_sets import word_sets
from pipeline.tables.corpus import POSTS
from pipeline.tables.table import strings
from pipeline.tables.text import DUPLICATES, TEXT_EDGES, WORDS
from pipeline.text import cleaning as text
from pipeline.text import posts as text_posts
from pipeline.text.languages import by_language
from pipeline.text.posts import Vocabulary
from stages import clean_text

ROOT = Path(__file__).parents[2]
LEMMAS = {"cats": "cat", "dogs": "dog", "others": "other", "houses": "house"}
DAY = datetime(2026, 1, 1)

# post_id, user_id, text, image_id, created_at
ROWS = [
    ("a", "u1", "cats in red houses", None, None),  # after all that have a time
    ("b", "u2", "red house cat! cat", None, DAY.replace(day=3)),
    ("c", "u1", "The red, red cat: house", "i1", DAY.replace(day=4)),
    ("d", "u2", "cat red house", "i1", DAY.replace(day=5)),
    ("e", "u2", "dogs #Sun", None, DAY.replace(day=1)),
    ("f", "u3", None, "i2", None),
    ("g", "u3", "the others", "i3", DAY),  # nothing but stopwords once lemmatized
    ("h", "u3", "sun dog", None, DAY.replace(day=2)),
    ("i", "u4", "wind", None, DAY.replace(day=2)),
]


def posts(rows):
    schema = pa.schema([field for field in POSTS.schema if field.name != "more_images"])
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema)


def passes(tmp_path, rows, shard_rows, min_overlap=0.8, same_user=False, min_written=0):
    """Both passes, over shards of `shard_rows` posts."""
    for name in ("posts", "tokens", "cleaned"):
        (tmp_path / name).mkdir(parents=True)
    counts, tokens = [], []
    whole = posts(rows)
    for number, begin in enumerate(range(0, whole.num_rows, shard_rows)):
        shard = tmp_path / "posts" / f"part-{number:05d}.parquet"
        POSTS.write_shard(whole.slice(begin, shard_rows), shard)
        tokens.append(tmp_path / "tokens" / shard.name)
        counts.append(text.clean_shard(shard, tokens[-1]))
    found = by_language.languages(tokens, ["en"])
    shards = [tmp_path / "cleaned" / shard.name for shard in tokens]
    for shard, target in zip(tokens, shards, strict=True):
        by_language.in_own_language(shard, target, found)
    spelled = text_posts.distinct_words(shards)
    lemmas = {name: strings([LEMMAS.get(word, word) for word in words.to_pylist()]) for name, words in spelled.items()}
    vocabulary = Vocabulary.of(spelled, lemmas)
    read = text_posts.read(shards, vocabulary)
    as_written = text_posts.written(tokens, read.post_id) if min_written else read.sets
    copies = text_posts.find_copies(read, as_written, min_overlap, min_written, same_user)
    words = [row for part in text_posts.kept_words(shards, vocabulary, copies) for row in part.to_pylist()]
    return words, copies, text_posts.facts(counts, vocabulary, read, copies)


@pytest.mark.parametrize("shard_rows", [1, 2, 4, 100])
def test_by_hand_in_any_shards(tmp_path, shard_rows):
    words, copies, facts = passes(tmp_path, ROWS, shard_rows)
    # b is the first in time of the four about a red house; c has an image of its own; d has c's image.
    assert copies.duplicates.to_pylist() == [
        {"post_id": "a", "duplicate_of": "b", "overlap": 1.0},
        {"post_id": "d", "duplicate_of": "c", "overlap": 1.0},
        {"post_id": "h", "duplicate_of": "e", "overlap": 1.0},
    ]
    edges = [(row["post_id"], row["other_id"]) for row in copies.edges.to_pylist()]
    assert edges == [("b", "a"), ("c", "a"), ("d", "a"), ("h", "e")]
    assert words == [
        {"post_id": "b", "words": ["red", "house", "cat", "cat"], "hashtags": [], "language": "en"},
        {"post_id": "c", "words": ["red", "red", "cat", "house"], "hashtags": [], "language": "en"},
        {"post_id": "e", "words": ["dog", "sun"], "hashtags": ["Sun"], "language": "en"},
        {"post_id": "i", "words": ["wind"], "hashtags": [], "language": "en"},
    ]
    assert facts["posts_in"] == facts["posts_out"] + sum(facts["left_out"].values()) == len(ROWS)
    assert facts["left_out"] == {
        "no text": 1,
        "nothing left after cleaning": 1,
        "exact duplicate": 3,
        "near duplicate": 0,
    }
    assert (facts["pairs"], facts["groups"], facts["largest_group"], facts["posts_in_groups"]) == (7, 2, 4, 6)
    assert facts["distinct_words"] == 6


def test_group_removes_nothing_by_another_user(tmp_path):
    words, copies, facts = passes(tmp_path, ROWS, 3, same_user=True)
    # a and c are both by u1; b, d, e and h have their like by others alone.
    assert copies.duplicates.select([0, 1]).to_pylist() == [{"post_id": "a", "duplicate_of": "c"}]
    assert facts["posts_out"] == len(words) == 6 and facts["posts_in_groups"] == 6
    again = [*ROWS, ("j", "u2", "the dogs and the sun", None, DAY.replace(day=9))]
    _, copies, _ = passes(tmp_path / "again", again, 3, same_user=True)
    assert copies.duplicates["post_id"].to_pylist() == ["a", "j"]


def test_near_copies_have_their_overlap(tmp_path):
    rows = [("a", "u", "one two three four five", None, None), ("b", "u", "one two three four", None, None)]
    _, copies, facts = passes(tmp_path, rows, 10)
    assert copies.duplicates["overlap"].to_pylist() == [pytest.approx(0.8)]
    assert facts["left_out"]["near duplicate"] == 1


def test_what_is_one_word_once_cleaned_is_bound_and_not_removed(tmp_path):
    said = ["That's what she said", "so you said?", "THAT'S what she said!!", "she said what", "that's what they said"]
    rows = [(f"p{i}", "u", text, None, None) for i, text in enumerate(said)]
    words, copies, facts = passes(tmp_path, rows, 2, min_written=0.7)
    removed = {row["post_id"]: (row["duplicate_of"], row["overlap"]) for row in copies.duplicates.to_pylist()}
    assert removed == {"p2": ("p0", 1.0), "p3": ("p0", 1.0)}
    kinds = {row["post_id"]: (row["other_id"], row["kind"]) for row in copies.edges.to_pylist()}
    assert kinds == {
        "p1": ("p0", "derived"), "p2": ("p0", "copy"), "p3": ("p0", "copy"), "p4": ("p0", "derived")
    }  # fmt: skip
    assert facts["edges"] == {"copy": 2, "derived": 2} and [row["post_id"] for row in words] == ["p0", "p1", "p4"]
    as_in_the_paper = passes(tmp_path / "paper", rows, 2)[1]
    assert as_in_the_paper.duplicates["post_id"].to_pylist() == ["p1", "p2", "p3", "p4"]


def test_what_shares_just_enough_as_written_is_a_copy_and_removed(tmp_path):
    rows = [(f"p{i}", "u", said, None, DAY) for i, said in enumerate(("the cat sun", "the cat sun on"))]
    _, copies, facts = passes(tmp_path, rows, 2, min_written=0.75)
    assert copies.edges["kind"].to_pylist() == ["copy"] and facts["edges"] == {"copy": 1, "derived": 0}
    assert copies.duplicates["post_id"].to_pylist() == ["p1"]


def test_a_stopword_is_out_in_its_own_language_alone():
    spelled = {"de": strings(["die", "katze"]), "en": strings(["cat", "die"])}
    vocabulary = Vocabulary.of(spelled, spelled)
    offsets, codes = vocabulary.encode(pa.array([["die", "katze"], ["die", "cat"]]), pa.array(["de", "en"]))
    assert offsets.tolist() == [0, 1, 3]
    assert vocabulary.lemmas.take(pa.array(codes)).to_pylist() == ["katze", "die", "cat"]


def test_no_post_has_a_word(tmp_path):
    words, copies, facts = passes(tmp_path, [("a", "u", None, "i", None), ("b", "u", "the", None, None)], 1)
    assert len(words) == copies.duplicates.num_rows == copies.edges.num_rows == facts["posts_out"] == 0


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder where the stage runs as DVC runs it, with the caches kept out of the home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DU2MCE_CACHE", str(tmp_path / "cache"))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, name)
    for name in ("models", "pipeline", "stages"):
        Path(name).symlink_to(ROOT / name)
    Path("data").mkdir()
    Path("data/checked").touch()
    POSTS.write(posts(ROWS), clean_text.POSTS_PATH)
    return tmp_path


def outputs():
    folders = (clean_text.WORDS_PATH, clean_text.DUPLICATES_PATH, clean_text.EDGES_PATH)
    files = [clean_text.METRICS, *(file for folder in folders for file in sorted(folder.iterdir()))]
    return {str(file): file.read_bytes() for file in files}


def test_the_stage_runs_twice_to_the_same_bytes(workplace):
    clean_text.main()
    first = outputs()
    assert WORDS.read(clean_text.WORDS_PATH)["post_id"].to_pylist() == ["a", "b", "c", "e", "h", "i"]
    assert TEXT_EDGES.count(clean_text.EDGES_PATH) == 4
    assert json.loads(clean_text.METRICS.read_text())["posts_in"] == len(ROWS)
    assert not list(Path(".checkpoints").glob("*/*/*"))
    shutil.rmtree(workplace / "cache")
    clean_text.main()
    assert outputs() == first


def test_the_stage_on_posts_without_a_word_writes_empty_tables(workplace):
    POSTS.write(posts([("a", "u", None, "i", None)]), clean_text.POSTS_PATH)
    clean_text.main()
    assert WORDS.count(clean_text.WORDS_PATH) == DUPLICATES.count(clean_text.DUPLICATES_PATH) == 0


def test_texts_without_any_word_are_told_before_pictures_are_looked_at(workplace, caplog):
    emoji = [(f"p{n}", f"u{n % 3}", "\U0001f600 @ann https://a.example/b the", None, None) for n in range(9)]
    POSTS.write(posts(emoji), clean_text.POSTS_PATH)
    with pytest.raises(UserError, match=r"of 9 texts none has a word that is left once .* text\.emoji: names"):
        clean_text.main()
    POSTS.write(posts([*emoji, ("q", "u1", "cat", None, None)]), clean_text.POSTS_PATH)
    clean_text.main()
    assert "9 of 10 texts have no word that is left" in caplog.text


def test_posts_that_go_as_copies_are_told_where_they_are_many(workplace, caplog):
    def told(copies, others):
        caplog.clear()
        words = [f"{chr(97 + n % 26)}ord{chr(97 + n // 26)} house tree" for n in range(others)]
        rows = [(f"p{n:03}", f"u{n}", "the same red cat again", None, None) for n in range(copies + 1)]
        POSTS.write(
            posts([*rows, *[(f"q{n:03}", "u", text, None, None) for n, text in enumerate(words)]]),
            clean_text.POSTS_PATH,
        )
        clean_text.main()
        return caplog.text

    assert "9 of 29 posts are left out, as their text is that of an earlier post" in told(9, 19)
    assert "are left out" not in told(1, 19)


def test_the_stage_in_sentence_mode_has_the_words_of_the_same_posts(workplace):
    params = Path("params.yaml").read_text()
    assert "lemmas: word" in params
    Path("params.yaml").write_text(params.replace("lemmas: word", "lemmas: sentence"))
    clean_text.main()
    words = WORDS.read(clean_text.WORDS_PATH)
    assert set(pc.unique(words["words"].combine_chunks().flatten()).to_pylist()) >= {"cat", "red", "house", "dog"}
    assert words["post_id"].to_pylist() == ["a", "b", "c", "e", "h", "i"]


NEAR = {
    "ja": (
        "昨日の夜は友達と東京の公園で桜の花を見ながら美味しいお弁当を食べて写真を撮りました",
        "昨日の夜は友達と京都の公園で桜の花を見ながら美味しいお弁当を食べて写真を撮りました",
    ),
    "km": (
        "ម្សិលមិញយើងទៅលេងសមុទ្រជាមួយមិត្តភក្តិញ៉ាំអាហារឆ្ងាញ់ថតរូបស្អាតហើយត្រឡប់មកផ្ទះពេលល្ងាច",
        "ថ្ងៃនេះយើងទៅលេងសមុទ្រជាមួយមិត្តភក្តិញ៉ាំអាហារឆ្ងាញ់ថតរូបស្អាតហើយត្រឡប់មកផ្ទះពេលល្ងាច",
    ),
    "th": (
        "วันนี้เราไปเที่ยวทะเลกับเพื่อนกินอาหารอร่อยถ่ายรูปสวยแล้วกลับบ้านตอนเย็น",
        "เมื่อวานเราไปเที่ยวทะเลกับเพื่อนกินอาหารอร่อยถ่ายรูปสวยแล้วกลับบ้านตอนเย็น",
    ),
    "zh": (
        "昨天晚上我们一起去北京的公园散步看见很多漂亮的花然后在饭店吃晚饭拍照片",
        "昨天晚上我们一起去上海的公园散步看见很多漂亮的花然后在饭店吃晚饭拍照片",
    ),
}


def test_near_copies_of_texts_without_spaces_are_found_by_the_join_and_by_the_audit(tmp_path):
    rows = []
    for at, (language, (one, other)) in enumerate(NEAR.items()):
        rows += [(f"{language}1", "u", one, None, DAY.replace(day=1 + at)), (f"{language}2", "v", other, None, None)]
    _, copies, facts = passes(tmp_path, rows, 100, min_written=0.7)
    assert copies.duplicates["post_id"].to_pylist() == sorted(f"{language}2" for language in NEAR)
    assert facts["not_compared"] == {text.NO_TEXT: 0, text.NOTHING_LEFT: 0}
    # Where nothing by another user is removed, the split is told to keep them on one side.
    _, copies, facts = passes(tmp_path / "group", rows, 100, min_written=0.7, same_user=True)
    assert not copies.duplicates.num_rows and facts["posts_in_groups"] == len(rows)
    bound = {frozenset((row["post_id"], row["other_id"])) for row in copies.edges.to_pylist()}
    assert bound == {frozenset((f"{language}1", f"{language}2")) for language in NEAR}

    told = pa.chunked_array([[row[2] for row in rows]])
    sets, text_of = word_sets(written_words(told, pa.array([True] * len(rows))))
    found = search_texts(sets.take(text_of[::2]), sets.take(text_of[1::2]), 0.8, 0.6)
    assert found.query.tolist() == found.target.tolist() == list(range(len(NEAR)))


def test_texts_that_are_not_compared_or_word_for_word_alone_are_counted_with_the_reason(tmp_path):
    said = ["🙂", None, "cat house sun", "one cat house sun wind", "ꦲꦏ꧀ꦱꦫꦗꦮ cat house sun rain"]
    rows = [(str(number), "u", post, None, DAY) for number, post in enumerate(said)]
    _, _, facts = passes(tmp_path, rows, 100)
    assert facts["not_compared"] == {text.NO_TEXT: 1, text.NOTHING_LEFT: 1}
    assert facts["compared_as_they_are"] == {"few words": 1, text.UNSPLIT: 1}
    assert [text_posts.fewest_words(overlap) for overlap in (0.5, 0.8, 1.0)] == [1, 4, 1000]
