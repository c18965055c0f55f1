"""Which room may import which, and what may stand among the modules that no stage depends on."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tools import contract, rooms

ROOT = Path(__file__).parents[2]

# What passes work on and computes nothing of it. numpy: checkpoints store arrays as they are.
HARMLESS = {"joblib", "numpy", "pydantic", "ray", "ruamel", "tqdm"}


@pytest.fixture(scope="module")
def arrows():
    return rooms.arrows(ROOT)  # all modules read: not at collection, which each process of the tests does


@pytest.mark.parametrize("room", sorted(rooms.MAY_IMPORT))
def test_a_room_imports_only_what_it_may(arrows, room):
    assert arrows[room] <= rooms.allowed(room)


def test_the_rules_name_the_rooms_there_are_and_lead_in_no_circle(arrows):
    assert set(rooms.MAY_IMPORT) == set(arrows)
    placed: set[str] = set()
    while placed != set(arrows):
        floor = {room for room in set(arrows) - placed if rooms.allowed(room) - {room} <= placed}
        assert floor, f"a circle among {sorted(set(arrows) - placed)}"
        placed |= floor


def test_the_drawing_in_contributing_is_of_the_code_as_it_is():
    page = (ROOT / rooms.PAGE).read_text()
    assert page.partition(rooms.OPEN)[2].partition(rooms.CLOSE)[0] == rooms.drawing(ROOT), (
        "`python -m tools.rooms --fix` draws it anew"
    )


def test_no_room_imports_what_stands_above_the_rooms():
    above = {"stages", "tools", "benchmarks", "tests", "explore", "dvc"}
    for path in (ROOT / "pipeline").rglob("*.py"):
        assert not {module.split(".")[0] for module in rooms.imports(path)} & above, path


def test_what_no_stage_depends_on_computes_nothing():
    """The rule of contract.RUNNING: a module there imports no room, and no library that makes values of data."""
    files = [
        f
        for place in contract.RUNNING
        for f in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    for path in files:
        found = set(rooms.imports(path))
        assert all(
            ".".join(module.split(".")[:2]) == "pipeline.running" for module in found if module.startswith("pipeline.")
        )
        outside = {module.split(".")[0] for module in found} - set(sys.stdlib_module_names) - {"pipeline"}
        assert outside <= HARMLESS, f"{path} imports {outside - HARMLESS}"


def test_tests_stand_in_rooms_as_the_code_does():
    homes = {init.parent.relative_to(ROOT / "pipeline") for init in (ROOT / "pipeline").rglob("__init__.py")}
    homes |= {Path(name) for name in ("stages", "tools", "explore", "examples")}
    assert {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")} <= homes
    assert {path.name for path in (ROOT / "tests").glob("*.py")} == {"__init__.py", "conftest.py"}


def test_what_tests_share_is_imported_by_its_one_name():
    """A name without `tests.` is a second module of the same file, or, once files move, none."""
    found = {path: set(rooms.imports(path)) for path in (ROOT / "tests").rglob("*.py")}
    heads = {module.split(".")[0] for modules in found.values() for module in modules}
    assert {head for head in heads if importlib.util.find_spec(head) is None} <= {"ray"}  # of the extra `cluster`
    for path, modules in found.items():
        for module in (module for module in modules if module.startswith("tests.")):
            _, room, file, *_ = module.split(".")
            place = ROOT / "tests" / room / file
            assert place.is_dir() or place.with_suffix(".py").exists(), f"{path}: no {module}"
