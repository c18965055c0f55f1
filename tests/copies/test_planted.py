"""Evidence on planted copies: what counts as found is what a corpus's search would look at, and a look confirms."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchmarks import ROOT, write_params
from pipeline.copies.look import look_of
from pipeline.copies.planted import KINDS, curve, propose, recall_by_kind
from pipeline.copies.votes import voted_for
from pipeline.tables.corpus import IMAGES
from stages import image_copies
from tests.made.pictures import encoded


def blots(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (15, 20, 3), np.uint8)
    return Image.fromarray(noise).resize((200, 150), Image.Resampling.BICUBIC)


NONE = np.empty(0, np.int64), np.empty(0, np.int64)


def test_a_copy_is_found_where_its_source_is_near_or_voted_for_and_the_look_agrees() -> None:
    # Copy 0 is near its source; 1 is far from it, and voted for; 2 is neither; 3 is near, and the look disagrees.
    cosine = np.array([[0.9, 0.1, 0.95], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.99, 0.1, 0.1]], np.float32)
    source = np.array([0, 1, 1, 0])
    unknown = np.zeros((4, 3), bool)
    asked = []

    def agree(copy: int, original: int) -> bool:
        asked.append((copy, original))
        return copy != 3

    pairs = propose(cosine, (np.array([1]), np.array([1])), source, unknown, 2, agree)
    bound = pairs.bound(0.8)
    assert list(zip(pairs.copy[bound], pairs.original[bound], strict=True)) == [(0, 0), (0, 2), (1, 1)]
    assert set(asked) == {(0, 0), (0, 2), (1, 1), (2, 1), (3, 0)}
    at = {str(row["check"]): row for row in curve(pairs, 4) if row["min_cosine"] == 0.8}
    assert (at["cosine alone"]["recall"], at["with second check"]["recall"]) == (0.5, 0.5)
    assert at["with second check"]["precision"] == 2 / 3
    unknown[0, 2] = True  # of the source's own group, or shown beside it: nobody knows
    left = propose(cosine, NONE, source, unknown, 2, agree)
    assert (0, 2) not in zip(left.copy, left.original, strict=True)


def test_a_source_beyond_the_nearest_that_are_looked_at_is_not_found() -> None:
    cosine = np.array([[0.85, 0.9, 0.95]], np.float32)
    pairs = propose(cosine, NONE, np.array([0]), np.zeros((1, 3), bool), 2, lambda copy, original: True)
    assert not (pairs.bound(0.8) & pairs.true).any()
    assert curve(pairs, 1)[0]["recall"] == 1.0  # the cosine alone, without the bound


def test_shares_are_by_kind() -> None:
    source = np.zeros(len(KINDS), np.int64)
    cosine = np.where(np.arange(len(KINDS)) % 2, 0.9, 0.1).astype(np.float32)[:, None]
    pairs = propose(cosine, NONE, source, np.zeros((len(KINDS), 1), bool), 3, lambda copy, original: True)
    assert list(recall_by_kind(pairs, len(KINDS), 0.8).values()) == [float(k % 2) for k in range(len(KINDS))]


def test_points_of_what_is_asked_vote_for_its_source_alone_and_not_for_each_other() -> None:
    scenes = [blots(seed) for seed in range(6)]
    asking = [look_of(scenes[4].rotate(180)), look_of(scenes[1]), look_of(scenes[1])]
    one, other = voted_for(asking, [look_of(one) for one in scenes], 1, 7)
    assert sorted(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 4), (1, 1), (2, 1)]
    assert all(len(rows) == 0 for rows in voted_for([], [], 1, 7))


@pytest.mark.parametrize("count", range(4))
def test_the_stage_plants_nothing_where_there_are_fewer_pictures_than_a_kind_shows(tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")
    write_params(tmp_path, {})
    rows = []
    for number in range(count):
        rows.append({"image_id": f"{number:064}", "bytes": encoded(blots(number)), "width": 200, "height": 150})
    IMAGES.write(pa.Table.from_pylist(rows, IMAGES.schema), Path("data/corpus/images"))
    image_copies.main()
    found = json.loads(Path("metrics/image_copies.json").read_text())
    assert found == {"copies": 0, "negatives_per_positive": max(0, count - 1)}
