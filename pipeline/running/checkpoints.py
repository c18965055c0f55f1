"""Folders in which long work keeps what is finished, so that a killed run goes on where it stopped.

`.checkpoints/<name>/<fingerprint>` holds finished shards or training checkpoints. The fingerprint covers everything
that the result depends on (the inputs' content, code, parameters, library versions, thread count), so that no work is
resumed that would give another result; a sum beside each part tells whether it is still as it was written, and a part
that is not is made anew. A lock keeps a process that outlived its killed parent from writing beside the
rerun.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.running.errors import UserError
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import cores

Arrays = tuple[np.ndarray[Any, Any], ...]
Keep = Callable[[str, Callable[[], Arrays]], Arrays]
"""Gives the arrays that a function makes, under a name: of `keep_in`, or `made` where nothing is to be kept."""

ROOT = Path(".checkpoints")
LIBRARIES = (
    "torch",
    "torchvision",
    "faiss-cpu",
    "gensim",
    "stanza",
    "numpy",
    "pyarrow",
    "pillow",
    "numba",
    "onnxruntime",
    "opencv-python-headless",
)


def fingerprint(inputs: Iterable[Path], facts: Mapping[str, object]) -> str:
    """A hash of the content of `inputs` (files or folders), of `facts`, library versions and thread count."""
    digest = hashlib.blake2b(digest_size=16)
    about = {"facts": facts, "versions": {name: version(name) for name in LIBRARIES}, "threads": cores()}
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    for path in sorted(inputs):
        # What is not there counts as nothing: a stage run by hand need not have what its corpus has no use for.
        for file in sorted(_files(path)) if path.is_dir() else [path] if path.exists() else []:
            digest.update(f"\0{file}\0".encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files below `folder`, as .dvcignore has DVC see them: Python's own caches are none."""
    return (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")


@contextmanager
def checkpoint_folder(name: str, print_of_work: str, root: Path = ROOT) -> Iterator[Path]:
    """The locked folder `root/name/print_of_work`. When the block ends well, all of `root/name` is removed.

    Raises UserError, naming the process, where another one holds the lock.
    """
    home = root / name
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(
                f"{name} is at work in process {lock.read().strip() or '?'}, perhaps left by a run that was killed; "
                "wait for it to end, or end it, and run again."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        folder = home / print_of_work
        folder.mkdir(exist_ok=True)
        yield folder
        for other in home.iterdir():
            if other.is_dir():
                shutil.rmtree(other)


def made(name: str, make: Callable[[], Arrays]) -> Arrays:
    """What `make` makes, kept nowhere."""
    return make()


def keep_in(folder: Path) -> Keep:
    """A function that makes each named piece of work once: what a killed run finished is read from `folder`."""
    folder.mkdir(parents=True, exist_ok=True)

    def keep(name: str, make: Callable[[], Arrays]) -> Arrays:
        path = folder / f"{name}.npz"
        if not stands(path):
            with sealed_file(path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, *make())
        with np.load(path) as held:
            return tuple(held[f"arr_{i}"] for i in range(len(held.files)))

    return keep
