"""From a post's text to its words.

What goes, in this order: HTML and its entities (`markup`); links, e-mail addresses and @mentions (`links`), before
punctuation, so that no fragment of them stays; emoji and emoticons; all that is not a letter, a combining mark or a
digit (Unicode L, M, N: scripts that write vowels as marks survive); stopwords. Words are NFKC and lower-cased, accents
kept. An apostrophe closes up (o'clock, м'ята), but English endings after one go with it (dog's, they'll). A hashtag
gives its word like any other, and is also kept as the user wrote it, without the sign. Scripts that write no spaces are
split into words by ICU's dictionaries (`segments`), except in a hashtag, which stays one word.

All but the repair of markup looks at one stretch between white space at a time, and such stretches recur: each distinct
one is worked out once, and posts are put together from these by Arrow.

Source: section 4.1 of the paper ("removal of non-alphanumeric characters and stopwords", "retain the hashtags but
remove the emoticons"); links, mentions and emoji are ours.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.links import CUT, without_names
from pipeline.tables.corpus import POSTS
from pipeline.tables.table import WORD_LIST, Table, schema, strings
from pipeline.tables.text import WORDS
from pipeline.text.emoji import named
from pipeline.text.languages.detection import Guesses
from pipeline.text.languages.inflection import ENDING, closed
from pipeline.text.languages.segments import SPLIT_BY_NOTHING, segments, shortened
from pipeline.text.languages.stopwords import STOPWORDS
from pipeline.text.markup import shown

NO_TEXT, NOTHING_LEFT = "no text", "nothing left after cleaning"
"""Why a post has no words."""
UNSPLIT = "letters without spaces that nothing splits"
"""Why a post's words are whole sentences."""

_HELD = [field for field in POSTS.schema if field.name != "text"]
TOKENS = Table(
    "posts' tokens",
    pa.schema(
        [
            *_HELD,
            *schema(
                ("words", WORD_LIST),
                ("hashtags", WORD_LIST),
                ("tokens", WORD_LIST),
                ("guesses", WORD_LIST),
                ("scores", pa.list_(pa.float32())),
            ),
        ]
    ),
    ("post_id",),
)
"""Posts that have a token, after the first pass: all tokens as written, stopwords too; the words that English leaves of
them; and what languages the post may be in (`languages.Guesses`, none where there is no choice)."""
CLEANED = Table(
    "cleaned posts",
    pa.schema(
        [*_HELD, *(field for field in WORDS.schema if field.name != "post_id"), pa.field("tokens", WORD_LIST, False)]
    ),
    ("post_id",),
)
"""Posts that have a word in their language, after the second; `tokens` as they were."""

# Posts that are in Python objects at one time.
SLICE = 20_000
# What of ASCII alone can be markup, an entity, an escape or a cut link.
BROKEN = (
    r"[<&\\\x1b]|^\s*b['\"]|_x00|ud83|=\?|%20|[%=][C-Fc-f][0-9A-Fa-f][%=]|\[/|\d\||@\[|hashtag[#|]"
    r"|:[a-z0-9_+-]{2,40}:|;base64,|\.\.\."
    r"|(?i:htt)[\s\v\x1c-\x1f]*$"
)
# A longer stretch is hardly met again: it is worked out anew, so that the memory of the lookup stays bounded.
LONGEST_KEPT = 40

# Emoticons with a letter or a digit: of the others nothing is left once punctuation is out.
EMOTICON = re.compile(
    r"(?<![\w:;=])[:;][-'^o~]?(?:d+|p+|o+|0|3+|[csxlbq@])(?!\w)"  # :D ;-p :3
    r"|(?<=[a-z])[:;][-^]?(?:d+|p+)(?!\w)"  # hello:D
    r"|(?<!\w)(?:=-?(?:d+|p+|3)|x-?d+|d-?[:;=]|8-[)(])(?!\w)"  # =D xD D: 8-)
    r"|(?<!\w)<[/\\]?3+(?!\w)"  # <3 </3
    r"|(?<!\w)(?:o[._]+o|o_0|0_o|0_0|[tqu]_+[tqu]|t\.t|ಠ_*ಠ)(?!\w)"  # o_O T_T
    r"|[\\_]{0,2}\(ツ\)[_/]{0,2}|ʕ\S{1,5}ʔ|\(\S{0,2}ω\S{0,2}\)|\u035cʖ",  # shrug, bear, (´ω`), Lenny
    re.IGNORECASE,
)
GEMINATE = re.compile("(l)·(?=l)", re.IGNORECASE)
"""The dot within a word that Catalan writes (col·legi)."""
GERSHAYIM = re.compile('(?<=[א-ת])["״“”„](?=[א-ת])')
"""The sign within a Hebrew abbreviation."""
GENDERED = re.compile(
    r"(?<=[^\W\d_])(?:(?:[*:_·(]|/-?)(?=innen(?![^\W_]))|\((inn)\)(?=en(?![^\W_])))|(?<=[^\W\d_])@([sS])(?![\w.@-])"
)
"""The sign in the ending of a German word for people of any gender (Ärzt*innen, Lehrer/innen, Student(inn)en), or of a
Spanish or Portuguese one (amig@s)."""
DRAWN_OVER = re.compile("[\u0305\u0332-\u0338\u033f\u0489]|[\u0300-\u036f]{4}")
"""Marks that are ornament: letters struck out or underlined, and marks piled upon each other."""
MARKS = re.compile("[\u0300-\u036f\u0489]+")
SMALL_CAPITAL = re.compile("[\u1d00-\u1d22]")
SMALL_CAPITALS = str.maketrans("ᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘǫʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrtuvwyz")
SQUARED = re.compile(
    "(?:[\u249c-\u24b5\U0001f110-\U0001f129\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189]\ufe0f?){2,}"
)
"""Words in letters in brackets, on squares and discs, which Unicode has as symbols; one alone is an emoji."""
SQUARES = {first + at: chr(97 + at) for first in (0x249C, 0x1F110, 0x1F130, 0x1F150, 0x1F170) for at in range(26)}
UNSEEN = str.maketrans(
    dict.fromkeys("\u115f\u1160\u3164\uffa0", " ") | dict.fromkeys("\u034f\u17b4\u17b5\u180b\u180c\u180d")
)
"""Letters and marks without a sight: Hangul's, with which people post blanks, part words; marks do not."""
RARE = re.compile("[\u249c-\u24b5\U0001f110-\U0001f189\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u180b-\u180d]")
KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
APOSTROPHES = str.maketrans("’‘ʼ＇`´׳", "'" * 7)
# What is left of a stretch are letters, marks and digits, with ' and _ inside words and # before them.
WORD = re.compile(r"(#?)((?:[^\s'#]+)(?:'[^\s'#]+)*)")
ASCII_KEPT = {code: chr(code) if chr(code).isalnum() or chr(code) in "'_#" else " " for code in range(128)}


class Stretch(NamedTuple):
    """What lies between white space: its words, hashtags, tokens as written, and these as a tagger is to see them,
    with whether they are kept.
    """

    words: tuple[str, ...]
    hashtags: tuple[str, ...]
    tokens: tuple[str, ...]
    sentence: tuple[tuple[str, bool], ...]


class Cleaned(NamedTuple):
    """Lists of strings, one per text: `words`, `hashtags`, `tokens`; the number of texts without a word, by reason."""

    words: pa.ListArray
    hashtags: pa.ListArray
    without: dict[str, int]
    tokens: pa.ListArray


Lemmatize = Callable[[Sequence[Sequence[str]]], Sequence[Sequence[str]]]
"""From sentences, as lists of words in the case they were written in, to their lower-cased lemmas, word by word."""


def stretches(text: str, emoji: bool = False) -> list[Stretch]:
    """The text, as shown, stretch by stretch; with `emoji` these are words, by their names."""
    return _stretches(_repaired(text, emoji))


def prose(text: str) -> str:
    """The text as shown, without links, e-mail addresses and mentions: what a sentence encoder is given."""
    return " ".join(" ".join(map(without_names, shown(text).split())).split())


def with_prose(posts: pa.Table) -> tuple[pa.ChunkedArray, list[str]]:
    """The post_id (n,) of those of `posts` with a text, other than links and names, and its `prose`."""
    texts = [prose(text or "") for text in posts["text"].to_pylist()]
    told = [row for row, text in enumerate(texts) if text]
    return posts["post_id"].take(pa.array(told, pa.int64())), [texts[row] for row in told]


def clean(texts: pa.Array, lemmatize: Lemmatize | None = None, emoji: bool = False) -> Cleaned:
    """Words, as English has them, and hashtags of each of n texts (nulls allowed); with `lemmatize`, lemmas found in
    whole sentences.

    A lemma that is a stopword is no word either.
    """
    stretched = pc.utf8_split_whitespace(_all_repaired(texts, emoji))
    offsets = stretched.offsets.to_numpy()
    found = _Distinct.of_all(stretched.flatten())

    def told(by_stretch: pa.ListArray) -> pa.ListArray:
        taken = by_stretch.take(pa.array(found.of))
        return pa.ListArray.from_arrays(taken.offsets.take(pa.array(offsets - offsets[0])), taken.flatten())

    words = told(found.words)
    if lemmatize:
        pairs = found.sentences()
        sentences = [
            [pair for stretch in found.of[begin:end] for pair in pairs[stretch]] if kept else []
            for (begin, end), kept in zip(
                pairwise(offsets - offsets[0]), pc.list_value_length(words).to_pylist(), strict=True
            )
        ]
        lemmas = lemmatize([[word for word, _ in sentence] for sentence in sentences])
        words = lists(
            [
                [lemma for lemma, (_, kept) in zip(row, sentence, strict=True) if kept and lemma not in STOPWORDS]
                for row, sentence in zip(lemmas, sentences, strict=True)
            ]
        )
    without = {NO_TEXT: 0, NOTHING_LEFT: 0}
    for text in texts.filter(pc.equal(pc.list_value_length(words), 0)).to_pylist():
        without[NOTHING_LEFT if text and not text.isspace() else NO_TEXT] += 1
    return Cleaned(words, told(found.hashtags), without, told(found.tokens))


def clean_shard(
    shard: Path, target: Path, lemmatize: Lemmatize | None = None, emoji: bool = False, guess: bool = False
) -> dict[str, int]:
    """Clean a shard of POSTS into a shard of TOKENS; returns the number of posts, of those without a text, and
    of those that nothing splits.

    With `guess`, what languages a post may be in stands there too.
    """
    counts = {"posts": 0, NO_TEXT: 0, UNSPLIT: 0}
    parts = [TOKENS.empty()]
    for posts in POSTS.batches(shard):
        for begin in range(0, posts.num_rows, SLICE):
            part = posts.slice(begin, SLICE).combine_chunks()
            cleaned = clean(part["text"].combine_chunks(), lemmatize, emoji)
            unsplit = pc.match_substring_regex(part["text"], f"[{SPLIT_BY_NOTHING}]")
            part = part.drop_columns("text")
            guesses = Guesses.of(cleaned.tokens if guess else lists([()] * part.num_rows))
            for name, column in {
                "words": cleaned.words,
                "hashtags": cleaned.hashtags,
                "tokens": cleaned.tokens,
                "guesses": guesses.languages,
                "scores": guesses.scores,
            }.items():
                part = part.append_column(TOKENS.schema.field(name), column)
            parts.append(part.filter(pc.greater(pc.list_value_length(part["tokens"]), 0)))
            counts["posts"] += part.num_rows
            counts[NO_TEXT] += cleaned.without[NO_TEXT]
            counts[UNSPLIT] += pc.sum(unsplit).as_py() or 0
    TOKENS.write_shard(pa.concat_tables(parts), target)
    return counts


def lists(rows: Sequence[Sequence[str]]) -> pa.ListArray:
    """A column of lists of strings."""
    offsets = pa.array(accumulate(map(len, rows), initial=0), pa.int32())
    return pa.ListArray.from_arrays(offsets, strings([word for row in rows for word in row]))


class _Distinct(NamedTuple):
    """Distinct stretches, plain words of ASCII first: words, hashtags and tokens of each; `of` which one each was."""

    of: np.ndarray
    words: pa.ListArray
    hashtags: pa.ListArray
    tokens: pa.ListArray
    plain: pa.Array
    others: list[list[Stretch]]

    @classmethod
    def of_all(cls, stretches: pa.Array) -> "_Distinct":
        encoded = stretches.dictionary_encode()
        distinct = encoded.dictionary
        # Nothing is to be taken off these; xD is an emoticon.
        is_plain = pc.and_not(pc.ascii_is_alpha(distinct), pc.match_substring_regex(distinct, "^[xX]"))
        plain, flags = distinct.filter(is_plain), is_plain.to_numpy(zero_copy_only=False)
        number = np.where(flags, np.cumsum(flags), len(plain) + np.cumsum(~flags)) - 1
        small = pc.ascii_lower(plain)
        kept = pc.invert(pc.is_in(small, value_set=_STOPWORDS))
        none = np.zeros(len(plain) + 1, np.int32)
        ends = np.cumsum(np.append(0, kept.to_numpy(zero_copy_only=False)), dtype=np.int32)
        # Python sees white space in a few characters more than Arrow.
        others = [_stretches(part) for part in distinct.filter(pc.invert(is_plain)).to_pylist()]

        def told(own: pa.ListArray, of: Callable[[Stretch], Sequence[str]]) -> pa.ListArray:
            return pa.concat_arrays(
                [own, lists([[item for stretch in whole for item in of(stretch)] for whole in others])]
            )

        return cls(
            number[encoded.indices.to_numpy(zero_copy_only=False)],
            told(pa.ListArray.from_arrays(pa.array(ends), small.filter(kept)), attrgetter("words")),
            told(pa.ListArray.from_arrays(pa.array(none), strings([])), attrgetter("hashtags")),
            told(pa.ListArray.from_arrays(pa.array(np.arange(len(none), dtype=np.int32)), plain), attrgetter("tokens")),
            plain,
            others,
        )

    def sentences(self) -> list[Sequence[tuple[str, bool]]]:
        """Of each what a tagger is to see, and whether it is kept."""
        own = [((word, word.lower() not in STOPWORDS),) for word in self.plain.to_pylist()]
        return [*own, *([pair for stretch in whole for pair in stretch.sentence] for whole in self.others)]


_STOPWORDS = strings(sorted(STOPWORDS))


def _all_repaired(texts: pa.Array, emoji: bool) -> pa.Array:
    """Texts as `_repaired` has them; most have nothing to repair."""
    texts = pc.fill_null(texts, "")
    plain = pc.and_not(pc.string_is_ascii(texts), pc.match_substring_regex(texts, BROKEN))
    odd = texts.filter(pc.invert(plain)).to_pylist()
    return pc.replace_with_mask(texts, pc.invert(plain), strings([_repaired(text, emoji) for text in odd]))


def _repaired(text: str, emoji: bool) -> str:
    """The text as shown, without what a platform left of a link that it cut; with `emoji` these by their names."""
    text = CUT.sub(" ", shown(text))
    return named(text) if emoji and not text.isascii() else text


def _stretches(text: str) -> list[Stretch]:
    return [_kept(part) if len(part) <= LONGEST_KEPT else _stretch(part) for part in text.split()]


def _stretch(part: str) -> Stretch:
    if part.isascii() and part.isalpha() and part[0] not in "xX":  # nothing to take off; xD is an emoticon
        word = part.lower()
        kept = word not in STOPWORDS
        return Stretch((word,) if kept else (), (), (part,), ((part, kept),))
    part = part.translate(APOSTROPHES)
    if "inn" in part or "@" in part:
        part = GENDERED.sub(lambda found: "os" if found[2] else found[1] or "", part)
    part = without_names(part)
    if part.isascii():
        part = EMOTICON.sub(" ", part).translate(ASCII_KEPT)
    else:
        part = EMOTICON.sub(" ", KEYCAP.sub(" ", GERSHAYIM.sub("'", _without_ornament(part))))
        # Symbols go before NFKC, which would spell some of them out (™ becomes TM); links once more after it, as it
        # gives their ordinary form to those in full-width letters.
        part = unicodedata.normalize("NFKC", "".join(map(_without_symbols, part)))
        part = "".join(map(_without_punctuation, GEMINATE.sub(r"\1", without_names(part))))
    words: list[str] = []
    hashtags: list[str] = []
    tokens: list[str] = []
    sentence: list[tuple[str, bool]] = []
    tag_ends = -1
    for found in WORD.finditer(part):
        # #love#me are two hashtags; c#minor is none.
        begin = found.start()
        if found[1] and (begin in (0, tag_ends) or part[begin - 1] in " '"):
            tag = found[2].partition("'")[0].strip("_")
            if any(not character.isdigit() and character != "_" for character in tag):
                hashtags.append(tag)
                tag_ends = found.end()
        whole, pieces = tag_ends == found.end(), found[2].split("_")  # a hashtag is one word
        for spelled in pieces if whole else (word for piece in pieces for word in segments(shortened(piece))):
            word = spelled.lower()
            found_word = closed(ENDING.sub("", word))
            kept = bool(found_word) and not (word.endswith("n't") or found_word in STOPWORDS)
            if kept:
                words.append(found_word)
            if word:
                tokens.append(spelled)
                sentence.append((found_word if kept and found_word != word else spelled, kept))
    return Stretch(tuple(words), tuple(hashtags), tuple(tokens), tuple(sentence))


_kept = lru_cache(maxsize=1 << 18)(_stretch)


def _without_ornament(part: str) -> str:
    """Letters without what is drawn over them; small capitals, and letters on squares, as small letters."""
    part = MARKS.sub("", part) if DRAWN_OVER.search(part) else part
    if RARE.search(part):
        part = SQUARED.sub(lambda found: found[0].translate(SQUARES), part).translate(UNSEEN)
    return part.translate(SMALL_CAPITALS) if SMALL_CAPITAL.search(part) else part


def _without_symbols(character: str) -> str:
    """Emoji and other symbols as a space, invisible characters as nothing; circled letters (decorated text) stay.

    So goes what lengthens Arabic words (U+0640), a matter of type.
    """
    if character == "\u0640":
        return ""
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":  # variation selectors
        return ""
    category = unicodedata.category(character)
    if category == "Cf" and character != "\u200b":  # zero-width joiners, marks of direction, soft hyphens
        return ""
    return " " if category == "So" and not "Ⓐ" <= character <= "ⓩ" else character


def _without_punctuation(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LMN" or character in "'_#" else " "
