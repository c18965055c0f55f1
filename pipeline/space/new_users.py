"""Vectors for users that the model has not seen, without retraining: one row of U_e is optimised, all else is frozen.

The loss is the one that the model was trained with (Eq. 1), in its pairs with users: the mean, over the new user's
posts, of the loss of a mini-batch in which this post stands among `background` posts of train. Of such a batch only
the terms that hold the new user's vector have a gradient; they depend on the row r through

    S(a, u) = a . W_U r / |W_U r|

alone, so anchors are multiplied with W_U once, and a step costs two products with D_u columns, not D.

    from pipeline.embedding.model import load, load_objective
    trained, objective = load(Path("data/model")), load_objective(Path("data/model"))
    newcomers = NewUsers(trained, objective, train_posts, features, background=1000, seed=7)
    rows = newcomers.fit(posts_of_the_unseen, their_features, count)      # (count, D_u)
    vectors = newcomers.embed(rows)                                       # (count, D), rank them beside the others

Shapes: p posts of one new user, b of the background; D joint space, D_u numbers per user row.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.embedding.batches import Array, Posts
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import Trained
from pipeline.embedding.optimizer import BETA1, BETA2, EPSILON
from pipeline.embedding.vectors import embed_images, embed_texts

STEPS = 40
RATE = 0.04
"""Adam's steps for one user, and the first one's size in units of the spread of the users' rows. Small and few on
purpose: with larger steps a row leaves its start, the mean word vector, for the few posts that it is given."""


@dataclass(frozen=True)
class Background:
    """What one kind of pair keeps of the background posts."""

    anchors: Tensor
    """Their texts' or images' products with W_U (a, D_u), of unit vectors: of the a posts that have one."""
    users: Tensor
    """The unit vectors of all their authors (b, D)."""
    pair: Tensor
    """S of each anchor with its author (a,)."""
    others: Tensor
    """What each anchor's negatives in the background come to (a,): the greatest S (hinge_hardest), or the log of the
    sum of exponentials, its own pair included (infonce)."""


class NewUsers:
    """Fits rows of new users to a trained model. `posts` and `features` are those of train, of the model's users."""

    def __init__(
        self, trained: Trained, objective: Objective, posts: Posts, features: Array, background: int, seed: int
    ) -> None:
        self.model, self.objective = trained.model, objective
        self.kinds = [kind for kind in objective.weights if kind.endswith("_user")]
        if not self.kinds:
            raise ValueError("the model was trained on no pair with users, so their vectors mean nothing")
        usable = np.flatnonzero(posts.has_text | posts.has_image)
        chosen = np.sort(np.random.default_rng([seed, 4]).permutation(usable)[:background])
        self._temperature = {
            kind: tuple(None if value is None else value.detach() for value in objective.temperature(kind))
            for kind in self.kinds
        }
        self._projection = trained.model.user_projection.detach()
        self._square = self._projection.T @ self._projection
        self._own = self._projection.shape[1]
        self._spread = float(trained.model.user_rows[:, : self._own].std())
        with torch.no_grad():
            users = F.normalize(self._trained(trained.model.user(trained.model.user_rows)))
            self._background = {kind: self._of(kind, posts, features, chosen, users) for kind in self.kinds}

    def fit(self, posts: Posts, features: Array, starts: Array, steps: int = STEPS, rate: float = RATE) -> Array:
        """Rows (r, D_u) of new users, from `starts` (r, D_u): their mean word vectors, say, where training starts too.

        `posts.user` counts the new users from 0. One without a text or image that the loss knows keeps the start.
        """
        rows = torch.from_numpy(starts.astype(np.float32)).to(self.model.device)
        count = np.bincount(posts.user[posts.has_text | posts.has_image], minlength=len(rows))
        anchors = {kind: self._anchors(kind, posts, features) for kind in self.kinds}
        for user in range(len(rows)):
            own = {kind: vectors[torch.from_numpy(author == user)] for kind, (vectors, author) in anchors.items()}
            if any(len(vectors) for vectors in own.values()):
                rows[user, : self._own] = self._fit(own, int(count[user]), rows[user, : self._own], steps, rate)
        return rows.cpu().numpy()

    def embed(self, rows: Array) -> Array:
        """The vectors (r, D), of unit length, of rows (r, D_u)."""
        with torch.inference_mode():
            return F.normalize(self.model.user(torch.from_numpy(rows).to(self.model.device))).cpu().numpy()

    def _fit(self, own: dict[str, Tensor], posts: int, start: Tensor, steps: int, rate: float) -> Tensor:
        """The row (D_u,) that `steps` of Adam lead to, given the unit vectors `own` (p, D) by kind of pair."""
        row, mean, square = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
        with torch.no_grad():
            held = {kind: (a @ self._projection, a @ self._background[kind].users.T) for kind, a in own.items()}
        for step in range(steps):
            row.requires_grad_()
            (gradient,) = torch.autograd.grad(self._loss(row, held, posts), row)
            mean.lerp_(gradient, 1 - BETA1)
            square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            spread = (square / (1 - BETA2 ** (step + 1))).sqrt_().add_(EPSILON)
            # To 0 along a half cosine, so that the last steps settle.
            size = rate * self._spread * (1 + math.cos(math.pi * step / steps)) / 2
            row = row.detach().addcdiv_(mean, spread, value=-size / (1 - BETA1 ** (step + 1)))
        return row

    def _loss(self, row: Tensor, own: dict[str, tuple[Tensor, Tensor]], posts: int) -> Tensor:
        """The terms of the loss that hold the user's vector, up to a constant; see the module."""
        length = (row @ self._square @ row).sqrt()
        total = row.new_zeros(())
        for kind, (anchors, negatives) in own.items():
            background = self._background[kind]
            mine, theirs = self._terms(kind, anchors @ row / length, negatives, background.anchors @ row / length)
            # Of the user's posts, those with this pair make the batch's N one larger.
            with_pair, others = len(anchors), len(background.pair)
            scale = with_pair / (others + 1) + ((posts - with_pair) / others if others else 0)
            total = total + self.objective.weights[kind] / posts * (mine / (others + 1) + theirs * scale)
        return total

    def _terms(self, kind: str, pair: Tensor, negatives: Tensor, as_negative: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over the user's own anchors, and over the background's; each loss as `losses.pair_loss` has it.

        S of own anchors with the user `pair` (p,), and with the background's users `negatives` (p, b); of the
        background's anchors with the user `as_negative` (a,).
        """
        background, loss, margin = self._background[kind], self.objective.loss, self.objective.margin
        if loss in ("infonce", "sigmoid"):
            scale, shift = self._temperature[kind]
            assert scale is not None
            pair, negatives, as_negative = (scale.exp() * s for s in (pair, negatives, as_negative))
            if shift is not None:
                return F.softplus(-pair - shift).sum(), F.softplus(as_negative + shift).sum()
            forward = torch.logaddexp(pair, negatives.logsumexp(1)) - pair
            backward = torch.logaddexp(pair, as_negative.logsumexp(0)) - pair
            theirs = torch.logaddexp(background.others, as_negative) - scale.exp() * background.pair
            return (forward + backward).sum() / 2, theirs.sum() / 2
        if loss == "hinge_hardest":
            hardest = margin + torch.maximum(background.others, as_negative) - background.pair
            mine = (margin - pair + negatives.amax(1)).clamp(min=0) + (margin - pair + as_negative.amax()).clamp(min=0)
            return mine.sum(), hardest.clamp(min=0).sum()
        mine = (margin - pair.unsqueeze(1) + negatives).clamp(min=0).sum()
        if loss == "hinge_both":
            mine = mine + (margin - pair.unsqueeze(1) + as_negative).clamp(min=0).sum()
        return mine, (margin - background.pair + as_negative).clamp(min=0).sum()

    def _anchors(self, kind: str, posts: Posts, features: Array) -> tuple[Tensor, Array]:
        """The unit vectors of the texts or images of `posts`, and each one's user."""
        if kind == "text_user":
            rows = np.flatnonzero(posts.has_text)
            values = embed_texts(self.model, posts.tokens[rows], posts.said(rows))
        else:
            rows = posts.post
            values = embed_images(self.model, features[posts.image])
        return self._trained(torch.from_numpy(values).to(self.model.device)), posts.user[rows]

    def _trained(self, vectors: Tensor) -> Tensor:
        """Of vectors (n, .) the D numbers that are trained, at unit length where others stand beside them."""
        dim = self.model.shape.dim
        return vectors if vectors.shape[1] == dim else F.normalize(vectors[:, :dim])

    def _of(self, kind: str, posts: Posts, features: Array, chosen: Array, users: Tensor) -> Background:
        part = posts.take(chosen)
        anchors, author = self._anchors(kind, part, features)
        column = torch.from_numpy(part.user.astype(np.int64)).to(users.device)
        at = torch.from_numpy(author.astype(np.int64)).to(users.device)
        similarity = anchors @ users[column].T
        pair = (anchors * users[at]).sum(1)
        same = at.unsqueeze(1) == column
        others = similarity.masked_fill(same, -math.inf)
        if self.objective.loss == "infonce":
            scale, _ = self._temperature[kind]
            assert scale is not None
            others = torch.logaddexp(scale.exp() * pair, (scale.exp() * others).logsumexp(1))
        else:
            others = others.amax(1)
        return Background(anchors @ self._projection, users[column], pair, others)
