"""Adam as torch's loop over tensors has it: the reference beside which others stand.

By its function, as torch's class imports torch's compiler, for two seconds of each process.
"""

import torch
from torch.optim.adam import adam


class PlainAdam:
    """Adam on one `weight`, updated in place."""

    def __init__(self, weight):
        self.weight, self.mean, self.square = weight, torch.zeros_like(weight), torch.zeros_like(weight)
        self.steps = torch.tensor(0.0)

    @torch.no_grad()
    def step(self, rate):
        """One step by `weight.grad`."""
        adam(
            [self.weight], [self.weight.grad], [self.mean], [self.square], [], [self.steps], foreach=False,
            fused=False, amsgrad=False, beta1=0.9, beta2=0.999, lr=rate, weight_decay=0, eps=1e-8, maximize=False,
        )  # fmt: skip
