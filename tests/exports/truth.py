"""One truth of some forty posts with planted traps, which every generator of an export writes and the converter reads.

Whatever a format holds has to come back the same; `holds` and `lacks` of a format say what it cannot hold.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.corpus.sources import drawing

BRAND = 9
"""The number of the account that is a brand's."""
TEXTS = (
    "Plain words about a harbour at dawn",
    'Ünïcode & <angles> "quotes", commas; semicolons',
    "写真 кошка قطة 🐈‍⬛ 👩🏽‍🚀 #tag",
    "two lines\nof one post",
)
TOPICS = (
    "tiger zebra jungle paw lion river savanna",
    "engine wheel truck road garage petrol bridge",
    "rose tulip petal garden bee spring soil",
    "circuit keyboard screen mouse cable laptop chip",
)


@dataclass(frozen=True)
class Truth:
    """A post: `trap` says what is wrong with it; a picture is a number, which is its colour."""

    number: int
    user: int
    text: str
    when: int
    pictures: tuple[int, ...] = ()
    language: str = "en"
    likes: int = 0
    trap: str | None = None

    @property
    def big(self) -> int:
        """An id beyond what a float or JavaScript holds."""
        return 1_234_567_890_123_456_789 + 2 * self.number

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.when, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    @property
    def rfc(self) -> str:
        return datetime.fromtimestamp(self.when, UTC).strftime("%a %b %d %H:%M:%S +0000 %Y")


def truth(people: int = 4, posts: int = 9) -> list[Truth]:
    """`posts` posts by each of `people`; then one of each trap."""
    found, words = [], np.random.default_rng(1)
    for k in range(people * posts):
        pictures = [(), (k,), (k, 1000 + k, 2000 + k), ()][k % 4] if k % 8 != 4 else (k,)
        said = " ".join(words.choice(TOPICS[k % people % len(TOPICS)].split(), 5))
        text = f"{TEXTS[k // people % len(TEXTS)]} no. {k} {said}"
        found.append(Truth(k, k % people, text, 1_600_000_000 + 3600 * k, pictures, ("en", "de")[k % 2], k))
    n = len(found)
    for k, trap in enumerate(("repost", "reply", "video", "gone", "missing", "earlier", "later", "empty"), start=n):
        number = k - 1 if trap == "later" else k
        pictures = (k,) if trap in ("video", "missing", "earlier", "later") else ()
        text = "" if trap == "empty" else f"a trap of the kind {trap if trap != 'later' else 'earlier'}"
        found.append(Truth(number, k % people, text, 1_700_000_000 + 60 * number, pictures, "en", k, trap))
    # The two of one post are by one person.
    later = next(t for t in found if t.trap == "later")
    found[found.index(later)] = Truth(
        later.number, (later.number) % people, later.text, later.when, (later.number,), "en", later.likes, "later"
    )
    return found


@cache
def picture(number: int) -> bytes:
    """A drawing that is no other's, as a PNG."""
    return drawing.encode(drawing.draw(number % 80, number % 8, np.random.default_rng(number)))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def save(folder: Path, name: str, number: int) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(number))


@dataclass
class Written:
    """An export on disk, how it names posts and users, and what it cannot hold."""

    posts: Path
    images: Path | None
    post_id: Callable[[Truth], str]
    user_id: Callable[[Truth], str]
    kind: str
    lacks: set[str] = field(default_factory=set)
    """Fields that the format has not: language, likes, time, several (pictures), traps by name."""
    holds: Callable[[Truth], bool] = lambda post: True
    text: Callable[[str], str] = lambda text: text
    broken: int = 0
    """Rows that are broken on purpose."""
    columns: dict | None = None
    brand: str = ""
    """What the brand is called where it is answered; empty: the format does not tell."""


EXPECTED = {
    "repost": "repost",
    "reply": "reply to a brand",
    "gone": "author unknown",
    "earlier": "duplicate of a later collection",
    "empty": "no text and no picture",
}
"""The reason of each trap whose row leaves."""
