"""Sections on what came out: training curves, ranks beside random and the baselines, users' interests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.charts import Axis, Dot, Line, Rule, dots, lines
from pipeline.report.page import Facts, Figure, Grid, Note, Panel, Part, Table
from pipeline.report.wording import (
    METHODS,
    TASKS,
    between,
    count,
    few_ask,
    listing,
    number,
    percent,
    plural,
    reasons,
    with_ends,
)

Metrics = Mapping[str, Any]

ASKS = {
    "text_to_user": "whose text is this?",
    "image_to_text": "which text fits?",
    "image_to_user": "whose image is this?",
}
PAIRS = {
    "text_user": ("one", "text and user"),
    "image_text": ("two", "image and text"),
    "image_user": ("three", "image and user"),
}
"""Kinds of pairs: the style of their lines, and their names."""
MEASURES = {
    "median_rank": "Median rank",
    "mean_rank": "Mean rank",
    "mean_reciprocal_rank": "Mean reciprocal rank",
    "recall_at_1": "Recall at 1",
    "recall_at_5": "Recall at 5",
    "recall_at_10": "Recall at 10",
}
QUARTERS = (0, 0.25, 0.5, 0.75, 1)
SIGNIFICANT = 0.05
NO_INTERESTS = "no user has interests"
"""As the stage evaluate_interests says it."""


def glance(retrieval: Metrics, interests: Metrics, audit: Metrics) -> Facts:
    """The few figures that matter most."""
    facts = []
    asked = _asked(retrieval)
    for task in asked:
        block = retrieval[task]
        against = f"of {count(block['candidates'])}; random {number(block['random'])}; 95 % interval "
        against += between(block["interval_95"]["mean_median_rank"])
        facts.append((number(block["mean_median_rank"]), f"{TASKS[task]}, mean median rank", against))
    if asked:
        about = f"sum of rank / candidates over {plural(len(asked), 'task')}; random {number(_chance(retrieval))}"
        facts.append((number(retrieval["joint_performance"]), "Joint performance, lower is better", about))
    else:
        facts.append(
            ("none", "Queries of posts held out", "the test side asks nothing, so no rank tells how good this is")
        )
    if "macro" in interests:
        macro = interests["macro"]
        about = f"{plural(len(interests['labels']), 'interest')}; 95 % interval "
        about += f"{between(macro['interval_95']['model'])}; everyone positive {number(macro['always_yes'], 2)}"
        facts.append((number(macro["model"], 2), "Interests, macro F1", about))
    crossings = audit["crossings"]
    about = f"left; a second search by other means found {plural(crossings['found'], 'pair')}"
    about += ", of each of which a post is left out" if crossings["found"] else ""
    return Facts([*facts, (count(crossings["left"]), "Known near-copies across the split", about)])


def training(curves: pd.DataFrame, train: Metrics) -> list[Part]:
    """Losses and validation by epoch; `curves` as plots/training.csv has them, empty where there is none."""
    losses = {f"loss_{kind}": told for kind, told in PAIRS.items() if curves[f"loss_{kind}"].notna().any()}
    ranks = {f"val_{task}": name for task, name in TASKS.items() if curves[f"val_{task}"].notna().any()}
    best, epochs = train["best_epoch"], len(curves)
    chosen = bool(curves["val_cumulative"].notna().any())  # not where weights of 0 switch off all that is validated
    started = chosen and not best  # what is kept is of no epoch
    x = Axis("epoch", 1, max(2, epochs), ticks=_whole(epochs))
    of = [
        Line(name, curves["epoch"].tolist(), curves[column].tolist(), style) for column, (style, name) in losses.items()
    ]
    alt = f"Training loss by epoch, {epochs} epochs"
    panels = [Panel(lines(of, x, _from_zero(curves[list(losses)]), alt), "Training loss, by pair")]
    for column, name in ranks.items():
        ring = best - 1 if chosen and best else None
        line = Line(name, curves["epoch"].tolist(), curves[column].tolist(), "one", ring)
        kept = train["validation"][column.removeprefix("val_")] if started else curves[column].iloc[best - 1]
        alt = f"Validation, {name.lower()}: {number(kept)} at epoch {best} of {epochs}"
        panels.append(Panel(lines([line], x, _from_zero(curves[[column]]), alt), f"Validation, {name.lower()}"))

    title = (
        f"Nothing {'that was trained ' if ranks else ''}was validated: the last of {plural(epochs, 'epoch')} is kept"
    )
    if started:
        title = f"Validation is best before the first of {plural(epochs, 'epoch')}: the model is kept as it starts"
    elif chosen:
        title = f"Validation is best after epoch {best} of {epochs}"
        title += (
            ", the last: more epochs might help" if best == epochs else f"; the {epochs - best} after it are no better"
        )
    columns = {"epoch": "Epoch"} | {column: f"Loss, {name}" for column, (_, name) in losses.items()}
    columns |= {column: f"Validation, {name.lower()}" for column, name in ranks.items()}
    columns |= {"val_cumulative": "Sum"} if chosen else {}
    rows = [[count(row[0]), *(number(v) for v in row[1:])] for row in curves[list(columns)].itertuples(index=False)]
    return [
        Figure(
            title,
            panels,
            Grid(list(columns.values()), rows, strong=[] if started else [best - 1]),
            list(losses.values()),
            "Validation: mean median rank divided by the number of candidates; chance is 0.5. The epoch with the "
            "smallest sum over the tasks is kept, marked by a ring; a task that is not told from chance adds the same "
            "to every sum.",
        )
    ]


def retrieval(model: Metrics, baselines: Metrics, ranks: pa.Table, activity: Sequence[int]) -> list[Part]:
    """Ranks of the model and the baselines, their distribution (`ranks`, rows of RANKS), and by activity of users.

    `activity`: from how many posts in train on a user has some, and many.
    """
    asked = _asked(model)
    if not asked:
        return [Note("Nothing was asked: the test side holds no query.")]
    methods = {name: baselines[name] for name in METHODS if name in baselines} | {"model": model}
    return [
        _compared(methods, asked),
        _distribution(ranks, model, asked),
        _by_activity(model, asked, activity),
        _every_measure(model, asked),
    ]


def _compared(methods: Mapping[str, Metrics], asked: Sequence[str]) -> Figure:
    model, panels = methods["model"], []
    measured = {task: {m: of[task] for m, of in methods.items() if of.get(task, {}).get("queries")} for task in asked}
    for task in asked:
        axis = Axis("mean median rank, log scale", 1, model[task]["candidates"], log=True)
        random = model[task]["random"]
        shown = [
            _dot(METHODS[name], block, "mean_median_rank", name == "model") for name, block in measured[task].items()
        ]
        panels.append(Panel(dots(shown, axis, TASKS[task], _random(random)), f"{TASKS[task]}: {ASKS[task]}"))
    joint = {name: of for name, of in methods.items() if all(name in measured[task] for task in asked)}
    chance = _chance(model)
    if len(asked) > 1:
        axis = Axis("sum of rank / candidates", 0, 1.15 * chance)
        shown = [_dot(METHODS[name], of, "joint_performance", name == "model") for name, of in joint.items()]
        panels.append(Panel(dots(shown, axis, "Joint performance", _random(chance)), "Joint performance"))

    rows = [
        [
            METHODS[name],
            *(_with_ends(of[task], "mean_median_rank") if name in measured[task] else "–" for task in asked),
            _with_ends(of, "joint_performance") if name in joint else "–",
        ]
        for name, of in methods.items()
    ]
    rows.append(["Random", *(number(model[task]["random"]) for task in asked), number(chance)])
    rows += [[key.capitalize(), *(count(model[task][key]) for task in asked), "–"] for key in ("candidates", "queries")]
    return Figure(
        _headline(model, joint, asked),
        panels,
        Grid(["Method", *(TASKS[task] for task in asked), "Joint"], rows, strong=[list(methods).index("model")]),
        note="Left is better, 1 is perfect; lines are 95 % intervals by bootstrap over users. Mean median rank: the "
        "median rank of the queries that have the same answer, averaged over answers (in image to text each answer has "
        "one query, so it is the mean rank). Avg-Text and Avg-Image can answer in one direction only.",
    )


def _headline(model: Metrics, joint: Mapping[str, Metrics], asked: Sequence[str]) -> str:
    """Whether the model beats random, task by task, and how it stands against the best baseline."""
    times = {task: model[task]["random"] / model[task]["mean_median_rank"] for task in asked}
    few = [task for task in asked if few_ask(model[task])]
    told = [task for task in asked if task not in few]
    beaten = [task for task in told if model[task]["interval_95"]["mean_median_rank"][1] < model[task]["random"]]
    parts = ["Not better than random in any task"] if told and not (beaten or few) else []
    if beaten:
        parts.append(
            f"Better than random: {listing([f'{TASKS[t].lower()} {number(times[t], 2)} times' for t in beaten])}"
        )
    if (beaten or few) and (rest := [TASKS[task].lower() for task in told if task not in beaten]):
        parts.append(f"{'not' if beaten else 'Not better than random'} in {listing(rest)}")
    if few:
        names = listing([TASKS[task].lower() for task in few])
        parts.append(f"{'too' if parts else 'Too'} few users ask to tell it from random in {names}")
    title = "; ".join(parts)
    rivals = {name: of["joint_performance"] for name, of in joint.items() if name != "model"}
    if rivals:
        best = min(rivals, key=lambda name: rivals[name])
        own, other = number(model["joint_performance"]), number(rivals[best])
        ahead = "ahead of" if model["joint_performance"] < rivals[best] else "behind"
        word = "level with" if own == other else ahead  # a difference that is not shown is none to the reader
        title += f". Joint performance {number(model['joint_performance'])}, {word} {METHODS[best]} ({other})"
    return title


def _distribution(ranks: pa.Table, model: Metrics, asked: Sequence[str]) -> Figure:
    """The share of queries whose ground truth ranks r or better, by r, beside chance."""
    panels, rows = [], []
    for task in asked:
        found = np.sort(ranks.filter(pc.equal(ranks["task"], task))["rank"].to_numpy())
        candidates = model[task]["candidates"]
        at = np.unique(np.round(np.geomspace(1, candidates, 60)))
        share = np.searchsorted(found, at + 1e-9, side="right") / len(found)
        curves = [Line("random", at, at / candidates, "chance"), Line(TASKS[task], at, share, "one")]
        x, y = Axis("rank, log scale", 1, candidates, log=True), Axis("", 0, 1, ticks=QUARTERS)
        panels.append(
            Panel(lines(curves, x, y, f"{TASKS[task]}: {percent(share[0])} of queries rank first"), TASKS[task])
        )
        firsts = [float((found <= most).mean()) for most in (1, 5, 10, max(1, candidates / 10))]
        rows.append([TASKS[task], *map(percent, firsts), number(float(np.median(found)))])
    return Figure(
        "The right answer ranks first in " + listing([f"{row[1]} ({row[0].lower()})" for row in rows]) + " of queries",
        panels,
        Grid(["Task", "First", "Among 5", "Among 10", "In the best tenth", "Median rank"], rows),
        [("one", "share of queries at this rank or better"), ("chance", "random")],
    )


def _by_activity(model: Metrics, asked: Sequence[str], activity: Sequence[int]) -> Figure:
    panels, rows = [], []
    for task in asked:
        shown = []
        for name, block in model[task]["by_activity"].items():
            if "mean_median_rank" not in block:
                rows.append([f"{TASKS[task]}, {name} posts", count(block["users"]), "", "not shown for so few"])
                continue
            label = f"{name} posts ({plural(block['users'], 'user')})"
            shown.append(_dot(label, block, "mean_median_rank", main=True))
            figures = [count(block["users"]), count(block["queries"]), _with_ends(block, "mean_median_rank")]
            rows.append([f"{TASKS[task]}, {name} posts", *figures])
        axis = Axis("mean median rank, log scale", 1, model[task]["candidates"], log=True)
        panels.append(
            Panel(dots(shown, axis, f"{TASKS[task]}, by activity", _random(model[task]["random"])), TASKS[task])
        )
    header = ["Task, posts of the author in train", "Users", "Queries", "Mean median rank"]
    some, many = map(count, activity)
    note = f"Few: fewer than {some} posts in train. Some: {some} and more. Many: {many} and more."
    return Figure("Ranks by how many posts of the author are in train", panels, Grid(header, rows), note=note)


def _every_measure(model: Metrics, asked: Sequence[str]) -> Table:
    rows = [[name, *(_with_ends(model[task], key) for task in asked)] for key, name in MEASURES.items()]
    rows.append(["Queries left out", *(reasons(model["not_asked"][task]) for task in asked)])
    rows.append(["Queries ranked at chance", *(reasons(model["at_chance"][task]) for task in asked)])
    rows.append(["Answers ranked last", *(reasons(model["ranked_last"][task]) for task in asked)])
    return Table(
        "All measures of this model, with 95 % intervals", Grid(["Measure", *(TASKS[task] for task in asked)], rows)
    )


def interests(found: Metrics, source: str) -> list[Part]:
    """F1 of users' interests, per method and label."""
    if "not_measured" in found:
        told = f"Not measured: {found['not_measured']}."
        if found["not_measured"] == NO_INTERESTS:
            told += " A table of users brings them (corpus.users); for an export, one of brands (corpus.brands)."
        return [Note(told)]
    methods = [name for name in METHODS if name in found["macro"]["interval_95"]]
    panels, rows = [], []
    labels = [(f"{label}, {block['positives']} of {count(found['users'])} users", block)
              for label, block in found["labels"].items()]  # fmt: skip
    for title, block in [("Mean of all interests", found["macro"]), *labels]:
        shown = [_dot(METHODS[name], block, name, name == "model", digits=2) for name in methods]
        always = Rule(block["always_yes"], f"everyone positive {number(block['always_yes'], 2)}")
        panels.append(Panel(dots(shown, Axis("F1", 0, 1, ticks=QUARTERS), f"F1, {title}", [always]), title))
        rows.append([title, *(_with_ends(block, name, digits=2) for name in methods), number(block["always_yes"], 2)])
    header = ["Interest", *(METHODS[name] for name in methods), "Everyone positive"]
    figure = Figure(_interest_title(found), panels, Grid(header, rows, strong=[0]), note=_interest_note(found))
    if source != "openclipart":
        return [figure]
    remark = (
        "On openclipart, a person's interests are the categories of many of their own drawings. So this measures "
        "whether a vector recovers what somebody posted, not whether it predicts interests known from elsewhere."
    )
    return [Note(remark), figure]


def _interest_title(found: Metrics) -> str:
    title = f"Macro F1 {number(found['macro']['model'], 2)}"
    if test := found.get("significance"):
        rival = test["against"]
        verdict = "significant" if test["p"] < SIGNIFICANT else "not significant"
        title += (
            f", the best baseline ({METHODS[rival]}) {number(found['macro'][rival], 2)}: the difference is {verdict}"
        )
    return title


def _interest_note(found: Metrics) -> str:
    note = (
        f"A linear SVM for each interest, {found['folds']} folds, {plural(found['repeats'], 'time')}; lines are 95 % "
    )
    note += "intervals over users."
    if test := found.get("significance"):
        note += f" Against {METHODS[test['against']]}: difference {number(test['difference'], 2)}, "
        note += f"p {number(test['p'], 2)} ({test['test']})."
    if len(found.get("scaling", {}).get("model", ())) > 1:
        note += " How each method's vectors are scaled is chosen for each label by folds of the training users."
    if found["unconverged_fits"]:
        note += f" {plural(found['unconverged_fits'], 'fit')} did not converge."
    if few := found["labels_left_out"]["few_have_it"]:
        note += f" {plural(few, 'interest')} of too few users {'is' if few == 1 else 'are'} left out and not named."
    if nearly_all := found["labels_left_out"]["nearly_all_have_it"]:
        note += f" {plural(nearly_all, 'interest')} of nearly all users {'is' if nearly_all == 1 else 'are'} left out."
    return note


def _asked(model: Metrics) -> list[str]:
    return [task for task in TASKS if model[task]["queries"]]


def _chance(model: Metrics) -> float:
    return float(sum(model[task]["random"] / model[task]["candidates"] for task in _asked(model)))


def _random(value: float) -> list[Rule]:
    return [Rule(value, f"random {number(value)}")]


def _with_ends(block: Metrics, measure: str, digits: int = 3) -> str:
    return with_ends(block[measure], block["interval_95"][measure], digits)


def _dot(name: str, block: Metrics, measure: str, main: bool, digits: int = 3) -> Dot:
    low, high = block["interval_95"][measure]
    return Dot(name, block[measure], low, high, number(block[measure], digits), main)


def _from_zero(values: pd.DataFrame) -> Axis:
    top = float(np.nanmax(values.to_numpy(float))) if values.size else 0.0
    return Axis("", 0, 1.05 * top or 1.0)


def _whole(epochs: int) -> Iterable[float]:
    """Ticks for so many epochs, whole numbers, the first included."""
    step = max(1, round(epochs / 5))
    return sorted({1, *range(step, epochs + 1, step)})
