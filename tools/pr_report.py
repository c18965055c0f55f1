"""What a reviewer reads in a pull request, as Markdown on stdout: the few figures that matter, all metrics and params
against a base, and the plots.

Needs `dvc` and `git` on the PATH and no data: metrics, params and plots are in Git. `python -m tools.pr_report main`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HEADLINES = (
    ("joint performance", "retrieval", (), "joint_performance", "lower"),
    ("text to user, mean median rank", "retrieval", ("text_to_user",), "mean_median_rank", "lower"),
    ("image to text, mean median rank", "retrieval", ("image_to_text",), "mean_median_rank", "lower"),
    ("image to user, mean median rank", "retrieval", ("image_to_user",), "mean_median_rank", "lower"),
    ("users' interests, macro F1", "interests", ("macro",), "model", "higher"),
)
"""Name, file, the blocks down to it, key, and which way is better."""


def main() -> int:
    """Write the report. Exit status 1 where `base` is no revision."""
    base = sys.argv[1] if len(sys.argv) > 1 else "main"
    if subprocess.run(
        ["git", "rev-parse", "--quiet", "--verify", f"{base}^{{commit}}"], capture_output=True
    ).returncode:
        sys.stderr.write(f"pr-report: {base} is no revision here; fetch it first, or give BASE=…\n")
        return 1
    plots = _run("git", "diff", "--name-only", base, "--", "plots", "paper/plots").split()
    sections = {
        "Results": headlines(base),
        "Metrics": _table("dvc", "metrics", "diff", base, "--md", "--precision", "4"),
        "Parameters": _table("dvc", "params", "diff", base, "--md"),
        "Plots": "".join(f"- [`{path}`]({path})\n" for path in plots),
    }
    out = [f"## What changes against `{base}`\n"]
    for title, body in sections.items():
        out.append(f"### {title}\n\n{body.strip() or 'No change.'}\n")
    out.append("How to read the metrics, and which way is better: docs/metrics.md.\n")
    sys.stdout.write("\n".join(out))
    return 0


def headlines(base: str) -> str:
    """A table of HEADLINES, here against `base`, with 95 % intervals; what stays inside an interval is no change."""
    rows = []
    for name, file, path, key, better in HEADLINES:
        before = _figure(_run("git", "show", f"{base}:metrics/{file}.json", check=False), path, key)
        here = Path(f"metrics/{file}.json")
        now = _figure(here.read_text(encoding="utf-8") if here.exists() else "", path, key)
        if before and now and before != now:
            inside = before[1] <= now[0] <= before[2] or now[1] <= before[0] <= now[2]
            verdict = "better" if (now[0] < before[0]) == (better == "lower") else "worse"
            verdict = "within the interval" if inside else verdict
            rows.append(f"| {name} | {better} | {_shown(before)} | {_shown(now)} | {verdict} |")
    return "\n".join([f"| | better | {base} | here | |", "|---|---|---|---|---|", *rows]) if rows else ""


def _figure(text: str, path: tuple[str, ...], key: str) -> tuple[float, float, float] | None:
    """A metric and the ends of its interval, where `text`, a metrics file, has them."""
    block: dict[str, Any] = json.loads(text) if text else {}
    for name in path:
        block = block.get(name, {})
    return (block[key], *block["interval_95"][key]) if key in block else None


def _shown(figure: tuple[float, float, float]) -> str:
    value, low, high = (f"{number:.4g}" for number in figure)
    return f"{value} ({low} to {high})"


def _table(*command: str) -> str:
    table = _run(*command).strip()
    return table if table.count("\n") > 1 else ""  # a head without rows says nothing


def _run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


if __name__ == "__main__":
    sys.exit(main())
