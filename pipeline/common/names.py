"""What people named, as outputs that others render take it: interests, words, ids, file names.

A corpus may name an interest `</script><script>…`, `=cmd|…`, `@everyone` or a page of text. What is shown of it is one
short line without controls, direction marks and angle brackets, and for Markdown a span of code, in which neither
mentions, links, pictures nor tables mean anything. No import beyond Python's own: the pull request's report needs none.
"""

import unicodedata
from collections.abc import Iterable

LONGEST = 60
"""Characters of a name that are shown."""
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's categories of what has no sight of its own, or changes that of others."""
_BRACKETS = str.maketrans("<>", "‹›")


def plain(name: str, longest: int = LONGEST) -> str:
    """`name` on one line of at most `longest` characters, without what could be read as markup."""
    head = name[: 8 * longest].translate(_BRACKETS)
    seen = " ".join("".join(" " if unicodedata.category(c) in _HIDDEN else c for c in head).split())
    return (seen if len(seen) <= longest else seen[: longest - 1].rstrip() + "…") or "(no name)"


def distinct(names: Iterable[str]) -> list[str]:
    """Each of `names` in plain, those that would look alike numbered: `a`, `a (2)`."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        shown = base = plain(name)
        number = 1
        while shown in taken:
            number += 1
            shown = f"{base} ({number})"
        taken.add(shown)
        found.append(shown)
    return found


def code(name: str, longest: int = LONGEST) -> str:
    """`name` as a span of code in Markdown, also within a table."""
    return f"`{plain(name, longest).replace('`', 'ˋ').replace('|', '¦')}`"
