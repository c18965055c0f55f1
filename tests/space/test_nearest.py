"""The nearest things of a kind: one of each group, however many of a group come first."""

import numpy as np
import pyarrow as pa

from pipeline.space.nearest import Things, Wanted


def test_one_of_each_group_is_found_behind_many_copies_of_the_first():
    angle = np.linspace(0, 1.5, 200)
    things = Things(
        pa.array([f"t{i:03}" for i in range(200)]), np.stack([np.cos(angle), np.sin(angle)], 1).astype("f4")
    )
    group = np.where(np.arange(200) < 150, 0, np.arange(200))  # the first 150 are copies of each other
    asked = np.array([1, 0], np.float32)
    rows, cosines = things.nearest(asked, Wanted(3, group, np.array([], int)))
    assert rows.tolist() == [0, 150, 151] and (np.diff(cosines) < 0).all()
    assert things.nearest(asked, Wanted(2, group, np.array([0])))[0].tolist() == [150, 151]
    taken = np.arange(200) % 2 == 1
    assert things.nearest(asked, Wanted(3, group, np.array([], int), taken))[0].tolist() == [1, 151, 153]
    assert things.nearest(asked, Wanted(3, group, np.array([], int), least=0.999))[0].tolist() == [0]
