"""paper/tables.md, the page of the paper's tables: what `pipeline.evaluation.paper` found, in Markdown."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.common.names import code
from pipeline.evaluation.paper import ARROWS, NAMES, number


def markdown(tables: Mapping[str, Any]) -> str:
    """paper/tables.md from what paper/tables.json holds: `about`, `table_2`, `table_3` and `table_4`."""
    about = tables["about"]
    lines = [
        "# The paper's tables, on the corpus at hand",
        "",
        "Made by `make paper`; not edited by hand. Corpus: " + about["corpus"] + ". "
        + "; ".join(f"{ARROWS[task]}: {count:,} candidates" for task, count in about["candidates"].items())
        + f". Test queries: {', '.join(f'{count:,}' for count in about['queries'].values())}.",
        "",
        "Ours first, with 95 % intervals over users, then the share of the candidates; in brackets the paper's own, on "
        "its Twitter and Instagram corpora, of which only the shares compare. Lower ranks are better, 1 is perfect. "
        "Joint performance is the sum of the three shares. Under a claim stand its comparisons: differences of two "
        "figures, each with an interval of its own; below 0 is the claimed side.",
    ]  # fmt: skip
    for which in (2, 3, 4):
        table = tables[f"table_{which}"]
        lines += ["", f"## Table {which}: {table['title']}", ""]
        lines += _interests(table) if which == 3 else _ranks(table)
        lines += ["", "Claims:", ""] * bool(table["claims"])
        for found in table["claims"]:
            lines.append(f"- **{found['verdict']}**: {found['claim']}")
            lines += [f"  - {evidence}" for evidence in found["evidence"]]
        if table.get("untrained", {}).get("rows"):  # none without an encoder of sentences
            lines += ["", "### Without training (beyond the paper)", "", *_ranks(table["untrained"]), ""]
            lines += [f"- {difference}" for difference in table["untrained"]["differences"]]
    return "\n".join(lines) + "\n"


def _ranks(table: Mapping[str, Any]) -> list[str]:
    first = "Method" if "method" in table["rows"][0] else "Pairs"
    head = [first, "(λ1, λ2, λ3)", *ARROWS.values(), "Joint performance"]
    lines = [_line(head), _line("---" for _ in head)]
    for row in table["rows"]:
        lambdas = ", ".join(f"{weight:g}" for weight in row.get("lambdas", []))
        name = NAMES[row["method"]] if "method" in row else row["pairs"]
        cells = [_cell(row.get(column)) for column in (*ARROWS, "joint_performance")]
        lines.append(_line([name, f"({lambdas})" if lambdas else "", *cells]))
    return lines


def _interests(table: Mapping[str, Any]) -> list[str]:
    if "not_measured" in table:
        return [f"Not measured: {table['not_measured']}."]
    labels = ", ".join(f"{code(name)} {count}" for name, count in table["labels"].items())
    lines = [f"{table['users']} users; users with each interest: {labels}.", ""]
    lines += [_line(["Method", "F1", "Paper"]), _line(["---"] * 3)]
    return lines + [_line([NAMES[row["method"]], _cell(row["f1"]), f"{row['paper']:.2f}"]) for row in table["rows"]]


def _cell(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "–"
    text = number(figure["value"])
    if "interval_95" in figure:
        text += f" ({' to '.join(number(end) for end in figure['interval_95'])})"
    if "share" in figure:
        text += f" · {_share(figure['share'])}"
    if "paper" in figure:
        paper = figure["paper"]
        text += f" [{number(paper['value'])}{' · ' + _share(paper['share']) if 'share' in paper else ''}]"
    return text


def _share(share: float) -> str:
    return f"{100 * share:.2g} %"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
