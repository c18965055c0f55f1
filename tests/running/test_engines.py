"""Engines: any of them gives the results of a plain loop, in order; few jobs ahead; errors as they were raised."""

import importlib.util
import time

import numpy as np
import pytest
from spread_work import damaged, refuses, scaled

from pipeline.running import engines
from pipeline.running.engines import in_order, spread
from pipeline.running.errors import Damaged, UserError

ENGINES = pytest.mark.parametrize(
    ("engine", "threads"), [("serial", False), ("joblib", False), ("joblib", True)], ids=["serial", "joblib", "threads"]
)


@ENGINES
def test_results_are_those_of_a_loop_in_order(monkeypatch, engine, threads):
    monkeypatch.setenv("ENGINE", engine)
    values = np.arange(5.0)
    found = list(spread(scaled, range(9), (values,), workers=2, threads=threads))
    np.testing.assert_array_equal(found, [values * job for job in range(9)])
    assert list(spread(scaled, [], (values,), workers=2, threads=threads)) == []


@ENGINES
def test_an_error_arrives_as_it_was_raised(monkeypatch, engine, threads):
    monkeypatch.setenv("ENGINE", engine)
    with pytest.raises(UserError, match=r"^posts.csv, row 3: no user\.$"):
        list(spread(refuses, range(9), workers=2, threads=threads))
    with pytest.raises(Damaged, match=r"^data/words is damaged \(cut off\)"):
        list(spread(damaged, range(2), workers=2, threads=threads))


def test_few_jobs_are_begun_before_their_results_are_taken():
    begun = []

    def submit(job):
        begun.append(job)
        return lambda: job

    taken = []
    for result in in_order(submit, range(50), lambda: 4):
        taken.append(result)
        assert len(begun) - len(taken) <= 4
    assert taken == begun == list(range(50))


def test_threads_work_side_by_side(monkeypatch):
    monkeypatch.setenv("ENGINE", "joblib")
    begun = time.perf_counter()
    list(spread(lambda job: time.sleep(0.2), range(4), workers=4, threads=True))
    assert time.perf_counter() - begun < 0.7


def test_another_engine_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("ENGINE", "spark")
    with pytest.raises(UserError, match=r"ENGINE is 'spark'.*serial, joblib, ray"):
        list(spread(refuses, range(2)))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("ENGINE", "ray")
    with pytest.raises(UserError, match="make cluster"):
        list(spread(refuses, range(2)))


def test_ray_s_client_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(UserError, match="host:port"):
        engines._connect(None)


def test_a_cluster_that_does_not_answer_is_told(monkeypatch):
    class Silent:
        @staticmethod
        def init(**_):
            raise ConnectionError("Failed to connect")

    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with pytest.raises(UserError, match=r"no Ray cluster answers at RAY_ADDRESS head:6379 \(Failed to connect\)"):
        engines._connect(Silent)
