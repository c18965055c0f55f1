"""Words of many languages for the synthetic corpus: the names that Unicode's CLDR gives to emoji (the package emoji).

The same emoji has a name in each language, so a topic is the same things everywhere: a fish and a boat, ein Fisch und
ein Boot. Where words are parted by spaces a name is parted too, and a word occurs in the forms that simplemma's
dictionary leads back to it; Japanese and Chinese names stay whole, as nothing here says where their words end.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import emoji
import stopwordsiso

NAMED = tuple(language for language in emoji.LANGUAGES if language != "en")
"""Languages that emoji have names in, beside English."""
SPACELESS = ("ja", "zh")
_THINGS = {
    "house": "🏠🏡🏢🏰🏯🏭🏥🏦🏨🚪🪟🛋🛏🪑🛁🚿🧱🔨🪛🪚🧹🏗🛖⛪",
    "fish": "🐟🐠🐡🦈🐙🦑🦐🦞🦀🐳🐋🐬🎣🍣🍤🐚🦪🦭🌊🪸🥽🍱🐢🐊",
    "flower": "🌸🌺🌻🌼🌷🌹🥀💐🏵🪷🪻🌱🪴🌿🍀🐝🦋🐞🐛🌾☘🍃🍯🕸",
    "car": "🚗🚙🚕🚌🚎🏎🚓🚑🚒🚐🛻🚚🚛🚜🏍🛵🛞⛽🚨🚦🛑🚧🛣🅿",
    "tree": "🌲🌳🌴🎄🪵🍂🍁🎋🎍🐿🦌🦊🐻🐺🦉🏕⛺🪓🌰🍎🍐🍊🍒🐒",
    "star": "⭐🌟✨🌠☄🚀🛸🛰🔭👽🪐🌌🌍🌎👾🤖🔬🧪⚛🌀💫🔮🧲📡",
    "boat": "⛵🚤🛥🛳⛴🚢🛶⚓🛟🧭🏝🏴🗺🌉🐚🚣🏄🤿🎏⛱🦜🪝🌬🗼",
    "cup": "☕🍵🫖🥛🧋🧃🥤🍶🍺🍷🥂🍸🍩🍪🥐🍰🧁🥄🥞🧇🍫🍬🥧🍮",
    "heart": "💉🩺🩹🏥💊🦷🩸🧠🫀🫁🦴👂👃👅👣🩻🚑🌡🦠🧬🩼🤕🤒😷",
    "moon": "🌙🌛🌚🌑🌕🌃🦉🦇🛌💤😴🕯🌉👻🧛🐺🔦🥱⏰🕛🎃🧟🌌🛏",
    "sun": "🌞🌅🌄🏖🌴🍉🍹🍦🕶👙🩴👒⛱🍋🌵🏜🐫🔥🌡🌈🏐🍍🥥🪭",
    "mountain": "⛰🏔🗻🌋🧗🎿🏂🐐🥾🎒🏕🐑🦙🐏🦅🛷❄⛄🧣🧤🚠🚡🪨🦬",
    "bird": "🐦🐤🐔🐓🦃🦢🦆🦅🦉🦚🦜🦩🐧🕊🪶🥚🪺🦤🐥🍗🐣🪹🦇🪽",
    "key": "🔑🗝🔒🔓🔐🚪🏦💰💎🕵👮🚓⛓📱💳🛡🚨🔎🧳📦🔔🪤🔗🏧",
    "gift": "🎁🎂🎉🎊🎈🪅🎀🧨🎆🎇🕯🍰🥳💍👰🤵🎵🎤💃🕺🎩🤡🎭🎪",
    "mushroom": "🍄🍕🍝🍲🥘🥗🍳🧅🧄🥕🌽🍅🍆🌶🥦🥬🧂🔪🍴🥣🍚🍜🥖🧀",
}
"""Emoji of each thing that pictures show; a topic beyond these has others."""
_COLOURS = {
    "red": "🔴",
    "orange": "🟠",
    "yellow": "🟡",
    "green": "🟢",
    "blue": "🔵",
    "purple": "🟣",
    "pink": "🩷",
    "brown": "🟤",
}
BEYOND = 24
"""Emoji of a topic that is no thing."""
STOPWORDS, FORMS = 25, 8
"""Of a language: stopwords, the shortest; and the most forms that one word occurs in."""


class Translated(NamedTuple):
    """Words of one language, each with its forms: everyday ones, stopwords, those of each colour, of each topic."""

    common: list[list[str]]
    stop: list[list[str]]
    colours: list[list[str]]
    topics: list[list[list[str]]]


def translated(language: str, topics: int, colours: Sequence[str]) -> Translated:
    """The words of a language of `NAMED`, for so many topics."""
    things = [list(_THINGS[name]) for name in list(_THINGS)[:topics]]
    taken = {sign for thing in _THINGS.values() for sign in thing} | set(_COLOURS.values())
    others = [sign for sign in _plain() if sign not in taken]
    beyond = [others[at : at + BEYOND] for at in range(0, BEYOND * (topics - len(things)), BEYOND)]
    about = [_words(signs, language) for signs in (*things, *beyond)]
    common = _words(others[BEYOND * len(beyond) :], language)
    named = [_words([_COLOURS[name]], language) for name in colours]
    shared = Counter(word for words in named for word in words)
    of_colour = [min(words, key=shared.__getitem__) for words in named]  # not the word for a circle
    stop = [] if language in SPACELESS else sorted(stopwordsiso.stopwords(language), key=lambda word: (len(word), word))
    stop = [word for word in stop if len(word) > 1 and word.isalpha()][:STOPWORDS] or common[:STOPWORDS]
    wanted = {word for group in (common, *about) for word in group}
    forms = _forms(language, wanted)

    def inflected(words: list[str]) -> list[list[str]]:
        return [forms.get(word, [word]) for word in words]

    return Translated(
        inflected(common),
        [[word] for word in stop],
        [[word] for word in of_colour],
        [inflected(words) for words in about],
    )


@cache
def _plain() -> list[str]:
    """Emoji of one sign, in the order of their code points."""
    return sorted(sign for sign in emoji.EMOJI_DATA if len(sign) == 1)


def _words(signs: Sequence[str], language: str) -> list[str]:
    """The words that name these emoji, each once."""
    emoji.config.load_language(language)
    found: dict[str, None] = {}
    for sign in signs:
        name = emoji.EMOJI_DATA.get(sign, {}).get(language, "").strip(":")
        parts = [name.replace("_", "")] if language in SPACELESS else name.split("_")
        found |= {part.lower(): None for part in parts if len(part) > 1 or (part and language in SPACELESS)}
    return [word for word in found if not any(letter in "()+'’,.:-/&“”„0123456789" for letter in word)]


def _forms(language: str, wanted: set[str]) -> dict[str, list[str]]:
    """The forms that a dictionary leads back to each of the words, itself first."""
    from simplemma.strategies import DefaultDictionaryFactory
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    if language not in SUPPORTED_LANGUAGES:
        return {}
    forms: dict[str, set[str]] = {}
    for form, lemma in DefaultDictionaryFactory(1).get_dictionary(language).items():
        if lemma.lower() in wanted and "'" not in form:
            forms.setdefault(lemma.lower(), set()).add(form.lower())
    return {
        lemma: [lemma, *sorted(found - {lemma}, key=lambda form: (len(form), form))[: FORMS - 1]]
        for lemma, found in forms.items()
    }
