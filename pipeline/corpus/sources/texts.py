"""The texts of the synthetic corpus: words of a post's topic and colour, of its user, and everyday ones, by Zipf's law.

Words are drawn for a block of posts at a time. Each user writes in one of `synthetic.languages`, and all talk of the
same topics; one in ten of those who write English mixes in words of another language.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.sources.blocks import Block, user_ids, zipf
from pipeline.corpus.sources.lexicon import EMOJI, Lexicon, Tongue
from pipeline.running.schema import Synthetic

TEXT_CHANGES = ("same", "reordered", "word changed", "link added")
_TOPIC, _COLOUR, _PET, _OTHER, _STOP, _COMMON = range(6)
_KINDS = np.cumsum([0.30, 0.06, 0.08, 0.06, 0.18])
"""Of a text's words: shares of the kinds above; the rest are everyday words."""


class Texts:
    """Makes texts in the language that each user `speaks` (u,), by its number; `pet_words` (u, 6) are lemmas.

    `mixes` (u,): the language that a user puts words of into English, -1: none.
    """

    def __init__(
        self,
        params: Synthetic,
        seed: int,
        lexicon: Lexicon,
        speaks: np.ndarray,
        mixes: np.ndarray,
        pet_words: np.ndarray,
    ) -> None:
        self._params, self._seed, self._lexicon, self._speaks = params, seed, lexicon, speaks
        english = np.array([name == "en" for name in params.languages])[speaks]
        self._mixes = np.where(english, mixes, -1)
        self._pet_words = pet_words.copy()
        chance = np.random.default_rng([seed, 11])
        for number, tongue in enumerate(lexicon.tongues):
            own = np.flatnonzero((speaks == number) & ~english)
            self._pet_words[own] = chance.choice(tongue.common[100:], (len(own), pet_words.shape[1]))
        self._spaces = np.array([tongue.spaces for tongue in lexicon.tongues])
        self._forms = pa.array(lexicon.forms, pa.string())

    def of(self, block: Block) -> pa.Array:
        """The texts of a block's posts (n,); null where a post has none."""
        chance = np.random.default_rng([self._seed, 4, block.first])
        n = len(block.user)
        topic, colour, user = block.topic, block.colour, block.user
        if self._params.captions_independent:
            # Captions go to other posts with an image, so that nothing of the picture or its user is in them.
            both = np.flatnonzero(block.has_text & block.has_image)
            given = np.arange(n)
            given[both] = chance.permutation(both)
            topic, colour, user = topic[given], colour[given], user[given]

        length = 3 + chance.poisson(8, n)
        post = np.repeat(np.arange(n), length)
        lemma = self._lemmas(post, topic, colour, user, chance)
        form = self._lexicon.first[lemma] + (chance.random(len(post)) * self._lexicon.count[lemma]).astype(np.int64)
        offsets, form = self._copied(block, np.concatenate([[0], np.cumsum(length)]), form, self._speaks[user], chance)

        words = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), self._forms.take(pa.array(form)))
        spaces = pa.array(self._spaces[self._speaks[user]][_sources(block)])
        text = pc.binary_join(words, pc.if_else(spaces, " ", ""))
        text = pc.if_else(pa.array(chance.random(n) < 0.5), pc.utf8_capitalize(text), text)
        text = pc.binary_join_element_wise(*self._decorations(block, text, topic, self._speaks[user], chance), "")
        return pc.if_else(pa.array(block.has_text), text, pa.scalar(None, pa.string()))

    def _lemmas(
        self, post: np.ndarray, topic: np.ndarray, colour: np.ndarray, user: np.ndarray, chance: np.random.Generator
    ) -> np.ndarray:
        """A lemma for each word of the posts `post` (words,), in their users' languages."""
        found = np.empty(len(post), np.int64)
        for number, tongue in enumerate(self._lexicon.tongues):
            rows = np.flatnonzero(self._speaks[user[post]] == number)
            if len(rows):
                found[rows] = self._of_tongue(tongue, post[rows], topic, colour, user, chance)
        return found

    def _of_tongue(
        self,
        tongue: Tongue,
        post: np.ndarray,
        topic: np.ndarray,
        colour: np.ndarray,
        user: np.ndarray,
        chance: np.random.Generator,
    ) -> np.ndarray:
        words = len(post)
        kind = np.searchsorted(_KINDS, chance.random(words), side="right")
        lemma: np.ndarray = tongue.common[zipf(len(tongue.common), words, chance)]
        about = np.where(kind == _OTHER, chance.integers(0, self._params.topics, words), topic[post])
        table = _rectangle(tongue.topics)
        of_topic = table[about, zipf(table.shape[1], words, chance)]
        lemma = np.where((kind == _TOPIC) | (kind == _OTHER), of_topic, lemma)
        lemma = np.where(kind == _COLOUR, tongue.colours[colour[post]], lemma)
        lemma = np.where(kind == _PET, self._pet_words[user[post], chance.integers(0, 6, words)], lemma)
        lemma = np.where(kind == _STOP, tongue.stop[zipf(len(tongue.stop), words, chance)], lemma)
        spoken = np.where(chance.random(words) < 0.5, self._mixes[user[post]], -1)
        for language, vocabulary in enumerate(self._lexicon.foreign):
            foreign = (kind == _COMMON) & (spoken == language)
            lemma[foreign] = vocabulary[zipf(len(vocabulary), int(foreign.sum()), chance)]
        return lemma

    def _copied(
        self, block: Block, offsets: np.ndarray, form: np.ndarray, speaks: np.ndarray, chance: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Words with those of copying posts in the place of their own: the source's, reordered or one changed."""
        n = len(block.user)
        copies, source = block.text_source >= 0, _sources(block)
        length = np.diff(offsets)[source]
        new_offsets = np.concatenate([[0], np.cumsum(length)])
        post = np.repeat(np.arange(n), length)
        place = np.arange(new_offsets[-1]) - new_offsets[post]
        turned = np.where(copies & (block.text_change == TEXT_CHANGES.index("reordered")), chance.integers(1, 4, n), 0)
        taken = form[offsets[source[post]] + (place + turned[post]) % length[post]]
        changed = np.flatnonzero(copies & (block.text_change == TEXT_CHANGES.index("word changed")))
        at = new_offsets[changed] + (chance.random(len(changed)) * length[changed]).astype(np.int64)
        drawn = chance.integers(0, len(self._lexicon.common), len(changed))
        common = [tongue.common for tongue in self._lexicon.tongues]
        spoken = speaks[source[changed]].tolist()
        other = [common[tongue][number % len(common[tongue])] for tongue, number in zip(spoken, drawn, strict=True)]
        taken[at] = self._lexicon.first[np.array(other, np.int64)]
        return new_offsets, taken

    def _decorations(
        self, block: Block, text: pa.Array, topic: np.ndarray, speaks: np.ndarray, chance: np.random.Generator
    ) -> list[pa.Array]:
        """What stands before and after the words: mentions, punctuation, hashtags, emoji and links, or nothing.

        A copy keeps the hashtags of its source.
        """
        n = len(topic)
        source = _sources(block)
        tags_of = np.stack([[lemmas[:5] for lemmas in tongue.topics] for tongue in self._lexicon.tongues])
        tag = tags_of[speaks, topic, chance.integers(0, 5, n)]
        tags = pc.binary_join_element_wise(" #", self._forms.take(pa.array(self._lexicon.first[tag[source]])), "")
        tagged = (chance.random(n) < 0.3)[source]
        linked = (chance.random(n) < 0.15) | (block.text_change == TEXT_CHANGES.index("link added"))
        codes = pa.array(chance.integers(0, 10**9, n)).cast(pa.string())
        users = user_ids(chance.integers(0, self._params.users, n))
        marks = pa.array([".", "!", "?", " ...", ""]).take(pa.array(chance.integers(0, 5, n)))
        emoji = pa.array([f" {e}" for e in EMOJI]).take(pa.array(topic % len(EMOJI)))
        return [
            _where(chance.random(n) < 0.15, pc.binary_join_element_wise("@", users, " ", "")),
            text,
            marks,
            _where(tagged, tags),
            _where(chance.random(n) < 0.2, emoji),
            _where(linked, pc.binary_join_element_wise(" https://example.org/", codes, "")),
        ]


def _sources(block: Block) -> np.ndarray:
    """The row in the block whose words each post has: its own, or what it copies."""
    return np.where(block.text_source >= 0, block.text_source, np.arange(len(block.user)))


def _rectangle(groups: list[np.ndarray]) -> np.ndarray:
    """Groups of lemmas as one array, each made up to the longest with its own last, rarest lemma."""
    widest = max(map(len, groups))
    return np.stack([np.pad(group, (0, widest - len(group)), mode="edge") for group in groups])


def _where(chosen: np.ndarray, values: pa.Array) -> pa.Array:
    """`values` where chosen, nothing elsewhere."""
    return pc.if_else(pa.array(chosen), values, "")
