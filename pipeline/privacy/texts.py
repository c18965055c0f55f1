"""What of a text tells who someone is by a rule: links, e-mail addresses, telephone numbers, @mentions.

All else a text keeps, and so it can be found by searching for it. Links and mentions are those that the cleaning of
texts knows, so that words are cut in the same way with and without. A telephone number is 7 to 15 digits in groups,
with a sign of being one: `+` or `00` before it, a leading 0 or an area in brackets, the groups 3-3-4, or 10 or 11
digits in one run; dates, times, prices and long numbers are none. Each is counted.
"""

import re
from collections import Counter
from collections.abc import Callable

from pipeline.common.links import LINK, MENTION, NAMED

MENTIONS, LINKS, EMAILS, PHONES = "mentions", "links", "emails", "telephone_numbers"

_EMAIL = re.compile(r"[^\s/@]+@[^\s/@]+")
_SPELLED = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}\s?[\[({]\s?at\s?[\])}]\s?[\w-]{1,63}(?:(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)[\w-]{1,63}){1,4}",
    re.IGNORECASE,
)
"""anna (at) example [dot] com."""
_DIGITS = re.compile(
    r"(?<![\w.,:/+-])(?:\+\s?)?(?:\(\+?\d{1,5}\)[\s.-]?)?\d(?:[ \u00a0.()/-]{0,2}\d){6,16}(?![\w:%])(?![.,]\d)"
)
_SIGN = re.compile(
    r"\+|00[1-9]|0\d[\d ().\u00a0/-]*$|\(|(?:1[ .-])?\d{3}[ .\u00a0-]\d{3}[ .\u00a0-]\d{4}$|\d{10,11}$",
)
_DATE = re.compile(
    r"(?:19|20)\d\d[./ -]\d?\d[./ -]\d?\d|\d?\d[./ -]\d?\d[./ -](?:19|20)?\d\d\b|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d"
)


def without(text: str, mention: Callable[[str], str], counts: Counter[str]) -> str:
    """`text` without links, addresses and numbers, each @mention as `mention` has it; what goes adds to `counts`."""

    def link(found: re.Match[str]) -> str:
        counts[EMAILS if _EMAIL.fullmatch(found[0]) else LINKS] += 1
        return " "

    def number(found: re.Match[str]) -> str:
        told = found[0].strip()
        if sum(c.isdigit() for c in told) > 15 or not _SIGN.match(told) or _DATE.match(told):
            return found[0]
        counts[PHONES] += 1
        return " "

    def spelled(found: re.Match[str]) -> str:
        counts[EMAILS] += 1
        return " "

    def named(found: re.Match[str]) -> str:
        counts[MENTIONS] += 1
        return mention(found[0].lstrip("@"))

    def called(found: re.Match[str]) -> str:
        counts[MENTIONS] += 1
        return mention(found[found.lastindex or 0])

    if "[" in text:
        text = NAMED.sub(called, text)
    if "." in text or ":" in text:
        text = LINK.sub(link, text)
    if "at" in text or "AT" in text:
        text = _SPELLED.sub(spelled, text)
    text = _DIGITS.sub(number, text)
    return MENTION.sub(named, text) if "@" in text else text
