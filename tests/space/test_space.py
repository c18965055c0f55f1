"""The façade on a space whose topics are known: what is asked, folded, filtered, explained."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline.running.errors import UserError
from pipeline.space import space as space_module
from pipeline.space.space import Asked, Filters, Space
from pipeline.tables.corpus import IMAGES, POSTS
from tests.made.corpus import PEOPLE, TOPICS
from tests.made.space import topic_of_user

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def space(fabricated_space):
    return Space.open(fabricated_space / "data")


def test_words_find_the_people_pictures_and_texts_of_their_topic(space):
    for topic, words in enumerate(TOPICS):
        asked = " ".join(words.split()[:2])
        assert {topic_of_user(a.id) for a in space.search(asked, kind="user", top=4)} == {topic}
        texts = space.search(asked, kind="text", top=5)
        rows = [space.library.row_of("post", a.id) for a in texts]
        assert all(topic_of_user(space.library.post(row).user_id) == topic for row in rows)
        cosines = [a.cosine for a in texts]
        assert cosines == sorted(cosines, reverse=True)


def test_answers_are_those_of_a_plain_loop(space):
    asked = space.ask("tiger zebra - truck")
    for kind in ("user", "image", "text"):
        vectors, group = space.vectors(kind), space._group(kind)
        cosines = vectors.values @ asked.vector
        seen, wanted = set(), []
        for row in sorted(range(len(vectors.ids)), key=lambda r: (-cosines[r], r)):
            if group[row] not in seen:
                seen.add(group[row])
                wanted.append(vectors.ids[row].as_py())
        found = [a.id for a in space.nearest(asked, kind, 40)]
        assert found == wanted[:40] and len(set(found)) == min(40, len(seen))


def test_a_question_can_take_away(space):
    both = space.ask("tiger + truck").vector
    assert space.ask("tiger").vector @ both > 0.5 < space.ask("truck").vector @ both
    less = space.ask("tiger + truck - truck").vector
    np.testing.assert_allclose(less, space.ask("tiger").vector, atol=1e-5)
    assert space.ask("tiger - tiger").vector is None


def test_taking_away_alone_is_no_answer_to_a_wish_of_which_nothing_is_known(space):
    unknown = space.ask("xyzzy - tulip")
    assert unknown.vector is None and len(unknown.notes) == 1 and not space.search("xyzzy - tulip")
    assert space.ask("- tulip").vector is not None, "who asks for no more gets the farthest"
    assert space.ask("xyzzy + tiger - tulip").vector is not None


def test_who_asks_is_not_among_the_answers_nor_are_copies_of_a_picture(space):
    assert "user-03" not in [a.id for a in space.search("user:user-03", kind="user", top=PEOPLE)]
    image = space.library.images[0].as_py()
    copies = {space.library.images[int(i)].as_py() for i in space.library.copies_of_image(0)}
    assert len(copies) == 3
    found = {a.id for a in space.search(f"image:{image}", kind="image", top=200)}
    assert found and not found & copies


def test_copies_are_folded_with_their_number_and_held_out_things_are_marked(space):
    found = {a.id: a for a in space.search("tiger", kind="image", top=200)}
    assert len(found) == 4 + 108  # of twelve images four groups of three
    assert sorted(a.copies for a in found.values())[-5:] == [0, 2, 2, 2, 2]
    posts = {a.id: a for a in space.search("tiger", kind="text", top=300)}
    assert posts["post-002"].held_out is False
    held = {a for a, answer in posts.items() if answer.held_out}
    assert held and all(space.library.post(space.library.row_of("post", name)).side in ("test", "val") for name in held)
    assert any(answer.copies for answer in posts.values())


def test_a_user_is_explained_by_own_posts_the_nearest_first(space):
    asked = space.ask("keyboard mouse")
    (best, *_) = space.nearest(asked, "user", 3)
    assert best.because
    rows = [space.library.row_of("post", name) for name in best.because]
    assert {space.library.post(row).user_id for row in rows} == {best.id}
    scores = space.post_scores(np.array(rows), asked.vector)
    own = space.library.by_user.rows(space.library.row_of("user", best.id))
    assert scores[0] == space.post_scores(own, asked.vector).max() and sorted(scores)[::-1] == list(scores)


def test_a_user_is_explained_by_posts_that_the_filters_let_through(space):
    library, lacking = space.library, Filters(lacks="tiger")
    for answer in space.search("tiger", kind="user", top=99, filters=lacking):
        posts = [library.post(library.row_of("post", name)) for name in answer.because]
        assert posts and all("tiger" not in post.text.lower() for post in posts)
    assert any("tiger" in library.post(library.row_of("post", n)).text.lower()
               for answer in space.search("tiger", kind="user") for n in answer.because)  # fmt: skip


def test_unknown_words_are_named_with_those_spelled_like_them(space):
    asked = space.ask("tigr xyzzy zebra")
    assert asked.unknown == {"tigr": ("tiger",), "xyzzy": ()} and asked.vector is not None
    nothing = space.ask("xyzzy")
    assert nothing.vector is None and "no word that the model knows" in nothing.notes[0]
    assert space.search("xyzzy") == []
    assert "no user eve" in space.ask("user:eve").notes[0]


def test_filters_let_through_what_they_say(space, fabricated_space):
    library = space.library
    for answer in space.search("tiger", kind="text", top=300, filters=Filters(sides=("test",))):
        assert library.post(library.row_of("post", answer.id)).side == "test"
    alone = space.search("tiger", kind="image", top=300, filters=Filters(user="user-05"))
    assert alone and all(
        "user-05" in {library.post(int(p)).user_id for p in library.posts_of_image(library.row_of("image", a.id))}
        for a in alone
    )
    people = space.search("tiger", kind="user", top=99, filters=Filters(clusters=(1,)))
    assert {a.id for a in people} == {library.users[int(i)].as_py() for i in np.flatnonzero(library.cluster == 1)}
    assert all(a.cosine >= 0.5 for a in space.search("tiger", filters=Filters(least=0.5)))
    assert space.search("tiger", filters=Filters(since=date(2020, 1, 1))) == []  # nobody knows when these were made
    assert space.search("tiger", filters=Filters(languages=("xx",))) == []


def test_filters_look_at_the_posts_once_for_all_kinds_and_what_is_kept_is_read_only(fabricated_space, monkeypatch):
    seen, look = [], space_module.posts_taken
    monkeypatch.setattr(space_module, "posts_taken", lambda library, filters: seen.append(1) or look(library, filters))
    space = Space.open(fabricated_space / "data")
    first, again = (space.search("tiger", filters=Filters(sides=("test",), languages=("en",))) for _ in range(2))
    assert [one.id for one in first] == [one.id for one in again] and len(seen) == 1
    space.search("tiger", filters=Filters(sides=("val",)))
    assert len(seen) == 2
    with pytest.raises(ValueError, match="read-only"):
        space.posts_taken(Filters(sides=("test",)))[0] = True


def test_a_user_has_posts_by_time_neighbours_and_a_cluster(space):
    person = space.user("user-02")
    assert len(person.posts) == 10 and all(post.user_id == "user-02" for post in person.posts)
    assert {topic_of_user(a.id) for a in person.nearest[:3]} == {2}
    assert person.cluster is not None and person.interests == ("plants",)
    with pytest.raises(UserError, match="no user eve"):
        space.user("eve")


def test_a_corpus_s_own_picture_lies_where_it_lay_when_the_corpus_was_read(space, fabricated_space):
    stored = IMAGES.read(fabricated_space / "data/corpus/images")
    name, data = stored["image_id"][40].as_py(), stored["bytes"][40].as_py()
    (vector,) = space.embed(images=[data])
    np.testing.assert_allclose(vector, space.vector("image", name), atol=2e-3)
    best, *others = space.search(image=data, kind="image", top=5)
    assert name in [best.id, *(answer.id for answer in others if answer.cosine > best.cosine - 2e-3)]
    with pytest.raises(UserError, match="not an image of a known format"):
        space.search(image=b"<svg/>")


def test_texts_have_the_vectors_of_the_table(space, fabricated_space):
    posts = POSTS.read(fabricated_space / "data/corpus/posts").slice(0, 20).to_pylist()
    posts = [post for post in posts if "rose" not in post["text"].lower()]  # the lemma of which is rise
    vectors = space.embed(texts=[post["text"] for post in posts])
    for name, vector in zip([post["post_id"] for post in posts], vectors, strict=True):
        np.testing.assert_allclose(vector, space.vector("text", name), atol=1e-5)
    assert not space.embed(texts=["xyzzy"]).any()


def test_somebody_new_lies_among_those_who_post_alike(space):
    vector = space.new_user([{"text": "tulip petal"}, {"text": "garden rose"}, {"text": None, "image": None}])
    nearest = space.nearest(Asked((), vector, "user"), "user", 3)
    assert {topic_of_user(answer.id) for answer in nearest} == {2}


def test_no_space_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="no vectors there"):
        Space.open(tmp_path)


def test_opening_loads_neither_torch_nor_its_like(fabricated_space):
    code = (
        "import sys; from pipeline.space.space import Space; s = Space.open(sys.argv[1]);"
        "assert s.search('user:user-01'); s.user('user-02');"
        "print([m for m in ('torch', 'numba', 'sklearn', 'stanza', 'faiss') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(fabricated_space / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
