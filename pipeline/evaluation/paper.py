"""Tables 2, 3 and 4 of the paper: our figures beside its own, and which of its claims hold on the corpus at hand.

Ranks are mean median ranks (`pipeline.ranking.retrieval.summarize`); of another corpus they compare by their share of
the candidates alone. All figures of a table come from the same resamples of users, so that a difference between two
rows has an interval of its own, far narrower than the rows' intervals suggest.

A claim is a list of comparisons. It holds where the 95 % interval of each lies wholly on the claimed side, does not
hold where one lies wholly on the other, and is undecided otherwise. None is settled by hand.

Shapes: b resamples, n users.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.common.names import distinct
from pipeline.evaluation.interests import Predictions, resampled_scores, scores
from pipeline.ranking.bootstrap import interval
from pipeline.ranking.estimates import Estimate, Ranks
from pipeline.ranking.retrieval import TASKS

Array = np.ndarray[Any, np.dtype[Any]]
Lambdas = tuple[float, float, float]

PAPER_CANDIDATES = {"text_to_user": 39_808, "image_to_text": 5_000, "image_to_user": 39_808}
PAPER_TABLE_2 = {
    (1, 0): (371, 2291, 21873),
    (0, 1): (20212, 149, 20289),
    (0, 0): (19698, 2491, 1407),
    (0.5, 0.5): (420, 154, 2455),
    (0.5, 0): (383, 239, 664),
    (0, 0.5): (8427, 138, 1181),
    (0.333, 0.333): (450, 144, 980),
    (0.05, 0.2): (732, 140, 806),
    (0.1, 0.45): (551, 127, 785),
}
"""Mean median ranks of the tasks, by lambda1 and lambda2."""
PAPER_TABLE_3 = {
    "random": 0.00, "avg_text": 0.40, "avg_image": 0.45, "text_user": 0.47, "image_user": 0.49, "all_pairs": 0.52,
}  # fmt: skip
"""F1 of user interests."""
PAPER_TABLE_4: dict[str, tuple[int | None, int | None, int | None]] = {
    "avg_text": (1963, None, None),
    "avg_image": (None, None, 1372),
    "bridging": (372, 238, 2083),
    "merged": (514, 601, 2405),
    "model": (551, 127, 785),
}
"""Mean median ranks of the tasks, by method."""

NAMES = {
    "random": "random",
    "avg_text": "Avg-Text",
    "avg_image": "Avg-Image",
    "text_user": "text-user",
    "image_user": "image-user",
    "all_pairs": "all pairs",
    "bridging": "Bridging-Modality",
    "merged": "Merged-Modality",
    "encoder_mean": "means of pretrained vectors",
    "encoder_mean_centred": "the same, centred",
    "encoder_mean_whitened": "the same, whitened",
    "letters_mean": "means of letters",
    "encoder_mean_letters": "whitened means and letters",
    "model": "DU2MCE",
}
ARROWS = {"text_to_user": "text → user", "image_to_text": "image → text", "image_to_user": "image → user"}
_OWN = ("text_to_user", "image_to_text", "image_to_user")
"""The task of each pair, in the order of the lambdas."""


def joint(ranks: Ranks, candidates: Mapping[str, int]) -> Estimate:
    """Joint performance: the sum over tasks of mean median rank / candidates."""
    first, *others = [estimate / candidates[task] for task, estimate in ranks.items()]
    return sum(others, first)


@dataclass(frozen=True)
class Comparison:
    """`gap` is below 0 on the claimed side; `what` says of which two figures it is the difference."""

    what: str
    gap: Estimate

    def shown(self) -> str:
        """One phrase: what, the difference and its interval."""
        # Two digits of each number of its own, so that an end near 0 keeps its sign.
        value, low, high = (number(float(f"{x:.2g}")) for x in (self.gap.value, *interval(self.gap.drawn)))
        return f"{self.what}: {value} ({low} to {high})"


def verdict(comparisons: Sequence[Comparison]) -> str:
    """holds, does not hold, undecided (see the module), or not tested where there is nothing to compare."""
    if not comparisons:
        return "not tested"
    ends = [interval(comparison.gap.drawn) for comparison in comparisons]
    if all(high < 0 for _, high in ends):
        return "holds"
    return "does not hold" if any(low > 0 for low, _ in ends) else "undecided"


def claim(table: int, text: str, comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """A claim with its verdict and what it rests on."""
    found = list(comparisons)
    return {
        "table": table,
        "claim": text,
        "verdict": verdict(found),
        "evidence": [comparison.shown() for comparison in found],
    }


def pairs(lambdas: Lambdas) -> int:
    """How many kinds of pairs a row is trained on."""
    return sum(weight > 0 for weight in lambdas)


@dataclass(frozen=True)
class Trained:
    """A row of Table 2: its weights, its ranks, and the cumulative metric of its best epoch on validation."""

    lambdas: Lambdas
    ranks: Ranks
    validation: float

    @property
    def name(self) -> str:
        """Its weights."""
        return "(" + ", ".join(f"{weight:g}" for weight in self.lambdas) + ")"


def best_of_all_pairs(rows: Mapping[str, Trained]) -> str | None:
    """The row on all three pairs that was best on validation: what Table 4 calls DU2MCE. Test ranks choose nothing."""
    candidates = [name for name, row in rows.items() if pairs(row.lambdas) == 3]
    return min(candidates, key=lambda name: rows[name].validation, default=None)


def only(rows: Mapping[str, Trained], kind: int) -> Trained | None:
    """The row on one kind of pair alone (0 text-user, 1 image-text, 2 image-user)."""
    return next((row for row in rows.values() if pairs(row.lambdas) == 1 and row.lambdas[kind] > 0), None)


def table_2(rows: Mapping[str, Trained], candidates: Mapping[str, int]) -> dict[str, Any]:
    """Ranks by lambda."""
    shown = [{"pairs": "random", **_chance(candidates)}]
    for name, row in rows.items():
        stated = PAPER_TABLE_2.get(row.lambdas[:2])
        shown.append(
            {"name": name, "pairs": ("one", "two", "all")[pairs(row.lambdas) - 1], "lambdas": list(row.lambdas)}
            | _ranked(row.ranks, candidates, stated)
        )
    return {"title": "mean median rank by weights of the losses", "rows": shown, "claims": claims_2(rows, candidates)}


def claims_2(rows: Mapping[str, Trained], candidates: Mapping[str, int]) -> list[dict[str, Any]]:
    """What the paper concludes from Table 2."""
    half = {task: (count + 1) / 4 for task, count in candidates.items()}
    chance = {task: 2 * rank for task, rank in half.items()}
    ones, twos = ([row for row in rows.values() if pairs(row.lambdas) == count] for count in (1, 2))
    chosen = rows.get(best_of_all_pairs(rows) or "")
    own = [
        Comparison(f"{ARROWS[task]} of {row.name} less half of random", row.ranks[task] - half[task])
        for row, task in _asked(ones, trained=True)
    ]
    others = [
        Comparison(f"half of random less {ARROWS[task]} of {row.name}", -(row.ranks[task] - half[task]))
        for row, task in _asked(ones, trained=False)
    ]
    unseen = [
        Comparison(f"{ARROWS[task]} of {row.name} less random", row.ranks[task] - chance[task])
        for row, task in _asked(twos, trained=False)
    ]
    ahead = [
        Comparison(
            f"joint of {chosen.name} less {row.name}", joint(chosen.ranks, candidates) - joint(row.ranks, candidates)
        )
        for row in (*ones, *twos)
        if chosen
    ]
    return [
        claim(2, "A single pair is far better than random on its own task (less than half of random).", own),
        claim(2, "A single pair is poor on the other tasks (more than half of random).", others),
        claim(2, "Two pairs reach the third task, never trained on, better than random (zero-shot).", unseen),
        claim(2, "All pairs have the best joint performance of all rows.", ahead),
        claim(2, "Image-to-user gains from the other pairs.", _gain(chosen, only(rows, 2), _OWN[2])),
        claim(2, "Image-to-text gains from the users.", _gain(chosen, only(rows, 1), _OWN[1])),
    ]


def _asked(rows: Iterable[Trained], trained: bool) -> list[tuple[Trained, str]]:
    """Each row with each task that it was asked, of those whose pair it was `trained` on, or was not."""
    return [
        (row, task)
        for row in rows
        for task, weight in zip(_OWN, row.lambdas, strict=True)
        if bool(weight) == trained and task in row.ranks
    ]


def _gain(chosen: Trained | None, alone: Trained | None, task: str) -> list[Comparison]:
    """How much better `chosen` is at a task than the row trained on that pair `alone`, where both were asked."""
    if not (chosen and alone and task in chosen.ranks and task in alone.ranks):
        return []
    return [Comparison(f"{ARROWS[task]} of {chosen.name} less {alone.name}", chosen.ranks[task] - alone.ranks[task])]


def table_4(
    rows: Mapping[str, Trained], baselines: Mapping[str, Ranks], candidates: Mapping[str, int]
) -> dict[str, Any]:
    """Ranks by method: the `baselines` by name, and the all-pairs row that is best on validation."""
    name = best_of_all_pairs(rows)
    methods = dict(baselines) | ({"model": rows[name].ranks} if name else {})
    shown = [{"method": "random", **_chance(candidates)}]
    for method, ranks in methods.items():
        lambdas = {"lambdas": list(rows[name].lambdas)} if name and method == "model" else {}
        shown.append({"method": method, **lambdas, **_ranked(ranks, candidates, PAPER_TABLE_4[method])})
    return {"title": "against competing methods", "rows": shown, "claims": claims_4(methods, candidates)}


def untrained(rows: Mapping[str, Trained], means: Mapping[str, Ranks], candidates: Mapping[str, int]) -> dict[str, Any]:
    """Beyond the paper, beside Table 4: ranks by `means` of pretrained vectors, and by how much DU2MCE is below."""
    name = best_of_all_pairs(rows)
    shown = [{"method": method, **_ranked(ranks, candidates, None)} for method, ranks in means.items()]
    less = [
        Comparison(f"{ARROWS[task]} of DU2MCE less {NAMES[method]}", rows[name].ranks[task] - ranks[task])
        for method, ranks in means.items() for task in ranks if name and task in rows[name].ranks
    ]  # fmt: skip
    return {"rows": shown, "differences": [comparison.shown() for comparison in less]}


def claims_4(methods: Mapping[str, Ranks], candidates: Mapping[str, int]) -> list[dict[str, Any]]:
    """What the paper concludes from Table 4."""
    model = methods.get("model", {})
    whole = [name for name, ranks in methods.items() if ranks and ranks.keys() == model.keys()]
    joints = {name: joint(methods[name], candidates) for name in whole}
    rivals = [name for name in ("bridging", "merged") if name in methods]

    def less(task: str, one: str, other: str) -> Comparison:
        gap = methods[one][task] - methods[other][task]
        return Comparison(f"{ARROWS[task]} of {NAMES[one]} less {NAMES[other]}", gap)

    ahead = [
        Comparison(f"joint of DU2MCE less {NAMES[name]}", joints["model"] - joints[name])
        for name in rivals if name in joints
    ]  # fmt: skip
    text = "text_to_user"
    alone = [less(text, name, "model") for name in rivals if text in model and text in methods[name]]
    learned = [
        less(task, "model", name)
        for name, task in (("avg_text", text), ("avg_image", "image_to_user"))
        if task in model and task in methods.get(name, {})
    ]
    return [
        claim(4, "All pairs have a better joint performance than Bridging and than Merged.", ahead),
        claim(4, "Bridging and Merged are better at text-to-user alone.", alone),
        claim(4, "Learned vectors beat averaged ones, on retrieval.", learned),
    ]


def table_3(found: Predictions, count: int, seed: int) -> dict[str, Any]:
    """F1 of user interests, macro-averaged, by method; `found` has the methods of the paper's table, by its names."""
    macro = scores(found).mean(axis=1)
    drawn = resampled_scores(found, count, seed).mean(axis=2)
    f1 = {name: Estimate(float(macro[s]), drawn[:, s]) for s, name in enumerate(found.methods)}
    rows = [{"method": name, "f1": f1[name].shown(), "paper": PAPER_TABLE_3[name]} for name in f1]
    return {
        "title": "F1 of user interests",
        "users": int(found.truth.shape[1]),
        "labels": {label: int(found.truth[i].sum()) for i, label in enumerate(distinct(found.labels))},
        "rows": rows,
        "claims": claims_3(f1),
    }


def claims_3(f1: Mapping[str, Estimate]) -> list[dict[str, Any]]:
    """What the paper concludes from Table 3."""

    def ahead(*pairs: tuple[str, str]) -> list[Comparison]:
        # A higher F1 is better, and a gap below 0 is the claimed side.
        return [
            Comparison(f"F1 of {NAMES[worse]} less {NAMES[better]}", f1[worse] - f1[better])
            for better, worse in pairs
            if better in f1 and worse in f1
        ]

    others = [("all_pairs", name) for name in f1 if name != "all_pairs"]
    images = [("avg_image", "avg_text"), ("image_user", "text_user")]
    return [
        claim(3, "Learned vectors beat averaged ones, on interests.",
              ahead(("text_user", "avg_text"), ("image_user", "avg_image"))),
        claim(3, "All pairs are best on interests.", ahead(*others)),
        claim(3, "Images say more than text (in the paper, posts are visual).", ahead(*images)),
    ]  # fmt: skip


def _chance(candidates: Mapping[str, int]) -> dict[str, Any]:
    """The random row: every rank is the mean of all."""
    whole = sum((count + 1) / 2 / count for count in candidates.values())
    return {"joint_performance": {"value": whole, "paper": {"value": len(candidates) / 2}}} | {
        task: {
            "value": (count + 1) / 2,
            "share": (count + 1) / 2 / count,
            "paper": {"value": PAPER_CANDIDATES[task] / 2, "share": 0.5},
        }
        for task, count in candidates.items()
    }


def _ranked(ranks: Ranks, candidates: Mapping[str, int], stated: Sequence[int | None] | None) -> dict[str, Any]:
    """A row's ranks with intervals and shares, the paper's own beside them, and joint performance."""
    shown: dict[str, Any] = {}
    paper = dict(zip(TASKS, stated or (None, None, None), strict=True))
    for task, estimate in ranks.items():
        rank = paper[task]
        shown[task] = estimate.shown() | {"share": estimate.value / candidates[task]}
        if rank is not None:
            shown[task]["paper"] = {"value": rank, "share": rank / PAPER_CANDIDATES[task]}
    if ranks.keys() == candidates.keys():
        shown["joint_performance"] = joint(ranks, candidates).shown()
        if stated and None not in stated:
            whole = sum((rank or 0) / PAPER_CANDIDATES[task] for task, rank in paper.items())
            shown["joint_performance"]["paper"] = {"value": whole}
    return shown


def number(value: float) -> str:
    """As it is printed: three digits, thousands whole."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value + 0.0:.3g}"
    return text.replace("-", "−")
