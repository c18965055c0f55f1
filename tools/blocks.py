"""Blocks of pages that a tool writes, between two marks."""

import sys
from pathlib import Path


def shown(block: str, page: Path, opening: str, closing: str) -> int:
    """Print `block`; with --fix, also write it between the lines `opening` and `closing` of `page`. Returns 0."""
    if "--fix" in sys.argv:
        before, _, rest = page.read_text(encoding="utf-8").partition(opening)
        page.write_text(before + opening + block + closing + rest.partition(closing)[2], encoding="utf-8")
    sys.stdout.write(block)
    return 0
