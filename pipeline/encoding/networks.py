"""Frozen networks that make vectors of pictures: how they see a picture, and what they run in.

Every network sees the whole picture, fitted into a white square: cutting a centre out would lose parts of drawings
(ours; the paper does not say). Style alone is of quarters, which together lose nothing either. On a CPU a float32
network runs in ONNX Runtime, which measured 2.5 times torch's eager speed (benchmarks.pictures.features); on CUDA, or
in bfloat16, torch runs it, convolutions and batch norms fused, channels last.
"""

import logging
import tempfile
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.common.without_mkl import without_mkl
from pipeline.pictures.storing import to_rgb
from pipeline.running.machine import cores, warn_if_slow

if TYPE_CHECKING:
    import torch

log = logging.getLogger("encoders")

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From pixels (n, side, side, 3) to vectors (n, dim)."""


class Encoder(Protocol):
    """Turns stored pictures into vectors of `dim` numbers, in two steps so that the first may run ahead on threads."""

    dim: int

    def prepare(self, stored: bytes) -> NDArray[Any]:
        """The input that one stored picture makes."""

    def encode(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors (n, dim) of n inputs."""


class NetworkEncoder:
    """A torch network from normalised pictures (n, 3, side, side) to vectors (n, dim)."""

    def __init__(
        self,
        network: "torch.nn.Module",
        side: int,
        mean: Sequence[float],
        std: Sequence[float],
        precision: str,
        resample: Image.Resampling = Image.Resampling.BICUBIC,
    ) -> None:
        import torch

        without_mkl()
        self._side, self._resample = side, resample
        if precision == "float32" and not torch.cuda.is_available():
            self._run = in_onnxruntime(from_pixels(network, mean, std), side)
        else:
            self._run = in_torch(network, side, mean, std, getattr(torch, precision))
        self.dim = self._run(np.zeros((1, side, side, 3), np.uint8)).shape[1]

    def prepare(self, stored: bytes) -> NDArray[np.uint8]:
        """The whole picture, centred in a white square of (side, side, 3) pixels."""
        return fitted(to_rgb(stored), self._side, self._resample)

    def encode(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors (n, dim) of n prepared pictures."""
        return self._run(np.stack(inputs))


class QuartersEncoder(NetworkEncoder):
    """A network that is shown the four quarters of a picture, each as large as others see the whole."""

    def prepare(self, stored: bytes) -> NDArray[np.uint8]:
        """The quarters, each centred in a white square: (4, side, side, 3) pixels."""
        picture = to_rgb(stored)
        width, height = picture.size
        wide, high = (width + 1) // 2, (height + 1) // 2
        corners = [(left, top) for top in (0, height - high) for left in (0, width - wide)]
        quarters = (picture.crop((left, top, left + wide, top + high)) for left, top in corners)
        return np.stack([fitted(quarter, self._side, self._resample) for quarter in quarters])

    def encode(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors (n, dim) of n prepared pictures: the means of those of their quarters."""
        vectors = self._run(np.concatenate(inputs))
        averages: NDArray[np.float32] = vectors.reshape(len(inputs), 4, self.dim).mean(axis=1)
        return averages


def fitted(image: Image.Image, side: int, resample: Image.Resampling) -> NDArray[np.uint8]:
    """An RGB image scaled to touch two sides of a white square and centred in it: (side, side, 3)."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = np.asarray(image.resize((width, height), resample))
    return square


def from_pixels(network: "torch.nn.Module", mean: Sequence[float], std: Sequence[float]) -> "torch.nn.Module":
    """`network` behind its normalisation, so that pictures travel as bytes: uint8 (n, side, side, 3) in."""
    import torch

    dtype = next(network.parameters()).dtype
    shift, scale = (torch.tensor(values).mul(255).view(1, 3, 1, 1) for values in (mean, std))

    class Pixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.shift = torch.nn.Buffer(shift)
            self.scale = torch.nn.Buffer(scale)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            normalised = (pixels.permute(0, 3, 1, 2).float() - self.shift) / self.scale
            vectors: torch.Tensor = self.network(normalised.to(dtype))
            return vectors.float()

    return Pixels().eval().requires_grad_(False)


def in_onnxruntime(whole: "torch.nn.Module", side: int) -> Run:
    """A network from bytes of pixels, as `from_pixels` makes it, run by ONNX Runtime on all cores."""
    import onnxruntime
    import torch

    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the TorchScript exporter is old, but needs no further package
        graph = Path(folder) / "network.onnx"
        names: dict[str, Any] = {"input_names": ["pixels"], "dynamic_axes": {"pixels": {0: "n"}}}
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # ONNX has no such attention
        try:
            torch.onnx.export(whole, (example,), str(graph), dynamo=False, **names)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to decoding
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    log.info("network in ONNX Runtime, %d threads", cores())
    return lambda pixels: session.run(None, {"pixels": pixels})[0]


def in_torch(
    network: "torch.nn.Module", side: int, mean: Sequence[float], std: Sequence[float], dtype: "torch.dtype"
) -> Run:
    """A network from normalised pictures, run by torch in `dtype`, on a GPU if there is one, from bytes of pixels."""
    import torch
    from torch.fx.experimental.optimization import fuse

    torch.set_num_threads(cores())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fused = fuse(network)
    if device.type == "cpu":
        picture = torch.zeros(1, 3, side, side)
        low = deepcopy(fused).to(dtype)
        with torch.inference_mode():
            warn_if_slow(f"images.precision {dtype}", lambda: low(picture.to(dtype)), lambda: fused(picture))
    fused = fused.to(dtype).to(memory_format=torch.channels_last)
    whole = from_pixels(fused, mean, std).to(device)
    log.info("network in torch on %s, %s", device, dtype)

    def run(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: NDArray[np.float32] = whole(torch.from_numpy(pixels).to(device)).cpu().numpy()
            return vectors

    return run
