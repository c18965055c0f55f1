"""Adam, for weights and for rows that few steps touch: that of torch."""

import numpy as np
import pytest
import torch

from pipeline.embedding.optimizer import Adam, RowAdam
from tests.embedding.plain_adam import PlainAdam

pytestmark = pytest.mark.usefixtures("one_thread")


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
