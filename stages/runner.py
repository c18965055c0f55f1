"""What every stage does around its work: logging, one sentence instead of a traceback, what the run took.

Durations and memory go to `timings/<stage>.json`, which neither Git nor DVC keeps: they differ from run to run.
"""

import copy
import errno
import json
import logging
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pipeline.running.checkpoints import checkpoint_folder, fingerprint
from pipeline.running.engines import check, collect_again, rest, took
from pipeline.running.errors import UserError
from pipeline.running.files import write_text
from pipeline.running.utf8 import in_utf8

TIMINGS = Path("timings")
_CUT = re.compile(r"\d+ requested and \d+ written$")
"""What numpy says where a file takes no more, and nothing else."""


def run(stage: str, main: Callable[[], None]) -> None:
    """Run `main` as the stage `stage`; exits with status 1 and one sentence where the user can mend what is wrong."""
    collect_again()
    in_utf8()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Readable("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in ("gensim", "openTSNE"):
        logging.getLogger(library).setLevel(logging.WARNING)
    begun = time.perf_counter()
    try:
        check()
        main()
    except UserError as error:
        sys.exit(f"{stage}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{stage}: stopped by Ctrl-C; what is finished is kept, and the same command goes on from there.")
    except Exception as error:
        sentence = _about_disk(error)
        if sentence is None:
            raise
        sys.exit(f"{stage}: {sentence}")
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun started, the first
        _write_timing(stage, time.perf_counter() - begun)


class Readable(logging.Formatter):
    """Figures that are logged as a dict or list, as a reader wants them: no brackets, no sixteen digits."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging does it, but for the arguments."""
        record = copy.copy(record)
        if isinstance(record.args, Mapping):
            named = "%(" in str(record.msg)  # else one dict is the only argument, which logging takes out of its tuple
            record.args = record.args if named else (_told(record.args),)
        elif record.args:
            record.args = tuple(_told(one) if isinstance(one, Mapping | list) else one for one in record.args)
        return super().format(record)


def _told(value: object, inside: bool = False) -> str:
    if isinstance(value, Mapping | list | tuple):
        named = value.items() if isinstance(value, Mapping) else (("", one) for one in value)
        told = [f"{str(name).replace('_', ' ')} {_told(one, True)}".lstrip() for name, one in named]
        text = ", ".join(told) or "none"
        return f"({text})" if inside and len(told) > 1 else text
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if type(value) is int else str(value)


@contextmanager
def resumable(stage: str, home: Path = Path()) -> Iterator[Path]:
    """The checkpoint folder of this stage: its fingerprint covers all that its entry in `home`/dvc.yaml names."""
    inputs, facts = declared(stage, home)
    with checkpoint_folder(stage, fingerprint(inputs, facts)) as folder:
        yield folder


def declared(stage: str, home: Path = Path()) -> tuple[list[Path], dict[str, object]]:
    """The deps of `stage` in `home`/dvc.yaml, and the values of its params; `name@key` is one of a foreach stage."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")  # by libyaml, as DVC reads them
    read = cache(yaml.load)  # once, not for each key
    name, _, item = stage.partition("@")

    def value(key: str, file: str = "params.yaml") -> object:
        if key == "key" and item:
            return item
        found = read(Path(file))
        for part in key.split("."):
            found = found[part]
        return found

    def resolved(text: str) -> str:
        before, opened, rest = text.partition("${")
        key, _, after = rest.partition("}")
        return before + str(value(key.strip())) + resolved(after) if opened else text

    entry = read(home / "dvc.yaml")["stages"][name]
    entry = entry.get("do", entry)
    facts: dict[str, object] = {}
    for param in entry.get("params", []):
        for file, keys in param.items() if isinstance(param, dict) else [("params.yaml", [param])]:
            facts |= {key: value(key, file) for key in map(resolved, keys)}
    return [Path(resolved(dep)) for dep in entry.get("deps", [])], facts


def _about_disk(error: BaseException | None) -> str | None:
    """A sentence on a disk that is full or refuses, if that is what `error`, or what led to it, tells."""
    while error is not None and not (isinstance(error, OSError) and (error.errno or _CUT.match(str(error)))):
        error = error.__cause__ or error.__context__
    if error is None:
        return None
    if error.errno is None:
        return (
            f"no space is left, on the disk or by `ulimit -f` ({error}); what earlier stages made is whole, and "
            "finished shards are kept."
        )
    where = error.filename or "the disk"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        room = f"for {where}" if error.filename else "on the disk"
        return f"no space is left {room}; what earlier stages made is whole, and finished shards are kept."
    if error.errno == errno.EFBIG:
        return (
            f"{where} would be larger than its disk, or `ulimit -f`, lets a file be; what earlier stages made is "
            "whole, and finished shards are kept."
        )
    if error.errno in (errno.EACCES, errno.EPERM) and not _may_be_read(str(where)):
        return f"{where} may not be read ({os.strerror(error.errno)}): see its permissions, and its folder's."
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"{where} may not be written ({os.strerror(error.errno)}); what earlier stages made is whole."
    return None


def _may_be_read(where: str) -> bool:
    """Whether a place that was refused may be read, or could be made, so that it was writing that was refused."""
    missing = not os.path.lexists(where)
    return os.access(where, os.R_OK) or (missing and os.access(Path(where).parent, os.X_OK))


def _write_timing(stage: str, seconds: float) -> None:
    rest()  # what a process took is counted once it has ended
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    used = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime + took["elsewhere"]
    facts = {
        "wall_s": round(seconds, 2),
        "cpu_s": round(used, 2),
        # In KiB, but on macOS in bytes.
        "peak_mb": round(max(own.ru_maxrss, children.ru_maxrss) / (2**20 if sys.platform == "darwin" else 2**10)),
    }
    if took["spread"]:
        facts["spread_cpu_s"] = round(took["spread"], 2)
    write_text(json.dumps(facts, indent=2) + "\n", TIMINGS / f"{stage}.json")
