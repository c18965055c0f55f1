"""The loop: exact lazy Adam, resume at any step, the best epoch, and what stops a run."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from plain_adam import PlainAdam
from planted import small

from pipeline.embedding import training
from pipeline.embedding.batches import Posts, cut
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import JointModel
from pipeline.embedding.model import load as load_model
from pipeline.embedding.optimizer import Adam, RowAdam
from pipeline.embedding.shape import Shape
from pipeline.embedding.training import Trainer
from pipeline.ranking import queries
from pipeline.ranking.queries import rank_queries
from pipeline.running.errors import UserError
from pipeline.running.params import load
from pipeline.running.schema import Train
from pipeline.tables.images import FEATURES
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix, positions
from stages.inputs import Inputs
from stages.train import curves

ROOT = Path(__file__).parents[2]
SHAPE = Shape(dim=8, image=6, word=4, text_length=5, windows=(2, 3), filters=(6, 5), dropout=0.1)
SETTINGS = {
    "margin": 0.2, "loss": "hinge", "learning_rate": 0.01, "decay_every": 2, "decay_by": 10.0, "schedule": "steps",
    "user_rate": 1.0, "batch_size": 16, "epochs": 4, "patience": 4, "precision": "float32",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("one_thread")


def corpus(count=60, users=7, seed=0):
    random = np.random.default_rng(seed)
    tokens = random.integers(1, 21, (count, 5)).astype(np.int32)
    tokens[::5] = 0
    image = np.where(random.random(count) < 0.6, np.arange(count), -1)
    ids = pa.chunked_array([[f"p{i:02}" for i in range(count)]])
    return Posts.of_one(ids, random.integers(0, users, count), image, image, tokens), random.random(
        (count, 6), np.float32
    )


def trainer(
    folder, validate=lambda model: {}, frozen=(), tune_words=False, lambdas=(0.1, 0.5, 0.4), chance=None, **changed
):
    random = torch.Generator().manual_seed(5)
    model = JointModel(SHAPE, torch.randn(20, 4, generator=random), torch.randn(7, 4, generator=random), seed=1)
    settings = Train(**{**SETTINGS, **changed})
    objective = Objective(lambdas, settings.loss, settings.margin)
    posts, features = corpus()
    return Trainer(
        model, objective, posts, features, settings, 3, validate, folder, frozen=frozen, tune_words=tune_words,
        chance=chance,
    )  # fmt: skip


def state(trained):
    return {name: value.clone() for name, value in trained.model.state_dict().items()}


def weak(users=25, each=30, size=24):
    """Sentence vectors that tell little of their users, at unit length: (users, posts of each, numbers), and an aligned
    model whose users stand at the means of the first half of theirs.
    """
    random = torch.Generator().manual_seed(2)
    said = 0.5 * torch.randn(users, 1, size, generator=random) + torch.randn(users, each, size, generator=random)
    said = torch.nn.functional.normalize(said, dim=2)
    shape = Shape(dim=32, image=6, word=4, text_length=5, windows=(), filters=(), dropout=0.0, sentence=size)
    rows = torch.nn.functional.normalize(said[:, : each // 2].mean(1))
    return said, JointModel(shape, torch.randn(20, 4, generator=random), rows, seed=1, aligned=True)


@pytest.mark.parametrize("keep_start", [True, False])
def test_where_texts_tell_little_of_their_users_the_start_is_kept_and_finds_more(tmp_path, keep_start):
    said, model = weak()
    users, half = len(said), said.shape[1] // 2
    user = np.repeat(np.arange(users), half)
    none, ids = np.full(len(user), -1), pa.chunked_array([[f"p{i:03}" for i in range(len(user))]])
    told = said[:, :half].reshape(-1, said.shape[2]).numpy()
    posts = Posts.of_one(ids, user, none, none, np.zeros((len(user), 5), np.int32), told)

    def share(model, begin):
        """The mean rank of each text's user, of every second text held out from `begin` on, as a share of the users."""
        texts = said[:, half + begin :: 2].reshape(-1, said.shape[2])
        own, words = np.repeat(np.arange(users), len(texts) // users), torch.zeros(len(texts), 5, dtype=torch.long)
        with torch.no_grad():
            cosine = torch.nn.functional.normalize(model.text(torch.zeros(1, dtype=torch.long), words, None, texts))
            cosine = cosine @ torch.nn.functional.normalize(model.user(model.user_rows)).T
        return float((cosine > cosine[range(len(own)), own].unsqueeze(1)).sum(1).float().mean()) / users

    start = share(model, 1)
    settings = Train(**{**SETTINGS, "loss": "infonce", "learning_rate": 0.03, "batch_size": 50})
    run = Trainer(model, Objective((1, 0, 0), "infonce", 0.2), posts, np.zeros((1, 6), np.float32), settings, 3,
                  lambda model: {"text_to_user": share(model, 0)}, tmp_path, keep_start=keep_start).run()  # fmt: skip
    assert len(run.history) == 4 and start < 0.4
    assert (run.best_epoch == 0) == keep_start
    assert share(model, 1) == start if keep_start else share(model, 1) > 1.02 * start


@pytest.mark.parametrize("steps", [60, 900])
def test_adam_by_rows_is_dense_adam(steps):
    random = np.random.default_rng(0)
    start = torch.randn(40, 5)
    rows, dense = RowAdam(start.clone(), steps), start.clone().requires_grad_()
    adam = PlainAdam(dense)
    for step in range(1, steps + 1):
        rate = 0.01 / 10 ** (3 * step // steps)
        # Row 0 is touched at the first step alone, and fades; row 1 never; the first rows seldom, the others often.
        touched = np.unique(np.append(0, random.integers(2, 40, 6))) if step == 1 else random.choice(38, 6, False) + 2
        at = torch.from_numpy(np.sort(touched))
        gradient = torch.randn(len(at), 5) * 1e-3
        leaf = rows.fetch(at, step)
        torch.testing.assert_close(leaf.detach(), dense.detach()[at], rtol=1e-5, atol=1e-6)
        rows.update(at, gradient, step, rate)
        dense.grad = torch.zeros_like(dense).index_copy(0, at, gradient)
        adam.step(rate)
    rows.settle(steps)
    torch.testing.assert_close(rows.table, dense.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rows.table[1], start[1], rtol=0, atol=0)


def test_adam_is_that_of_torch_goes_on_as_it_was_and_takes_no_gradient_for_zeros():
    torch.manual_seed(1)  # by 0 the single number ends where it began
    start = [torch.randn(5, 3), torch.randn(7), torch.randn(())]
    ours, plain = ([weight.clone().requires_grad_() for weight in start] for _ in range(2))
    one, others = Adam(ours), [PlainAdam(weight) for weight in plain]
    for step in range(40):
        if step == 20:
            kept = {name: [value.clone() for value in values] for name, values in one.state().items()}
            (one := Adam(ours)).load(kept)
        rate = 0.01 / (1 + step // 10)
        for at, (weight, other) in enumerate(zip(ours, plain, strict=True)):
            gradient = torch.randn(weight.shape)
            if (step + at) % 3 == 0:
                gradient.zero_()
            other.grad = gradient
            weight.grad = None if (step + at) % 3 == 0 else gradient.clone()
        one.step(rate)
        for other in others:
            other.step(rate)
    for weight, other, begun in zip(ours, plain, start, strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-5, atol=1e-6)
        assert weight.ndim == 0 or (weight - begun).abs().mean() > 1e-3  # one number may end near where it began


def test_same_seed_same_weights_and_what_is_seen_is_learned(tmp_path):
    first, again = (trainer(tmp_path / name, epochs=15, decay_every=50) for name in "ab")
    for one in (first, again):
        one.checkpoint.parent.mkdir()
        history = one.run().history
    for name, value in state(first).items():
        torch.testing.assert_close(value, state(again)[name], rtol=0, atol=0)
    assert history[-1]["loss_image_user"] < 0.7 * history[0]["loss_image_user"]


def test_a_cosine_falls_from_the_rate_to_none_over_all_steps_and_users_rows_move_by_their_own(tmp_path):
    plain, faster = (trainer(tmp_path, schedule="cosine", user_rate=rate) for rate in (1.0, 3.0))
    start = plain.users.table.clone()
    for one in (plain, faster):
        one.take_step(cut(one.posts, one.features, one.rows), 0.01)
    moved, further = (one.users.table - start for one in (plain, faster))
    assert moved.abs().max() > 0.005  # Adam's first step is the rate, in every number
    torch.testing.assert_close(further, 3 * moved, rtol=1e-4, atol=1e-6)

    whole = trainer(tmp_path, schedule="cosine")
    whole.run()
    rates = whole.users.rates[1:].numpy()
    expected = 0.01 * (1 + np.cos(np.pi * np.arange(len(rates)) / len(rates))) / 2
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


TWICE = """
import tempfile
from pathlib import Path
import numpy as np, pyarrow as pa, torch
from pipeline.embedding.batches import Posts
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import JointModel
from pipeline.embedding.shape import Shape
from pipeline.running.schema import Train
from pipeline.embedding.training import Trainer

assert torch.get_num_threads() == 2
random, count = np.random.default_rng(0), 600
image = np.where(random.random(count) < 0.6, np.arange(count), -1)
posts = Posts.of_one(pa.chunked_array([[str(i) for i in range(count)]]), random.integers(0, 5, count), image, image,
                     random.integers(1, 300, (count, 12)).astype(np.int32))
features = random.random((count, 128), np.float32)
shape = Shape(dim=256, image=128, word=32, text_length=12, windows=(2, 3), filters=(96, 64), dropout=0.2)
words, users = torch.randn(300, 32), torch.randn(5, 32)
for loss, precision, epochs in (("hinge", "float32", 2), ("hinge", "bfloat16", 1), ("infonce", "float32", 2)):
    settings = Train(margin=0.2, loss=loss, learning_rate=0.01, decay_every=9, decay_by=10.0,
                     schedule="steps", user_rate=1.0, batch_size=300, epochs=epochs, patience=2, precision=precision)
    ends = []
    for _ in range(2):
        model = JointModel(shape, words, users, seed=1)
        with tempfile.TemporaryDirectory() as folder:
            Trainer(model, Objective((0.1, 0.5, 0.4), loss, 0.2), posts, features, settings, 3, lambda model: {},
                    Path(folder), tune_words=loss == "infonce").run()
        ends.append(model.state_dict())
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items()), (loss, precision)
"""


def test_same_seed_same_weights_also_with_two_threads():
    """In one epoch of bfloat16: emulated, it takes ten times as long."""
    two = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")
    patient = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # threads that spin cost minutes on a busy machine
    environment = {**os.environ, **two, **patient, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", TWICE], env=environment, check=True)


@pytest.mark.parametrize("changed", [{}, {"loss": "infonce", "tune_words": True}])
def test_stopped_at_any_step_a_run_ends_with_the_weights_of_an_unbroken_one(tmp_path, monkeypatch, changed):
    def validate(model):  # something that depends on the weights, so that the best epoch is one in the midst
        return {"text_to_user": float(torch.sin(1e3 * model.kernels.sum()).detach())}

    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 0.0)
    (tmp_path / "whole").mkdir()
    whole = trainer(tmp_path / "whole", validate, **changed)
    expected = whole.run()
    total = whole.step
    take_step = Trainer.take_step
    for stop in (1, whole.steps_per_epoch, whole.steps_per_epoch + 2, total - 1):
        folder = tmp_path / str(stop)
        folder.mkdir()

        def dying(self, batch, rate, stop=stop):
            if self.step == stop:
                raise KeyboardInterrupt
            return take_step(self, batch, rate)

        monkeypatch.setattr(Trainer, "take_step", dying)
        with pytest.raises(KeyboardInterrupt):
            trainer(folder, validate, **changed).run()
        monkeypatch.setattr(Trainer, "take_step", take_step)
        resumed = trainer(folder, validate, **changed)
        assert resumed.run() == expected
        for name, value in state(whole).items():
            torch.testing.assert_close(state(resumed)[name], value, rtol=0, atol=0)
        for one, other in zip(whole.objective.parameters(), resumed.objective.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_temperatures_of_the_best_epoch_are_kept_too(tmp_path):
    seen = []

    def validate(model):
        seen.append(one.objective.scale.detach().clone())
        return {"text_to_user": [0.5, 0.2, 0.3][len(seen) - 1]}

    one = trainer(tmp_path, validate, lambdas=(0.5, 0.0, 0.5), epochs=3, patience=3, loss="infonce")
    one.run()
    torch.testing.assert_close(one.objective.scale.detach(), seen[1], rtol=0, atol=0)
    assert not torch.equal(seen[1], seen[2])


def test_the_best_epoch_is_kept_and_patience_ends_the_run(tmp_path):
    seen = []

    def validate(model):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        # image_to_text has no weight here, so it has no say.
        return {"text_to_user": [0.5, 0.2, 0.3, 0.2, 0.4][len(seen) - 1], "image_to_text": 1 / len(seen)}

    one = trainer(tmp_path, validate, lambdas=(0.5, 0.0, 0.5), epochs=20, patience=3)
    found = one.run()
    assert (found.best_epoch, found.best, len(found.history)) == (2, 0.2, 5)
    for name, value in seen[1].items():
        torch.testing.assert_close(state(one)[name], value, rtol=0, atol=0)
    lines = curves(found).splitlines()
    assert lines[0].startswith("epoch,loss_text_user,loss_image_text,loss_image_user,val_text_to_user")
    assert len(lines) == 6 and lines[2].split(",")[2] == "" and lines[2].endswith(",0.2")


def test_a_task_at_chance_has_no_say_in_the_epoch_and_one_ahead_of_it_has(tmp_path):
    text, image = [0.36, 0.33, 0.35, 0.345], [0.48, 0.52, 0.46, 0.455]
    chosen = {}
    for bound in (1.0, 0.45, 0.457):
        seen = iter(zip(text, image, strict=True))

        def validate(model, seen=seen):
            return dict(zip(("text_to_user", "image_to_user"), next(seen), strict=True))

        chosen[bound] = trainer(
            tmp_path / str(bound), validate, lambdas=(0.5, 0.0, 0.5), chance={"image_to_user": bound}
        )
        chosen[bound].checkpoint.parent.mkdir()
        chosen[bound] = chosen[bound].run()
    assert chosen[1.0].best_epoch == 4
    assert chosen[0.45].best_epoch == 2 and chosen[0.45].best == pytest.approx(0.33 + 0.45)
    assert chosen[0.457].best_epoch == 2 and chosen[0.457].history[3]["val_cumulative"] == pytest.approx(0.345 + 0.455)
    assert chosen[0.45].history[1]["val_image_to_user"] == 0.52  # told as it is


def test_frozen_encoders_and_those_without_a_weight_stay_as_they_were(tmp_path):
    bridging = trainer(tmp_path, frozen=("text", "user"), lambdas=(0.0, 1.0, 0.0))
    before = state(bridging)
    bridging.run()
    moved = {name for name, value in state(bridging).items() if not torch.equal(value, before[name])}
    assert moved == {"image_projection"}


def test_words_are_tuned_on_demand_and_the_padding_stays_zero(tmp_path):
    tuned = trainer(tmp_path, tune_words=True)
    before = state(tuned)["word_rows"]
    tuned.run()
    after = state(tuned)["word_rows"]
    assert (after[0] == 0).all() and (after[1:] != before[1:]).any()


def test_a_loss_that_is_no_number_stops_with_the_step_and_the_posts(tmp_path):
    broken = trainer(tmp_path)
    broken.features[:] = np.inf
    with pytest.raises(UserError, match=r"loss is nan at step 1, epoch 1, .* posts p\d\d, p\d\d"):
        broken.run()


def test_an_exploding_loss_stops(tmp_path):
    with pytest.raises(UserError, match=r"loss is .* at step \d+, epoch"):
        trainer(tmp_path, loss="sigmoid", learning_rate=50.0, epochs=50, patience=50).run()


def test_out_of_memory_names_what_to_lower(tmp_path, monkeypatch):
    def no_room(self, batch, rate):
        torch.empty(1 << 60)

    monkeypatch.setattr(Trainer, "take_step", no_room)
    with pytest.raises(UserError, match=r"memory ran out .* train.batch_size 16 and model.text_length 5"):
        trainer(tmp_path).run()


def test_nothing_to_train_on_is_one_sentence(tmp_path):
    random = torch.Generator().manual_seed(5)
    model = JointModel(SHAPE, torch.randn(20, 4, generator=random), torch.randn(7, 4, generator=random), seed=1)
    posts, features = corpus()
    posts = dataclasses.replace(posts, begin=np.zeros_like(posts.begin))
    with pytest.raises(UserError, match="no post of train has the two modalities"):
        Trainer(
            model,
            Objective((0.0, 1.0, 0.0), "hinge", 0.2),
            posts,
            features,
            Train(**SETTINGS),
            3,
            lambda m: {},
            tmp_path,
        )


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
