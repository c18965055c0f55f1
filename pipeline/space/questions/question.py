"""What a person asks: words, users, images and posts, added and taken away: `beach + user:ann - surf`.

A term is `user:ID`, `image:ID` (or how it begins), `post:ID`, or words. Terms are parted by a plus or minus with white
space on both sides, or before a term alone (`beach -surf`); what stands in double quotes is left whole.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

NAMED = ("user", "image", "post")
_SIGN = {"+": 1, "-": -1, "\u2212": -1, "\u2013": -1}
_PIECE = re.compile(r'(?:[^\s"]|"[^"]*"|")+|\s+')
_LONGEST = 2_000


class Term(NamedTuple):
    """One part of a question; sign 1 adds it, -1 takes it away. kind `text`: value is what was typed."""

    sign: int
    kind: str
    value: str


def parse(question: str) -> list[Term]:
    """The terms of `question`, in order; none where nothing was typed. Raises ValueError for one too long to be one."""
    if len(question) > _LONGEST:
        raise ValueError(f"A question of {len(question):,} characters cannot be asked; at most {_LONGEST:,} can.")
    terms: list[Term] = []
    sign, words = 1, ""

    def end() -> None:
        value = words.strip()
        kind, colon, name = value.partition(":")
        if colon and kind in NAMED and name.strip():
            terms.append(Term(sign, kind, _bare(name.strip())))
        elif value:
            terms.append(Term(sign, "text", value.replace('"', " ").strip() or value))

    for piece in _PIECE.findall(question):
        before_is_space = not words or words[-1].isspace()
        if piece in _SIGN and before_is_space:
            end()
            sign, words = _SIGN[piece], ""
        elif len(piece) > 1 and piece[0] in _SIGN and piece[1] not in _SIGN and before_is_space:
            end()
            sign, words = _SIGN[piece[0]], piece[1:]
        else:
            words += piece
    end()
    return terms


def spelled(kind: str, name: str) -> str:
    """How a user, image or post is named in a question."""
    quoted = f'"{name}"' if re.search(r"\s", name) and '"' not in name else name
    return f"{kind}:{quoted}"


def not_known(term: Term) -> str:
    """A sentence that says that a term was left out, and why."""
    if term.kind == "text":
        return f"\u201c{term.value}\u201d has no word that the model knows and was ignored."
    return f"There is no {term.kind} {term.value} with a vector; this part was ignored."


def spelled_nearly(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """Known words that are spelled like `word`, at most three."""
    from difflib import get_close_matches

    alike = [one for one in known if abs(len(one) - len(word)) <= 3 and one[:1] == word[:1]]
    return tuple(get_close_matches(word, sorted(alike), n=3, cutoff=0.7))


def _bare(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name
