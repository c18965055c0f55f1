"""What a reviewer reads in a pull request, as Markdown on stdout: metrics and params against a base, and the plots.

Needs `dvc` and `git` on the PATH and no data: metrics, params and plots are in Git. `python -m tools.pr_report main`.
"""

import subprocess
import sys


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
        "Metrics": _table("dvc", "metrics", "diff", base, "--md", "--precision", "4"),
        "Parameters": _table("dvc", "params", "diff", base, "--md"),
        "Plots": "".join(f"- [`{path}`]({path})\n" for path in plots),
    }
    out = [f"## What changes against `{base}`\n"]
    for title, body in sections.items():
        out.append(f"### {title}\n\n{body.strip() or 'No change.'}\n")
    out.append("How to read the metrics, and which way is better: README, “Reading the metrics”.\n")
    sys.stdout.write("\n".join(out))
    return 0


def _table(*command: str) -> str:
    table = _run(*command).strip()
    return table if table.count("\n") > 1 else ""  # a head without rows says nothing


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
