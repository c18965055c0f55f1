"""The second check: do two pictures show the same thing, and not two things in one style?

Two pictures agree where one, or its mirror image, fits on the other or on a window of it (a crop), up to brightness and
contrast. Plain borders are cut off first; as JPEG may leave another border plain, pictures that are no small thing on a
large ground are also compared with their borders. Where the one lies in the other is found by normalised
cross-correlation (Lewis, 1995) of small grey versions over places and scales, then refined; the verdict is given on
96 × 96 RGB pixels:

- their correlation has to reach MIN_CORRELATION, and
- no block of 12 × 12 pixels may differ by more than MAX_DIFFERENCE, in mean square, of the picture's whole variance:
  another emblem in the same flag, another sign in the same triangle leave the correlation high, but not that block.

Pictures that do not agree so may agree once both are smoothed a little, which takes away what JPEG and scaling leave at
edges. Not so where smoothing leaves less than MIN_KEPT of the variance: meshes of thin lines are alike when smoothed,
whatever they show, and have to agree unsmoothed and within narrower limits. And one picture may agree with the other
without its caption, a strip above or below.

The limits are ours, chosen on planted copies and by looking at pairs of openclipart (stage image_copies).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from PIL import Image, ImageChops

from pipeline.pictures.storing import to_rgb
from pipeline.running.machine import cores
from pipeline.tables.corpus import IMAGES

MIN_CORRELATION = 0.97
MAX_DIFFERENCE = 0.09
SIDE, BLOCKS = 96, 8
MIN_KEPT = 0.85
"""Share of its variance that a picture keeps when smoothed; one that keeps less is of thin lines."""
THIN_DIFFERENCE, THIN_CONTRAST = 0.03, 1.2
"""In the place of MAX_DIFFERENCE and MAX_CONTRAST, for thin lines."""
MIN_FILLED, FRAMED_CORRELATION, FRAMED_KEPT = 0.35, 0.98, 0.75
"""With their borders pictures are compared where each fills this share of its frame, and agree from this correlation
unsmoothed, in the place of MIN_CORRELATION; FRAMED_KEPT in the place of MIN_KEPT."""
MAX_STRETCH = 1.1
"""Pictures whose ratios of width to height differ by a larger factor are not compared: copies are seldom stretched."""
MAX_CONTRAST = 1.6
"""Pictures whose contrasts differ by a larger factor are not compared: faint dots are not bold dots."""
FINE = 192
"""Longer side, in pixels, of what is kept of a picture."""
PLAIN = 32
"""A border is plain where no channel differs by more than this from its colour: JPEG leaves noise."""
CUT, CUT_PIXELS = 0.1, 8
"""A side of a frame cuts through something where more than this share of its pixels, and this many, is not of its usual
colour."""
SCALES = 0.955 ** np.arange(9)
"""A crop is looked for from the whole side down to 0.69 of it: 60 % of the area is 0.77 of the side."""
CAPTION = 0.2
"""A caption is looked for in this share of the height, at the top and at the bottom."""
NEARLY = 0.93
"""Correlation of 96 × 96 pixels from which a box is moved by fractions of a pixel, and smoothing tried."""
MOVES = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, -1, 0], [0, 1, 0, -1], [1, 1, -1, -1]])
MOVES = np.concatenate([MOVES, -MOVES])
"""How a box is moved to fit better: sideways, down, narrower, lower, smaller, and back."""
PROMISING = 0.75
"""Correlation of the small grey versions from which a place is looked at closely."""
EDGE = 0.04
"""A window that ends nearer than this to the border of a picture ends there: borders are cut off with some play."""
MIN_WINDOW = 0.65
"""Smallest side of a window, as a share of the picture: two pictures with one small thing in common are no copies."""
SLIGHT_WINDOW, SLIGHT_DIFFERENCE = 0.85, 0.03
"""A window this large that agrees this closely may also end where the picture is not cut: the margin alone is gone."""

Pixels = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of the picture."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Look:
    """What is kept of a picture without its plain border: RGB, longer side FINE; squeezed to a square; grey, small.

    `cut`: whether, left, top, right and bottom, the frame cuts through something, as that of a crop does.
    `framed`: as `fine`, but with the plain border; None where that is nearly all. `bare`: as `fine`, but without what
    may be a caption.
    """

    fine: Image.Image
    cut: tuple[bool, ...]
    square: Pixels
    small: Pixels
    template: Pixels
    field: Pixels
    framed: Image.Image | None
    bare: tuple[Image.Image, ...]

    @classmethod
    def of(cls, image: Image.Image) -> Self:
        """The look of an RGB picture."""
        content, cut = _content(image)
        fine = _fit(content, FINE)
        filled = min(content.width / image.width, content.height / image.height)
        framed = _fit(image, FINE) if filled >= MIN_FILLED else None
        bare = tuple(_fit(_content(rest)[0], FINE) for rest in _without_caption(image))
        return cls(fine, cut, _window(fine, WHOLE), _grey(fine, 24), _grey(fine, 48), _grey(fine, 64), framed, bare)

    def mirrored(self) -> "Look":
        """The look of the mirror image."""
        turn = Image.Transpose.FLIP_LEFT_RIGHT
        fine = self.fine.transpose(turn)
        framed = self.framed and self.framed.transpose(turn)
        square, small, template, field = (
            np.ascontiguousarray(pixels[:, ::-1]) for pixels in (self.square, self.small, self.template, self.field)
        )
        left, top, right, bottom = self.cut
        return Look(fine, (right, top, left, bottom), square, small, template, field, framed, self.bare)


def same_picture(one: Look, other: Look) -> bool:
    """Whether two looks show the same picture."""
    return _enough(agreement(one, other))


def _enough(found: tuple[float, float]) -> bool:
    return found[0] >= MIN_CORRELATION and found[1] <= MAX_DIFFERENCE


def agreement(one: Look, other: Look) -> tuple[float, float]:
    """Correlation of two pictures where they fit best, and the share of variance by which their worst block differs.

    One picture is tried as it is and mirrored; as a whole, then with its border, then inside the other and around it.
    """
    faces = (one, one.mirrored())
    results = [(0.0, 1.0)]
    for compared in (_as_wholes, _with_borders, _as_windows):
        results += compared(faces, other)
        if any(map(_enough, results)):
            break
    return max(results, key=_rank)


Faces = tuple[Look, Look]
"""A picture as it is, and mirrored."""


def _best_face(faces: Faces, other: Look) -> tuple[float, Look]:
    """The face that correlates best with `other`, and how well."""
    return max(((_compare(face.square, other.square)[0], face) for face in faces), key=lambda found: found[0])


def _as_wholes(faces: Faces, other: Look) -> Iterator[tuple[float, float]]:
    face = _best_face(faces, other)[1]
    if _stretch(face.fine, other.fine) <= MAX_STRETCH:
        yield _judged(face.square, other.square)
    one = faces[0]
    for bare, look in [(bare, other) for bare in one.bare] + [(bare, one) for bare in other.bare]:
        if _stretch(bare, look.fine) <= MAX_STRETCH:
            yield _judged(_window(bare, WHOLE), look.square)


def _with_borders(faces: Faces, other: Look) -> Iterator[tuple[float, float]]:
    if faces[0].framed and other.framed and _stretch(faces[0].framed, other.framed) <= MAX_STRETCH:
        square = _window(other.framed, WHOLE)
        for face in faces:
            assert face.framed  # mirrored, it has a border as well
            yield _judged_framed(_window(face.framed, WHOLE), square)


def _as_windows(faces: Faces, other: Look) -> Iterator[tuple[float, float]]:
    correlation, face = _best_face(faces, other)
    places = [(correlation, WHOLE, face, other), (correlation, WHOLE, other, face)]
    for inner, outer in ((inner, outer) for face in faces for inner, outer in ((face, other), (other, face))):
        places.append((*_place(inner.small, outer.small), inner, outer))
    for correlation, rough, inner, outer in sorted(places, key=lambda place: -place[0])[:4]:
        if correlation >= PROMISING:
            box = _refined(inner.template, outer.field, rough)
            if _large(box) and _stretch(inner.fine, outer.fine, box) <= MAX_STRETCH:
                found = _judged(inner.square, _polished(inner.square, outer.fine, box))
                slight = found[1] <= SLIGHT_DIFFERENCE and _large(box, SLIGHT_WINDOW)
                if _cut_where(inner.cut, box) or (slight and _softened(face.square, other.square)[1] >= MIN_KEPT):
                    yield found


def _rank(found: tuple[float, float]) -> tuple[bool, float]:
    return _enough(found), found[0]


def _stretch(one: Image.Image, other: Image.Image, box: Box = WHOLE) -> float:
    """The factor, at least 1, by which `one` differs from what `other` shows in `box` in the ratio of its sides."""
    left, top, right, bottom = box
    factor = one.width * other.height * (bottom - top) / (one.height * other.width * (right - left))
    return max(factor, 1 / factor)


def _large(box: Box, least: float = MIN_WINDOW) -> bool:
    left, top, right, bottom = box
    return min(right - left, bottom - top) >= least


def _cut_where(cut: tuple[bool, ...], box: Box) -> bool:
    """Whether a picture that lies at `box` of another is `cut` wherever something is left out, as a crop is.

    So an icon of two stars is no crop of an icon of three, nor one sheet of paper a crop of a pile.
    """
    left, top, right, bottom = box
    inside = (left > EDGE, top > EDGE, right < 1 - EDGE, bottom < 1 - EDGE)
    return all(c for c, i in zip(cut, inside, strict=True) if i)


def _content(image: Image.Image) -> tuple[Image.Image, tuple[bool, ...]]:
    """`image` without its plain border, nor a second one inside (a frame around a drawing on white); and Look.cut."""
    cut = tuple(_is_cut(side) for side in _frame(image))
    before = None
    for _ in range(2):
        frame = _frame(image)
        colour = np.median(np.concatenate(frame), axis=0)
        if before is not None and np.abs(colour - before).max() <= PLAIN:
            break
        before = colour
        plain = Image.new("RGB", image.size, tuple(int(value) for value in colour))
        red, green, blue = ImageChops.difference(image, plain).split()
        box = ImageChops.lighter(ImageChops.lighter(red, green), blue).point(lambda v: 255 * (v > PLAIN)).getbbox()
        if box is None:
            break
        cut = tuple(_is_cut(side) for side in frame)
        image = image.crop(box)
    return image, cut


def _without_caption(image: Image.Image) -> list[Image.Image]:
    """`image` without a strip at its bottom, and at its top, that a plain row parts from it and that is not plain.

    The strip is cut off at the first plain row, and where the last plain rows before what is written begin.
    """
    pixels = np.asarray(image)
    colour = np.median(pixels, axis=1, keepdims=True)
    plain = np.abs(pixels - colour).max(axis=(1, 2)) <= PLAIN
    height, strip = len(plain), int(CAPTION * len(plain))
    found = []
    for rows, turned in ((plain, False), (plain[::-1], True)):
        written = np.flatnonzero(~rows[height - strip :])
        gaps = np.flatnonzero(rows[height - strip :])
        if len(written) and len(gaps) and gaps[0] < written[-1]:
            before = gaps[gaps < written[-1]]
            last = before[np.flatnonzero(np.diff(before, prepend=-2) > 1)[-1]]
            for gap in {int(gaps[0]), int(last)}:
                kept = height - strip + gap
                box = (0, height - kept, image.width, height) if turned else (0, 0, image.width, kept)
                found.append(image.crop(box))
    return found


def _is_cut(side: NDArray[np.uint8]) -> bool:
    """Whether something crosses this side (n, 3) of a frame; an outline that runs along it does not."""
    other = np.abs(side - np.median(side, axis=0)).max(axis=1) > PLAIN
    return bool(other.mean() > CUT and other.sum() >= CUT_PIXELS)


def _frame(image: Image.Image) -> list[NDArray[np.uint8]]:
    """The outermost pixels, left, top, right, bottom, as (n, 3) each."""
    pixels = np.asarray(image)
    return [pixels[:, 0], pixels[0], pixels[:, -1], pixels[-1]]


def _fit(image: Image.Image, longer: int) -> Image.Image:
    scale = longer / max(image.size)
    width, height = (max(2, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)


def _grey(image: Image.Image, longer: int) -> Pixels:
    return np.asarray(_fit(image, longer).convert("L"), np.float32)


def _window(image: Image.Image, box: Box) -> Pixels:
    """What `image` shows in `box`, squeezed to (SIDE, SIDE, 3)."""
    left, top, right, bottom = (min(max(share, 0.0), 1.0) for share in box)
    pixels = (left * image.width, top * image.height, right * image.width, bottom * image.height)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, pixels), np.float32)


def _compare(one: Pixels, other: Pixels) -> tuple[float, float]:
    """Correlation of two (SIDE, SIDE, 3), and the worst block's share of variance after the best linear fit."""
    a, b = one - one.mean(), other - other.mean()
    spread, cross = float((a * a).mean()), float((a * b).mean())
    other_spread = float((b * b).mean())
    if min(spread, other_spread) < 1 or max(spread, other_spread) > MAX_CONTRAST**2 * min(spread, other_spread):
        return 0.0, 1.0  # a picture of nothing but one colour is like none
    error = (cross / spread * a - b) ** 2
    blocks = error.reshape(BLOCKS, SIDE // BLOCKS, BLOCKS, SIDE // BLOCKS, 3).mean(axis=(1, 3, 4))
    return cross / (spread * other_spread) ** 0.5, float(blocks.max()) / other_spread


def _judged(one: Pixels, other: Pixels) -> tuple[float, float]:
    """As `_compare`, both as they are or, if better, smoothed; between thin lines the difference is scaled up."""
    found = _compare(one, other)
    if found[0] < NEARLY:
        return found
    smooth, kept = _softened(one, other)
    if kept < MIN_KEPT:
        spreads = [float(pixels.var()) for pixels in (one, other)]
        if max(spreads) > THIN_CONTRAST**2 * min(spreads):
            return found[0], 1.0
        return found[0], found[1] * MAX_DIFFERENCE / THIN_DIFFERENCE
    return max(found, _compare(*smooth), key=_rank)


def _judged_framed(one: Pixels, other: Pixels) -> tuple[float, float]:
    """As `_judged`, of pictures with their borders, which are alike whatever they frame: the limits are narrower."""
    found = _compare(one, other)
    if found[0] < FRAMED_CORRELATION:
        return found[0], 1.0
    smooth, kept = _softened(one, other)
    if kept < FRAMED_KEPT:
        return found[0], 1.0
    return max(found, _compare(*smooth), key=_rank)


def _softened(one: Pixels, other: Pixels) -> tuple[tuple[Pixels, Pixels], float]:
    """Both smoothed, and the share of its variance that the one which loses more keeps."""
    smooth = _smoothed(one), _smoothed(other)
    pairs = zip(smooth, (one, other), strict=True)
    return smooth, min(float(after.var() / max(float(before.var()), 1e-9)) for after, before in pairs)


def _smoothed(pixels: Pixels) -> Pixels:
    """(SIDE, SIDE, 3), each pixel the mean of those around it with weights 1, 4, 6, 4, 1 both ways: sigma 1 pixel."""
    for _ in range(2):
        wide = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
        tall = wide[:-2] + 2 * wide[1:-1] + wide[2:]
        pixels = (tall[:, :-2] + 2 * tall[:, 1:-1] + tall[:, 2:]) / 16
    return pixels


def _polished(square: Pixels, image: Image.Image, box: Box) -> Pixels:
    """What `image` shows at `box`, moved by less than a pixel to where `square` correlates best with it."""
    centred = (square - square.mean()).ravel()
    centred /= max(float(np.linalg.norm(centred)), 1.0)

    def fit(pixels: Pixels) -> float:  # the correlation alone, without what `_compare` does beside
        other = pixels.ravel()
        correlation: float = float(centred @ other) / max(float(other.std()) * len(other) ** 0.5, 1.0)
        return correlation

    window = _window(image, box)
    best = fit(window)
    if best < NEARLY:
        return window
    for step in (0.004, 0.002, 0.001):
        for move in np.tile(MOVES, (2, 1)) * step:
            tried = tuple((np.array(box) + move).tolist())
            moved = _window(image, tried)
            found = fit(moved)
            if found > best:
                best, box, window = found, tried, moved
    return window


@njit(cache=True, nogil=True)
def _sampled(pixels: Any, left: float, top: float, right: float, bottom: float, height: int, width: int) -> Any:
    """What `pixels` (h, w) shows in a box, as (height, width), bilinear; outside, its edge goes on."""
    h, w = pixels.shape
    out = np.empty((height, width), np.float32)
    for y in range(height):
        v = (top + (bottom - top) * (y + 0.5) / height) * h - 0.5
        above = int(np.floor(v))
        down = np.float32(v - above)
        below = min(max(above + 1, 0), h - 1)
        above = min(max(above, 0), h - 1)
        for x in range(width):
            u = (left + (right - left) * (x + 0.5) / width) * w - 0.5
            before = int(np.floor(u))
            along = np.float32(u - before)
            after = min(max(before + 1, 0), w - 1)
            before = min(max(before, 0), w - 1)
            upper = (1 - along) * pixels[above, before] + along * pixels[above, after]
            lower = (1 - along) * pixels[below, before] + along * pixels[below, after]
            out[y, x] = (1 - down) * upper + down * lower
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _correlation(template: Any, length: float, pixels: Any, top: int, left: int) -> float:
    """Of `template` (h, w), of mean zero and this length, with the window of `pixels` at `top`, `left`."""
    h, w = template.shape
    cross, total, squares = np.float32(0), np.float32(0), np.float32(0)
    for y in range(h):
        for x in range(w):
            value = pixels[top + y, left + x]
            cross += value * template[y, x]
            total += value
            squares += value * value
    spread = squares - total * total / (h * w)
    return cross / (length * np.sqrt(spread)) if spread > h * w and length > 0 else -1.0


@njit(cache=True, nogil=True)
def _centred(pixels: Any) -> Any:
    centred = pixels - pixels.mean()
    return centred, np.sqrt((centred * centred).sum())


@njit(cache=True, nogil=True)
def _place(template: Any, field: Any) -> Any:
    """Where in `field` (H, W) `template` (h, w) fits best, over SCALES and places: correlation and box."""
    height, width = field.shape
    h, w = template.shape
    largest = min(height / h, width / w)
    best, box = -1.0, (0.0, 0.0, 1.0, 1.0)
    for scale in SCALES:
        tall, wide = max(2, round(h * largest * scale)), max(2, round(w * largest * scale))
        scaled, length = _centred(_sampled(template, 0.0, 0.0, 1.0, 1.0, tall, wide))
        for top in range(height - tall + 1):
            for left in range(width - wide + 1):
                found = _correlation(scaled, length, field, top, left)
                if found > best:
                    best = found
                    box = (left / width, top / height, (left + wide) / width, (top + tall) / height)
    return best, box


@njit(cache=True, nogil=True)
def _refined(template: Any, field: Any, box: Any) -> Any:
    """`box`, moved and stretched in ever smaller steps as long as `template` correlates better with `field` there."""
    h, w = template.shape
    centred, length = _centred(template)
    best = _correlation(centred, length, _sampled(field, box[0], box[1], box[2], box[3], h, w), 0, 0)
    for step in (0.04, 0.02, 0.01, 0.005):
        better = True
        while better:
            better = False
            for move in range(len(MOVES)):
                left, top, right, bottom = box
                left += MOVES[move, 0] * step
                top += MOVES[move, 1] * step
                right += MOVES[move, 2] * step
                bottom += MOVES[move, 3] * step
                if min(left, top) < -0.02 or max(right, bottom) > 1.02 or right - left < 0.5 or bottom - top < 0.5:
                    continue
                found = _correlation(centred, length, _sampled(field, left, top, right, bottom, h, w), 0, 0)
                if found > best + 1e-5:
                    best, box, better = found, (left, top, right, bottom), True
    return box


class Looks:
    """The looks of those images that were proposed as copies."""

    def __init__(self, looks: dict[int, Look | None]) -> None:
        self._looks = looks

    @classmethod
    def of(cls, images: Path, rows: NDArray[np.int64]) -> Self:
        """Read the pictures at `rows`, ascending, of the table IMAGES at `images`."""
        looks: dict[int, Look | None] = {}
        begin = 0
        with ThreadPoolExecutor(cores()) as threads:
            for shard in IMAGES.batches(images, ["bytes", "width"]):
                low, high = np.searchsorted(rows, [begin, begin + shard.num_rows])
                here = rows[low:high]
                pictures = shard.take(pa.array(here - begin)).to_pylist()
                looks.update(zip(here.tolist(), threads.map(_look_of, pictures), strict=True))
                begin += shard.num_rows
        return cls(looks)

    def agree(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the pairs of rows (p,) show the same picture; images without pixels have nothing to disagree in."""

        def same(i: int, j: int) -> bool:
            one, other = self._looks[i], self._looks[j]
            return one is None or other is None or same_picture(one, other)

        with ThreadPoolExecutor(cores()) as threads:
            return np.fromiter(threads.map(same, left.tolist(), right.tolist()), bool, len(left))


def _look_of(picture: dict[str, Any]) -> Look | None:
    """None for an image without pixels: a made vector (corpus.synthetic.images: features)."""
    return Look.of(to_rgb(picture["bytes"])) if picture["width"] else None
