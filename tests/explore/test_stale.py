"""A page over tables that are not of its settings, or not of one run, says so; and one that is overtaken by a run."""

import os

import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from explore.stale import stale
from tests.explore.serving import serving

LOCK = """
schema: '2.0'
stages:
  text:
    outs: [{path: data/text, md5: aa}]
    params: {params.yaml: {seed: 0, text: {min: 1, names: [a, b]}}}
  train:
    deps: [{path: data/text, md5: aa}, {path: code.py, md5: cc}]
    params: {params.yaml: {train.rate: 0.5, text: {min: 1, names: [a, b]}}}
"""
PARAMS = "seed: 0\ntext: {min: 1, names: [a, b]}\ntrain: {rate: 0.5, more: 1}\n"


@pytest.mark.parametrize(
    ("lock", "params", "told"),
    [
        (LOCK, PARAMS, None),
        (LOCK, PARAMS.replace("more: 1", "more: 2"), None),  # which no stage read
        (LOCK, PARAMS.replace("seed: 0", "seed: 1").replace("[a, b]", "[a]"), "(seed, text.names)"),
        (LOCK, PARAMS.replace("rate: 0.5, ", ""), "(train.rate)"),
        (LOCK.replace("md5: aa}, {", "md5: old}, {"), PARAMS, "was made anew: train."),
        ("stages: [", PARAMS, None),
        ("", PARAMS, None),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, lock, params, told):
    (tmp_path / "dvc.lock").write_text(lock)
    (tmp_path / "params.yaml").write_text(params)
    found = stale(tmp_path)
    assert found is None if told is None else told in found


def test_where_nothing_is_locked_nothing_is_told(tmp_path):
    assert stale(tmp_path) is None


def test_while_a_run_makes_the_model_anew_the_page_about_it_says_so(run_copy):
    _, folder = run_copy
    with serving(folder) as served:
        (folder / "data/model").rename(folder / "taken")  # as DVC does before a stage runs
        status, _, page = served.get("/about")
        assert status == 422 and b"a run is making the model anew" in page and served.get("/users")[0] == 200


def test_pages_say_that_a_run_overtook_them(run_copy):
    _, folder = run_copy
    lock = folder / "dvc.lock"
    lock.unlink(missing_ok=True)
    lock.write_text("stages: {}")
    with serving(folder) as served:
        assert b"made anew since" not in served.get("/")[2]
        os.utime(lock, ns=(1, 1))
        for path in "/", "/search?q=tiger", "/nowhere":
            assert b"made anew since this server was started" in served.get(path)[2]
        served.json("/search.json?q=tiger")
