"""Two-tower encoders: the package's own network from a local file, one space, nothing downloaded, nothing run."""

import hashlib
import json
import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.encoding.encoders import load_encoder
from pipeline.encoding.two_tower import pictures_tower, texts_tower
from pipeline.running.errors import UserError
from tests.made.pictures import encoded

slow = pytest.mark.slow
"""The package alone takes seconds to import."""
NAME = "open_clip:tiny-two-tower"
SIDE = 32
TEXTS = ["a red flower", "two cats on a sofa, asleep", "", "A RED FLOWER"]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A two-tower network of 1.7 million numbers, drawn, and its weights in a file of each kind."""
    open_clip = pytest.importorskip("open_clip")
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny")
    tower = {"layers": 2, "width": 32}
    about = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": SIDE, "patch_size": 8, "head_width": 16, **tower},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "heads": 2, **tower},
    }
    (folder / "tiny-two-tower.json").write_text(json.dumps(about))
    open_clip.add_model_config(folder / "tiny-two-tower.json")
    torch.manual_seed(0)
    network = open_clip.create_model("tiny-two-tower").eval()
    save_file(network.state_dict(), folder / "weights.safetensors")
    torch.save({"state_dict": network.state_dict()}, folder / "weights.pt")
    return open_clip, network, folder


def pictures():
    random = np.random.default_rng(0)
    images = [Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for _ in range(3)]
    return images, list(map(encoded, images))


@slow
@pytest.mark.parametrize("file", ["weights.safetensors", "weights.pt"])
def test_pictures_have_the_vectors_that_the_package_gives_them(tiny, file):
    open_clip, network, folder = tiny
    images, stored = pictures()
    encoder = load_encoder(NAME, folder / file, sha256(folder / file))
    found = encoder.encode([encoder.prepare(picture) for picture in stored])
    prepare = open_clip.image_transform(SIDE, is_train=False)
    import torch

    with torch.inference_mode():
        wanted = network.encode_image(torch.stack([prepare(image) for image in images]), normalize=True)
    assert encoder.dim == 16
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


@slow
def test_texts_have_the_vectors_that_the_package_gives_them_alone_and_together(tiny):
    open_clip, network, folder = tiny
    path = folder / "weights.safetensors"
    encoder = texts_tower(NAME, path, sha256(path))
    import torch

    with torch.inference_mode():
        wanted = network.encode_text(open_clip.get_tokenizer("tiny-two-tower")(TEXTS), normalize=True)
    found = encoder.encode(TEXTS)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.concatenate([encoder.encode([text]) for text in TEXTS]), found, atol=1e-6)
    np.testing.assert_allclose(found[0], found[3], atol=1e-6)  # its tokenizer knows no capitals
    assert encoder.dim == 16 and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


class _Runs:
    def __reduce__(self):
        return print, ("a stranger's code runs",)


@slow
def test_files_that_are_no_weights_of_it_are_refused_in_a_sentence_and_nothing_in_them_runs(tiny, tmp_path, capsys):
    import torch
    from safetensors.torch import save_file

    _, network, folder = tiny
    good = (folder / "weights.pt").read_bytes()
    other = {name: value[:1] for name, value in network.state_dict().items() if value.ndim}
    files = {
        "code.pt": pickle.dumps(_Runs()),
        "half.pt": good[: len(good) // 2],
        "text.pt": b"no weights",
        "none.pt": b"",
    }
    files["half.safetensors"] = (folder / "weights.safetensors").read_bytes()[:5000]
    files["big.npz"] = b"PK"
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    torch.save({"state_dict": _Runs()}, tmp_path / "nested.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"logit_scale": "x", **other}, tmp_path / "words.pt")
    save_file(other, tmp_path / "other.safetensors")
    for path in sorted(tmp_path.iterdir()):
        for tower in (pictures_tower, texts_tower):
            asked = (NAME, path, sha256(path), *(["float32"] if tower is pictures_tower else []))
            with pytest.raises(UserError, match=rf"\.weights.*{path.name}"):
                tower(*asked)
        if path.suffix != ".npz":  # the same of another encoder's file
            with pytest.raises(UserError, match=r"images\.weights"):
                load_encoder("efficientnet_lite0", path, sha256(path))
    assert "runs" not in capsys.readouterr().out


@slow
def test_another_file_than_was_named_a_model_not_known_and_a_tokenizer_not_there_are_said(tiny):
    path = tiny[2] / "weights.safetensors"
    with pytest.raises(UserError, match=r"has SHA-256 .* sentences\.weights_sha256 is 0000"):
        texts_tower(NAME, path, "0" * 64)
    with pytest.raises(UserError, match="cannot be read"):
        pictures_tower(NAME, path.with_name("none"), "0" * 64, "float32")
    with pytest.raises(UserError, match=r"open_clip:nothing, which open_clip .* does not know"):
        pictures_tower("open_clip:nothing", path, sha256(path), "float32")
    with pytest.raises(UserError, match="whose tokenizer does not come with open_clip"):
        texts_tower("open_clip:ViT-B-16-SigLIP", path, sha256(path))


def test_without_the_package_it_is_said_how_to_have_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UserError, match="open_clip_torch"):
        pictures_tower(NAME, tmp_path / "weights.pt", "0" * 64, "float32")
