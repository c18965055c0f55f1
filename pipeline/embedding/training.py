"""Training: mini-batches, Adam, a validation each epoch, the best checkpoint; killed at any step, it goes on.

Everything random is drawn from (seed, epoch) or (seed, step), so a resumed run takes the same steps as an unbroken one
and ends with the same weights. Several processes take the steps of one, to rounding, and go on from its checkpoints.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.embedding.batches import Array, Batch, Posts, cut, shuffled
from pipeline.embedding.losses import PAIRS, Objective
from pipeline.embedding.model import MODALITIES, JointModel
from pipeline.embedding.optimizer import Adam, RowAdam
from pipeline.embedding.processes import ALONE, Processes
from pipeline.embedding.step import KeptTexts, StepLoss
from pipeline.running.errors import UserError
from pipeline.running.files import sealed_file, stands
from pipeline.running.machine import warn_if_slow
from pipeline.running.progress import bar
from pipeline.running.schema import Train

CHECKPOINT_EVERY = 30.0
"""Seconds between checkpoints."""
WEIGHTS = (0.0, 0.25, 0.5, 1.0)
"""What late fusion chooses from: the weight of a cosine of discriminants beside that of what is trained."""
EXPLODED = 10.0
"""A loss of so many times the first step's stops the run: the hinge loss of a sane start cannot reach that."""

log = logging.getLogger("train")

Validate = Callable[[JointModel], Mapping[str, float]]
"""mean_median_rank / candidates by task, of the tasks that have queries."""


@dataclass
class Run:
    """What a training went through: a row per epoch, and the epoch whose weights were kept, from 1; 0 is the start."""

    history: list[dict[str, float]] = field(default_factory=list)
    start: dict[str, float] = field(default_factory=dict)
    """What validation said before the first step, where the start is one to keep."""
    best_epoch: int = 0
    best: float = math.inf
    """The cumulative validation metric of the best epoch; infinite where validation has no query."""
    fusion: dict[str, float] = field(default_factory=dict)
    """The weights of what stands beside the trained model, if anything does."""

    def metrics(self) -> dict[str, Any]:
        """What to tell of it: the epochs, which one was kept, and what validation said of that one."""
        best = self.history[self.best_epoch - 1] if self.best_epoch else self.start
        said = {name.removeprefix("val_"): value for name, value in best.items() if name.startswith("val_")}
        fusion = {"late_fusion": self.fusion} if self.fusion else {}
        return {"epochs": len(self.history), "best_epoch": self.best_epoch, "validation": said, **fusion}


class Trainer:
    """One training of `model` on `posts`. Its encoders learn as far as the objective uses them, but for the `frozen`.

    `features` (m, D_I) are indexed by `posts.image`. `validate` measures after each epoch; the epoch with the least sum
    over the objective's tasks is kept, to which a task adds no more than its `chance`: above that it is not told from
    chance, so what it says of two epochs is noise, and has no say. With `keep_start` the model is kept as it starts,
    where no epoch is better. What stands beside the kept model gets the weights with the least sum.
    `folder` keeps the checkpoint. Of several `processes`, each has a trainer of the same model and posts; the first
    alone validates and writes.
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
        processes: Processes = ALONE,
        keep_start: bool = False,
        chance: Mapping[str, float] | None = None,
    ) -> None:
        self.processes, self.keep_start, self.chance = processes, keep_start, chance or {}
        self.model, self.posts, self.features = model, posts, features
        self.objective = objective.to(model.device)  # DistributedDataParallel takes one kind of device
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
        self.adam = Adam(self.weights)
        steps = settings.epochs * self.steps_per_epoch
        self.users = RowAdam(model.user_rows, steps) if "user" in learned else None
        self.words = RowAdam(model.word_rows, steps) if tune_words and "text" in learned else None
        self.loss: nn.Module = StepLoss(
            model, objective, settings.precision, processes, self._kept_texts(frozen, folder)
        )
        if processes.count > 1:
            # Tables, the buffers, start as those of the first process, and `take_step` moves them.
            self.loss = DistributedDataParallel(self.loss, forward_sync_buffers=False)
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
        self.model.fusion.zero_()  # what a training before has chosen
        if self.processes.first(lambda: stands(self.checkpoint)):
            self._resume()
        elif self.keep_start:
            self._keep_start()
        settings, total = self.settings, self.settings.epochs * len(self.rows)
        saved = time.monotonic()
        begun = self.step * len(self.rows) // self.steps_per_epoch
        with bar("train", "posts", total, initial=begun, shown=self.processes.own == 0) as shown:
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
        if self.model.shape.fused:
            self._weigh()
        return self.result

    def _kept_texts(self, frozen: Collection[str], folder: Path) -> KeptTexts | None:
        """Where to keep the texts' vectors, if the encoder is frozen, drops nothing, and is asked in further epochs."""
        shape, alone = self.model.shape, self.processes.count == 1
        if "text" not in frozen or shape.dropout or self.settings.epochs == 1 or not alone:
            return None
        return KeptTexts(self.rows, shape.dim, folder / "texts.npy")

    def _weigh(self) -> None:
        """Give what stands beside the trained model the weights that validate best, the least of equal ones: first
        sentences and images, then letters, as all three at once would be 64 validations.
        """
        names = ("sentences", "images", "letters")[: len(self.model.fusion)]
        best: tuple[float, ...] = ()
        for tried in (2, 1)[: len(names) - 1]:
            found = {}
            for more in product(WEIGHTS, repeat=tried):
                weights = (*best, *more)
                self.model.fusion.copy_(torch.tensor(weights + (0.0,) * (len(names) - len(weights))))
                found[weights] = self._validated().get("val_cumulative", math.inf), sum(weights)
            best = min(found, key=found.__getitem__)
        self.model.fusion.copy_(torch.tensor(best))
        self.result.fusion = dict(zip(names, best, strict=True))

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
            loss = self.take_step(cut(self.posts, self.features, rows, self.processes), rate)
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
        model, processes = self.model.train(), self.processes
        if model.shape.dropout or model.shape.image_dropout:
            torch.manual_seed(hash((self.seed, self.step)))
        rows = self.users.fetch(batch.users, self.step) if self.users else None
        words = self.words.fetch(batch.words, self.step) if self.words else None
        loss, parts = self.loss(batch.to(model.device), rows, words)
        for weight in self.weights:
            weight.grad = None
        if loss.requires_grad:
            # Times their number, as what is distributed takes the mean over processes, and the loss is their sum.
            (loss * processes.count if processes.count > 1 else loss).backward()
        self.adam.step(rate)
        for adam, leaf, at, times in (
            (self.users, rows, batch.users, self.settings.user_rate),
            (self.words, words, batch.words, 1.0),
        ):
            if adam is not None and leaf is not None:
                gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
                if processes.count > 1:
                    gradient = processes.sum(gradient) / processes.count
                adam.update(at, gradient, self.step, times * rate)
        if self.words is not None:
            model.word_rows[0] = 0  # the padding stays a vector of zeros
        total, *means = processes.sum(torch.stack([loss, *parts.values()]).detach()).tolist()
        for kind, mean in zip(parts, means, strict=True):
            self.sums[PAIRS.index(kind)] += torch.tensor([mean, 1.0])
        return float(total)

    def _end_epoch(self) -> None:
        for adam in (self.users, self.words):
            if adam is not None:
                adam.settle(self.step)
        self._agree()
        row: dict[str, float] = {"epoch": len(self.result.history) + 1}
        row |= {
            f"loss_{kind}": float(total / count) for kind, (total, count) in zip(PAIRS, self.sums, strict=True) if count
        }
        row |= self._validated()
        self.sums.zero_()
        self.result.history.append(row)
        # Without a query to choose by, the last epoch is kept.
        if row.get("val_cumulative", -math.inf) < self.result.best:
            self._keep(row)

    def _keep_start(self) -> None:
        self.result.start = self._validated()
        if "val_cumulative" in self.result.start:
            self._keep(self.result.start)

    def _validated(self) -> dict[str, float]:
        """What validation says of the model, by task, and the sum to choose by, if any task has a query."""
        shares, chance = self.processes.first(lambda: (self.validate(self.model.eval()), self.chance))
        watched = [min(shares[task], chance.get(task, math.inf)) for task in self.objective.tasks if task in shares]
        row = {f"val_{task}": share for task, share in shares.items()}
        return row | ({"val_cumulative": sum(watched)} if watched else {})

    def _keep(self, row: Mapping[str, float]) -> None:
        self.result.best = row.get("val_cumulative", math.inf)
        self.result.best_epoch = len(self.result.history)
        self.best_state = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.best_objective = {name: value.clone() for name, value in self.objective.state_dict().items()}

    def _agree(self) -> None:
        """Raises RuntimeError where the processes do not hold the same numbers, as each makes the step by itself."""
        own = [float(tensor.detach().double().sum()) for tensor in self.learned()]
        if own != self.processes.first(lambda: own):
            raise RuntimeError(f"the weights of process {self.processes.own} are not those of the first")

    def _save(self) -> None:
        if self.processes.own:
            return
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "objective": self.objective.state_dict(),
            "adam": self.adam.state(),
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
        self.adam.load(state["adam"])
        for name, adam in (("users", self.users), ("words", self.words)):
            if adam is not None:
                adam.load(state[name])
        self.best_state, self.best_objective = state["best_state"], state["best_objective"]
        self.result, self.step = Run(**state["result"]), state["step"]
        self.sums, self.first_loss = state["sums"].cpu(), state["first_loss"]
        log.info("going on after step %d of %d", self.step, self.settings.epochs * self.steps_per_epoch)


def _shown(row: Mapping[str, float]) -> str:
    return (
        f"epoch {row['epoch']}, val {row['val_cumulative']:.4f}" if "val_cumulative" in row else f"epoch {row['epoch']}"
    )
