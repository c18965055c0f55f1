"""Ask the space from the shell: `make ask Q="red flower"`, or `python -m explore.ask "beach + user:ann - surf"`."""

import argparse
import json
import sys
from pathlib import Path

from explore.views import Views
from pipeline.report.cards import clip
from pipeline.running.errors import UserError
from pipeline.space.space import KINDS, Filters, Space


def main(arguments: list[str] | None = None) -> int:
    """Print the answers; exit status 1, and one sentence, where there are none to be had."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("question", nargs="?", default="")
    asked.add_argument("--image", type=Path, help="a picture of your own")
    asked.add_argument("--kind", choices=KINDS, action="append", help="what to find; all three by default")
    asked.add_argument("--top", type=int, default=5)
    asked.add_argument("--data", type=Path, default=Path("data"))
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args(arguments)
    try:
        space = Space.open(given.data)
        views = Views(space)
        question = space.ask(views.terms(given.question), given.image.read_bytes() if given.image else None)
        found = views.search(given.question, question, given.top, Filters(), tuple(given.kind or KINDS))
    except (UserError, OSError, ValueError) as error:
        sys.stderr.write(f"ask: {error}\n")
        return 1
    if given.json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
        return 0
    for word, alike in found["unknown"].items():
        sys.stdout.write(f"unknown: {word}" + (f" (known: {', '.join(alike)})" if alike else "") + "\n")
    for word, near in found["from_parts"].items():
        sys.stdout.write(f"known by its parts: {word} (near: {', '.join(near)})\n")
    for note in found["notes"]:
        sys.stdout.write(f"{note}\n")
    for kind, rows in found["answers"].items():
        sys.stdout.write(f"\n{kind}\n")
        for row in rows:
            said = "; ".join(clip(post["text"], 40) for post in row.get("because", ())) or clip(row.get("text", ""), 80)
            remarks = ["may be chance"] * (not row["above_chance"]) + ["held out"] * row["held_out"]
            name = row["id"][:12] if row["kind"] == "image" else clip(row["name" if kind == "users" else "id"], 60)
            told = f"  ({', '.join(remarks)})" if remarks else ""
            sys.stdout.write(f"  {row['cosine']:6.2f}  {name}  {said}{told}\n")
    return int(not found["answered"])


if __name__ == "__main__":
    sys.exit(main())
