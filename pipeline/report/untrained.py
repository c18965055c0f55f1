"""Is training worth it here? The model beside means of pretrained vectors, on the same queries."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.page import Grid, Note, Part, Table
from pipeline.report.wording import TASKS, listing, number

Metrics = Mapping[str, Any]

METHODS = {
    "encoder_mean": "Mean of pretrained vectors",
    "encoder_mean_centred": "The same, centred",
    "encoder_mean_whitened": "The same, whitened",
}
APART = " In image to text such vectors have no answer: texts and images have them from different networks."


def worth(means: Metrics, model: Metrics) -> list[Part]:
    """The verdict in a sentence, and the figures, of metrics/encoder_means.json and metrics/retrieval.json."""
    asked = [task for task in TASKS if means["encoder_mean"].get(task, {}).get("queries") and model[task]["queries"]]
    if not asked:
        return [Note("No pretrained vectors were asked (sentences.encoder), so training is measured against none.")]
    rows = [[METHODS[name], *(_cell(means[name][task]) for task in asked)] for name in METHODS]
    rows.append(["This model", *(_cell(model[task]) for task in asked)])
    rows += [
        [f"This model less: {METHODS[name].lower()}", *(_gap(means, name, task) for task in asked)] for name in METHODS
    ]
    return [
        Table(
            f"Is training worth it here? {verdict(means, asked)}",
            Grid(["Mean median rank", *(TASKS[task] for task in asked)], rows, strong=[len(METHODS)]),
            "A vector a post from a pretrained network, their mean a user, the nearest answer: what one would do "
            "without this system. Differences are paired over the same resamples of users; below 0 the model is ahead."
            + ("" if "image_to_text" in asked else APART),
        )
    ]


def verdict(means: Metrics, asked: Sequence[str]) -> str:
    """By task: ahead of all three means, behind one of them, or not to be told apart, by the paired 95 % intervals."""
    said: dict[str, list[str]] = {"ahead in": [], "behind in": [], "not to be told apart in": []}
    for task in asked:
        ends = [means["model_less"][name][task]["interval_95"] for name in METHODS]
        if any(low > 0 for low, _ in ends):
            said["behind in"].append(TASKS[task].lower())
        elif all(high < 0 for _, high in ends):
            said["ahead in"].append(TASKS[task].lower())
        else:
            said["not to be told apart in"].append(TASKS[task].lower())
    return "The model is " + "; ".join(f"{where} {listing(tasks)}" for where, tasks in said.items() if tasks)


def _cell(block: Metrics) -> str:
    low, high = block["interval_95"]["mean_median_rank"]
    return f"{number(block['mean_median_rank'])} ({number(low)} to {number(high)})"


def _gap(means: Metrics, name: str, task: str) -> str:
    gap = means["model_less"][name][task]
    return f"{number(gap['value'])} ({number(gap['interval_95'][0])} to {number(gap['interval_95'][1])})"
