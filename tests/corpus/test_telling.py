"""What the import says last: what was lost and why, and what is not as it seems."""

from datetime import datetime

import pyarrow as pa
import pytest

from pipeline.corpus.importing import OF_THE_FUTURE
from pipeline.corpus.names import labels
from pipeline.corpus.rows import ALL_STRANGERS, STRANGER, UNKNOWN_BRAND, WRITTEN_OTHERWISE
from pipeline.tables.corpus import REJECTED
from tests.corpus.given import ENOUGH, Given, png, run


class Described(Given):
    """Each user with these interests, and one row of users that is left out."""

    interests: tuple[str, ...] = ()
    reason = "user without a post that is kept"

    def users(self, posts):
        table, _ = super().users(posts)
        held = pa.array([list(self.interests)] * table.num_rows, pa.list_(pa.string()))
        return table.set_column(table.column_names.index("interests"), "interests", held), REJECTED.of(
            [("USER0", self.reason, "")]
        )


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
        (["<PIL.PngImagePlugin.PngImageFile mode=RGB size=9x9 at 0x7F>"], {}, "holds pictures, not names of files"),
        (["{'bytes': None, 'path': '1.jpg'}"], {"1.jpg": b""}, "holds records, such as"),
        (["1.jpg\n2.jpg", "2.jpg 1.jpg", "{2.jpg,1.jpg}"], {"1.jpg": b"", "2.jpg": b""}, "holds several names"),
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
    source = Described(ENOUGH)
    for source.reason, to_do in (
        ("duplicate user_id", "put all interests of a person into one row"),
        ("brand is not true or false", "write true or false"),
    ):
        run(source, tmp_path)
        assert caplog.messages[-1].startswith(f"1 row of the table of users is left out by '{source.reason}'")
        assert to_do in caplog.messages[-1]


def test_a_single_user_who_is_written_otherwise_than_in_the_posts_is_told(tmp_path, caplog):
    source = Described(ENOUGH)
    source.reason = WRITTEN_OTHERWISE
    run(source, tmp_path)
    assert caplog.messages[-1] == (
        f"1 row of the table of users is left out by '{WRITTEN_OTHERWISE}': it differs in capitals, or by an @ or "
        "zeros before it: write it as the posts have it."
    )


@pytest.mark.parametrize(("interests", "twins"), [(("Sea", "sea", "SEA", "roads"), 3), (("sea", "roads"), 0)])
def test_interests_that_differ_in_capitals_alone_are_told_and_not_named(tmp_path, caplog, interests, twins):
    source = Described(ENOUGH)
    source.interests = interests
    run(source, tmp_path)
    told = [message for message in caplog.messages if "interests" in message]
    assert len(told) == (twins > 0) and all(message.startswith(f"{twins} interests differ") for message in told)
    assert not any("sea" in message.lower() for message in caplog.messages)


@pytest.mark.parametrize(
    ("interests", "count"),
    [
        (("art; music", "[art", "<li>art</li>", "#art #sea", "arts\\", "C#", "Map(art", "sea)"), 7),
        (("C#", "R&B", "AC/DC", "art (12)", "5 > 3", "24/7", "16:9", "col·legi"), 1),
        (("art / sea", "art • sea", "art · sea", "1. art", "art:0.9", "sea=1"), 6),
        (("sea",), 0),
    ],
)
def test_interests_that_may_be_several_in_one_are_counted(tmp_path, caplog, interests, count):
    source = Described(ENOUGH)
    source.interests = labels(interests)
    run(source, tmp_path)
    told = [message for message in caplog.messages if "signs of lists" in message]
    assert len(told) == (count > 0) and all(f"bracket): {count}. If" in message for message in told)


def test_a_single_brand_that_cannot_be_read_is_told(tmp_path, caplog):
    source = Described([(f"q{at}", f"person{at}", "some text", None) for at in range(30)])
    source.reason = UNKNOWN_BRAND
    run(source, tmp_path)
    assert caplog.messages[-1].startswith(f"1 row of the table of users is left out by '{UNKNOWN_BRAND}'")


def test_times_of_the_future_are_told(tmp_path, caplog):
    class Late(Given):
        when = datetime(2150, 1, 1)

        def rows(self):
            for rows, refused in super().rows():
                times = pa.array([self.when] * rows.num_rows, pa.timestamp("us"))
                yield rows.set_column(rows.column_names.index("created_at"), "created_at", times), refused

    run(Late(ENOUGH), tmp_path)
    assert OF_THE_FUTURE.format(20, "posts.csv") in caplog.messages
    caplog.clear()
    Late.when = datetime(2024, 5, 1)
    run(Late(ENOUGH), tmp_path)
    assert not caplog.messages
