"""Are the tables those of params.yaml as it is, and of one run? Told by dvc.lock beside them; no table is read."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

TOLD = 3
"""Keys, or stages, that are named."""


def watch(home: Path) -> Callable[[], str | None]:
    """What tells, as long as a server runs, whether the tables still are those that it began with, and of one run."""
    path, begun = home / "dvc.lock", stale(home)

    def changed() -> int:
        return path.stat().st_mtime_ns if path.exists() else 0

    first = changed()
    anew = "the tables were made anew since this server was started: end it by Ctrl-C and start it again."
    return lambda: anew if changed() != first else begun


def stale(home: Path) -> str | None:
    """A sentence that says what does not fit, and what to do; None where all fits or there is no dvc.lock."""
    try:
        lock, params = (YAML(typ="safe").load(home / name) for name in ("dvc.lock", "params.yaml"))
    except (OSError, YAMLError):
        return None
    stages = lock.get("stages", {}) if isinstance(lock, Mapping) else {}
    if changed := sorted({key for stage in stages.values() for key in _changed(stage, params)}):
        return (
            f"params.yaml is not what the tables were made with ({_few(changed)}): `dvc repro` makes them anew. "
            "Questions are read as it says now."
        )
    made = {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", ())}
    older = [
        name
        for name, stage in stages.items()
        if any(dep["path"] in made and made[dep["path"]] != dep.get("md5") for dep in stage.get("deps", ()))
    ]
    if older:
        return (
            f"the tables are of two runs, as what these stages read was made anew: {_few(older)}. `dvc repro` goes on."
        )
    return None


def _changed(stage: Mapping[str, Any], params: Any) -> Iterator[str]:
    """The keys of params.yaml that had another value when the stage ran."""
    for key, value in stage.get("params", {}).get("params.yaml", {}).items():
        held = params
        for part in key.split("."):
            held = held.get(part) if isinstance(held, Mapping) else None
        if held != value:
            yield from _within(key, value, held)


def _within(key: str, was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for name in [*was, *(name for name in now if name not in was)]:
            if was.get(name) != now.get(name):
                yield from _within(f"{key}.{name}", was.get(name), now.get(name))
    else:
        yield key


def _few(names: list[str]) -> str:
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return ", ".join(names[:TOLD]) + more
