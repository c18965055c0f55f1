"""Several processes train as one does: real ones, by gloo."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import pytest
import torch
from torch.distributed.launcher import api

from pipeline.embedding.losses import PAIRS
from pipeline.embedding.model import load
from pipeline.embedding.processes import ALONE, WANTED, Processes, launch
from pipeline.running.errors import UserError
from tests.embedding import several
from tests.made.topics import ROOT, small
from tests.processes.started import begin

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def found(request, tmp_path_factory):
    """several.every_case in one process and in several; and in one, what a checkpoint of several comes to."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("several")
    several.every_case(one, ALONE)
    (one / "ours").rename(other / "theirs")
    begin()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WANTED, str(request.param))
        temporary = tmp_path_factory.mktemp("temporary")
        patch.setattr("tempfile.tempdir", str(temporary))
        # Forked from a process that has torch, as `started` has them, they need not import it.
        patch.setattr(api, "LaunchConfig", partial(api.LaunchConfig, start_method="forkserver"))
        launch(partial(several.every_case, other))
        assert not list(temporary.iterdir())
    ends = [torch.load(folder / "found.pt") for folder in (one, other)]
    return *ends, several.until(other / "ours", ALONE)


def alike(one, other, **bounds):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, msg=lambda text, name=name: f"{name}: {text}", **bounds)


def same(one, other):
    assert one["best"] == other["best"]
    for row, other_row in zip(one["history"], other["history"], strict=True):
        assert row == pytest.approx(other_row, rel=1e-3, abs=1e-4)
    alike(one["end"], other["end"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", several.CASES)
def test_loss_gradients_and_weights_are_those_of_one_process(found, case):
    one, other = (ends[case] for ends in found[:2])
    # A gradient is a sum over the batch, in another order.
    alike(one["step"], other["step"], rtol=1e-4, atol=1e-6)
    assert any(value.abs().max() > 1e-3 for value in one["step"].values())
    same(one, other)


def test_a_checkpoint_goes_on_in_another_number_of_processes(found):
    one, other, back = found
    same(one["went on"], other["went on"])
    same(one["went on"], back)


@pytest.mark.slow
def test_a_killed_process_ends_the_others_with_a_sentence(monkeypatch):
    monkeypatch.setenv(WANTED, "2")
    with pytest.raises(UserError, match="process 1 of TRAIN_PROCESSES was ended by SIGKILL"):
        launch(several.killed)


@pytest.mark.parametrize("wanted", ["two", "0", "-1", "1.5"])
def test_a_number_that_is_none_is_refused(monkeypatch, wanted):
    monkeypatch.setenv(WANTED, wanted)
    with pytest.raises(UserError, match=f"TRAIN_PROCESSES is '{wanted}' in the environment"):
        launch(several.killed)


@pytest.mark.parametrize("total", [0, 1, 2, 7])
def test_parts_are_all_rows_in_order(total):
    parts = [Processes(3, own).part(total) for own in range(3)]
    assert [row for part in parts for row in range(total)[part.rows]] == list(range(total))
    assert max(len(range(total)[part.rows]) for part in parts) <= -(-total // 3)


@pytest.mark.slow
@pytest.mark.parametrize("machines", [1, 2])
def test_the_stage_in_two_processes_writes_what_it_writes_in_one(tmp_path, machines):
    found = []
    for count, hosts in ((1, 1), (2, machines)):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        small(folder)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), WANTED: f"{count}"}
        run_on(hosts, "train", folder, environment)
        assert [path.name for path in (folder / ".checkpoints/train").iterdir()] == ["lock"]
        rows = list(csv.DictReader((folder / "plots/training.csv").open()))
        assert load(folder / "data/model").model.shape.dim == 32
        found.append((json.loads((folder / "metrics/train.json").read_text()), rows))
    (told, rows), (other_told, other_rows) = found
    assert {**told, "validation": 0} == {**other_told, "validation": 0}
    # Rounding grows, as a margin is violated or not by a hair, until whole ranks of validation change.
    numbers = [[{k: float(v) for k, v in row.items()} for row in of] for of in (rows, other_rows)]
    assert numbers[0][0] == pytest.approx(numbers[1][0], rel=1e-3)
    losses = [[row[f"loss_{kind}"] for row in of for kind in PAIRS] for of in numbers]
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)


@pytest.mark.slow
def test_the_baselines_in_two_processes_rank_as_in_one(tmp_path):
    found = []
    for count in ("1", "2"):
        folder = tmp_path / count
        folder.mkdir()
        small(folder)
        run_on(1, "baselines", folder, {**os.environ, "PYTHONPATH": str(ROOT), WANTED: count})
        assert [path.name for path in (folder / ".checkpoints/baselines").iterdir()] == ["lock"]
        found.append(json.loads((folder / "metrics/baselines.json").read_text()))
    one, other = found
    assert {name: one[name] for name in ("avg_text", "avg_image")} == {n: other[n] for n in ("avg_text", "avg_image")}
    for method in ("bridging", "merged"):
        assert one[method]["joint_performance"] == pytest.approx(other[method]["joint_performance"], rel=0.05)
        assert one[method]["joint_performance"] < 1.5 / 2  # half of chance


@pytest.mark.slow
def test_the_other_machine_is_told_in_a_sentence_which_process_has_ended(tmp_path):
    small(tmp_path, epochs=1000)
    logs = [tmp_path / "first", tmp_path / "second"]
    with logs[0].open("w") as first, logs[1].open("w") as second:
        begun = begin_on(2, "train", tmp_path, {**os.environ, "PYTHONPATH": str(ROOT)}, (first, second))
    while "posts/s, epoch" not in logs[0].read_text():
        assert [one.poll() for one in begun] == [None, None], [log.read_text() for log in logs]
        time.sleep(0.2)
    (killed,) = subprocess.run(["pgrep", "-P", str(begun[1].pid)], capture_output=True, check=True).stdout.split()
    os.kill(int(killed), signal.SIGKILL)
    assert [one.wait() for one in begun] == [1, 1]
    first, second = (log.read_text() for log in logs)
    host = socket.gethostname()
    sentence = f"another process of the training has ended, or is out of reach, so all end: of 2, number 1 on {host}. "
    assert f"train: {sentence}" in first and f"traceback : {sentence}" in first and "gloo" not in first
    assert "SIGKILL" in second


def begin_on(machines, stage, folder, environment, logs=None):
    """A stage; of several machines as torchrun starts it on each, one process a machine, all here."""
    command = [sys.executable, "-m", f"stages.{stage}"]
    if machines > 1:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(machines), "--nproc-per-node", "1"]
        torchrun += ["--master-addr", "127.0.0.1", "--master-port", port]
        commands = [[*torchrun, "--node-rank", str(own), *command[1:]] for own in range(machines)]
    else:
        commands = [command]
    logs = logs or [None] * machines
    return [
        subprocess.Popen(one, cwd=folder, env=environment, stdout=log, stderr=log)
        for one, log in zip(commands, logs, strict=True)
    ]


def run_on(machines, stage, folder, environment):
    assert [one.wait() for one in begin_on(machines, stage, folder, environment)] == [0] * machines
