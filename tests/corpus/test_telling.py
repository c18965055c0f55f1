"""What the import says of a table of users that is not as it seems."""

import pyarrow as pa
import pytest

from pipeline.corpus.rows import WRITTEN_OTHERWISE
from pipeline.tables.corpus import REJECTED
from tests.corpus.test_importing import ENOUGH, Given, run


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
