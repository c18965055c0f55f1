"""The loop: exact lazy Adam, resume at any step, the best epoch, and what stops a run."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.embedding import training
from pipeline.embedding.batches import Posts, cut
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import JointModel
from pipeline.embedding.shape import Shape
from pipeline.embedding.training import Trainer
from pipeline.running.errors import UserError
from pipeline.running.schema import Train
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


def test_texts_of_a_frozen_encoder_are_encoded_once_and_training_ends_with_the_same_weights(tmp_path, monkeypatch):
    encoded, found = [], []
    whole = JointModel.text

    def counted(self, words, text, *rest):
        encoded.append(len(text))
        return whole(self, words, text, *rest)

    monkeypatch.setattr(JointModel, "text", counted)
    monkeypatch.setitem(globals(), "SHAPE", dataclasses.replace(SHAPE, dropout=0.0))
    for kept in (True, False):
        if not kept:
            monkeypatch.setattr(Trainer, "_kept_texts", lambda *_: None)
        bridging = trainer(tmp_path, frozen=("text", "user"), lambdas=(0.0, 1.0, 0.0))
        bridging.run()
        bridging.checkpoint.unlink()
        found.append((state(bridging), bridging.result.history, sum(encoded)))
        encoded.clear()
    (weights, history, few), (expected, told, many) = found
    for name, value in expected.items():  # a product rounds by the rows that are multiplied with it
        torch.testing.assert_close(weights[name], value, rtol=1e-5, atol=1e-6)
    for epoch, other in zip(history, told, strict=True):
        assert epoch == pytest.approx(other)
    assert few == len(bridging.rows) and many == 4 * few


@pytest.mark.parametrize("changed", [{"frozen": ()}, {"epochs": 1}])
def test_texts_that_change_or_are_asked_for_once_are_not_kept(tmp_path, changed, monkeypatch):
    asked = {"frozen": ("text", "user"), "lambdas": (0.0, 1.0, 0.0)}
    assert trainer(tmp_path, **asked).loss.kept is None  # of SHAPE, with dropout
    monkeypatch.setitem(globals(), "SHAPE", dataclasses.replace(SHAPE, dropout=0.0))
    assert trainer(tmp_path, **asked).loss.kept is not None
    assert trainer(tmp_path, **{**asked, **changed}).loss.kept is None


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
