"""A locale that knows no ö: paths are found, and words printed, by every command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
WITHOUT = {"tools/mend.py"}
"""It mends the bytecode of all other modules, so it imports none; `make` sets PYTHONUTF8 for it."""


def called(*command, at):
    environment = {**os.environ, **ASCII, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *command], cwd=at, env=environment, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.skipif(
    sys.getfilesystemencoding() != "utf-8" or sys.platform == "darwin", reason="paths are UTF-8 there in any locale"
)
def test_a_path_is_found_and_a_word_printed(tmp_path):
    place = tmp_path / "Beiträge 試"
    place.mkdir()
    work = 'print(pathlib.Path("Beiträge 試").is_dir(), "ñ", sys.argv[1])'
    (tmp_path / "asked.py").write_text(f"import pathlib, sys\ndef main():\n    {work}\n", encoding="utf-8")
    for begin in (
        "from pipeline.running.utf8 import entry; entry(main)",
        "from stages.runner import run; run('x', main)",
    ):
        with (tmp_path / "command.py").open("w", encoding="utf-8") as script:
            script.write(f"from asked import main\nif __name__ == '__main__':\n    {begin}\n")
        assert called("-m", "command", "ü", at=tmp_path) == (0, "True ñ ü\n")
    status, told = called("-c", "import asked; asked.main()", "ü", at=tmp_path)
    assert status and "Error" in told  # else this test tests nothing


def test_every_command_begins_so():
    commands = [path for folder in ("tools", "explore") for path in sorted((ROOT / folder).rglob("*.py"))]
    begun = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").partition('__name__ == "__main__":')[2]
        for path in commands
    }
    others = {name for name, end in begun.items() if end and not re.fullmatch(r"\n    entry\(main\)\n", end)}
    assert others == WITHOUT and len([name for name in begun if begun[name]]) > 10


def test_help_runs_nothing_and_an_error_is_a_sentence(tmp_path):
    (tmp_path / "command.py").write_text(
        '"""What it does."""\n'
        "from pipeline.running.errors import UserError\nfrom pipeline.running.utf8 import entry\n"
        "def main():\n    raise UserError('x.csv: no rows; give some.')\n"
        "if __name__ == '__main__':\n    entry(main)\n"
    )
    assert called("-m", "command", "--help", at=tmp_path) == (0, "What it does.\n")
    assert called("-m", "command", at=tmp_path) == (1, "x.csv: no rows; give some.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_sentence_and_a_fault_of_ours_a_traceback(tmp_path):
    for work, told in (
        ("open('/dev/full', 'w', buffering=1).write('x' * 99999)", "the disk: No space left on device; free"),
        ("open('nowhere')", "Traceback"),
    ):
        (tmp_path / "command.py").write_text(
            f"from pipeline.running.utf8 import entry\ndef main():\n    {work}\n"
            "if __name__ == '__main__':\n    entry(main)\n"
        )
        status, printed = called("-m", "command", at=tmp_path)
        assert status == 1 and printed.startswith(told)
