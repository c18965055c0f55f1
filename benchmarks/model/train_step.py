"""A training step of ours against a plain PyTorch reading of the paper, on the paper's sizes.

Batches of 1000 posts of 20 words, 10 % with an image; 39,808 users; D 1024, D_I 2048, D_u 300; words by Zipf's law over
a vocabulary of 50,000 (and, as the worst case, all equally frequent). Users have one of 50 topics, from which half of
their words, their images and, as means of words, their first rows come: so there is something to learn. The plain
reading: Conv1d over frozen embeddings, float32, dense Adam, masked losses; it too encodes only the images that there
are. All start from the same weights and see the same batches, in turns. Beside that, the ranking loss alone against
vsepp's way, and the machine's peak in matrix products.

Bound: in float32 or in bfloat16, a step at least 3 times as fast, and each of 50 losses within 1e-3 of the plain
reading's (words by Zipf's law).
"""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import median_seconds, options, print_table, result
from pipeline.embedding.batches import Posts, cut
from pipeline.embedding.losses import Objective, Side, pair_loss
from pipeline.embedding.model import JointModel
from pipeline.embedding.shape import Shape
from pipeline.embedding.training import Trainer
from pipeline.running.schema import Train
from pipeline.running.utf8 import entry

BATCH, LENGTH, WORDS, USERS, IMAGES, TOPICS = 1000, 20, 50_000, 39_808, 0.1, 50
SHAPE = Shape(
    dim=1024, image=2048, word=300, text_length=LENGTH, windows=(2, 3, 4), filters=(512, 256, 256), dropout=0.0
)
LAMBDAS, MARGIN, RATE = (0.1, 0.45, 0.45), 0.2, 5e-4


class Plain(nn.Module):
    """The paper as one would write it down."""

    def __init__(self, model: JointModel) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(model.word_rows.clone(), freeze=True, padding_idx=0)
        self.users = nn.Embedding.from_pretrained(model.user_rows.clone(), freeze=False)
        self.blocks = nn.ModuleList(
            nn.Conv1d(SHAPE.word, n, k) for k, n in zip(SHAPE.windows, SHAPE.filters, strict=True)
        )
        row, column = 0, 0
        for block, k, n in zip(self.blocks, SHAPE.windows, SHAPE.filters, strict=True):
            kernels = model.kernels.detach()[row : row + k * n].view(k, n, SHAPE.word)
            block.weight.data = kernels.permute(1, 2, 0).contiguous()
            block.bias.data = model.bias.detach()[column : column + n].clone()
            row, column = row + k * n, column + n
        self.text_projection = nn.Parameter(model.text_projection.detach().clone())
        self.image_projection = nn.Parameter(model.image_projection.detach().clone())
        self.user_projection = nn.Parameter(model.user_projection.detach().clone())

    def forward(self, tokens, features, users):
        """Unit vectors of all texts, of the images that there are, and of all users."""
        words = self.words(tokens).transpose(1, 2)
        phi = torch.cat([F.relu(block(words)).amax(2) for block in self.blocks], 1)
        return (
            F.normalize(F.linear(phi, self.text_projection)),
            F.normalize(F.linear(features, self.image_projection)),
            F.normalize(F.linear(self.users(users), self.user_projection)),
        )


def hinge(similarity, positive, same):
    """Eq. 4 in full matrices."""
    return F.relu(MARGIN - positive.unsqueeze(1) + similarity).masked_fill(same, 0).sum(1).mean()


def plain_loss(model, posts, features, rows):
    tokens, users = torch.from_numpy(posts.tokens[rows]).long(), torch.from_numpy(posts.user[rows]).long()
    at, picture = posts.pictures(rows)  # one a post at most
    group = torch.full((len(rows),), -1)
    group[at] = torch.from_numpy(posts.group[picture]).long()
    image = torch.from_numpy(features[posts.image[picture]]).float()
    text, image, user = model(tokens, image, users)
    same = users.unsqueeze(1) == users.unsqueeze(0)
    copies = group.unsqueeze(1) == group.unsqueeze(0)
    parts = (
        hinge(text @ user.T, (text * user).sum(1), same),
        hinge(image @ text.T, (image * text[at]).sum(1), copies[at]),
        hinge(image @ user.T, (image * user[at]).sum(1), same[at]),
    )
    return sum(weight * part for weight, part in zip(LAMBDAS, parts, strict=True))


def vsepp_loss(anchors, partners):
    """As vsepp's model.py computes it, one direction, sum over negatives."""
    scores = anchors.mm(partners.t())
    diagonal = scores.diag().view(anchors.size(0), 1)
    cost = (MARGIN + scores - diagonal.expand_as(scores)).clamp(min=0)
    return cost.masked_fill_(torch.eye(scores.size(0)) > 0.5, 0).sum()


def our_loss(anchors, partners):
    everyone = torch.arange(len(anchors))
    same = everyone.unsqueeze(1) == everyone.unsqueeze(0)
    return pair_loss(Side(anchors, partners, everyone, same), None, "hinge", MARGIN)


def corpus(steps, uniform):
    random = np.random.default_rng(0)
    count = steps * BATCH
    share = None if uniform else 1 / np.arange(1, WORDS + 1) / (1 / np.arange(1, WORDS + 1)).sum()
    image = np.full(count, -1, np.int32)
    pictured = np.flatnonzero(random.random(count) < IMAGES)
    image[pictured] = np.arange(len(pictured))
    user, tokens = random.integers(0, USERS, count), random.choice(WORDS, (count, LENGTH), p=share)
    on_topic = tokens - tokens % TOPICS + (user % TOPICS)[:, None]
    tokens = np.where(random.random(tokens.shape) < 0.5, on_topic, tokens)
    posts = Posts.of_one(
        ids=pa.chunked_array([[str(i) for i in range(count)]]),
        user=user.astype(np.int32),
        image=image,
        group=image,
        tokens=(tokens + 1).astype(np.int32),
    )
    centers = random.random((TOPICS, SHAPE.image), np.float32)
    noise = random.random((len(pictured), SHAPE.image), np.float32)
    return posts, ((centers[user[pictured] % TOPICS] + noise) / 2).astype(np.float16)


def untrained():
    """The model before its first step, the same each time."""
    random = torch.Generator().manual_seed(0)
    topics = torch.randn(TOPICS, SHAPE.word, generator=random)
    # A word lies near its topic; a user's mean word lies nearer.
    words, users = (
        topics[torch.arange(count) % TOPICS] + spread * torch.randn(count, SHAPE.word, generator=random)
        for count, spread in ((WORDS, 1.0), (USERS, 0.3))
    )
    return JointModel(SHAPE, words, users, 0)


def trainer(model, precision, posts, features):
    """Our training of `model`, where it is; without validation and checkpoints."""
    settings = Train(
        margin=MARGIN, loss="hinge", learning_rate=RATE, decay_every=10, decay_by=10.0, schedule="steps",
        user_rate=1.0, batch_size=BATCH, epochs=1, patience=1, precision=precision,
    )  # fmt: skip
    return Trainer(
        model, Objective(LAMBDAS, "hinge", MARGIN), posts, features, settings,
        seed=0, validate=lambda model: {}, folder=Path(),
    )  # fmt: skip


def distinct_words(posts):
    """The median number of different words in a batch."""
    return int(np.median([len(np.unique(posts.tokens[i : i + BATCH])) for i in range(0, len(posts), BATCH)]))


def compare(steps, uniform):
    """Losses and median seconds of a step, by way of computing; the ways take turns, batch by batch."""
    posts, features = corpus(steps, uniform)
    plain = Plain(untrained())
    adam = torch.optim.Adam([weight for weight in plain.parameters() if weight.requires_grad], lr=RATE)

    def plain_step(rows):
        adam.zero_grad()
        loss = plain_loss(plain, posts, features, rows)
        loss.backward()
        adam.step()
        return float(loss.detach())

    def ours(precision):
        training = trainer(untrained(), precision, posts, features)
        return lambda rows: training.take_step(cut(posts, features, rows), RATE)

    ways = {"plain": plain_step, "float32": ours("float32"), "bfloat16": ours("bfloat16")}
    losses, seconds = {name: [] for name in ways}, {name: [] for name in ways}
    for rows in np.arange(len(posts)).reshape(steps, BATCH):
        for name, step in ways.items():
            begun = time.perf_counter()
            losses[name].append(step(rows))
            seconds[name].append(time.perf_counter() - begun)
    # The first two steps pay for compilation and memory.
    return {
        name: {
            "seconds": float(np.median(seconds[name][2:])),
            "loss_off": float(np.max(np.abs(np.array(losses[name]) / np.array(losses["plain"]) - 1))),
        }
        for name in ways
    } | {"distinct_words": distinct_words(posts), "losses": [losses["plain"][0], losses["plain"][-1]]}


def peak(dtype):
    """Matrix products of this machine, 2048 x 2048 x 2048, in 1e9 operations a second."""
    a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
    out = torch.empty(2048, 2048, dtype=dtype)
    return 2 * 2048**3 / median_seconds(lambda: torch.mm(a, b, out=out), 9) / 1e9


def ranking_losses():
    """Median seconds of the ranking loss of 1000 pairs, there and back: ours, and vsepp's way."""
    random = torch.Generator().manual_seed(0)
    anchors, partners = (
        F.normalize(torch.randn(BATCH, SHAPE.dim, generator=random)).requires_grad_() for _ in range(2)
    )
    torch.testing.assert_close(our_loss(anchors, partners), vsepp_loss(anchors, partners))
    return {
        name: median_seconds(lambda way=way: way(anchors, partners).backward(), 15)
        for name, way in (("ours", our_loss), ("vsepp", vsepp_loss))
    }


def products(distinct):
    """Operations of the matrix products of one of our steps, in 1e9."""
    texts, images, dim, word = BATCH, BATCH * IMAGES, SHAPE.dim, SHAPE.word
    kernels = sum(k * n for k, n in zip(SHAPE.windows, SHAPE.filters, strict=True))
    forward = distinct * word * kernels
    projections = 3 * texts * sum(SHAPE.filters) * dim + 2 * images * SHAPE.image * dim
    # With users by the numbers before W_U: x seen by it, users' lengths, and then what is multiplied pair by pair.
    users = 3 * word * ((texts + images) * (dim + BATCH) + (dim + BATCH) * word)
    similarities = users + 3 * images * BATCH * dim
    return 2 * (forward + projections + similarities) / 1e9


def main():
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=50)
    steps = parser.parse_args().steps
    rows, figures = [], {}
    for words in ("zipf", "uniform"):
        found = compare(steps, uniform=words == "uniform")
        figures[words] = found
        for name in ("plain", "float32", "bfloat16"):
            rows.append({"words": words, "distinct": found["distinct_words"], "step": name,
                         "ms": 1e3 * found[name]["seconds"],
                         "times as fast": found["plain"]["seconds"] / found[name]["seconds"],
                         "loss off by": found[name]["loss_off"]})  # fmt: skip
    print_table(rows)
    loss = ranking_losses()
    rate = {name: peak(dtype) for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))}
    done = products(figures["zipf"]["distinct_words"])
    print(f"ranking loss, 1000 pairs: ours {1e3 * loss['ours']:.1f} ms, vsepp's way {1e3 * loss['vsepp']:.1f} ms")
    for name in ("float32", "bfloat16"):
        reached = done / figures["zipf"][name]["seconds"]
        print(f"{name}: {done:.1f}e9 operations in products, {reached:.0f}e9 a second of {rate[name]:.0f}e9")
    figures |= {"ranking_loss": loss, "peak": rate, "product_operations": done}
    plain = figures["zipf"]["plain"]["seconds"]
    fast = {name: plain / figures["zipf"][name]["seconds"] >= 3 for name in rate}
    near = {name: figures["zipf"][name]["loss_off"] <= 1e-3 for name in rate}
    result(figures, {"one precision 3 times as fast and within 1e-3": any(fast[name] and near[name] for name in rate)})


if __name__ == "__main__":
    entry(main)
