"""Numbers as a reader wants them: no more digits than they bear, thousands set apart."""

from collections.abc import Mapping, Sequence
from typing import Any

ENOUGH_USERS = 6
"""From so many users on, what holds of all is beyond chance: of five it happens once in 16 times (a sign test)."""


def count(value: float) -> str:
    """7458 is 7,458."""
    return f"{round(value):,}"


def number(value: float, digits: int = 3) -> str:
    """A measured quantity to `digits` significant digits: 2.5, 0.0425, 1,230; no exponent, no trailing zeros."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    if abs(rounded) >= 1000:
        return f"{rounded:,.0f}"
    text = f"{rounded:.12f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def between(ends: Sequence[float], digits: int = 3) -> str:
    """The ends of an interval: `9 to 16.2`."""
    low, high = ends
    return f"{number(low, digits)} to {number(high, digits)}"


def with_ends(value: float, ends: Sequence[float] | None, digits: int = 3) -> str:
    """A figure, and in brackets its interval, where it has one: `12.5 (9 to 16.2)`."""
    return number(value, digits) + (f" ({between(ends, digits)})" if ends else "")


def percent(share: float) -> str:
    """0.1234 is 12 %, 0.012 is 1.2 %, 0.0004 is 0.04 %: two significant digits, except that all is all.

    The space does not break, so the sign stays by its number.
    """
    value = 100 * share
    if share in (0.0, 1.0) or 10 <= value < 99.5:
        return f"{value:.0f}\u00a0%"
    if value >= 99.5:
        return f"{min(value, 99.9):.1f}\u00a0%"
    return f"{float(f'{value:.2g}'):g}\u00a0%"


def plural(value: float, one: str, many: str | None = None) -> str:
    """`1 post`, `7,458 posts`."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def listing(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


TASKS = {"text_to_user": "Text to user", "image_to_text": "Image to text", "image_to_user": "Image to user"}

METHODS = {
    "avg_text": "Avg-Text",
    "avg_image": "Avg-Image",
    "bridging": "Bridging",
    "merged": "Merged",
    "encoder_mean_text": "Mean of sentence vectors",
    "encoder_mean": "Means of sentence and image vectors",
    "model": "This model",
}


def cosine(value: float) -> str:
    """0.4 is 0.40: those in a list stand under one another. What rounds to zero has no sign."""
    return f"{round(value, 2) + 0:.2f}".replace("-", "−")


def reasons(counts: Mapping[str, int], none: str = "–") -> str:
    """`{"no_text": 3, "other": 0}` is `no text (3)`; `none`, a dash in tables, where nothing was left out."""
    return ", ".join(f"{reason.replace('_', ' ')} ({count(n)})" for reason, n in counts.items() if n) or none


def few_ask(block: Mapping[str, Any]) -> bool:
    """Whether so few users ask in a task, by its metrics, that an interval over them is too narrow to tell anything."""
    return sum(int(group["users"]) for group in block["by_activity"].values()) < ENOUGH_USERS
