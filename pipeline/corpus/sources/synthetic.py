"""A generated corpus with planted truth, from 200 posts to millions, streamed: memory does not grow with the posts.

Who posts what. A user has a mixture of topics, a taste in colours, a few pet words, a hand that shows in pictures
and a level of activity with a long tail; a post has one topic and one colour of its user's. Its text has words of
the topic, the colour's name, pet words, words of other topics and everyday words, each drawn by Zipf's law and
inflected, in the user's language (`languages`), with hashtags, links, mentions, emoji and other languages between;
its picture shows the topic in the colour, by the user's hand, or (`text_shown`) others of the user's. A share of
posts copies an earlier post's text (word for word, reordered, a word changed, another link) or picture (the same
file, resized, cropped, encoded again, with a bar of text), which keeps the hand of its first author. Users follow
brands of interest groups that their topics belong to, now and then others: their interests are labels of their own,
not derived from their posts.

What an algorithm should find is kept apart from the corpus, in tables that tests and benchmarks alone read.

Posts are made in blocks of BLOCK, each from (seed, number of the block) alone, and copy within their block; a picture
is made from (seed, number of its post). So any part can be made anew, in any order.
"""

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.sources import drawing
from pipeline.corpus.sources.blocks import Block, draw, draw_rows, padded, user_ids, zipf
from pipeline.corpus.sources.lexicon import Lexicon
from pipeline.corpus.sources.texts import TEXT_CHANGES, Texts
from pipeline.pictures.reading import Picture
from pipeline.running.schema import Synthetic
from pipeline.tables.corpus import REJECTED, USERS
from pipeline.tables.truth import TRUTH_POSTS, TRUTH_USERS

BLOCK = 1 << 16
COLOURS = list(drawing.COLOURS)
INTERESTS = ("shoes", "fashion", "hospitality", "music", "sport", "travel")
VECTOR = 2048
PARTS, SHOWN_PARTS = 256, 12
"""Of made features: what pictures are put together from, and how many of them one shows."""
STYLES, HAND_STYLES = 128, 4
"""Of made features: the manners there are, and how many of them make a user's hand: no table of users is needed."""
_COLOUR_PART, _HAND_PART, _OWN_PART, _NOISE_PART = 0.7, 0.5, 1.1, 0.3
"""Of made features: lengths, the topic's being 1. A hand is told less easily than a topic, or than a colour; this was
set before any claim was looked at. What is a picture's own is as long as it takes to keep different ones apart."""
IMAGE_CHANGES = ("repost", *drawing.CHANGES)

_BEGIN = np.datetime64("2020-01-01T00:00:00", "us")


class SyntheticCorpus:
    """A source of `params.posts` posts (`pipeline.corpus.rows.Source`); user ids and post ids sort by number."""

    name = "the synthetic corpus"

    def __init__(self, params: Synthetic, seed: int) -> None:
        self._params, self._seed = params, seed
        self._lexicon = Lexicon(params.topics, COLOURS, seed, params.languages)
        chance = np.random.default_rng([seed, 1])
        users, topics = params.users, params.topics
        self._groups = min(len(INTERESTS), topics)
        # Brands come first: at least one per interest group, then one user in forty.
        self._brands = min(users // 2, max(self._groups, users // 40))
        mixture = chance.dirichlet(np.full(topics, 0.2), users)
        own = np.arange(topics) % self._groups == (np.arange(self._brands) % self._groups)[:, None]
        mixture[: self._brands] = own / own.sum(axis=1, keepdims=True)
        self.mixture, self._topics = mixture, np.cumsum(mixture, axis=1)
        self._activity = np.cumsum(chance.lognormal(0, 1, users))
        self._taste = np.cumsum(chance.dirichlet(np.full(len(COLOURS), 0.4), users), axis=1)
        pet_words = chance.choice(self._lexicon.common[100:], (users, 6))
        mixes = np.where(chance.random(users) < 0.1, chance.integers(0, len(self._lexicon.foreign), users), -1)
        self._speaks = np.random.default_rng([seed, 10]).integers(0, len(params.languages), users)
        self._texts = Texts(params, seed, self._lexicon, self._speaks, mixes, pet_words)
        self._interests = self._follow()
        self._prototypes = chance.standard_normal((topics + len(COLOURS), VECTOR), np.float32)
        self._parts = chance.standard_normal((PARTS, VECTOR), np.float32)
        self._styles = chance.standard_normal((STYLES, VECTOR), np.float32)
        self._block = lru_cache(maxsize=2)(self._make_block)

    # ------------------------------------------------------------ what the import reads

    def rows(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """All posts, block by block, in order of post_id; none is rejected."""
        for number in range(-(-self._params.posts // BLOCK)):
            block = self._block(number)
            rows = np.arange(block.first, block.first + len(block.user))
            columns = {
                "row": rows + 1,
                "post_id": self._post_ids(rows),
                "user_id": user_ids(self._authors(block)),
                "text": self._texts.of(block),
                "image": self._image_names(block),
                "created_at": _BEGIN + rows * np.timedelta64(30, "s"),
            }
            yield pa.table(columns), REJECTED.empty()

    def pictures(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Picture]]:
        """The files of these pictures; under `images: features` pictures ready to store, their bytes the vector."""
        for name in names:
            post = int(name.removesuffix(".png"))
            if self._params.images == "pixels":
                yield name, self._draw(post)
            else:
                data = self._vector(post).astype("<f2").tobytes()
                yield name, Picture(hashlib.sha256(data).hexdigest(), data, 0, 0)

    def users(self, posts: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The users of `posts` (user_id), with their interests and whether they are brands."""
        ids = pc.unique(posts["user_id"]).sort()
        numbers = [int(name[1:]) for name in ids.to_pylist()]
        columns = {
            "user_id": ids,
            "interests": [[INTERESTS[g] for g in np.flatnonzero(self._interests[u])] for u in numbers],
            "brand": [u < self._brands for u in numbers],
        }
        return pa.table(columns, schema=USERS.schema), REJECTED.empty()

    def write_truth(self, folder: Path) -> None:
        """Write the truth as `posts` and `users` under `folder`."""
        users = np.arange(self._params.users)
        topics = pa.FixedSizeListArray.from_arrays(self.mixture.astype(np.float32).ravel(), self._params.topics)
        TRUTH_USERS.write(
            pa.table(
                {
                    "user_id": user_ids(users),
                    "topics": topics.cast(pa.list_(pa.float32())),
                    "language": pa.array(self._params.languages).take(pa.array(self._speaks)),
                }
            ),
            folder / "users",
        )
        with TRUTH_POSTS.writer(folder / "posts") as writer:
            for number in range(-(-self._params.posts // BLOCK)):
                block = self._block(number)
                rows = np.arange(block.first, block.first + len(block.user))
                columns = {
                    "post_id": self._post_ids(rows),
                    "topic": block.topic.astype(np.int32),
                    "colour": block.colour.astype(np.int32),
                    "shown_topic": block.shown_topic.astype(np.int32),
                    "shown_colour": block.shown_colour.astype(np.int32),
                    "author": user_ids(block.user),
                }
                for kind, source, change, names in (
                    ("text", block.text_source, block.text_change, TEXT_CHANGES),
                    ("image", block.image_source, block.image_change, IMAGE_CHANGES),
                ):
                    none = source < 0
                    columns[f"{kind}_of"] = pc.if_else(pa.array(none), None, self._post_ids(block.first + source))
                    columns[f"{kind}_change"] = pa.array(names).take(pa.array(change, mask=none))
                writer.write(pa.table(columns))

    # ------------------------------------------------------------ structure

    def _make_block(self, number: int) -> Block:
        p = self._params
        chance = np.random.default_rng([self._seed, 2, number])
        first = number * BLOCK
        n = min(BLOCK, p.posts - first)
        user = draw(self._activity, n, chance)
        topic = draw_rows(self._topics, user, chance)
        colour = draw_rows(self._taste, user, chance)
        # Text alone, image alone, or both: the shares of texts and images come out as asked for.
        u = chance.random(n)
        has_image, has_text = u < p.image_share, u >= 1 - p.text_share
        copies_text = has_text & (chance.random(n) * p.text_share < p.text_copies)
        copies_image = has_image & (chance.random(n) * p.image_share < p.image_copies)
        original = ~copies_text & ~copies_image
        source = np.full(n, -1)
        for text, image in ((True, False), (False, True), (True, True)):
            copying = np.flatnonzero((copies_text == text) & (copies_image == image))
            offered = np.flatnonzero(original & (has_text | (not text)) & (has_image | (not image)))
            earlier = np.searchsorted(offered, copying)
            found = earlier > 0
            source[copying[found]] = offered[(chance.random(int(found.sum())) * earlier[found]).astype(np.int64)]
        copied = source >= 0
        if p.captions_independent:
            # Else the copied text of a post without a picture, which keeps its topic, would tell that of a picture.
            copied &= ~(has_image & copies_text & ~copies_image)
        topic[copied], colour[copied] = topic[source[copied]], colour[source[copied]]
        shown_topic, shown_colour = self._shown(number, user, topic, colour, has_text & has_image)
        same = copied & copies_image
        shown_topic[same], shown_colour[same] = shown_topic[source[same]], shown_colour[source[same]]
        return Block(
            first=first,
            user=user,
            topic=topic,
            colour=colour,
            shown_topic=shown_topic,
            shown_colour=shown_colour,
            has_text=has_text,
            has_image=has_image,
            text_source=np.where(copies_text, source, -1),
            text_change=chance.integers(0, len(TEXT_CHANGES), n),
            image_source=np.where(copies_image, source, -1),
            image_change=chance.integers(0, len(IMAGE_CHANGES), n),
        )

    def _shown(
        self, number: int, user: np.ndarray, topic: np.ndarray, colour: np.ndarray, captioned: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The topic and colour of each picture: its post's or, where it has nothing to do with the text, drawn anew."""
        chance = np.random.default_rng([self._seed, 9, number])
        apart = captioned & (chance.random(len(user)) >= self._params.text_shown)
        if not apart.any():  # as under text_shown: 1
            return topic.copy(), colour.copy()
        other_topic, other_colour = (draw_rows(shares, user, chance) for shares in (self._topics, self._taste))
        return np.where(apart, other_topic, topic), np.where(apart, other_colour, colour)

    def _authors(self, block: Block) -> np.ndarray:
        """The user of each post; with `users_independent` anyone, as active as users are, whoever's tastes made it."""
        if not self._params.users_independent:
            return block.user
        chance = np.random.default_rng([self._seed, 3, block.first])
        return draw(self._activity, len(block.user), chance)

    def _follow(self) -> np.ndarray:
        """Interests (users, groups): whether a user follows a brand of the group; brands have none.

        Three brands on average, of what a user posts about most, one in ten of any group. By the planted mixtures
        themselves a linear SVM reaches a macro F1 of about 0.68; calling everyone positive, 0.43.
        """
        chance = np.random.default_rng([self._seed, 8])
        group = np.arange(self._params.topics) % self._groups
        affinity = np.stack([self.mixture[:, group == g].sum(axis=1) for g in range(self._groups)], axis=1)
        share = affinity**2 / (affinity**2).sum(axis=1, keepdims=True)
        followed: np.ndarray = chance.poisson(3 * (0.9 * share + 0.1 / self._groups)) > 0
        followed[: self._brands] = False
        return followed

    # ------------------------------------------------------------ pictures

    def _image_names(self, block: Block) -> pa.Array:
        """The file of each post's picture, named after the post that first showed it; a repost shares its file."""
        repost = (block.image_source >= 0) & (block.image_change == IMAGE_CHANGES.index("repost"))
        owner = block.first + np.where(repost, block.image_source, np.arange(len(block.user)))
        names = pc.binary_join_element_wise(padded(owner, 9), ".png", "")
        return pc.if_else(pa.array(block.has_image), names, pa.scalar(None, pa.string()))

    def _origin(self, post: int) -> tuple[int, Block, int]:
        """The post whose picture `post` shows (itself, or what it copies), its block, and its row there."""
        block = self._block(post // BLOCK)
        source = int(block.image_source[post - block.first])
        row = source if source >= 0 else post - block.first
        return block.first + row, block, row

    def _draw(self, post: int) -> bytes:
        origin, block, row = self._origin(post)
        hand = drawing.Hand.of(self._hand(block.user[row]))
        chance = np.random.default_rng([self._seed, 5, origin])
        image = drawing.draw(int(block.shown_topic[row]), int(block.shown_colour[row]), chance, hand)
        if origin == post:
            return drawing.encode(image)
        change = IMAGE_CHANGES[int(block.image_change[post - block.first])]
        image = drawing.CHANGES[change](image, np.random.default_rng([self._seed, 6, post]))
        return drawing.encode(image, quality=40 if change == "jpeg" else None)

    def _vector(self, post: int) -> np.ndarray:
        """A made feature, (VECTOR,), >= 0: of topic, colour and author's hand, and of what is the picture's own."""
        origin, block, row = self._origin(post)
        chance = np.random.default_rng([self._seed, 5, origin])
        parts = self._parts[zipf(PARTS, SHOWN_PARTS, chance)]
        own = (parts * chance.standard_normal((SHOWN_PARTS, 1), np.float32)).sum(axis=0) / np.sqrt(SHOWN_PARTS)
        topic = self._prototypes[block.shown_topic[row]]
        colour = self._prototypes[self._params.topics + block.shown_colour[row]]
        styles = self._styles[self._hand(block.user[row]).choice(STYLES, HAND_STYLES, replace=False)]
        hand = styles.sum(axis=0) / np.sqrt(HAND_STYLES)
        vector: np.ndarray = topic + _COLOUR_PART * colour + _HAND_PART * hand + _OWN_PART * own
        vector += _NOISE_PART * chance.standard_normal(VECTOR, np.float32)
        if origin != post:
            noise = np.random.default_rng([self._seed, 6, post])
            vector = vector + 0.1 * noise.standard_normal(VECTOR, np.float32)
        return vector.clip(min=0)

    def _hand(self, author: int) -> np.random.Generator:
        """What an author's hand is drawn from; `author` made the picture, whoever posts it."""
        return np.random.default_rng([self._seed, 7, author])

    def _post_ids(self, rows: np.ndarray) -> pa.Array:
        return pc.binary_join_element_wise("p", padded(rows, 9), "")
