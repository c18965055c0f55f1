import numpy as np
import pyarrow as pa
import pytest

from pipeline.common.groups import components, image_groups
from pipeline.tables.images import IMAGE_GROUPS


def test_planted_components_come_back_named_by_their_smallest_node():
    generator = np.random.default_rng(1)
    planted = generator.integers(0, 300, 5_000)
    nodes = np.arange(5_000)
    smallest = np.array([nodes[planted == label].min() for label in planted])
    # A chain through each component, shuffled, half of the edges turned around.
    order = np.argsort(planted, kind="stable")
    left, right = order[:-1], order[1:]
    same = planted[left] == planted[right]
    left, right = left[same], right[same]
    turned = generator.random(len(left)) < 0.5
    left, right = np.where(turned, right, left), np.where(turned, left, right)
    shuffled = generator.permutation(len(left))
    np.testing.assert_array_equal(components(5_000, left[shuffled], right[shuffled]), smallest)


def test_without_edges_each_node_is_its_own_component_and_repeats_change_nothing():
    none = np.empty(0, np.int64)
    np.testing.assert_array_equal(components(3, none, none), [0, 1, 2])
    np.testing.assert_array_equal(components(0, none, none), none)
    np.testing.assert_array_equal(components(4, np.array([3, 1, 3]), np.array([1, 3, 1])), [0, 1, 2, 1])


def test_images_of_no_known_group_are_each_their_own():
    groups = IMAGE_GROUPS.of([("a", "a", True, 1.0), ("b", "a", False, 0.9), ("c", "c", True, 1.0)])
    found = image_groups(pa.array(["x", "b", "c", "y", "a"]), groups)
    assert found[1] == found[4] and len(set(found.tolist())) == 4


@pytest.mark.parametrize(("left", "right"), [([0], [4]), ([-1], [0]), ([0, 1], [1])])
def test_an_edge_to_nowhere_is_refused(left, right):
    with pytest.raises(ValueError, match=r"edge|ends"):
        components(4, np.array(left), np.array(right))
