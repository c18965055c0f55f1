"""Groups of copies: planted ones are recovered exactly, and different pictures of one style stay apart."""

import faiss
import numpy as np
import pytest

from pipeline.copies import groups as image_groups
from pipeline.copies.aligned import Verdict
from pipeline.copies.groups import (
    UNBOUNDED,
    Pairs,
    exact_cosine,
    group_images,
    near_pairs,
    nearest_centres,
    recall,
    representatives,
    size_histogram,
    unit,
)
from pipeline.running.checkpoints import keep_in
from pipeline.tables.images import COPY, DERIVED


def planted(groups: int, copies: int, alone: int, d: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors and the group of each, in a random order: copies at cosine about 0.98, others near 0."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((groups + alone, d)))
    label = np.concatenate([np.repeat(np.arange(groups), copies), np.arange(groups, groups + alone)])
    order = random.permutation(len(label))
    noise = unit(random.standard_normal((len(label), d))) * 0.15
    return unit(centres[label] + noise)[order], label[order]


def all_agree(left: np.ndarray, right: np.ndarray) -> list[Verdict | None]:
    return [Verdict(COPY, "pixels", 1.0)] * len(left)


@pytest.mark.parametrize("flat", [True, False])
def test_planted_groups_are_recovered_exactly(flat: bool) -> None:
    vectors, label = planted(groups=150, copies=4, alone=1400)
    pairs = near_pairs(vectors, 0.9, seed=7, flat=flat)
    found = group_images(len(vectors), pairs, all_agree).group
    first = {}
    expected = np.array([first.setdefault(one, row) for row, one in enumerate(label)])
    np.testing.assert_array_equal(found, expected)


def test_flat_search_agrees_with_a_plain_loop() -> None:
    vectors, _ = planted(groups=20, copies=3, alone=30, d=8, seed=3)
    pairs = near_pairs(vectors, 0.6, seed=7, flat=True)
    n = len(vectors)
    slow = {(i, j) for i in range(n) for j in range(i + 1, n) if float(vectors[i] @ vectors[j]) >= 0.6}
    assert set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == slow
    assert (np.diff(pairs.cosine) <= 0).all()
    np.testing.assert_allclose(pairs.cosine, exact_cosine(vectors, pairs.left, pairs.right))


def test_search_by_cells_finds_nothing_that_flat_search_does_not() -> None:
    vectors, _ = planted(groups=300, copies=3, alone=500, d=32)
    flat, by_cells = (near_pairs(vectors, 0.8, seed=7, flat=kind) for kind in (True, False))
    key = {(i, j): c for i, j, c in zip(flat.left.tolist(), flat.right.tolist(), flat.cosine, strict=True)}
    found = list(zip(by_cells.left.tolist(), by_cells.right.tolist(), by_cells.cosine, strict=True))
    assert all(key[i, j] == c for i, j, c in found)
    audit = recall(vectors, by_cells, 0.8, UNBOUNDED, sample=len(vectors), seed=7)
    assert audit == {"images": len(vectors), "pairs": len(key), "found": len(found), "recall": len(found) / len(key)}


def test_stored_features_need_not_be_of_unit_length_nor_float32() -> None:
    vectors, _ = planted(groups=200, copies=3, alone=500, d=32)
    stored = (vectors * np.random.default_rng(0).uniform(0.5, 20, (len(vectors), 1))).astype(np.float16)
    for flat in (True, False):
        of_stored, of_unit = (
            {(i, j): c for i, j, c in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.cosine, strict=True)}
            for pairs in (near_pairs(stored, 0.9, seed=7, flat=flat), near_pairs(unit(stored), 0.9, seed=7, flat=flat))
        )
        assert len(of_stored) > 300 and of_stored.keys() == of_unit.keys()
        assert all(abs(of_stored[pair] - of_unit[pair]) < 1e-6 for pair in of_unit)


def test_the_audit_sees_what_an_index_missed() -> None:
    vectors, _ = planted(groups=50, copies=2, alone=100)
    pairs = near_pairs(vectors, 0.9, seed=7)
    half = Pairs(pairs.left[::2], pairs.right[::2], pairs.cosine[::2], pairs.proposed, pairs.cut)
    assert recall(vectors, pairs, 0.9, UNBOUNDED, len(vectors), 1)["recall"] == 1.0
    assert recall(vectors, half, 0.9, UNBOUNDED, len(vectors), 1)["found"] == 25


def test_refused_pairs_do_not_join_and_similarity_is_the_highest_within_the_group() -> None:
    # 0-1 and 2-3 are copies, 1-2 looks close but is refused; 4 is alone.
    cosine = np.array([0.99, 0.97, 0.96], np.float32)
    pairs = Pairs(np.array([1, 0, 2]), np.array([2, 1, 3]), cosine, 3, np.zeros(5, bool))
    same = Verdict(COPY, "pixels", 1.0)
    groups = group_images(5, pairs, lambda left, right: [same if i != 1 else None for i in left])
    np.testing.assert_array_equal(groups.group, [0, 0, 2, 2, 4])
    np.testing.assert_allclose(groups.similarity, [0.97, 0.97, 0.96, 0.96, 1.0])
    assert groups.edges.tolist() == [[0, 1], [2, 3]] and groups.refused.tolist() == [[1, 2]]


def test_what_is_derived_is_an_edge_and_joins_no_group() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([0.9, 0.8], np.float32), 2, np.zeros(3, bool))
    told = [Verdict(DERIVED, "points", 20.0), Verdict(COPY, "points", 90.0)]
    groups = group_images(3, pairs, lambda left, right: told)
    np.testing.assert_array_equal(groups.group, [0, 1, 1])
    assert groups.edges.tolist() == [[0, 1], [1, 2]] and list(groups.verdicts) == told


@pytest.mark.parametrize("flat", [True, False])
def test_pairs_are_bounded_by_the_nearest_of_each_and_what_has_more_is_told(flat: bool) -> None:
    # One style: all are near all, so a threshold alone gives n² pairs.
    random = np.random.default_rng(4)
    vectors = unit(np.ones(32) + 0.3 * random.standard_normal((600, 32)))
    pairs = near_pairs(vectors, 0.5, seed=7, most=5, flat=flat)
    assert 600 * 5 / 2 <= len(pairs.left) <= 600 * 5 and pairs.cut.all()
    if flat:
        products = vectors @ vectors.T
        np.fill_diagonal(products, -1)
        nearest = np.argsort(-products, axis=1)[:, :5]
        expected = {(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row}
        assert set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == expected
        assert recall(vectors, pairs, 0.5, 5, 600, 1)["recall"] == 1.0
    few = near_pairs(planted(groups=20, copies=2, alone=30)[0], 0.9, seed=7, most=5, flat=flat)
    assert not few.cut.any()


def test_a_clique_of_copies_costs_few_looks_and_gives_the_same_groups() -> None:
    n = 200
    left, right = np.triu_indices(n, 1)
    pairs = Pairs(left, right, np.full(len(left), 0.99, np.float32), len(left), np.zeros(n, bool))
    looks = []

    def agree(one: np.ndarray, other: np.ndarray) -> list[Verdict | None]:
        looks.append(len(one))
        return all_agree(one, other)

    groups = group_images(n, pairs, agree, chunk=100)
    assert (groups.group == 0).all()
    assert sum(looks) + groups.joined == len(left) and sum(looks) < 300


def test_no_images_and_zero_vectors() -> None:
    none = near_pairs(np.empty((0, 8), np.float32), 0.9, seed=7)
    assert len(group_images(0, none, all_agree).group) == 0
    zeros = near_pairs(unit(np.zeros((3, 8))), 0.5, seed=7)
    groups = group_images(3, zeros, all_agree)
    np.testing.assert_array_equal(groups.group, [0, 1, 2])
    np.testing.assert_array_equal(groups.similarity, 1)


def test_the_representative_is_the_largest_picture_of_equals_the_first() -> None:
    group, pixels = np.array([0, 0, 2, 0, 2, 5]), np.array([9, 12, 7, 12, 7, 1])
    np.testing.assert_array_equal(representatives(group, pixels), [False, True, True, False, False, True])


def test_sizes_are_counted_in_their_bins() -> None:
    group = np.repeat(np.arange(5), [1, 2, 4, 10, 1000])
    counted = {name: number for name, number in size_histogram(group).items() if number}
    assert counted == {"1": 1, "2": 1, "3-4": 1, "10-29": 1, "1000+": 1}


def test_a_killed_search_goes_on_after_its_last_piece_with_the_same_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(image_groups, "CELLS", 16)
    random = np.random.default_rng(3)
    vectors = random.normal(size=(900, 16)).astype(np.float32)
    vectors[600:] = vectors[:300] + 0.05 * random.normal(size=(300, 16))
    unbroken = near_pairs(vectors, 0.9, seed=7, flat=False)

    keep = keep_in(tmp_path)

    def killed(name, make):
        if name == "pairs-000064":
            raise KeyboardInterrupt
        return keep(name, make)

    with pytest.raises(KeyboardInterrupt):
        near_pairs(vectors, 0.9, seed=7, flat=False, keep=killed)
    finished = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    again = near_pairs(vectors, 0.9, seed=7, flat=False, keep=keep)
    for name in ("left", "right", "cosine"):
        np.testing.assert_array_equal(getattr(again, name), getattr(unbroken, name))
    assert len(finished) == 5  # the cells, and four pieces of them
    assert finished.items() <= {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}.items()

    asked = []

    def agree(left, right):
        asked.append(len(left))
        return [Verdict(COPY, "pixels", 1.0) if i % 2 == 0 else None for i in left]

    first, second = (group_images(900, again, agree, chunk=100, keep=keep) for _ in range(2))
    assert sum(asked) == len(first.edges) + len(first.refused)  # asked once, not twice
    np.testing.assert_array_equal(first.group, second.group)
    np.testing.assert_array_equal(first.group, group_images(900, unbroken, agree, chunk=100).group)


def test_the_nearest_centres_are_the_same_by_any_number_of_threads(monkeypatch):
    """Of centres in near pairs rounding decides which is nearer, and FAISS rounds by its threads."""
    random = np.random.default_rng(0)
    near = np.abs(random.normal(size=(300, 32))).astype(np.float32)
    centres = faiss.IndexFlatL2(32)
    centres.add(np.concatenate([near, near + 1e-6 * random.normal(size=near.shape).astype(np.float32)]))
    asked = np.abs(random.normal(size=(2 * image_groups.PIECE + 9, 32))).astype(np.float32)
    found = []
    for threads in (1, 2):
        faiss.omp_set_num_threads(threads)
        monkeypatch.setattr(image_groups, "cores", lambda n=threads: n)
        found.append(nearest_centres(centres, asked, 4))
    np.testing.assert_array_equal(*found)
    lengths = ((asked[:99, None] - centres.reconstruct_n(0, 600)[None]) ** 2).sum(axis=2)
    there = np.take_along_axis(lengths, found[0][:99], axis=1)
    np.testing.assert_allclose(there, np.sort(lengths, axis=1)[:, :4], rtol=1e-4)
    assert nearest_centres(centres, asked[:0], 4).shape == (0, 4)
