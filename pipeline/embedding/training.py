"""Training: mini-batches, Adam, a validation each epoch, the best checkpoint; killed at any step, it goes on.

Everything random is drawn from (seed, epoch) or (seed, step), so a resumed run takes the same steps as an unbroken one
and ends with the same weights.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.embedding.batches import Array, Batch, Posts, cut, shuffled
from pipeline.embedding.losses import PAIRS, Encoded, Objective
from pipeline.embedding.model import MODALITIES, JointModel
from pipeline.embedding.optimizer import BETA1, BETA2, EPSILON, RowAdam
from pipeline.running.errors import UserError
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import warn_if_slow
from pipeline.running.params import Train
from pipeline.running.progress import bar

CHECKPOINT_EVERY = 30.0
"""Seconds between checkpoints."""
EXPLODED = 10.0
"""A loss of so many times the first step's stops the run: the hinge loss of a sane start cannot reach that."""

log = logging.getLogger("train")

Validate = Callable[[JointModel], Mapping[str, float]]
"""mean_median_rank / candidates by task, of the tasks that have queries."""


@dataclass
class Run:
    """What a training went through: a row per epoch, and the epoch (from 1) whose weights were kept."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: float = math.inf
    """The cumulative validation metric of the best epoch; infinite where validation has no query."""

    def metrics(self) -> dict[str, Any]:
        """What to tell of it: the epochs, which one was kept, and what validation said of that one."""
        best = self.history[self.best_epoch - 1]
        said = {name.removeprefix("val_"): value for name, value in best.items() if name.startswith("val_")}
        return {"epochs": len(self.history), "best_epoch": self.best_epoch, "validation": said}


class Trainer:
    """One training of `model` on `posts`. Its encoders learn as far as the objective uses them, but for the `frozen`.

    `features` (m, D_I) are indexed by `posts.image`. `validate` measures after each epoch; the epoch with the least sum
    over the objective's tasks is kept. `folder` keeps the checkpoint.
    """

    def __init__(
        self,
        model: JointModel,
        objective: Objective,
        posts: Posts,
        features: Array,
        settings: Train,
        seed: int,
        validate: Validate,
        folder: Path,
        frozen: Collection[str] = (),
        tune_words: bool = False,
    ) -> None:
        self.model, self.objective, self.posts, self.features = model, objective, posts, features
        self.settings, self.seed, self.validate = settings, seed, validate
        self.rows = objective.usable(posts)
        if not len(self.rows):
            raise UserError(
                "no post of train has the two modalities of a pair with a weight above 0: "
                "raise lambda1 or lambda2, or train on posts that have a text or an image."
            )
        if settings.precision == "bfloat16" and model.device.type == "cpu":
            one, other = torch.ones(1000, 300), torch.ones(300, 1000)
            low, lower = one.bfloat16(), other.bfloat16()
            warn_if_slow("train.precision bfloat16", lambda: low @ lower, lambda: one @ other)
        self.steps_per_epoch = len(shuffled(self.rows, settings.batch_size, [seed]))
        learned = [modality for modality in objective.modalities if modality not in frozen]
        for modality in MODALITIES:
            for weight in model.weights(modality):
                weight.requires_grad_(modality in learned)
        weights = [weight for modality in learned for weight in model.weights(modality)]
        self.weights = weights + list(objective.parameters())
        self.adam = torch.optim.Adam(
            self.weights, lr=settings.learning_rate, betas=(BETA1, BETA2), eps=EPSILON, fused=True
        )
        steps = settings.epochs * self.steps_per_epoch
        self.users = RowAdam(model.user_rows, steps) if "user" in learned else None
        self.words = RowAdam(model.word_rows, steps) if tune_words and "text" in learned else None
        self.checkpoint = folder / "training.pt"
        self.result = Run()
        self.step = 0
        self.sums = torch.zeros(len(PAIRS), 2, dtype=torch.float64)
        """Of the epoch so far, by kind of pair: the sum of mean losses, and the number of steps that had a pair."""
        self.first_loss = math.nan
        self.best_state: dict[str, Tensor] = {}
        self.best_objective: dict[str, Tensor] = {}

    def run(self) -> Run:
        """Train to the end, from the checkpoint if there is one; model and objective are left as at the best epoch."""
        if stands(self.checkpoint):
            self._resume()
        settings, total = self.settings, self.settings.epochs * len(self.rows)
        saved = time.monotonic()
        with bar("train", "posts", total, initial=self.step * len(self.rows) // self.steps_per_epoch) as shown:
            while not self._finished():
                epoch, at = divmod(self.step, self.steps_per_epoch)
                batches = shuffled(self.rows, settings.batch_size, [self.seed, epoch])
                for rows in batches[at:]:
                    self._guarded_step(rows, self._rate(epoch))
                    shown.update(len(rows))
                    if time.monotonic() - saved >= CHECKPOINT_EVERY and self.step % self.steps_per_epoch:
                        self._save()
                        saved = time.monotonic()
                self._end_epoch()
                shown.set_postfix_str(_shown(self.result.history[-1]), refresh=False)
                if time.monotonic() - saved >= CHECKPOINT_EVERY:
                    self._save()
                    saved = time.monotonic()
            self._save()
        self.model.load_state_dict(self.best_state)
        self.objective.load_state_dict(self.best_objective)
        return self.result

    def learned(self) -> list[Tensor]:
        """All tensors that training moves."""
        return [*self.weights, *(adam.table for adam in (self.users, self.words) if adam is not None)]

    def _rate(self, epoch: int) -> float:
        """The learning rate of the next step, in epoch `epoch` from 0."""
        settings = self.settings
        if settings.schedule == "cosine":
            done = self.step / (settings.epochs * self.steps_per_epoch)
            return settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
        return settings.learning_rate / settings.decay_by ** (epoch // settings.decay_every)

    def _finished(self) -> bool:
        run = len(self.result.history)
        return run >= self.settings.epochs or run - self.result.best_epoch >= self.settings.patience

    def _guarded_step(self, rows: Array, rate: float) -> None:
        try:
            loss = self.take_step(cut(self.posts, self.features, rows), rate)
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise UserError(
                f"memory ran out at step {self.step} with train.batch_size {self.settings.batch_size} and "
                f"model.text_length {self.model.shape.text_length}; lower one of them."
            ) from error
        if math.isnan(self.first_loss):
            self.first_loss = loss
        if not math.isfinite(loss) or loss > EXPLODED * max(self.first_loss, 1.0):
            ids = self.posts.ids.take(np.sort(rows)).to_pylist()
            raise UserError(
                f"the loss is {loss:g} at step {self.step}, epoch {len(self.result.history) + 1}, after "
                f"{self.first_loss:g} at the first step: lower train.learning_rate, or look at the image features and "
                f"words of this batch, the posts {', '.join(ids)}."
            )

    def take_step(self, batch: Batch, rate: float) -> float:
        """One step of Adam on `batch` at the learning rate `rate`; returns the loss before it."""
        self.step += 1
        model, objective = self.model.train(), self.objective
        if model.shape.dropout or model.shape.image_dropout:
            torch.manual_seed(hash((self.seed, self.step)))
        rows = self.users.fetch(batch.users, self.step) if self.users else None
        words = self.words.fetch(batch.words, self.step) if self.words else None
        moved = batch.to(model.device)
        encoded = encode(model, moved, objective.modalities, rows, words, self.settings.precision)
        loss, parts = objective(encoded, moved)
        self.adam.zero_grad()
        if loss.requires_grad:
            loss.backward()
        for weight in self.weights:  # a step without a gradient is still a step of Adam
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        for adam, leaf, at, times in (
            (self.users, rows, batch.users, self.settings.user_rate),
            (self.words, words, batch.words, 1.0),
        ):
            if adam is not None and leaf is not None:
                gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
                adam.update(at, gradient, self.step, times * rate)
        if self.words is not None:
            model.word_rows[0] = 0  # the padding stays a vector of zeros
        for k, kind in enumerate(PAIRS):
            if kind in parts:
                self.sums[k] += torch.tensor([float(parts[kind].detach()), 1.0])
        return float(loss.detach())

    def _end_epoch(self) -> None:
        for adam in (self.users, self.words):
            if adam is not None:
                adam.settle(self.step)
        shares = self.validate(self.model.eval())
        watched = [shares[task] for task in self.objective.tasks if task in shares]
        row: dict[str, float] = {"epoch": len(self.result.history) + 1}
        row |= {
            f"loss_{kind}": float(total / count) for kind, (total, count) in zip(PAIRS, self.sums, strict=True) if count
        }
        row |= {f"val_{task}": share for task, share in shares.items()}
        if watched:
            row["val_cumulative"] = sum(watched)
        self.sums.zero_()
        self.result.history.append(row)
        # Without a query to choose by, the last epoch is kept.
        if not watched or row["val_cumulative"] < self.result.best:
            self.result.best = row.get("val_cumulative", math.inf)
            self.result.best_epoch = len(self.result.history)
            self.best_state = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.best_objective = {name: value.clone() for name, value in self.objective.state_dict().items()}

    def _save(self) -> None:
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "objective": self.objective.state_dict(),
            "adam": self.adam.state_dict(),
            "users": self.users.state() if self.users else {},
            "words": self.words.state() if self.words else {},
            "best_state": self.best_state,
            "best_objective": self.best_objective,
            "result": vars(self.result),
            "step": self.step,
            "sums": self.sums,
            "first_loss": self.first_loss,
        }
        # To a stream, as its own writing of a path tells of a full disk in words of C++.
        with sealed_file(self.checkpoint) as temporary, temporary.open("wb") as stream:
            torch.save(state, stream)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.model.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.adam.load_state_dict(state["adam"])
        for name, adam in (("users", self.users), ("words", self.words)):
            if adam is not None:
                adam.load(state[name])
        self.best_state, self.best_objective = state["best_state"], state["best_objective"]
        self.result, self.step = Run(**state["result"]), state["step"]
        self.sums, self.first_loss = state["sums"].cpu(), state["first_loss"]
        log.info("going on after step %d of %d", self.step, self.settings.epochs * self.steps_per_epoch)


def encode(
    model: JointModel,
    batch: Batch,
    modalities: Collection[str],
    rows: Tensor | None = None,
    words: Tensor | None = None,
    precision: str = "float32",
) -> Encoded:
    """The batch's texts, images and users as far as `modalities` asks; only posts that have a modality are encoded.

    `rows` (r, D_u) and `words` (u, D_w) take the places of the model's own, where these are being trained.
    """
    with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        text = image = user = None
        if "text" in modalities:
            text = model.text(batch.words, batch.text, words, batch.sentence)
        if "image" in modalities:
            image = model.image(batch.features)
        if "user" in modalities:
            users = model.user(model.user_rows[batch.users] if rows is None else rows)
            # Not users[batch.user], whose gradient torch adds up on a CPU in an order that differs from run to run.
            user = F.embedding(batch.user, users)
    return Encoded(text, image, user)


def _shown(row: Mapping[str, float]) -> str:
    return (
        f"epoch {row['epoch']}, val {row['val_cumulative']:.4f}" if "val_cumulative" in row else f"epoch {row['epoch']}"
    )
