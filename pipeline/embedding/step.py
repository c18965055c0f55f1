"""What a step of training computes: the vectors of a batch, and its loss."""

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.embedding.batches import Array, Batch, mapped
from pipeline.embedding.losses import Encoded, Objective
from pipeline.embedding.model import JointModel
from pipeline.embedding.processes import ALONE, Processes
from pipeline.embedding.rows import FileRows


class KeptTexts:
    """What a frozen encoder gives, kept as it is first made: while another learns from it, no step moves it.

    The vectors x^T (t, D) of the texts of the posts at `rows` (t,), ascending, are in a file at `path`. A text has the
    same vector in each batch, to the bit, so a training that keeps them ends with the same weights.
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


class StepLoss(nn.Module):
    """What a step has a gradient of, as one module: that is what DistributedDataParallel takes."""

    def __init__(
        self, model: JointModel, objective: Objective, precision: str, processes: Processes, kept: KeptTexts | None
    ) -> None:
        super().__init__()
        self.model, self.objective, self.precision, self.processes = model, objective, precision, processes
        self.kept = kept

    def forward(self, batch: Batch, rows: Tensor | None, words: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """What this process adds to the loss of `batch`, and to its means by kind of pair."""
        asked = self.objective.modalities
        encoded = encode(self.model, batch, asked, rows, words, self.precision, self.processes, self.kept)
        loss, means = self.objective(encoded, batch, self.processes)
        if self.processes.count > 1:
            # A batch may lack a pair; DistributedDataParallel wants a gradient, if of zeros, of every weight.
            loss = loss + sum(weight.sum() * 0 for weight in self.parameters() if weight.requires_grad)
        return loss, means


def encode(
    model: JointModel,
    batch: Batch,
    modalities: Collection[str],
    rows: Tensor | None = None,
    words: Tensor | None = None,
    precision: str = "float32",
    processes: Processes = ALONE,
    kept: KeptTexts | None = None,
) -> Encoded:
    """The batch's texts, images and users as far as `modalities` asks; only posts that have a modality are encoded.

    `rows` (r, D_u) and `words` (u, D_w) take the places of the model's own, where these are being trained. Each of
    several `processes` encodes its part, and has the vectors of all. Texts that are `kept` are not encoded anew.
    """

    def texts() -> Tensor:
        part = processes.part(len(batch.text))
        own_words, own_text, vectors = _texts(batch, words, processes)
        return processes.gather(model.text(own_words, own_text, vectors, batch.sentence, part), part.total)

    with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        text = image = user = axes = None
        if "text" in modalities:
            text = texts() if kept is None else kept.of(batch, texts)
        if "image" in modalities:
            part = processes.part(len(batch.image_rows))
            image = processes.gather(model.image(batch.features, part), part.total)
        if "user" in modalities:
            rows = model.user_rows[batch.users] if rows is None else rows
            axes = model.user_axes(len(batch))
            if axes is None:
                part = processes.part(len(batch.users))
                users = processes.gather(model.user(rows[part.rows], part), part.total)
            else:
                users = model.told_users(rows)
            # Not users[batch.user], whose gradient torch adds up on a CPU in an order that differs from run to run.
            user = F.embedding(batch.user, users)
    return Encoded(text, image, user, axes)


def _texts(batch: Batch, words: Tensor | None, processes: Processes) -> tuple[Tensor, Tensor, Tensor | None]:
    """The words of this process's part of the texts, the padding first, the texts as rows of these, their vectors."""
    if processes.count == 1:
        return batch.words, batch.text, words
    own = batch.text[processes.part(len(batch.text)).rows]
    said, index = torch.unique(torch.cat([own.new_zeros(1), own.flatten()]), return_inverse=True)
    return batch.words[said], index[1:].view_as(own), None if words is None else F.embedding(said, words)
