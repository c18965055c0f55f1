"""Commands in a project of its own: git, dvc, python, as this environment has them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.processes.started import module, started

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}


def run(*command, at, status=0):
    """What a command prints; dvc and `python -m` are processes of their own, and need no second to start."""
    if command[0] == "dvc":
        done = started(module, *command, at=at, environment=ENVIRONMENT)
    elif command[0] in ("python", sys.executable) and command[1] == "-m":
        done = started(module, *command[2:], at=at, environment=ENVIRONMENT)
    else:
        done = subprocess.run(command, cwd=at, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr
