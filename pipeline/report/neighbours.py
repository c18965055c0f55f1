"""User to user: what users have in common with those nearest to them."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.page import Grid, Note, Part, Table
from pipeline.report.wording import METHODS, number, plural, with_ends

Metrics = Mapping[str, Any]

TRUTHS = {"interests": "interests", "mixtures": "their planted topics"}
OTHERS = {
    "encoder_mean_image": "Mean of image features",
    "encoder_mean_centred_text": "Mean of sentence vectors, centred",
    "encoder_mean_centred_image": "Mean of image features, centred",
    "encoder_mean_whitened_text": "Mean of sentence vectors, whitened",
    "encoder_mean_whitened_image": "Mean of image features, whitened",
    "letters_mean_text": "Mean of letters",
    "encoder_mean_letters_text": "Means of sentence vectors, whitened, and letters",
    "chance": "All other users (chance)",
    "best": "The truth itself (best possible)",
}
NOISE = 1e-6
"""What lies within it is of the arithmetic: where all have the same interests, nothing is more than chance."""


def shared(measured: Metrics) -> list[Part]:
    """A table for each truth of metrics/neighbours.json, or why it was not measured."""
    parts: list[Part] = []
    for truth, found in measured.items():
        if "not_measured" in found:
            parts.append(Note(f"User to user, by {TRUTHS[truth]}: not measured, as {found['not_measured']}."))
            continue
        names = METHODS | OTHERS
        rows = [
            [names.get(name, name), number(found[name]), _gap(found, name)]
            for name in sorted(found["interval_95"], key=lambda name: -found[name])
        ]
        low, high = found["model_less"]["chance"]["interval_95"]
        verdict = "more than" if low > NOISE else "less than" if high < -NOISE else "no more than"
        parts.append(
            Table(
                f"Users have {verdict} chance in common with their {plural(found['top'], 'nearest', 'nearest')}, "
                f"by {TRUTHS[truth]}",
                Grid(["Nearest by", "In common", "This model − this method"], rows, strong=_model(rows)),
                f"Mean cosine between what is known of two users, over {plural(found['users'], 'user')} of whom "
                f"something is known; "
                "1 is everything in common. Differences are paired, with 95 % intervals over users.",
            )
        )
    return parts


def _model(rows: list[list[str]]) -> list[int]:
    return [place for place, row in enumerate(rows) if row[0] == METHODS["model"]]


def _gap(found: Metrics, name: str) -> str:
    if name not in found["model_less"]:
        return "–"
    gap = found["model_less"][name]
    return with_ends(gap["value"], gap["interval_95"])
