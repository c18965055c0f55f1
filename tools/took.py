"""What a run took, by `timings/`: hours of a core, and roughly what energy these are.

It differs from run to run and from machine to machine, so it is in no stage's output, which DVC knows by its bytes:
`make repro` prints it, and `make share` writes it into the model card that it packs, in the place of ENERGY.
"""

import json
from pathlib import Path
from typing import NamedTuple

from pipeline.report.wording import plural

WATTS = 10
"""Assumed of a core at work, with its share of the memory: server processors take some 4 to 12. A rough figure."""


class Took(NamedTuple):
    """CPU seconds by stage, the longest first, and how many stages of dvc.yaml have none here."""

    seconds: dict[str, float]
    without: int

    @property
    def hours(self) -> float:
        """Hours of a core."""
        return sum(self.seconds.values()) / 3600

    def sentence(self) -> str:
        """Energy, what it is an estimate of, and what is not in it."""
        if not self.seconds:
            return "Not measured: there are no timings/ of a run here."
        most = ", ".join(f"{name} {s / 36 / self.hours:.0f} %" for name, s in list(self.seconds.items())[:3])
        left = ""
        if self.without:
            left = (
                f"; nor what the results of {plural(self.without, 'stage')} once took that were there already, in Git "
                "or in DVC's cache"
            )
        return (
            f"{self.hours:.2f} hours of a core, measured ({most}); that is some {self.hours * WATTS / 1000:.2g} kWh at "
            f"an assumed {WATTS} W a core. A GPU, the rest of the machine, cooling and earlier attempts are not in it"
            f"{left}."
        )

    def table(self) -> str:
        """The same by stage, in Markdown."""
        rows = [f"| {name} | {seconds:.1f} |" for name, seconds in self.seconds.items()]
        return (
            "\n".join([f"# What the run took\n\n{self.sentence()}\n", "| stage | CPU s |", "|---|---|", *rows]) + "\n"
        )


def took(home: Path = Path()) -> Took:
    """What the stages of `home` took when they last ran here."""
    held = {path.stem: json.loads(path.read_text())["cpu_s"] for path in (home / "timings").glob("*.json")}
    if not held:
        return Took({}, 0)
    ordered = dict(sorted(held.items(), key=lambda item: (-item[1], item[0])))
    from ruamel.yaml import YAML

    stages = YAML(typ="safe", pure=True).load(home / "dvc.yaml")["stages"]
    ran = {name.partition("@")[0] for name in held}
    return Took(ordered, sum(name not in ran for name in stages))
