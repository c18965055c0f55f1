"""Words that stand in a picture: one network finds lines of letters, another reads a line (beyond the paper).

Both are PP-OCRv4's for mobile phones (Du et al. 2020, PP-OCR; Liao et al. 2020, differentiable binarization; Shi et al.
2015, CTC), whose weights lie in the wheel rapidocr-onnxruntime and are held to their SHA-256. They know Latin letters,
digits and Chinese. Its Python code is not imported: it wants opencv-python, which overwrites the files of the headless
one that is here. What is around the networks is written anew from what the papers and that code say.

A picture is read alone, and a line without padding: what is read of a picture does not depend on its neighbours.
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.pictures.storing import to_rgb
from pipeline.running.errors import UserError

Array = NDArray[Any]

WHEEL = "rapidocr_onnxruntime"
FINDS = ("ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9")
READS = ("ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b")
"""Names and SHA-256 of the weights in rapidocr-onnxruntime 1.4.4."""
NO_WHEEL = "images.read needs the networks of rapidocr-onnxruntime, which are not installed: `make env` installs them."

MOST_LINES = 12
"""Lines that are read of a picture, the highest: a sentence encoder takes some 200 words, and reading a line is what
costs."""
LETTER, LINE, SURE = 0.3, 0.5, 0.5
"""The least probability of a pixel that belongs to letters, of a line on average, and of what is read. As RapidOCR."""
GROWN = 1.6
"""How far a line is widened, times its area by its circumference: the network marks the cores of lines."""
SMALLEST = 3
"""Pixels: what is lower is no line."""
HEIGHT, WIDEST = 48, 1600
"""Pixels of a line as it is read; a longer one is squeezed."""
STEP = 32
"""The network that finds lines takes pictures whose sides are multiples of this."""


class Line(NamedTuple):
    """A line of words in a picture, with the probability of its characters, on average."""

    text: str
    score: float


class PictureReader:
    """Reads stored pictures; one may be asked from several threads, of which each uses one core."""

    def __init__(self) -> None:
        """Raises UserError where the wheel is missing, or holds other weights."""
        self._finds, self._reads = (_session(name, sha256) for name, sha256 in (FINDS, READS))
        characters = self._reads.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters = np.array(["", *characters, " "])  # the first is CTC's blank

    def read(self, stored: bytes) -> list[Line]:
        """The lines of a stored picture, from above to below."""
        pixels = np.asarray(to_rgb(stored))[:, :, ::-1]  # blue, green, red, as both networks were trained
        corners = sorted(self._lines(pixels), key=_height, reverse=True)[:MOST_LINES]
        found = [self._line(_level(pixels, line)) for line in _in_order(corners)]
        return [line for line in found if line.text and line.score >= SURE]

    def _lines(self, pixels: Array) -> list[Array]:
        """The corners (4, 2), x and y, of each line, from its upper left one clockwise."""
        height, width = pixels.shape[:2]
        size = tuple(max(STEP, round(side / STEP) * STEP) for side in (width, height))
        letters = _asked(self._finds, cv2.resize(pixels, size))[0, 0]
        mask = cv2.dilate((letters > LETTER).astype(np.uint8), np.ones((2, 2), np.uint8))
        found = []
        for contour in cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
            center, (along, across), angle = cv2.minAreaRect(contour)
            core = cv2.boxPoints((center, (along, across), angle))
            if min(along, across) < SMALLEST or _mean_within(letters, core) < LINE:
                continue
            more = GROWN * along * across / (along + across)
            grown = cv2.boxPoints((center, (along + more, across + more), angle))
            found.append(_clockwise(grown * (width / size[0], height / size[1])))
        return found

    def _line(self, pixels: Array) -> Line:
        """What a level line (h, w, 3) says."""
        width = min(WIDEST, max(HEIGHT, round(HEIGHT * pixels.shape[1] / pixels.shape[0])))
        likely = _asked(self._reads, cv2.resize(pixels, (width, HEIGHT)))[0]
        best, score = likely.argmax(1), likely.max(1)
        said = (best != 0) & np.append(True, best[1:] != best[:-1])
        return Line("".join(self._characters[best[said]]).strip(), float(score[said].mean()) if said.any() else 0.0)


def _session(name: str, sha256: str) -> Any:
    import onnxruntime

    spec = importlib.util.find_spec(WHEEL)  # without importing it
    if spec is None or not spec.submodule_search_locations:
        raise UserError(NO_WHEEL)
    path = Path(spec.submodule_search_locations[0]) / "models" / name
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. {NO_WHEEL}") from error
    if hashlib.sha256(graph).hexdigest() != sha256:
        raise UserError(f"{path} is not the network that it is known as, by its SHA-256. {NO_WHEEL}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # pictures are read side by side instead
    options.log_severity_level = 3  # of what it did to the graph
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _asked(session: Any, pixels: Array) -> Array:
    """What a network says of a picture (h, w, 3)."""
    given = (pixels.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
    found: Array = session.run(None, {session.get_inputs()[0].name: given})[0]
    return found


def _mean_within(letters: Array, corners: Array) -> float:
    """The mean of `letters` (h, w) within `corners` (4, 2)."""
    begin = np.floor(corners.min(0)).astype(int).clip(0)
    end = np.ceil(corners.max(0)).astype(int) + 1
    part = letters[begin[1] : end[1], begin[0] : end[0]]
    inside = cv2.fillPoly(np.zeros(part.shape, np.uint8), [(corners - begin).astype(np.int32)], (1,))
    return float(cv2.mean(part, inside)[0])


def _clockwise(corners: Array) -> Array:
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    return np.array([left[0], right[0], right[1], left[1]], np.float32)


def _sides(corners: Array) -> tuple[float, float]:
    """Width and height."""
    return float(np.linalg.norm(corners[0] - corners[1])), float(np.linalg.norm(corners[0] - corners[3]))


def _height(corners: Array) -> float:
    return min(_sides(corners))


def _in_order(corners: list[Array]) -> list[Array]:
    """From above to below; what is side by side from left to right, as far as half a line's height tells."""
    rows: list[list[Array]] = []
    for line in sorted(corners, key=lambda one: float(one[:, 1].mean())):
        middle = float(line[:, 1].mean())
        if rows and middle - float(rows[-1][0][:, 1].mean()) < _height(line) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda one: float(one[:, 0].min()))]


def _level(pixels: Array, corners: Array) -> Array:
    """The line within `corners`, turned level; one that stands upright is laid down."""
    width, height = (max(1, round(side)) for side in _sides(corners))
    onto = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(corners, onto)
    found = cv2.warpPerspective(pixels, turn, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.rot90(found)) if height >= 1.5 * width else found
