"""The losses of Eq. 1 to 4 and, beyond the paper, four others, over the pairs of one mini-batch.

A pair is two vectors of one post: its text and user, image and text, or image and user; the first named is the anchor
(ours for the last two: the paper states Eq. 4 for text and user alone). Negatives of an anchor are the partners of
all the other posts of the mini-batch, but for those that are `same`: the same user, or for image and text
another copy of the same image.

Shapes: a anchors, p partners, n pairs of them; similarity S (a, p), the cosine (Eq. 3); `same` (a, p). Pair i stands at
S[rows[i], columns[i]], which `same` covers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batches import Array, Batch, Posts

Loss = Literal["hinge", "hinge_both", "hinge_hardest", "infonce", "sigmoid"]
PAIRS = ("text_user", "image_text", "image_user")
"""The three kinds of pairs, in the order of lambda1, lambda2, lambda3."""
_TASKS = {"text_user": "text_to_user", "image_text": "image_to_text", "image_user": "image_to_user"}


@dataclass(frozen=True)
class Pairs:
    """The pairs of one kind in a mini-batch, in unit vectors; see the module."""

    anchors: Tensor
    partners: Tensor
    rows: Tensor
    columns: Tensor
    same: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def pair_loss(
    pairs: Pairs, loss: Loss = "hinge", margin: float = 0.2, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """The loss of one kind of pair, summed over its pairs (a scalar): L_TU, L_IT or L_IU of Eq. 1.

    hinge           Eq. 4: sum over pairs and negatives of max(0, margin - S(a, p) + S(a, n))
    hinge_both      and the same with each partner as the anchor, among the anchors of the others
    hinge_hardest   both directions, the hardest negative alone (VSE++)
    infonce         cross-entropy of the pair among its negatives at the learned temperature 1 / exp(scale), the mean
                    of both directions (CLIP)
    sigmoid         log-loss of each pair and each negative on its own, of logits exp(scale) * S + shift (SigLIP)
    """
    similarity = pairs.anchors @ pairs.partners.T
    if loss in ("infonce", "sigmoid"):
        assert scale is not None
        logits = scale.exp() * similarity
        if shift is not None:
            logits = logits + shift
            attract = F.softplus(-logits[pairs.rows, pairs.columns]).sum()
            return attract + F.softplus(logits)[pairs.rows].masked_fill(pairs.same[pairs.rows], 0).sum()
        return (_cross_entropy(logits, pairs.same, pairs.rows, pairs.columns)
                + _cross_entropy(logits.T, pairs.same.T, pairs.columns, pairs.rows)) / 2  # fmt: skip
    hardest = loss == "hinge_hardest"
    total = _hinge(similarity, pairs.same, pairs.rows, pairs.columns, margin, hardest)
    if loss != "hinge":
        total = total + _hinge(similarity.T, pairs.same.T, pairs.columns, pairs.rows, margin, hardest)
    return total


def unified_loss(losses: Mapping[str, Tensor], counts: Mapping[str, int], weights: Mapping[str, float]) -> Tensor:
    """Eq. 1: the sum over kinds of lambda / N times their loss; a kind without a pair in the batch adds nothing."""
    parts = [weights[kind] / counts[kind] * losses[kind] for kind in losses if counts[kind]]
    return torch.stack(parts).sum() if parts else torch.zeros(())


def _hinge(similarity: Tensor, same: Tensor, rows: Tensor, columns: Tensor, margin: float, hardest: bool) -> Tensor:
    """Eq. 4 with the anchors `rows`: over all their negatives, or the hardest of each."""
    violation = (margin - similarity[rows, columns].unsqueeze(1) + similarity[rows]).masked_fill(same[rows], 0)
    violation = violation.clamp(min=0)
    return violation.amax(1).sum() if hardest else violation.sum()


def _cross_entropy(logits: Tensor, same: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    pair = logits[rows, columns]
    others = logits[rows].masked_fill(same[rows], float("-inf"))
    return (torch.logsumexp(torch.cat([pair.unsqueeze(1), others], 1), 1) - pair).sum()


@dataclass(frozen=True)
class Encoded:
    """A batch's vectors x^T (t, D), x^I (i, D) and x^U (b, D), of any length; None for what was not asked for."""

    text: Tensor | None
    image: Tensor | None
    user: Tensor | None


def batch_pairs(kind: str, encoded: Encoded, batch: Batch) -> Pairs:
    """The pairs of one kind in `batch`: its posts that have both; negatives are of all posts that have the partner."""
    anchor, partner = kind.split("_")
    anchors, partners = getattr(encoded, anchor), getattr(encoded, partner)
    everyone = torch.arange(len(batch), device=batch.user.device)
    posts = {"text": batch.text_rows, "image": batch.image_rows, "user": everyone}
    label = batch.group if kind == "image_text" else batch.user
    same = label[posts[anchor]].unsqueeze(1) == label[posts[partner]].unsqueeze(0)
    rows = torch.isin(posts[anchor], posts[partner]).nonzero().squeeze(1)
    columns = torch.searchsorted(posts[partner], posts[anchor][rows])
    return Pairs(F.normalize(anchors), F.normalize(partners), rows, columns, same)


class Objective(nn.Module):
    """Eq. 1 with the weights (lambda1, lambda2, lambda3); a weight of 0 switches a pair off."""

    def __init__(self, lambdas: Sequence[float], loss: Loss, margin: float) -> None:
        super().__init__()
        self.weights = {kind: weight for kind, weight in zip(PAIRS, lambdas, strict=True) if weight > 0}
        self.loss, self.margin = loss, margin
        self.modalities = tuple(dict.fromkeys(side for kind in self.weights for side in kind.split("_")))
        self.tasks = tuple(_TASKS[kind] for kind in self.weights)
        # Starts as in the sources: CLIP 1 / 0.07; SigLIP 10 and -10.
        learned = {"infonce": (math.log(1 / 0.07), 0.0), "sigmoid": (math.log(10), -10.0)}.get(loss)
        self.scale = nn.Parameter(torch.full((len(PAIRS),), learned[0])) if learned else None
        self.shift = nn.Parameter(torch.full((len(PAIRS),), learned[1])) if learned and loss == "sigmoid" else None

    def usable(self, posts: Posts) -> Array:
        """The rows of `posts` that have the modalities of a pair that counts."""
        has = {"text": posts.has_text, "image": posts.has_image, "user": np.ones(len(posts), bool)}
        found = np.zeros(len(posts), bool)
        for kind in self.weights:
            anchor, partner = kind.split("_")
            found |= has[anchor] & has[partner]
        return np.flatnonzero(found)

    def forward(self, encoded: Encoded, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, and by kind, of those with a pair in it, the mean over pairs."""
        losses, counts = {}, {}
        for kind in self.weights:
            pairs = batch_pairs(kind, encoded, batch)
            losses[kind], counts[kind] = self._pair_loss(PAIRS.index(kind), pairs), len(pairs)
        means = {kind: losses[kind] / counts[kind] for kind in losses if counts[kind]}
        return unified_loss(losses, counts, self.weights), means

    def _pair_loss(self, kind: int, pairs: Pairs) -> Tensor:
        scale = None if self.scale is None else self.scale[kind].clamp(max=math.log(100))
        shift = None if self.shift is None else self.shift[kind]
        return pair_loss(pairs, self.loss, self.margin, scale, shift)


class MergedObjective(Objective):
    """Merged-Modality (Table 4): x^I + x^T, zeros where one is missing, in one loss against the users."""

    def __init__(self, loss: Loss, margin: float) -> None:
        super().__init__((1.0, 0.0, 0.0), loss, margin)
        self.modalities = ("text", "image", "user")
        self.tasks = tuple(_TASKS.values())

    def usable(self, posts: Posts) -> Array:
        """The rows of `posts` that have a text or an image."""
        return np.flatnonzero(posts.has_text | posts.has_image)

    def forward(self, encoded: Encoded, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch; it stands under text_user."""
        text, image, user = encoded.text, encoded.image, encoded.user
        assert text is not None and image is not None and user is not None
        merged = torch.zeros_like(user).index_add(0, batch.text_rows, text).index_add(0, batch.image_rows, image)
        everyone = torch.arange(len(batch), device=user.device)
        same = batch.user.unsqueeze(1) == batch.user.unsqueeze(0)
        pairs = Pairs(F.normalize(merged), F.normalize(user), everyone, everyone, same)
        loss = self._pair_loss(0, pairs) / len(pairs)
        return loss, {"text_user": loss}
