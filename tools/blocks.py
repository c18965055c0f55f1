"""Blocks of pages that a tool writes, between two marks."""

from pathlib import Path


def put(page: Path, opening: str, closing: str, block: str) -> None:
    """Write `block` between the lines `opening` and `closing` of `page`, in the place of what stands there."""
    before, _, rest = page.read_text(encoding="utf-8").partition(opening)
    page.write_text(before + opening + block + closing + rest.partition(closing)[2], encoding="utf-8")
