"""A made-up corpus, split: people with a topic each, their posts and pictures, near-copies among them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from pipeline.tables.corpus import IMAGES, POSTS, USERS
from pipeline.tables.evaluation import ANSWERS, ASKED
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CLOSE, CONTENT, LARGEST
from pipeline.tables.text import DUPLICATES, WORDS
from tests.made.pictures import encoded

PEOPLE, COUNT, PICTURES = 24, 240, 120
NEAR_COPIES = range(200, 210)
"""Posts that are removed, as near-copies of the first ones."""
TOPICS = (
    "tiger zebra jungle paw",
    "engine wheel truck road",
    "rose tulip petal garden",
    "circuit keyboard screen mouse",
)


@dataclass(frozen=True)
class Made:
    """What all tables and metrics are of: PEOPLE users with a topic each, COUNT posts of theirs, half with an image.

    `author` (COUNT,) rows of `users`; `images` by id, PNG; `image_of` each post's, or None; `side` (COUNT,) of the
    split; `kept`, `train`: rows of posts that are no near-copies, and of those the ones of train.
    """

    rng: np.random.Generator
    users: list[str]
    topic: np.ndarray
    author: np.ndarray
    words: list[list[str]]
    texts: list[str]
    posts: list[str]
    images: dict[str, bytes]
    image_of: list[str | None]
    side: np.ndarray
    kept: list[int]

    @classmethod
    def draw(cls, text, user) -> "Made":
        rng = np.random.default_rng(5)
        others = [f"user-{i:02d}" for i in range(PEOPLE)]
        users = others if user is None else sorted([user, *others[:-1]])
        topic = np.arange(PEOPLE) % len(TOPICS)
        author = np.arange(COUNT) % PEOPLE
        words = [list(rng.choice(TOPICS[topic[a]].split(), 5)) for a in author]
        images = {f"{i:064x}": _picture(rng, topic[author[i]]) for i in range(PICTURES)}
        return cls(
            rng,
            users,
            topic,
            author,
            words,
            texts=[text if text is not None else " ".join(w).capitalize() for w in words],
            posts=[f"post-{i:03d}" for i in range(COUNT)],
            images=images,
            image_of=[*images, *[None] * (COUNT - PICTURES)],
            side=np.array(["test" if i % 5 == 0 else "val" if i % 20 == 1 else "train" for i in range(COUNT)]),
            kept=[i for i in range(COUNT) if i not in NEAR_COPIES],
        )

    @property
    def train(self) -> list[int]:
        return [i for i in self.kept if self.side[i] == "train"]

    @property
    def content(self) -> pa.Table:
        """The train posts as rows of CONTENT."""
        return pa.table(
            {
                "post_id": [self.posts[i] for i in self.train],
                "user_id": [self.users[self.author[i]] for i in self.train],
                "image_id": [self.image_of[i] for i in self.train],
                "words": [self.words[i] for i in self.train],
            }
        )

    @property
    def interests(self) -> list[list[str]]:
        """Each user's: that of the topic, and of every fifth `computer` too."""
        labels = ["animals", "transport", "plants", "computer"]
        return [[labels[t]] + (["computer"] if i % 5 == 0 and t != 3 else []) for i, t in enumerate(self.topic)]


def write_tables(made: Made, data: Path) -> None:
    """The tables of the corpus, of its texts and images, of the split, and of the queries of the report."""
    _corpus(made, data)
    _texts(made, data)
    _images(made, data)
    _split(made, data)
    _queries(made, data)


def _corpus(made: Made, data: Path) -> None:
    POSTS.write(
        pa.table(
            {
                "post_id": made.posts,
                "user_id": [made.users[a] for a in made.author],
                "text": made.texts,
                "image_id": made.image_of,
                "created_at": pa.nulls(COUNT, pa.timestamp("us")),
            }
        ),
        data / "corpus/posts",
    )
    USERS.write(
        pa.table({"user_id": made.users, "interests": made.interests, "brand": [False] * PEOPLE}), data / "corpus/users"
    )
    IMAGES.write(
        pa.table(
            {
                "image_id": list(made.images),
                "bytes": list(made.images.values()),
                "width": pa.array([90] * PICTURES, pa.int32()),
                "height": pa.array([70] * PICTURES, pa.int32()),
            }
        ),
        data / "corpus/images",
    )


def _texts(made: Made, data: Path) -> None:
    WORDS.write(
        pa.table(
            {
                "post_id": [made.posts[i] for i in made.kept],
                "words": [made.words[i] for i in made.kept],
                "hashtags": [[] for _ in made.kept],
                "language": ["en" for _ in made.kept],
            },
            schema=WORDS.schema,
        ),
        data / "text/words",
    )
    DUPLICATES.write(
        pa.table(
            {
                "post_id": [made.posts[i] for i in NEAR_COPIES],
                "duplicate_of": made.posts[: len(NEAR_COPIES)],
                "overlap": pa.array(np.linspace(0.8, 1, len(NEAR_COPIES)), pa.float32()),
            }
        ),
        data / "text/duplicates",
    )


def _images(made: Made, data: Path) -> None:
    """The first twelve images are copies of each other, by threes."""
    images = list(made.images)
    group = [images[i - i % 3] if i < 12 else images[i] for i in range(PICTURES)]
    IMAGE_GROUPS.write(
        pa.table(
            {
                "image_id": images,
                "group_id": group,
                "representative": [g == i for g, i in zip(group, images, strict=True)],
                "similarity": pa.array([0.97 - i / 1000 if i < 12 else 1.0 for i in range(PICTURES)], pa.float32()),
            }
        ),
        data / "images/groups",
    )


def _split(made: Made, data: Path) -> None:
    posts, images = made.posts, list(made.images)
    CONTENT.write(made.content, data / "split/train")
    close = [
        ("image", images[0], images[50], 0.94, "below"),
        ("image", images[5], images[61], 0.961, "different"),
        ("image", images[6], images[62], 0.991, "taken"),
        ("text", posts[0], posts[3], 0.71, "below"),
        ("written", posts[165], posts[168], 0.66, "below"),
    ]
    CLOSE.write(pa.table([list(c) for c in zip(*close, strict=True)], schema=CLOSE.schema), data / "split/close")

    held = [(posts[0], 30, 7, 9, 5, 3, posts[0], images[0]), (posts[150], 2, 1, 2, 0, 0, posts[150], None)]
    LARGEST.write(LARGEST.of(held), data / "split/largest")


def _queries(made: Made, data: Path) -> None:
    users, images = made.users, list(made.images)
    asked = [
        (0, 0, "text", "red rose", ["rose"], ["red"]),
        (1, 0, "text", "wheel", ["wheel"], []),
        (2, 1, "text", "xyzzy", [], ["xyzzy"]),
        (3, 2, "image", images[7], [], []),
        (4, 3, "user", users[0], [], []),
    ]
    ASKED.write(pa.table([list(c) for c in zip(*asked, strict=True)], schema=ASKED.schema), data / "queries/asked")
    answers = [
        (q, kind, n, ids[(q + n) % len(ids)], 0.9 - n / 10)
        for q in (0, 1, 3, 4)
        for kind, ids in (("image", images), ("user", users), ("text", made.posts))
        for n in range(3)
    ]
    ANSWERS.write(
        pa.table([list(c) for c in zip(*answers, strict=True)], schema=ANSWERS.schema), data / "queries/answers"
    )


def _picture(rng, topic) -> bytes:
    image = Image.new("RGB", (90, 70), "white")
    corner = tuple(int(v) for v in rng.integers(5, 40, 2))
    ImageDraw.Draw(image).ellipse(
        (*corner, corner[0] + 40, corner[1] + 28), fill=("tomato", "steelblue", "seagreen", "goldenrod")[topic]
    )
    return encoded(image)
