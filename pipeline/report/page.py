"""The page: its parts as plain data, and their rendering into one HTML file.

All text that reaches the page is escaped by the template; only Markup (charts, made with Markup.format) is not. A
Content-Security-Policy in the page forbids scripts and every request, whatever a post says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Grid:
    """A table of text: `header`, rows as long as it. Columns hold figures, but for those of `words`."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)
    strong: Sequence[int] = ()
    """Rows to look at."""


@dataclass(frozen=True)
class Card:
    """A post, an image, a user: a picture as a data URI, or none, and what is said about it."""

    text: str = ""
    picture: str | None = None
    by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One chart of a figure."""

    chart: Markup
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """Charts side by side, the key to their lines as (style, name), and the table behind them."""

    kind: ClassVar[str] = "figure"
    title: str
    panels: Sequence[Panel]
    table: Grid
    key: Sequence[tuple[str, str]] = ()
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A share of the whole, `kept` or `left` out, with its figure in words."""

    label: str
    share: float
    shown: str
    look: str = "kept"
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """Horizontal bars over one scale."""

    kind: ClassVar[str] = "bars"
    title: str
    bars: Sequence[Bar]
    table: Grid
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """The few figures that matter most: each a value, what it is, and a remark."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Table:
    """A table shown as it is; `behind` is one with more."""

    kind: ClassVar[str] = "table"
    title: str
    table: Grid
    note: str = ""
    behind: Grid | None = None


@dataclass(frozen=True)
class Steps:
    """The flow: each step's name, what it does, what it gives."""

    kind: ClassVar[str] = "steps"
    title: str
    steps: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Pairs:
    """Things side by side: two cards or more in each row, and what joins them."""

    kind: ClassVar[str] = "pairs"
    title: str
    rows: Sequence[tuple[str, Sequence[Card]]]
    table: Grid | None = None
    note: str = ""


Question = tuple[Card, Sequence[tuple[str, Sequence[Card]]]]
"""What asks, and rows of answers, each with its name."""


@dataclass(frozen=True)
class Answers:
    """Retrieval: questions that belong together stand side by side."""

    kind: ClassVar[str] = "answers"
    title: str
    together: Sequence[Sequence[Question]]
    note: str = ""


@dataclass(frozen=True)
class Cluster:
    """A cluster of users: who, its word cloud, the images nearest to its centre."""

    name: str
    about: str
    cloud: Markup
    cards: Sequence[Card]
    users: str


@dataclass(frozen=True)
class Clusters:
    """Clusters of users."""

    kind: ClassVar[str] = "clusters"
    title: str
    clusters: Sequence[Cluster]
    table: Grid
    note: str = ""


@dataclass(frozen=True)
class Note:
    """A remark that a reader has to know."""

    kind: ClassVar[str] = "note"
    text: str


Part = Figure | Bars | Facts | Table | Steps | Pairs | Answers | Clusters | Note


@dataclass(frozen=True)
class Section:
    """A heading, a sentence or two on what it is about, and its parts."""

    title: str
    lead: str
    parts: Sequence[Part]

    @property
    def anchor(self) -> str:
        """Its address within the page."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def _commands(text: str) -> Markup:
    """Text in which what stands in `backticks` is set as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def render(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page. The same parts give the same text."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["commands"] = _commands
    style = Markup((_HERE / "style.css").read_text(encoding="utf-8"))  # ours: no text of a corpus is in it
    return environment.get_template("page.html").render(title=title, lead=lead, sections=sections, style=style)
