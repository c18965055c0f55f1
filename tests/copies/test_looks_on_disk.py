"""A job reads the pictures that it needs, one whose piece stands none; cells of points stay as large as they are."""

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import psutil
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from pipeline.copies import looks as module
from pipeline.copies import votes
from pipeline.copies.looks import Looks
from pipeline.copies.planted import KINDS
from pipeline.copies.points import MIRROR
from pipeline.running.checkpoints import made
from pipeline.running.errors import Damaged
from pipeline.tables import stretch
from pipeline.tables.corpus import IMAGES
from tests.made.pictures import encoded


def drawn(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (160, 120), tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, w, h = (random.integers(0, 140, 2).tolist()) + random.integers(5, 40, 2).tolist()
        pen.rectangle((x, y, x + w, y + h), fill=tuple(random.integers(0, 256, 3).tolist()))
    return image


def written(pictures: list[bytes], folder: Path, shard_rows: int = 2_000) -> Path:
    sides = {"width": np.full(len(pictures), 160, np.int32), "height": np.full(len(pictures), 120, np.int32)}
    rows = {"image_id": [f"{row:03}" for row in range(len(pictures))], "bytes": pictures}
    replace(IMAGES, shard_rows=shard_rows).write(pa.table(rows | sides), folder / "images")
    return folder / "images"


def test_pictures_of_a_piece_are_those_of_its_rows_however_they_are_read(tmp_path: Path, monkeypatch) -> None:
    pictures = [bytes([row]) * (row + 1) for row in range(23)]
    (shard,) = IMAGES.shards(written(pictures, tmp_path))
    for read in (1, 4, 50):
        monkeypatch.setattr(stretch, "READ", read)
        for begin, count in ((0, 23), (0, 6), (6, 6), (18, 5), (22, 1)):
            found = [picture["bytes"] for picture in stretch.rows_of(shard, ["bytes"], begin, count)]
            assert found == pictures[begin : begin + count]


def test_what_stands_is_not_read_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "PIECE", 2)
    monkeypatch.setenv("ENGINE", "serial")
    images = written([encoded(drawn(seed)) for seed in range(5)], tmp_path, shard_rows=3)
    Looks.of(images, tmp_path / "looks")
    held = {file: file.read_bytes() for file in (tmp_path / "looks").glob("*.looks")}
    (tmp_path / "looks/part-00001-000000.looks").unlink()
    read = []
    monkeypatch.setattr(module, "rows_of", lambda *job: read.append(job[2:]) or stretch.rows_of(*job))
    Looks.of(images, tmp_path / "looks")
    assert read == [(0, 2)]  # of the second shard
    assert {file: file.read_bytes() for file in (tmp_path / "looks").glob("*.looks")} == held


def test_looks_that_were_read_stay_with_no_process(tmp_path: Path) -> None:
    records = np.zeros(400, module.RECORD)  # 43 MB
    records["seen"], records["shape"], records["points"] = True, 4, np.arange(400)
    records.tofile(tmp_path / "piece.looks")
    looks, process = Looks([tmp_path / "piece.looks"]), psutil.Process()
    before = process.memory_info().rss
    assert [len(looks.look(row).points.place) for row in range(400)] == list(range(400))
    assert process.memory_info().rss < before + 10_000_000  # joblib ends a worker that has taken 300 MB


def test_a_damaged_shard_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ENGINE", "serial")
    images = written([encoded(drawn(seed)) for seed in range(3)], tmp_path)
    (shard,) = IMAGES.shards(images)
    held = bytearray(shard.read_bytes())
    held[len(held) // 2] ^= 1
    shard.write_bytes(held)
    with pytest.raises(Damaged, match="part-00000"):
        Looks.of(images, tmp_path / "looks")
    with pytest.raises(Damaged, match="rows"):
        list(stretch.rows_of(IMAGES.shards(written([b"1"], tmp_path))[0], ["bytes"], 0, 2))


def test_many_cells_that_a_graph_finds_bring_the_same_pairs(tmp_path: Path, monkeypatch) -> None:
    random = np.random.default_rng(3)
    originals = [drawn(seed) for seed in range(10, 22)]
    copies = [KINDS[name](originals[row], random, originals[5:8]) for row, name in enumerate(("crop 60 %", "mirrored"))]
    images = written([encoded(one) for one in (*originals, *copies)], tmp_path)
    looks = Looks.of(images, tmp_path / "looks")
    total = sum(len(rows) for rows, _ in looks.numbers(votes.VOTERS))
    few = votes.Index.of(lambda: looks.numbers(votes.VOTERS), total, 7, made).held
    monkeypatch.setattr(votes, "LIST", 10)
    monkeypatch.setattr(votes, "MANY", 20)
    many = votes.Index.of(lambda: looks.numbers(votes.VOTERS), total, 7, made).held
    assert few.nlist == int(2 * total**0.5) or few.nlist == total // 39
    assert many.nlist == total // 10 and many.ntotal == few.ntotal == total
    left, right, _ = votes.voted_pairs(looks, 6, 7, made)
    assert {(0, 12), (1, 13)} <= set(zip(left.tolist(), right.tolist(), strict=True))
    again = votes.voted_pairs(looks, 6, 7, made)
    assert (again[0] == left).all() and (again[1] == right).all()


def test_cells_are_the_same_by_any_number_of_threads(monkeypatch):
    """Points recur, so cells begin alike: which of two is nearer hangs on rounding, and FAISS rounds by its threads."""
    random = np.random.default_rng(0)
    numbers = np.repeat(random.integers(0, 120, (7_500, 128), dtype=np.uint8), 4, axis=0)[random.permutation(30_000)]
    learnt, nearest = [], []
    for threads in (1, 2):
        faiss.omp_set_num_threads(threads)
        monkeypatch.setattr(votes, "cores", lambda n=threads: n)
        index = votes.Index.of(lambda: iter([(np.arange(len(numbers)), numbers)]), len(numbers), 7, made)
        learnt.append(index.held.quantizer.reconstruct_n(0, index.held.nlist))
        nearest.append(index.cells(index.along(numbers)))
    np.testing.assert_array_equal(*learnt)
    np.testing.assert_array_equal(*nearest)


@pytest.mark.parametrize("many", [votes.MANY, 20])
def test_points_are_found_as_if_each_were_asked_for_by_itself(many: int, monkeypatch) -> None:
    random = np.random.default_rng(4)
    numbers = random.integers(0, 90, (600, 128)).astype(np.uint8)
    pieces = [
        (np.repeat([0, 1, 2], 100), numbers[:300]),
        (np.empty(0, np.int64), numbers[:0]),
        (np.full(300, 3), numbers[300:]),
    ]
    monkeypatch.setattr(votes, "LIST", 10)
    monkeypatch.setattr(votes, "MANY", many)
    monkeypatch.setattr(votes, "PIVOTS", 5)
    kept: dict[str, tuple[np.ndarray, ...]] = {}
    index = votes.Index.of(lambda: iter(pieces), 600, 7, lambda name, make: kept.setdefault(name, make()))
    assert index.held.nlist == 60 and index.picture.tolist() == [0] * 100 + [1] * 100 + [2] * 100 + [3] * 300
    along = index.along(numbers)
    order = random.permutation(600)
    near = index.nearest(along[order], index.cells(along[order]))
    alone = faiss.clone_index(index.held)
    alone.reset()
    alone.add(along)
    np.testing.assert_array_equal(near, alone.search(along, votes.NEIGHBOURS + 1)[1][order])
    np.testing.assert_array_equal(np.concatenate([cells for (cells,) in kept.values()]), index.cells(along))
    np.testing.assert_array_equal(along, index.along(numbers[:, MIRROR]))  # a point and its mirror image are one
    assert [len(one) for one in index.pairs(4, *pieces[1], 5)] == [0, 0, 1]  # of a piece without points


def test_votes_are_asked_for_as_a_picture_has_points() -> None:
    rows = np.repeat([3, 4], [6, 200])  # one of few points, one of many
    picture = np.arange(10, dtype=np.int32)  # a point each
    near = np.full((206, votes.NEIGHBOURS + 1), -1)
    near[:5, 0] = 0  # 5 of 6
    near[6:15, 0], near[15:25, 0] = 1, 2  # 9 and 10 of 200
    left, right, cut = votes.tallied(near, picture, 10, rows, 5)
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == {(0, 3), (2, 4)}
    assert cut.tolist() == [0]
