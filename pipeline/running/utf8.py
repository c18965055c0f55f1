"""How a command begins: paths and printing in UTF-8, whatever the locale says; help; an error in one sentence.

Python takes the encoding of paths and of the terminal from the locale. In one that is not UTF-8 (Latin-1 on older
servers, `LC_ALL=C` where Python is forbidden to mend it) a path of params.yaml is not found, and a word not printed.
"""

import os
import sys
from collections.abc import Callable

from pipeline.running.errors import UserError


def in_utf8() -> None:
    """Begin this process anew in Python's UTF-8 mode, if it is in another encoding. To be called before any work."""
    if not sys.flags.utf8_mode and sys.getfilesystemencoding().lower() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"  # of processes that this one starts, too
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def entry(main: Callable[[], int | None]) -> None:
    """What `python -m` of a command does: `main`, in UTF-8; exits with what it returns, or with a UserError's sentence.

    Where its module has no parser of its own (argparse, `benchmarks.options`), `--help` prints the docstring of that,
    and `main` is not called.
    """
    in_utf8()
    module = vars(sys.modules[main.__module__])
    if not {"argparse", "options"} & module.keys() and {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(f"{module['__doc__'].strip()}\n")
        return
    try:
        status = main()
    except UserError as error:
        sys.exit(str(error))
    sys.exit(status)
