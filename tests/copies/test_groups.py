"""Groups of copies: planted ones are recovered exactly, and different pictures of one style stay apart."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from pipeline.copies import groups as image_groups
from pipeline.copies.groups import (
    Pairs,
    exact_cosine,
    group_images,
    near_pairs,
    recall,
    representatives,
    size_histogram,
    unit,
)
from pipeline.copies.same_picture import Look, Looks, agreement, same_picture
from pipeline.corpus.drawing import CHANGES, Hand, draw
from pipeline.running.checkpoints import keep_in
from pipeline.tables.corpus import IMAGES
from tools.contact_sheet import pairs_to_look_at


def planted(groups: int, copies: int, alone: int, d: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors and the group of each, in a random order: copies at cosine about 0.98, others near 0."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((groups + alone, d)))
    label = np.concatenate([np.repeat(np.arange(groups), copies), np.arange(groups, groups + alone)])
    order = random.permutation(len(label))
    noise = unit(random.standard_normal((len(label), d))) * 0.15
    return unit(centres[label] + noise)[order], label[order]


def all_agree(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.ones(len(left), bool)


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
    audit = recall(vectors, by_cells, 0.8, sample=len(vectors), seed=7)
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
    half = Pairs(pairs.left[::2], pairs.right[::2], pairs.cosine[::2], pairs.proposed)
    assert recall(vectors, pairs, 0.9, len(vectors), 1)["recall"] == 1.0
    assert recall(vectors, half, 0.9, len(vectors), 1)["found"] == 25


def test_refused_pairs_do_not_join_and_similarity_is_the_highest_within_the_group() -> None:
    # 0-1 and 2-3 are copies, 1-2 looks close but is refused; 4 is alone.
    cosine = np.array([0.99, 0.97, 0.96], np.float32)
    pairs = Pairs(np.array([1, 0, 2]), np.array([2, 1, 3]), cosine, 3)
    groups = group_images(5, pairs, lambda left, right: left != 1)
    np.testing.assert_array_equal(groups.group, [0, 0, 2, 2, 4])
    np.testing.assert_allclose(groups.similarity, [0.97, 0.97, 0.96, 0.96, 1.0])
    assert groups.edges.tolist() == [[0, 1], [2, 3]] and groups.refused.tolist() == [[1, 2]]


def test_a_clique_of_copies_costs_few_looks_and_gives_the_same_groups() -> None:
    n = 200
    left, right = np.triu_indices(n, 1)
    pairs = Pairs(left, right, np.full(len(left), 0.99, np.float32), len(left))
    looks = []

    def agree(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        looks.append(len(one))
        return np.ones(len(one), bool)

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


def test_a_contact_sheet_shows_each_group_once_beside_its_representative() -> None:
    group = ["a", "b", "a", "c", "a", "c"]
    first = [False, True, True, True, False, False]
    rows = {"image_id": list("abcdef"), "group_id": group, "representative": first, "similarity": [1.0] * 6}
    pairs = pairs_to_look_at(pa.table(rows), count=10, seed=1)
    assert sorted(pairs[:, 0].tolist()) == [2, 3]
    assert all(group[one] == group[other] and not first[other] for one, other in pairs)
    assert len(pairs_to_look_at(pa.table(rows), count=1, seed=1)) == 1


# ---------------------------------------------------------------- the second check


def scene(seed: int, side: int = 240) -> Image.Image:
    """A full-bleed picture of random coloured shapes, with edges as soft as a photograph's."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side * 3 // 4), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(150):
        x, y, w, h = random.integers(0, side, 2).tolist() + random.integers(10, side // 3, 2).tolist()
        draw.ellipse((x, y, x + w, y + h), fill=tuple(random.integers(0, 256, 3).tolist()))
    return image.filter(ImageFilter.GaussianBlur(1.5))


def sign(symbol: str) -> Image.Image:
    """A warning triangle with a symbol: one style, different drawings."""
    image = Image.new("RGB", (200, 200), "white")
    draw = ImageDraw.Draw(image)
    draw.polygon([(100, 20), (185, 170), (15, 170)], outline="red", width=14)
    if symbol == "dot":
        draw.ellipse((85, 110, 115, 140), fill="black")
    elif symbol == "bar":
        draw.rectangle((95, 75, 105, 150), fill="black")
    return image


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


COPIES = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "jpeg 30": lambda image: jpeg(image, 30),
    "mirrored": ImageOps.mirror,
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "framed": lambda image: ImageOps.expand(image, 20, (40, 80, 160)),
    "crop of 80 %": lambda image: image.crop((18, 14, 18 + 215, 14 + 161)),
    "crop of 60 %": lambda image: image.crop((50, 8, 50 + 186, 8 + 139)),
    "mirrored crop": lambda image: ImageOps.mirror(image.crop((50, 8, 50 + 186, 8 + 139))),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_the_same_picture_both_ways(name: str) -> None:
    original = scene(1)
    one, other = Look.of(original), Look.of(COPIES[name](original))
    assert same_picture(one, other) and same_picture(other, one), agreement(one, other)


def test_different_pictures_of_one_style_are_not_the_same() -> None:
    signs = {symbol: Look.of(sign(symbol)) for symbol in ("dot", "bar", "none")}
    assert not same_picture(signs["dot"], signs["bar"]), agreement(signs["dot"], signs["bar"])
    assert not same_picture(signs["dot"], signs["none"])
    assert not any(same_picture(Look.of(scene(1)), Look.of(scene(seed))) for seed in range(2, 6))


def captioned(image: Image.Image, top: bool) -> Image.Image:
    """A strip with words under or over a picture."""
    bar = Image.new("RGB", (image.width, 24), (250, 250, 250))
    ImageDraw.Draw(bar).text((6, 4), "via @somebody", fill=(60, 60, 60))
    both = Image.new("RGB", (image.width, image.height + 24))
    both.paste(bar, (0, 0 if top else image.height))
    both.paste(image, (0, 24 if top else 0))
    return both


@pytest.mark.parametrize("top", [True, False])
def test_a_caption_does_not_make_another_picture(top: bool) -> None:
    for original in (scene(1), sign("dot")):
        one, other = Look.of(original), Look.of(captioned(original, top))
        assert same_picture(one, other) and same_picture(other, one), agreement(one, other)
    assert not same_picture(Look.of(sign("bar")), Look.of(captioned(sign("dot"), top)))


@pytest.mark.parametrize("topic", range(12))
def test_drawn_pictures_survive_jpeg_and_differ_from_others_of_their_topic(topic: int) -> None:
    one, other = (draw(topic, 4, np.random.default_rng(seed)) for seed in (topic, topic + 100))
    assert same_picture(Look.of(one), Look.of(jpeg(one, 40)))
    assert not same_picture(Look.of(one), Look.of(other))


@pytest.mark.parametrize(("change", "least"), [("caption", 24), ("crop", 20), ("resize", 22), ("jpeg", 20)])
def test_pictures_in_many_hands_survive_what_people_do_to_them(change: str, least: int) -> None:
    # Faint papers and clutter: what is plain border in the one is not in the other, and a crop may cut nothing.
    found = 0
    for seed in range(24):
        one = draw(seed % 12, seed % 8, np.random.default_rng(seed), Hand.of(np.random.default_rng([1, seed])))
        other = CHANGES[change](one, np.random.default_rng([2, seed]))
        found += same_picture(Look.of(one), Look.of(jpeg(other, 40) if change == "jpeg" else other))
    assert found >= least


def test_one_of_two_things_is_no_crop_of_both() -> None:
    one, two = Image.new("RGB", (200, 200), "white"), Image.new("RGB", (230, 200), "white")
    for image in (one, two):
        ImageDraw.Draw(image).ellipse((20, 20, 180, 180), fill="navy", outline="red", width=12)
    ImageDraw.Draw(two).rectangle((195, 80, 215, 120), fill="black")
    assert same_picture(Look.of(one), Look.of(one.crop((10, 10, 195, 200))))
    assert not same_picture(Look.of(one), Look.of(two))


def test_meshes_of_thin_lines_are_not_judged_by_their_blur() -> None:
    def rays(number: int) -> Image.Image:
        image = Image.new("RGB", (200, 200), "white")
        for angle in np.arange(number) * 2 * np.pi / number:
            x, y = 90 * np.cos(angle), 90 * np.sin(angle)
            ImageDraw.Draw(image).line((100, 100, 100 + x, 100 + y), fill="black")
        return image

    assert not same_picture(Look.of(rays(40)), Look.of(rays(44)))
    assert same_picture(Look.of(rays(40)), Look.of(rays(40)))


def test_other_colours_are_another_picture() -> None:
    red, green = Image.new("RGB", (90, 60), "white"), Image.new("RGB", (90, 60), "white")
    ImageDraw.Draw(red).ellipse((20, 10, 70, 50), fill="red")
    ImageDraw.Draw(green).ellipse((20, 10, 70, 50), fill="green")
    assert not same_picture(Look.of(red), Look.of(green))


def test_pictures_of_one_colour_are_like_none() -> None:
    white = Look.of(Image.new("RGB", (50, 50), "white"))
    assert not same_picture(white, white) and not same_picture(white, Look.of(scene(1)))


def test_looks_are_read_by_row_over_all_shards(tmp_path: Path) -> None:
    def stored(image: Image.Image) -> bytes:
        stream = io.BytesIO()
        image.save(stream, "PNG")
        return stream.getvalue()

    pictures = [stored(scene(1)), stored(scene(2)), stored(ImageOps.mirror(scene(1))), b"\0\0"]
    sides = np.array([240, 240, 240, 0], np.int32)
    rows = {"image_id": ["a", "b", "c", "d"], "bytes": pictures, "width": sides, "height": sides}
    IMAGES.write(pa.table(rows), tmp_path / "images")
    looks = Looks.of(tmp_path / "images", np.array([0, 1, 2, 3]))
    agreed = looks.agree(np.array([0, 0, 1, 0]), np.array([1, 2, 2, 3]))
    np.testing.assert_array_equal(agreed, [False, True, False, True])  # d is a made vector: its cosine decides


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
    finished = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = near_pairs(vectors, 0.9, seed=7, flat=False, keep=keep)
    for name in ("left", "right", "cosine"):
        np.testing.assert_array_equal(getattr(again, name), getattr(unbroken, name))
    assert len(finished) == 5  # the cells, and four pieces of them
    assert finished.items() <= {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}.items()

    asked = []

    def agree(left, right):
        asked.append(len(left))
        return left % 2 == 0

    first, second = (group_images(900, again, agree, chunk=100, keep=keep) for _ in range(2))
    assert sum(asked) == len(first.edges) + len(first.refused)  # asked once, not twice
    np.testing.assert_array_equal(first.group, second.group)
    np.testing.assert_array_equal(first.group, group_images(900, unbroken, agree, chunk=100).group)
