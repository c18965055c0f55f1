"""Trainings to launch in one process or several: functions that a started process can import."""

import contextlib
import os
import signal

import numpy as np
import pyarrow as pa
import torch

from pipeline.embedding import training
from pipeline.embedding.batches import Posts, cut
from pipeline.embedding.losses import MergedObjective, Objective
from pipeline.embedding.model import JointModel
from pipeline.embedding.shape import Shape
from pipeline.embedding.training import Trainer
from pipeline.running.schema import Train

SETTINGS = {
    "margin": 0.2, "learning_rate": 0.01, "decay_every": 2, "decay_by": 10.0, "schedule": "steps", "user_rate": 2.0,
    "batch_size": 17, "epochs": 3, "patience": 3, "precision": "float32",
}  # fmt: skip
CASES = {
    "hinge": {},
    "hinge_both with dropout": {"loss": "hinge_both", "dropout": 0.3, "image_dropout": 0.2},
    "hinge_hardest": {"loss": "hinge_hardest"},
    "infonce, words tuned, their mean, dropout": {
        "loss": "infonce", "tune_words": True, "windows": (), "filters": (), "word_mean": True, "dropout": 0.4,
    },
    "convolutions, words tuned": {"tune_words": True},
    "sigmoid": {"loss": "sigmoid"},
    "sentences beside words, dropout": {"sentence": 6, "dropout": 0.2},
    "merged": {"merged": True, "loss": "infonce"},
    "frozen, one pair alone": {"frozen": ("text", "user"), "lambdas": (0.0, 1.0, 0.0)},
    "users of fewer numbers than the space, dropout": {"dim": 32, "dropout": 0.2, "batch_size": 60},
    "two posts a batch": {"batch_size": 2, "epochs": 1},
}  # fmt: skip


def posts_of(sentence, count=60, users=7, images=25, seed=0):
    """Users with several posts, posts with several pictures, pictures in several posts, copies, posts without text."""
    random = np.random.default_rng(seed)
    token = random.integers(1, 21, (count, 5)).astype(np.int32)
    token[np.arange(5) >= random.integers(0, 6, count)[:, None]] = 0
    held = random.choice(3, count, p=[0.4, 0.4, 0.2])
    held[token[:, 0] == 0] = np.maximum(1, held[token[:, 0] == 0])
    image = random.integers(0, images, held.sum()).astype(np.int32)
    ids = pa.chunked_array([[f"p{i:02}" for i in range(count)]])
    begin, user, features = np.append(0, np.cumsum(held)), random.integers(0, users, count), random.random((images, 6))
    said = random.normal(size=(count, sentence)) * (token[:, :1] > 0) if sentence else None
    return Posts(ids, user, begin, image, image // 2, token, said), features.astype(np.float32)


def trainer(folder, processes, lambdas=(0.1, 0.5, 0.4), loss="hinge", merged=False, frozen=(), tune_words=False,
            windows=(2, 3), filters=(6, 5), word_mean=False, dropout=0.0, image_dropout=0.0, sentence=0,
            dim=8, **changed):  # fmt: skip
    """The trainer of one of `processes`; validation tells something that depends on the weights."""
    # Numbers enough that dropout leaves a row more than one: of one alone the cosine has no gradient but for rounding,
    # and Adam's first steps are of full length whatever the gradient's.
    shape = Shape(dim=dim, image=6, word=16, text_length=5, windows=windows, filters=filters, dropout=dropout,
                  image_dropout=image_dropout, word_mean=word_mean, sentence=sentence)  # fmt: skip
    random = torch.Generator().manual_seed(5)
    words, users = (torch.randn(*size, generator=random) for size in ((20, 16), (7, shape.user)))
    model = JointModel(shape, words, users, seed=1)
    settings = Train(**{**SETTINGS, "loss": loss, **changed})
    objective = MergedObjective(loss, 0.2) if merged else Objective(lambdas, loss, 0.2)
    posts, features = posts_of(sentence)
    return Trainer(model, objective, posts, features, settings, 3, validate, folder, frozen, tune_words, processes)


def validate(model):
    return {"text_to_user": 1 + float(torch.sin(5 * model.image_projection.sum()).detach())}


def first_step(one):
    """The loss of the first batch, and all gradients that the step makes of it."""
    one.processes.first(lambda: None)
    rows = training.shuffled(one.rows, one.settings.batch_size, [one.seed, 0])[0]
    moved = {}
    for name, adam in (("users", one.users), ("words", one.words)):
        if adam is not None:

            def kept(at, gradient, step, rate, name=name, update=adam.update):
                moved[name] = torch.zeros_like(getattr(one, name).table).index_copy(0, at, gradient)
                update(at, gradient, step, rate)

            adam.update = kept
    loss = one.take_step(cut(one.posts, one.features, rows, one.processes), 0.01)
    return {"loss": torch.tensor(loss), **moved, **{f"weight {i}": w.grad.clone() for i, w in enumerate(one.weights)}}


def every_case(target, processes):
    """Of each case the first step and the whole training, and two trainings of `until`, to `target`/found.pt.

    One goes on from the checkpoint in `target`/theirs, if there is one; the other stops, and leaves one in `ours`.
    """
    found = {name: case_of(target / str(k), processes, case) for k, (name, case) in enumerate(CASES.items())}
    with contextlib.suppress(Enough):
        until(target / "ours", processes, stop=6)
    found["went on"] = until(target / "theirs", processes)
    if processes.own == 0:
        torch.save(found, target / "found.pt")


def case_of(folder, processes, case):
    processes.first(lambda: folder.mkdir(parents=True))
    step = first_step(trainer(folder, processes, **case))
    return {"step": step, **end_of(trainer(folder, processes, **case))}


def end_of(one):
    run = one.run()
    return {"history": run.history, "best": run.best_epoch,
            "end": {**one.model.state_dict(), **one.objective.state_dict()}}  # fmt: skip


class Enough(Exception):
    pass


def until(folder, processes, stop=None):
    """A training with a checkpoint after each step that ends at step `stop`, as if it were killed; None: to its end."""
    processes.first(lambda: folder.mkdir(exist_ok=True))
    one = trainer(folder, processes, loss="infonce", tune_words=True, dropout=0.3)
    take_step, before = one.take_step, training.CHECKPOINT_EVERY

    def dying(batch, rate):
        if one.step == stop:
            raise Enough
        return take_step(batch, rate)

    one.take_step, training.CHECKPOINT_EVERY = dying, 0.0
    try:
        return end_of(one)
    finally:
        training.CHECKPOINT_EVERY = before


def killed(processes):
    """One process is killed while the other waits for it."""
    if processes.own:
        os.kill(os.getpid(), signal.SIGKILL)
    processes.first(lambda: None)
    processes.sum(torch.zeros(1))
