"""The stages split, audit_split and word2vec on a small corpus, whole and with leaks made on purpose."""

import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import write_params
from pipeline.running.errors import UserError
from pipeline.split.exact_search import unit
from pipeline.tables.corpus import IMAGES, POSTS
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.images import FEATURES, IMAGE_EDGES, IMAGE_GROUPS
from pipeline.tables.split import ASSIGNED, CLOSE, CONTENT, SETS
from pipeline.tables.table import matrix, vectors
from pipeline.tables.text import DUPLICATES, TEXT_EDGES, WORDS
from stages import audit_split, split, word2vec

ROOT = Path(__file__).parents[2]
DATA = Path("data")
POSTS_COUNT, USERS_COUNT = 1200, 30
LISTS = pa.list_(pa.string())


def write_corpus():
    """Posts with words, images or both; every tenth text copies the one before but for a word, so every tenth image."""
    chance = np.random.default_rng(5)
    ids = [f"p{i:05d}" for i in range(POSTS_COUNT)]
    texts = [[f"w{k}" for k in chance.choice(300, 12, replace=False)] if i % 6 else [] for i in range(POSTS_COUNT)]
    values = np.abs(chance.normal(size=(POSTS_COUNT, 48)))
    edges, image_leader = [], [f"i{i:05d}" for i in range(POSTS_COUNT)]
    for i in range(11, POSTS_COUNT, 10):
        if texts[i - 10] and texts[i]:
            texts[i] = [*texts[i - 10][1:], f"w{300 + i}"]
        values[i] = values[i - 6] + 0.01 * chance.random(48)
        image_leader[i] = image_leader[i - 6]
    with_image = [i for i in range(POSTS_COUNT) if i % 6 == 0 or i % 2]
    image = [f"i{i:05d}" if i in set(with_image) else None for i in range(POSTS_COUNT)]
    for i, j in itertools.combinations([i for i in range(POSTS_COUNT) if i % 10 == 1 and texts[i]], 2):
        one, other = set(texts[i]), set(texts[j])
        if len(one & other) >= 0.8 * len(one | other):
            edges.append((ids[j], ids[i], "copy", 0.9))
    users = [f"u{k:02d}" for k in chance.integers(0, USERS_COUNT, POSTS_COUNT)]
    columns = {"post_id": ids, "user_id": users, "text": pa.nulls(POSTS_COUNT, pa.string())}
    columns |= {"image_id": pa.array(image, pa.string()), "created_at": pa.nulls(POSTS_COUNT, pa.timestamp("us"))}
    POSTS.write(pa.table(columns), DATA / "corpus/posts")
    written = [i for i in range(POSTS_COUNT) if texts[i]]
    words = {"post_id": [ids[i] for i in written], "words": pa.array([texts[i] for i in written], LISTS)}
    words |= {"hashtags": pa.array([[]] * len(written), LISTS), "language": ["en"] * len(written)}
    WORDS.write(pa.table(words), DATA / "text/words")
    DUPLICATES.write(DUPLICATES.empty(), DATA / "text/duplicates")
    TEXT_EDGES.write(TEXT_EDGES.of(edges), DATA / "text/edges")
    names = [f"i{i:05d}" for i in with_image]
    flat = {"width": np.zeros(len(names), np.int32), "height": np.zeros(len(names), np.int32)}
    IMAGES.write(pa.table({"image_id": names, "bytes": pa.array([b""] * len(names))} | flat), DATA / "corpus/images")
    FEATURES.write(
        pa.table({"image_id": names, "vector": vectors(values[with_image].astype(np.float16))}),
        DATA / "images/features",
    )
    known = set(names)
    leaders = [image_leader[i] if image_leader[i] in known else f"i{i:05d}" for i in with_image]
    about = {"representative": [True] * len(names), "similarity": np.ones(len(names), np.float32)}
    IMAGE_GROUPS.write(pa.table({"image_id": names, "group_id": leaders} | about), DATA / "images/groups")
    IMAGE_EDGES.write(IMAGE_EDGES.empty(), DATA / "images/edges")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_corpus()
    return folder


@pytest.fixture
def params(corpus, tmp_path, monkeypatch):
    """A copy of the corpus as the current folder, and a function that sets keys of section `split` in its params."""
    shutil.copytree(corpus / "data", tmp_path / "data")
    (tmp_path / "data/checked").touch()
    for name in ("dvc.yaml", "pipeline", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)

    def write(**changed):
        # No group is cut, and the validation side holds enough of each task.
        split = {"max_group_share": 0.2, "val": 0.1} | changed
        words = {"size": 16, "epochs": 3, "min_count": 2}
        # There are no pictures for the second check to look at, and vectors of 48 random numbers are often alike.
        write_params(tmp_path, {"split": split, "words": words, "images": {"min_cosine": 0.95}})

    write()
    return write


def sides():
    final = ASSIGNED.read(DATA / "split/posts")
    return dict(zip(final["post_id"].to_pylist(), final["split"].to_pylist(), strict=True))


def copies_across():
    """Pairs of posts on two sides, neither excluded, that are near-copies by text or image: all compared with all."""
    side = sides()
    content = pa.concat_tables([CONTENT.read(DATA / "split" / name) for name in ("train", "val", "test")])
    ids, words = content["post_id"].to_pylist(), [set(w) for w in content["words"].to_pylist()]
    known = {word: k for k, word in enumerate(set().union(*words))}
    has = np.zeros((len(ids), len(known)), np.float32)
    for row, said in zip(has, words, strict=True):
        row[[known[word] for word in said]] = 1
    shared, count = has @ has.T, has.sum(1)
    close = (shared > 0) & (shared >= 0.8 * (count[:, None] + count - shared))
    features = FEATURES.read(DATA / "images/features")
    row = {name: k for k, name in enumerate(features["image_id"].to_pylist())}
    shown = [k for k, name in enumerate(content["image_id"].to_pylist()) if name in row]
    vector = unit(matrix(features["vector"]))[[row[content["image_id"][k].as_py()] for k in shown]]
    close[np.ix_(shown, shown)] |= vector @ vector.T >= 0.95
    on = np.array([side[post] for post in ids])
    return [(ids[a], ids[b]) for a, b in np.argwhere(close & (on[:, None] != on)) if a < b]


def unfitted():
    """What of words/ is not what data/split/train alone would give: words, and users."""
    train = CONTENT.read(DATA / "split/train")
    counts = Counter(word for words in train["words"].to_pylist() for word in words)
    known = VOCABULARY.read(DATA / "words/vocabulary")
    vector_of = dict(zip(known["word"].to_pylist(), matrix(known["vector"]), strict=True))
    wrong = [w for w, n in zip(known["word"].to_pylist(), known["count"].to_pylist(), strict=True) if counts[w] != n]
    posted = {}
    for user, words in zip(train["user_id"].to_pylist(), train["words"].to_pylist(), strict=True):
        posted.setdefault(user, []).extend(vector_of[w] for w in words if w in vector_of)
    users = EMBEDDINGS.read(DATA / "words/users")
    for user, mean in zip(users["id"].to_pylist(), matrix(users["vector"]), strict=True):
        if not np.allclose(np.mean(posted[user], axis=0), mean, atol=1e-5):
            wrong.append(user)
    return wrong


def test_without_a_leak_nothing_is_found_and_every_post_has_its_place(params):
    split.main()
    audit_split.main()
    word2vec.main()
    metrics = json.loads(Path("metrics/audit.json").read_text())
    assert metrics["crossings"] == {"found": 0, "left": 0} and copies_across() == [] and unfitted() == []
    side = sides()
    for name in ("train", "val", "test"):
        content = CONTENT.read(DATA / "split" / name)
        assert content["post_id"].to_pylist() == sorted(post for post, on in side.items() if on == name)
    assert CONTENT.read(DATA / "split/fit").equals(CONTENT.read(DATA / "split/train"))
    words = WORDS.read(DATA / "text/words")
    expected = dict(zip(words["post_id"].to_pylist(), words["words"].to_pylist(), strict=True))
    test = CONTENT.read(DATA / "split/test")
    assert [expected.get(post, []) for post in test["post_id"].to_pylist()] == test["words"].to_pylist()
    queries = SETS.read(DATA / "split/sets").to_pylist()
    assert {(q["split"], q["task"]) for q in queries} == set(
        itertools.product(("val", "test"), ("text_to_user", "image_to_text", "image_to_user"))
    )
    assert all(side[q["post_id"]] == q["split"] for q in queries)


def test_a_group_cut_in_two_is_caught(params):
    split.main()
    assigned = ASSIGNED.read(DATA / "split/assigned").to_pandas()
    group = assigned.group_id[assigned.group_id.duplicated()].iloc[0]
    moved = assigned.index[assigned.group_id == group][0]
    assigned.loc[moved, "split"] = "test" if assigned.loc[moved, "split"] != "test" else "train"
    ASSIGNED.write(assigned, DATA / "split/assigned")
    with pytest.raises(UserError, match=f"1 content groups are divided, the first of them {group}"):
        audit_split.main()


@pytest.mark.parametrize("kind", ["text", "image"])
def test_an_edge_that_the_grouping_missed_is_found_and_its_train_post_excluded(params, kind):
    if kind == "text":
        TEXT_EDGES.write(TEXT_EDGES.empty(), DATA / "text/edges")
    else:
        groups = IMAGE_GROUPS.read(DATA / "images/groups").to_pandas()
        IMAGE_GROUPS.write(groups.assign(group_id=groups.image_id), DATA / "images/groups")
    split.main()
    params(max_excluded_share=0.001)
    with pytest.raises(
        UserError, match=r"train posts are near-copies of held-out ones, .* as (p|i)\d+ of (test|val) and"
    ):
        audit_split.main()
    params(max_excluded_share=1.0)
    audit_split.main()
    metrics = json.loads(Path("metrics/audit.json").read_text())
    assert metrics["posts"]["excluded"] == metrics["excluded"][f"by_{kind}"] > 5
    assert metrics["crossings"]["found"] > 5 and metrics["crossings"]["left"] == 0
    assert copies_across() == []
    fitted = set(CONTENT.read(DATA / "split/fit")["post_id"].to_pylist())
    assert not fitted & {post for post, side in sides().items() if side != "train"}


def test_texts_that_are_one_as_written_and_two_once_cleaned_are_found(params):
    params(max_excluded_share=0.1)
    split.main()
    assigned = ASSIGNED.read(DATA / "split/assigned")
    worded = set(WORDS.read(DATA / "text/words")["post_id"].to_pylist())
    of = {
        side: [
            i for i, s in zip(assigned["post_id"].to_pylist(), assigned["split"].to_pylist(), strict=True) if s == side
        ]
        for side in ("test", "train")
    }
    held_out, other = (next(i for i in of[side] if i in worded) for side in ("test", "train"))
    posts = POSTS.read(DATA / "corpus/posts")
    texts = [
        "one and the same as they wrote it" if i in (held_out, other) else None for i in posts["post_id"].to_pylist()
    ]
    shutil.rmtree(DATA / "corpus/posts")
    at = posts.column_names.index("text")
    POSTS.write(posts.set_column(at, "text", pa.array(texts, pa.string())), DATA / "corpus/posts")
    audit_split.main()
    found = json.loads(Path("metrics/audit.json").read_text())
    assert found["texts_as_written"]["test"]["copies"] == 1 and found["excluded"]["by_text"] == 1
    assert sides()[other] == "excluded" and sides()[held_out] == "test"


def test_words_fitted_on_test_posts_and_users_averaged_over_them_are_caught(params):
    split.main()
    audit_split.main()
    leak = pa.concat_tables([CONTENT.read(DATA / "split" / name) for name in ("train", "test")])
    CONTENT.write(leak, DATA / "split/fit")
    word2vec.main()
    wrong = unfitted()
    assert any(name.startswith("w") for name in wrong) and any(name.startswith("u") for name in wrong)


def test_what_is_held_out_does_not_change_what_is_fitted(params):
    split.main()
    audit_split.main()
    word2vec.main()
    before = [(DATA / f"words/{name}/part-00000.parquet").read_bytes() for name in ("vocabulary", "users")]
    held_out = {post for post, side in sides().items() if side != "train"}
    words = WORDS.read(DATA / "text/words").to_pandas()
    words["words"] = [
        [f"{w}x" for w in row] if post in held_out else row
        for post, row in zip(words.post_id, words["words"], strict=True)
    ]
    WORDS.write(words, DATA / "text/words")
    audit_split.main()
    word2vec.main()
    assert [(DATA / f"words/{name}/part-00000.parquet").read_bytes() for name in ("vocabulary", "users")] == before


def test_an_author_without_train_posts_is_counted_and_not_looked_for(params):
    params(text_queries="all")
    split.main()
    audit_split.main()

    def asking(post):
        return {q["task"] for q in SETS.read(DATA / "split/sets").to_pylist() if q["post_id"] == post}

    every = {"text_to_user", "image_to_text", "image_to_user"}
    stranger = next(post for post, side in sides().items() if side == "test" and asking(post) == every)
    posts = POSTS.read(DATA / "corpus/posts").to_pandas()
    posts.loc[posts.post_id == stranger, "user_id"] = "u99"
    POSTS.write(posts, DATA / "corpus/posts")
    audit_split.main()
    assert asking(stranger) == {"image_to_text"}  # that task asks for a text, not for the author
    told = json.loads(Path("metrics/audit.json").read_text())["queries"]["test"]
    assert [told[task]["not_asked"]["author_not_in_train"] for task in ("text_to_user", "image_to_user")] == [1, 1]
    author = dict(zip(posts.post_id, posts.user_id, strict=True))
    known = set(CONTENT.read(DATA / "split/train")["user_id"].to_pylist())
    asked = [q for q in SETS.read(DATA / "split/sets").to_pylist() if q["task"].endswith("to_user")]
    assert asked and all(author[q["post_id"]] in known for q in asked)


def test_the_practice_of_the_paper_fits_on_all_posts_and_says_so(params):
    params(fit_on="all")
    split.main()
    audit_split.main()
    assert (
        CONTENT.count(DATA / "split/fit")
        == ASSIGNED.count(DATA / "split/assigned")
        > CONTENT.count(DATA / "split/train")
    )
    assert json.loads(Path("metrics/audit.json").read_text())["fit_on"] == "all"


def test_protocol_interests_holds_out_validation_alone(params):
    params(protocol="interests")
    split.main()
    audit_split.main()
    assert CONTENT.count(DATA / "split/test") == 0 and CONTENT.count(DATA / "split/val") > 0
    assert set(SETS.read(DATA / "split/sets")["split"].to_pylist()) == {"val"}
    assert set(json.loads(Path("metrics/split.json").read_text())["sides"]) == {"train", "val"}


def test_the_same_input_gives_the_same_bytes(params):
    def written():
        split.main()
        audit_split.main()
        return {p: p.read_bytes() for p in sorted([*DATA.glob("split/**/*.parquet"), *Path("metrics").glob("*.json")])}

    assert written() == written()
    assert len(CLOSE.read(DATA / "split/close")) <= 40
