"""Which posts answers, and lists, are taken from: by side, cluster, language, time, author, and what their source told.

Where a source told nothing of a post (data/corpus/details), a filter by that does not let it through.

Shapes: n posts, as the library has them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.space.library import Library

Array = np.ndarray[Any, np.dtype[Any]]
Range = tuple[int | None, int | None]


@dataclass(frozen=True)
class Filters:
    """What answers are taken from; None takes all. An image or a user is taken if a post of theirs is."""

    sides: tuple[str, ...] | None = None
    clusters: tuple[int, ...] | None = None
    languages: tuple[str, ...] | None = None
    """As the cleaning found, or as the source told: `pt` takes `pt-BR` too, `und` those of which neither knows."""
    since: date | None = None
    until: date | None = None
    user: str | None = None
    other_than: tuple[str, ...] | None = None
    """Users of whom no post is taken."""
    contains: str | None = None
    """What stands in the text, also within a word, however it is capitalised."""
    lacks: str | None = None
    """What does not; a post without a text lacks everything."""
    link: str | None = None
    """A host (`example.org`, with those under it), or how an address begins (`https://example.org/a/`)."""
    likes: Range | None = None
    """From and to, both included; either may be open."""
    replies: Range | None = None
    answering: bool | None = None
    """Whether the post answers somebody, or another post."""
    answered_user: str | None = None
    answered_post: str | None = None
    described: bool | None = None
    """Whether a picture of the post is described."""
    least: float | None = None
    """A cosine: the only one that is not about posts."""

    @property
    def of_posts(self) -> bool:
        """Whether any of them chooses among posts."""
        return any(getattr(self, field.name) is not None for field in fields(self) if field.name != "least")


ALL_POSTS = Filters()


def posts_taken(library: Library, filters: Filters) -> Array:
    """Which posts the filters let through (n,); read only."""
    taken = np.ones(len(library.post_ids), bool)
    for held in (*_by_the_run(library, filters), *_by_the_source(library, filters)):
        taken &= held
    taken.flags.writeable = False
    return taken


def _by_the_run(library: Library, filters: Filters) -> Iterator[Array]:
    """What each filter by what the run knows of posts lets through."""
    if filters.sides is not None:
        yield np.isin(library.side, filters.sides)
    if filters.clusters is not None:
        yield np.isin(library.cluster[library.author], filters.clusters)
    if filters.languages is not None:
        yield _spoken(library, filters.languages)
    if filters.user is not None:
        yield library.author == library.row_of("user", filters.user)
    if filters.other_than is not None:
        yield ~np.isin(library.author, [library.row_of("user", name) for name in filters.other_than])
    if filters.contains is not None:
        yield _said(library, filters.contains)
    if filters.lacks is not None:
        yield ~_said(library, filters.lacks)
    if filters.since is not None:  # a comparison with NaT is false
        yield library.times >= np.datetime64(filters.since)
    if filters.until is not None:
        yield library.times < np.datetime64(filters.until) + np.timedelta64(1, "D")


def _said(library: Library, text: str) -> Array:
    return _bools(pc.match_substring(library.posts["text"], text, ignore_case=True))


def _by_the_source(library: Library, filters: Filters) -> Iterator[Array]:
    """What each filter by what sources told lets through."""
    for column, wanted in ("likes", filters.likes), ("replies", filters.replies):
        if wanted is not None:
            yield _between(library.detail(column), *wanted)
    if filters.link is not None:
        yield _linked(library.detail("url"), filters.link)
    if filters.answering is not None:
        answering = _known(library.detail("reply_to")) | _known(library.detail("answers"))
        yield answering if filters.answering else ~answering
    for column, name in ("reply_to", filters.answered_user), ("answers", filters.answered_post):
        if name is not None:
            yield _bools(pc.equal(library.detail(column), name))
    if filters.described is not None:
        described = _described(library.detail("alt"))
        yield described if filters.described else ~described


def _described(alt: pa.Array) -> Array:
    said = _bools(pc.greater(pc.utf8_length(pc.list_flatten(alt)), 0))
    described = np.zeros(len(alt), bool)
    described[pc.list_parent_indices(alt).to_numpy()[said]] = True
    return described


def _spoken(library: Library, names: tuple[str, ...]) -> Array:
    wanted, told = pa.array(names), (library.language, library.told_language, library.detail("language"))
    return np.asarray(np.logical_or.reduce([_bools(pc.is_in(column, wanted)) for column in told]))


def _linked(addresses: pa.Array, wanted: str) -> Array:
    if "://" in wanted:
        return _bools(pc.starts_with(addresses, wanted))
    host = pc.replace_substring_regex(addresses, r"^[a-zA-Z]+://([^/?#]*).*$", r"\1")
    host = pc.utf8_lower(pc.replace_substring_regex(host, r"^.*@|:\d+$", ""))
    name = wanted.lower().strip("/")
    return _bools(pc.equal(host, name)) | _bools(pc.ends_with(host, "." + name))


def _between(values: pa.Array, low: int | None, high: int | None) -> Array:
    taken = _known(values)
    if low is not None:
        taken &= _bools(pc.greater_equal(values, low))
    if high is not None:
        taken &= _bools(pc.less_equal(values, high))
    return taken


def _known(values: pa.Array) -> Array:
    return _bools(values.is_valid())


def _bools(values: pa.Array) -> Array:
    """Null is false."""
    found: Array = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return found
