r"""LinkedIn: what a person gets of their account, of which Shares.csv has the posts and Comments.csv the comments.

It has no pictures, and no ids but links. Its CSV is none: within a text each line stands in quotes of its own, doubled
or not, `one"\n"two`. A row therefore begins where a line begins with a time. In 2018 it was a table, of UTF-16 with
tabs and more columns.
"""

import csv
import re
from collections.abc import Iterator, Sequence

from pipeline.exports.posts import NOT_A_POST, PRIVATE, UNREADABLE, Found, Left, Post, last, micros
from pipeline.exports.sources import Tree, unpacked

_SHARES, _COMMENTS = r"Shares(_\d+)?\.csv", r"Comments(_\d+)?\.csv"
_ROW = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?: UTC)?,)", re.MULTILINE)
_CELL = r"""("[^"]*"|[^,"]*)"""
_PARTS = {
    "date,sharelink,sharecommentary,sharedurl,mediaurl,visibility": rf"([^,]*),{_CELL},(.*),{_CELL},{_CELL},([A-Z_]*)",
    "date,link,message": rf"([^,]*),{_CELL},(.*)",
}
"""Of each header, whose letters were capital ones in other years, how a row is taken apart."""
_NEEDED = {name: set(name.split(",")) - {"sharedurl", "mediaurl"} for name in _PARTS}


def is_download(tree: Tree) -> bool:
    """A person's download that holds posts or comments."""
    return any(_form(_text(tree, name)) for name in tree.matching(_SHARES) + tree.matching(_COMMENTS))


def download(tree: Tree) -> Found:
    """What the person posted for all members, or everybody, and what they commented."""
    owner = _owner(tree)
    for name in tree.matching(_SHARES) + tree.matching(_COMMENTS):
        text = _text(tree, name)
        form = _form(text)
        if form is None:
            yield Left(name, UNREADABLE, f"{tree.path}: {name} has the columns {','.join(_columns(text))[:200]}")
            continue
        for number, (row, cells) in enumerate(_rows(text, form), start=1):
            if cells is None:
                yield Left(f"row {number} of {name}", UNREADABLE, f"{tree.path}: row {number} of {name}: {row[:80]!r}")
            else:
                yield _post(cells, owner)


def _post(cells: Sequence[str], owner: str) -> Post | Left:
    when, link, text = cells[0].removesuffix(" UTC"), cells[1].strip('"'), _plain(cells[2])
    share = len(cells) > 3
    seen = cells[5] if share else ""
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


def _text(tree: Tree, name: str) -> str:
    with unpacked(tree.open(name)) as stream:
        return stream.read().decode("utf-8-sig", "replace").lstrip("\ufeff")


def _columns(text: str) -> list[str]:
    """The columns of a file, in small letters without blanks."""
    return re.split("[,\t]", re.sub('[ "]', "", text.split("\n", 1)[0].strip().lower()))


def _form(text: str) -> str | None:
    """Which of _PARTS a file has, or, as in 2018, more than those; None where it has not."""
    columns, tabs = _columns(text), "\t" in text.split("\n", 1)[0]
    return next((one for one in _PARTS if ",".join(columns) == one or (tabs and _NEEDED[one] <= set(columns))), None)


def _rows(text: str, form: str) -> Iterator[tuple[str, Sequence[str] | None]]:
    """Rows as they stand, and their cells, by `form`; None for those that cannot be taken apart."""
    header, _, body = text.partition("\n")
    if "\t" in header:
        columns = _columns(text)
        for cells in csv.reader(body.splitlines(keepends=True), delimiter="\t"):
            held = dict(zip(columns, cells, strict=False))
            yield (
                "\t".join(cells),
                [held.get(one, "") for one in form.split(",")] if len(held) == len(columns) else None,
            )
        return
    for row in filter(str.strip, _ROW.split(body)):
        plain = row.rstrip("\r\n")
        found = re.fullmatch(_PARTS[form], plain, re.DOTALL)
        yield plain, found.groups() if found else None


def _owner(tree: Tree) -> str:
    """The person's name, else what the zip is called."""
    for name in tree.matching(r"Profile\.csv"):
        text = _text(tree, name)
        for row in csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in text else ","):
            if row.get("First Name"):
                return f"{row['First Name']} {row.get('Last Name') or ''}".strip()
    return tree.path.stem
