"""Progress on long work: a bar with rate and time left on a terminal, a line now and then in a log."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], description: str, unit: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, showing how many `unit`s are done of `total`."""
    with bar(description, unit, total) as shown:
        for item in items:
            yield item
            shown.update()


def bar(description: str, unit: str, total: int | None = None, initial: int = 0, shown: bool = True) -> "tqdm[Any]":
    """A bar to update by hand, where one step of the loop does several `unit`s of work; none where not `shown`.

    `initial`: how many were done before a resume.
    """
    quiet = not sys.stderr.isatty()
    made: tqdm[Any] = tqdm(
        total=total,
        initial=initial,
        desc=description,
        unit=f" {unit}",
        unit_scale=total is not None and total > 100_000,
        mininterval=20.0 if quiet else 0.2,
        maxinterval=20.0 if quiet else 10.0,
        ascii=quiet,
        ncols=100 if quiet else None,
        dynamic_ncols=not quiet,
        disable=not shown,
    )
    return made
