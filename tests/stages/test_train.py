"""The stage `train` on made tables: what is planted is found again, and what is killed goes on to the same files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.embedding.losses import Objective
from pipeline.embedding.model import load as load_model
from pipeline.ranking import queries
from pipeline.ranking.queries import rank_queries
from pipeline.running.params import load
from pipeline.tables.images import FEATURES
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix, positions
from stages.inputs import Inputs
from tests.made.topics import ROOT, small

pytestmark = pytest.mark.usefixtures("one_thread")


def test_planted_topics_are_found_on_unseen_posts(tmp_path, monkeypatch):
    small(tmp_path)
    monkeypatch.chdir(tmp_path)
    params = load("seed", "lambda1", "lambda2", "model", "train")
    inputs = Inputs.read(tmp_path / "arrays", params.model)
    val, test = inputs.queries("val", tmp_path / "arrays"), inputs.queries("test", tmp_path / "arrays")
    trained = inputs.new_model(params.model, params.seed)
    trainer = inputs.trainer(trained, Objective(params.lambdas, "hinge", 0.2), params, val, tmp_path)
    assert trainer.chance == val.chance(trained.users) and trainer.chance["text_to_user"] < 0.4  # 12 users
    trainer.run()
    ranked = rank_queries(test, trained.model, trained.users)
    monkeypatch.setattr(queries, "AT_ONCE", 16)
    assert rank_queries(test, trained.model, trained.users) == ranked  # however many are asked with at a time
    # 12 users, 3 of each topic: the author is among the first 3, in any order, so 2 on average; chance is 6.5.
    for task in ("text_to_user", "image_to_user"):
        rows, left, candidates = ranked[task]
        assert candidates == 12 and sum(sum(reasons.values()) for reasons in left.values()) == 0
        assert rows["rank"].to_numpy().mean() < 2.4
    rows, _, candidates = ranked["image_to_text"]
    assert rows["rank"].to_numpy().mean() < 0.25 * candidates


def test_style_tells_users_apart_whose_topics_are_one_and_is_standardised_by_train_alone(tmp_path, monkeypatch):
    small(tmp_path, style=True)
    monkeypatch.chdir(tmp_path)
    params = load("seed", "lambda1", "lambda2", "model", "train")
    inputs = Inputs.read(tmp_path / "arrays", params.model)
    val, test = inputs.queries("val", tmp_path / "arrays"), inputs.queries("test", tmp_path / "arrays")
    trained = inputs.new_model(params.model, params.seed)
    style = FEATURES.read(Path("data/images/style"))
    of_train = CONTENT.read(Path("data/split/train"))["image_id"].drop_null()
    numbers = matrix(style["vector"]).astype(float)
    shown = numbers[positions(of_train, style["image_id"])]
    np.testing.assert_allclose(trained.model.style_mean, shown.mean(0), rtol=1e-5)
    np.testing.assert_allclose(trained.model.style_deviation, shown.std(0), rtol=1e-5)
    assert abs(numbers.mean(0) / shown.mean(0) - 1).max() > 1e-3
    inputs.trainer(trained, Objective(params.lambdas, "hinge", 0.2), params, val, tmp_path / "run").run()
    rows, _, _ = rank_queries(test, trained.model, trained.users)["image_to_user"]
    assert rows["rank"].to_numpy().mean() < 1.2  # by topics alone, 2


@pytest.mark.slow
def test_the_stage_killed_midway_goes_on_to_the_same_files(tmp_path):
    files = ["data/model/weights.safetensors", "data/model/users/part-00000.parquet", "plots/training.csv"]
    command = [
        sys.executable, "-c",
        "from pipeline.embedding import training; training.CHECKPOINT_EVERY = 0.0\n"
        "from stages import train, runner; runner.run('train', train.main)",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = {}
    for name, kills in (("whole", 0), ("killed", 3)):
        folder = tmp_path / name
        folder.mkdir()
        small(folder)
        for _ in range(kills):
            process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
            before = max((p.stat().st_mtime for p in folder.glob(".checkpoints/train/*/training.pt")), default=0.0)
            while process.poll() is None and not any(
                p.stat().st_mtime > before for p in folder.glob(".checkpoints/train/*/training.pt")
            ):
                time.sleep(0.01)
            time.sleep(0.2)
            process.send_signal(signal.SIGKILL)
            process.wait()
        subprocess.run(command, cwd=folder, env=environment, check=True)
        found[name] = [(folder / file).read_bytes() for file in files]
        assert json.loads((folder / "metrics/train.json").read_text())["users"] == 12
        assert load_model(folder / "data/model").model.shape.dim == 32
    assert found["whole"] == found["killed"]


def test_words_in_images_find_the_texts_that_say_the_same(tmp_path, monkeypatch):
    small(tmp_path, said=True)
    monkeypatch.chdir(tmp_path)
    params = load("seed", "lambda1", "lambda2", "model", "train")
    model = params.model.model_copy(update={"text_encoder": "sentence", "aligned": True})
    inputs = Inputs.read(tmp_path / "arrays", model)
    assert inputs.beside.said == 20 and inputs.features.shape[1] == 24 + 20
    test = inputs.queries("test", tmp_path / "arrays")
    trained = inputs.new_model(model, params.seed)
    rows = rank_queries(test, trained.model, trained.users)["image_to_text"][0].to_pandas()
    holds = rows["query_id"].str[1:].astype(int) % 2 == 1
    assert rows["rank"][holds].mean() < rows["rank"][~holds].mean() / 2  # before the first step
