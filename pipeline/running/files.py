"""Atomic writes: a temporary name beside the target, then a rename. A half-written file or folder is never read.

What is kept for a rerun that may come after a crash is sealed besides: a sum of its bytes stands beside it, by which a
file that was cut off, overwritten or flipped is told from one that is as it was written.
"""

import glob
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("files")

_PIECE = 1 << 20


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it if the block ends well, removed if not."""
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place if the block ends well, and is removed if not."""
    _sweep(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.{os.getpid()}.", suffix=".tmp", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, path: Path) -> None:
    """Put folder `new` in the place of `path`; the old one, if any, is removed only when the new one stands."""
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.{os.getpid()}.", suffix=".tmp", dir=path.parent))
        path.rename(old / path.name)
        new.rename(path)
        shutil.rmtree(old)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.rename(path)


def _sweep(path: Path) -> None:
    """Make the folder of `path`, and remove what killed processes left of their writing there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = left.name[len(path.name) + 2 :].split(".")[0]
        if not (process.isdigit() and _runs(int(process))):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def write_text(text: str, path: Path) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def sealed_file(path: Path) -> Iterator[Path]:
    """As `atomic_file`, for a file that `stands` is asked about before it is read again."""
    with atomic_file(path) as temporary:
        yield temporary
        # The sum of the file in place stays until it is replaced: a kill in between costs neither.
        write_text("\n".join([*_sums(path)[-1:], digest(temporary)]), _seal(path))


def stands(path: Path) -> bool:
    """Whether `path` is there as `sealed_file` wrote it. What is there otherwise is removed, with a line in the log."""
    if not path.exists():
        return False
    if digest(path) in _sums(path):
        return True
    log.warning("%s is damaged or was not finished; it is made anew", path)
    path.unlink()
    return False


def digest(path: Path, *more: str) -> str:
    """A hash of the bytes of the file `path`, and of `more`."""
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16))
    for text in more:
        found.update(text.encode())
    return found.hexdigest()


def _seal(path: Path) -> Path:
    return path.with_name(f".{path.name}.sum")


def _sums(path: Path) -> list[str]:
    seal = _seal(path)
    return seal.read_text(encoding="latin-1").split() if seal.exists() else []


def allocate(path: Path) -> None:
    """Take the disk's space for all of the file `path`, which may have holes.

    Without, a write into a memory map of it ends the process where the disk is full (SIGBUS), without a word. Raises
    OSError with the file's name.
    """
    size = path.stat().st_size
    with path.open("r+b") as stream:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(stream.fileno(), 0, size)
            else:  # macOS: the file is new, and holds nothing yet but what is written over here as it is
                for begin in range(0, size, _PIECE):
                    stream.seek(begin)
                    piece = stream.read(_PIECE)
                    stream.seek(begin)
                    stream.write(piece)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
