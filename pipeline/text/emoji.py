"""Emoji as words: their names in English, as Unicode's CLDR gives them (the package emoji), one word each.

A name is one word (grinningface), the same in a text of any language. Skin tones are folded into the plain emoji, and
what people type of one without its variation selector counts as the same.
"""

import re
from typing import Any

import emoji

_TONE = re.compile(r"_?(?:(?:medium-)?(?:light|dark)|medium)_skin_tone,?")


def of_code(code: str) -> str:
    """The emoji that `:thumbsup:` stands for, without those of skin tones; the code itself where it is of none."""
    return "" if code.startswith(":skin-tone-") else emoji.emojize(code, language="alias")


def named(text: str) -> str:
    """The text with each emoji replaced by its name, a word between spaces."""
    return emoji.replace_emoji(text, lambda _, found: f" {_name(found)} ")


def _name(found: dict[str, Any]) -> str:
    name = _TONE.sub("", found["en"]).lower()
    return "".join(character for character in name if character.isalnum())
