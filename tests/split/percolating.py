"""Corpora in which everything hangs together, as bonds of posts; and a slow check that nothing crosses."""

import numpy as np

from pipeline.split.bonds import Bonds
from pipeline.split.sides import TEST, TRAIN, VAL

MEMES = (98_101, 88, 761)
"""Posts, pictures and sayings of the corpus that came to be one group."""


def bonds(n, picture, text, picture_links=(), text_links=()):
    """Of n posts that show `picture` (n,) and say `text` (n,), numbers from 0, -1 for none, which links join."""
    pictures, texts = int(max(picture, default=-1)) + 1, int(max(text, default=-1)) + 1
    picture, text = np.asarray(picture), np.asarray(text)
    post = np.concatenate([np.flatnonzero(picture >= 0), np.flatnonzero(text >= 0)])
    item = np.concatenate([picture[picture >= 0], pictures + text[text >= 0]])
    order = np.argsort(post, kind="stable")
    links = [*picture_links, *((pictures + a, pictures + b) for a, b in text_links)]
    ends = np.array([(a, b) for a, b in links if a != b], int).reshape(-1, 2)
    return Bonds(n, pictures + texts, post[order], item[order], ends[:, 0], ends[:, 1])


def popular(chance, things, n, exponent=1.0):
    """N draws among `things`, the k-th with a chance of k ** -exponent (Zipf)."""
    weight = np.arange(1, things + 1) ** -exponent
    return chance.choice(things, n, p=weight / weight.sum())


def memes(seed, share=0.2, scale=1.0):
    """Template pictures with captions, of which `share` are sayings that go around."""
    n, pictures, texts = (round(MEMES[0] * scale), *MEMES[1:])
    chance = np.random.default_rng(seed)
    saying = np.where(chance.random(n) < share, popular(chance, texts, n), -1)
    return bonds(n, popular(chance, pictures, n), saying)


def sparse(seed, n=20_000, mean=1.2):
    """Pictures and texts that a post or two hold, just enough to hang together."""
    chance = np.random.default_rng(seed)
    return bonds(n, chance.integers(0, int(n / mean), n), chance.integers(0, int(n / mean), n))


def chain(seed, n=20_000):
    """Each post shares its picture with the one before and its text with the one after."""
    return bonds(n, np.arange(n) // 2, (np.arange(n) + 1) // 2)


def derived(seed, n=20_000):
    """A post a picture, and pictures derived from each other at random."""
    return bonds(n, np.arange(n), np.full(n, -1), np.random.default_rng(seed).integers(0, n, (int(0.65 * n), 2)))


def star(seed, n=20_000):
    """Half of the posts say one thing, each with a picture that one more post shows."""
    return bonds(n, np.arange(n) % (n // 2), np.where(np.arange(n) < n // 2, 0, -1))


CORPORA = {"memes": memes, "sparse": sparse, "chain": chain, "derived": derived, "star": star}


def crossing(n, held, linked, side):
    """Pairs of posts on two of the three sides that hold the same item or linked ones: all compared with all.

    `held`: the items of each post, sets; `linked`: a set of pairs of items. Written without any of the code that it
    checks.
    """
    wrong = []
    for i in range(n):
        for j in range(i):
            if side[i] != side[j] and side[i] in (TRAIN, VAL, TEST) and side[j] in (TRAIN, VAL, TEST):
                near = {(a, b) for a in held[i] for b in held[j]}
                if any(a == b or (a, b) in linked or (b, a) in linked for a, b in near):
                    wrong.append((i, j))
    return wrong


def items_on_two_sides(of, side):
    """The same for corpora too large for that, by items: how many, or linked pairs, have posts on two sides."""
    sides = [set() for _ in range(of.k)]
    for post, item in zip(of.post.tolist(), of.item.tolist(), strict=True):
        if side[post] in (TRAIN, VAL, TEST):
            sides[item].add(side[post])
    return sum(len(held) > 1 for held in sides) + sum(
        len(sides[one] | sides[other]) > 1 and bool(sides[one]) and bool(sides[other])
        for one, other in zip(of.one.tolist(), of.other.tolist(), strict=True)
    )
