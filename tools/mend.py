"""Remove what is damaged, so that `dvc repro` makes it anew: `python -m tools.mend`; with --lock, of dvc.lock alone.

Ends with a sentence where there is no Git repository, without which DVC does nothing.

- A dvc.lock that a kill left empty or half-written stops every DVC command. The one of HEAD takes its place: what ran
  since then is in DVC's run cache, and comes back with the same bytes. So does a half-written .dvc/tmp/rwlock, in which
  DVC notes who reads and writes what; it goes.
- An output whose bytes are not those of its hash. DVC takes what it once hashed for whole, and where data/ is linked to
  its cache, both are the same bytes; so it is the cache that is searched too.
- Bytecode that a full disk cut off: Python before 3.12.8 keeps it, and no later start gets past it (CPython 126606).
  With --lock, that of the project alone, which takes no time; else that of .venv too.
"""

import json
import marshal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

LOCKS = (Path("dvc.lock"), Path("paper/dvc.lock"))
HELD = Path(".dvc/tmp/rwlock")
CODE = ("pipeline", "stages", "explore", "tools", "benchmarks")
_HEAD = 16
"""Bytes of a file of bytecode before the code."""


def main() -> int:
    """Mend; tell what was."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(f"{__doc__}")
        return 0
    if hint := without_git(Path.cwd()):
        sys.exit(hint)
    told = [sentence for lock in LOCKS if lock.exists() for sentence in mend_lock(lock)]
    told += mend_held(HELD)
    told += mend_bytecode(CODE)
    if "--lock" not in sys.argv:
        told += mend_bytecode([".venv"])
        told += list(remove_damaged())
        told.append("Run `dvc repro`: it makes anew what is missing." if told else "Nothing is damaged.")
    sys.stdout.write("".join(f"{sentence}\n" for sentence in told))
    return 0


def without_git(folder: Path) -> str | None:
    """What to do where `folder` lies in no Git repository, as in a zip of one; None where DVC has what it needs."""
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        return None
    if any("no_scm = true" in config.read_text().lower() for config in folder.glob(".dvc/config*")):
        return None
    return (
        f"{folder} is no Git repository, which DVC needs; a zip of one, as sites offer it for download, is none.\n"
        "Run once: git init && git add --all && git commit --message 'as downloaded'"
    )


def mend_lock(lock: Path) -> Iterator[str]:
    """Put HEAD's in the place of `lock` where DVC cannot read it."""
    if _is_lock(lock.read_bytes()):
        return
    head = subprocess.run(["git", "show", f"HEAD:./{lock}"], capture_output=True, check=False)
    if head.returncode == 0 and _is_lock(head.stdout):
        lock.write_bytes(head.stdout)
        yield f"{lock} was damaged, as by a kill while DVC wrote it: the one of HEAD is put in its place."
    else:
        lock.unlink()
        yield f"{lock} was damaged, and Git has no sound one: it is removed."


def mend_held(held: Path) -> Iterator[str]:
    """Remove DVC's notes of who reads and writes what where DVC cannot read them."""
    try:
        json.loads(held.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        held.unlink()
        yield f"{held} was damaged, as by a kill while DVC wrote it: it is removed."


def mend_bytecode(folders: Iterable[str]) -> Iterator[str]:
    """Remove the files of bytecode in `folders` that end in the middle; Python makes them anew."""
    for folder in folders:
        for path in Path(folder).rglob("*.pyc"):
            try:
                marshal.loads(path.read_bytes()[_HEAD:])
            except (EOFError, ValueError, TypeError):
                path.unlink()
                yield f"{path} was cut off, as by a full disk: it is removed."


def _is_lock(content: bytes) -> bool:
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    if not content.endswith(b"\n"):  # cut off within a line, which may well be valid YAML
        return False
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content.decode()))
    except (Invalid, YAMLError, ValueError):
        return False
    return True


def remove_damaged() -> Iterator[str]:
    """Remove files of outputs, in the workspace and in the cache, that do not have their hash."""
    from dvc.repo import Repo

    with Repo() as repo, repo.lock:
        for out in repo.index.outs:
            if not (out.use_cache and out.hash_info):
                continue
            whole = Path(out.cache.oid_to_path(out.hash_info.value))
            held = list(_remove(whole, out.hash_info.value))
            here = [] if out.hash_info.isdir else list(_remove(Path(out.fs_path), out.hash_info.value))
            if out.hash_info.isdir and whole.exists():
                for key, _, part in out.get_obj():
                    held += _remove(Path(out.cache.oid_to_path(part.value)), part.value)
                    here += _remove(Path(out.fs_path, *key), part.value)
                if held:  # else the run cache would give the folder back without the file
                    whole.unlink()
            yield from (f"{out}: {path} was damaged, and is removed." for path in held + here)


def _remove(path: Path, oid: str) -> Iterator[Path]:
    """Remove `path` if it is there and its content has not the hash `oid`; yields what was removed."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        found: Any = file_digest(stream, "md5")
    if found.hexdigest() != oid.removesuffix(".dir"):
        path.unlink()
        yield path


if __name__ == "__main__":
    sys.exit(main())
