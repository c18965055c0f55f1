"""dvc.yaml says what the code does: DVC does not follow imports, and would call a stale stage up to date."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.running.params import PARAMS
from pipeline.running.schema import Params
from tools import contract

ROOT = Path(__file__).parents[2]
STAGES, PAPER_STAGES = (
    {name: contract.body(entry) for name, entry in YAML(typ="safe", pure=True).load(ROOT / file)["stages"].items()}
    for file in contract.DVC_FILES
)
EVERY = STAGES | PAPER_STAGES


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("stage", EVERY)
def test_deps_and_params_of_a_stage_are_what_its_code_uses(stage):
    assert contract.differences(EVERY[stage]) == []


@pytest.mark.parametrize("stage", EVERY)
def test_each_stage_is_downstream_of_the_check_of_params_and_says_what_it_does(stage):
    entry = EVERY[stage]
    assert entry["desc"].endswith(".")
    assert stage == "check_params" or "data/checked" in entry["deps"]
    assert contract.script_of(entry) == Path(f"stages/{stage}.py")
    assert f'run("{stage}", main)' in Path(f"stages/{stage}.py").read_text()


def test_metrics_and_plots_stay_in_git_and_data_does_not():
    for entry in STAGES.values():
        for kind in ("metrics", "plots"):
            for out in entry.get(kind, []):
                ((path, options),) = out.items()
                assert Path(path).parts[0] == kind and options["cache"] is False
        assert all(
            Path(next(iter(o)) if isinstance(o, dict) else o).parts[0] in ("data", "report")
            for o in entry.get("outs", [])
        )
    for entry in PAPER_STAGES.values():
        for out in [*entry.get("metrics", []), *entry["outs"]]:
            path, cached = (out, True) if isinstance(out, str) else (next(iter(out)), False)
            assert entry["wdir"] == ".." and Path(path).parts[0] == ("data" if cached else "paper")


def test_every_key_of_params_is_used_by_some_stage():
    declared = {key for entry in STAGES.values() for key in entry.get("params", [])}

    def used(key, field):
        inner = getattr(field.annotation, "model_fields", {})
        return key in declared or (bool(inner) and all(used(f"{key}.{name}", inner[name]) for name in inner))

    unused = [key for key, field in Params.model_fields.items() if not used(key, field)]
    assert unused == [], f"no stage declares {unused} of {PARAMS}"


def test_packages_hold_a_docstring_alone_so_that_deps_need_not_list_them():
    # Two ask for something before libraries are loaded: no dep, as it tells how these run, not what they give.
    shares = ["from pipeline.running.machine import share_cores", "share_cores()"]
    asking = {
        "stages": ["import gc", "import sys", "from pipeline.running.arithmetic import settle", shares[0], "settle()",
                   shares[1], "if sys.argv[0] == '-m':\n    gc.disable()"],
        "explore": shares,
    }  # fmt: skip
    for package in contract.FIRST_PARTY:
        for init in (ROOT / package).rglob("__init__.py"):
            docstring, *code = ast.parse(init.read_text()).body
            assert isinstance(docstring, ast.Expr), init
            wanted = asking.get(init.relative_to(ROOT).parent.as_posix(), [])
            assert [ast.unparse(line) for line in code] == wanted, init


def test_an_import_within_a_function_of_a_helper_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/a.py").write_text("from pipeline import b\n")
    (tmp_path / "pipeline/b.py").write_text("def f():\n    import pipeline.c\n    from pipeline.c import g\n")
    (tmp_path / "pipeline/c.py").write_text("import json\n")
    assert contract.imported_files(Path("stages/a.py")) == {"stages/a.py", "pipeline/b.py", "pipeline/c.py"}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A stage that imports a module of a whole room, one of a room of files, and one that cannot change a result."""
    for name, code in {
        "stages/a.py": "from pipeline.text import join\nfrom pipeline.running import progress\n",
        "pipeline/text/join.py": "from pipeline.common import groups\n",
        "pipeline/text/other.py": "",
        "pipeline/common/groups.py": "",
        "pipeline/common/other.py": "",
        "pipeline/running/progress.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    return {
        "cmd": "python -m stages.a",
        "deps": ["data/x", "pipeline/text", "pipeline/common/groups.py", "stages/a.py"],
    }


def test_a_stage_depends_on_rooms_and_files_and_not_on_how_it_runs(made):
    assert contract.differences(made) == []
    assert contract.differences({**made, "deps": made["deps"][:-1]}) == ["stages/a.py is imported and not in deps"]
    extra = {**made, "deps": [*made["deps"], "pipeline/running/progress.py"]}
    assert contract.differences(extra) == ["pipeline/running/progress.py is in deps and not imported"]


def test_a_key_that_is_loaded_and_never_read_is_named(made):
    with Path("stages/a.py").open("a") as script:
        script.write('params = load("seed", "text", "words", "images.encoder")\n')
        script.write("words = params.words\nf(params.text.lemmas, params.images.encoder)\n")
    entry = {**made, "params": ["seed", "text", "words", "images.encoder"]}
    assert contract.differences(entry) == ["seed is loaded and never read"]


def test_fix_writes_the_code_deps_and_leaves_the_rest(made):
    before, after = "stages:\n  a:\n    cmd: python -m stages.a\n    # why\n", "    outs: [c]\n"
    text = f"{before}    deps: [data/x, '${{corpus.posts}}', pipeline/b.py]\n{after}"
    fixed = contract.with_code_deps(text)
    assert (
        "deps: [data/x, '${corpus.posts}',\n           pipeline/text, pipeline/common/groups.py, stages/a.py]\n"
        in fixed
    )
    assert fixed.startswith(before) and fixed.endswith(after)
    assert contract.with_code_deps(fixed) == fixed
