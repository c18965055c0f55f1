"""Two-tower encoders: pictures and texts in one space, by one network from a local file (CLIP: Radford et al. 2021).

`open_clip:NAME` is a model of the package open_clip, the extra `open_clip`; its weights are a file of safetensors or of
torch as open_clip publishes them. Nothing in such a file can run code, and nothing is downloaded: the tokenizer is the
package's own, and a model that needs another is refused as an encoder of texts. Vectors are of unit length, so that
cosines of pictures and texts are what the network was trained on. Pictures are shown whole, in a white square, as to
every encoder here, with the mean and deviation that most of the published weights of NAME were trained with.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.networks import Encoder, NetworkEncoder
from pipeline.encoding.sentences import SentenceEncoder
from pipeline.encoding.weights import verified
from pipeline.running.errors import UserError

TEXTS_AT_ONCE = 256
"""On a GPU. On a CPU a text is encoded alone, so that its vector does not depend on its neighbours."""


def pictures_tower(encoder: str, weights: Path | None, sha256: str | None, precision: str) -> Encoder:
    """The encoder of pictures of `encoder`, open_clip:NAME, with the weights in a file of this SHA-256.

    Raises UserError for a model that is not known and weights that are missing, damaged or another model's.
    """
    import torch

    visual = _loaded(encoder, weights, sha256, "images").visual

    class Pictures(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = visual

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.normalize(self.visual(pictures), dim=-1)

    side = visual.image_size
    mean, std = _normalisation(encoder)
    return NetworkEncoder(Pictures().eval(), side[0] if isinstance(side, tuple) else side, mean, std, precision)


def texts_tower(encoder: str, weights: Path | None, sha256: str | None) -> SentenceEncoder:
    """The encoder of texts of `encoder`, open_clip:NAME. Raises UserError as `pictures_tower` does, and for a model
    whose tokenizer does not come with open_clip.
    """
    import torch

    package, name = _package(encoder, "sentences")
    if {"hf_tokenizer_name", "hf_model_name"} & package.get_model_config(name)["text_cfg"].keys():
        raise UserError(
            f"sentences.encoder is {encoder}, whose tokenizer does not come with open_clip; its pictures' side can be "
            "had, as images.encoder."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    whole = _loaded(encoder, weights, sha256, "sentences").to(device)
    tokenize = package.get_tokenizer(name)
    lock = threading.Lock()  # one network, all cores

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        with lock, torch.inference_mode():
            found: torch.Tensor = whole.encode_text(tokenize(list(texts)).to(device), normalize=True)
            return found.float().cpu().numpy()

    dim, at_once = encode(["text"]).shape[1], TEXTS_AT_ONCE if device.type == "cuda" else 1
    return SentenceEncoder(f"{name}-{str(sha256)[:32]}", dim, encode, at_once)


def _package(encoder: str, key: str) -> tuple[Any, str]:
    """The package open_clip, and the name of the model in it."""
    try:
        import open_clip
    except ImportError as error:
        raise UserError(
            f"{key}.encoder is {encoder}; open_clip is an extra: "
            "`uv pip install --python .venv/bin/python open_clip_torch` does."
        ) from error
    name = encoder.removeprefix("open_clip:")
    if name not in open_clip.list_models():
        raise UserError(f"{key}.encoder is {encoder}, which open_clip {open_clip.__version__} does not know.")
    return open_clip, name


def _loaded(encoder: str, weights: Path | None, sha256: str | None, key: str) -> Any:
    """The network, both its towers, with the weights."""
    package, name = _package(encoder, key)
    if weights is None:
        raise UserError(f"{key}.encoder is {encoder}, which needs {key}.weights and {key}.weights_sha256.")
    path = verified(weights, sha256, key)
    if path.suffix in (".npz", ".npy"):
        raise UserError(f"{key}.weights is {path}; {encoder} takes a file of safetensors or of torch.")
    try:
        network = package.create_model(name, pretrained=str(path), pretrained_text=False, weights_only=True)
    except Exception as error:  # whatever a stranger's file makes the unpickler, or open_clip, raise
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{key}.weights: {path} holds no weights of {encoder}: {said[:300]}") from error
    return network.eval().requires_grad_(False)


def _normalisation(encoder: str) -> tuple[Sequence[float], Sequence[float]]:
    """The mean and deviation of pixels that most published weights of the model were trained with; else CLIP's own."""
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    name = encoder.removeprefix("open_clip:")
    published = Counter(
        (tuple(about["mean"]), tuple(about["std"]))
        for about in (get_pretrained_cfg(name, tag) for tag in list_pretrained_tags_by_model(name))
        if about.get("mean") and about.get("std")
    )
    return published.most_common(1)[0][0] if published else (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
