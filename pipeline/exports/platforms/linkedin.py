r"""LinkedIn: what a person gets of their account, of which Shares.csv has the posts and Comments.csv the comments.

It has no pictures, and no ids but links. Its CSV is none: within a text each line stands in quotes of its own, doubled
or not, `one"\n"two`. A row therefore begins where a line begins with a time.
"""

import re
from collections.abc import Iterator

from pipeline.exports.posts import NOT_A_POST, PRIVATE, UNREADABLE, Found, Left, Post, last, micros
from pipeline.exports.separated import table
from pipeline.exports.sources import Tree

_SHARES, _COMMENTS = r"Shares(_\d+)?\.csv", r"Comments(_\d+)?\.csv"
_ROW = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?: UTC)?,)", re.MULTILINE)
_CELL = r"""("[^"]*"|[^,"]*)"""
_PARTS = {
    "date,sharelink,sharecommentary,sharedurl,mediaurl,visibility": rf"([^,]*),{_CELL},(.*),{_CELL},{_CELL},([A-Z_]*)",
    "date,link,message": rf"([^,]*),{_CELL},(.*)",
}
"""Of each header, whose letters were capital ones in other years, how a row is taken apart."""


def is_download(tree: Tree) -> bool:
    """A person's download that holds posts or comments."""
    return any(_header(tree, name) in _PARTS for name in tree.matching(_SHARES) + tree.matching(_COMMENTS))


def download(tree: Tree) -> Found:
    """What the person posted for all members, or everybody, and what they commented."""
    owner = _owner(tree)
    for name in tree.matching(_SHARES) + tree.matching(_COMMENTS):
        header = _header(tree, name)
        if header not in _PARTS:
            yield Left(name, UNREADABLE, f"{tree.path}: {name} has the columns {header[:200]}")
            continue
        for number, row in enumerate(_rows(tree, name), start=1):
            parts = re.fullmatch(_PARTS[header], row, re.DOTALL)
            if parts is None:
                yield Left(f"row {number} of {name}", UNREADABLE, f"{tree.path}: row {number} of {name}: {row[:80]!r}")
            else:
                yield _post(parts, owner)


def _post(parts: re.Match[str], owner: str) -> Post | Left:
    when, link, text = parts[1].removesuffix(" UTC"), parts[2].strip('"'), _plain(parts[3])
    share = parts.re.groups > 3
    seen = parts[6] if share else ""
    name = f"{'share' if share else 'comment'}/{when}/{last(link)}"
    if seen == "CONNECTIONS":
        return Left(name, PRIVATE, "for connections alone")
    if not text:
        return Left(name, NOT_A_POST, "without words")
    # What is quoted stands behind backslashes in comments.
    return Post(name, None, owner, text if share else text.replace('\\"', '"'), micros(when), url=link)


def _plain(text: str) -> str:
    """A text without the quotes around it and around each of its lines; what is quoted within is quoted once."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    lines = re.split(r"\r?\n", text[1:-1] if quoted else text)
    seams = [*(line[::-1] for line in lines[:-1]), *lines[1:]]
    width = next((n for n in (2, 1) if seams and all(seam.startswith('"' * n) for seam in seams)), 0)
    for at in range(len(lines)):
        lines[at] = lines[at][width if at else 0 : len(lines[at]) - (width if at < len(lines) - 1 else 0)]
    return "\n".join(line.replace('""', '"') if quoted else line for line in lines).strip()


def _lines(tree: Tree, name: str) -> str:
    with tree.open(name) as stream:
        return stream.read().decode("utf-8-sig", "replace")


def _header(tree: Tree, name: str) -> str:
    return _lines(tree, name).split("\n", 1)[0].strip().lower()


def _rows(tree: Tree, name: str) -> Iterator[str]:
    for row in _ROW.split(_lines(tree, name).partition("\n")[2]):
        if row.strip():
            yield row.rstrip("\r\n")


def _owner(tree: Tree) -> str:
    """The person's name, else what the zip is called."""
    for name in tree.matching(r"Profile\.csv"):
        for _, row in table(tree.open(name)):
            if isinstance(row, dict) and row.get("First Name"):
                return f"{row['First Name']} {row.get('Last Name', '')}".strip()
    return tree.path.stem
