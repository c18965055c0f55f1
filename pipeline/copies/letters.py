"""Pictures without the bright letters that lie over them: a saying over a darkened photograph, a meme's two lines.

Letters have most of such a picture's points, and spoil the surroundings of the others. So where thin bright strokes
lie on a picture that is dark everywhere else, or have a black outline, they are painted over by what is around them
(Telea, 2004), and what is left is looked at as well.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 320
"""Letters are looked for, and painted over, in as many pixels as a square of SIDE has, or fewer."""
COARSE = 80
"""Of so many pixels a side some are asked first whether the picture is dark, as most are not."""
STROKE, BRIGHT, ABOVE = 11, 200, 50
"""A stroke is narrower than so many pixels, its darkest channel so bright, and brighter than around it by so much."""
LEAST, MOST = 0.012, 0.2
"""Shares of the picture that strokes take up."""
DARK = 150
"""Of the rest all but a twentieth has a darker channel than this."""
BLACK, OUTLINED = 90, 0.5
"""Else strokes have an outline: two pixels beside them so much has no brighter channel than this."""
PLAIN = 0.5
"""A picture of which more is one colour is a drawing, whose bright strokes are its own, or a page."""
SHADE = 6
"""Levels of a channel by which one colour differs: JPEG leaves noise."""
AROUND = 5
"""Pixels by which strokes are widened, for what JPEG leaves around them."""


def without_letters(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The RGB picture (h, w, 3) without bright letters, in SIDE² pixels or fewer; None where it has none."""
    step = max(1, round(max(pixels.shape) / COARSE))
    coarse = pixels[::step, ::step]
    if (_darkest(coarse) >= DARK).mean() >= MOST:  # as of most pictures
        white, black = (_darkest(coarse) > BRIGHT).mean(), (_brightest(coarse) < BLACK).mean()
        if min(white, black) < LEAST:
            return None
    image = Image.fromarray(pixels)
    zoom = min(1.0, SIDE / (image.width * image.height) ** 0.5)
    width, height = (max(STROKE, round(side * zoom)) for side in image.size)
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX))
    darkest = _darkest(small)
    strokes = cv2.morphologyEx(darkest, cv2.MORPH_TOPHAT, _square(STROKE)) > ABOVE
    strokes &= darkest > BRIGHT
    if not LEAST <= strokes.mean() <= MOST:
        return None
    letters = _wider(strokes, AROUND)
    rest = darkest[~letters]
    if not len(rest):
        return None
    if (rest >= DARK).mean() >= 0.05:
        beside = letters & ~_wider(strokes, 3)
        outline = beside & (_brightest(small) < BLACK)
        if outline.sum() < OUTLINED * beside.sum():
            return None
        letters = _wider(strokes | outline, AROUND)
    bare = np.asarray(cv2.inpaint(small, letters.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
    return None if _plain(bare) > PLAIN else bare


def _darkest(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The darkest channel (h, w) of each of (h, w, 3)."""
    return np.asarray(cv2.min(cv2.min(pixels[..., 0], pixels[..., 1]), pixels[..., 2]))


def _brightest(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The brightest channel (h, w) of each of (h, w, 3)."""
    return np.asarray(cv2.max(cv2.max(pixels[..., 0], pixels[..., 1]), pixels[..., 2]))


def _wider(strokes: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Strokes (h, w), and what lies in a square of so many pixels around each of theirs."""
    return cv2.dilate(strokes.astype(np.uint8), _square(by)) > 0


def _plain(pixels: NDArray[np.uint8]) -> float:
    """The share of (h, w, 3) that has its most frequent colour."""
    colours = pixels.reshape(-1, 3)
    return float((np.abs(colours - most_frequent(colours)).max(axis=1) <= SHADE).mean())


def most_frequent(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The most frequent (3,) of colours (p, 3): the median of those that share 8 levels of each channel, for noise."""
    coarse = (colours >> 3).astype(np.int64) @ (1, 32, 1024)
    return np.asarray(np.median(colours[coarse == np.bincount(coarse).argmax()], axis=0))


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)
