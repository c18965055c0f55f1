"""One truth, written into each format by its own generator, comes back the same from all."""

import zipfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.exports.columns import Mapped
from pipeline.exports.converting import Settings, convert
from tests.exports.truth import EXPECTED, digest, picture, truth
from tests.exports.writers import WRITERS
from tests.exports.writers.shared import base

POSTS = truth()


def data_of(place: str) -> bytes:
    """The bytes of a picture as the import reads them."""
    path, _, member = place.partition("!/")
    if Path(path).is_dir():
        return (Path(path) / member).read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def converted(folder, written, **settings):
    out = folder / "converted"
    out.mkdir()
    brands = None
    if written.brand:
        brands = folder / "brands.csv"
        brands.write_text(f"target,interest\n{written.brand},sports\n")
    columns = Mapped(**written.columns) if written.columns else None
    found = convert([written.posts], [written.images] if written.images else [], out, out,
                    Settings(columns=columns, brands=brands, **settings))  # fmt: skip
    tables = {name: pq.read_table(out / f"{name}.parquet").to_pylist() for name in ("posts", "users", "rejected")}
    return found, tables


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_the_truth_comes_back(writer, tmp_path):
    (tmp_path / "export").mkdir()
    posts = POSTS
    written = writer(tmp_path / "export", posts)
    lacks = written.lacks
    metrics, tables = converted(tmp_path, written)
    rows = {row["post_id"]: row for row in tables["posts"]}
    reasons = Counter(row["reason"] for row in tables["rejected"])

    # Nothing is lost: every row in is a row out, or rejected with its reason.
    assert metrics["rows_in"] == len(tables["posts"]) + len(tables["rejected"]), metrics
    assert reasons == metrics["rejected"] and set(metrics["recognised"]) == {written.kind}
    assert reasons["unreadable row"] == written.broken, [
        r for r in tables["rejected"] if r["reason"] == "unreadable row"
    ]

    leave = {trap for trap in EXPECTED if trap not in lacks} - ({"reply"} if not written.brand else set())
    for trap in leave:
        assert reasons[EXPECTED[trap]] >= 1, (trap, reasons)
    expected = {}
    for post in posts:
        if not written.holds(post) or post.trap == "earlier" or post.trap in leave or post.trap in ("gone", "empty"):
            continue
        if post.trap in lacks:
            continue
        expected[written.post_id(post)] = post
    missing = {post_id for post_id in expected if post_id not in rows}
    assert not missing, (missing, tables["rejected"][:5])
    for post_id, post in expected.items():
        row = rows[post_id]
        assert row["user_id"] == written.user_id(post)
        assert row["text"] == written.text(post.text)
        assert (
            int(row["created_at"].timestamp() if row["created_at"].tzinfo else _seconds(row["created_at"])) == post.when
        )
        if "language" not in lacks:
            assert row["language"] == post.language
        if "likes" not in lacks:
            assert row["likes"] == post.likes
        shown = [] if post.trap in ("missing", "video") else list(post.pictures)
        shown = shown[:1] if "several" in lacks else shown
        places = [row["image"], *(row["more_images"] or [])] if row["image"] else []
        assert [digest(data_of(place)) for place in places] == [digest(picture(n)) for n in shown], (post, places)
        if post.trap == "missing":
            assert row["missing_images"] == 1
        if row["alt"] and shown and "alt" not in lacks:
            assert row["alt"] == [f"alt {n}" for n in shown]
    assert {row["user_id"] for row in tables["users"]} == {row["user_id"] for row in tables["posts"]}


def _seconds(moment) -> float:
    from datetime import UTC

    return moment.replace(tzinfo=UTC).timestamp()


def test_bases_differ():
    assert len({base(post, k) for post in POSTS for k in range(3)}) == 3 * (len(POSTS) - 1)
