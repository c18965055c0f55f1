"""Engines: any of them gives the results of a plain loop, in order; few jobs ahead; errors as they were raised."""

import contextlib
import importlib.util
import socket
import threading
import time

import numpy as np
import psutil
import pytest

from pipeline.running import cluster, engines
from pipeline.running.engines import in_order, spread
from pipeline.running.errors import Damaged, UserError
from stages import runner
from tests.running.spread_work import collecting, damaged, refuses, scaled, worker

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


def test_workers_at_rest_are_gone_and_come_back(monkeypatch):
    monkeypatch.setenv("ENGINE", "joblib")
    first = set(spread(worker, range(4), workers=2))
    assert any(psutil.pid_exists(one) for one in first)  # joblib keeps them
    engines.rest()
    assert not any(psutil.pid_exists(one) for one in first)
    assert len(list(spread(worker, range(4), workers=2))) == 4


def test_a_worker_looks_for_garbage_but_not_in_what_it_loaded(monkeypatch):
    monkeypatch.setenv("ENGINE", "joblib")
    assert list(spread(collecting, range(4), workers=2)) == [(True, True)] * 4


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
    monkeypatch.setenv("CLUSTER_AFTER_S", "0")
    with pytest.raises(UserError, match="make cluster"):
        engines.check()
    with pytest.raises(UserError, match="make cluster"):
        list(spread(refuses, range(2)))


@pytest.mark.parametrize(
    ("address", "told"),
    [("ray://head:10001", "Ray's client.*host:port"), ("head", "expected host:port"), ("head:a", "expected host:port")],
)
def test_an_address_of_another_kind_is_refused(monkeypatch, address, told):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=f"RAY_ADDRESS is {address}.*{told}"):
        cluster._connect(None)


def test_an_address_where_nothing_answers_is_told_within_seconds(monkeypatch, listening):
    monkeypatch.setattr(cluster, "ANSWER_S", 0.3)
    monkeypatch.setenv("ENGINE", "ray")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    cases = {
        "localhost:1": "nothing answers at RAY_ADDRESS localhost:1 .*refused",
        "no-such-host.invalid:6379": "nothing answers at RAY_ADDRESS no-such-host.invalid:6379 .*ray start --head",
        listening(None): "nothing answers at .*timed out",
        listening(b"SSH-2.0-OpenSSH_9.2\r\n"): "no head of a Ray cluster",
        listening(b""): "no head of a Ray cluster",
    }
    begun = time.perf_counter()
    for address, told in cases.items():
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(UserError, match=told):
            engines.check()
    assert time.perf_counter() - begun < 30
    monkeypatch.setenv("RAY_ADDRESS", listening(b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\x10\0\0"))
    engines.check()


@pytest.fixture
def listening():
    """A function that gives the address of a server which greets with some bytes and hangs up, or is silent (None)."""
    servers, held = [], []

    def serve(server, greeting):
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                held.append(client)
                if greeting is not None:
                    client.recv(1 << 10)
                    client.sendall(greeting)
                    client.shutdown(socket.SHUT_WR)

    def listen(greeting):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=serve, args=(server, greeting), daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield listen
    for one in (*servers, *held):
        one.close()


def test_a_stage_of_less_than_a_minute_asks_no_cluster(monkeypatch):
    monkeypatch.setenv("ENGINE", "ray")
    monkeypatch.setenv("RAY_ADDRESS", "localhost:1")  # where nothing answers
    monkeypatch.setitem(engines.took, "here", 0.0)
    values = np.arange(5.0)
    for threads in (True, False):
        found = list(spread(scaled, iter(range(9)), (values,), workers=2, threads=threads))
        np.testing.assert_array_equal(found, [values * job for job in range(9)])
    assert 0 < engines.took["here"] < engines.AFTER_S
    monkeypatch.setitem(engines.took, "here", engines.AFTER_S)
    assert list(spread(scaled, [], (values,))) == []


def test_seconds_that_are_no_number_are_refused_before_work(monkeypatch):
    monkeypatch.setenv("ENGINE", "ray")
    monkeypatch.setenv("CLUSTER_AFTER_S", "1m")
    with pytest.raises(UserError, match=r"CLUSTER_AFTER_S is '1m'.*a number of seconds"):
        engines.check()


def test_an_address_without_the_engine_is_told_and_works_here(monkeypatch, caplog):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.delenv("ENGINE", raising=False)
    engines.check()
    assert "ENGINE is not: work stays on this machine; ENGINE=ray" in caplog.text
    caplog.clear()
    monkeypatch.setenv("ENGINE", "joblib")
    engines.check()
    assert not caplog.text


def test_a_stage_asks_for_its_engine_before_it_works(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGINE", "Ray")
    begun = []
    with pytest.raises(SystemExit, match=r"^split: ENGINE is 'Ray' in the environment; it has to be one of"):
        runner.run("split", lambda: begun.append(1))
    assert not begun


def test_a_cluster_that_does_not_answer_is_told(monkeypatch):
    class Silent:
        @staticmethod
        def init(**_):
            raise ConnectionError("Failed to connect")

    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setattr(cluster, "_reach", lambda address: None)
    with pytest.raises(UserError, match=r"no Ray cluster answers at RAY_ADDRESS head:6379 \(Failed to connect\)"):
        cluster._connect(Silent)
