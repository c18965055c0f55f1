"""What dvc.yaml and paper/dvc.yaml declare, held against what the stages' code says: DVC does not follow imports.

For each stage: the first-party modules that its script imports, transitively, have to be its code deps; the keys that
it asks of `load(...)` have to be its params, and each has to be read. `python -m tools.contract` prints what differs,
`--fix` writes the code deps into them (data deps, params and comments stay as they are).
"""

import ast
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FIRST_PARTY = ("pipeline", "stages")
DVC_FILES = (Path("dvc.yaml"), Path("paper/dvc.yaml"))


def imported_files(script: Path, root: Path = Path()) -> set[str]:
    """Paths of `script` and of all first-party modules that it imports, transitively, function-level imports included.

    Packages' `__init__.py` are left out: they hold a docstring alone (the contract test asserts it).
    """
    found: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name not in found:
            found.add(name)
            waiting += [root / f"{module.replace('.', '/')}.py" for module in _imports(path, root)]
    return found


def _imports(path: Path, root: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        modules |= {
            n for n in names if n.split(".")[0] in FIRST_PARTY and (root / f"{n.replace('.', '/')}.py").is_file()
        }
    return modules


def loaded_keys(script: Path) -> set[str]:
    """The keys that `script` passes to `pipeline.params.load`, all string literals."""
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
    """Whether a dep is first-party code."""
    return dep.endswith(".py") and dep.split("/")[0] in FIRST_PARTY


def differences(entry: dict[str, Any]) -> list[str]:
    """What is wrong with a stage's entry, one sentence each."""
    script = script_of(entry)
    declared, needed = {dep for dep in entry["deps"] if is_code(dep)}, imported_files(script)
    # Keys of another file (paper/params.yaml) are read by its own loader.
    params = {key for key in entry.get("params", []) if isinstance(key, str)}
    loaded, read = loaded_keys(script), read_keys(script)
    wrong = [f"{name} is imported and not in deps" for name in sorted(needed - declared)]
    wrong += [f"{name} is in deps and not imported" for name in sorted(declared - needed)]
    wrong += [f"{key} is read by load() and not in params" for key in sorted(loaded - params)]
    wrong += [f"{key} is in params and not read by load()" for key in sorted(params - loaded)]
    wrong += [f"{key} is loaded and never read" for key in sorted(loaded) if not _is_read(key, read)]
    return wrong


def _without_trailing_spaces(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _is_read(key: str, read: set[str]) -> bool:
    """Whether `key` is read by its name, or goes on with its whole section (`split = params.split`)."""
    section = key.split(".")[0]
    return key in read or (section in read and not any(name.startswith(f"{section}.") for name in read))


def main() -> int:
    """Print what differs; with --fix, write the code deps first."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    wrong = []
    for file in DVC_FILES:
        document = yaml.load(file)
        entries = {name: body(entry) for name, entry in document["stages"].items()}
        if "--fix" in sys.argv:
            for entry in entries.values():
                deps = entry["deps"]
                for index in reversed(range(len(deps))):
                    if is_code(deps[index]):
                        del deps[index]
                deps.extend(sorted(imported_files(script_of(entry))))
                deps.fa.set_flow_style()
            with file.open("w", encoding="utf-8") as stream:
                yaml.dump(document, stream, transform=_without_trailing_spaces)
        wrong += [f"{file}: {name}: {sentence}" for name, entry in entries.items() for sentence in differences(entry)]
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
