"""Contact sheets: which pairs are drawn to be looked at, and where they stand."""

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.tables.split import CLOSE
from tests.made.pictures import encoded
from tools.contact_sheet import audited, pairs_to_look_at, sheet


def test_a_contact_sheet_shows_each_group_once_beside_its_representative() -> None:
    group = ["a", "b", "a", "c", "a", "c"]
    first = [False, True, True, True, False, False]
    rows = {"image_id": list("abcdef"), "group_id": group, "representative": first, "similarity": [1.0] * 6}
    pairs = pairs_to_look_at(pa.table(rows), count=10, seed=1)
    assert sorted(pairs[:, 0].tolist()) == [2, 3]
    assert all(group[one] == group[other] and not first[other] for one, other in pairs)
    assert len(pairs_to_look_at(pa.table(rows), count=1, seed=1)) == 1


def test_of_what_the_audit_saw_the_pictures_of_one_verdict_are_shown():
    close = CLOSE.of([
        ("image", "b", "c", 0.9, "different"), ("image", "b", "d", 0.7, "below"), ("text", "p", "q", 0.5, "below"),
        ("image", "a", "d", 0.8, "taken"), ("text", "p", "r", 0.9, "taken"),
    ])  # fmt: skip
    ids = pa.chunked_array([["a", "b", "c", "d"]])
    assert audited(close, ids, "different").tolist() == [[1, 2]]
    assert audited(close, ids, "taken").tolist() == [[0, 3]]


def test_a_pair_stands_side_by_side_and_more_than_a_row_begin_another():
    def drawn(colour):
        return encoded(Image.new("RGB", (30, 60), colour))

    shown = np.asarray(sheet([(drawn("red"), drawn("blue"))] * 3, cell=40, columns=2))
    assert shown.shape == (2 * 54, 2 * 92, 3)
    for left, top in ((0, 12), (92, 12), (0, 66)):
        assert shown[top + 20, left + 10].tolist() == [255, 0, 0] and shown[top + 20, left + 52].tolist() == [0, 0, 255]
    assert (shown[66:, 92:] == 128).all()
