"""Names that stand in pictures, planted and read (`images.read`), and looked for in what the stages make of them."""

import json
from pathlib import Path

import pytest

from benchmarks import write_params
from pipeline.encoding.sentences import KEPT
from pipeline.privacy import erased
from pipeline.tables.images import FEATURES
from pipeline.tables.ocr import READ
from pipeline.tables.table import matrix
from tests.ocr.test_reading import drawn
from tests.privacy.planted import FIRST, PEOPLE, found, planted, run
from tests.privacy.test_erasure import hits
from tools import erase

pytestmark = pytest.mark.timeout(600)  # processes with torch, on a machine that others use too
TO_WORDS = (*FIRST, "image_features", "image_words")
GONE, OTHER = PEOPLE[1], PEOPLE[2]


def reading(folder, pseudonyms):
    """The planted people; a picture by one of them has words, and one by another names that person."""
    own = planted(folder, count=32) / "own/pictures"
    (own / f"{GONE}_001.png").write_bytes(drawn("Evening at the lighthouse"))
    (own / f"{OTHER}_002.png").write_bytes(drawn("Breakfast pancakes", f"by @{GONE}"))
    changes = {"images": {"read": True}, "model": {"text_encoder": "both"}}
    changes |= {"corpus": {"pseudonyms": pseudonyms}, "report": {"people": "hidden"}}
    write_params(folder, changes, folder / "params.yaml")
    return folder


def read(folder):
    """What was read in pictures, in one line each."""
    return sorted(" ".join(text.split()) for text in READ.read(folder / "data/images/words")["text"].to_pylist())


def told(folder):
    """How many pictures have a vector of their words, and how many such vectors are kept for a next run."""
    kept = sum(KEPT.read(path).num_rows for path in (folder / ".cache/sentences").rglob("*.parquet"))
    return int(matrix(FEATURES.read(folder / "data/images/said")["vector"]).any(1).sum()), kept


def test_a_name_in_a_picture_is_in_no_byte_under_pseudonyms(tmp_path):
    folder = reading(tmp_path, "keyed")
    printed = run(folder, TO_WORDS)
    assert read(folder) == ["Breakfast pancakes by", "Evening at the lighthouse"] and told(folder) == (2, 2)
    assert found(folder, printed) == []
    assert json.loads((folder / "metrics/ocr.json").read_text()) == {"images": 30, "with_words": 2, "dim": 384}


def test_who_was_erased_takes_along_the_words_in_their_pictures(tmp_path, monkeypatch):
    folder = reading(tmp_path, "keep")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DU2MCE_CACHE", str(folder / "cache"))
    run(folder, TO_WORDS)
    assert "Evening at the lighthouse" in read(folder) and told(folder) == (2, 2)
    places = {Path(hit.path).relative_to(folder).parts[0] for hit in hits(folder, [GONE, "lighthouse", "pancakes"])}
    assert places == {"data"}  # which is never shared; metrics count
    erased.add([GONE], [])
    list(erase._remove_outputs())
    assert not (folder / ".cache").exists()  # vectors by hash of the text: who has a text can ask whether it was there
    run(folder, TO_WORDS)
    assert read(folder) == ["Breakfast pancakes by"] and told(folder) == (1, 1)
    assert hits(folder, [GONE, "lighthouse"]) == []
