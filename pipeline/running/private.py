"""Nobody's own files enter Git: what lies in the repository and is not ignored becomes so, or is refused.

`git add -A` takes what Git does not ignore, `git commit -a` what it follows. The paths of a corpus of one's own are
therefore written into `.git/info/exclude`, which is this clone's own and no part of the repository. Where Git follows
files already, which no rule can undo, a sentence says how to undo it.
"""

import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pipeline.running.errors import UserError

log = logging.getLogger("private")


def keep_out_of_git(paths: Mapping[str, Path]) -> None:
    """Have Git ignore `paths`, by the key of params.yaml that names them, where they lie in its repository.

    Raises UserError where Git follows one of them, or something in it, already.
    """
    top, exclude = _git("rev-parse", "--show-toplevel"), _git("rev-parse", "--git-path", "info/exclude")
    if not top or not exclude:
        return
    root = Path(top).resolve()
    for key, path in paths.items():
        place = path.parent.resolve() / path.name if path.name else path.resolve()
        if not place.is_relative_to(root):
            continue
        inside = place.relative_to(root).as_posix()
        if _git("ls-files", "--", ":/" if inside == "." else f":(top,literal){inside}"):
            raise UserError(
                f"params.yaml: {key} is {str(path)!r}, where Git keeps files of this repository. A corpus of your own "
                "never goes into Git: put it into data/own/, which Git ignores, or outside the repository, and set "
                f"{key} to that place (`git rm -r --cached {path}` has Git forget files that were added)."
            )
        if not _is_ignored(place):
            _exclude(Path(exclude), inside)
            log.warning("%s is now ignored by Git, in this clone (.git/info/exclude), as it is your own", path)


def _is_ignored(path: Path) -> bool:
    done = subprocess.run(["git", "check-ignore", "--quiet", "--", str(path)], capture_output=True, check=False)
    return done.returncode == 0


def _exclude(file: Path, inside: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    held = file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else ""
    rule = "/" + "".join(f"\\{c}" if c in "\\*?[!# " else c for c in inside)
    with file.open("a", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(("" if held.endswith("\n") or not held else "\n") + rule + "\n")


def _git(*words: str) -> str:
    """What Git says; empty where there is no Git, or no repository."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, errors="surrogateescape", check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
