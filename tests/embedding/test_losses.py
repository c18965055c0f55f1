"""The losses against a reading of Eqs. 1 to 4 in plain loops, values and gradients."""

import math

import pytest
import torch

from pipeline.embedding.batches import Batch
from pipeline.embedding.losses import PAIRS, Encoded, MergedObjective, Objective

LOSSES = ("hinge", "hinge_both", "hinge_hardest", "infonce", "sigmoid")
MARGIN, DIM = 0.2, 6
TEXT, IMAGE, BOTH = "text", "image", "both"


def batch_of(kinds, users, images):
    """Posts that have a text, an image or both, by `users`; `images` are the groups of their images."""
    text = torch.tensor([i for i, kind in enumerate(kinds) if kind in (TEXT, BOTH)], dtype=torch.int64)
    image = torch.tensor([i for i, kind in enumerate(kinds) if kind in (IMAGE, BOTH)], dtype=torch.int64)
    group = torch.tensor([images[i] if kind in (IMAGE, BOTH) else -1 for i, kind in enumerate(kinds)])
    distinct, user = torch.unique(torch.tensor(users), return_inverse=True)
    nothing = torch.empty(0)
    return Batch(torch.arange(len(kinds)), distinct, user, group, nothing, nothing, text, nothing, image)


def vectors_of(batch, seed=0):
    random = torch.Generator().manual_seed(seed)

    def made(count):
        return torch.randn(count, DIM, generator=random, dtype=torch.float64).requires_grad_()

    users = made(len(batch.users))
    return Encoded(made(len(batch.text_rows)), made(len(batch.image_rows)), users[batch.user]), users


def cosine(a, b):
    return sum(a[i] * b[i] for i in range(DIM)) / (a.norm() * b.norm())


def penalty(loss, own, others, scale, shift):
    """The loss of one anchor: `own` its similarity with its partner, `others` those with its negatives."""
    if loss == "infonce":
        logits = [scale * s for s in (own, *others)]
        return -torch.log(torch.exp(logits[0]) / sum(torch.exp(x) for x in logits))
    if loss == "sigmoid":
        return -torch.log(torch.sigmoid(scale * own + shift)) - sum(
            torch.log(torch.sigmoid(-(scale * s + shift))) for s in others
        )
    violations = [max(own * 0, MARGIN - own + s) for s in others]
    if loss == "hinge_hardest":
        return max(violations, default=own * 0)
    return sum(violations, own * 0)


def by_loops(lambdas, loss, batch, encoded, scale, shift):
    """Eq. 1 in plain loops over pairs and negatives."""
    has = {
        "text": {int(row): encoded.text[i] for i, row in enumerate(batch.text_rows)},
        "image": {int(row): encoded.image[i] for i, row in enumerate(batch.image_rows)},
        "user": {i: encoded.user[i] for i in range(len(batch))},
    }
    total = torch.zeros((), dtype=torch.float64)
    for kind, weight in zip(PAIRS, lambdas, strict=True):
        sides = kind.split("_")
        label = batch.group if kind == "image_text" else batch.user
        pairs = [post for post in range(len(batch)) if post in has[sides[0]] and post in has[sides[1]]]
        directions = [sides, sides[::-1]] if loss in ("hinge_both", "hinge_hardest", "infonce") else [sides]
        for anchor, partner in directions:
            for post in pairs:
                negatives = [n for n in has[partner] if n != post and label[n] != label[post]]
                x = has[anchor][post]
                cost = penalty(
                    loss, cosine(x, has[partner][post]), [cosine(x, has[partner][n]) for n in negatives], scale, shift
                )
                half = 2 if loss == "infonce" else 1
                total = total + weight / len(pairs) / half * cost
    return total


BATCHES = {
    "everything": batch_of([BOTH] * 5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    "users_with_several_posts": batch_of([BOTH] * 6, [0, 0, 1, 1, 1, 2], [0, 1, 2, 3, 4, 5]),
    "copies_of_an_image": batch_of([BOTH] * 6, [0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 2]),
    "mixed": batch_of(
        [BOTH, TEXT, IMAGE, BOTH, TEXT, IMAGE, BOTH, TEXT], [0, 1, 2, 0, 0, 3, 4, 1], [0, 0, 1, 1, 0, 0, 2, 0]
    ),
    "texts_alone": batch_of([TEXT] * 4, [0, 1, 1, 2], [0] * 4),
    "images_alone": batch_of([IMAGE] * 4, [0, 1, 1, 2], [0, 0, 1, 2]),
    "no_post_with_both": batch_of([TEXT, IMAGE] * 2, [0, 1, 2, 3], [0, 1, 2, 3]),
    "one_user": batch_of([BOTH] * 3, [0, 0, 0], [0, 1, 2]),
    "one_post": batch_of([BOTH], [0], [0]),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_gradients_are_those_of_plain_loops(loss, name):
    batch, lambdas = BATCHES[name], (0.1, 0.5, 0.4)
    objective = Objective(lambdas, loss, MARGIN).double()
    encoded, users = vectors_of(batch)
    leaves = [encoded.text, encoded.image, users, *objective.parameters()]
    found, _ = objective(encoded, batch)

    scale = 1.0 if objective.scale is None else objective.scale[0].exp()
    shift = 0.0 if objective.shift is None else objective.shift[0]
    expected = by_loops(lambdas, loss, batch, encoded, scale, shift)
    torch.testing.assert_close(found.double(), expected)

    if expected.requires_grad:
        wanted = torch.autograd.grad(expected, leaves[:3], retain_graph=True, allow_unused=True)
        given = torch.autograd.grad(found, leaves[:3], allow_unused=True)
        for leaf, one, other in zip(leaves, given, wanted, strict=False):
            zeros = torch.zeros_like(leaf)
            torch.testing.assert_close(zeros if one is None else one, zeros if other is None else other)


@pytest.mark.parametrize("loss", LOSSES)
def test_merged_is_one_loss_of_the_sum_of_what_a_post_has(loss):
    batch = BATCHES["mixed"]
    objective = MergedObjective(loss, MARGIN).double()
    encoded, _ = vectors_of(batch)
    merged = [torch.zeros(DIM, dtype=torch.float64) for _ in range(len(batch))]
    for rows, vectors in ((batch.text_rows, encoded.text), (batch.image_rows, encoded.image)):
        for row, vector in zip(rows.tolist(), vectors, strict=True):
            merged[row] = merged[row] + vector
    everyone = torch.arange(len(batch))
    # As if the sum were the text of every post.
    alike = Batch(
        batch.posts, batch.users, batch.user, batch.group, *[torch.empty(0)] * 2, everyone, *[everyone[:0]] * 2
    )
    as_text = Encoded(torch.stack(merged), encoded.image[:0], encoded.user)
    scale = 1.0 if objective.scale is None else objective.scale[0].exp()
    shift = 0.0 if objective.shift is None else objective.shift[0]
    expected = by_loops((1.0, 0.0, 0.0), loss, alike, as_text, scale, shift)
    torch.testing.assert_close(objective(encoded, batch)[0], expected)


def test_a_hinge_loss_worked_by_hand():
    # Angles: text 0 at 0 degrees with its user at 60, the other user at 90; S = 0.5 and 0, so 0.2 - 0.5 + 0 < 0;
    # text 1 at 60 degrees with its user at 90, the other at 60: 0.2 - 0.866 + 1 = 0.334. Two pairs: 0.167.
    def at(*degrees):
        return torch.tensor([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees])

    batch = batch_of([TEXT, TEXT], [0, 1], [0, 0])
    found, parts = Objective((1.0, 0.0, 0.0), "hinge", MARGIN)(Encoded(at(0, 60), None, 3 * at(60, 90)), batch)
    assert float(found) == pytest.approx((0.2 - math.sqrt(0.75) + 1) / 2, abs=1e-6)
    assert set(parts) == {"text_user"}


def test_a_weight_of_zero_switches_a_pair_and_its_modality_off():
    assert Objective((0.0, 1.0, 0.0), "hinge", MARGIN).modalities == ("image", "text")
    assert Objective((0.5, 0.0, 0.5), "hinge", MARGIN).tasks == ("text_to_user", "image_to_user")
    batch = BATCHES["mixed"]
    encoded, users = vectors_of(batch)
    Objective((0.0, 1.0, 0.0), "hinge", MARGIN)(encoded, batch)[0].backward()
    assert users.grad is None and encoded.image.grad is not None
