"""The results in the README, from metrics/*.json alone: `python -m tools.readme --fix` rewrites them.

tests/tools/test_readme.py holds the README to the metrics that are committed with it.
"""

from pathlib import Path
from typing import Any

from pipeline.running.errors import UserError
from pipeline.running.utf8 import entry
from tools.blocks import shown
from tools.results import METHODS, METRICS, TASKS, Metrics, figures, read

PAGE = Path("README.md")
OPEN, CLOSE = "<!-- results: written by `python -m tools.readme --fix` -->\n", "<!-- results end -->\n"


def block(root: Path = Path()) -> str:
    """What stands between OPEN and CLOSE. Raises UserError where a stage has not written its metrics."""
    found: dict[str, Metrics] = {}
    for name in ("import", "retrieval", "baselines", "encoder_means", "interests"):
        metrics = read(root / METRICS / f"{name}.json")
        if metrics is None:
            raise UserError(f"{METRICS / name}.json is missing; `dvc repro` writes it.")
        found[name] = metrics
    said = f"{found['import']['rows_out']:,} drawings by {found['import']['users']:,} people"
    return "\n".join([
        f"Mean median rank of the ground truth on test (openclipart, {said}; 1 is perfect, lower is better):", "",
        *_ranks(found["retrieval"], found["encoder_means"] | found["baselines"]), "",
        *_interests(found["interests"]), "",
    ])  # fmt: skip


def _ranks(model: Metrics, others: Metrics) -> list[str]:
    rows = [f"| | {' | '.join(TASKS.values())} | joint performance |", "|---|---|---|---|---|"]
    rows.append(_row("**this model**", [_with_interval(model[task], "mean_median_rank") for task in TASKS]
                     + [_with_interval(model, "joint_performance")]))  # fmt: skip
    *methods, _, random = figures(others | {"model": model}, TASKS).items()
    rows += [_row(name, [*map(_shown, found)]) for name, found in (*reversed(methods), random)]
    rows.append(_row("candidates", [f"{model[task]['candidates']:,}" for task in TASKS] + [""]))
    return rows


def _interests(metrics: Metrics) -> list[str]:
    legend = [
        "Each test post asks for its author, by its text or its picture, and each picture for its text, among all",
        "*candidates*; the rank of the right answer counts ([how](docs/metrics.md)). *Joint performance* is the sum of",
        "rank / candidates over the tasks. Merged, Bridging, Avg-Image and Avg-Text are the paper's baselines.",
        "*Pretrained means* average the vectors of pretrained encoders over a user's posts, with no training on the",
        "corpus. *Random* is the expected rank by chance. Brackets: 95 % intervals over users.",
    ]
    if "macro" not in metrics:
        return legend
    macro = metrics["macro"]
    low, high = macro["interval_95"]["model"]
    others = ", ".join(f"{name} {macro[key]:.2f}" for key, name in METHODS.items() if key in macro and key != "model")
    return [
        *legend, "",
        "Predicting users' interests from their vectors by a linear SVM, macro F1: "
        f"**this model {macro['model']:.2f}** ({low:.2f}–{high:.2f}),",
        f"{others}; calling everyone positive {macro['always_yes']:.2f}.",
    ]  # fmt: skip


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _with_interval(metrics: Metrics, key: str) -> str:
    low, high = metrics["interval_95"][key]
    return f"**{_shown(metrics[key])}** ({_shown(low)}–{_shown(high)})"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 20 else f"{value:,.0f}"


def main() -> int:
    """Print the block; with --fix, put it into the README."""
    return shown(block(), PAGE, OPEN, CLOSE)


if __name__ == "__main__":
    entry(main)
