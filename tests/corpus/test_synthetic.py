import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from pipeline.corpus.rows import CANDIDATES
from pipeline.corpus.sources import drawing, synthetic
from pipeline.corpus.sources.lexicon import Lexicon
from pipeline.corpus.sources.synthetic import IMAGE_CHANGES, INTERESTS, TEXT_CHANGES, SyntheticCorpus
from pipeline.corpus.sources.translated import translated
from pipeline.evaluation import interests
from pipeline.evaluation.methods import everywhere
from pipeline.pictures.reading import intake
from pipeline.ranking.vectors import Vectors
from pipeline.running.params import validate
from pipeline.running.schema import TRANSLATED_TOPICS
from pipeline.tables.corpus import USERS
from pipeline.tables.table import positions
from pipeline.tables.truth import TRUTH_POSTS, TRUTH_USERS

PARAMS = validate(Path(__file__).parents[2] / "params.yaml").corpus.synthetic


@dataclass
class Made:
    corpus: SyntheticCorpus
    rows: pa.Table
    posts: pa.Table
    users: pa.Table


def make(folder, seed=7, **changed):
    corpus = SyntheticCorpus(PARAMS.model_copy(update=changed), seed)
    rows = pa.concat_tables([table for table, _ in corpus.rows()])
    corpus.write_truth(folder)
    return Made(corpus, rows, TRUTH_POSTS.read(folder / "posts"), TRUTH_USERS.read(folder / "users"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", 1500)  # several blocks of a small corpus
        yield make(tmp_path_factory.mktemp("truth"), posts=5000, users=80)


def words_of(text):
    """The words of a generated text, without links, mentions and punctuation."""
    return {w.strip(".!?#").lower() for w in (text or "").split() if not w.startswith(("https", "@"))} - {""}


def test_rows_are_what_the_import_reads_in_order_of_post_id(made):
    # A post has one picture at most: the column of further ones, which a source may leave out, is not there.
    assert made.rows.schema.names == [name for name in CANDIDATES.names if name != "more_images"]
    made.rows.cast(pa.schema([CANDIDATES.field(name) for name in made.rows.schema.names]))
    ids = made.rows["post_id"].to_pylist()
    assert ids == sorted(set(ids)) and len(ids) == 5000
    assert made.posts["post_id"].to_pylist() == ids
    assert (np.diff(made.rows["created_at"].to_numpy()).astype(int) > 0).all()


def test_any_part_is_the_same_whenever_it_is_made(made, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", 1500)
        again = make(tmp_path, posts=5000, users=80)
        longer = make(tmp_path, posts=7000, users=80)
        other = make(tmp_path, posts=5000, users=80, seed=8)
    assert again.rows.equals(made.rows) and again.posts.equals(made.posts)
    assert longer.rows.slice(0, 4500).equals(made.rows.slice(0, 4500))  # whole blocks do not depend on the size
    assert not other.rows["text"].equals(made.rows["text"])
    names = made.rows["image"].drop_null().unique().to_pylist()[::300]
    forward = dict(made.corpus.pictures(names))
    assert dict(again.corpus.pictures(names[::-1])) == forward


@pytest.mark.parametrize(("image_share", "text_share"), [(0.13, 1.0), (1.0, 0.91), (0.5, 0.5), (0.0, 1.0)])
def test_shares_of_texts_and_images_are_those_asked_for(image_share, text_share, tmp_path):
    rows = make(tmp_path, posts=20_000, users=200, image_share=image_share, text_share=text_share).rows
    text, image = rows["text"].is_valid().to_numpy(), rows["image"].is_valid().to_numpy()
    assert text.mean() == pytest.approx(text_share, abs=0.015) and image.mean() == pytest.approx(image_share, abs=0.015)
    assert (text | image).all()


def test_copies_are_what_the_truth_says(made):
    rows, truth = made.rows, made.posts
    texts, images = rows["text"].to_pylist(), rows["image"].to_pylist()
    place = np.arange(len(texts))
    text_of, image_of = (positions(truth[f"{kind}_of"], rows["post_id"]) for kind in ("text", "image"))
    for source in (text_of, image_of):
        copied = np.flatnonzero(source >= 0)
        assert (source[copied] < place[copied]).all() and (text_of[source[copied]] < 0).all()
        assert (image_of[source[copied]] < 0).all()
    assert (text_of >= 0).mean() == pytest.approx(0.05, abs=0.012) and (image_of >= 0).mean() == pytest.approx(
        0.08, abs=0.012
    )
    changes, seen = truth["text_change"].to_pylist(), set()
    for copy in np.flatnonzero(text_of >= 0):
        one, other = words_of(texts[copy]), words_of(texts[text_of[copy]])
        common = {w for w in one & other if w.isascii()}
        extra = {w for w in one ^ other if w.isascii()}
        assert len(extra) <= (2 if changes[copy] == "word changed" else 0), (texts[copy], texts[text_of[copy]])
        assert common
        seen.add(changes[copy])
    assert seen == set(TEXT_CHANGES)
    for copy in np.flatnonzero(image_of >= 0):
        repost = truth["image_change"][copy].as_py() == "repost"
        assert (images[copy] == images[image_of[copy]]) == repost
    topic, colour = truth["topic"].to_numpy(), truth["colour"].to_numpy()
    for source in (text_of, image_of):
        copied = source >= 0
        assert (topic[copied] == topic[source[copied]]).all() and (colour[copied] == colour[source[copied]]).all()


def test_words_follow_topic_and_colour_and_their_author(made):
    lexicon = Lexicon(PARAMS.topics, synthetic.COLOURS, 7)
    topic, texts = made.posts["topic"].to_numpy(), made.rows["text"].to_pylist()
    own = [{form for lemma in lexicon.topics[t][:20] for form in forms(lexicon, lemma)} for t in range(PARAMS.topics)]
    hits = np.array([[len(words_of(text) & words) for words in own] for text in texts])
    written = hits.sum(axis=1) > 0
    assert (hits[written].argmax(axis=1) == topic[written]).mean() > 0.75
    mixture = np.array(made.users["topics"].to_pylist())
    author = positions(made.posts["author"], made.users["user_id"])
    share = np.zeros_like(mixture)
    np.add.at(share, (author, topic), 1)
    active = share.sum(axis=1) > 100
    share = share[active] / share[active].sum(axis=1, keepdims=True)
    assert np.abs(share - mixture[active]).max() < 0.2
    assert made.posts["author"].equals(made.rows["user_id"])


def forms(lexicon, lemma):
    first = lexicon.first[lemma]
    return lexicon.forms[first : first + lexicon.count[lemma]]


def test_activity_has_a_long_tail_and_words_are_as_zipf_has_them(made):
    posts = np.sort(np.unique(made.rows["user_id"].to_numpy(zero_copy_only=False), return_counts=True)[1])[::-1]
    assert posts[:8].sum() > 0.25 * posts.sum() and np.median(posts) < posts.mean()
    flat = [word for text in made.rows["text"].to_pylist() for word in words_of(text)]
    counts = np.sort(np.unique(flat, return_counts=True)[1])[::-1]
    ranks = np.arange(20, 1000)
    slope = np.polyfit(np.log(ranks), np.log(counts[ranks]), 1)[0]
    assert -1.3 < slope < -0.7


def test_texts_hold_what_social_media_hold(made):
    whole = " ".join(t for t in made.rows["text"].to_pylist() if t)
    assert all(sign in whole for sign in ("https://", " #", "@u", "🌸", "niño", "नमस्ते", "今日", "بيت", "schön"))
    assert {"mountain", "mountains", "climbed", "climbing"} <= words_of(whole)


def test_interests_are_labels_of_their_own_that_follow_the_mixture(tmp_path):
    made = make(tmp_path, posts=200, users=3000)
    users, _ = made.corpus.users(pa.table({"user_id": made.users["user_id"]}))
    assert users.schema == USERS.schema
    brand = users["brand"].to_numpy(zero_copy_only=False)
    assert brand.sum() == 75 and all(not i for i, b in zip(users["interests"].to_pylist(), brand, strict=True) if b)
    label = np.array([["shoes" in i] for i in users["interests"].to_pylist()]).ravel()[~brand]
    topics = np.arange(PARAMS.topics) % len(INTERESTS) == 0
    affinity = np.array(made.users["topics"].to_pylist())[~brand][:, topics].sum(axis=1)
    assert 0.1 < label.mean() < 0.6
    assert label[affinity > 0.5].mean() > 0.6 > 0.3 > label[affinity < 0.05].mean() > 0.02


def test_the_planted_mixtures_tell_interests_far_better_than_calling_everyone_positive(tmp_path):
    made = make(tmp_path, posts=200, users=400)
    users, _ = made.corpus.users(pa.table({"user_id": made.users["user_id"]}))
    mixtures = np.array(made.users["topics"].to_pylist())
    people, vectors = everywhere(users, {"planted": Vectors(made.users["user_id"], mixtures)})
    labels, truth, _ = interests.targets(people["interests"].to_pylist(), 10)
    macro = interests.evaluate(interests.predict(vectors, labels, truth, 1.0, 5, 1, 1), 100, 1)["macro"]
    assert len(labels) == len(INTERESTS) and macro["planted"] > macro["always_yes"] + 0.15


def test_the_control_of_users_moves_authors_alone(made, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", 1500)
        control = make(tmp_path, posts=5000, users=80, users_independent=True)
    assert control.rows.drop_columns("user_id").equals(made.rows.drop_columns("user_id"))
    author = positions(control.posts["author"], control.users["user_id"])
    user = positions(control.rows["user_id"], control.users["user_id"])
    weight = np.bincount(author, minlength=80) / 5000
    assert (author == user).mean() == pytest.approx((weight**2).sum(), abs=0.015)


def test_the_control_of_captions_moves_texts_of_pictures_alone(made, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", 1500)
        control = make(tmp_path, posts=5000, users=80, captions_independent=True)
    assert control.rows.drop_columns("text").equals(made.rows.drop_columns("text"))
    lexicon = Lexicon(PARAMS.topics, synthetic.COLOURS, 7)
    own = [{form for lemma in lexicon.topics[t][:20] for form in forms(lexicon, lemma)} for t in range(PARAMS.topics)]
    topic = control.posts["topic"].to_numpy()
    hits = np.array([[len(words_of(text) & words) for words in own] for text in control.rows["text"].to_pylist()])
    image = control.rows["image"].is_valid().to_numpy()
    right = hits.argmax(axis=1) == topic
    written = hits.sum(axis=1) > 0
    assert right[written & ~image].mean() > 0.75
    expected = (np.bincount(topic, minlength=PARAMS.topics) / len(topic)).max()
    assert right[written & image].mean() < expected + 0.05


def test_pictures_that_do_not_show_their_text_show_what_else_their_user_posts_about(made, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", 1500)
        apart = make(tmp_path, posts=5000, users=80, text_shown=0.4)
    assert apart.rows.equals(made.rows)
    kinds = ["topic", "colour", "shown_topic", "shown_colour"]
    assert apart.posts.drop_columns(kinds[2:]).equals(made.posts.drop_columns(kinds[2:]))
    topic, colour, shown_topic, shown_colour = (apart.posts[kind].to_numpy() for kind in kinds)
    assert made.posts["shown_topic"].equals(made.posts["topic"])
    assert made.posts["shown_colour"].equals(made.posts["colour"])
    has_image, has_text = (apart.rows[kind].is_valid().to_numpy() for kind in ("image", "text"))
    source = positions(apart.posts["image_of"], apart.posts["post_id"])
    both, own = has_image & has_text, source < 0
    other = (shown_topic != topic) | (shown_colour != colour)
    assert not other[~both & own].any()
    np.testing.assert_array_equal(shown_topic[~own], shown_topic[source[~own]])
    # By the users' mixtures and tastes: some of those that are drawn anew come out alike.
    mixture = np.array(apart.users["topics"].to_pylist())[positions(apart.posts["author"], apart.users["user_id"])]
    alike = mixture[np.arange(len(topic)), topic]
    expected = 0.6 * (1 - alike[both & own]).mean()
    assert (shown_topic != topic)[both & own].mean() == pytest.approx(expected, abs=0.03)
    assert mixture[np.arange(len(topic)), shown_topic][both & own].mean() == pytest.approx(
        alike[both & own].mean(), abs=0.03
    )


def test_pictures_are_decodable_drawings_and_reposts_share_their_file(made):
    names = made.rows["image"].drop_null().unique().to_pylist()[:60]
    files = list(made.corpus.pictures(names))
    assert [name for name, _ in files] == names
    taken = [picture for _, picture in intake(iter(files), 10**6, 512, 1)]
    assert all(
        picture.image_id == hashlib.sha256(data).hexdigest() for picture, (_, data) in zip(taken, files, strict=True)
    )
    assert len({picture.image_id for picture in taken}) == 60


def test_changed_pictures_are_near_their_source_and_other_pictures_are_not():
    def small(image):
        return np.asarray(image.convert("L").resize((16, 16))).astype(float).ravel()

    chance = np.random.default_rng(0)
    for change in drawing.CHANGES:
        near, far = [], []
        for k in range(20):
            source = drawing.draw(k % 12, k % 8, np.random.default_rng(k))
            other = drawing.draw(k % 12, k % 8, np.random.default_rng(100 + k))
            data = drawing.encode(drawing.CHANGES[change](source, chance), 40 if change == "jpeg" else None)
            copy = Image.open(io.BytesIO(data))
            near.append(np.corrcoef(small(source), small(copy))[0, 1])
            far.append(np.corrcoef(small(source), small(other))[0, 1])
        assert np.median(near) > 0.8 > 0.6 > np.median(far), change
    assert set(drawing.CHANGES) == set(IMAGE_CHANGES) - {"repost"}


def test_made_features_are_near_for_copies_and_tell_topics_apart(tmp_path):
    made = make(tmp_path, posts=1500, users=60, images="features", image_share=1.0)
    names = made.rows["image"].unique().to_pylist()
    stored = dict(made.corpus.pictures(names))
    assert {(len(p.bytes), p.width, p.height) for p in stored.values()} == {(4096, 0, 0)}
    values = np.stack([np.frombuffer(stored[n].bytes, "<f2") for n in made.rows["image"].to_pylist()]).astype(
        np.float32
    )
    assert values.min() >= 0
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    cosine = unit @ unit.T
    source = positions(made.posts["image_of"], made.rows["post_id"])
    copied = np.flatnonzero(source >= 0)
    assert cosine[copied, source[copied]].min() > 0.98
    original = np.flatnonzero(source < 0)
    cosine = cosine[np.ix_(original, original)] - 2 * np.eye(len(original))
    assert cosine.max() < 0.95
    topic = made.posts["topic"].to_numpy()[original]
    assert (topic[cosine.argmax(axis=1)] == topic).mean() > 0.9


def test_an_authors_hand_shows_in_made_features_whatever_is_shown(tmp_path):
    """Of pictures alike in topic and colour, and of copies, by the hand of who made them, not of who posts them."""
    made = make(tmp_path, posts=1500, users=20, images="features", image_share=1.0, users_independent=True)
    names = made.rows["image"].to_pylist()
    stored = {name: np.frombuffer(p.bytes, "<f2").astype(np.float32) for name, p in made.corpus.pictures(set(names))}
    values = np.stack([stored[name] for name in names])
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    cosine = unit @ unit.T
    source = positions(made.posts["image_of"], made.rows["post_id"])
    origin = np.where(source < 0, np.arange(len(source)), source)
    author = positions(made.posts["author"], made.users["user_id"])[origin]
    poster = positions(made.rows["user_id"], made.users["user_id"])
    shown = made.posts["shown_topic"].to_numpy() * len(synthetic.COLOURS) + made.posts["shown_colour"].to_numpy()
    pairs = (shown[:, None] == shown) & (origin[:, None] != origin)
    same = author[:, None] == author
    gap = cosine[pairs & same].mean() - cosine[pairs & ~same].mean()
    posted = poster[:, None] == poster
    control = cosine[pairs & ~same & posted].mean() - cosine[pairs & ~same & ~posted].mean()
    topics = cosine[pairs].mean() - cosine[shown[:, None] != shown].mean()
    assert 0.02 < gap < topics and abs(control) < 0.01


def test_a_hand_shows_in_drawings_whatever_is_shown():
    def mean_colours(hand, seed):
        """(3,) over pictures of all topics and colours."""
        pictures = [drawing.draw(k % 12, k % 8, np.random.default_rng([k, seed]), hand) for k in range(24)]
        return np.mean([np.asarray(picture).mean((0, 1)) for picture in pictures], axis=0)

    hands = [drawing.Hand.of(np.random.default_rng(k)) for k in range(6)]
    authors = np.array([mean_colours(hand, seed) for seed, hand in enumerate(hands)])
    nobody = np.array([mean_colours(drawing.PLAIN, seed) for seed in range(6)])
    assert authors.std(axis=0).mean() > 2 * nobody.std(axis=0).mean()


def test_a_hundred_topics_and_the_smallest_corpus(tmp_path):
    many = make(tmp_path, posts=300, users=20, topics=100)
    assert pc.max(many.posts["topic"]).as_py() > 16
    assert len(list(many.corpus.pictures(many.rows["image"].drop_null().unique().to_pylist()[:20]))) == 20
    few = make(tmp_path, posts=200, users=10, topics=2)
    assert few.rows.num_rows == 200


def test_each_user_writes_one_language_and_all_talk_of_the_same_topics(made, tmp_path):
    names = ["en", "ja", "ko"]
    spoken = make(tmp_path, posts=3000, users=60, languages=names, text_copies=0)
    assert spoken.rows["user_id"].equals(make(tmp_path, posts=3000, users=60, text_copies=0).rows["user_id"])
    language = dict(zip(*(spoken.users[name].to_pylist() for name in ("user_id", "language")), strict=True))
    assert set(language.values()) == set(names)
    topics = spoken.posts["topic"].to_pylist()
    lexicon = Lexicon(PARAMS.topics, synthetic.COLOURS, 7, names)
    right: dict[str, list[bool]] = {name: [] for name in names}
    for user, text, topic in zip(*(spoken.rows[name].to_pylist() for name in ("user_id", "text")), topics, strict=True):
        if not text:
            continue
        said = language[user]
        letters = "".join(word for word in text.split() if not word.startswith(("https", "@")))
        assert any("\uac00" <= letter <= "\ud7a3" for letter in letters) == (said == "ko")
        hits = [
            sum(lexicon.forms[lexicon.first[lemma]] in text for lemma in lemmas[:20])
            for lemmas in lexicon.tongues[names.index(said)].topics
        ]
        right[said].append(int(np.argmax(hits)) == topic)
    assert all(np.mean(found) > 0.5 for found in right.values())  # one of twelve by chance


def test_a_language_has_words_of_all_topics_that_a_corpus_may_have():
    for language in ("ja", "ko", "zh"):
        words = translated(language, TRANSLATED_TOPICS, synthetic.COLOURS)
        assert all(len(about) >= 5 for about in words.topics) and len(words.common) > 100
        assert len({forms[0] for forms in words.colours}) == len(synthetic.COLOURS)
