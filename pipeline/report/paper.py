"""The section on the paper's Tables 2 to 4, from paper/tables.json, where `make paper` has written it for this run."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.charts import Axis, Dot, Rule, dots
from pipeline.report.page import Figure, Grid, Note, Panel, Part, Table
from pipeline.report.wording import METHODS, TASKS, listing, number, percent, plural, with_ends

Metrics = Mapping[str, Any]

INTERESTS = {
    "random": "Random",
    "avg_text": "Avg-Text",
    "avg_image": "Avg-Image",
    "text_user": "Text and user",
    "image_user": "Image and user",
    "all_pairs": "All pairs",
}
_HERE = "Filled dots: here. Rings: the paper, on its corpora. "


def tables(found: Metrics | None, retrieval: Metrics) -> list[Part]:
    """Tables 2 to 4 with the claims under each; `found` is None where they were not made."""
    if found is None:
        return [Note("Not made yet: `make paper` trains the rows of the paper's tables on this corpus.")]
    if not of_this_run(found, retrieval):
        return [Note("The existing tables are from another corpus or split; `make paper` makes them again.")]
    return [
        _ranked("Table 2", found["table_2"]),
        *_claims(found["table_2"]),
        *_interests(found["table_3"]),
        _ranked("Table 4", found["table_4"]),
        *_claims(found["table_4"]),
    ]


def of_this_run(found: Metrics, retrieval: Metrics) -> bool:
    """Whether the tables were made on the corpus and split whose ranks these are."""
    return bool(found["about"]["queries"] == {task: retrieval[task]["queries"] for task in TASKS})


def _ranked(name: str, table: Metrics) -> Figure:
    """Ranks as shares of the candidates, by row, one panel a task."""
    rows = [row for row in table["rows"] if _name(row) != "Random"]
    tasks = [task for task in TASKS if any(task in row for row in rows)]
    panels = []
    for task in tasks:
        shown = [row for row in rows if task in row]
        low = min(min(row[task]["interval_95"][0] / row[task]["value"] * row[task]["share"] for row in shown), 0.005)
        axis = Axis("mean median rank / candidates, log scale", max(low, 1e-4), 1, log=True)
        panels.append(
            Panel(dots([_dot(row, task) for row in shown], axis, TASKS[task], [Rule(0.5, "random")]), TASKS[task])
        )
    header = [
        name,
        *(f"{TASKS[task]}{what}" for task in tasks for what in (", here", ", paper")),
        "Joint, here",
        "Joint, paper",
    ]
    cells = [
        [_name(row), *(c for task in (*tasks, "joint_performance") for c in _cells(row.get(task)))]
        for row in table["rows"]
    ]
    title = f"{name}: {table['title'][0].lower()}{table['title'][1:]}"
    note = (
        _HERE + "Left is better. Only shares of the candidates can be compared with the paper's; "
        "lines are 95 % intervals over users."
    )
    return Figure(title, panels, Grid(header, cells), note=note)


def _dot(row: Metrics, task: str) -> Dot:
    block = row[task]
    scale = block["share"] / block["value"]
    low, high = (end * scale for end in block["interval_95"])
    main = "method" not in row or row["method"] == "model"
    return Dot(
        _name(row), block["share"], low, high, percent(block["share"]), main, block.get("paper", {}).get("share")
    )


def _name(row: Metrics) -> str:
    if "method" in row:
        return METHODS.get(row["method"], "Random")
    weights = f"({', '.join(number(weight) for weight in row['lambdas'])})" if "lambdas" in row else ""
    return f"{str(row['pairs']).capitalize()} {weights}".strip()


def _cells(block: Metrics | None) -> list[str]:
    if block is None:
        return ["–", "–"]
    share = f", {percent(block['share'])}" if "share" in block else ""
    paper = block.get("paper")
    theirs = f", {percent(paper['share'])}" if paper and "share" in paper else ""
    here = with_ends(block["value"], block.get("interval_95"))
    return [here + share, number(paper["value"]) + theirs if paper else "–"]


def _interests(table: Metrics) -> list[Part]:
    if "not_measured" in table:
        return [Note(f"Table 3 was not measured: {table['not_measured']}.")]
    rows = []
    for row in table["rows"]:
        low, high = row["f1"]["interval_95"]
        shown, main = number(row["f1"]["value"], 2), row["method"] == "all_pairs"
        rows.append(Dot(INTERESTS[row["method"]], row["f1"]["value"], low, high, shown, main, row["paper"]))
    chart = dots(rows, Axis("macro F1", 0, 1, ticks=(0, 0.25, 0.5, 0.75, 1)), "Macro F1 of users' interests")
    labels = listing([f"{name} ({count})" for name, count in table["labels"].items()])
    cells = [
        [INTERESTS[row["method"]], *_cells(row["f1"] | {"paper": {"value": row["paper"]}})] for row in table["rows"]
    ]
    note = _HERE + f"Right is better. {plural(table['users'], 'user')}; users with each interest: {labels}."
    figure = Figure(
        "Table 3: F1 of user interests", [Panel(chart)], Grid(["Method", "Here", "Paper"], cells), note=note
    )
    return [figure, *_claims(table)]


def _claims(table: Metrics) -> list[Part]:
    """What the paper concludes, and whether it holds here."""
    claims = table["claims"]
    if not claims:
        return []
    holds = [i for i, claim in enumerate(claims) if claim["verdict"] == "holds"]
    rows = [[claim["claim"], claim["verdict"]] for claim in claims]
    evidence = [[claim["claim"], "; ".join(claim["evidence"])] for claim in claims]
    return [
        Table(
            f"{len(holds)} of the paper's {plural(len(claims), 'claim')} on it "
            f"{'holds' if len(holds) == 1 else 'hold'} here",
            Grid(["Claim", "Here"], rows, (0, 1), holds),
            behind=Grid(["Claim", "Differences with their 95 % intervals"], evidence, (0, 1)),
        )
    ]
