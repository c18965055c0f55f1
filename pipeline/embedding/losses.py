"""The losses of Eq. 1 to 4 and, beyond the paper, four others, over the pairs of one mini-batch.

A pair is two vectors of one post: its text and user, image and text, or image and user; the first named is the anchor
(ours for the last two: the paper states Eq. 4 for text and user alone). The negatives of an anchor are all the other
posts of the mini-batch that have the partner's modality, with their users, texts or images; never the same user, or for
image and text never a post with another copy of the same image. Of a post with several images, each makes a pair with
its text and one with its user (ours: the paper's posts have one), and none is a negative of these.

Shapes: n pairs of one kind, c candidates (a partner and the negatives of some anchors), D numbers a vector.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.embedding.batches import Array, Batch, Posts
from pipeline.embedding.processes import ALONE, Processes
from pipeline.running.schema import Loss

PAIRS = ("text_user", "image_text", "image_user")
"""The three kinds of pairs, in the order of lambda1, lambda2, lambda3."""
_TASKS = {"text_user": "text_to_user", "image_text": "image_to_text", "image_user": "image_to_user"}


@dataclass(frozen=True)
class Side:
    """One direction of the pairs of one kind: what each anchor is told apart from.

    `anchors` (n, D) and `candidates` (c, D) are of unit length; `own` (n,) is each one's partner among the candidates;
    `same` (n, c) marks the candidates that are no negatives of an anchor, its partner among them.
    """

    anchors: Tensor
    candidates: Tensor
    own: Tensor
    same: Tensor

    def similarity(self) -> tuple[Tensor, Tensor]:
        """Eq. 3: the cosines with the partners (n, 1), and with all candidates (n, c)."""
        cosine = self.anchors @ self.candidates.T
        return cosine.gather(1, self.own.unsqueeze(1)), cosine


def pair_loss(
    side: Side, other: Side | None, loss: Loss, margin: float, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """The loss of one kind of pair, summed over its n pairs (a scalar): L_TU, L_IT or L_IU of Eq. 1.

    hinge           Eq. 4: sum over pairs and negatives of max(0, margin - S(a, p) + S(a, n))
    hinge_both      and the same of the `other` side, each partner the anchor among the anchors of the others
    hinge_hardest   both sides, the hardest negative of each anchor alone (VSE++)
    infonce         cross-entropy of the pair among its negatives, of logits exp(scale) S, the mean of both sides (CLIP)
    sigmoid         log-loss of each pair and each negative on its own, of logits exp(scale) S + shift (SigLIP)
    """
    sides = [side] if other is None else [side, other]
    if loss == "infonce":
        assert scale is not None
        return torch.stack([_cross_entropy(one, scale) for one in sides]).mean()
    if loss == "sigmoid":
        assert scale is not None and shift is not None
        own, every = (scale.exp() * cosine + shift for cosine in side.similarity())
        return F.softplus(-own).sum() + F.softplus(every).masked_fill(side.same, 0).sum()
    if loss == "hinge_hardest":
        return torch.stack([_hardest(one, margin) for one in sides]).sum()
    return torch.stack([_hinge(one, margin) for one in sides]).sum()


def two_sided(loss: Loss) -> bool:
    """Whether a loss takes both sides."""
    return loss in ("hinge_both", "hinge_hardest", "infonce")


def unified_loss(losses: Mapping[str, Tensor], counts: Mapping[str, int], weights: Mapping[str, float]) -> Tensor:
    """Eq. 1: the sum of lambda / N times the loss over the kinds that have a pair in the batch."""
    parts = [weights[kind] / counts[kind] * losses[kind] for kind in losses]
    return torch.stack(parts).sum() if parts else torch.zeros(())


def _hinge(side: Side, margin: float) -> Tensor:
    """Eq. 4, over all negatives of each anchor."""
    found: Tensor = _Hinge.apply(side.anchors, side.candidates, side.own, side.same, margin)  # type: ignore[no-untyped-call]
    return found


class _Hinge(torch.autograd.Function):
    """Eq. 4 by the slopes of S: 1 for each negative that violates the margin, less their number for the partner.

    So the way back is two products, and nothing of the size of S is kept but the slopes, made in its place.
    """

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, candidates: Tensor, own: Tensor, same: Tensor, margin: float) -> Tensor:
        cosine = anchors @ candidates.T
        partner = cosine.gather(1, own.unsqueeze(1)).squeeze(1)
        if cosine.is_cuda:
            cost = cosine.add_((margin - partner).unsqueeze(1)).clamp_(min=0).masked_fill_(same, 0).sum(1)
            slopes = cosine.sign_()
            slopes.scatter_(1, own.unsqueeze(1), -slopes.sum(1, keepdim=True))
        else:
            cost = torch.empty_like(partner)
            _violations(cosine.numpy(), (partner - margin).numpy(), own.numpy(), same.numpy(), cost.numpy())
            slopes = cosine
        ctx.save_for_backward(anchors, candidates, slopes)
        return cost.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        anchors, candidates, slopes = ctx.saved_tensors
        there, back = ctx.needs_input_grad[:2]  # not those of a frozen encoder
        return (
            (slopes @ candidates).mul_(gradient) if there else None,
            (slopes.T @ anchors).mul_(gradient) if back else None,
            None, None, None,
        )  # fmt: skip


@numba.njit(parallel=True, cache=True)  # type: ignore[misc]
def _violations(cosine: Array, bound: Array, own: Array, same: Array, cost: Array) -> None:
    """Each anchor's sum of what its negatives exceed its `bound` by: `cost` (n,). Slopes in the place of `cosine`."""
    for i in numba.prange(len(cosine)):
        row, excluded, count = cosine[i], same[i], 0
        least, total = bound[i], bound[i] * 0
        for j in range(row.size):
            excess = row[j] - least
            violates = excess > 0 and not excluded[j]
            total += excess if violates else excess * 0  # what is no number stays none, so that training stops
            count += violates
            row[j] = violates
        cost[i], row[own[i]] = total, -count


def _hardest(side: Side, margin: float) -> Tensor:
    """The violation of the hardest negative of each anchor alone."""
    own, every = side.similarity()
    return ((margin - own) + every).clamp(min=0).masked_fill(side.same, 0).amax(1).sum()


def _cross_entropy(side: Side, scale: Tensor) -> Tensor:
    own, every = (scale.exp() * cosine for cosine in side.similarity())
    negatives = every.masked_fill(side.same, float("-inf"))
    return (torch.logsumexp(torch.cat([own, negatives], 1), 1) - own.squeeze(1)).sum()


@dataclass(frozen=True)
class Encoded:
    """A batch's vectors x^T (t, D), x^I (i, D) and x^U (b, D), of any length; None for what was not asked for.

    With `axes` (D, d), W_U, a user is told by d numbers, of the row U_e: `user` (b, d), and x^U = W_U U_e. Its cosine
    with x is then a product of d numbers, W_U' x with U_e over the length of x^U.
    """

    text: Tensor | None
    image: Tensor | None
    user: Tensor | None
    axes: Tensor | None = None

    def unit(self) -> "Encoded":
        """The same, of unit length: the cosine of Eq. 3 is then a product."""
        text, image = (None if x is None else F.normalize(x) for x in (self.text, self.image))
        return Encoded(text, image, None if self.user is None else self.unit_users(), self.axes)

    def unit_users(self) -> Tensor:
        """`user`, of unit length in the joint space."""
        assert self.user is not None
        if self.axes is None:
            return F.normalize(self.user)
        square = (self.user @ (self.axes.T @ self.axes) * self.user).sum(1, keepdim=True)
        return self.user * square.clamp(min=1e-24).rsqrt()

    def seen_by_users(self, vectors: Tensor) -> Tensor:
        """What `user` are multiplied with for their cosines with unit `vectors` (n, D)."""
        return vectors if self.axes is None else vectors @ self.axes


def sides(kind: str, unit: Encoded, batch: Batch, processes: Processes = ALONE) -> tuple[Side, Side, int]:
    """Both directions of the pairs of one kind in `batch`: of each text or image, the anchor, whose post has a partner.

    The candidates of a direction are of all posts of the batch that have the partner's modality. An anchor's post has
    one text and one user, so a pair is known by its anchor, and the other direction has the same pairs. Both have the
    part of the pairs that falls to one of `processes`; the last is the number of all.
    """
    anchor, partner = kind.split("_")
    everyone = torch.arange(len(batch), device=batch.user.device)
    posts = {"text": batch.text_rows, "image": batch.image_rows, "user": everyone}
    there, back = posts[anchor], posts[partner]
    rows = torch.isin(there, back).nonzero().squeeze(1)
    part = processes.part(len(rows))
    rows = rows[part.rows]
    post = there[rows]
    own = torch.searchsorted(back, post)
    if kind == "image_text":
        holds, group = _groups_of_posts(batch)
        same, same_back = holds[back][:, group[rows]].T.contiguous(), holds[post][:, group]
    else:
        user = batch.user
        same, same_back = (user[post].unsqueeze(1) == user[others].unsqueeze(0) for others in (back, there))
    vectors, partners = getattr(unit, anchor), getattr(unit, partner)
    if partner == "user":
        vectors = unit.seen_by_users(vectors)
    return (
        Side(vectors if len(rows) == len(vectors) else vectors[rows], partners, own, same),
        Side(partners if _all_once(own, len(partners)) else partners[own], vectors, rows, same_back),
        part.total,
    )


def _groups_of_posts(batch: Batch) -> tuple[Tensor, Tensor]:
    """Whether each post has an image of each of the g groups of copies (b, g); each image's group among these (i,)."""
    names, group = torch.unique(batch.group, return_inverse=True)
    holds = torch.zeros(len(batch), len(names), dtype=torch.bool, device=group.device)
    holds[batch.image_rows, group] = True
    return holds, group


def _all_once(rows: Tensor, count: int) -> bool:
    return len(rows) == count and bool((rows.diff() > 0).all())


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

    @staticmethod
    def of(described: Mapping[str, Any]) -> "Objective":
        """The objective that `described` gave."""
        objective = Objective(described["lambdas"], described["loss"], described["margin"])
        objective.load_state_dict({name: torch.tensor(values) for name, values in described["learned"].items()})
        return objective

    def described(self) -> dict[str, Any]:
        """All there is to it, as plain values: the settings, and what was learned (temperatures)."""
        return {
            "lambdas": [self.weights.get(kind, 0.0) for kind in PAIRS],
            "loss": self.loss,
            "margin": self.margin,
            "learned": {name: value.tolist() for name, value in self.state_dict().items()},
        }

    def usable(self, posts: Posts) -> Array:
        """The rows of `posts` that have the modalities of a pair that counts."""
        has = {"text": posts.has_text, "image": posts.has_image, "user": np.ones(len(posts), bool)}
        found = np.zeros(len(posts), bool)
        for kind in self.weights:
            anchor, partner = kind.split("_")
            found |= has[anchor] & has[partner]
        return np.flatnonzero(found)

    def forward(self, encoded: Encoded, batch: Batch, processes: Processes = ALONE) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, and by kind, of those with a pair in it, the mean over pairs.

        In one of several `processes` they are what its part of the pairs adds to them: their sums are the batch's.
        """
        losses, counts, unit = {}, {}, encoded.unit()
        for kind in self.weights:
            *found, count = sides(kind, unit, batch, processes)
            if count:
                losses[kind], counts[kind] = self._pair_loss(PAIRS.index(kind), *found), count
        means = {kind: losses[kind] / counts[kind] for kind in losses}
        return unified_loss(losses, counts, self.weights), means

    def _pair_loss(self, kind: int, side: Side, other: Side) -> Tensor:
        reverse = other if two_sided(self.loss) else None
        return pair_loss(side, reverse, self.loss, self.margin, *self.temperature(PAIRS[kind]))

    def temperature(self, kind: str) -> tuple[Tensor | None, Tensor | None]:
        """The learned scale and shift of one kind of pair, as `pair_loss` takes them."""
        at = PAIRS.index(kind)
        scale = None if self.scale is None else self.scale[at].clamp(max=math.log(100))
        return scale, None if self.shift is None else self.shift[at]


class MergedObjective(Objective):
    """Merged-Modality (Table 4): x^I + x^T, zeros where one is missing, in one loss against the users."""

    def __init__(self, loss: Loss, margin: float) -> None:
        super().__init__((1.0, 0.0, 0.0), loss, margin)
        self.modalities = ("text", "image", "user")
        self.tasks = tuple(_TASKS.values())

    def usable(self, posts: Posts) -> Array:
        """The rows of `posts` that have a text or an image."""
        return np.flatnonzero(posts.has_text | posts.has_image)

    def forward(self, encoded: Encoded, batch: Batch, processes: Processes = ALONE) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, or what one of `processes` adds to it; it stands under text_user."""
        text, image = encoded.text, encoded.image
        assert text is not None and image is not None
        # Of several images their mean, so that a post of many is no more image than another.
        shown = torch.bincount(batch.image_rows, minlength=len(batch))[batch.image_rows].unsqueeze(1)
        merged = text.new_zeros(len(batch), text.shape[1])
        merged = merged.index_add(0, batch.text_rows, text).index_add(0, batch.image_rows, image / shown)
        posts, users = encoded.seen_by_users(F.normalize(merged)), encoded.unit_users()
        part = processes.part(len(batch)).rows
        own = torch.arange(len(batch), device=users.device)[part]
        same = batch.user[part].unsqueeze(1) == batch.user.unsqueeze(0)
        sides = Side(posts[part], users, own, same), Side(users[part], posts, own, same)
        loss = self._pair_loss(0, *sides) / len(batch)
        return loss, {"text_user": loss}
