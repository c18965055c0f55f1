"""What every source goes through: who stays, in which order things are left out, and that nothing is lost."""

import hashlib
import io
import shutil
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.common.hashing import unit_hash
from pipeline.corpus import choosing, importing
from pipeline.corpus.importing import import_corpus
from pipeline.corpus.rows import ALL_STRANGERS, CANDIDATES, STRANGER
from pipeline.corpus.spill import Spill
from pipeline.pictures.reading import Picture, Rejected
from pipeline.running.errors import UserError
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS


def png(colour, side=8):
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def noise():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 30, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


class Given:
    """A source whose rows, (post_id, user_id, text, image, further images…) each, and files are given."""

    name = "posts.csv"

    def __init__(self, rows, files=None, pieces=3):
        self._rows, self._files, self._pieces = rows, files or {}, pieces
        self.read = []

    def rows(self):
        numbered = [(number, *row[:4], None, list(row[4:]) or None) for number, row in enumerate(self._rows, start=1)]
        for part in np.array_split(np.arange(len(numbered)), self._pieces):
            columns = zip(*(numbered[i] for i in part), strict=True) if len(part) else [()] * len(CANDIDATES)
            yield pa.table(dict(zip(CANDIDATES.names, columns, strict=True)), schema=CANDIDATES), REJECTED.empty()

    def pictures(self, names):
        for name in names:
            self.read.append(name)
            yield name, self._files.get(name, Rejected("missing", name))

    def users(self, posts):
        ids = sorted(set(posts["user_id"].to_pylist()))
        columns = {"user_id": ids, "interests": [["art"]] * len(ids), "brand": [False] * len(ids)}
        return pa.table(columns, schema=USERS.schema), REJECTED.empty()


def scratch(folder):
    """An empty folder for what waits."""
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    return folder / "scratch"


def run(source, folder, min_posts=1, max_posts=None):
    metrics = import_corpus(
        source, folder, scratch(folder), min_posts, max_posts, max_pixels=1000, max_side=64, workers=1
    )
    read = {t: table.read(folder / t).to_pylist() for t, table in TABLES.items()}
    # Nothing is lost: every row in is a row out, or a row of `rejected`.
    assert metrics["rows_in"] == metrics["rows_out"] + sum(metrics["rejected"].values())
    assert metrics["rows_out"] == len(read["posts"])
    apart = metrics["users_rejected"] | metrics["pictures_left_out_of_posts_that_stay"]
    assert Counter(row["reason"] for row in read["rejected"]) == metrics["rejected"] | apart
    return metrics, read


TABLES = {"posts": POSTS, "users": USERS, "images": IMAGES, "rejected": REJECTED}
SHARD = "part-00000.parquet"
ENOUGH = [(f"z{i:02}", f"user{i % 2}", "some text", None) for i in range(20)]


def rejected(read, reason):
    return {row["id"]: row["detail"] for row in read["rejected"] if row["reason"] == reason}


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
    files = {"text.png": b"no picture", "huge.png": png("red", side=40), "cut.png": noise()[:1500]}
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


def test_spilled_rows_come_back_in_any_order(tmp_path):
    schema = pa.schema([("n", pa.int64()), ("t", pa.string())])
    with Spill(tmp_path / "s.arrow", schema) as spill:
        for begin in (0, 1, 40, 40, 100):
            numbers = range(begin, {0: 1, 1: 40, 40: 100, 100: 200}[begin])
            if spill.rows < numbers.stop:
                spill.append(pa.table({"n": numbers, "t": [f"row {n}" for n in numbers]}, schema=schema))
    rows = np.random.default_rng(1).permutation(200)
    taken = spill.take(np.r_[rows, rows[:3]])
    assert taken["n"].to_pylist() == [*rows, *rows[:3]]
    assert taken["t"].to_pylist() == [f"row {n}" for n in [*rows, *rows[:3]]]
    assert spill.take(np.empty(0, np.int64)).num_rows == 0
    assert spill.column("n").to_pylist() == list(range(200))


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


@pytest.mark.parametrize(
    ("names", "files", "cause"),
    [
        (["https://x.example/1.jpg"], {}, "addresses, not names of files"),
        (
            ["https://x.example/1.jpg?w=9"],
            {"1.jpg": b""},
            "whose files are there: set corpus.source to export",
        ),
        (["u/1.png", "v/1.png"], {"1.png": b""}, "without the folders before their names they are there"),
        (["1", "2"], {"1.jpg": b"", "2.png": b""}, "the names lack their ending"),
        (["1.jpg", "2.jpg"], {"1.webp": b"", "2.png": b""}, "the files have other endings than the names"),
        (["data:image/png;base64,iVBORw0KGgo="], {}, "holds pictures, not names of files"),
        (["12.0", "13"], {}, "holds numbers, not names of files"),
        (["1.png"], {}, "were all downloaded"),
    ],
)
def test_the_last_line_of_the_log_says_what_was_lost_and_why(tmp_path, caplog, names, files, cause):
    rows = [(f"p{at}", "user0", "text", name) for at, name in enumerate(names)] + ENOUGH
    run(Given(rows, files), tmp_path)
    assert f"{len(names)} of {len(names)} posts with a picture lost it" in caplog.messages[-1]
    assert "'image: missing'" in caplog.messages[-1] and cause in caplog.messages[-1]


def test_nothing_is_said_where_little_is_lost_and_users_that_match_nobody_are_told(tmp_path, caplog):
    good = {f"{at}.png": png((at, 0, 0)) for at in range(20)}
    rows = [(f"p{at}", "user0", "text", f"{at}.png") for at in range(21)]
    caplog.set_level("INFO")
    run(Given([*rows, *ENOUGH], good), tmp_path)
    assert caplog.messages[-1] == "40 of 41 posts, 2 users, 20 images"

    class Strangers(Given):
        def users(self, posts):
            table, _ = super().users(posts)
            nobody = pa.array([[]] * table.num_rows, pa.list_(pa.string()))
            return table.set_column(1, "interests", nobody), REJECTED.of([("7.0", self.reason, "")])

    for Strangers.reason in (ALL_STRANGERS, STRANGER):  # a table may well describe people without an interest
        run(Strangers(ENOUGH), tmp_path)
        assert ("do both write ids the same way" in caplog.messages[-1]) == (Strangers.reason == ALL_STRANGERS)


def test_more_text_than_a_column_holds_is_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "_PIECE_BYTES", 1000)
    rows = [(f"p{at:02}", f"user{at % 2}", "x" * (400 if at % 3 else 3000), None) for at in range(40)]
    _, read = run(Given(rows), tmp_path)
    assert [(row["post_id"], row["text"]) for row in read["posts"]] == [(row[0], row[2]) for row in rows]


def test_who_may_be_nobody_and_who_may_be_one_person_twice_is_told_and_nothing_of_others(tmp_path, caplog):
    rows = [(f"n{at}", "NA", f"text {at}", None) for at in range(60)]
    rows += [(f"t{at}", user, "text", None) for at, user in enumerate(("Ann", "@ann", "ＡＮＮ", "bob"))]
    run(Given([*rows, *ENOUGH], {}), tmp_path)
    first, second = caplog.messages[-2:]
    assert first.startswith("60 posts are of a user called 'NA'") and "leave user_id empty there" in first
    assert second.startswith("3 users have names that differ in capitals")
    caplog.clear()
    run(Given([("n0", "NA", "text", None), ("t0", "Ann", "text", None), *ENOUGH], {}), tmp_path)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_table_of_users_that_lost_many_rows_is_told_with_what_to_do(tmp_path, caplog):
    class Described(Given):
        def users(self, posts):
            table, _ = super().users(posts)
            return table, REJECTED.of([("user0", self.reason, "")])

    for Described.reason, to_do in (
        ("duplicate user_id", "put all interests of a person into one row"),
        ("brand is not true or false", "write true or false"),
    ):
        run(Described(ENOUGH, {}), tmp_path)
        assert caplog.messages[-1].startswith(f"1 row of the table of users is left out by '{Described.reason}'")
        assert to_do in caplog.messages[-1]
