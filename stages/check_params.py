"""Stage `check_params`: refuse a bad params.yaml before any other stage starts, while all earlier outputs still stand.

Reads   params.yaml
Writes  data/checked   a constant, so that what depends on it does not rerun
"""

from pathlib import Path

from pipeline.running import own_files
from pipeline.running.files import write_text
from pipeline.running.params import validate
from stages.runner import run

CHECKED = Path("data/checked")


def main() -> None:
    own_files.check(validate().corpus)
    write_text("params.yaml is valid\n", CHECKED)


if __name__ == "__main__":
    run("check_params", main)
