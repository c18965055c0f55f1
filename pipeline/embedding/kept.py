"""What a frozen encoder gives, kept as it is first made: while another encoder learns from it, no step moves it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.embedding.batches import Array, Batch, mapped
from pipeline.embedding.rows import FileRows


class KeptTexts:
    """The vectors x^T (t, D) of the texts of the posts at `rows` (t,), ascending, in a file at `path`.

    A text has the same vector in each batch, to the bit, so a training that keeps them ends with the same weights.
    """

    def __init__(self, rows: Array, dim: int, path: Path) -> None:
        self._rows = rows
        mapped(path, np.dtype(np.float32), (len(rows), dim))
        self._vectors = FileRows(path, writable=True)
        self._made = np.zeros(len(rows), bool)

    def of(self, batch: Batch, encode: Callable[[], Tensor]) -> Tensor:
        """Those of a batch's texts; `encode` makes them, where one of them was not asked for before."""
        at = np.searchsorted(self._rows, batch.posts[batch.text_rows].cpu().numpy())
        if self._made[at].all():
            return torch.from_numpy(self._vectors[at]).to(batch.posts.device)
        found = encode()
        self._vectors[at], self._made[at] = found.detach().cpu().numpy(), True
        return found
