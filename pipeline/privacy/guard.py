"""Errors about people's own files, told without what these say.

A reader's error may quote what it found: an id, a line, a file's name. Where people have pseudonyms the sentence is
therefore written into the private folder, and the one on the screen, in logs and in DVC's says where.
"""

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.privacy.keys import private_folder, write_private
from pipeline.running.errors import UserError

LAST = "last-error.txt"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def guarded(active: bool = True) -> Iterator[None]:
    """Turn an error of the block into one that quotes nothing, where `active`; a full disk is told as it is."""
    try:
        yield
    except Exception as error:
        if not active or (isinstance(error, OSError) and error.errno in _DISK):
            raise
        text = str(error) if isinstance(error, UserError) else "".join(traceback.format_exception(error))
        place = private_folder() / LAST
        write_private(text + "\n", place)
        kind = "" if isinstance(error, UserError) else f" ({type(error).__name__})"
        raise UserError(
            f"your own files cannot be read{kind}. What is wrong may quote them and is, as corpus.pseudonyms is keyed, "
            f"written where only you can read it: {place}."
        ) from None
