"""Layouts: neighbours stay neighbours, the same bytes again in whatever order things come."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.layout.plane import kept, lay_out, neighbours
from pipeline.ranking.vectors import Vectors
from stages.map import drawn, with_neighbours


@pytest.fixture(scope="module")
def things():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(5, 24))
    values = (centres[np.arange(200) % 5] + rng.normal(size=(200, 24)) / 3).astype(np.float32)
    values[7] = values[12] = values[17]  # equal ones
    return Vectors(pa.array([f"i{i:03d}" for i in range(200)]), values)


def test_neighbours_are_those_of_a_plain_search(things):
    rows, distances = neighbours(things.values, 9)
    unit = things.values / np.linalg.norm(things.values, axis=1, keepdims=True)
    for row in (0, 7, 12, 55, 199):
        away = np.linalg.norm(unit - unit[row], axis=1)
        wanted = [i for i in sorted(range(200), key=lambda i: (round(float(away[i]), 5), i)) if i != row][:9]
        assert set(rows[row]) == set(wanted) and row not in rows[row]
        np.testing.assert_allclose(distances[row], away[rows[row]], atol=1e-3)


def test_the_plane_keeps_neighbours_and_does_not_depend_on_the_order_of_rows(things):
    points, near, _ = lay_out(things.values, 15, seed=1)
    assert points.dtype == np.float32 and np.abs(points).max() == 1
    assert kept(things.values, points) > 0.5
    topic = np.arange(200) % 5
    away = np.linalg.norm(points[:, None] - points[None], axis=2) + 9 * np.eye(200)
    assert (topic[away.argmin(axis=1)] == topic).mean() > 0.95
    mixed = np.random.default_rng(9).permutation(200)
    again = drawn(Vectors(things.ids.take(pa.array(mixed)), things.values[mixed]), 1000, seed=1)
    assert again.ids.equals(things.ids)
    assert lay_out(again.values, 15, seed=1)[0].tobytes() == points.tobytes()
    table = with_neighbours(pa.table({"id": things.ids, "x": points[:, 0]}), things.ids, near[:, :3], near[:, :3] * 0.5)
    assert table["neighbors"][5].as_py()["ids"] == near[5, :3].tolist()


def test_neighbours_in_a_plane_that_shows_all_are_all_kept():
    angle = np.random.default_rng(0).uniform(0, 6, 50)
    points = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    assert kept(points * 3, points, 5) == 1
    assert kept(points, points[::-1], 5) < 0.5


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6])
def test_few_things_have_a_place_too(things, count):
    points, *_ = lay_out(things.values[:count], 30, seed=1)
    assert points.shape == (count, 2) and np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) == count


@pytest.mark.parametrize("count", [5, 60])
def test_things_that_are_all_the_same_have_a_place_too(things, count):
    points, *_ = lay_out(np.repeat(things.values[:1], count, axis=0), 30, seed=1)
    assert np.isfinite(points).all() and len(np.unique(points, axis=0)) == count


def test_more_than_wanted_are_drawn_by_their_ids_alone(things):
    chosen = drawn(things, 120, seed=1)
    fewer = drawn(Vectors(things.ids.slice(0, 150), things.values[:150]), 120, seed=1)
    assert len(chosen.ids) == 120 and chosen.ids.to_pylist() == sorted(chosen.ids.to_pylist())
    assert len(set(chosen.ids.to_pylist()) & set(fewer.ids.to_pylist())) > 80
