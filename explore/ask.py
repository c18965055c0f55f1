"""Ask the space from the shell: `make ask Q="red flower"`, or `python -m explore.ask "beach + user:ann - surf"`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import QueryParams

from explore.pages.forms import NARROWING, Data, Wrong, understood
from explore.pages.views import Views, chance_untold
from explore.stale import stale
from pipeline.report.cards import clip
from pipeline.running.errors import UserError
from pipeline.running.utf8 import entry
from pipeline.space.space import KINDS, Space


def main(arguments: list[str] | None = None) -> int:
    """Print the answers; exit status 1, and one sentence, where there are none to be had."""
    asked = argparse.ArgumentParser(
        "python -m explore.ask", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("question", nargs="?", default="", help="words, user:NAME, image:ID, post:ID, joined by + and -")
    asked.add_argument("--image", type=Path, help="a picture of your own")
    asked.add_argument("--kind", choices=KINDS, action="append", help="what to find; all three by default")
    asked.add_argument("--where", action="append", default=[], help="a filter, as side=test; may be repeated")
    asked.add_argument("--top", type=int, default=5, help="how many of each kind; 5")
    asked.add_argument("--data", type=Path, default=Path("data"), help="folder of a run's tables; data")
    asked.add_argument("--json", action="store_true", help="answers as JSON")
    given = asked.parse_args(arguments)
    try:
        found = answers(given)
    except (UserError, Wrong, OSError, ValueError) as error:
        sys.stderr.write(f"ask: {error}\n")
        return 1
    if given.json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
        return 0
    _tell(found, given)
    return int(not found["answered"])


def _tell(found: Data, given: argparse.Namespace) -> None:
    for word, alike in found["unknown"].items():
        if not alike and not found["answered"]:
            continue  # a note says so
        sys.stdout.write(f"unknown: {word}" + (f" (known: {', '.join(alike)})" if alike else "") + "\n")
    for word, near in found["from_parts"].items():
        sys.stdout.write(f"known by its parts: {word} (near: {', '.join(near)})\n")
    for note in found["notes"]:
        sys.stdout.write(f"{note}\n")
    for kind, rows in found["answers"].items() if found["answered"] else ():
        sys.stdout.write(f"\n{kind}\n")
        if not rows:
            sys.stdout.write("  none" + (f" that fits {' and '.join(given.where)}" if given.where else "") + "\n")
        for row in sorted(rows, key=lambda row: not row["above_chance"]):  # of each sort the nearest first
            said = "; ".join(clip(post["text"], 40) for post in row.get("because", ())) or clip(row.get("text", ""), 80)
            remarks = ["may be chance"] * (not row["above_chance"]) + ["held out"] * row["held_out"]
            # Whole, but for a hash of which its beginning asks too: an id that is clipped cannot be asked with.
            name = row["id"][:12] if row["kind"] == "image" else row["name" if kind == "users" else "id"]
            told = f"  ({', '.join(remarks)})" if remarks else ""
            sys.stdout.write(f"  {row['cosine']:6.2f}  {name}  {said}{told}\n")
    every = [row for rows in found["answers"].values() for row in rows]
    if every and all(row["chance"] is None for row in every):
        sys.stdout.write(f"\nWhich answers may be chance cannot be told {chance_untold(given.data)}.\n")


def answers(given: argparse.Namespace) -> Data:
    """As /search.json has them. Raises UserError, or Wrong, for what cannot be asked."""
    if not given.question.strip() and not given.image:
        raise UserError('nothing is asked. Give words, user:NAME, image:ID or post:ID: make ask Q="red flower".')
    if given.image and not given.image.is_file():
        raise UserError(f"--image {given.image}: there is no such file.")
    if given.top < 1:
        raise UserError(f"--top {given.top}: at least one answer of each kind has to be asked for.")
    query = filtered(given.where)
    views = Views(Space.open(given.data))
    filters = views.filters(query)
    question = views.space.ask(views.terms(given.question), given.image.read_bytes() if given.image else None)
    if told := stale(given.data.resolve().parent):
        sys.stderr.write(f"ask: {told}\n")
    found = views.search(given.question, question, given.top, filters, tuple(given.kind or KINDS))
    if not found["answered"] and (known := views.library.examples()):
        found["notes"] = [*found["notes"], f"Nothing is left to ask. Words of this corpus: {'; '.join(known[:4])}."]
    return found


def filtered(where: Sequence[str]) -> QueryParams:
    """Filters, each as KEY=VALUE, as an address has them. Raises UserError, or Wrong, for what is none."""
    pairs = [(key, value) for key, _, value in (one.partition("=") for one in where)]
    if wrong := [one for one, (key, value) in zip(where, pairs, strict=True) if key not in NARROWING or not value]:
        raise UserError(f"--where {wrong[0]}: there are {', '.join(NARROWING)}, each as KEY=VALUE.")
    query = QueryParams(pairs)
    understood(query)
    return query


if __name__ == "__main__":
    entry(main)
