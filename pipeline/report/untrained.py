"""Is training worth it here? The model beside means of pretrained vectors and of letters, on the same queries."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.page import Grid, Note, Part, Table
from pipeline.report.wording import TASKS, few_ask, listing, with_ends

Metrics = Mapping[str, Any]

METHODS = {
    "encoder_mean": "Mean of pretrained vectors",
    "encoder_mean_centred": "The same, centred",
    "encoder_mean_whitened": "The same, whitened",
    "letters_mean": "Mean of letters",
    "encoder_mean_letters": "Whitened means and letters",
}
APART = " Such vectors cannot answer image to text, because those of texts and images come from different networks."


def worth(means: Metrics, model: Metrics) -> list[Part]:
    """The verdict in a sentence, and the figures, of metrics/encoder_means.json and metrics/retrieval.json."""
    names = [name for name in METHODS if name in means]
    asked = [
        task for task in TASKS
        if model[task]["queries"] and any(means[name].get(task, {}).get("queries") for name in names)
    ]  # fmt: skip
    if not asked:
        return [Note("There are no pretrained vectors to compare the model with (sentences.encoder).")]
    rows = [[METHODS[name], *(_cell(means[name].get(task)) for task in asked)] for name in names]
    rows.append(["This model", *(_cell(model[task]) for task in asked)])
    rows += [
        [f"Difference: this model − {METHODS[name].lower()}", *(_gap(means, name, task) for task in asked)]
        for name in names
    ]
    return [
        Table(
            f"Is training worth it here? {verdict(means, asked, [task for task in asked if few_ask(model[task])])}",
            Grid(["Mean median rank", *(TASKS[task] for task in asked)], rows, strong=[len(names)]),
            "What one would do without this system: each post gets a vector from a pretrained network, a user is the "
            "mean of "
            "their posts, and the nearest vector answers. Letters are character n-grams, which tell how a text is "
            "written. Differences are paired; below 0 the model is better."
            + ("" if "image_to_text" in asked else APART),
        )
    ]


def verdict(means: Metrics, asked: Sequence[str], few: Sequence[str] = ()) -> str:
    """By task: ahead of all means that answer it, behind one of them, or neither, by the paired 95 % intervals.

    Of tasks in which `few` users ask it is neither.
    """
    said: dict[str, list[str]] = {"ahead in": [], "behind in": [], "neither ahead nor behind in": []}
    for task in asked:
        gaps = [means["model_less"].get(name, {}).get(task) for name in METHODS]
        ends = [gap["interval_95"] for gap in gaps if gap]
        where = "neither ahead nor behind in"
        if task not in few and any(low > 0 for low, _ in ends):
            where = "behind in"
        elif task not in few and all(high < 0 for _, high in ends):
            where = "ahead in"
        said[where].append(TASKS[task].lower())
    return "The model is " + "; ".join(f"{where} {listing(tasks)}" for where, tasks in said.items() if tasks)


def _cell(block: Metrics | None) -> str:
    if not (block and block["queries"]):
        return "–"
    return with_ends(block["mean_median_rank"], block["interval_95"]["mean_median_rank"])


def _gap(means: Metrics, name: str, task: str) -> str:
    gap = means["model_less"][name].get(task)
    return "–" if gap is None else with_ends(gap["value"], gap["interval_95"])
