"""The losses against a reading of Eqs. 1 to 4 in plain loops, values and gradients."""

import math
from typing import get_args

import pytest
import torch

from pipeline.embedding.batches import Batch
from pipeline.embedding.losses import PAIRS, Encoded, MergedObjective, Objective
from pipeline.running.schema import Loss

LOSSES = get_args(Loss)
MARGIN, DIM = 0.2, 6
TEXT, IMAGE, BOTH = "text", "image", "both"


def batch_of(kinds, users, images):
    """Posts that have a text, images or both, by `users`; `images` are the groups of their images, one or a tuple."""
    text = torch.tensor([i for i, kind in enumerate(kinds) if kind in (TEXT, BOTH)], dtype=torch.int64)
    own = [images[i] if isinstance(images[i], tuple) else (images[i],) for i in range(len(kinds))]
    shown = [(i, group) for i, kind in enumerate(kinds) if kind in (IMAGE, BOTH) for group in own[i]]
    image = torch.tensor([i for i, _ in shown], dtype=torch.int64)
    group = torch.tensor([group for _, group in shown], dtype=torch.int64)
    distinct, user = torch.unique(torch.tensor(users), return_inverse=True)
    nothing = torch.empty(0)
    return Batch(torch.arange(len(kinds)), distinct, user, group, nothing, nothing, text, nothing, nothing, image)


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
    has = {  # a post and a vector each
        "text": list(zip(batch.text_rows.tolist(), encoded.text, strict=True)),
        "image": list(zip(batch.image_rows.tolist(), encoded.image, strict=True)),
        "user": list(enumerate(encoded.user)),
    }
    groups = {i: set() for i in range(len(batch))}
    for post, group in zip(batch.image_rows.tolist(), batch.group.tolist(), strict=True):
        groups[post].add(group)
    user = batch.user.tolist()
    total = torch.zeros((), dtype=torch.float64)
    for kind, weight in zip(PAIRS, lambdas, strict=True):
        sides = kind.split("_")
        # (post, anchor's number among its kind, partner's): one pair for each image and text of a post
        pairs = [
            (post, a, p) for a, (post, _) in enumerate(has[sides[0]]) for p, (other, _) in enumerate(has[sides[1]])
            if post == other
        ]  # fmt: skip
        for back in (False, True) if loss in ("hinge_both", "hinge_hardest", "infonce") else (False,):
            for post, a, p in pairs:
                (_, x), (_, own) = (
                    (has[sides[1]][p], has[sides[0]][a]) if back else (has[sides[0]][a], has[sides[1]][p])
                )
                shown = {int(batch.group[a])} if kind == "image_text" and not back else groups[post]
                negatives = []
                for k, (other, vector) in enumerate(has[sides[0 if back else 1]]):
                    if kind != "image_text":
                        apart = user[other] != user[post]
                    else:
                        apart = shown.isdisjoint({int(batch.group[k])} if back else groups[other])
                    if other != post and apart:
                        negatives.append(cosine(x, vector))
                cost = penalty(loss, cosine(x, own), negatives, scale, shift)
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
    "several_images": batch_of(
        [BOTH, TEXT, IMAGE, BOTH, BOTH, IMAGE], [0, 1, 2, 0, 3, 1], [(0, 1, 2), 0, (3, 4), (5, 1), (6, 6), 7]
    ),
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


@pytest.mark.parametrize("name", ["mixed", "several_images"])
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_users_told_by_fewer_numbers_have_the_loss_and_the_gradients_of_their_vectors(loss, merged, name):
    batch, random = BATCHES[name], torch.Generator().manual_seed(1)
    objective = (MergedObjective(loss, MARGIN) if merged else Objective((0.1, 0.5, 0.4), loss, MARGIN)).double()
    encoded, _ = vectors_of(batch)
    rows, axes = (
        torch.randn(*size, generator=random, dtype=torch.float64).requires_grad_()
        for size in ((len(batch.users), 3), (DIM, 3))
    )
    leaves = [encoded.text, encoded.image, rows, axes]
    users = ((rows @ axes.T)[batch.user], None), (rows[batch.user], axes)
    (whole, _), (told, _) = (objective(Encoded(encoded.text, encoded.image, *one), batch) for one in users)
    torch.testing.assert_close(told, whole)
    for one, other in zip(torch.autograd.grad(told, leaves), torch.autograd.grad(whole, leaves), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["mixed", "several_images"])
@pytest.mark.parametrize("loss", LOSSES)
def test_merged_is_one_loss_of_the_sum_of_what_a_post_has(loss, name):
    batch = BATCHES[name]
    objective = MergedObjective(loss, MARGIN).double()
    encoded, _ = vectors_of(batch)
    merged = [torch.zeros(DIM, dtype=torch.float64) for _ in range(len(batch))]
    shown = batch.image_rows.tolist()
    for rows, vectors in ((batch.text_rows.tolist(), encoded.text), (shown, encoded.image)):
        for row, vector in zip(rows, vectors, strict=True):
            merged[row] = merged[row] + (vector / shown.count(row) if rows is shown else vector)
    everyone = torch.arange(len(batch))
    # As if the sum were the text of every post.
    alike = Batch(
        batch.posts, batch.users, batch.user, batch.group[:0], *[torch.empty(0)] * 2, everyone, *[everyone[:0]] * 3
    )
    as_text = Encoded(torch.stack(merged), encoded.image[:0], encoded.user)
    scale = 1.0 if objective.scale is None else objective.scale[0].exp()
    shift = 0.0 if objective.shift is None else objective.shift[0]
    expected = by_loops((1.0, 0.0, 0.0), loss, alike, as_text, scale, shift)
    torch.testing.assert_close(objective(encoded, batch)[0], expected)


def test_a_temperature_sharpens_no_further_than_a_hundredth():
    objective = Objective((1.0, 0.0, 0.0), "infonce", MARGIN)
    objective.scale.data.fill_(math.log(250))
    assert float(objective.temperature("text_user")[0].detach().exp()) == pytest.approx(100)


@pytest.mark.parametrize("frozen", [IMAGE, TEXT])
def test_the_gradient_of_one_encoder_is_the_same_where_the_other_is_frozen(frozen):
    batch = batch_of([BOTH] * 4, [0, 1, 2, 0], [0, 1, 2, 3])
    objective, gradients = Objective((0.0, 1.0, 0.0), "hinge_both", 0.5), []
    for learned in ({IMAGE, TEXT}, {IMAGE, TEXT} - {frozen}):
        encoded, _ = vectors_of(batch)
        for name in (IMAGE, TEXT):
            getattr(encoded, name).requires_grad_(name in learned)
        objective(encoded, batch)[0].backward()
        gradients.append({name: getattr(encoded, name).grad for name in (IMAGE, TEXT)})
    whole, part = gradients
    assert part.pop(frozen) is None and all(torch.equal(whole[name], gradient) for name, gradient in part.items())
    assert all(gradient.abs().sum() > 0 for gradient in whole.values())


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
