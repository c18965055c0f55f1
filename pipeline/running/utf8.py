"""How a command begins: paths and printing in UTF-8, whatever the locale says; help; an error in one sentence.

Python takes the encoding of paths and of the terminal from the locale. In one that is not UTF-8 (Latin-1 on older
servers, `LC_ALL=C` where Python is forbidden to mend it) a path of params.yaml is not found, and a word not printed.
"""

import errno
import os
import sys
from collections.abc import Callable

from pipeline.running.errors import UserError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of a disk that is full or refuses."""


def in_utf8() -> None:
    """Begin this process anew in Python's UTF-8 mode, if it is in another encoding. To be called before any work."""
    if not sys.flags.utf8_mode and sys.getfilesystemencoding().lower() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"  # of processes that this one starts, too
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def entry(main: Callable[[], int | None]) -> None:
    """What `python -m` of a command does: `main`, in UTF-8; exits with its status, or a sentence: a UserError's, or
    that a disk is full or refuses.

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
    except OSError as error:  # a stage tells more (stages.runner)
        if error.errno not in DISK:
            raise
        sys.exit(
            f"{error.filename or 'the disk'}: {os.strerror(error.errno)}; free some space, or see its permissions."
        )
    sys.exit(status)
