"""What dvc.yaml and paper/dvc.yaml declare, held against what the stages' code says: DVC does not follow imports.

A stage's code deps are what its script imports, transitively:

- of the rooms in ROOMS the folder, since what stands there reruns together;
- of other rooms (pipeline/common, pipeline/tables, …) the files themselves;
- nothing of RUNNING, which cannot change a result: errors, progress, checkpoints, how a stage is started, and the
  schema of params, whose values DVC watches by themselves. `tests/tools/test_contract.py` holds the rule by which a
  module may stand there. The stage that checks params is the one whose work that schema is.

The keys that a script asks of `load(...)` have to be the stage's params, and each has to be read.
`python -m tools.contract` prints what differs; `--fix` writes the deps anew, data first, then code.
"""

import ast
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.running.utf8 import entry
from tools.rooms import imports

FIRST_PARTY = ("pipeline", "stages")
DVC_FILES = (Path("dvc.yaml"), Path("paper/dvc.yaml"))
ROOMS = tuple(
    f"pipeline/{room}"
    for room in (
        *("corpus", "exports", "pictures", "encoding", "ocr", "copies", "join", "text", "words", "split", "embedding"),
        *("ranking", "privacy", "report"),
    )
)
"""Rooms that are deps as a whole."""
RUNNING = ("pipeline/running", "stages/runner.py")
"""What no stage depends on."""
CHECKS_PARAMS = {"check_params": {"pipeline/running/params.py", "pipeline/running/schema.py"}}


def code_deps(script: Path) -> set[str]:
    """The code deps of the stage whose script is `script`: rooms and files, as the module docstring tells."""
    deps = set(CHECKS_PARAMS.get(script.stem, ()))
    for name in imported_files(script):
        if not _within(name, RUNNING):
            deps.add(next((room for room in ROOMS if _within(name, (room,))), name))
    return deps


def _within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


def imported_files(script: Path) -> set[str]:
    """Paths of `script` and of all first-party modules that it imports, transitively, function-level imports included.

    Packages' `__init__.py` are left out: they hold a docstring alone, but for that of `stages`, which imports of
    `pipeline/running` alone (the contract test asserts it).
    """
    found: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path.as_posix() not in found:
            found.add(path.as_posix())
            waiting += [file for name in imports(path) if (file := _file(name))]
    return found


def _file(name: str) -> Path | None:
    """The file of a first-party module, or of the one that holds what is so named; None of another name."""
    if name.split(".")[0] not in FIRST_PARTY:
        return None
    whole = Path(name.replace(".", "/"))
    return next((file for file in (whole.with_suffix(".py"), whole.parent.with_suffix(".py")) if file.is_file()), None)


def loaded_keys(script: Path) -> set[str]:
    """The keys that `script` passes to `pipeline.running.params.load`, all string literals."""
    return {
        str(ast.literal_eval(argument))
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load"
        for argument in node.args
    }


def read_keys(script: Path) -> set[str]:
    """Dotted names that `script` reads off `params`: `params.images.encoder` is images and images.encoder."""
    read: set[str] = set()
    tree = ast.parse(script.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id == "params" and parts:
            read |= {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    # The weights' property is a reading of the two keys that it is made of, as is the choice of a recipe.
    made_of = {"lambdas": {"lambda1", "lambda2"}, "by_recipe": {"recipe", "best"}}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return read.union(*(keys for name, keys in made_of.items() if name in called))


def body(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry itself, or what a `foreach` stage does for each item."""
    found: dict[str, Any] = entry.get("do", entry)
    return found


def script_of(entry: dict[str, Any]) -> Path:
    """The script of a stage: `python -m stages.split …` is stages/split.py."""
    words = str(entry["cmd"]).split()
    return Path(f"{words[words.index('-m') + 1].replace('.', '/')}.py")


def is_code(dep: str) -> bool:
    """Whether a dep is first-party code, a file or a room."""
    return dep.split("/")[0] in FIRST_PARTY


def differences(entry: dict[str, Any]) -> list[str]:
    """Where code and entry of a stage do not match, one sentence each."""
    script = script_of(entry)
    declared, needed = {dep for dep in entry["deps"] if is_code(dep)}, code_deps(script)
    # Keys of another file (paper/params.yaml) are read by its own loader.
    params = {key for key in entry.get("params", []) if isinstance(key, str)}
    loaded, read = loaded_keys(script), read_keys(script)
    wrong = [f"{name} is imported and not in deps" for name in sorted(needed - declared)]
    wrong += [f"{name} is in deps and not imported" for name in sorted(declared - needed)]
    wrong += [f"{key} is read by load() and not in params" for key in sorted(loaded - params)]
    wrong += [f"{key} is in params and not read by load()" for key in sorted(params - loaded)]
    wrong += [f"{key} is loaded and never read" for key in sorted(loaded) if not _is_read(key, read)]
    return wrong


def _is_read(key: str, read: set[str]) -> bool:
    """Whether `key` is read by its name, or goes on with its whole section (`split = params.split`)."""
    section = key.split(".")[0]
    return key in read or (section in read and not any(name.startswith(f"{section}.") for name in read))


def with_code_deps(text: str) -> str:
    """A dvc.yaml with the code deps of each stage as they have to be; what else stands there stays as it is."""
    stages = YAML(typ="safe", pure=True).load(text)["stages"]
    entries = iter(body(entry) for entry in stages.values())

    def deps(found: re.Match[str]) -> str:
        entry = next(entries)
        data = [dep if "$" not in dep else f"'{dep}'" for dep in entry["deps"] if not is_code(dep)]
        code = sorted(code_deps(script_of(entry)), key=lambda dep: (dep.startswith("stages"), dep.endswith(".py"), dep))
        indent = " " * (len(found[1]) + len("deps: ["))
        lines = [
            textwrap.fill(", ".join(names), 120, subsequent_indent=indent, initial_indent=indent,
                          break_long_words=False, break_on_hyphens=False)
            for names in (data, code)
        ]  # fmt: skip
        return f"{found[1]}deps: [" + ",\n".join(lines).lstrip() + "]"

    return re.sub(r"(?ms)^( +)deps: \[.*?\]$", deps, text)


def main() -> int:
    """Print what differs; with --fix, write the code deps first."""
    wrong = []
    for file in DVC_FILES:
        if "--fix" in sys.argv:
            file.write_text(with_code_deps(file.read_text(encoding="utf-8")), encoding="utf-8")
        stages = YAML(typ="safe", pure=True).load(file)["stages"]
        wrong += [f"{file}: {name}: {sentence}" for name, e in stages.items() for sentence in differences(body(e))]
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    return bool(wrong)


if __name__ == "__main__":
    entry(main)
