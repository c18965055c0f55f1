import numpy as np
import pyarrow as pa

from pipeline.evaluation.methods import everywhere
from pipeline.ranking.vectors import Vectors
from pipeline.tables.corpus import USERS


def test_methods_are_asked_of_the_same_people_and_of_no_brand():
    users = USERS.of([("ann", ["cats"], False), ("bob", [], False), ("brand", ["shoes"], True), ("eve", [], False)])
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    one = Vectors(pa.array(["ann", "bob", "brand", "eve"]), vectors)
    other = Vectors(pa.array(["eve", "brand", "ann"]), vectors[:3])
    people, found = everywhere(users, {"one": one, "other": other})
    assert people["user_id"].to_pylist() == ["ann", "eve"]
    np.testing.assert_array_equal(found["one"], vectors[[0, 3]])
    np.testing.assert_array_equal(found["other"], vectors[[2, 0]])
