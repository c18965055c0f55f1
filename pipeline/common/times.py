"""Times in notations that programs write for people to read, and that mean one moment all the same.

Beside ISO 8601: in figures alone, as Unix time, as 20240501100000 and in ticks of Windows; with the month in letters;
with the year first, in the dots and signs of Chinese, Japanese and Korean, with a half of the day, with a zone in
brackets behind an offset.
Days and months in figures alone with the year last mean two dates, and are none here.
"""

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

NEVER = (
    r"^$|^(nan|NaN|NaT|<NA>|NA|[Nn]/[Aa]|[Nn]one|null|NULL|\\N|[-.]|-1|0|"
    r"(0000-00-00|0001-01-01)([ T]00:00:00(\.0+)?Z?)?)$"
)
"""What programs write where no time is known."""
FIRST = 10**8
"""The least Unix time, in s: of 1973. Smaller numbers are days, years, or nothing."""
FIRST_DAY, LAST = datetime(1600, 1, 1), datetime(2200, 1, 1)
"""What is earlier or later is a mark for none, or of another calendar: of Iran, of Islam, of Buddhism."""

_COMPACT = re.compile(r"(?:19[789]|20\d)\d\d{4}(?:\d{4}(?:\d\d)?)?")
_UNIX = re.compile(r"(\d{9,19})(?:\.(\d+))?")
_TICKS = re.compile(r"\d{18}")
_HALF = re.compile(r"(?<=\d)\s*([aApP])\.?[mM]\b\.?")
_EASTERN = (
    (re.compile(r"^(\d{4})\s*[年년.]\s*(\d{1,2})\s*[月월.]\s*(\d{1,2})\s*(?:[日일]|\.)?"), r"\1-\2-\3 "),
    (re.compile(r"(午前|上午|오전)\s*([\d:時时点點시分분]+)"), r"\2 AM"),
    (re.compile(r"(午後|下午|오후)\s*([\d:時时点點시分분]+)"), r"\2 PM"),
    (re.compile(r"(?<=\d)\s*[時时点點시分분]\s*(?=\d)"), ":"),
    (re.compile(r"(?<=\d)\s*[時时点點시]"), ":00"),
    (re.compile(r"(?<=\d)\s*[分분秒초]"), ""),
)
_PLAIN = (
    (re.compile(r"""^(["'])(.*)\1$"""), r"\2"),
    (re.compile(r"\s*[\[(](?:UTC|GMT|Z)[\])]$"), "Z"),
    (re.compile(r"(Z|[+-]\d\d:?\d\d)\s*(?:\[[\w/+-]+\]|Z|[A-Z]{3,4})$"), r"\1"),  # a name behind the offset that counts
    (re.compile(r"^[A-Z][a-z]{2,8},? (?=\d{4}\D)"), ""),
    (re.compile(r"^(\d{4})/(\d\d?)/(\d\d?)"), r"\1-\2-\3"),
    (re.compile(r"^(\d{4})(\d\d)(\d\d)[T ](\d\d):"), r"\1-\2-\3 \4:"),
    (re.compile(r"^(\d{4}-\d\d?-\d\d?[T ]\d\d?)\.(\d\d)(?:\.(\d\d))?"), r"\1:\2:\g<3>"),
    (re.compile(r"^(\d{4}-\d\d?-\d\d?)_(\d\d)-(\d\d)-(\d\d)(?:_(?:UTC|Z))?$"), r"\1 \2:\3:\4"),
    (re.compile(r"(:\d\d),(\d{1,6})(?!\d)"), r"\1.\2"),
)
_ISO = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[T\s]+(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?\s*"
    r"(?:(Z|UTC|GMT)|([+-])(\d\d):?(\d\d)?)?"
)
_OF_LETTERS = (
    (re.compile(r"^(\d{1,2})([A-Za-z]{3})(\d{4})(?:$|[ :](?=\d))"), r"\1 \2 \3 "),  # of Stata and SAS
    (re.compile(r"^(\d{1,2}|[A-Za-z]{3,9})-([A-Za-z]{3,9}|\d{1,2})-(\d{4})\b"), r"\1 \2 \3"),
    (re.compile(r"(?<=\d)(?:st|nd|rd|th)\b"), ""),
    (re.compile(r"(?<=\d{4})(?:, | at | · )(?=\d)"), " "),
)
_MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b", re.IGNORECASE)
_OFFSET = re.compile(r"\b(?:GMT|UTC)(?=[+-]\d)")
_DOTNET = re.compile(r"/?Date\((-?\d+)(?:[+-]\d{4})?\)/?")


def of_number(written: str) -> datetime | None:
    """A number of s, ms, µs or ns since 1970, told apart by its size; or 20240501100000, a date in figures alone; or
    ticks of 100 ns, of .NET or Windows.

    In UTC and without a zone; None where it is none.
    """
    if _COMPACT.fullmatch(written):
        with contextlib.suppress(ValueError):
            return datetime.strptime(written.ljust(14, "0"), "%Y%m%d%H%M%S")
    if _TICKS.fullmatch(written):  # of 100 ns: of .NET since the year 1, of Windows since 1601; in ns 1973 to 2001
        first = datetime(1, 1, 1) if int(written) > 5 * 10**17 else datetime(1601, 1, 1)
        return first + timedelta(microseconds=int(written) // 10)
    match = _UNIX.fullmatch(written)
    if not match:
        return None
    whole, power = int(match[1]), 6
    while whole >= 10**11 * 10 ** (6 - power) and power > -3:  # the next smaller unit
        power -= 3
    if whole < FIRST:
        return None
    fraction = int((match[2] or "0")[:6].ljust(6, "0")) if power == 6 else 0
    micros = whole * 10**power + fraction if power >= 0 else whole // 1000
    with contextlib.suppress(OverflowError):
        return datetime(1970, 1, 1) + timedelta(microseconds=micros)
    return None


def moment(written: str) -> datetime | None:
    """The time that `written` means, in UTC and without a zone; None where it is none, or may be several.

    A time without a zone is taken to be in UTC.
    """
    text = written.replace("\N{MINUS SIGN}", "-").strip()
    if match := _DOTNET.fullmatch(text.replace("\\", "")):
        return datetime(1970, 1, 1) + timedelta(milliseconds=int(match[1])) if len(match[1]) < 15 else None
    for pattern, instead in (*_EASTERN, *_PLAIN):
        text = pattern.sub(instead, text).strip()
    text, half = _without_half(text)
    match = _ISO.fullmatch(text)
    try:
        found = _of_figures(match) if match else _of_letters(text)
        if half:
            if not 1 <= found.hour <= 12:
                return None
            found = found.replace(hour=found.hour % 12 + 12 * (half in "pP"))
        return found.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _without_half(text: str) -> tuple[str, str]:
    """A time without AM or PM, and the letter of the one it had, if any."""
    half = _HALF.search(text)
    return (text[: half.start()] + text[half.end() :], half[1]) if half else (text, "")


def _of_figures(match: re.Match[str]) -> datetime:
    """A time with the year first. A day may end at 24:00, and a minute may have a leap second."""
    year, month, day, hour, minute, second = (int(match[at] or 0) for at in range(1, 7))
    whole_day = (hour, minute, second) == (24, 0, 0)
    found = datetime(year, month, day, 0 if whole_day else hour, minute, min(second, 59) if second == 60 else second)
    found += timedelta(days=whole_day, microseconds=int((match[7] or "0").ljust(6, "0")))
    ahead = timedelta(hours=int(match[10] or 0), minutes=int(match[11] or 0))
    return found.replace(tzinfo=timezone(-ahead if match[9] == "-" else ahead))


def _of_letters(text: str) -> datetime:
    """A time with its month in letters, as RFC 2822, feeds and JavaScript have it. Raises ValueError for another."""
    for pattern, instead in (*_OF_LETTERS, (_OFFSET, "")):
        text = pattern.sub(instead, text)
    if not _MONTH.search(text):
        raise ValueError(text)
    found = parsedate_to_datetime(text if ":" in text else f"{text} 00:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
