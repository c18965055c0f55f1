"""Words in pictures: those that were drawn are read, whatever stands around; kept, resumed, and without names."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont
from ruamel.yaml import YAML

from pipeline.ocr import reading
from pipeline.ocr.reading import Line, PictureReader
from pipeline.ocr.writing import legible, write_words
from pipeline.privacy import erased
from pipeline.running.errors import UserError
from pipeline.space.reading import Reader
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES
from pipeline.tables.ocr import READ
from pipeline.tables.table import matrix, vectors
from stages import image_words
from tests.made.pictures import encoded

ROOT = Path(__file__).parents[2]


def drawn(*lines, size=(420, 240), turn=0, letters="black", paper="white", kind="PNG"):
    """A stored picture of `lines`, one below the other."""
    picture = Image.new("RGB", size, paper)
    for row, line in enumerate(lines):
        ImageDraw.Draw(picture).text((20, 15 + 60 * row), line, letters, ImageFont.load_default(32))
    return encoded(picture.rotate(turn, expand=True, fillcolor=paper), kind)


def corpus(pictures, folder=Path("data/corpus/images")):
    """The table IMAGES of `pictures`, by id."""
    rows = {"image_id": list(pictures), "bytes": list(pictures.values())}
    rows |= {name: [1] * len(pictures) for name in ("width", "height")}
    IMAGES.write(pa.table({f.name: pa.array(rows[f.name], f.type) for f in IMAGES.schema if f.name in rows}), folder)


@pytest.fixture(scope="module")
def reader():
    return PictureReader()


@pytest.mark.parametrize(
    "look", [{}, {"letters": "white", "paper": "navy"}, {"turn": 8}, {"kind": "JPEG"}, {"size": (900, 700)}]
)
def test_what_stands_in_a_picture_is_read_from_above_to_below(reader, look):
    found = reader.read(drawn("Release party", "in Prague, May 17", **look))
    assert [line.text.replace(" ", "") for line in found] == ["Releaseparty", "inPrague,May17"]
    assert all(line.score > 0.8 for line in found)


def test_what_stands_side_by_side_is_read_from_left_to_right(reader):
    picture = Image.new("RGB", (600, 120), "white")
    for x, y, word in ((420, 42, "three"), (20, 38, "one"), (220, 40, "two")):
        ImageDraw.Draw(picture).text((x, y), word, "black", ImageFont.load_default(32))
    assert [line.text for line in reader.read(encoded(picture))] == ["one", "two", "three"]


def test_a_line_on_its_side_is_read(reader):
    assert [line.text.lower() for line in reader.read(drawn("upright", size=(300, 70), turn=-90))] == ["upright"]


@pytest.mark.parametrize("size", [(1, 1), (512, 3), (3, 512), (40, 40)])
def test_a_picture_without_words_has_none(reader, size):
    assert reader.read(drawn(size=size)) == []


def test_the_highest_lines_are_read_where_there_are_many(reader, monkeypatch):
    monkeypatch.setattr(reading, "MOST_LINES", 1)
    picture = Image.new("RGB", (500, 300), "white")
    for y, height, line in ((20, 20, "small print above"), (80, 60, "Headline"), (220, 20, "small print below")):
        ImageDraw.Draw(picture).text((20, y), line, "black", ImageFont.load_default(height))
    assert [line.text for line in reader.read(encoded(picture))] == ["Headline"]


def test_networks_that_are_missing_or_others_are_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(reading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="make env"):
        PictureReader()
    models = tmp_path / "models"
    models.mkdir()
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(reading.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match="cannot be read"):
        PictureReader()
    (models / reading.FINDS[0]).write_bytes(b"another")
    with pytest.raises(UserError, match="SHA-256"):
        PictureReader()


def test_marks_of_an_axis_are_no_text():
    assert legible([Line("0.5", 0.9), Line("10 a b", 0.9)]) == ""
    assert legible([Line("0.5", 0.9), Line("hwy", 0.9)]) == "0.5\nhwy"


class Fake:
    """Reads bytes as text; `asked` is all that was read."""

    asked: list[bytes] = []  # noqa: RUF012

    def read(self, stored):
        if stored == b"kill":
            raise KeyboardInterrupt
        self.asked.append(stored)
        return [Line(part, 0.5) for part in stored.decode().split("|")]


def test_shards_that_were_read_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(Fake, "asked", [])
    images = tmp_path / "images"
    shards = [{"a": b"one|two", "b": b"1"}, {"c": b"kill"}]
    for number, shard in enumerate(shards):
        corpus(shard, tmp_path / f"part-{number}")
        images.mkdir(exist_ok=True)
        (tmp_path / f"part-{number}/part-00000.parquet").rename(images / f"part-{number:05d}.parquet")
    with pytest.raises(KeyboardInterrupt):
        write_words(images, tmp_path / "words", tmp_path / "finished", load=Fake)
    assert Fake.asked == [b"one|two", b"1"]
    corpus({"c": b"three"}, tmp_path / "again")
    (tmp_path / "again/part-00000.parquet").rename(images / "part-00001.parquet")
    assert write_words(images, tmp_path / "words", tmp_path / "finished", load=Fake) == {"images": 3, "with_words": 2}
    assert Fake.asked == [b"one|two", b"1", b"three"]
    read = READ.read(tmp_path / "words").to_pylist()
    assert [(row["image_id"], row["text"], row["lines"]) for row in read] == [("a", "one\ntwo", 2), ("c", "three", 1)]


@pytest.mark.parametrize("style", [0, 1568])
def test_a_picture_that_nobody_posted_is_told_with_its_words_too(tmp_path, style):
    reader = Reader(tmp_path, ROOT / "params.yaml", ROOT / "models")
    shape = SimpleNamespace(said=384, style=style, sentence=384, letters=0)
    reader.__dict__ |= {"trained": SimpleNamespace(model=SimpleNamespace(shape=shape)), "_picture_reader": Says()}
    red, none = reader.features([drawn("red"), drawn()])
    assert len(red) == 1280 + 384 + style
    of_text = reader.sentences(["red flower\nby the sea"])[0]
    np.testing.assert_array_equal(red[1280 : 1280 + 384], of_text)
    assert of_text.any() and not none[1280 : 1280 + 384].any()


class Says:
    """Reads two lines in the first picture that it is given, and none in others."""

    def __init__(self):
        self.left = [Line("red flower", 0.9), Line("by the sea", 0.9)]

    def read(self, stored):
        found, self.left = self.left, []
        return found


def run_stage(monkeypatch, folder, pictures, **changes):
    """Run the stage on `pictures` with other params, by section."""
    params = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    params["model"]["text_encoder"] = "both"
    for section, values in changes.items():
        params[section] |= values
    YAML(typ="safe", pure=True).dump(params, folder / "params.yaml")
    (folder / "models").symlink_to(ROOT / "models")
    (folder / "dvc.yaml").write_text("stages: {image_words: {cmd: '', deps: []}}")
    monkeypatch.chdir(folder)
    corpus(pictures)
    features = vectors(np.zeros((len(pictures), 3), np.float16))
    FEATURES.write(pa.table({"image_id": list(pictures), "vector": features}), Path("data/images/features"))
    image_words.main()
    return json.loads(Path("metrics/ocr.json").read_text())


@pytest.mark.parametrize("images", [{"read": False}, {"read": True, "encoder": "stored"}])
def test_nothing_is_read_unless_it_is_asked_for_and_there_are_pictures(tmp_path, monkeypatch, images):
    assert run_stage(monkeypatch, tmp_path, {"a": b"no picture"}, images=images)["with_words"] == 0
    assert READ.count(Path("data/images/words")) == FEATURES.count(Path("data/images/said")) == 0


def test_the_stage_tells_what_images_say_as_texts_are_told(tmp_path, monkeypatch):
    from pipeline.encoding.sentences import load_sentence_encoder

    pictures = {"a": drawn(), "b": drawn("a red flower"), "c": drawn("42")}
    counts = run_stage(monkeypatch, tmp_path, pictures, images={"read": True})
    assert counts == {"images": 3, "with_words": 1, "dim": 384}
    said = FEATURES.read(Path("data/images/said"))
    assert said["image_id"].to_pylist() == ["a", "b", "c"]
    none, flower, number = matrix(said["vector"]).astype(float)
    assert not none.any() and not number.any()
    text = READ.read(Path("data/images/words"))["text"].to_pylist()[0]
    expected = load_sentence_encoder(ROOT / "models/minilm").encode([text])[0]
    np.testing.assert_allclose(flower, expected, atol=1e-3)


@pytest.mark.parametrize(("pseudonyms", "kept"), [("keep", True), ("keyed", False)])
def test_words_in_pictures_name_nobody_where_names_are_not_kept(tmp_path, monkeypatch, pseudonyms, kept):
    picture = drawn("Sunset at the pier", "by @anna_lopez", "anna@example.org", size=(460, 220))
    run_stage(monkeypatch, tmp_path, {"a": picture}, images={"read": True}, corpus={"pseudonyms": pseudonyms})
    text = READ.read(Path("data/images/words"))["text"].to_pylist()[0]
    assert "pier" in text
    assert ("anna" in text, "example" in text) == (kept, kept)


@pytest.mark.parametrize("name", ["anna_lopez", "@Anna_Lopez", "Anna_Lopez:"])
def test_who_was_erased_is_in_no_picture_of_others(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    image_words._tombstones.cache_clear()
    assert "lopez" in image_words.nameless("joanna_lopez, 2 h ago", Counter())
    image_words._tombstones.cache_clear()
    erased.add(["anna_lopez"], [])
    assert "lopez" not in image_words.nameless(f"{name} 2 h ago", Counter()).lower()
    assert "lopez" in image_words.nameless("joanna_lopez, 2 h ago", Counter())
    image_words._tombstones.cache_clear()


def test_telephone_numbers_go_too():
    counts = Counter()
    assert image_words.nameless("call 555-123-4567 now", counts).split() == ["call", "now"]
    assert sum(counts.values()) == 1
