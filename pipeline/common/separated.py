"""How tables of separated text are written, whoever reads them: one's own, in blocks, and exports, row by row."""

import csv
import itertools
import re
import string
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

SEPARATORS = ",;\t|"
"""What separates columns."""
TOLD = re.compile(r'"?sep=(.)"?\r?\n')
"""A first line that tells Excel what separates."""
NO_NAME = "\0"
"""The name of a column that has none: R's names of rows, or what a separator behind each row makes."""
AROUND = f"{string.whitespace}\u00a0\u200b\u2060\ufeff"
"""What stands unseen around the names of columns."""
LOOKED_AT = 30
"""Rows among which the header is looked for, below titles and comments."""


class Fit(NamedTuple):
    """How some lines fit a way to write tables: rows that do not, and all rows."""

    wrong: int
    rows: int


def quoting(quotes: bool) -> Literal[0, 3]:
    """How Python's csv reads, where cells may stand in quotes, and where a quote is a letter."""
    return csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE


def fit(lines: Iterable[str], separator: str, cells: int, quotes: bool = True, cut: bool = False) -> Fit:
    """How `lines` fit: wrong are rows of another number of cells, or with letters between a quote and a separator.

    `cut`: the last row may go on behind what is seen, and is not wrong.
    """
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(lines, delimiter=separator, strict=True, quoting=quoting(quotes))
    wrong, last = 0, False
    for number in itertools.count():
        try:
            last = len(next(rows)) not in (0, cells)
        except csv.Error:
            last = True
        except StopIteration:
            return Fit(wrong - (cut and last), number)
        wrong += last
    raise AssertionError


def quotes_are_letters(quoted: Fit, bare: Fit) -> bool:
    """Whether fewer rows are wrong without quotes; or none, though there are more of them: then no cell has lines."""
    return bare.wrong < quoted.wrong or (not bare.wrong and bare.rows > quoted.rows)


def widened(header: list[str], quoted: bool, below: Sequence[Sequence[str]]) -> list[str]:
    """The header, with a column NO_NAME where most rows `below` have a cell more, and none has as many.

    Before the others it holds R's names of rows, which have no header; only R's headers are `quoted`, and without that
    it may be a comma within a text. Behind the last one has to be nothing but a separator.
    """
    longer = [row for row in below if len(row) == len(header) + 1]
    if 2 * len(longer) <= len(below) or any(len(row) == len(header) for row in below):
        return header
    if quoted and all(row[0].strip().isdigit() for row in longer):
        return [NO_NAME, *header]
    return header if any(row[-1].strip() for row in longer) else [*header, NO_NAME]
