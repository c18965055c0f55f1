"""Records that lie in something else: what databases, pandas and scripts put round them."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.exports.test_parts import run
from tests.exports.test_tools import BIG, ISO, lines, table

TWO = [
    {"id": n, "id_str": str(n), "full_text": "words", "created_at": ISO, "user": {"id_str": "7", "screen_name": "ann"}}
    for n in (BIG, 5)
]
DUMPED = [{"_index": "tweets", "_type": "_doc", "_id": str(one["id"]), "_source": one} for one in TWO]
SHAPES = {
    "dump": lines(*DUMPED),
    "answer": json.dumps({"took": 1, "hits": {"total": {"value": 2}, "hits": DUMPED}}),
    "by-ids": json.dumps({str(one["id"]): one for one in TWO}),
    "pages": json.dumps([[TWO[0]], [TWO[1]]]),
    "under-a-key": json.dumps({"query": "q", "tweets": TWO}),
    "under-two-keys": json.dumps({"posts": TWO[:1], "tweets": TWO[1:]}),
    "by-columns": pd.DataFrame(TWO).to_json(),
    "split": pd.DataFrame(TWO).to_json(orient="split"),
    "normalized.csv": pd.json_normalize(TWO).to_csv(),
    "printed.csv": pd.DataFrame(TWO).to_csv(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_records_are_found_in_what_lies_round_them(shape, tmp_path):
    (tmp_path / shape).write_text(SHAPES[shape])
    _, posts, *_ = run(tmp_path, tmp_path / shape)
    assert {(p["post_id"], p["user_id"], p["text"]) for p in posts} == {(str(BIG), "7", "words"), ("5", "7", "words")}


def test_records_in_parquet_are_read_as_records(tmp_path):
    pq.write_table(pa.Table.from_pylist(TWO), tmp_path / "t.parquet")
    _, posts, *_ = run(tmp_path, tmp_path / "t.parquet")
    assert {(p["post_id"], p["user_id"]) for p in posts} == {(str(BIG), "7"), ("5", "7")}


def test_of_a_post_in_something_unknown_what_it_shares_is_not_taken_for_it(tmp_path):
    """Only lists under keys that say so are looked into."""
    (tmp_path / "t.json").write_text(json.dumps({"mine": "words", "comments": TWO, "shared": TWO[0]}))
    with pytest.raises(Exception, match="keys mine, comments, shared"):
        run(tmp_path, tmp_path / "t.json")


@pytest.mark.parametrize("around", ["", "node", "graphql", "data"])
def test_a_post_of_instagrams_web_with_pictures_called_by_author_and_ids(around, tmp_path):
    node = {"__typename": "GraphSidecar", "id": "11", "shortcode": "C1", "owner": {"id": "7", "username": "ann"},
            "edge_media_to_caption": {"edges": [{"node": {"text": "words"}}]}, "taken_at_timestamp": 1_600_000_000,
            "edge_media_to_parent_comment": {"count": 2},
            "edge_sidecar_to_children": {"edges": [{"node": {"id": n, "display_url": f"https://x/{n}_n.jpg"}}
                                                   for n in ("11", "12")]}}  # fmt: skip
    inner = {"graphql": "shortcode_media", "data": "xdt_shortcode_media"}.get(around)
    record = {around: {inner: node} if inner else node} if around else node
    (tmp_path / "info").mkdir()
    (tmp_path / "info" / "ann-11.info").write_text(json.dumps(record))
    (tmp_path / "image").mkdir()
    for shade, name in enumerate(("ann-11.jpg", "ann-12.jpg", "bob-12.jpg")):
        Image.new("RGB", (9, 9), (shade * 90, 0, 0)).save(tmp_path / "image" / name)
    _, (post,), *_ = run(tmp_path, tmp_path / "info", images=[tmp_path / "image"])
    assert (post["post_id"], post["user_id"], post["text"], post["replies"]) == ("C1", "7", "words", 2)
    assert [name.rsplit("/", 1)[-1] for name in (post["image"], *post["more_images"])] == ["ann-11.jpg", "ann-12.jpg"]


def test_archives_of_information_operations_and_parler(tmp_path):
    held = {"tweetid": BIG, "userid": "h7", "user_screen_name": "ann", "tweet_text": "words", "is_retweet": "false",
            "tweet_time": "2020-09-13 12:26", "like_count": 4, "in_reply_to_userid": ""}  # fmt: skip
    (tmp_path / "io.csv").write_text(table(held, held | {"tweetid": 5, "is_retweet": "true"}))
    _, (post,), _, (left,) = run(tmp_path, tmp_path / "io.csv")
    assert (post["post_id"], post["user_id"], post["text"], post["likes"]) == (str(BIG), "h7", "words", 4)
    assert left["reason"] == "repost"
    said = {"id": "a1", "body": "words", "createdAt": "20200913122640", "createdAtformatted": "2020-09-13 12:26:40 UTC",
            "creator": "h7", "username": "ann", "datatype": "posts", "comments": -1}  # fmt: skip
    (tmp_path / "parler.ndjson").write_text(lines(said))
    _, (post,), *_ = run(tmp_path, tmp_path / "parler.ndjson")
    assert (post["post_id"], post["user_id"], str(post["created_at"])[:19]) == ("a1", "h7", "2020-09-13 12:26:40")
