"""A benchmark without its peers says in one sentence what to do, before it works."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import benchmarks
from tools import rooms

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
LOCKED = {line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
PEERS = set(EXTRAS["bench"]) - LOCKED
COMPARING = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if {module.split(".")[0] for module in rooms.imports(path)} & PEERS
]


@pytest.mark.parametrize("path", COMPARING, ids=lambda path: path.stem)
def test_a_benchmark_asks_for_the_peers_that_it_imports(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    asked = {
        ast.literal_eval(argument)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "need"
        for argument in call.args
    }
    assert asked == {module.split(".")[0] for module in rooms.imports(path)} & PEERS
    at_the_top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not {name.name.split(".")[0] for node in at_the_top for name in node.names} & PEERS


def test_without_a_peer_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/benchmarks/text_join.py"])
    with pytest.raises(SystemExit) as ended:
        benchmarks.need("json", "nosuchpeer")
    assert ended.value.code == (
        "text_join compares with nosuchpeer, not installed here: `make bench NAME=text_join` does both."
    )
    benchmarks.need("json")


def test_make_bench_knows_the_benchmarks_and_asks_for_a_name():
    done = subprocess.run(
        ["make", "--dry-run", "bench", "NAME=text_join", "ARGS=--posts 1000"], cwd=ROOT, capture_output=True, text=True
    )
    assert "python -m benchmarks.text_join --posts 1000" in done.stdout
    nameless = subprocess.run(["make", "--dry-run", "bench"], cwd=ROOT, capture_output=True, text=True)
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {"__init__"}
    (listed,) = [line for line in nameless.stdout.splitlines() if "one of:" in line]
    assert names <= set(listed.replace('"', " ").replace(";", " ").split())
