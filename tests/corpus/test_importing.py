"""What every source goes through: who stays, in which order things are left out, and that nothing is lost."""

import hashlib
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline.common.hashing import unit_hash
from pipeline.corpus import choosing, importing
from pipeline.corpus.importing import import_corpus
from pipeline.pictures.reading import Picture
from pipeline.running.errors import UserError
from pipeline.tables.corpus import POSTS, REJECTED
from tests.corpus.given import ENOUGH, SHARD, TABLES, Given, png, rejected, run, scratch
from tests.made.pictures import encoded, noise


def test_posts_come_out_whole_sorted_and_with_the_hash_of_their_picture(tmp_path):
    red, blue = png("red"), png("blue")
    rows = [("b", "user0", "two", "blue.png"), ("a", " user1 ", "  ", "red.png"), ("c", "user0", "same", "again.png")]
    source = Given(rows + ENOUGH, {"red.png": red, "blue.png": blue, "again.png": red})
    metrics, read = run(source, tmp_path)

    posts = {row["post_id"]: row for row in read["posts"]}
    assert list(posts) == sorted(posts)
    assert posts["a"] == {
        "post_id": "a",
        "user_id": "user1",  # blanks around ids go
        "text": None,  # and a blank text is none
        "image_id": hashlib.sha256(red).hexdigest(),
        "created_at": None,
        "more_images": None,
    }
    assert posts["b"]["image_id"] == hashlib.sha256(blue).hexdigest()
    assert posts["c"]["image_id"] == posts["a"]["image_id"]  # the same file is stored once
    assert [row["image_id"] for row in read["images"]] == sorted(hashlib.sha256(d).hexdigest() for d in (red, blue))
    assert (
        metrics["images"] == 2
        and metrics["users"] == 2
        and metrics["interests"] == {"different": 1, "users_with_some": 2}
    )
    assert metrics["posts"] == {"with_text": 22, "with_image": 3, "with_both": 2, "with_several_images": 0}


def test_a_post_keeps_its_pictures_in_order_and_goes_only_when_none_is_left(tmp_path):
    files = {name: png(name) for name in ("red", "blue", "green")} | {"again": png("red"), "bad": b"nothing"}
    rows = [
        ("a", "user0", "x", "red", "blue", "again", "green"),  # again is red
        ("b", "user0", "x", "gone", "blue", "bad"),
        ("c", "user1", "x", "bad", "gone"),
        ("d", "user1", "x", "green"),
    ]
    metrics, read = run(Given(rows + ENOUGH, files), tmp_path)
    posts = {row["post_id"]: row for row in read["posts"]}
    red, blue, green = (hashlib.sha256(files[name]).hexdigest() for name in ("red", "blue", "green"))
    assert (posts["a"]["image_id"], posts["a"]["more_images"]) == (red, [blue, green])
    assert (posts["b"]["image_id"], posts["b"]["more_images"]) == (blue, None)
    assert "c" not in posts and posts["d"]["more_images"] is None
    assert metrics["rejected"] == {"image: not an image of a known format": 1}  # the reason of its first
    assert sum(metrics["pictures_left_out_of_posts_that_stay"].values()) == 2
    assert [r["id"] for r in read["rejected"] if r["reason"].startswith("one of several images: ")] == ["b", "b"]
    assert metrics["posts"]["with_several_images"] == 1
    assert {row["image_id"] for row in read["images"]} == {red, blue, green}


def test_rows_that_lack_what_each_needs_are_rejected_with_their_place(tmp_path):
    rows = [(None, "user0", "x", None), ("n", " ", "x", None), ("e", "user0", "\n", ""), *ENOUGH]
    _, read = run(Given(rows), tmp_path)
    assert rejected(read, "missing post_id") == {"row 1 of posts.csv": "row 1 of posts.csv"}
    assert rejected(read, "missing user") == {"n": "row 2 of posts.csv"}
    assert rejected(read, "no text and no image") == {"e": "row 3 of posts.csv"}


def test_of_rows_with_one_post_id_the_first_sound_one_is_kept(tmp_path):
    rows = [("a", None, "unsound", None), ("a", "user0", "first", None), ("a", "user1", "second", None)]
    rows += [*ENOUGH, ("a", "user1", "third", None)]
    _, read = run(Given(rows, pieces=7), tmp_path)
    assert next(row for row in read["posts"] if row["post_id"] == "a")["text"] == "first"
    twice = [row["detail"] for row in read["rejected"] if row["reason"] == "duplicate post_id"]
    assert [detail.split(";")[0] for detail in twice] == ["row 24 of posts.csv", "row 3 of posts.csv"]


def test_a_post_whose_picture_cannot_be_had_is_left_out_with_the_reason(tmp_path):
    files = {"text.png": b"no picture", "huge.png": png("red", side=40), "cut.png": encoded(noise(0, 30, 30))[:1500]}
    rows = [(name, "user0", "a text", name) for name in [*files, "missing.png"]]
    _, read = run(Given(rows + ENOUGH, files), tmp_path)
    reasons = {row["id"]: (row["reason"], row["detail"]) for row in read["rejected"]}
    assert set(reasons) == {*files, "missing.png"}
    assert reasons["missing.png"] == ("image: missing", "missing.png")
    assert reasons["huge.png"][0] == "image: too many pixels" and reasons["huge.png"][1].startswith("huge.png: ")
    assert reasons["text.png"][0].startswith("image: not an image")
    assert reasons["cut.png"][0] == "image: damaged"
    assert read["images"] == []


def test_a_picture_that_is_ready_is_stored_as_it_is(tmp_path):
    ready = Picture("f" * 64, b"no file, a vector", 0, 0)
    _, read = run(Given([("a", "user0", None, "v"), *ENOUGH], {"v": ready}), tmp_path)
    assert read["images"] == [ready._asdict()] and read["posts"][0]["image_id"] == ready.image_id


def test_users_are_counted_before_pictures_are_decoded_and_again_after(tmp_path):
    rows = [(f"few{i}", "few", "x", "never.png") for i in range(3)]
    rows += [(f"lost{i}", "lost", "x", "good.png" if i else "missing.png") for i in range(4)]
    source = Given(rows + ENOUGH, {"good.png": png("red"), "never.png": png("blue")})
    metrics, read = run(source, tmp_path, min_posts=4)
    assert {row["user_id"] for row in read["users"]} == {"user0", "user1"}
    assert source.read[:2] == ["missing.png", "good.png"] and "never.png" not in source.read  # `few` cost no decoding
    few = rejected(read, "user with too few posts")
    assert few == {
        **{f"few{i}": "few has 3 posts, of 4 needed" for i in range(3)},
        **{f"lost{i}": "lost has 3 posts, of 4 needed" for i in (1, 2, 3)},
    }
    assert read["images"] == [] == [row for row in read["posts"] if row["image_id"]]  # nobody's picture is not stored
    assert metrics["rejected"]["image: missing"] == 1


def test_posts_beyond_the_limit_are_chosen_whatever_their_order_and_cost_no_decoding(tmp_path):
    rows = [(f"p{i}", "user0", "x", f"{i}.png") for i in (3, 1, 4, 2, 0)] + ENOUGH
    pictures = {f"{i}.png": png((i, 0, 0)) for i in range(5)}
    source = Given(rows, pictures)
    _, read = run(source, tmp_path, max_posts=10)
    kept = [row for row in read["posts"] if row["user_id"] == "user0"]
    assert len(kept) == 10 and len(source.read) == sum(row["image_id"] is not None for row in kept) < 5
    assert {row["reason"] for row in read["rejected"]} == {"beyond the limit of posts per user"}
    _, again = run(Given(rows[::-1], pictures), tmp_path, max_posts=10)
    assert again["posts"] == read["posts"]
    _, all_kept = run(Given(rows), tmp_path, max_posts=None, min_posts=10)
    assert {row["reason"] for row in all_kept["rejected"]} == {"image: missing"}


def test_choosing_agrees_with_a_plain_loop(tmp_path):
    random = np.random.default_rng(5)
    rows = [(f"p{random.integers(700)}", f"u{int(random.exponential(9))}", "x", None) for _ in range(900)]
    _, read = run(Given(rows, pieces=11), tmp_path, min_posts=4, max_posts=20)

    first = {}
    for post_id, user_id, *_ in rows:
        first.setdefault(post_id, user_id)
    posts = Counter(first.values())
    kept, taken = [], Counter()
    for post_id, user_id in sorted(first.items(), key=lambda item: unit_hash([item[0]], 0, "posts per user")[0]):
        if posts[user_id] >= 4 and taken[user_id] < 20:
            taken[user_id] += 1
            kept.append((post_id, user_id))
    assert [(row["post_id"], row["user_id"]) for row in read["posts"]] == sorted(kept)
    assert len(set(posts.values())) > 10 and max(posts.values()) > 20 and min(posts.values()) < 4  # all cases met


def test_equal_content_gives_equal_bytes_however_it_is_cut_and_decoded(tmp_path):
    files = {f"{i}.png": png((i, i, 0)) for i in range(9)}
    rows = [(f"p{i}", f"user{i % 3}", "words" if i % 2 else None, f"{i % 9}.png") for i in range(30)]
    for folder, pieces, workers in (("a", 1, 1), ("b", 13, 2)):
        import_corpus(
            Given(rows, files, pieces), tmp_path / folder, scratch(tmp_path / folder), 1, None, 1000, 64, workers
        )
    made = {f: sorted(p.relative_to(tmp_path / f) for p in (tmp_path / f).rglob("*.parquet")) for f in "ab"}
    assert made["a"] == made["b"] and len(made["a"]) == 5
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in made["a"])


def test_a_killed_import_goes_on_after_its_last_part_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "PART", 4)
    files = {f"{i}.png": png((i // 2, 0, 0)) for i in range(18)}  # each picture twice, once across two parts
    files["3.png"] = b"no picture"
    rows = [(f"p{i:02}", f"user{i % 3}", None, f"{i}.png") for i in range(18)] + ENOUGH

    class Killed(Given):
        def pictures(self, names):
            for name in names:
                if name == "9.png":
                    raise KeyboardInterrupt
                yield from super().pictures([name])

    with pytest.raises(KeyboardInterrupt):
        import_corpus(Killed(rows, files), tmp_path / "a", scratch(tmp_path / "a"), 1, None, 1000, 64, 1)
    again = Given(rows, files)
    metrics = import_corpus(again, tmp_path / "a", tmp_path / "a/scratch", 1, None, 1000, 64, 1)
    assert again.read == [f"{i}.png" for i in range(8, 18)]
    assert metrics == import_corpus(Given(rows, files), tmp_path / "b", scratch(tmp_path / "b"), 1, None, 1000, 64, 1)
    for table in TABLES:
        assert (tmp_path / "a" / table / SHARD).read_bytes() == (tmp_path / "b" / table / SHARD).read_bytes()


def test_too_little_left_is_told_with_the_counts_and_the_rejected_rows_are_there(tmp_path):
    rows = [("a", None, "x", None), ("b", None, "x", None), *ENOUGH[:5]]
    with pytest.raises(UserError, match=r"5 posts by 2 users are left of 7 rows; at least 20 .*missing user: 2"):
        run(Given(rows), tmp_path)
    assert REJECTED.count(tmp_path / "rejected") == 2
    assert not (tmp_path / "posts").exists()
    with pytest.raises(UserError, match="0 posts by 0 users are left of 0 rows"):
        run(Given([]), tmp_path)


def test_names_from_outside_are_folded_once_for_all_sources(tmp_path):
    odd = [("p\n<b>1\u202e", "u\u200b<script>\x00x", "text", None), ("p2", "Cafe\u0301", "text", None)]
    long = [("l" * 300, "user0", "text", None), ("short", "u" * 300, "text", None)]

    class Labelled(Given):
        def users(self, posts):
            table, refused = super().users(posts)
            labels = [
                ["</script><script>alert(1)</script>", "a\n\n# b", "x" * 50_000, "\u202e", "art"]
            ] * table.num_rows
            return table.set_column(1, "interests", pa.array(labels, pa.list_(pa.string()))), refused

    metrics, read = run(Labelled([*odd, *long, *ENOUGH]), tmp_path)
    posts = {row["post_id"]: row["user_id"] for row in read["posts"]}
    assert posts["p ‹b›1"] == "u‹script› x" and posts["p2"] == "Café"
    assert metrics["rejected"] == {"id longer than a name": 2}
    assert set(read["users"][0]["interests"]) == {
        "‹/script›‹script›alert(1)‹/script›", "a # b", "x" * 79 + "…", "art"
    }  # fmt: skip


def test_a_post_whose_picture_is_missing_is_kept_for_its_text_where_that_is_asked(tmp_path):
    rows = [
        ("a", "user0", "text", "no.png"),
        ("b", "user0", None, "no.png"),
        ("c", "user1", "x", "broken.png"),
        ("d", "user1", "x", "clip.MP4"),
        *ENOUGH,
    ]
    metrics = import_corpus(
        Given(rows, {"broken.png": b"no", "clip.MP4": b"no"}),
        tmp_path,
        scratch(tmp_path),
        1,
        None,
        1000,
        64,
        1,
        keep_missing=True,
    )
    kept = {row["post_id"]: row for row in POSTS.read(tmp_path / "posts").to_pylist()}
    assert kept["a"]["image_id"] is None and kept["d"]["image_id"] is None and "b" not in kept and "c" not in kept
    assert metrics["rejected"] == {"image: missing": 1, "image: not an image of a known format": 1}
    assert metrics["pictures_left_out_of_posts_that_stay"] == {
        "image: missing, kept for its text": 1, "image: a video, kept for its text": 1}  # fmt: skip
    told = rejected({"rejected": REJECTED.read(tmp_path / "rejected").to_pylist()}, "image: missing, kept for its text")
    assert told == {"a": "no.png"}


def test_more_text_than_a_column_holds_is_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "_PIECE_BYTES", 1000)
    rows = [(f"p{at:02}", f"user{at % 2}", "x" * (400 if at % 3 else 3000), None) for at in range(40)]
    _, read = run(Given(rows), tmp_path)
    assert [(row["post_id"], row["text"]) for row in read["posts"]] == [(row[0], row[2]) for row in rows]
