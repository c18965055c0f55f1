"""Adam, for weights that every step touches, and for tables of which it touches few rows.

For tables the result is that of dense Adam, at the cost of the touched rows. Dense Adam moves every row at every step,
also one without a gradient, as its moments fade. Here a row's missed steps are made up for when it is next needed, one
by one, in the cache. This is the same arithmetic in the same order, so the same numbers; torch's SparseAdam leaves the
missed steps out and is another optimiser.
"""

import math
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam

Array = np.ndarray[Any, np.dtype[Any]]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
# After so many missed steps a row's mean gradient has faded to 1e-14 of itself: it stands still.
FADED = 300


class Adam:
    """Adam on `weights`, by torch's fused function: torch's class, to do the same, imports its compiler for seconds."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = list(weights)
        self.means, self.squares = ([torch.zeros_like(weight) for weight in self.weights] for _ in range(2))
        self.steps = [torch.zeros((), device=weight.device) for weight in self.weights]
        """Steps taken, of each weight: the same number, where torch reads it."""

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step at the learning rate `rate`, by the weights' `grad`; one without a gradient is a step with zeros."""
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        adam(
            self.weights, gradients, self.means, self.squares, [], self.steps, fused=True, amsgrad=False, beta1=BETA1,
            beta2=BETA2, lr=rate, weight_decay=0, eps=EPSILON, maximize=False,
        )  # fmt: skip

    def state(self) -> dict[str, list[Tensor]]:
        """All that a checkpoint has to keep, besides the weights."""
        return {"means": self.means, "squares": self.squares, "steps": self.steps}

    def load(self, state: dict[str, list[Tensor]]) -> None:
        """Take up what `state` gave."""
        for name, values in self.state().items():
            for value, kept in zip(values, state[name], strict=True):
                value.copy_(kept)


class RowAdam:
    """Adam on the rows of `table` (n, d), updated in place. `steps` is the most steps there will be.

    A step is: `fetch` the rows, compute with them, `update` them with their gradient. `settle` before the table is
    read as a whole.
    """

    def __init__(self, table: Tensor, steps: int) -> None:
        self.table = table
        self.mean, self.square = torch.zeros_like(table), torch.zeros_like(table)
        self.last = torch.zeros(len(table), dtype=torch.int64)
        self.rates = torch.zeros(steps + 1)
        """The learning rate of each step taken, from step 1 on."""
        step = np.arange(1, steps + 1)
        self._correct1 = np.append(1.0, 1 - BETA1**step).astype(np.float32)
        self._correct2 = np.append(1.0, np.sqrt(1 - BETA2**step)).astype(np.float32)

    def fetch(self, rows: Tensor, step: int) -> Tensor:
        """The distinct `rows` (r,) as they stand before step `step`: a leaf (r, d) that takes a gradient."""
        self._catch_up(rows, step - 1)
        return self.table[rows.to(self.table.device)].requires_grad_()

    def update(self, rows: Tensor, gradient: Tensor, step: int, rate: float) -> None:
        """Step `step` of the fetched `rows`, with their `gradient` (r, d)."""
        self.rates[step] = rate
        if self.table.is_cuda:
            return self._dense(rows.to(self.table.device), gradient, step, rate)
        _step(
            self.table.numpy(), self.mean.numpy(), self.square.numpy(), self.last.numpy(), rows.numpy(),
            gradient.contiguous().numpy(), step, rate / float(self._correct1[step]), float(self._correct2[step]),
        )  # fmt: skip
        return None

    def settle(self, step: int) -> None:
        """Bring every row to where it stands after step `step`."""
        self._catch_up(torch.arange(len(self.table)), step)

    def state(self) -> dict[str, Tensor]:
        """All that a checkpoint has to keep, besides the table."""
        return {"mean": self.mean, "square": self.square, "last": self.last, "rates": self.rates}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        for name, value in self.state().items():
            value.copy_(state[name])

    def _catch_up(self, rows: Tensor, step: int) -> None:
        if not self.table.is_cuda:
            _fade(
                self.table.numpy(), self.mean.numpy(), self.square.numpy(), self.last.numpy(), rows.numpy(), step,
                self.rates.numpy(), self._correct1, self._correct2,
            )  # fmt: skip

    def _dense(self, rows: Tensor, gradient: Tensor, step: int, rate: float) -> None:
        """The same on a GPU, where a dense step costs less than to look for rows."""
        self.mean.mul_(BETA1).index_add_(0, rows, gradient, alpha=1 - BETA1)
        self.square.mul_(BETA2).index_add_(0, rows, gradient.square(), alpha=1 - BETA2)
        spread = self.square.sqrt().div_(math.sqrt(1 - BETA2**step)).add_(EPSILON)
        self.table.addcdiv_(self.mean, spread, value=-rate / (1 - BETA1**step))


_B1, _B2, _EPS = np.float32(BETA1), np.float32(BETA2), np.float32(EPSILON)
_REST1, _REST2 = np.float32(1 - BETA1), np.float32(1 - BETA2)


@numba.njit(parallel=True, cache=True)  # type: ignore[misc]
def _fade(
    table: Array, mean: Array, square: Array, last: Array, rows: Array, step: int, rates: Array, correct1: Array,
    correct2: Array,
) -> None:  # fmt: skip
    """Steps without a gradient for `rows`, from each row's last one to `step`."""
    for i in numba.prange(rows.size):
        row = rows[i]
        begin = last[row]
        if begin > 0:  # a row never touched has no moments, and stands still
            p, m, v = table[row], mean[row], square[row]
            for t in range(begin + 1, min(step, begin + FADED) + 1):
                rate, correct = rates[t] / correct1[t], correct2[t]
                for j in range(p.size):
                    m[j] *= _B1
                    v[j] *= _B2
                    p[j] -= rate * m[j] / (np.sqrt(v[j]) / correct + _EPS)
            rest = step - begin - FADED
            if rest > 0:
                for j in range(p.size):
                    m[j] *= _B1**rest
                    v[j] *= _B2**rest
            last[row] = max(begin, step)


@numba.njit(parallel=True, cache=True)  # type: ignore[misc]
def _step(
    table: Array, mean: Array, square: Array, last: Array, rows: Array, gradient: Array, step: int, rate: float,
    correct: float,
) -> None:  # fmt: skip
    """One step of Adam for `rows` with their gradients."""
    size, spread = np.float32(rate), np.float32(correct)
    for i in numba.prange(rows.size):
        row = rows[i]
        p, m, v, g = table[row], mean[row], square[row], gradient[i]
        for j in range(p.size):
            m[j] = _B1 * m[j] + _REST1 * g[j]
            v[j] = _B2 * v[j] + _REST2 * g[j] * g[j]
            p[j] -= size * m[j] / (np.sqrt(v[j]) / spread + _EPS)
        last[row] = step
