"""Evidence for images.min_cosine: copies of the corpus's own pictures are planted and searched for.

Each of a sample of pictures is copied in eight ways. A copy and its original are a true pair; a copy and any picture
outside the original's group are a false one (within the group nobody knows). Precision and recall over the threshold,
by the cosine alone and with the second check, say what either is worth on this corpus.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from pipeline.copies.groups import Vectors, exact_cosine

THRESHOLDS = np.round(np.arange(0.75, 0.9951, 0.005), 3)
Copy = Callable[[Image.Image, Generator], Image.Image]


def _half(image: Image.Image, _: Generator) -> Image.Image:
    return image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BICUBIC)


def _jpeg30(image: Image.Image, _: Generator) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=30)
    return Image.open(stream).convert("RGB")


def _crop(area: float) -> Copy:
    def crop(image: Image.Image, random: Generator) -> Image.Image:
        width, height = (max(1, round(side * area**0.5)) for side in image.size)
        left, top = (int(random.integers(0, room + 1)) for room in (image.width - width, image.height - height))
        return image.crop((left, top, left + width, top + height))

    return crop


def _mirror(image: Image.Image, _: Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _darker(image: Image.Image, _: Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.7)


def _border(image: Image.Image, random: Generator) -> Image.Image:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return ImageOps.expand(image, max(1, max(image.size) // 10), (red, green, blue))


def _all(image: Image.Image, random: Generator) -> Image.Image:
    for copy in (_half, _crop(0.8), _mirror, _darker, _border, _jpeg30):
        image = copy(image, random)
    return image


COPIES: dict[str, Copy] = {
    "half the size": _half,
    "JPEG 30": _jpeg30,
    "crop 80 %": _crop(0.8),
    "crop 60 %": _crop(0.6),
    "mirrored": _mirror,
    "darker": _darker,
    "border": _border,
    "all together": _all,
}
"""The ways of copying a picture, by name."""


def planted(image: Image.Image, random: Generator) -> list[Image.Image]:
    """The copies of one picture, in order of COPIES."""
    return [copy(image, random) for copy in COPIES.values()]


@dataclass(frozen=True)
class Proposed:
    """Pairs (p,) of a copy and an original row, with cosine, whether true, and what the second check says."""

    copy: NDArray[np.int64]
    original: NDArray[np.int64]
    cosine: NDArray[np.float32]
    true: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]


def propose(
    copies: Vectors,
    originals: Vectors,
    source: NDArray[np.int64],
    group: NDArray[np.int64],
    agree: Callable[[int, int], bool],
) -> Proposed:
    """All pairs at or above the lowest threshold of unit vectors `copies` (c, d) and `originals` (n, d).

    source (c,): the original row of each copy; group (n,): pairs within the source's group are left out, but for the
    source itself. `agree(copy, original)` is the second check.
    """
    near = copies @ originals.T >= THRESHOLDS[0] - 1e-4
    near &= group[source][:, None] != group[None, :]
    near[np.arange(len(copies)), source] = True
    copy, original = np.nonzero(near)
    cosine = exact_cosine(np.concatenate([copies, originals]), copy, original + len(copies))
    kept = cosine >= THRESHOLDS[0]
    copy, original, cosine = copy[kept], original[kept], cosine[kept]
    confirmed = np.fromiter(
        (agree(i, j) for i, j in zip(copy.tolist(), original.tolist(), strict=True)), bool, len(copy)
    )
    return Proposed(copy, original, cosine, source[copy] == original, confirmed)


def curve(pairs: Proposed, copies: int) -> list[dict[str, float | str]]:
    """Rows for a plot: threshold, precision and recall by the cosine alone and with the second check."""
    rows: list[dict[str, float | str]] = []
    for name, held in (("cosine alone", np.ones(len(pairs.copy), bool)), ("with second check", pairs.confirmed)):
        for threshold in THRESHOLDS:
            at = held & (pairs.cosine >= threshold)
            found = int((at & pairs.true).sum())
            precision = found / int(at.sum()) if at.any() else 1.0
            rows.append(
                {"check": name, "min_cosine": float(threshold), "precision": precision, "recall": found / copies}
            )
    return rows


def recall_by_kind(pairs: Proposed, copies: int, min_cosine: float, kinds: Sequence[str]) -> dict[str, float]:
    """Share of each kind's copies that is found at `min_cosine` and confirmed; copy k is of kind k modulo kinds."""
    found = pairs.copy[pairs.true & pairs.confirmed & (pairs.cosine >= min_cosine)] % len(kinds)
    return {kind: float((found == k).sum() * len(kinds) / copies) for k, kind in enumerate(kinds)}
