"""Whether pictures that are laid on each other agree: as copies, or in a large part of what they show.

A *copy* agrees in its pixels: squeezed to 96 × 96 RGB, up to brightness and contrast, the correlation is at least
MIN_CORRELATION, and no block of 12 × 12 differs by more than MAX_DIFFERENCE, in mean square, of the picture's whole
variance: another emblem in the same flag, another sign in the same triangle leave the correlation high, but not that
block. Pictures are laid on each other whole, without their plain borders, which is all there is for drawings of few
points; or as their points say (`pipeline.copies.points`), and then OVERLAP of either has to lie on the other. Nor may a
block differ in colour, or finer pixels in a detail (`pipeline.copies.detail`): another number on the same announcement.

A picture is *derived* from another where it agrees so but for colour, detail or overlap, or mirrored (an arrow to the
other side is another sign); or where, laid on it by points, they share what is drawn. Between the points that lay it
there and lie alike (their convex hull), of the places with texture at least BETWEEN correlate in their surroundings:
in two road signs the points are the frame's, and what the frame holds does not. Where they take up less than WIDE of
the finer picture, OVER of the places with texture have to wherever the two lie on each other: in two flags the emblem
differs. And what is shared is a share of at least SHARED of one picture, and SHARED_LEAST of the other: a watermark, a
logo or a frame is a small share of both; of two screenshots of one application most is what they differ in. A panel of
a collage, and what a crop left, is a rectangle in which nearly all lies alike, and around it nothing does: then, from
PANEL points on, nothing else is asked (`pipeline.copies.panel`). Nor where all but what lies over one of them agrees
pixel by pixel (`pipeline.copies.covered`).

Two are *related* where points lay one on the other, and of what is drawn in either about half lies alike, however much
beside it does not: a figure with other signal flags, a folder with another emblem. It binds them for the split alone.

What agrees only by a further look, at what lies under bright letters (`pipeline.copies.letters`) or at a part of a
picture that is cut (`pipeline.copies.parts`), is derived; what they share has to go across both. Two parts are not
compared: two flags have one canton.

Few points, which is what flat drawings have, tell the place but roughly: their pixels mend it (ECC; Evangelidis and
Psarakis, 2008), and then, upright, OVER_FEW has to be alike wherever the two lie on each other, and SHARED_FEW of one.

The limits of copies are by planted copies and by looking at pairs of openclipart; those of the derived, docs/copies.md.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.copies.covered import MANY, covered
from pipeline.copies.detail import by_pixels, differ
from pipeline.copies.look import SIDE, THUMB, Look, Pixels, mean_product, square
from pipeline.copies.panel import panel
from pipeline.copies.points import LEAST, Lie, Move, Places, lie
from pipeline.tables.images import COPY, DERIVED, RELATED

MIN_CORRELATION = 0.97
MAX_DIFFERENCE = 0.09
NEARLY = 0.04
"""What is short of MIN_CORRELATION by no more is looked at smoothed, and moved a little."""
BLOCKS = 8
"""Of a square, along either side."""
MIN_KEPT = 0.85
"""Share of its variance that a picture keeps when smoothed; one that keeps less is of thin lines."""
THIN_DIFFERENCE, THIN_CONTRAST = 0.03, 1.2
"""In the place of MAX_DIFFERENCE and MAX_CONTRAST, for thin lines that few points, or none, vouch for."""
SHADE = 24.0
"""Grey levels of a channel: a hand of another skin, a heart of another red is no copy."""
MAX_STRETCH = 1.1
"""Pictures whose ratios of width to height differ by a larger factor are not laid on each other whole."""
MAX_CONTRAST = 1.6
"""Pictures whose contrasts differ by a larger factor are no copies: faint dots are not bold dots."""
PLACED = np.diag([THUMB, THUMB, 1.0])
"""Takes a place, in units of the longer side, there."""
OVERLAP, TURNED = 0.65, 0.05
"""Share of either picture that has to lie on the other, for a copy; tangent of the angle that it may be turned by."""
OVERLAP_LEAST = 0.5
"""The same for what is derived, and agrees as copies do: a bus, and the bus with a taxi beside it."""
MIN_POINTS = 20
"""Points from which on they are not few."""
MENDED = 0.1
"""How far its pixels may move a picture that few points have laid on another, in units of the longer side."""
BETWEEN = 0.75
"""Of what is drawn between the points, in either picture, the share that lies alike."""
OVER, WIDE = 0.6, 0.3
"""Of what is drawn where the two lie on each other, the share that lies alike, unless the points take up so much."""
PANEL = 8
"""Points from which on a rectangle that the two share is enough."""
OVER_FEW, SHARED_FEW = 0.9, 0.6
"""In the place of OVER and SHARED, and of all that is asked of the points, where these are few."""
SHARED, SHARED_LEAST = 0.45, 0.06
"""Of what is drawn in the one and in the other picture, the shares that lie alike, at least."""
RELATED_POINTS, HALF = 12, 0.5
"""Points from which on two are related that share SHARED of both; of what is drawn between the points, or wherever the
two lie on each other, the share that lies alike."""
ACROSS = 0.85
"""Of the height or the width of either picture, where one of the looks is a further one: a panel shows its source from
side to side, or from top to bottom; a flag's canton is one quarter of it.
"""
WINDOW, TEXTURE, LIKE = 9, 8.0, 0.5
"""Surroundings of a pixel, in pixels of the smaller picture; the deviation in them that is texture, in grey levels; the
correlation of two that are alike."""


@dataclass(frozen=True)
class Verdict:
    """`kind` COPY, DERIVED or RELATED, by `evidence` pixels (score: their correlation) or points (score: how many)."""

    kind: str
    evidence: str
    score: float


def judge(one: Look, other: Look) -> Verdict | None:
    """What `one` is to `other`, a copy or derived; None: neither."""
    found = bond(one, other)
    return found if found and found.kind != RELATED else None


def bond(one: Look, other: Look) -> Verdict | None:
    """The same, or that they are no more than related; None: nothing binds them."""
    found = _judged(one, other)
    if found and found.kind != RELATED:
        return found
    for left, right in product((one, *one.further), (other, *other.further)):
        further = left is not one or right is not other
        if further and not (left.part and right.part):
            told = _judged(left, right, further)
            if told and told.kind != RELATED:
                return replace(told, kind=DERIVED)
    return found


def _judged(one: Look, other: Look, further: bool = False) -> Verdict | None:
    """The same by one look at each; `further`: not by the first at both, and not mirrored."""
    ways = (False,) if further else (False, True)
    for mirrored in ways:
        correlation = _wholes(one, other, mirrored)
        if correlation is not None:
            same = not mirrored and _alike_in_colour(one.square, other.square)
            same = same and not differ(one.detail, other.detail, _whole(one, other))
            return Verdict(COPY if same else DERIVED, "pixels", correlation)
    related = None
    for mirrored in ways:
        found = lie(one.points.mirrored if mirrored else one.points, other.points)
        if found is not None and found.points >= LEAST:
            kind = _laid(one, other, found, mirrored, further)
            told = Verdict(kind, "points", float(found.points)) if kind else None
            if told and kind != RELATED:
                return told
            related = related or told
    return related


def _wholes(one: Look, other: Look, mirrored: bool) -> float | None:
    """The correlation of the two contents, the one perhaps mirrored, if they agree."""
    (height, width), (tall, wide) = one.content.shape[:2], other.content.shape[:2]
    if max(width * tall, height * wide) > MAX_STRETCH * min(width * tall, height * wide):
        return None
    cross = mean_product(one.mirrored if mirrored else one.centred, other.centred)
    if _correlation(one.spread, cross, other.spread) < MIN_CORRELATION - NEARLY:
        return None  # as most pairs
    face, under = one.square[:, ::-1] if mirrored else one.square, other.square
    found = _compare(face, under)
    agreed = _agreed(found, face, under, thin=True)
    if agreed is None and found[0] >= MIN_CORRELATION - NEARLY:
        face = _settled(face, under)
        agreed = _agreed(_compare(face, under), face, under, thin=True)
    return agreed


def _whole(one: Look, other: Look) -> Move:
    """What lays the whole of one content on the other's: (3, 3), in units of the longer sides."""
    shapes = one.content.shape[:2], other.content.shape[:2]
    (height, width), (tall, wide) = (np.array(shape) / max(shape) for shape in shapes)
    return np.diag([wide / width, tall / height, 1.0])


def _settled(face: Pixels, under: Pixels) -> Pixels:
    """`face` (SIDE, SIDE, 3) moved by the little that makes it lie best on `under`.

    Where one of two sizes has its border cut a pixel further, flat drawings differ along every edge.
    """
    move = _mended(under, face, np.eye(2, 3))
    if np.abs(move - np.eye(2, 3))[:, :2].max() > 0.02 or np.abs(move[:, 2]).max() > 0.02 * SIDE:
        return face
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(face, move, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _laid(one: Look, other: Look, lie: Lie, mirrored: bool, further: bool) -> str | None:
    """What two pictures are to each other where `lie` takes the one, perhaps mirrored, there."""
    flip = np.array([[-1, 0, one.points.width], [0, 1, 0], [0, 0, 1]]) if mirrored else np.eye(3)
    move = np.vstack([lie.move @ flip, [[0, 0, 1]]])
    there: Any = PLACED @ move @ np.linalg.inv(PLACED)
    scale = float(np.sqrt(abs(np.linalg.det(there[:2, :2]))))
    if not 1 / 20 < scale < 20:
        return None
    marks = _through(PLACED, lie.there)
    first, second = one, other
    if scale > 1:  # the finer picture is laid on the coarser, where both have the detail that is compared
        marks = _through(PLACED @ flip, lie.here)
        one, other, there, scale = other, one, np.linalg.inv(there), 1 / scale
    height, width = (max(4, round(side * scale)) for side in one.content.shape[:2])
    small: Any = cv2.resize(one.content, (width, height), interpolation=cv2.INTER_AREA)
    shrunk = np.diag([one.content.shape[1] / width, one.content.shape[0] / height, 1])
    size = other.content.shape[1], other.content.shape[0]
    matrix = (there @ shrunk)[:2]
    few = lie.points < MIN_POINTS
    if few:
        if not _upright(matrix):
            return None
        matrix = _nearer(small, other.content, matrix)
    laid: Any = cv2.warpAffine(small, matrix, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
    if inside.sum() < WINDOW**2:
        return None
    overlap, alike = _agreeing_overlap(laid, other.content, inside, width * height, there, few)
    if overlap >= OVERLAP and alike and not mirrored and not differ(first.detail, second.detail, move, untold=True):
        return COPY
    if overlap >= OVERLAP_LEAST:
        return DERIVED
    if further and not _across(inside, height, width):
        return None
    return _shared(laid, small, other.content, inside, marks, lie.points)


def _across(inside: NDArray[np.bool_], height: int, width: int) -> bool:
    """Whether what lies `inside` (h, w) goes across both pictures: that which it lies on, and the one, of this size."""
    tall, wide = (int(np.ptp(np.flatnonzero(inside.any(axis=axis)))) + 1 for axis in (1, 0))
    return all(max(tall / h, wide / w) >= ACROSS for h, w in ((height, width), inside.shape))


def _nearer(small: NDArray[np.uint8], under: NDArray[np.uint8], matrix: Move) -> Move:
    """The `matrix` (2, 3) that lays `small` on `under`, mended where that moves no corner far."""
    mended = _mended(small, under, matrix)
    height, width = small.shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    return mended if np.abs(corners @ (mended - matrix).T).max() < MENDED * THUMB else matrix


def _mended(one: NDArray[Any], other: NDArray[Any], start: Move) -> Move:
    """What takes places of `one` to `other`, RGB, near `start` (2, 3), by their pixels; else `start`."""
    grey, under = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (one, other))
    return by_pixels(grey, under, start, 20, 1e-3)


def _upright(move: Move) -> bool:
    return bool(abs(move[0, 1]) <= TURNED * move[1, 1])


def _through(move: Move, places: Places) -> Places:
    """Places (m, 2) moved by (3, 3)."""
    return np.asarray(places @ move[:2, :2].T + move[:2, 2], np.float32)


def _agreeing_overlap(
    laid: NDArray[np.uint8], under: NDArray[np.uint8], inside: NDArray[np.bool_], area: int, there: Move, few: bool
) -> tuple[float, bool]:
    """The share of either picture that lies on the other, the lesser, where that is upright and agrees, else 0; and
    whether colours are the same there.
    """
    overlap = int(inside.sum()) / max(area, inside.size)
    if overlap < OVERLAP_LEAST or not _upright(there):
        return 0.0, False
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = slice(rows[0] + 1, rows[-1]), slice(columns[0] + 1, columns[-1])
    one, other = square(laid[box]), square(under[box])
    agreed = _agreed(_compare(one, other), one, other, thin=few) is not None
    return (overlap, _alike_in_colour(one, other)) if agreed else (0.0, False)


def _shared(
    laid: NDArray[np.uint8],
    small: NDArray[np.uint8],
    under: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    marks: Places,
    points: int,
) -> str | None:
    """DERIVED or RELATED, by what of what is drawn the two share `inside` each other and between the `marks`."""
    one, other = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) for pixels in (laid, under))

    def mean(values: Any) -> Any:
        return cv2.boxFilter(values, -1, (WINDOW, WINDOW))

    means = mean(one), mean(other)
    spreads = [np.sqrt(np.maximum(mean(v * v) - m * m, 0)) for v, m in zip((one, other), means, strict=True)]
    textured = (np.maximum(*spreads) > TEXTURE) & inside
    alike = textured & (mean(one * other) - means[0] * means[1] > LIKE * spreads[0] * spreads[1] + 1e-3)

    def agreeing(where: NDArray[np.bool_]) -> float:
        return float((alike & where).sum() / max(1, (textured & where).sum()))

    # At the edge of what lies there surroundings are the other picture's own.
    within = cv2.erode(inside.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8)) > 0
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    own, theirs = np.sqrt(np.maximum(mean(grey * grey) - mean(grey) ** 2, 0)) > TEXTURE, spreads[1] > TEXTURE
    drawn = max(1, int(own.sum())), max(1, int(theirs.sum()))
    shares = [int(alike.sum()) / one for one in drawn]
    if min(shares) < SHARED_LEAST:
        return None
    if len(marks) >= PANEL and max(shares) >= SHARED:
        held = panel(alike, textured, own, theirs)
        if held >= SHARED * min(drawn) and held >= SHARED_LEAST * max(drawn):
            return DERIVED
    if max(shares) < SHARED:
        return None
    between = _between(marks, alike) & inside
    held_between, held_within = agreeing(between), agreeing(within)
    if points < MIN_POINTS:
        derived = max(shares) >= SHARED_FEW and held_within >= OVER_FEW
    else:
        wide = bool(between.sum() >= WIDE * small.shape[0] * small.shape[1])
        derived = held_between >= BETWEEN and (wide or held_within >= OVER)
        derived = derived or (len(marks) >= MANY and covered(one, other, alike, textured, inside, marks, between))
    if derived:
        return DERIVED
    half = points >= RELATED_POINTS and min(shares) >= SHARED and max(held_between, held_within) >= HALF
    return RELATED if half else None


def _between(marks: Places, alike: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The convex hull (h, w) of those of the `marks` (m, 2) that lie `alike` (h, w), and a little around it."""
    hull = np.zeros(alike.shape, np.uint8)
    column, row = (np.clip(np.rint(marks).astype(int), 0, (alike.shape[1] - 1, alike.shape[0] - 1))).T
    held = marks[alike[row, column]]
    if len(held):
        cv2.fillConvexPoly(hull, cv2.convexHull(held).astype(np.int32), 1)
    return cv2.dilate(hull, np.ones((5, 5), np.uint8)) > 0


def _correlation(spread: float, cross: float, other_spread: float) -> float:
    """By two variances and what they share; 0 where contrasts differ, and of a picture of nothing but one colour."""
    least, most = sorted((spread, other_spread))
    return 0.0 if least < 1 or most > MAX_CONTRAST**2 * least else cross / (spread * other_spread) ** 0.5


def _compare(one: Pixels, other: Pixels) -> tuple[float, float]:
    """Correlation of two (SIDE, SIDE, 3), and the worst block's share of variance after the best linear fit."""
    a, b = (one - one.mean()).ravel(), (other - other.mean()).ravel()
    spread, cross, other_spread = (mean_product(*pair) for pair in ((a, a), (a, b), (b, b)))
    correlation = _correlation(spread, cross, other_spread)
    if correlation < MIN_CORRELATION - NEARLY:
        return correlation, 1.0  # whatever its blocks
    error = (cross / spread * a - b) ** 2
    blocks = error.reshape(BLOCKS, SIDE // BLOCKS, BLOCKS, SIDE // BLOCKS, 3).mean(axis=(1, 3, 4))
    return correlation, float(blocks.max()) / other_spread


def _alike_in_colour(one: Pixels, other: Pixels) -> bool:
    """Whether no block of two (SIDE, SIDE, 3) that agree differs in colour by more than SHADE, after a linear fit."""
    a, b = one - one.mean(), other - other.mean()
    apart = float((a * b).mean() / (a * a).mean()) * a - b
    blocks = apart.reshape(BLOCKS, SIDE // BLOCKS, BLOCKS, SIDE // BLOCKS, 3).mean(axis=(1, 3))
    return bool(np.abs(blocks).max() <= SHADE)


def _agreed(found: tuple[float, float], one: Pixels, other: Pixels, thin: bool) -> float | None:
    """The correlation of two that agree as they are or a little smoothed, which takes away what JPEG leaves at edges.

    `thin`: meshes of thin lines, alike when smoothed whatever they show, have to agree unsmoothed and more narrowly.
    """
    if found[0] < MIN_CORRELATION - NEARLY:
        return None
    smooth: Any = [cv2.GaussianBlur(pixels, (5, 5), 1.0, borderType=cv2.BORDER_REPLICATE) for pixels in (one, other)]
    kept = min(float(s.var()) / max(float(p.var()), 1e-9) for s, p in zip(smooth, (one, other), strict=True))
    if thin and kept < MIN_KEPT:
        spreads = float(one.var()), float(other.var())
        same = max(spreads) <= THIN_CONTRAST**2 * min(spreads)
        return found[0] if same and found[0] >= MIN_CORRELATION and found[1] <= THIN_DIFFERENCE else None
    for correlation, worst in (found, _compare(*smooth)):
        if correlation >= MIN_CORRELATION and worst <= MAX_DIFFERENCE:
            return correlation
    return None
