"""The section on near-copies: what texts and images were taken for copies, and why at these thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.report.cards import Shelf
from pipeline.report.charts import Axis, Line, Rule, lines
from pipeline.report.page import Bar, Bars, Figure, Grid, Note, Pairs, Panel, Part
from pipeline.report.wording import count, number, percent, plural, reasons

Metrics = Mapping[str, Any]


def text_copies(duplicates: pa.Table, shown: int = 6) -> pa.Table:
    """Examples out of `duplicates` (rows of DUPLICATES): evenly from the least overlap to the most."""
    rows = duplicates.sort_by([("overlap", "ascending"), ("post_id", "ascending")])
    chosen = sorted({round(i * (rows.num_rows - 1) / max(1, shown - 1)) for i in range(min(shown, rows.num_rows))})
    return rows.take(pa.array(chosen, pa.int64()))


def image_copies(groups: pa.Table, shown: int = 8) -> list[list[str]]:
    """Examples out of `groups` (rows of IMAGE_GROUPS), at most six image ids each, of groups of two and more.

    Half of them are the largest, half those whose members are least alike, where a wrong join would be.
    """
    frame = groups.to_pandas()
    each = frame.groupby("group_id").agg(size=("image_id", "size"), least=("similarity", "min")).reset_index()
    each = each[each["size"] > 1].sort_values(["size", "group_id"], ascending=[False, True])
    largest, others = each.head(shown // 2), each.iloc[shown // 2 :]
    loosest = others.sort_values(["least", "group_id"]).head(shown - len(largest))
    chosen = [*largest["group_id"], *loosest["group_id"]]
    members = frame[frame["group_id"].isin(chosen)].groupby("group_id")["image_id"]
    return [members.get_group(group).head(6).tolist() for group in chosen]


def copied_texts(
    examples: pa.Table, removed: int, texts: int, threshold: float, cleaned: Metrics, shelf: Shelf
) -> list[Part]:
    """Posts removed as near-copies of an earlier text, by `examples` of them; and texts that none can be found of."""
    title = f"{count(removed)} of {count(texts)} texts repeat an earlier one and are removed"
    if not examples.num_rows:
        return [Note(f"{title}. {not_compared(cleaned)}")]
    pairs = [
        (
            f"{percent(row['overlap'])} of the words in common",
            [shelf.post(row["duplicate_of"], "kept"), shelf.post(row["post_id"], "removed")],
        )
        for row in examples.to_pylist()
    ]
    return [
        Pairs(
            f"{title}; examples, from the smallest overlap to the largest",
            pairs,
            note=f"Overlap is |A ∩ B| / |A ∪ B| of the two sets of cleaned words, at least {number(threshold)}. "
            f"A copy with a picture of its own is kept. {not_compared(cleaned)}",
        )
    ]


def not_compared(cleaned: Metrics) -> str:
    """How many texts have no near-copy that could be found, and why, in a sentence."""
    none, whole = (reasons(cleaned[what], "none") for what in ("not_compared", "compared_as_they_are"))
    return f"Not compared: {none}. Compared only with texts of exactly the same words: {whole}."


CLASSES = (("2", 2, 2), ("3 to 5", 3, 5), ("6 to 10", 6, 10), ("11 to 50", 11, 50), ("more than 50", 51, 10**12))
"""Groups of copies by their number of images: name, least, most."""


def copied_images(groups: pa.Table, examples: Sequence[Sequence[str]], min_cosine: float, shelf: Shelf) -> list[Part]:
    """Groups of copies of images (`groups`, rows of IMAGE_GROUPS): how large, and `examples`, image ids of each."""
    if not groups.num_rows:
        return [Note("The corpus has no pictures.")]
    frame = groups.to_pandas().set_index("image_id")
    size = frame.groupby("group_id").size()
    copies = len(frame) - len(size)
    if not copies:
        return [Note(f"None of {plural(len(frame), 'image')} is a copy of another.")]
    counts = {name: int(size.between(low, high).sum()) for name, low, high in CLASSES}
    most, last = max(counts.values()), max(at for at, n in enumerate(counts.values()) if n)
    rows = []
    for images in examples:
        of = frame.loc[list(images)]
        members = size[of["group_id"].iloc[0]]
        shown = f", {len(images)} of them here" if members > len(images) else ""
        caption = f"{plural(members, 'image')}{shown}; cosine to the nearest at least {number(of['similarity'].min())}"
        rows.append((caption, [shelf.image(image) for image in images]))
    return [
        Bars(
            f"{count(copies)} of {plural(len(frame), 'image')} ({percent(copies / len(frame))}) are copies of another; "
            f"the largest group holds {count(size.max())}",
            [Bar(f"Groups of {name} images", n / most, count(n)) for name, n in [*counts.items()][: last + 1]],
            Grid(
                ["Images in the group", "Groups"],
                [["1", count((size == 1).sum())]] + [[k, count(n)] for k, n in counts.items()],
            ),
        ),
        Pairs(
            "Groups of copies: the largest first, then those whose images are least alike",
            rows,
            note=f"Candidates have features with a cosine of at least {number(min_cosine)}, or share points; a "
            "comparison of the pictures decides. A group stays on one side of the split.",
        ),
    ]


def evidence(curves: pd.DataFrame, planted: Metrics, min_cosine: float) -> list[Part]:
    """Why images.min_cosine is what it is: planted copies found, and what else, by threshold.

    `curves` as plots/image_copies.csv has them, `planted` as metrics/image_copies.json.
    """
    if not len(curves):
        return [
            Note(
                "No copies were planted: the corpus has fewer than four pictures that are no plain area of one colour."
            )
        ]
    styles = dict(zip(("with second check", "cosine alone"), ("one", "two"), strict=True))
    x, y = Axis("cosine from which a pair counts", *curves["min_cosine"].agg(["min", "max"])), Axis("", 0, 1)
    chosen = [Rule(min_cosine, f"chosen {number(min_cosine)}")]
    panels = []
    for measure in ("precision", "recall"):
        of = {name: curves[curves["check"] == name] for name in styles}
        drawn = [Line(name, of[name]["min_cosine"], of[name][measure], styles[name]) for name in styles]
        panels.append(Panel(lines(drawn, x, y, f"{measure.capitalize()} by threshold", chosen), measure.capitalize()))
    reached = planted["with second check"]
    columns = [name for name in styles if name in planted]
    rows = [[f"{measure}, {name}", percent(planted[name][measure])] for name in columns for measure in planted[name]]
    rows += [[f"found of the copies: {kind}", percent(share)] for kind, share in planted["recall_by_copy"].items()]
    return [
        Figure(
            f"{percent(reached['recall'])} of {plural(planted['copies'], 'planted copy', 'planted copies')} are found; "
            f"{percent(reached['precision'])} of what is found is one of them",
            panels,
            Grid(["At the chosen cosine", "Share"], rows),
            [(style, name) for name, style in styles.items()],
            "Artificial copies of the corpus's own pictures (halved, cropped, mirrored, framed and more), each "
            f"searched for among {count(planted['negatives_per_positive'] + 1)} pictures. With second check: "
            "candidates by cosine or by shared points, confirmed by comparing the pictures, as this pipeline does. "
            "Cosine alone: for comparison. Pictures of the corpus that are alike though nobody planted them count as "
            "wrong, so more of what is found may be right.",
        )
    ]
