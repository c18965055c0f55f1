"""Whether two pictures that agree as small ones differ in detail: in a letter, a digit, a chess piece.

At THUMB pixels "Leap 5.3" and "Leap 5.4" are one announcement. So of each picture DETAIL pixels of the longer side are
kept in grey, and of two that would be copies the one is laid on the other at the size of the coarser, mended by its
pixels (ECC), smoothed, and brought to the other's contrast. What then lies outside all that the other shows within a
pixel is a difference; JPEG, another size or a pixel's shift leave less than APART of it, drawn letters more.

APART is by copies planted among openclipart in the ways of `pipeline.copies.planted` (99 % stay) and by digits drawn on
its pictures (69 % are told; some of the others lie outside the picture).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.copies.points import Move

DETAIL, FINE = 256, 512
"""Longer side, in pixels; and of flat pictures, which take as few bytes so."""
PACKED, FLAT = 16_384, 6_000
"""Bytes that a packed detail takes at most; and up to which a finer one may fit as well."""
QUALITIES = (80, 50, 20, 5)
"""Of JPEG: the first by which a picture fits, and noise alone needs the last."""
APART = 20.0
"""Grey levels."""
EDGE = 4
"""Pixels at the edge of what lies on each other that say nothing: there a border is cut at another one."""
LEAST_AREA = 400
"""Pixels that have to lie on each other to tell a difference."""
DRIFT, SLIP = 0.05, 0.06
"""How far pixels may mend the place: of a turn or stretch, and of the longer side."""

Grey = NDArray[np.uint8]


def kept(content: Image.Image) -> bytes:
    """The detail of a picture without its borders, packed: at FINE where that fits, else at DETAIL."""
    found = packed(detail_of(content))
    if len(found) > FLAT or max(content.size) <= DETAIL:
        return found
    fine = _encoded(detail_of(content, FINE), QUALITIES[0])
    return fine if len(fine) <= PACKED else found


def detail_of(content: Image.Image, side: int = DETAIL) -> Grey:
    """The detail (h, w) of a picture, its longer `side` in pixels; a smaller one stays as it is."""
    zoom = min(1.0, side / max(content.size))
    width, height = (max(2, round(side * zoom)) for side in content.size)
    return np.asarray(content.resize((width, height), Image.Resampling.BOX).convert("L"))


def packed(detail: Grey) -> bytes:
    """The detail as at most PACKED bytes."""
    for quality in QUALITIES:
        found = _encoded(detail, quality)
        if len(found) <= PACKED:
            break
    return found


def _encoded(detail: Grey, quality: int) -> bytes:
    return cv2.imencode(".jpg", detail, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def unpacked(held: bytes) -> Grey:
    """What `packed` took; what follows it does not matter."""
    return np.asarray(cv2.imdecode(np.frombuffer(held, np.uint8), cv2.IMREAD_GRAYSCALE))


def differ(one: Grey, other: Grey, move: Move, untold: bool = False) -> bool:
    """Whether details (h, w) differ where `move` (3, 3), in units of the longer sides, lays `one` on `other`.

    `untold`: what is said where too few pixels lie on each other to tell.
    """
    own, under = float(max(one.shape)), float(max(other.shape))
    matrix: Move = np.diag([under, under, 1.0]) @ move @ np.diag([1 / own, 1 / own, 1.0])
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if scale > 1:  # the finer one is laid on the coarser
        one, other, scale = other, one, 1 / scale
        matrix = np.asarray(np.linalg.inv(matrix), np.float64)
    finer, below = one.astype(np.float32), other.astype(np.float32)
    finer = _smooth(finer, 0.5 / scale) if scale < 0.8 else finer
    size = other.shape[1], other.shape[0]
    mended = _settled(finer, below, matrix[:2])
    laid: Any = cv2.warpAffine(finer, mended, size, flags=cv2.INTER_LINEAR)
    whole: Any = cv2.warpAffine(np.full(one.shape, 255, np.uint8), mended, size, flags=cv2.INTER_NEAREST)
    inside = cv2.erode(whole, _square(EDGE), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    if inside.sum() < LEAST_AREA:
        return untold
    laid, below = _smooth(laid, 1.0), _smooth(below, 1.0)
    fitted = _fitted(laid, below, inside)
    apart = np.maximum(_outside(fitted, below), _outside(below, fitted)) * inside
    return bool(_smooth(apart, 1.0).max() > APART)


def by_pixels(one: NDArray[Any], other: NDArray[Any], start: Move, steps: int, least: float) -> Move:
    """What takes places of `one` to `other`, in grey, near `start` (2, 3), by their pixels; else `start`.

    ECC (Evangelidis and Psarakis, 2008), in at most so many `steps`, until one gains less than `least`.
    """
    stop = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, least
    try:
        found = cv2.findTransformECC(one, other, start.astype(np.float32), cv2.MOTION_AFFINE, stop)[1]
    except cv2.error:  # it does not converge
        return start
    return np.asarray(found, np.float64)


def _settled(finer: NDArray[np.float32], below: NDArray[np.float32], matrix: Move) -> Move:
    """The `matrix` (2, 3) that lays `finer` on `below`, mended by their pixels where that moves it a little."""
    size = below.shape[1], below.shape[0]
    laid = cv2.warpAffine(finer, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    start = np.eye(2, 3)
    turn = by_pixels(below, laid, start, 30, 1e-4)
    if np.abs(turn - start)[:, :2].max() > DRIFT or np.abs(turn[:, 2]).max() > SLIP * max(size):
        return matrix
    last = np.array([[0, 0, 1]])
    return np.asarray((np.linalg.inv(np.vstack([turn, last])) @ np.vstack([matrix, last]))[:2])


def _fitted(one: NDArray[np.float32], other: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`one` with the brightness and contrast of `other` where they lie on each other."""
    a, b = one[inside], other[inside]
    a_mean, b_mean = float(a.mean()), float(b.mean())
    contrast = float(((a - a_mean) * (b - b_mean)).sum()) / max(1.0, float(((a - a_mean) ** 2).sum()))
    return np.asarray((one - a_mean) * contrast + b_mean, np.float32)


def _outside(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how much `one` lies outside all that `other` shows within a pixel."""
    near = _square(1)
    return np.asarray(np.maximum(np.maximum(one - cv2.dilate(other, near), cv2.erode(other, near) - one), 0))


def _square(reach: int) -> NDArray[np.uint8]:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)


def _smooth(pixels: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma))
