"""What `make repro` prints at its end: the results in a table, from metrics/*.json alone. `python -m tools.results`."""

import json
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.report.wording import plural
from pipeline.running.utf8 import entry
from tools.took import took

METRICS, PAGE = Path("metrics"), Path("report/index.html")
METHODS = {
    "encoder_mean_whitened": "Pretrained means",
    "encoder_mean_text": "Pretrained means",
    "avg_text": "Avg-Text",
    "avg_image": "Avg-Image",
    "bridging": "Bridging",
    "merged": "Merged",
    "model": "this model",
}
"""Of means of pretrained vectors, which nothing was trained for, one is shown: of ranks the whitened ones."""
TASKS = {"text_to_user": "text to user", "image_to_text": "image to text", "image_to_user": "image to user"}

Metrics = dict[str, Any]


def main() -> int:
    """Print the results; exit status 1 where a stage has not written its metrics."""
    names = ("retrieval", "baselines", "encoder_means", "interests", "audit")
    found = {name: read(METRICS / f"{name}.json") for name in names}
    missing = [f"{METRICS / name}.json" for name, metrics in found.items() if metrics is None]
    held = {name: metrics for name, metrics in found.items() if metrics is not None}
    told = []
    if "retrieval" in held:
        others = held.get("encoder_means", {}) | held.get("baselines", {})
        told.append(ranks({**others, "model": held["retrieval"]}))
    if "interests" in held:
        told.append(interests(held["interests"]))
    if "audit" in held:
        told.append(audit(held["audit"]))
    if missing:
        told.append(f"Missing: {', '.join(missing)}. `dvc repro` writes what is missing.")
    if (spent := took()).seconds:
        told.append(textwrap.fill(f"Took: {spent.sentence()}", 98))
    if PAGE.exists():
        told.append(f"Report: {PAGE.resolve()}\nSearch and browse: make explore. The figures: docs/metrics.md")
    else:
        told.append(f"No report at {PAGE.resolve()} yet.")
    sys.stdout.write("\n" + "\n\n".join(told) + "\n")
    return bool(missing)


def ranks(methods: Metrics) -> str:
    """Mean median ranks by method and task beside random, and joint performance."""
    model = methods["model"]
    asked = {task: name for task, name in TASKS.items() if model[task]["queries"]}
    if not asked:
        return "Retrieval: nothing was asked; the test side holds no query."
    rows = [["mean median rank", *asked.values(), "joint performance"]]
    for name, (*found, joint) in figures(methods, asked).items():
        rows.append([name, *map(_number, found), "-" if joint is None else f"{joint:.2f}"])
    rows.append(["candidates", *(f"{model[task]['candidates']:,}" for task in asked), ""])
    return f"Retrieval, on test (1 is perfect; lower is better):\n{_table(rows)}"


def figures(methods: Metrics, tasks: Iterable[str]) -> dict[str, list[float | None]]:
    """By name of a method, and of random: the mean median rank of each task, and joint performance where it has all."""
    rows: dict[str, list[float | None]] = {}
    for key in filter(methods.__contains__, METHODS):
        blocks = [methods[key].get(task, {}) for task in tasks]
        joint = methods[key].get("joint_performance") if all(block.get("queries") for block in blocks) else None
        rows[METHODS[key]] = [*(block.get("mean_median_rank") for block in blocks), joint]
    model = [methods["model"][task] for task in tasks]
    chance = sum(block["random"] / block["candidates"] for block in model)
    return rows | {"random": [*(block["random"] for block in model), chance]}


def interests(metrics: Metrics) -> str:
    """Macro F1 of users' interests by method."""
    if "not_measured" in metrics:
        return f"Interests: not measured, as {metrics['not_measured']}."
    macro = metrics["macro"]
    rows = [["macro F1", *(name for key, name in METHODS.items() if key in macro), "everyone positive"]]
    rows.append(["", *(f"{macro[key]:.2f}" for key in METHODS if key in macro), f"{macro['always_yes']:.2f}"])
    labels = "1 label" if len(metrics["labels"]) == 1 else f"{len(metrics['labels'])} labels"
    return f"Interests of {metrics['users']:,} users, {labels} (higher is better):\n{_table(rows)}"


def audit(metrics: Metrics) -> str:
    """The verdict on the split, in a line."""
    found, left = metrics["crossings"]["found"], metrics["crossings"]["left"]
    if left:
        return f"Audit: THE SPLIT LEAKS: {plural(left, 'near-copy', 'near-copies')} of held-out content across sides."
    excluded = metrics["posts"]["excluded"] - metrics["excluded"]["by_cut"]
    judged = sum(block["judged_different"] for block in metrics["images"].values())
    return (
        f"Audit: nothing is left of {plural(found, 'near-copy', 'near-copies')} that it found across sides "
        f"({plural(excluded, 'post')} left out);\n{plural(judged, 'compared pair')} of pictures it judged different "
        "(python -m tools.contact_sheet --different)."
    )


def read(path: Path) -> Metrics | None:
    """The metrics in a file, if there is one."""
    if not path.exists():
        return None
    metrics: Metrics = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _table(rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell: the first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    entry(main)
