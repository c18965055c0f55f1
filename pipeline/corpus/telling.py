"""What the import dropped, said where people look: the last lines of its log, with the likely cause and what to do."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from pipeline.corpus.names import plain
from pipeline.corpus.reading.cells import LOST
from pipeline.corpus.rounded import ROUNDED
from pipeline.corpus.rows import ALL_STRANGERS, UNKNOWN_BRAND, UNREADABLE_USER, WRITTEN_OTHERWISE

MUCH_OF_PICTURES, MUCH_OF_ROWS, MUCH_OF_USERS = 0.1, 0.1, 0.5
"""Shares from which on a loss is told."""
_OF_LISTS = re.compile(r"[][{}‹›\\;|]|#.*#|^[^(]*\)|\([^)]*$|\s[/•·]\s|^\d{1,2}\.\s|[^\d\s]\s?[:=]\s?[\d.]+$")
"""What stands in a label, folded, where a list was not read as one."""
_TRIED = 20
_KEPT = ("missing", "several files of that name", "a video")
"""Reasons of pictures whose posts may stay for their text."""
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic")
_LONGEST = 1000
"""Letters of the longest path."""

TO_DO = {
    "image: missing": "were all downloaded, and are the names paths from corpus.images on? corpus.missing_images: text "
    "keeps such posts for their text",
    "image: several files of that name": "write the folders before the names: data/corpus/rejected has some",
    "image: outside the folder": "links lead out of the folder of pictures: set corpus.links_into to where they lead, "
    "or copy what they stand for (cp -RL)",
    ROUNDED: "export the table again, with the columns of ids as text",
    "id longer than a name": "is another column the one of ids?",
    "unreadable row": "save a CSV as UTF-8, with quotes around what holds the separator, and closed; in JSON, ids, "
    "texts and image are text, not objects. The details are in data/corpus/rejected",
    LOST: "export the table again, with its columns as text",
    "created_at is no time": "ISO 8601, Unix time, RFC 2822 and Twitter's way are read, and figures alone only with "
    "the year first, as 05/04/2024 may be two days (in a spreadsheet, give the cells the format yyyy-mm-dd hh:mm, "
    "and save again); leave it empty where unknown",
    "image: not an image of a known format": "JPEG, PNG, WebP, GIF, BMP, AVIF and HEIC are read; convert others",
    "image: unreadable": "have they permission to be read, and are zips without a password? The details are in "
    "data/corpus/rejected",
    "image: a video": "only pictures are read; corpus.missing_images: text keeps such posts for their text",
    "user with too few posts": "see corpus.min_posts_per_user",
    "beyond the limit of posts per user": "see corpus.max_posts_per_user; null is no limit",
    "missing user": "the column user_id is empty there",
    "missing post_id": "the column post_id is empty there",
    "image: not a file": "the names are those of folders: name the files in them, the first in image, the others in "
    "more_images",
    "duplicate post_id": "is post_id the column that tells posts apart?",
}


TO_DO_OF_USERS = {
    "duplicate user_id": "put all interests of a person into one row, as a list",
    UNKNOWN_BRAND: "write true or false, or leave it empty",
    WRITTEN_OTHERWISE: "it differs in capitals, or by an @ or zeros before it: write it as the posts have it",
    UNREADABLE_USER: "save a CSV as UTF-8, with quotes around what holds the separator; in JSON, interests are texts "
    "in one list, not objects or lists of their own",
}
NOBODY = {"na", "n/a", "none", "null", "nil", "-", "?", "unknown", "anonymous", "undefined", "deleted", "unbekannt"}
"""What programs call whom they do not know."""


def doubts(posts: Mapping[str, int]) -> list[str]:
    """A sentence for what users, by their number of posts, may be other than people."""
    told = [
        f"{count} posts are of a user called {user!r}: if that is how your program writes that it knows nobody, leave "
        "user_id empty there, or many people are one."
        for user, count in posts.items()
        if user.lower() in NOBODY and count * len(posts) > sum(posts.values())
    ]
    if twins := _alike(posts):
        told.append(
            f"{twins} users have names that differ in capitals, an @ or the kind of letters alone; they are taken for "
            "different people: write a person's user_id in one way."
        )
    return told


def doubts_of_interests(interests: Sequence[str]) -> list[str]:
    """A sentence where `interests`, the different ones, may be fewer or several in one. None is named: see
    `metrics/import.json`.
    """
    told = []
    if twins := _alike(interests):
        told.append(
            f"{twins} interests differ from another in capitals alone, and are taken for different ones: write each in "
            "one way."
        )
    if several := sum(bool(_OF_LISTS.search(name)) for name in interests):
        told.append(
            f"interests that hold signs of lists or of HTML ([ ] {{ }} ; | \\ < >, • or / between "
            f"words, a number before or behind, two # or half of a "
            f"bracket): {several}. If one is several, write lists as docs/own-corpus.md has them."
        )
    return told


def _alike(names: Iterable[str]) -> int:
    """How many of different `names` are but for capitals, an @ or the kind of letters one of the others."""
    return sum(count for count in Counter(map(plain, names)).values() if count > 1)


def losses(metrics: Mapping[str, Any], why: Callable[[str], str]) -> list[str]:
    """A sentence for each large loss that `metrics` of an import tell; `why` tells the cause of a reason."""
    rejected, kept = dict(metrics["rejected"]), dict(metrics["pictures_left_out_of_posts_that_stay"])
    lost = {reason: count for reason, count in rejected.items() if reason.startswith("image: ")}
    alone = Counter({f"image: {reason}": kept.get(f"image: {reason}, kept for its text", 0) for reason in _KEPT})
    text_alone = alone.total()
    told = []
    with_picture = metrics["posts"]["with_image"] + sum(lost.values()) + text_alone
    if sum(lost.values()) + text_alone > MUCH_OF_PICTURES * with_picture:
        ((reason, count),) = (Counter(lost) + alone).most_common(1)
        all_lost = sum(lost.values()) + text_alone
        told.append(
            _told(f"{all_lost} of {with_picture} posts with a picture lost it, {count} by", reason, why(reason))
        )
    for reason, count in rejected.items():
        if reason not in lost and count > MUCH_OF_ROWS * metrics["rows_in"]:
            left = f"{count} of {metrics['rows_in']} rows {_are(count)} left out by"
            told.append(_told(left, reason, why(reason)))
    users_in, gone = metrics["users_in"], metrics["users_in"] - metrics["users"]
    if gone > MUCH_OF_USERS * users_in:
        told.append(f"{gone} of {users_in} users {_are(gone)} left out: see data/corpus/rejected.")
    for reason, count in metrics["users_rejected"].items():
        many = reason in TO_DO_OF_USERS and count > MUCH_OF_ROWS * metrics["users"]
        if many or reason in (WRITTEN_OTHERWISE, UNKNOWN_BRAND):
            left = f"{count} row{'s' * (count > 1)} of the table of users {_are(count)} left out by"
            told.append(_told(left, reason, TO_DO_OF_USERS[reason]))
    if ALL_STRANGERS in metrics["users_rejected"]:
        told.append("no row of the table of users is of a user who posts: do both write ids the same way?")
    return told


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _told(what: str, reason: str, cause: str) -> str:
    return f"{what} '{reason}'" + (f": {cause}." if cause else ".")


There = Callable[[Iterable[str]], set[str]]
"""Those of some names of pictures that lead to files."""


def why(reason: str, names: Sequence[str], there: There) -> str:
    """The likely cause of a reason, and what to do; of pictures that lead nowhere, by some `names` of them."""
    told = _why_missing(names, there) if names else ""
    return told or TO_DO.get(reason, "")


def _why_missing(names: Sequence[str], there: There) -> str:
    """The likely cause why the pictures `names` are missing: one that most of some names tell."""
    some = list(islice(names, _TRIED))
    instead = {cause: [other(name) for name in some] for cause, other in _BY_FILES}
    found = there(dict.fromkeys(one for names in instead.values() for others in names for one in others))
    for cause, others in instead.items():
        if 2 * sum(not found.isdisjoint(names) for names in others) > len(some):
            return cause
    for cause, fits in _BY_NAMES:
        if 2 * sum(map(fits, some)) > len(some):
            return cause
    return ""


def _is_number(name: str) -> bool:
    return name.replace(".", "", 1).isdigit()


def _is_address(name: str) -> bool:
    return name.lower().startswith(("http://", "https://"))


def _is_picture(name: str) -> bool:
    """Whether a cell is a picture itself, or what a program printed of one."""
    return name.startswith(("data:", "<PIL.", "b'", 'b"', "[[")) or len(name) > _LONGEST


def _last(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _without_ending(name: str) -> str:
    return name.rpartition(".")[0]


_BY_FILES: tuple[tuple[str, Callable[[str], list[str]]], ...] = (
    (
        "the column image holds several names: put all but the first into a column more_images",
        lambda name: [name.strip("{}[]()").split(mark)[0].strip() for mark in ";,|\n " if mark in name],
    ),
    (
        "the column image holds addresses, whose files are there: set corpus.source to export, which finds them",
        lambda name: [_last(name.partition("?")[0])] if _is_address(name) else [],
    ),
    (
        "without the folders before their names they are there: take these off, or set corpus.images to another",
        lambda name: [_last(name)] if _last(name) != name else [],
    ),
    ("the names lack their ending, such as .jpg", lambda name: [name + ending for ending in _ENDINGS]),
    (
        "the files have other endings than the names, such as .webp in the place of .jpg: write those",
        lambda name: [_without_ending(name) + ending for ending in _ENDINGS],
    ),
)
"""Causes of missing pictures, and what names of files then would be there."""
_BY_NAMES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("the column image holds addresses, not names of files: download the pictures first", _is_address),
    (
        "the column image holds records, such as {'path': 'a.jpg'}: set corpus.source to export, which reads them",
        lambda name: name.startswith("{"),
    ),
    (
        "the column image holds pictures, not names of files: write them into files, or set corpus.source to export, "
        "which reads them",
        _is_picture,
    ),
    ("the column image holds numbers, not names of files", _is_number),
)
"""Causes that the names tell."""
