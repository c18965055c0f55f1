"""Times as programs write them for people: what means one moment is read, what may mean two is not."""

from datetime import datetime

import pytest

from pipeline.common.times import moment, of_number

TEN = datetime(2024, 5, 1, 10)


@pytest.mark.parametrize(
    "written",
    [
        *("2024年5月1日 10:00", "2024年05月01日10时00分00秒", "2024年5月1日 上午10:00"),
        *("2024. 5. 1. 오전 10:00", "2024년 5월 1일 10시"),
        *("2024-05-01T10:00:00Z[UTC]", "2024-05-01T12:00+02:00[Europe/Berlin]", "2024-05-01 10:00:00 (UTC)"),
        *("2024-05-01 10:00:00 AM", "2024-05-01 12:00:00 +0200", "2024-05-01T08:00:00\N{MINUS SIGN}02:00"),
        *("2024-05-01T15:30:00+05:30", "2024-05-01 06:30:00 -0330"),
        *("2024-05-01_10-00-00_UTC", "May 1, 2024 10:00 a.m."),
        *("/Date(1714557600000)/", "/Date(1714557600000+0200)/", '"2024-05-01T10:00:00"', "2024-05-01 10:00:00,000"),
        *("2024-05-01 10:00:00 +0000 UTC", "2024-05-01 12:00:00 +0200 CEST", "Wed 2024-05-01 10:00:00 UTC"),
        *("2024/05/01 10:00:00 AM", "20240501 10:00:00", "2024-05-01 10.00.00", "May-01-2024 10:00"),
        *("1 May 2024 at 10:00", "May 1, 2024 at 10:00 AM", "May 1st, 2024 10:00 AM", "01 May 2024, 10:00"),
        *("01-May-2024 10:00AM", "Wed, 01 May 2024 12:00:00 +0200", "1 May 2024 10:00:00 GMT"),
    ],
)  # fmt: skip
def test_ten_in_the_morning_is_read_however_it_is_written(written):
    assert moment(written) == TEN


@pytest.mark.parametrize("written", ["1714557600", "1714557600000", "1714557600" + "0" * 6, "1714557600" + "0" * 9])
def test_numbers_are_seconds_or_parts_of_them_by_their_size(written):
    assert of_number(written) == TEN and of_number(written[:8]) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024. 5. 1. 오후 3:05", datetime(2024, 5, 1, 15, 5)),
        ("2024年5月1日 下午12:30", datetime(2024, 5, 1, 12, 30)),
        ("2024-05-01 12:15 AM", datetime(2024, 5, 1, 0, 15)),
        ("2024-05-01 11:00 PM -0200", datetime(2024, 5, 2, 1)),
        ("2024-12-31T24:00:00", datetime(2025, 1, 1)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59)),
        ("2024年5月1日", datetime(2024, 5, 1)),
        ("07-Jul-2025 05:12PM", datetime(2025, 7, 7, 17, 12)),
        ("1969-12-31 23:00:00 +0000", datetime(1969, 12, 31, 23)),
    ],
)
def test_halves_of_days_ends_of_days_and_offsets_count(written, meant):
    assert moment(written) == meant


@pytest.mark.parametrize(
    "written",
    ["05/01/2024", "01.05.2024 10:00", "2024-05", "2024-02-30", "2024-05-01T10", "13:00 PM", "2024-05-01 13:00 PM",
     "2024-05-01 10:00:00 Europe/Berlin", "2024-05-01 24:01", "12 mai 2024", "1.71456E+09", "45413", "may", "", "today",
     "3 hours ago", "01-05-2024 10:00", "0000-01-01", "2024-05-01 10:61", "/Date(99999999999999999)/"],
)  # fmt: skip
def test_what_is_no_time_or_may_be_two_is_none(written):
    assert moment(written) is None
