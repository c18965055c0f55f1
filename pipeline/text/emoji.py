"""Emoji as words: their names in English, as Unicode's CLDR gives them (the package emoji), one word each.

A name is one word (grinningface), the same in a text of any language. Skin tones are folded into the plain emoji, and
what people type of one without its variation selector counts as the same.
"""

import re
from typing import Any

import emoji

_TONE = re.compile(r"_?(?:(?:medium-)?(?:light|dark)|medium)_skin_tone,?")


def named(text: str) -> str:
    """The text with each emoji replaced by its name, a word between spaces."""
    return emoji.replace_emoji(text, lambda _, found: f" {_name(found)} ")


def _name(found: dict[str, Any]) -> str:
    name = _TONE.sub("", found["en"]).lower()
    return "".join(character for character in name if character.isalnum())
