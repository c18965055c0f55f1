"""The rooms of `pipeline/` and which imports which, drawn from the code: `python -m tools.rooms`.

`MAY_IMPORT` says what may be; the drawing of what is stands in CONTRIBUTING.md, and `--fix` puts it there anew.
tests/tools/test_rooms.py holds both.
"""

import ast
from functools import cache
from pathlib import Path

from pipeline.running.utf8 import entry
from tools.blocks import shown

EVERYWHERE = {"common", "running", "tables"}
"""What every room may use: `common` and `tables` what results rest on, `running` how work runs."""
MAY_IMPORT: dict[str, set[str]] = {
    "running": set(),
    "tables": {"running"},
    "common": {"running", "tables"},
    "exports": {"pictures"},
    "privacy": set(),
    "corpus": {"pictures", "privacy"},
    "pictures": set(),
    "encoding": {"pictures"},
    "ocr": {"pictures"},
    "copies": {"pictures"},
    "join": set(),
    "text": {"join"},
    "words": set(),
    "split": {"pictures"},
    "embedding": set(),
    "ranking": {"embedding"},
    "space": {"embedding", "encoding", "ocr", "pictures", "ranking", "text", "words"},
    "evaluation": {"embedding", "ranking", "space"},
    "layout": {"ranking"},
    "report": {"pictures"},
}
"""Beside EVERYWHERE, and for the three of that as they stand."""

PAGE = Path("CONTRIBUTING.md")
OPEN, CLOSE = "<!-- rooms: drawn by `python -m tools.rooms --fix` -->\n", "<!-- rooms end -->\n"


def allowed(room: str) -> set[str]:
    """The rooms that `room` may import."""
    return MAY_IMPORT[room] | (set() if room in EVERYWHERE else EVERYWHERE)


def arrows(root: Path = Path()) -> dict[str, set[str]]:
    """For each room, the other rooms that its modules import, imports within functions included."""
    found: dict[str, set[str]] = {folder.name: set() for folder in (root / "pipeline").iterdir() if _is_room(folder)}
    for room, into in found.items():
        for path in (root / "pipeline" / room).rglob("*.py"):
            into |= {module.split(".")[1] for module in imports(path) if module.startswith("pipeline.")} - {room}
    return found


def imports(path: Path) -> frozenset[str]:
    """Dotted names of the modules that a file imports; `from a import b` is `a.b`, as b may be a module."""
    return _named(path.read_text(encoding="utf-8"))


@cache  # by the code, as the check of dvc.yaml asks of most modules for most stages
def _named(code: str) -> frozenset[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return frozenset(found)


def drawing(root: Path = Path()) -> str:
    """The rooms as a Mermaid flowchart, without the arrows into EVERYWHERE."""
    drawn = sorted(arrows(root).items())
    lines = [
        f"    {room} --> {' & '.join(sorted(into - EVERYWHERE))}"
        for room, into in drawn
        if room not in EVERYWHERE and into - EVERYWHERE
    ]
    alone = sorted(room for room, into in drawn if room not in EVERYWHERE and not into - EVERYWHERE)
    lines += [f"    {room}" for room in alone if not any(f" {room}" in line for line in lines)]
    return "```mermaid\nflowchart BT\n" + "\n".join(lines) + "\n```\n"


def _is_room(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*.py"))


def main() -> int:
    """Print the drawing; with --fix, put it into PAGE."""
    return shown(drawing(), PAGE, OPEN, CLOSE)


if __name__ == "__main__":
    entry(main)
