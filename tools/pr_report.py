"""What a reviewer reads in a pull request, as Markdown on stdout: first what got better or worse beyond its interval.

Needs `dvc` and `git` on the PATH and no data: metrics, params and plots are in Git. `python -m tools.pr_report main` is
a comment, which GitHub takes up to 65,536 characters; with `--full` it is the summary page, which takes sixteen times
as much. What does not fit is counted, and the command that shows it named. Names and values are of a corpus that
somebody else may have made, so each stands in a span of code (`pipeline.common.names`).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.common.names import code
from pipeline.running.utf8 import entry
from tools.results import METHODS, TASKS

COMMENT, SUMMARY = 60_000, 900_000
"""Bytes of UTF-8 at most: some below what GitHub takes."""
ROWS = 30
"""Rows of a table that is not folded away."""


class Headline(NamedTuple):
    """A figure to look at first: its name, file, the blocks down to it, its key, and which way is better, if any."""

    name: str
    file: str
    blocks: tuple[str, ...]
    key: str
    better: str = ""


HEADLINES = (
    Headline("joint performance", "retrieval", (), "joint_performance", "lower"),
    *(Headline(f"{name}, mean median rank", "retrieval", (task,), "mean_median_rank", "lower")
      for task, name in TASKS.items()),
    *(Headline(f"{name}, recall at 10", "retrieval", (task,), "recall_at_10", "higher")
      for task, name in TASKS.items()),
    Headline("interests, macro F1", "interests", ("macro",), "model", "higher"),
    *(Headline(f"{METHODS[method]}, joint performance", "baselines", (method,), "joint_performance", "lower")
      for method in ("bridging", "merged")),
    *(Headline(f"{METHODS[method]}, {TASKS[task]}, mean median rank", "baselines", (method, task), "mean_median_rank",
               "lower") for method, task in (("avg_text", "text_to_user"), ("avg_image", "image_to_user"))),
    *(Headline(f"{METHODS[method]}, interests, macro F1", "interests", ("macro",), method, "higher")
      for method in ("bridging", "merged", "avg_text", "avg_image")),
    Headline("near-copies left across the split", "audit", ("crossings",), "left", "lower"),
    Headline("near-copies found across the split", "audit", ("crossings",), "found", "lower"),
    *(Headline(f"test queries, {name}", "retrieval", (task,), "queries") for task, name in TASKS.items()),
    Headline("candidates, image to text", "retrieval", ("image_to_text",), "candidates"),
    Headline("posts of the corpus", "import", (), "rows_out"),
    Headline("users", "import", (), "users"),
    Headline("images", "import", (), "images"),
    Headline("unique images", "images", (), "unique_images"),
    Headline("posts that train", "audit", ("posts",), "train"),
    Headline("share of words known", "words", ("words",), "known_share"),
)  # fmt: skip
"""Those that a run may not have are left out."""

OTHER_CORPUS = ("corpus.source", "corpus.posts")
"""Params that say which corpus it is."""
ANOTHER = "**These are results of another corpus** than those before: of no figure can be told whether it is better."

VERDICTS = ("worse", "better", "within the interval", "changed")
"""In the order in which they are told."""


class Figure(NamedTuple):
    """A metric, and the ends of its interval where it has one."""

    value: float
    ends: tuple[float, float] | None

    def shown(self) -> str:
        """`8.4 (5.9 to 11.2)`."""
        return _number(self.value) + (f" ({_number(self.ends[0])} to {_number(self.ends[1])})" if self.ends else "")


class Change(NamedTuple):
    """A headline that is not what it was."""

    headline: Headline
    before: Figure | None
    now: Figure | None
    comparable: bool = True
    """Whether both are of one corpus."""

    @property
    def verdict(self) -> str:
        """Better or worse where neither value lies in the other's interval; without intervals, wherever it moved."""
        before, now, better = self.before, self.now, self.headline.better
        if before is None or now is None:
            return "new" if before is None else "gone"
        if not self.comparable:
            return "changed"
        if any(a.ends and a.ends[0] <= b.value <= a.ends[1] for a, b in ((before, now), (now, before))):
            return "within the interval"
        return ("better" if (now.value < before.value) == (better == "lower") else "worse") if better else "changed"

    def row(self) -> list[str]:
        """Its cells."""
        before, now = ("–" if figure is None else figure.shown() for figure in (self.before, self.now))
        mark = {"better": "**better**", "worse": "**worse**"}.get(self.verdict, self.verdict)
        return [self.headline.name, before, now, mark, self.headline.better]


def main() -> int:
    """Write the report. Exit status 1 where `base` is no revision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default="main", help="a revision")
    parser.add_argument("--full", action="store_const", const=SUMMARY, default=COMMENT, help="the summary page")
    given = parser.parse_args()
    base, limit = given.base, given.full
    known = ["git", "rev-parse", "--quiet", "--verify", "--end-of-options", f"{base}^{{commit}}"]
    if subprocess.run(known, capture_output=True, check=False).returncode:
        sys.stderr.write(f"pr-report: {base} is no revision here; fetch it first, or give BASE=…\n")
        return 1
    sys.stdout.write(report(base, limit))
    return 0


def report(base: str, limit: int = COMMENT) -> str:
    """The report of the workspace against `base`, of at most `limit` bytes."""
    metrics, params = _diff("metrics", base), _diff("params", base)
    plots = _run("git", "diff", "--name-only", "-z", base, "--", "plots", "paper/plots").split("\0")[:-1]
    other = any(name in OTHER_CORPUS for _, name, *_ in params or ())
    found = [change._replace(comparable=not other) for change in changes(base)]
    parts = [
        f"## What changes against {code(base)}\n",
        f"### Results\n\n{ANOTHER if other else summary(found)}\n\n"
        + table(["", "before", "here", "", "better is"], [change.row() for change in found], ROWS),
        "### Parameters\n\n" + _listed(params, "parameter", base, ROWS),
        "### Plots\n\n" + (_plots(plots) or "No change.\n"),
        "How to read the metrics, and which way is better: docs/metrics.md.\n",
    ]
    room = limit - sum(len(part.encode()) + 1 for part in parts) - 300
    head = f"<details><summary>All {len(metrics or ())} metrics that changed</summary>\n\n"
    folded = _listed(metrics, "metric", base, limit, room)
    parts.insert(2, f"{head}{folded}\n</details>\n" if metrics else "No metric changed.\n" if metrics == [] else folded)
    return "\n".join(parts)


def summary(found: Sequence[Change]) -> str:
    """Names what is better and what is worse beyond its interval, in a sentence each."""
    told = []
    for verdict in ("worse", "better"):
        names = [change.headline.name for change in found if change.verdict == verdict]
        if names:
            told.append(f"**{verdict.capitalize()}**: {'; '.join(names)}.")
    inside = sum(change.verdict == "within the interval" for change in found)
    if inside:
        told.append(f"{inside} moved within the interval, which is no change.")
    if any(change.headline.key == "queries" and None not in (change.before, change.now) for change in found):
        told.append("The test side asks other queries than before, so part of any difference is theirs.")
    return " ".join(told) or "No headline metric changed."


def changes(base: str) -> list[Change]:
    """The headlines that changed, here against `base`: what is worse first, then what is better, then the rest."""
    held: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for file in dict.fromkeys(headline.file for headline in HEADLINES):
        here = Path(f"metrics/{file}.json")
        now = here.read_text(encoding="utf-8", errors="replace") if here.exists() else ""
        held[file] = _parsed(_run("git", "show", f"{base}:metrics/{file}.json", check=False)), _parsed(now)
    found = []
    for headline in HEADLINES:
        before, now = (_figure(metrics, headline) for metrics in held[headline.file])
        if (before and before.value) != (now and now.value):
            found.append(Change(headline, before, now))
    order = {verdict: at for at, verdict in enumerate(VERDICTS)}
    return sorted(found, key=lambda change: order.get(change.verdict, len(order)))


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _figure(metrics: dict[str, Any], headline: Headline) -> Figure | None:
    block: Any = metrics
    for name in headline.blocks:
        block = block.get(name) if isinstance(block, dict) else None
    value = block.get(headline.key) if isinstance(block, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    intervals = block.get("interval_95")
    ends = intervals.get(headline.key) if isinstance(intervals, dict) else None
    sound = isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
    return Figure(value, (ends[0], ends[1]) if sound else None)


Row = tuple[str, str, Any, Any]
"""A file, a name in it, the value before and here."""


def _diff(kind: str, base: str) -> list[Row] | None:
    """The rows of `dvc metrics diff` or `dvc params diff`; None where DVC cannot tell."""
    told = subprocess.run(["dvc", kind, "diff", base, "--json"], capture_output=True, text=True, check=False)
    found = _parsed(told.stdout or "{}")
    if told.returncode:
        sys.stderr.write(told.stderr)
        return None
    return [
        (file, name, change.get("old"), change.get("new"))
        for file, entries in sorted(found.items())
        for name, change in sorted(entries.items())
    ]


def _listed(rows: list[Row] | None, what: str, base: str, most: int, room: int = COMMENT // 4) -> str:
    """A table of `rows`, as many as `most` and as fit into `room` bytes; the rest is counted."""
    command = code(f"dvc {'metrics' if what == 'metric' else 'params'} diff {base}")
    if rows is None:
        return f"DVC could not compare them; {command} says why.\n"
    return table(["", what, "before", "here"], rows, most, room, command, _cells) or "No change.\n"


def _cells(row: Row) -> list[str]:
    file, name, before, now = row
    return [code(file), code(name, 120), _value(before), _value(now)]


def table(
    head: Sequence[str],
    rows: Sequence[Any],
    most: int,
    room: int = COMMENT // 3,
    command: str = "",
    cells: Callable[[Any], Sequence[str]] = list,
) -> str:
    """A Markdown table of the first `most` rows, as far as they fit into `room` bytes, and how many are left out."""
    if not rows:
        return ""
    lines = [_line(head), _line(["---"] * len(head))]
    room -= sum(len(line.encode()) + 1 for line in lines) + 200
    shown = 0
    for line in (_line(cells(row)) for row in rows[:most]):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        lines.append(line)
        shown += 1
    left = len(rows) - shown
    more = f"\n… and {left:,} more{f': {command}' if command else ''}\n" if left else ""
    return "\n".join(lines) + f"\n{more}"


def _plots(names: Sequence[str]) -> str:
    lines = [f"- {code(name)}\n" for name in names[:ROWS]]
    return "".join(lines) + (f"- and {len(names) - ROWS:,} more\n" if len(names) > ROWS else "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return code(str(value))
    if isinstance(value, int | float):
        return _number(value)
    return code(json.dumps(value, ensure_ascii=False), 120)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=check)
    return done.stdout


if __name__ == "__main__":
    entry(main)
