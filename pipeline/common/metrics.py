"""Metrics as small JSON files that Git keeps, so that a pull request shows their diff without any data."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.running.errors import UserError
from pipeline.running.files import write_text

DIGITS = 4
FEWEST = 3
"""Users of a group, below which nothing is told of it but how many they are: it would be one's own."""


def write_metrics(values: Mapping[str, object], path: Path) -> None:
    """Write `values` as indented JSON, a list of numbers on one line, floats rounded to DIGITS significant digits.

    Raises ValueError, naming the key, for a number that is not finite: JSON has none, and such a metric is a bug.
    """
    write_text(_laid_out(_plain(values, path.name), "") + "\n", path)


def _laid_out(value: object, indent: str) -> str:
    """As json.dumps(…, indent=2) lays it out, but for lists of numbers."""
    if isinstance(value, dict | list) and value:
        numbers = isinstance(value, list) and all(type(inner) in (int, float) for inner in value)
        if not numbers:
            within = f"{indent}  "
            if isinstance(value, dict):
                held = [
                    f"{json.dumps(name, ensure_ascii=False)}: {_laid_out(inner, within)}"
                    for name, inner in value.items()
                ]
            else:
                held = [_laid_out(inner, within) for inner in value]
            opened, closed = "{}" if isinstance(value, dict) else "[]"
            return opened + ",".join(f"\n{within}{inner}" for inner in held) + f"\n{indent}{closed}"
    return json.dumps(value, ensure_ascii=False)


def read_metrics(path: Path) -> dict[str, Any]:
    """The metrics in `path`; asking for a key that a stage did not write is a UserError that names file and key."""

    class Block(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            raise UserError(f"{path}: no {key!r} among {', '.join(self)}; `dvc repro` writes the file anew.")

    if not path.exists():
        raise UserError(f"{path} does not exist; `dvc repro` writes it.")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=Block)
    return found


def _plain(value: object, key: str) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, f"{key}: {name}") for name, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(inner, key) for inner in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise ValueError(f"{key} is {value}; a metric has to be a finite number")
        return float(f"{value:.{DIGITS}g}")
    return value
